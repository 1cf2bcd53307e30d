"""Many feeders on one chain, each a market of its own: what one of them costs while there are 1, 10 and 100.

python bench/growing.py      writes bench/growing.json and bench/growing.md

Each feeder has its own contracts. All of them bring orders; then one plays its whole day, and its index is made.
"""

import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import ape
from host import FLAGS as LEAN
from host import Node, anvil, machine, processor_seconds
from throughput import PERIODS, RULES, applicant, day_sheets

from dem.chain.connection import Chain
from dem.chain.sending import Request
from dem.community.keys import wallet
from dem.deployment.market import ADMIN, MANIFEST, deploy, role_keys
from dem.deployment.plan import Offices, Parameters
from dem.index.service import index
from dem.messages.readings import ReadingSheet, Register, pack_registers
from dem.messages.signed import Received
from dem.messages.signing import Domain, sign
from dem.model.calendar import CalendarParameters
from dem.model.mechanisms import AUCTION
from dem.model.units import Wh
from dem.relay.batches import Relay
from dem.relay.clearing import clear
from dem.relay.members import register
from dem.relay.orders import submit_orders
from dem.relay.readings import close_metering, push_readings
from dem.relay.settlement import settle

HERE = Path(__file__).resolve().parent

FEEDERS = (1, 10, 100)
TOWN, OTHERS = 1_500, 24
"""Members of the feeder that is measured, and of each of the others."""
FLAGS = (*LEAN, "--gas-limit", "30000000")
BLOCK_GAS, DAY_SECONDS = 30_000_000, 86_400
DAY, HOUR = 1, 3_600
SETUP_SECONDS = 4 * HOUR
"""Until the auction opens: each transaction makes a block of a second."""
PHASES = ("orders", "clearing", "readings", "settlement")
MOST_GROWTH = 1.02
"""Of what one feeder costs, from one feeder to a hundred."""
_DEPTH = 1
"""So that the index reads all blocks but the newest as final, as it does where a market is older than an hour."""

INTRODUCTION = """# Many feeders on one chain

Each feeder is a market of its own, with its own contracts, on one chain
(`{command}`). One has {town:,} members, each of the others {others}. First
all feeders bring a sheet of 96 orders of each member. Then the first one plays the rest of its day: clearing, readings
and settlement; and its index is made from nothing. Everything is counted for that feeder alone, on storage never used
before.

Written by `make bench-growing` on {machine}; {versions}.

| of one feeder, while there are | {heads} |
|---|{lines}
"""


@dataclass
class Counted:
    """What was asked of the node."""

    requests: int = 0
    answered: int = 0


@contextmanager
def counting(chain: Chain) -> Iterator[Counted]:
    """Requests and bytes of answers meanwhile."""
    counted, ask = Counted(), chain.ask

    def asking(requests: Sequence[Request], is_divisible: bool = False) -> Any:
        answers = ask(requests, is_divisible)
        counted.requests += len(requests)
        counted.answered += sum(len(str(answer.get("result"))) for answer in answers)
        return answers

    chain.ask = asking  # type: ignore[method-assign]
    try:
        yield counted
    finally:
        chain.ask = ask  # type: ignore[method-assign]


