"""What every request passes first: how many an address may make, how large they are, how long they may take."""

import asyncio
import json
import math
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from dem.errors import RequestError
from dem.gateway.config import Limits

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

PROBLEM = "application/problem+json"
_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
]


def problem(error: RequestError) -> dict[str, Any]:
    """A refusal as RFC 9457 has it."""
    told = {"type": f"urn:dem:problem:{error.name}", "title": error.name, "status": error.status, "detail": error.why}
    return told | ({"where": error.where} if error.where else {})


class Guard:
    """Wraps an ASGI application."""

    def __init__(self, app: App, limits: Limits) -> None:
        self._app, self._limits = app, limits
        self._window = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._all = RateLimitItemPerMinute(limits.requests_per_minute)
        self._some = {
            "/v1/messages": RateLimitItemPerMinute(limits.messages_per_minute),
            "/v1/messages:batch": RateLimitItemPerMinute(limits.messages_per_minute),
            "/v1/login": RateLimitItemPerMinute(limits.logins_per_minute),
            "/session": RateLimitItemPerMinute(limits.logins_per_minute),
            "/v1/oauth/token": RateLimitItemPerMinute(limits.logins_per_minute),
            "/v1/council/approvals": RateLimitItemPerMinute(limits.logins_per_minute),
            "/v1/deliveries": RateLimitItemPerMinute(limits.deliveries_per_minute),
        }
        self._bytes = {"/v1/deliveries": limits.delivery_bytes}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A request, or what else a server sends."""
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
                return
            await self._app(scope, receive, send)
            return

        async def answer(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                own = list(message.get("headers", []))
                names = {name.lower() for name, _ in own}
                message["headers"] = [*own, *(header for header in _HEADERS if header[0] not in names)]
            await send(message)

        try:
            self._count(scope)
            body = await self._body(scope, receive)
        except RequestError as error:
            await _refuse(answer, error)
            return
        is_given = False

        async def given() -> MutableMapping[str, Any]:
            nonlocal is_given
            if is_given:
                return await receive()  # only that the client is gone can come any more
            is_given = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, given, answer)

    def _count(self, scope: Scope) -> None:
        client = (scope.get("client") or ["?"])[0]
        limits = [(self._all, "all")]
        if scope["method"] == "POST" and scope["path"] in self._some:
            limits.append((self._some[scope["path"]], scope["path"]))
        for limit, what in limits:
            if not self._window.hit(limit, client, what):
                wait = self._wait(limit, client, what)
                raise RequestError(429, "TooManyRequests", f"at most {limit}: try again in {wait} s")

    def _wait(self, limit: RateLimitItem, client: str, what: str) -> int:
        return max(1, math.ceil(self._window.get_window_stats(limit, client, what).reset_time - time.time()))

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        most = self._bytes.get(scope["path"], self._limits.body_bytes)
        headers = dict(scope["headers"])
        told = headers.get(b"content-length", b"0")
        if not told.isdigit() or int(told) > most:
            raise RequestError(413, "BodyTooLarge", f"a body has at most {most} bytes")
        body = bytearray()
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise RequestError(400, "BodyCutOff", "the connection ended before the body did")
                    body += message.get("body", b"")
                    if len(body) > most:
                        raise RequestError(413, "BodyTooLarge", f"a body has at most {most} bytes")
                    if not message.get("more_body"):
                        return bytes(body)
        except TimeoutError:
            why = f"the body took longer than {self._limits.body_seconds:g} s"
            raise RequestError(408, "BodyTooSlow", why) from None


async def _refuse(send: Send, error: RequestError) -> None:
    headers = [(b"content-type", PROBLEM.encode())]
    if error.status == 429:
        headers.append((b"retry-after", error.why.rpartition(" in ")[2].split()[0].encode()))
    if error.status in (408, 413):
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(problem(error)).encode()})
