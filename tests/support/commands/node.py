"""A local node of one's own, and a wire to it that can be cut together with whoever talks through it."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from typing import Any
from urllib.request import Request, urlopen

from eth_abi.abi import decode
from eth_account.typed_transactions import TypedTransaction
from eth_utils.abi import function_abi_to_4byte_selector
from hexbytes import HexBytes

from dem.chain.artifacts import current
from dem.model.mechanisms import AUCTION

CLOCK = ("evm_setNextBlockTimestamp", "evm_mine")
CHANGES = ("eth_sendRawTransaction", *CLOCK)
"""Requests that change the chain."""
Reply = tuple[int, bytes] | None
"""HTTP state and body; None for none."""
_START_SECONDS = 300.0


@dataclass(slots=True)
class Node:
    """A node that can be stopped and started again at its address."""

    flags: tuple[str, ...]
    state: Path | None = None
    """The file it keeps its chain in."""
    port: int = field(default_factory=lambda: _free_port())
    process: "subprocess.Popen[bytes]" = field(init=False)

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def processor_seconds(self) -> float:
        """What it has used of a processor. Linux only."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def start(self) -> None:
        """Start it and wait until it answers."""
        program = str(Path(sys.executable).with_name("anvil"))
        kept = ("--state", str(self.state)) if self.state else ()
        command = [program, "--silent", "--port", str(self.port), *kept, *self.flags]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _await(self.url)

    def end(self) -> None:
        """Let it end as it should: it keeps everything."""
        self.process.terminate()
        self.process.wait()

    def kill(self) -> None:
        """End it at once: it keeps what it had written last, which must be whole.

        anvil writes over the file, and while it seals a block it may write what the block did and not the block.
        """
        written = self._written()
        self.process.kill()
        self.process.wait()
        if self.state is not None and written is not None:
            self.state.write_bytes(written)

    def _written(self) -> bytes | None:
        while self.state is not None and self.state.exists():
            written = self.state.read_bytes()
            with suppress(ValueError):
                if _has_its_blocks(json.loads(written)):
                    return written
            time.sleep(0.01)
        return None


def _has_its_blocks(chain: dict[str, Any]) -> bool:
    """Whether all that accounts have sent is in its blocks."""
    people = [account for account in chain["accounts"].values() if account["code"] == "0x"]
    return sum(account["nonce"] for account in people) == len(chain["transactions"])


@contextmanager
def restartable(*flags: str, state: Path | None = None) -> Iterator[Node]:
    """A fresh node."""
    node = Node(flags, state)
    node.start()
    try:
        yield node
    finally:
        node.kill()


@contextmanager
def anvil() -> Iterator[str]:
    """The address of a fresh node."""
    with restartable() as node:
        yield node.url


@dataclass(frozen=True, slots=True)
class Cut:
    """When to cut the wire: at a change of this kind, once there were so many of them; heard by the node or not."""

    what: str
    earlier: int
    heard: bool


@dataclass(slots=True)
class Wire:
    """Passes requests on to a node and keeps what they changed. kill: ends the process at either end."""

    url: str
    changes: list[str] = field(default_factory=list)
    cut: Cut | None = None
    kill: Callable[[], None] = lambda: None
    disturb: Callable[[bytes, Callable[[bytes], bytes | None]], Reply] | None = None
    """What becomes of a request, which it may pass on, in place of the node's answer."""
    _lock: Lock = field(default_factory=Lock)

    def arm(self, cut: Cut, kill: Callable[[], None]) -> None:
        """Kill at this point."""
        self.kill, self.cut = kill, cut

    def reply(self, body: bytes) -> Reply:
        """State and body of the answer; None if the wire was cut, or leads to nobody."""
        try:
            if self.disturb is not None:
                return self.disturb(body, self.pass_on)
            answer = self.pass_on(body)
        except OSError:
            return None
        return None if answer is None else (200, answer)

    def pass_on(self, body: bytes) -> bytes | None:
        """The node's answer; None if the wire was cut. What changes the chain reaches the node one by one."""
        request = json.loads(body)
        messages = request if isinstance(request, list) else [request]
        if not any(message["method"] in CHANGES for message in messages):
            return _ask(self.url, body)
        answers = []
        with self._lock:
            for message in messages:
                answer = self._change(message)
                if answer is None:
                    return None
                answers.append(answer)
        return b"[" + b",".join(answers) + b"]" if isinstance(request, list) else answers[0]

    def _change(self, message: dict[str, Any]) -> bytes | None:
        what = _what(message)
        cut = self.cut
        due = cut is not None and cut.what == what and cut.earlier <= self.changes.count(what)
        if not due or cut.heard:
            answer = _ask(self.url, json.dumps(message).encode())
            self.changes.append(what)
        if not due:
            return answer
        self.cut = None
        self.kill()
        return None


@contextmanager
def wire_to(url: str) -> Iterator[tuple[Wire, str]]:
    """A wire, and the address of its near end."""
    wire = Wire(url)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body at once: the far end would wait 40 ms for the second packet

        def do_POST(self) -> None:
            reply = wire.reply(self.rfile.read(int(self.headers["Content-Length"])))
            if reply is None:
                self.close_connection = True
                return
            status, answer = reply
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            """Nothing on the terminal."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield wire, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _what(message: dict[str, Any]) -> str:
    """What a change does: contract and function, the first one of a multicall."""
    if message["method"] in CLOCK:
        return "clock"
    transaction = TypedTransaction.from_bytes(HexBytes(message["params"][0])).as_dict()
    if not transaction["to"]:
        return "deploy"
    data = bytes(transaction["data"])
    if _functions()[data[:4]].endswith(".multicall"):
        data = decode(["bytes[]"], data[4:])[0][0]
    return _functions()[data[:4]]


@cache
def _functions() -> dict[bytes, str]:
    """Functions of the compiled contracts by selector; those that several markets have are the auction's."""
    return {
        bytes(function_abi_to_4byte_selector(entry)): f"{artifact.name}.{entry['name']}"
        for artifact in sorted(current().values(), key=lambda own: own.name == AUCTION)
        for entry in artifact.abi
        if entry["type"] == "function" and artifact.bytecode
    }


def _ask(url: str, body: bytes) -> bytes:
    with urlopen(Request(url, body, {"Content-Type": "application/json"})) as answer:
        return bytes(answer.read())


def _await(url: str) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            _ask(url, json.dumps({"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []}).encode())
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
