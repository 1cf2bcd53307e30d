"""JSON-RPC over HTTP to a node that may be slow, away for a while or restarting: asked again until it answers."""

import logging
import random
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

import requests
from web3 import HTTPProvider
from web3.types import RPCEndpoint, RPCResponse

from dem.errors import ChainError

T = TypeVar("T")

PATIENCE_SECONDS = 300.0
"""How long a node may be away, or let transactions lie, before the driver gives up."""

_TIMEOUT_SECONDS = (5.0, 60.0)
"""To connect, and between two bytes of an answer."""
_TRY_AGAIN = frozenset({408, 425, 429, *range(500, 600)})
"""HTTP states of a node, or of a proxy before it, that is busy or away; any other means that it will not answer."""

_log = logging.getLogger(__name__)


class Backoff:
    """Pauses that grow, with jitter so that several drivers do not come back at once, until patience ends."""

    def __init__(self, first: float, longest: float) -> None:
        self._first, self._longest = first, longest
        self.reset()

    def reset(self) -> None:
        """Something moved: short pauses and full patience again."""
        self._pause = self._first
        self._since = time.monotonic()

    @property
    def waited(self) -> float:
        """Seconds since something moved."""
        return time.monotonic() - self._since

    @property
    def is_over(self) -> bool:
        """Whether patience has ended."""
        return self.waited >= PATIENCE_SECONDS

    def sleep(self) -> None:
        """Wait a little, longer than the last time."""
        time.sleep(self._pause * random.uniform(0.5, 1.0))
        self._pause = min(2 * self._pause, self._longest)


class PatientProvider(HTTPProvider):
    """Asks again with growing pauses where a node cannot be reached, is late, fails, or answers with rubbish.

    Whatever is asked may therefore reach the node twice; a signed transaction may, because its nonce makes it one.
    """

    def __init__(self, url: str, headers: Mapping[str, Any]) -> None:
        settings = {"timeout": _TIMEOUT_SECONDS, "headers": {**self.get_request_headers(), **headers}}
        super().__init__(url, request_kwargs=settings, exception_retry_configuration=None)

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """The node's answer to one request.

        Raises:
            ChainError: none within PATIENCE_SECONDS, or HTTP refuses for good.
        """
        ask: Callable[[], Any] = partial(super().make_request, method, params)
        answer: RPCResponse = self._persist(method, ask, _require_answer)
        return answer

    def make_batch_request(self, batch_requests: list[tuple[RPCEndpoint, Any]]) -> list[RPCResponse]:
        """The node's answers to several requests, in their order.

        Raises:
            ChainError: as make_request, or the node takes no batches.
        """

        def require_answers(answers: Any) -> None:
            if isinstance(answers, dict) and "error" in answers:
                raise ChainError(f"the node at {self.endpoint_uri} refuses a batch of requests: {answers['error']}")
            if not isinstance(answers, list) or len(answers) != len(batch_requests):
                raise ValueError(f"no list of {len(batch_requests)} answers")
            for answer in answers:
                _require_answer(answer)

        what = f"{len(batch_requests)} x {batch_requests[0][0]}"
        ask: Callable[[], Any] = partial(super().make_batch_request, batch_requests)
        answers: list[RPCResponse] = self._persist(what, ask, require_answers)
        return answers

    def _persist(self, what: str, ask: Callable[[], T], check: Callable[[T], None]) -> T:
        backoff = Backoff(first=0.1, longest=15.0)
        tries = 0
        while True:
            tries += 1
            try:
                answer = ask()
                check(answer)
            except (requests.RequestException, KeyError, TypeError, ValueError) as error:
                # The latter three: an answer that is no JSON, or no answer of JSON-RPC.
                if not _may_pass(error):
                    raise ChainError(f"the node at {self.endpoint_uri} refuses {what}: {error}") from error
                if backoff.is_over:
                    raise ChainError(
                        f"the node at {self.endpoint_uri} has not answered {what} for {backoff.waited:.0f} s "
                        f"({error}); when it is back, the same command goes on where this one stopped"
                    ) from error
                _log.warning("the node does not answer %s (%s), asked %d times; waiting for it", what, error, tries)
                backoff.sleep()
            else:
                return answer


def _require_answer(answer: Any) -> None:
    if not isinstance(answer, dict) or not answer.keys() & {"result", "error"}:
        raise ValueError(f"neither result nor error in {str(answer)[:80]!r}")


def _may_pass(error: Exception) -> bool:
    return not isinstance(error, requests.HTTPError) or error.response.status_code in _TRY_AGAIN
