"""What a role's process answers over HTTP: /health, /metrics, and what its roles take."""

import ssl
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from dem.gateway.config import Limits
from dem.gateway.guard import Guard
from dem.roles.service import Metrics, Service

_SECONDS_TO_END = 10.0


class Tls(NamedTuple):
    """Files of a server that knows its clients: its certificate and key; who may have signed the clients' ones."""

    certificate: Path
    private_key: Path
    clients: Path


class Listening(NamedTuple):
    """How a role listens. tls: None without encryption."""

    limits: Limits = Limits()
    tls: Tls | None = None


def make_app(
    services: Sequence[Service], metrics: Metrics, routes: Sequence[BaseRoute] = (), limits: Limits | None = None
) -> Starlette:
    """The application. routes: of roles that take something."""

    def health(_request: Request) -> Response:
        told = [service.health() for service in services]
        is_well = all(one["ok"] for one in told)
        return JSONResponse({"ok": is_well, "services": told}, 200 if is_well else 503)

    def numbers(_request: Request) -> Response:
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    app = Starlette(routes=[Route("/health", health), Route("/metrics", numbers), *routes])
    app.add_middleware(Guard, limits=limits or Limits())
    return app


class Listener:
    """Answers in a thread of its own, as a context."""

    def __init__(self, app: Starlette, host: str, port: int, tls: Tls | None = None) -> None:
        files: dict[str, Any] = (
            {} if tls is None else {"ssl_certfile": tls.certificate, "ssl_keyfile": str(tls.private_key)}
        )
        if tls is not None:
            files |= {"ssl_ca_certs": str(tls.clients), "ssl_cert_reqs": ssl.CERT_REQUIRED}
        config = uvicorn.Config(app, host=host, port=port, log_config=None, timeout_graceful_shutdown=2, **files)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, name="http", daemon=True)

    def __enter__(self) -> "Listener":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(_SECONDS_TO_END)
