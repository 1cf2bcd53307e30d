"""A node that refuses, is late, or answers rubbish is asked again, and one that forbids is not."""

import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from dem.chain import transport
from dem.chain.transport import PatientProvider
from dem.errors import ChainError, NotAnsweredError

Answer = tuple[int, bytes] | None
"""HTTP state and body; None cuts the connection."""


Script = list[Answer | Callable[[bytes], Answer]]


@contextmanager
def serving() -> Iterator[tuple[Script, str]]:
    """A node that gives these answers one after the other, and its address."""
    script: Script = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            step = script.pop(0)
            answer = step(body) if callable(step) else step
            if answer is None:
                self.close_connection = True
                return
            self.send_response(answer[0])
            self.send_header("Content-Length", str(len(answer[1])))
            self.end_headers()
            self.wfile.write(answer[1])

        def log_message(self, *_: object) -> None:
            """Nothing on the terminal."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield script, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def node() -> Iterator[tuple[Script, PatientProvider]]:
    """A node, and whoever asks it."""
    with serving() as (script, url):
        yield script, PatientProvider([url], {})


@pytest.fixture
def two(monkeypatch) -> Iterator[tuple[Script, Script, PatientProvider]]:
    """Two nodes of a chain, and whoever asks them, the first one first."""
    monkeypatch.setattr(transport, "_LOST_SECONDS", 0.3)
    with serving() as (first, url), serving() as (second, other):
        yield first, second, PatientProvider([url, other], {})


def good(body: bytes) -> Answer:
    request = json.loads(body)
    answers = [{"jsonrpc": "2.0", "id": r["id"], "result": r["params"]} for r in _all(request)]
    return 200, json.dumps(answers if isinstance(request, list) else answers[0]).encode()


def half(body: bytes) -> Answer:
    status, whole = good(body)
    return status, whole[: len(whole) // 2]


def short(body: bytes) -> Answer:
    """The answer to one request less."""
    return good(json.dumps(_all(json.loads(body))[1:]).encode())


def _all(request: object) -> list:
    return request if isinstance(request, list) else [request]


TROUBLES = {
    "cut": None,
    "bad gateway": (502, b"<html>bad gateway</html>"),
    "busy": (429, b""),
    "no JSON": (200, b"<html>welcome</html>"),
    "nothing": (200, b""),
    "half": half,
    "no answer": (200, b'{"jsonrpc": "2.0", "id": 0}'),
    "no object": (200, b'"result"'),
    "no text": (200, b"\xff\xfe\x00"),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_troubles_pass(node, trouble, caplog):
    script, provider = node
    script += [TROUBLES[trouble], TROUBLES[trouble], good]
    assert provider.make_request("test_echo", [1])["result"] == [1]
    assert not script
    assert [record.levelno for record in caplog.records if record.name == transport.__name__] == [logging.WARNING] * 2


@pytest.mark.parametrize("trouble", [*TROUBLES, "short"])
def test_troubles_of_batches_pass(node, trouble):
    script, provider = node
    script += [short if trouble == "short" else TROUBLES[trouble], good]
    answers = provider.make_batch_request([("test_echo", [n]) for n in range(5)])
    assert [answer["result"] for answer in answers] == [[n] for n in range(5)]
    assert not script


def test_an_error_of_the_node_is_its_answer(node):
    script, provider = node
    script.append((200, b'{"jsonrpc": "2.0", "id": 0, "error": {"code": 3, "message": "execution reverted"}}'))
    assert provider.make_request("eth_call", [])["error"]["message"] == "execution reverted"


@pytest.mark.parametrize("status", [401, 403, 404, 413])
def test_what_http_forbids_is_not_asked_again(node, status):
    script, provider = node
    script.append((status, b""))
    with pytest.raises(ChainError, match=f"refuses test_echo: {status}"):
        provider.make_request("test_echo", [])


def test_a_node_that_takes_no_batches_is_not_asked_again(node):
    script, provider = node
    script.append((200, b'{"jsonrpc": "2.0", "id": null, "error": {"code": -32600, "message": "no batches"}}'))
    with pytest.raises(ChainError, match=r"refuses a batch of requests.*no batches"):
        provider.make_batch_request([("test_echo", [])])


def test_patience_ends_and_says_what_to_do(node, monkeypatch):
    monkeypatch.setattr(transport, "PATIENCE_SECONDS", 0.3)
    script, provider = node
    script += [(503, b"")] * 50
    with pytest.raises(ChainError, match=r"has not answered test_echo for .* s \(503.*the same command goes on"):
        provider.make_request("test_echo", [])


def test_a_node_that_is_not_there_is_waited_for(monkeypatch):
    monkeypatch.setattr(transport, "PATIENCE_SECONDS", 0.2)
    with pytest.raises(ChainError, match="has not answered test_echo"):
        PatientProvider(["http://127.0.0.1:9"], {}).make_request("test_echo", [])


def at(height: int) -> Callable[[bytes], Answer]:
    """A node whose newest block has this number; it answers a question with the same."""

    def answer(body: bytes) -> Answer:
        answers = [{"jsonrpc": "2.0", "id": request["id"], "result": hex(height)} for request in json.loads(body)]
        return 200, json.dumps(answers).encode()

    return answer


def test_the_next_node_is_asked_where_one_is_away_and_stays(two):
    first, second, provider = two
    first += [at(5), None]
    second += [at(5), at(6)]
    assert [provider.make_request("test_echo", [])["result"] for _ in range(3)] == ["0x5", "0x5", "0x6"]
    assert not first
    assert not second


def test_an_answer_of_a_node_that_is_behind_does_not_count(two):
    first, second, provider = two
    first += [at(5), None, at(6)]
    second += [at(4)]
    assert [provider.make_request("test_echo", [])["result"] for _ in range(2)] == ["0x5", "0x6"]
    assert not first
    assert not second


def test_a_batch_is_answered_by_one_node_and_nothing_is_added(two):
    first, _, provider = two
    first += [at(1)]
    assert [a["result"] for a in provider.make_batch_request([("test_echo", []), ("test_echo", [])])] == ["0x1"] * 2


def test_a_block_that_no_node_has_for_a_while_is_lost(two):
    first, second, provider = two
    first += [at(5), *[at(4)] * 20]
    second += [at(4)] * 20
    began = time.monotonic()
    assert [provider.make_request("test_echo", [])["result"] for _ in range(3)] == ["0x5", "0x4", "0x4"]
    assert time.monotonic() - began >= 0.3


def test_a_node_without_new_blocks_is_left(two, monkeypatch):
    monkeypatch.setattr(transport, "_STANDSTILL_SECONDS", 0.1)
    first, second, provider = two
    first += [at(5), at(5)]
    second += [at(5)]
    provider.make_request("test_echo", [])
    time.sleep(0.15)
    provider.make_request("test_echo", [])
    provider.make_request("test_echo", [])
    assert not second


def test_what_can_be_asked_for_in_parts_is_given_up_soon(node, monkeypatch):
    """A node that says it is too much, or takes too long for it; one that is away is waited for."""
    script, provider = node
    questions = [("eth_getLogs", [])]
    monkeypatch.setattr(transport, "_TRIES_AT_ONCE", 2)
    for answers in ([(413, b"too large")], [(429, b"slow down")] * 2):
        script[:] = answers
        with pytest.raises(NotAnsweredError):
            provider.make_batch_request(questions, is_divisible=True)
        assert not script
    script[:] = [(429, b"slow down"), (503, b"busy"), None, good]
    assert provider.make_batch_request(questions, is_divisible=True)
    script[:] = [(429, b"slow down")] * 3 + [good]
    assert provider.make_batch_request(questions)
