"""Run a role of a market as a service."""

import signal
import threading
from contextlib import ExitStack
from pathlib import Path

import click

from dem.commands import ABOUT
from dem.console import fail_readably
from dem.errors import DemError, InputError


@click.command(short_help=ABOUT["role"])
@click.argument("name")
@click.option(
    "--config",
    "configs",
    type=click.Path(path_type=Path),
    multiple=True,
    required=True,
    help="Its settings, a TOML file; repeatable: several of a kind in one process, each with its own key.",
)
@fail_readably
def cli(name: str, configs: tuple[Path, ...]) -> None:
    """Do again and again what is due of the role NAME, until interrupted.

    Roles: operator, registrar, treasurer, supplier, clerk, desk, dispatcher, intermediary, relayer, metering, biller,
    household, meter, gate.

    What is due it asks the chain, or the gateway, so it may be killed and started at any moment. It logs a line of
    JSON for each step. docs/guide/live.md describes roles and settings.
    """
    try:
        from starlette.routing import BaseRoute

        from dem.roles.http import Listener, Listening, make_app
        from dem.roles.logs import log_as_json
        from dem.roles.service import Metrics, Service
        from dem.roles.table import ROLES, open_role
    except ModuleNotFoundError as error:
        why = f"a role needs {error.name}, which is not installed: `make setup`, or pip install 'dem[gateway]'"
        raise DemError(why) from None
    if name not in ROLES:
        raise InputError("role", name, f"is none; known are {', '.join(ROLES)}")
    log_as_json()
    metrics = Metrics()
    services: list[Service] = []
    routes: list[BaseRoute] = []
    ports: list[tuple[str, int]] = []
    listening = Listening()
    for path in configs:
        settings, opened = open_role(name, path)
        own = settings.name or path.stem
        services.append(Service(name, own, opened.make, metrics, settings.pause_seconds))
        routes += opened.routes
        listening = opened.listening if opened.routes else listening
        ports += [(settings.host, settings.port)] if settings.port else []
    if len(ports) > 1:
        raise InputError(f"{configs[1]}, port", ports[1][1], "is a second one of this process: name one in one file")
    with ExitStack() as stack:
        for host, port in ports:
            app = make_app(services, metrics, routes, listening.limits)
            stack.enter_context(Listener(app, host, port, listening.tls))

        def stop(*_: object) -> None:
            for service in services:
                service.stop()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        threads = [threading.Thread(target=service.run, name=service.name) for service in services]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
