"""Accepted orders a second, and seconds until an order is in a block, on the network of four nodes and on one anvil.

python bench/network.py [GAS_LIMIT]      writes bench/network.json and bench/network.md

The gas limit of a block is that of devnet/network.toml unless another one is given; both chains have the same.
"""

import json
import math
import random
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Any

import ape
from eth_utils.crypto import keccak
from host import Node, anvil, machine, memory_mb, processor_seconds
from throughput import ALONE, DAY, RELAYED, SHEETS, blocks, day_sheets, measure, persisting, set_up, single_orders
from web3 import HTTPProvider, Web3
from web3.types import RPCResponse

from dem.chain.connection import Chain
from dem.chain.sending import Request
from dem.community.keys import wallet
from dem.devnet.config import NetworkConfig, read_network
from dem.devnet.network import Network
from dem.messages.signed import Received
from dem.messages.signing import sign
from dem.model.mechanisms import AUCTION
from dem.relay.orders import submit_orders

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent

NETWORK, ANVIL = "four nodes, Clique", "one anvil"
PARTICIPANTS = {NETWORK: 500, ANVIL: 200}
"""Enough for about a minute of blocks on the network; anvil shows in less time what it does."""
SINGLY = "one order at a time"
WAYS = {SHEETS: range(0), ALONE: range(1, 3), RELAYED: range(3, 4)}
"""Layers that single orders are written to, so that none takes the place of another one; day sheets have the first."""
SAMPLES = 30
POLL_SECONDS = 0.02

INTRODUCTION = """# Four nodes beside one

Participants send orders for one day to a market on the network of
[docs/guide/network.md](../docs/guide/network.md) (four nodes of {geth}, Clique, a block every {period} s,
{gas_limit:,} gas a block) and on one node (`{command}`).
Driver and nodes share the machine. Orders and time are those of [throughput.md](throughput.md); every order is a new
one in storage never used before. {network_participants} participants order on the network, {anvil_participants} on
anvil.

*In a block after* is the time from handing an order's transaction to a node until that node has the block with it,
*final after* until that block has {depth} on top (anvil's stays). Orders that are sent together wait for those
before them; those sent one at a time, {samples} on each chain at random moments, wait for a block alone.
The node is asked for its newest block every {poll} ms.

Written by `make bench-network` on {machine}; {versions}.

| | {heads} | ratio |
|---|--:|--:|--:|
"""


@dataclass(frozen=True)
class Seconds:
    """How long something took, by quantile."""

    p50: float
    p95: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Seconds":
        ordered = sorted(values)
        p95 = ordered[math.ceil(0.95 * len(ordered)) - 1]
        return cls(*(round(value, 2) for value in (statistics.median(ordered), p95, ordered[-1])))


class Watch:
    """Notes when the driver hands transactions to a node, and when that node has which block."""

    def __init__(self, chain: Chain, url: str) -> None:
        self._chain, self._ask = chain, chain.ask
        self._url = url
        self._handed: dict[str, float] = {}
        self._seen: dict[int, float] = {}
        self._is_over = Event()

    @contextmanager
    def watching(self) -> Iterator[None]:
        self._chain.ask = self._noting
        watcher = Thread(target=self._look)
        watcher.start()
        try:
            yield
        finally:
            self._is_over.set()
            watcher.join()
            self._chain.ask = self._ask

    def _noting(self, requests: Sequence[Request], is_divisible: bool = False) -> list[RPCResponse]:
        now = time.monotonic()
        for method, params in requests:
            if method == "eth_sendRawTransaction":
                self._handed.setdefault(f"0x{keccak(hexstr=params[0]).hex()}", now)
        return self._ask(requests, is_divisible)

    def _look(self) -> None:
        eth = Web3(HTTPProvider(self._url)).eth
        known = eth.block_number
        while not self._is_over.wait(POLL_SECONDS):
            newest, now = eth.block_number, time.monotonic()
            for number in range(known + 1, newest + 1):
                self._seen.setdefault(number, now)
            known = max(known, newest)

    def until(self, depth: int) -> Seconds:
        """From handing over each transaction until its block had so many on top."""
        first, last = min(self._seen), max(self._seen) - depth
        taken = [
            self._seen[number + depth] - self._handed[hash_]
            for number, block in enumerate(blocks(self._chain, first, last), start=first)
            for hash_ in block["transactions"]
            if hash_ in self._handed
        ]
        if len(taken) != len(self._handed):
            sys.exit(f"{len(taken)} of {len(self._handed)} transactions are in the blocks that were watched")
        return Seconds.of(taken)