class Feeder:
    """One market, its members and its relay."""

    def __init__(self, chain: Chain, number: int, members: int, folder: Path, opening: int) -> None:
        self.wallets = [wallet("growing", number, f"member {n}") for n in range(members)]
        own = {name: wallet("growing", number, name) for name in ("supplier", "operator", "grid")}
        offices = Offices(*(one.account for one in own.values()), own["grid"].meter)
        calendar = CalendarParameters(opening, 900, PERIODS, DAY_SECONDS, 1, DAY_SECONDS, 2 * DAY_SECONDS)
        keys, self.manifest = role_keys(chain, None), folder / f"{number}" / MANIFEST
        self.manifest.parent.mkdir()
        parameters = Parameters(keys[ADMIN].address, calendar, RULES, offices)
        self.relay = Relay(deploy(chain, keys, parameters, self.manifest))
        domain = self.relay.market.domain("ParticipantRegistry")
        register(self.relay, [applicant(domain, one) for one in self.wallets])

    def _signed(self, contract: str, own: Sequence[tuple[Any, bytes]]) -> list[Received[Any]]:
        domain: Domain = self.relay.market.domain(contract)
        return [Received(message, sign(domain, message, key)) for message, key in own]

    def bring_orders(self) -> None:
        numbered = enumerate(self.wallets, start=1)
        sheets = [(sheet, own.account_key) for n, own in numbered for sheet in day_sheets(n, own)]
        submit_orders(self.relay, DAY, self._signed(AUCTION, sheets))

    def clear(self) -> None:
        clear(self.relay, DAY)

    def bring_readings(self) -> None:
        registers = pack_registers([Register(Wh(100 * n), Wh(0)) for n in range(PERIODS + 1)])
        own = [(ReadingSheet(one.meter, DAY, 0, 1, registers), one.meter_key) for one in self.wallets]
        ids = self.relay.records.ids_of(one.account for one in self.wallets)
        push_readings(self.relay, DAY, list(zip(ids, self._signed("MeterReadings", own), strict=True)))
        self.relay.chain.wait_until(self.relay.market.calendar.metering_deadline(DAY) + 1)
        close_metering(self.relay, DAY)

    def settle(self) -> None:
        settle(self.relay, DAY)


def measure(chain: Chain, node: Node, step: Callable[[], object]) -> dict[str, float]:
    """What a step of one feeder takes."""
    gas, transactions, busy = chain.gas_used, chain.transactions, processor_seconds(node.pid)
    began = time.process_time()
    with counting(chain) as counted:
        step()
    return {
        "gas": chain.gas_used - gas,
        "transactions": chain.transactions - transactions,
        "requests": counted.requests,
        "answered": counted.answered,
        "relayer_seconds": round(time.process_time() - began, 3),
        "node_seconds": round(processor_seconds(node.pid) - busy, 3),
    }


def play(count: int) -> tuple[dict[str, Any], Node]:
    """With so many feeders."""
    with ExitStack() as stack:
        node = stack.enter_context(anvil(*FLAGS))
        folder = Path(stack.enter_context(TemporaryDirectory()))
        stack.enter_context(ape.networks.parse_network_choice(node.network))
        chain = Chain.connected()
        opening = chain.now() + SETUP_SECONDS + DAY_SECONDS
        others = [Feeder(chain, number, OTHERS, folder, opening) for number in range(1, count)]
        one = Feeder(chain, 0, TOWN, folder, opening)
        calendar = one.relay.market.calendar
        chain.wait_until(calendar.opens_at(DAY))
        for feeder in others:
            feeder.bring_orders()
        found: dict[str, Any] = {"feeders": count, "orders": measure(chain, node, one.bring_orders)}
        chain.wait_until(calendar.gate_closes_at(DAY) + 1)
        found["clearing"] = measure(chain, node, one.clear)
        chain.wait_until(calendar.start_of(DAY + 1))
        found["readings"] = measure(chain, node, one.bring_readings)
        found["settlement"] = measure(chain, node, one.settle)
        found["blocks"] = chain.block
        path = folder / "index.sqlite"

        def make_index() -> None:
            [progress] = index(chain, one.manifest, path, _DEPTH, False, {})
            found["events"] = progress.events

        found["index"] = measure(chain, node, make_index)
        found["index_mb"] = round(path.stat().st_size / 1e6, 1)
        print(json.dumps(found), flush=True)
        return found, node


