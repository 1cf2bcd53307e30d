"""A gate before a node: some methods pass, transactions of some accounts, and nothing else.

A node answers whoever reaches its port, and shows everything to everybody. So its port stays on its machine, and other
machines come in here, each with a certificate of its own.
"""

from collections.abc import Collection, Sequence
from typing import Any

import requests
from eth_account import Account
from pydantic_core import from_json
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dem.roles.step import Day, Step

SEND = "eth_sendRawTransaction"
_INVALID, _UNKNOWN, _AWAY = -32600, -32601, -32603
"""Codes of JSON-RPC."""
_SECONDS = 60.0


class Idle:
    """A role that does nothing by itself."""

    steps: Sequence[Step] = ()

    def now(self) -> int:
        """Nothing is ever due."""
        return 0

    def days(self, now: int) -> Sequence[Day]:  # noqa: ARG002 - a role is asked so
        """None."""
        return ()


class Gate:
    """Asks a node what may be asked. senders: accounts whose transactions pass. batch: the most questions at once."""

    def __init__(self, node: str, methods: Collection[str], senders: Collection[str], batch: int) -> None:
        self._node, self._methods, self._senders, self._batch = node, frozenset(methods), frozenset(senders), batch
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy leads to the node

    def route(self) -> Route:
        """JSON-RPC over HTTP."""

        async def ask(request: Request) -> Response:
            body = await request.body()
            return JSONResponse(await run_in_threadpool(self.answer, body))

        return Route("/", ask, methods=["POST"])

    def answer(self, body: bytes) -> Any:
        """What the node answers to what may be asked; a refusal of all else, each question for itself."""
        try:
            asked = from_json(body)  # of its own depth: how deep Python's goes any library may change
        except ValueError:
            return _refusal(None, _INVALID, "this is no JSON")
        if not isinstance(asked, list):
            return self._answers([asked])[0]
        if not 0 < len(asked) <= self._batch:
            return _refusal(None, _INVALID, f"at most {self._batch} questions at once, and at least one")
        return self._answers(asked)

    def _answers(self, asked: Sequence[Any]) -> list[Any]:
        refusals = [self._refused(one) for one in asked]
        passing = [one for one, refusal in zip(asked, refusals, strict=True) if refusal is None]
        answers = iter(self._of_node(passing) if passing else [])
        return [next(answers) if refusal is None else refusal for refusal in refusals]

    def _refused(self, one: Any) -> dict[str, Any] | None:
        if not isinstance(one, dict) or not isinstance(one.get("method"), str):
            return _refusal(None, _INVALID, "a question has a method and parameters")
        method, parameters = one["method"], one.get("params", [])
        if method not in self._methods:
            return _refusal(one.get("id"), _UNKNOWN, f"{method[:60]} is not asked here")
        if method != SEND:
            return None
        sender = _sender(parameters)
        if sender is None or sender not in self._senders:
            return _refusal(one.get("id"), _INVALID, f"transactions of {sender or 'nobody'} do not pass here")
        return None

    def _of_node(self, asked: Sequence[dict[str, Any]]) -> list[Any]:
        """Each by a number of ours, so that nobody's answer is taken for another's."""
        numbered = [one | {"jsonrpc": "2.0", "id": n} for n, one in enumerate(asked)]
        try:
            told = self._session.post(self._node, json=numbered, timeout=_SECONDS).json()
            found = {one["id"]: one for one in told}
        except (requests.RequestException, ValueError, TypeError, KeyError):
            found = {}
        away = {"error": {"code": _AWAY, "message": "the node does not answer"}}
        answers = (found.get(n, away) for n in range(len(asked)))
        return [answer | {"jsonrpc": "2.0", "id": one.get("id")} for one, answer in zip(asked, answers, strict=True)]


def _sender(parameters: Any) -> str | None:
    """Whose transaction it is; None if it is none."""
    try:
        [raw] = parameters
        return str(Account.recover_transaction(raw))
    except Exception:  # whatever the library makes of rubbish
        return None


def _refusal(id_: Any, code: int, why: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id_, "error": {"code": code, "message": why}}