def play(url: str, network: str, pids: Sequence[int], participants: int, depth: int) -> dict[str, Any]:
    """All ways to bring orders to a chain: what each achieved."""
    slow = wallet("network", 0, "one at a time")
    wallets = [wallet("network", 0, f"member {number}") for number in range(participants)]
    keys = {own.account: own.account_key for own in (slow, *wallets)}
    measured: dict[str, Any] = {}
    with ape.networks.parse_network_choice(network), TemporaryDirectory() as folder:
        chain = Chain.connected()
        relay = set_up(chain, [slow, *wallets], Path(folder))
        print(f"{network}: {participants} participants registered", flush=True)
        domain = relay.market.domain(AUCTION)

        watch = Watch(chain, url)
        with watch.watching():
            for sheet in list(single_orders(1, slow, range(4)))[:SAMPLES]:
                time.sleep(random.random())
                signed = [Received(sheet, sign(domain, sheet, keys[sheet.participant]))]
                persisting(partial(submit_orders, relay, DAY, signed, alone=True))
            final = persisting(lambda: chain.block) + depth
            while persisting(lambda: chain.block) <= final:
                time.sleep(POLL_SECONDS)
        measured[SINGLY] = {"sealed": asdict(watch.until(0)), "final": asdict(watch.until(depth))}
        print(f"{SINGLY}: {measured[SINGLY]}", flush=True)

        for way, layers in WAYS.items():
            numbered = enumerate(wallets, start=1)
            make = partial(single_orders, layers=layers) if layers else day_sheets
            sheets = [sheet for number, own in numbered for sheet in make(number, own)]
            signed = [Received(sheet, sign(domain, sheet, keys[sheet.participant])) for sheet in sheets]
            watch, used, own = Watch(chain, url), list(map(processor_seconds, pids)), time.process_time()
            with watch.watching():
                got = measure(relay, signed, way)
            measured[way] = asdict(got) | {
                "transactions_per_second": round(got.transactions / got.seconds, 1),
                "million_gas_per_second": round(got.gas_per_order * got.orders / got.seconds / 1e6, 1),
                "sealed": asdict(watch.until(0)),
                "node_cores": round((sum(map(processor_seconds, pids)) - sum(used)) / got.seconds, 2),
                "driver_cores": round((time.process_time() - own) / got.seconds, 2),
            }
            print(f"{way}: {measured[way]}", flush=True)
    measured["nodes_peak_mb"] = sum(memory_mb(pid, peak=True) for pid in pids)
    return measured


def on_network(config: NetworkConfig) -> tuple[dict[str, Any], str]:
    """What the four nodes achieved, and their program."""
    with TemporaryDirectory() as folder:
        network = Network(config, Path(folder), PROJECT / ".geth" / "geth")
        try:
            network.start()
            node = network.nodes[0]
            pids = [own.pid for own in network.nodes if own.pid is not None]
            # As a development network, on which ape's test accounts act; anvil's clock can be set and this one's not.
            choice = f"ethereum:local:{node.url}"
            return play(node.url, choice, pids, PARTICIPANTS[NETWORK], config.finality_depth), node.ask(
                "web3_clientVersion"
            )
        finally:
            network.stop()


def on_anvil(config: NetworkConfig) -> tuple[dict[str, Any], Node]:
    """What anvil achieved."""
    with anvil("--block-time", str(config.period_seconds), "--gas-limit", str(config.gas_limit)) as node:
        url = f"http://127.0.0.1:{node.port}"
        return play(url, node.network, [node.pid], PARTICIPANTS[ANVIL], 0), node


def rows(measured: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Of the table: both chains, and what the network has of anvil's."""

    def row(what: str, path: Sequence[str], digits: int = 0, bold: bool = False, ratio: bool = True) -> str:
        values = []
        for chain in (NETWORK, ANVIL):
            value: Any = measured[chain]
            for key in path:
                value = value[key]
            values.append(value)
        mark = "**" if bold else ""
        cells = " | ".join(f"{mark}{value:,.{digits}f}{mark}" for value in values)
        return f"| {what} | {cells} | {f'{values[0] / values[1]:.2f}' if ratio else ''} |"

    quantiles = {"p50": "median", "p95": "95 %", "most": "longest"}
    for way in WAYS:
        yield f"| *{way}* | | | |"
        yield row("orders", (way, "orders"), ratio=False)
        yield row("seconds", (way, "seconds"), 1, ratio=False)
        yield row("accepted orders a second", (way, "per_second"), bold=True)
        yield row("transactions a second that the driver saw succeed", (way, "transactions_per_second"), 1)
        yield row("million gas a second", (way, "million_gas_per_second"), 1)
        yield row("gas an order", (way, "gas_per_order"))
        for key, name in quantiles.items():
            yield row(f"in a block after, {name}, s", (way, "sealed", key), 2)
        yield row("cores that the nodes kept busy", (way, "node_cores"), 2)
        yield row("cores that the driver kept busy", (way, "driver_cores"), 2)
    yield f"| *{SINGLY}* | | | |"
    for kind, words in (("sealed", "in a block after"), ("final", "final after")):
        for key, name in quantiles.items():
            yield row(f"{words}, {name}, s", (SINGLY, kind, key), 2, bold=key == "p50")
    yield "| | | | |"
    yield row("memory of all nodes, MB", ("nodes_peak_mb",))


def main() -> None:
    config = read_network(PROJECT / "devnet" / "network.toml").on_free_ports()
    if len(sys.argv) > 1:
        config = config.model_copy(update={"gas_limit": int(sys.argv[1])})
    network, geth = on_network(config)
    one, node = on_anvil(config)
    measured = {NETWORK: network, ANVIL: one}
    versions = {"anvil": node.version, **{name: version(name) for name in ("web3", "eth-ape")}}
    record = {
        "machine": machine(),
        "versions": versions,
        "geth": geth,
        "command": node.command,
        "period": config.period_seconds,
        "gas_limit": config.gas_limit,
        "depth": config.finality_depth,
        "samples": SAMPLES,
        "participants": PARTICIPANTS,
        "measured": measured,
    }
    words = {
        "versions": ", ".join(f"{name} {number}" for name, number in versions.items()),
        "network_participants": PARTICIPANTS[NETWORK],
        "anvil_participants": PARTICIPANTS[ANVIL],
        "poll": int(1000 * POLL_SECONDS),
        "heads": f"{NETWORK} | {ANVIL}",
        "geth": geth.split("-")[0],
    }
    text = INTRODUCTION.format(**record | words) + "\n".join(rows(measured)) + "\n"
    (HERE / "network.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    (HERE / "network.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