def rows(measured: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Of the table."""

    def row(what: str, values: Sequence[float], digits: int = 0) -> str:
        return f"| {what} | {' | '.join(f'{value:,.{digits}f}' for value in values)} |"

    for phase in PHASES:
        yield row(f"gas of {phase}", [m[phase]["gas"] for m in measured])
    yield row("transactions of the day", [sum(m[phase]["transactions"] for phase in PHASES) for m in measured])
    yield row("requests of its relayer", [sum(m[phase]["requests"] for phase in PHASES) for m in measured])
    yield row("kB of the answers", [sum(m[phase]["answered"] for phase in PHASES) / 1e3 for m in measured])
    seconds = [sum(m[phase]["relayer_seconds"] for phase in PHASES) for m in measured]
    yield row("its relayer's processor, s", seconds, 2)
    yield row("events in its index", [m["events"] for m in measured])
    yield row("requests of its index", [m["index"]["requests"] for m in measured])
    yield row("kB of the answers", [m["index"]["answered"] / 1e3 for m in measured])
    yield row("its index's processor, s", [m["index"]["relayer_seconds"] for m in measured], 2)
    yield row("its index, MB", [m["index_mb"] for m in measured], 1)
    yield row("blocks of the chain", [m["blocks"] for m in measured])


def loads(gas: float) -> Iterator[str]:
    """Of feeders of a town's size on one chain, by the gas of a member's day in bench/gas.json."""
    yield f"\n## Feeders of {TOWN:,} members\n"
    yield f"A member's day of {PERIODS} periods takes {gas / 1e3:,.0f} thousand gas in the steady state"
    yield "([gas.md](gas.md), 1,000 participants). A chain that seals a block of 30 million gas every second has this"
    yield "to do, and so has the network of [network.md](network.md), four nodes on two cores, which came to"
    yield f"{network_gas() / 1e6:.1f} million gas a second:\n"
    yield "| feeders | gas a day, million | share of what full blocks hold | minutes of full blocks | of that network |"
    yield "|--:|--:|--:|--:|--:|"
    for count in FEEDERS:
        whole = gas * TOWN * count
        share, full, there = whole / (BLOCK_GAS * DAY_SECONDS), whole / BLOCK_GAS / 60, whole / network_gas() / 60
        yield f"| {count} | {whole / 1e6:,.0f} | {100 * share:.2f} % | {full:,.1f} | {there:,.1f} |"


def network_gas() -> float:
    """A second, as measured."""
    measured = json.loads((HERE / "network.json").read_text(encoding="utf-8"))["measured"]
    found: float = measured["four nodes, Clique"]["single orders, a transaction each"]["million_gas_per_second"] * 1e6
    return found


def steady_gas() -> float:
    """Of a member's day, once its storage was used before."""
    day = json.loads((HERE / "gas.json").read_text(encoding="utf-8"))["1000"]["9"]
    return sum(day[part] for part in ("sheets", "clearing", "readings", "settlement", "day")) / 1_000


def require_level(measured: Sequence[dict[str, Any]]) -> None:
    """End the benchmark if what one feeder costs grows with the number of others.

    How many transactions a phase takes depends on when the first ones tell what they used.
    """
    first, last = measured[0], measured[-1]
    for phase in PHASES:
        before, after = first[phase]["gas"], last[phase]["gas"]
        if not math.isclose(before, after, rel_tol=MOST_GROWTH - 1):
            sys.exit(f"gas of {phase}: {before:,} with one feeder, {after:,} with many")
    if not math.isclose(first["index"]["answered"], last["index"]["answered"], rel_tol=MOST_GROWTH - 1):
        sys.exit("what the node tells an index grows with the number of feeders")


def main() -> None:
    measured, node = [], None
    for count in FEEDERS:
        found, node = play(count)
        measured.append(found)
    require_level(measured)
    assert node is not None
    versions = {"anvil": node.version, **{name: version(name) for name in ("web3", "eth-ape")}}
    write({"machine": machine(), "versions": versions, "command": node.command, "measured": measured})


def write(record: dict[str, Any]) -> None:
    """The record, and what it says."""
    record |= {"town": TOWN, "others": OTHERS, "steady_gas": steady_gas()}
    counts = [one["feeders"] for one in record["measured"]]
    words = {
        "versions": ", ".join(f"{name} {number}" for name, number in record["versions"].items()),
        "heads": " | ".join(f"{count} feeders" if count > 1 else "1 feeder" for count in counts),
        "lines": "--:|" * len(counts),
    }
    text = INTRODUCTION.format(**record | words) + "\n".join([*rows(record["measured"]), *loads(steady_gas())]) + "\n"
    (HERE / "growing.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    (HERE / "growing.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
