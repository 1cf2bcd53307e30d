"""JSON-RPC over HTTP to nodes that may be slow, away for a while or restarting: asked again until one answers."""

import logging
import random
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
from eth_typing import URI
from web3 import HTTPProvider, Web3
from web3.types import RPCEndpoint, RPCResponse

from dem.errors import ChainError, NotAnsweredError

T = TypeVar("T")

PATIENCE_SECONDS = 300.0
"""How long a node may be away, or let transactions lie, before the driver gives up."""

_CONNECT_SECONDS = 5.0
_ANSWER_SECONDS, _ANSWER_SECONDS_OF_MANY = 60.0, 15.0
"""Between two bytes of an answer; a node that others can stand in for is not waited for so long."""
_BRIEFLY = {"timeout": _CONNECT_SECONDS}
_HEIGHT = RPCEndpoint("eth_blockNumber"), ()
_LOST_SECONDS = 15.0
"""A block that no node has for so long, though one had it, is lost."""
_STANDSTILL_SECONDS = 20.0
"""A node without a new block for so long may be cut off from the others."""
_TRY_AGAIN = frozenset({408, 425, 429, *range(500, 600)})
"""HTTP states of a node, or of a proxy before it, that is busy or away; any other means that it will not answer."""
_TOO_MANY = 429
_TRIES_AT_ONCE = 3
"""So often what could be asked for in smaller parts is asked as it is: a node may mean the rate, or the size."""

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

    Whatever is asked may therefore reach a node twice; a signed transaction may, because its nonce makes it one.

    Where several nodes of the chain are known, the next one is asked then. Each answer comes with the number of the
    node's newest block and counts only if no node told of a newer one before: what has been in a block is not missed
    because the next node hears of it later. A node that gets no new blocks is left, too.
    """

    def __init__(self, urls: Sequence[str], headers: Mapping[str, Any]) -> None:
        self._urls = deque(urls)
        timeout = (_CONNECT_SECONDS, _ANSWER_SECONDS if self._is_alone else _ANSWER_SECONDS_OF_MANY)
        settings = {"timeout": timeout, "headers": {**self.get_request_headers(), **headers}}
        super().__init__(urls[0], request_kwargs=settings, exception_retry_configuration=None)
        self.forget_connections()
        self._height = 0
        self._unchanged_since = time.monotonic()
        self._behind_since: float | None = None

    def forget_connections(self) -> None:
        """Begin with connections of its own: a process that was forked would share those of the other one."""
        self._request_session_manager.session_cache.clear()
        for url in filter(_is_here, self._urls):
            # No proxy leads to this machine: to look for one takes as long as the request.
            session = requests.Session()
            session.trust_env = False
            self._request_session_manager.cache_and_return_session(URI(url), session)

    @property
    def _is_alone(self) -> bool:
        return len(self._urls) == 1

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """The answer to one request.

        Raises:
            ChainError: none within PATIENCE_SECONDS, or HTTP refuses for good.
        """
        if not self._is_alone:
            return self.make_batch_request([(method, params)])[0]
        ask: Callable[[], Any] = partial(super().make_request, method, params)
        answer: RPCResponse = self._persist(method, ask, _require_answer)
        return answer

    def make_batch_request(
        self, batch_requests: list[tuple[RPCEndpoint, Any]], is_divisible: bool = False
    ) -> list[RPCResponse]:
        """The answers to several requests, in their order, all of one node.

        is_divisible: whoever asks can ask for less at once, so that a node that is there is not asked patiently.

        Raises:
            NotAnsweredError: the node refuses these requests; or it is late, and less can be asked for.
            ChainError: as make_request.
        """
        asked = batch_requests if self._is_alone else [*batch_requests, _HEIGHT]

        def require_answers(answers: Any) -> None:
            if isinstance(answers, dict) and "error" in answers:
                raise NotAnsweredError(
                    f"the node at {self.endpoint_uri} refuses a batch of requests: {answers['error']}"
                )
            if not isinstance(answers, list) or len(answers) != len(asked):
                raise ValueError(f"no list of {len(asked)} answers")
            for answer in answers:
                _require_answer(answer)
            if not self._is_alone:
                self._note_height(int(answers[-1]["result"], 16))

        what = f"{len(batch_requests)} x {batch_requests[0][0]}"
        ask: Callable[[], Any] = partial(super().make_batch_request, asked)
        answers: list[RPCResponse] = self._persist(what, ask, require_answers, is_divisible)
        return answers[: len(batch_requests)]

    def _note_height(self, height: int) -> None:
        now = time.monotonic()
        if height < self._height:
            # Unless none has come so far for a while: then the chain has lost blocks, as the caller will see.
            self._behind_since = self._behind_since or now
            if now < self._behind_since + _LOST_SECONDS:
                raise ValueError(f"it has come to block {height}, another node to {self._height}")
        self._behind_since = None
        if height != self._height:
            self._height, self._unchanged_since = height, now
        elif now > self._unchanged_since + _STANDSTILL_SECONDS:
            self._unchanged_since = now
            self._move_on(f"has no new block since {height}")

    def _move_on(self, why: str) -> None:
        left = self._urls[0]
        self._urls.rotate(-1)
        self.endpoint_uri = URI(self._urls[0])
        _log.warning("the node at %s %s; going on with the one at %s", left, why, self.endpoint_uri)

    def _persist(self, what: str, ask: Callable[[], T], check: Callable[[T], None], is_divisible: bool = False) -> T:
        backoff = Backoff(first=0.1, longest=15.0 if self._is_alone else 2.0)
        tries = 0
        while True:
            tries += 1
            try:
                answer = ask()
                check(answer)
            except (requests.RequestException, KeyError, TypeError, ValueError) as error:
                # The latter three: an answer that is no JSON, or no answer of JSON-RPC.
                if not _may_pass(error) or (is_divisible and _is_too_much(error, tries)):
                    raise NotAnsweredError(f"the node at {self.endpoint_uri} refuses {what}: {error}") from error
                if backoff.is_over:
                    raise ChainError(
                        f"the node at {self.endpoint_uri} has not answered {what} for {backoff.waited:.0f} s "
                        f"({error}); when it is back, the same command goes on where this one stopped"
                    ) from error
                if self._is_alone:
                    _log.warning("the node does not answer %s (%s), asked %d times; waiting for it", what, error, tries)
                else:
                    self._move_on(f"does not answer {what} ({error})")
                backoff.sleep()
            else:
                return answer


def first_answering(urls: Sequence[str]) -> str:
    """The first of these nodes that answers; the very first if none does."""
    return next((url for url in urls if Web3(HTTPProvider(url, _BRIEFLY)).is_connected()), urls[0])


def _is_here(url: str) -> bool:
    """Whether a node is on this machine."""
    host = urlsplit(url).hostname or ""
    return host == "localhost" or host.startswith("127.") or host == "::1"


def _require_answer(answer: Any) -> None:
    if not isinstance(answer, dict) or not answer.keys() & {"result", "error"}:
        raise ValueError(f"neither result nor error in {str(answer)[:80]!r}")


def _may_pass(error: Exception) -> bool:
    return not isinstance(error, requests.HTTPError) or error.response.status_code in _TRY_AGAIN


def _is_too_much(error: Exception, tries: int) -> bool:
    """Whether a node may answer a smaller request, other than one that is away."""
    is_refused = isinstance(error, requests.HTTPError) and error.response.status_code == _TOO_MANY
    return isinstance(error, requests.ReadTimeout) or (is_refused and tries >= _TRIES_AT_ONCE)
