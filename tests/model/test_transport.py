"""A node that refuses, is late, or answers rubbish is asked again, and one that forbids is not."""

import json
import logging
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from dem import transport
from dem.errors import ChainError
from dem.transport import PatientProvider

Answer = tuple[int, bytes] | None
"""HTTP state and body; None cuts the connection."""


@pytest.fixture
def node() -> Iterator[tuple[list[Answer | Callable[[bytes], Answer]], PatientProvider]]:
    """A node that gives these answers one after the other, and whoever asks it."""
    script: list[Answer | Callable[[bytes], Answer]] = []

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
    yield script, PatientProvider(f"http://127.0.0.1:{server.server_port}", {})
    server.shutdown()
    server.server_close()


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
        PatientProvider("http://127.0.0.1:9", {}).make_request("test_echo", [])
