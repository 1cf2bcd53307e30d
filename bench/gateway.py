"""A gateway under load: sheets from accepted to in a block, reads and open streams, beside a bare relayer.

python bench/gateway.py      writes bench/gateway.json and bench/gateway.md

One anvil, `index --follow`, `gateway` and what asks them share the machine.
"""

import asyncio
import json
import math
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import ape
import uvloop
from eth_account import Account
from eth_account.messages import encode_defunct
from host import Node, anvil, family, free_port, machine, processor_seconds, shared_memory_mb
from throughput import ALONE, DAY, PERIODS, STRIPS, measure, order, set_up

from dem.chain.connection import Chain
from dem.community.keys import Wallet, wallet
from dem.gateway.protocol import Envelope, seal
from dem.messages.orders import OrderSheet
from dem.messages.signed import Received
from dem.messages.signing import Domain, sign
from dem.model.mechanisms import AUCTION
from dem.model.orders import lines_of

HERE = Path(__file__).resolve().parent

PARTICIPANTS = 500
"""Each listens to a stream of its own, and signs a sheet for every layer."""
FLAGS = ("--block-time", "1", "--gas-limit", "30000000")
SECONDS = 50
SHEETS_A_SECOND, READS_A_SECOND = 20, 200
READERS, SENDERS = 32, 8
"""Connections that are kept open."""
END_SECONDS = 30
OPENING_SECONDS = 35
"""A gateway holds sheets for so long after the opening, for the chain's clock may be behind."""
GOALS = {"sheets_a_minute": 1_000, "streams": 500, "reads_a_second": 200, "read_p95_ms": 50, "memory_mb": 400}

INTRODUCTION = """# A gateway under load

{participants} members listen to a gateway, each by a stream of its own. They bring signed sheets of 96 orders,
{sheets_a_second} a second over {seconds} s, while others read {reads_a_second} times a second. Then they bring {burst}
more as fast as the gateway takes them. The node seals a block a second
(`{command}`). Node, `index --follow`, gateway and what asks them share the
machine. In the same run, and before it, a bare relayer brings {alone} sheets, each in a transaction of its own, as the
gateway does.

*In a block after* is the time from a sheet's first byte to the gateway until the member's stream tells that it is in a
block. A read's time runs from when it was due, whether a connection was free then or not. Reads are, in turn: {reads}.
Every order is a new one in storage never used before. Every message is counted on the chain at last, and the benchmark
fails if one is missing.

Written by `make bench-gateway` on {machine}; {versions}.

| | goal | measured |
|---|--:|--:|
"""


@dataclass
class Line:
    """A connection to the gateway that is kept open."""

    port: int
    reader: asyncio.StreamReader = field(init=False)
    writer: asyncio.StreamWriter = field(init=False)

    async def open(self) -> "Line":
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        return self

    def write(self, method: str, path: str, token: str, body: bytes) -> None:
        login = f"Authorization: Bearer {token}\r\n" if token else ""
        more = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body else ""
        self.writer.write(f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{login}{more}\r\n".encode() + body)

    async def head(self) -> tuple[int, int]:
        """Status, and how long the body is."""
        lines = (await self.reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
        length = next((int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:")), 0)
        return int(lines[0].split()[1]), length

    async def ask(self, method: str, path: str, token: str = "", body: bytes = b"") -> Any:
        self.write(method, path, token, body)
        status, length = await self.head()
        answer = await self.reader.readexactly(length)
        if status >= 300:
            sys.exit(f"{method} {path}: {status} {answer.decode()}")
        return json.loads(answer)


@dataclass
class Member:
    """A participant with its number and its token, and the sheets that it has signed."""

    number: int
    own: Wallet
    envelopes: list[Envelope]
    token: str = ""

    async def log_in(self, line: Line) -> None:
        text = (await line.ask("GET", f"/v1/login?account={self.own.account}"))["message"]
        signature = Account.sign_message(encode_defunct(text=text), self.own.account_key).signature
        login = {"message": text, "signature": f"0x{bytes(signature).hex()}"}
        found = await line.ask("POST", "/v1/login", body=json.dumps(login).encode())
        self.token, self.number = found["token"], found["participant"]


@dataclass
class Seen:
    """When messages were brought, and when streams told of them."""

    sent: dict[str, float] = field(default_factory=dict)
    answered: list[float] = field(default_factory=list)
    landed: dict[str, float] = field(default_factory=dict)
    refused: list[Any] = field(default_factory=list)
    reads: list[float] = field(default_factory=list)

    async def listen(self, port: int, member: Member) -> None:
        line = await Line(port).open()
        line.write("GET", "/v1/events", member.token, b"")
        await line.head()
        while told := await line.reader.readline():
            if told.startswith(b"data: ") and b'"state"' in told:
                event = json.loads(told.removeprefix(b"data: "))
                if event["state"] == "in_block":
                    self.landed.setdefault(event["id"], time.monotonic())
                elif event["state"] == "refused":
                    self.refused.append(event)

    async def bring(self, line: Line, envelope: Envelope) -> None:
        body = envelope.model_dump_json().encode()
        self.sent[envelope.id] = began = time.monotonic()
        await line.ask("POST", "/v1/messages", body=body)
        self.answered.append(time.monotonic() - began)

    async def read(self, lines: "asyncio.Queue[Line]", due: float, path: str, token: str) -> None:
        line = await lines.get()
        await line.ask("GET", path, token)
        self.reads.append(time.monotonic() - due)
        lines.put_nowait(line)

    async def until_landed(self, ids: Sequence[str]) -> float:
        """When the last of them was in a block."""
        while any(id_ not in self.landed for id_ in ids):
            if self.refused:
                sys.exit(f"refused: {self.refused[0]}")
            await asyncio.sleep(0.05)
        return max(self.landed[id_] for id_ in ids)


def paths(members: Sequence[Member], seen: Seen) -> Iterator[tuple[str, str]]:
    """What is read, by whom; of messages the last one of those that are in a block."""
    tokens = {envelope.id: member.token for member in members for envelope in member.envelopes}
    for turn in count():
        member = members[turn % len(members)]
        kinds = (
            f"/v1/members/{member.number}/orders?day={DAY}",
            f"/v1/members/{member.number}",
            "/v1/days?most=10",
            f"/v1/prices?day={DAY}",
            "/v1/messages",
        )
        path, token = kinds[turn % len(kinds)], member.token
        if path == "/v1/messages":
            id_ = next(reversed(seen.landed), None)
            path, token = ("/v1/me", token) if id_ is None else (f"{path}/{id_}", tokens[id_])
        yield path, token


async def at_rate(rate: float, seconds: float) -> Any:
    """Moments at which something is due."""
    began = time.monotonic()
    for turn in range(int(rate * seconds)):
        due = began + turn / rate
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        yield due


async def play(port: int, members: Sequence[Member], opens: float, processes: dict[str, int]) -> dict[str, Any]:
    """All the load; what it came to."""
    seen, own = Seen(), Line(port)
    await own.open()
    for member in members:
        await member.log_in(own)
    listening = [asyncio.create_task(seen.listen(port, member)) for member in members]
    print(f"{len(listening)} streams are open", flush=True)
    await asyncio.sleep(max(0.0, opens + OPENING_SECONDS - time.time()))
    lines: asyncio.Queue[Line] = asyncio.Queue()
    senders: asyncio.Queue[Line] = asyncio.Queue()
    for queue, many in ((lines, READERS), (senders, SENDERS)):
        for _ in range(many):
            queue.put_nowait(await Line(port).open())

    async def bring(envelope: Envelope) -> None:
        line = await senders.get()
        await seen.bring(line, envelope)
        senders.put_nowait(line)

    async def bring_steadily(envelopes: Sequence[Envelope]) -> None:
        waiting, tasks = iter(envelopes), []
        async for _ in at_rate(SHEETS_A_SECOND, SECONDS):
            tasks.append(asyncio.create_task(bring(next(waiting))))
        await asyncio.gather(*tasks)

    async def read_steadily() -> None:
        asked, tasks = paths(members, seen), []
        async for due in at_rate(READS_A_SECOND, SECONDS):
            tasks.append(asyncio.create_task(seen.read(lines, due, *next(asked))))
        await asyncio.gather(*tasks)

    envelopes = [envelope for layer in zip(*(m.envelopes for m in members), strict=True) for envelope in layer]
    steady, burst = envelopes[: SHEETS_A_SECOND * SECONDS], envelopes[SHEETS_A_SECOND * SECONDS :]
    # What the reads ask for is there before they begin.
    busy = {name: busy_seconds(pid) for name, pid in processes.items()}
    began = time.monotonic()
    await asyncio.gather(bring_steadily(steady), read_steadily())
    ended = await seen.until_landed([envelope.id for envelope in steady])
    passed = ended - began
    cores = {name: round((busy_seconds(pid) - busy[name]) / passed, 2) for name, pid in processes.items()}
    measured: dict[str, Any] = {
        "sheets": len(steady),
        "seconds": round(passed, 1),
        "sheets_a_minute": int(60 * len(steady) / passed),
        "taken_ms": quantiles(seen.answered),
        "in_block_ms": quantiles([seen.landed[e.id] - seen.sent[e.id] for e in steady]),
        "reads": len(seen.reads),
        "reads_a_second": round(len(seen.reads) / SECONDS),
        "read_ms": quantiles(seen.reads),
        "cores": cores,
    }
    print(measured, flush=True)
    began = time.monotonic()
    await asyncio.gather(*map(bring, burst))
    passed = await seen.until_landed([envelope.id for envelope in burst]) - began
    measured["memory_mb"] = shared_memory_mb(family(processes["gateway"]))
    measured["burst"] = {"sheets": len(burst), "seconds": round(passed, 1), "a_minute": int(60 * len(burst) / passed)}
    print(measured["burst"], flush=True)
    open_ = sum(not task.done() for task in listening)
    for task in listening:
        task.cancel()
    return measured | {"streams": open_}


def busy_seconds(pid: int) -> float:
    """Of a process and those that it has started."""
    return sum(map(processor_seconds, family(pid)))


def quantiles(values: Sequence[float]) -> dict[str, float]:
    """In milliseconds."""
    ordered = sorted(values)
    p95, p99 = (ordered[math.ceil(share * len(ordered)) - 1] for share in (0.95, 0.99))
    named = {"p50": statistics.median(ordered), "p95": p95, "p99": p99, "most": ordered[-1]}
    return {name: round(1_000 * value, 1) for name, value in named.items()}


def sheet(number: int, own: Wallet, layer: int) -> OrderSheet:
    """With an order for every period, in lines of its own."""
    words = lines_of([order(number, layer, slot) for slot in range(PERIODS)], DAY, PERIODS)
    lines = range(layer * STRIPS, (layer + 1) * STRIPS)
    return OrderSheet(own.account, DAY, lines.start, layer + 1, tuple(words[line] for line in lines))


@contextmanager
def process(*words: str | Path) -> Iterator[subprocess.Popen[bytes]]:
    """A command of the package while it is needed."""
    started = subprocess.Popen([Path(sys.executable).with_name("dem"), *words], stdout=subprocess.DEVNULL)
    try:
        yield started
    finally:
        started.terminate()
        started.wait(END_SECONDS)


def serve(stack: ExitStack, folder: Path, node: Node) -> tuple[int, dict[str, int]]:
    """Index and gateway; the gateway's port, and the processes by name."""
    network, index = ("--network", node.network), folder / "index.sqlite"
    following = stack.enter_context(process("index", folder, "--follow", *network))
    while not index.exists():
        time.sleep(0.2)
    port, limits = free_port(), {"requests_per_minute": 10**6, "messages_per_minute": 10**6, "logins_per_minute": 10**6}
    lines = [f'folder = "{folder}"', f"port = {port}", "[limits]", *(f"{key} = {n}" for key, n in limits.items())]
    settings = folder / "gateway.toml"
    settings.write_text("\n".join([*lines, f"streams = {PARTICIPANTS}"]) + "\n", encoding="utf-8")
    serving = stack.enter_context(process("gateway", "--config", settings, *network))
    return port, {"gateway": serving.pid, "index": following.pid, "node": node.pid}


async def await_answer(port: int) -> None:
    while True:
        try:
            await (await Line(port).open()).ask("GET", "/v1/market")
        except (ConnectionError, asyncio.IncompleteReadError):
            await asyncio.sleep(0.2)
        else:
            return


def report(record: dict[str, Any]) -> str:
    words = {
        "versions": ", ".join(f"{name} {number}" for name, number in record["versions"].items()),
        "burst": record["gateway"]["burst"]["sheets"],
        "alone": record["relayer"]["sheets"],
    }
    got, text = record["gateway"], INTRODUCTION.format(**record | words)

    def row(what: str, goal: object, found: object) -> str:
        told = f"**{found:,}**" if isinstance(found, int | float) else f"{found}"
        return f"| {what} | {goal if isinstance(goal, str) else f'{goal:,}'} | {told} |\n"

    def times(of: str) -> str:
        return ", ".join(f"{got[of][name]:,.0f}" for name in ("p50", "p95", "p99", "most"))

    text += row(
        "sheets of 96 orders a minute, from accepted to in a block", GOALS["sheets_a_minute"], got["sheets_a_minute"]
    )
    text += row("open streams", GOALS["streams"], got["streams"])
    text += row("reads a second", GOALS["reads_a_second"], got["reads_a_second"])
    text += row("a read, 95 %, ms", f"below {GOALS['read_p95_ms']}", got["read_ms"]["p95"])
    text += row("memory of the gateway, with all streams open, MB", f"at most {GOALS['memory_mb']}", got["memory_mb"])
    text += row("a read, median, 95 %, 99 %, longest, ms", "", times("read_ms"))
    text += row("a sheet taken after, ms", "", times("taken_ms"))
    text += row("a sheet in a block after, ms", "", times("in_block_ms"))
    cores = ", ".join(f"{name} {busy}" for name, busy in got["cores"].items())
    text += row("cores kept busy", "", cores)
    text += row("as fast as the gateway takes them, without reads: sheets a minute", "", got["burst"]["a_minute"])
    text += row("a bare relayer: sheets a minute", "", record["relayer"]["a_minute"])
    return text


def main() -> None:
    wallets = [wallet("gateway", 0, f"member {number}") for number in range(PARTICIPANTS)]
    with ExitStack() as stack:
        node = stack.enter_context(anvil(*FLAGS))
        folder = Path(stack.enter_context(TemporaryDirectory()))
        stack.enter_context(ape.networks.parse_network_choice(node.network))
        relay = set_up(Chain.connected(), wallets, folder)
        print(f"{PARTICIPANTS} participants registered", flush=True)
        domain = relay.market.domain(AUCTION)
        signed = [[_signed(domain, n, own, layer) for layer in range(4)] for n, own in enumerate(wallets, start=1)]
        bare = measure(relay, [own[0] for own in signed], ALONE)
        relayer = {
            "sheets": PARTICIPANTS,
            "seconds": bare.seconds,
            "a_minute": int(60 * PARTICIPANTS / bare.seconds),
        }
        print(f"a bare relayer: {relayer}", flush=True)
        members = [
            Member(n, own, [seal(domain, one.message, one.signature) for one in sheets[1:]])
            for (n, own), sheets in zip(enumerate(wallets, start=1), signed, strict=True)
        ]
        port, processes = serve(stack, folder, node)
        uvloop.run(await_answer(port))
        opens = relay.market.calendar.opens_at(DAY)
        got = uvloop.run(play(port, members, opens, processes))
        relay.chain.wait_until(relay.chain.now() + 1)
        brought = sum(1 for event in relay.records.events(AUCTION, "SheetAccepted", DAY) if event)
        if brought != 4 * PARTICIPANTS:
            sys.exit(f"{brought} sheets are on the chain, not {4 * PARTICIPANTS}")
        record = {
            "machine": machine(),
            "versions": {"anvil": node.version, **{name: version(name) for name in ("fastapi", "uvicorn", "web3")}},
            "command": node.command,
            "participants": PARTICIPANTS,
            "seconds": SECONDS,
            "sheets_a_second": SHEETS_A_SECOND,
            "reads_a_second": READS_A_SECOND,
            "reads": "a member's orders of a day, a member, the last days, a message, the prices of a day",
            "relayer": relayer,
            "gateway": got,
        }
    (HERE / "gateway.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    (HERE / "gateway.md").write_text(report(record), encoding="utf-8")
    print(report(record))


def _signed(domain: Domain, number: int, own: Wallet, layer: int) -> Received[OrderSheet]:
    made = sheet(number, own, layer)
    return Received(made, sign(domain, made, own.account_key))


if __name__ == "__main__":
    main()
