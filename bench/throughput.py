"""Accepted orders a second, through the driver, on a node that seals a block a second.

python bench/throughput.py [PARTICIPANTS]      writes bench/throughput.json and bench/throughput.md
"""

import json
import os
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import ape
from eth_utils.crypto import keccak
from host import anvil, machine, memory_mb
from web3.types import RPCEndpoint

from dem.chain.abi import as_int
from dem.chain.connection import Chain
from dem.community.keys import Wallet, wallet
from dem.deployment.market import ADMIN, MANIFEST, Market, deploy, role_keys
from dem.deployment.plan import Offices, Parameters
from dem.errors import BlocksLostError
from dem.messages.members import Application
from dem.messages.orders import OrderSheet
from dem.messages.signed import Received, Signed
from dem.messages.signing import Domain, sign
from dem.model.calendar import CalendarParameters
from dem.model.mechanisms import AUCTION
from dem.model.orders import Order, Side, lines_of
from dem.model.rules import ImbalancePricing, MarketRules
from dem.model.strips import LANES, strips_per_day, unpack
from dem.model.units import Money, Tick, UnitsPerWh, Wh
from dem.relay.batches import Relay
from dem.relay.members import Applicant, register
from dem.relay.orders import submit_orders
from dem.replay.members import KINDS

T = TypeVar("T")

HERE = Path(__file__).resolve().parent

PARTICIPANTS = 2_000
PERIODS = 96
STRIPS = strips_per_day(PERIODS)
FLAGS = ("--block-time", "1", "--gas-limit", "1000000000")
DAY = 1
DEPOSIT = Money(10**12)
ENERGY = Wh(1_000)
CAPACITY = Wh(1 << 20)
SHEETS, ALONE, RELAYED = (
    "day sheets of 96 orders",
    "single orders, a transaction each",
    "single orders, relayed in batches",
)
"""Ways to bring orders, in this order; each writes layers of its own."""

WINDOW = 86_400
SETUP_SECONDS = 80
"""For deployment, a block for each transaction, before the day opens."""
RULES = MarketRules(
    platform_fee=UnitsPerWh(10),
    network_fee=UnitsPerWh(10),
    deviation_rate=UnitsPerWh(10),
    standing_buy=UnitsPerWh(3_000),
    standing_sell=UnitsPerWh(0),
    max_buy=UnitsPerWh(4_000),
    tolerance_fixed=Wh(0),
    tolerance_share=0,
    min_order_energy=Wh(1),
    max_layers=4,
    imbalance_pricing=ImbalancePricing.SINGLE,
)

INTRODUCTION = """# Accepted orders a second

{participants:,} participants send orders for one day to a market on one node that seals a block every second
(`{command}`). Driver and node share the machine. Participants sign their sheets beforehand, as they would on their own
devices. The time runs from the driver's first question to the chain until the chain has told it that the last order is
in the book: what is missing is asked for, transactions are encoded, signed by the relayer and sent, the node checks,
executes and seals them, acceptance is read back (and for batches the receipts). Afterwards the orders in the events are
counted, and the benchmark fails if one is missing.

Every order is a new one in storage never used before, which is the dear case.

Written by `make bench-throughput` on {machine}; {versions}.

| | orders | seconds | accepted orders a second | in the median block | transactions | gas an order |
|---|--:|--:|--:|--:|--:|--:|
"""


@dataclass(frozen=True)
class Measured:
    """What one way to bring orders achieved."""

    orders: int
    seconds: float
    per_second: float
    median_block: int
    transactions: int
    gas_per_order: int


def set_up(chain: Chain, wallets: Sequence[Wallet], folder: Path) -> Relay:
    """A market whose day is open, with its members."""
    keys = role_keys(chain, None)
    calendar = CalendarParameters(chain.now() + SETUP_SECONDS + WINDOW, 900, PERIODS, WINDOW, 1, WINDOW, 2 * WINDOW)
    supplier, operator, grid = (wallet("throughput", 0, office) for office in ("supplier", "operator", "grid"))
    offices = Offices(supplier.account, operator.account, grid.account, grid.meter)
    parameters = Parameters(keys[ADMIN].address, calendar, RULES, offices)
    market: Market = persisting(partial(deploy, chain, keys, parameters, folder / MANIFEST))
    relay = Relay(market)
    domain = market.domain("ParticipantRegistry")
    persisting(partial(register, relay, [applicant(domain, own) for own in wallets]))
    chain.wait_until(calendar.opens_at(DAY))
    return relay


def persisting(step: Callable[[], T]) -> T:
    """What a step comes to; where the chain replaces blocks it is done again, and asks first what is left to do."""
    while True:
        with suppress(BlocksLostError):
            return step()


def applicant(domain: Domain, own: Wallet) -> Applicant:
    kind, nothing = KINDS.index("prosumer"), bytes(32)
    application = Application(own.account, own.meter, kind, CAPACITY, CAPACITY, nothing, nothing)
    signed = Received(application, sign(domain, application, own.account_key))
    return Applicant(signed, DEPOSIT, bytes(keccak(text=own.name)), Money(0))


def day_sheets(number: int, own: Wallet) -> Iterator[OrderSheet]:
    """A sheet with an order for every period."""
    orders = [order(number, 0, slot) for slot in range(PERIODS)]
    words = lines_of(orders, DAY, PERIODS)
    yield OrderSheet(own.account, DAY, 0, 1, tuple(words[line] for line in range(STRIPS)))


def single_orders(number: int, own: Wallet, layers: range) -> Iterator[OrderSheet]:
    """Sheets of one order each, in lines of their own."""
    for place in range(layers.start * STRIPS, layers.stop * STRIPS):
        layer, strip = divmod(place, STRIPS)
        [(line, word)] = lines_of([order(number, layer, strip * LANES)], DAY, PERIODS).items()
        yield OrderSheet(own.account, DAY, line, place + 1, (word,))


def order(number: int, layer: int, slot: int) -> Order:
    """Half of the participants buy, half sell, at limits that differ."""
    side = (Side.BID, Side.ASK)[number % 2]
    return Order(number, layer, slot, side, Tick(1 + (7 * number + 13 * slot) % 400), ENERGY)


def measure(relay: Relay, sheets: Sequence[Signed[OrderSheet]], way: str) -> Measured:
    chain = relay.chain
    first, transactions = persisting(lambda: chain.block) + 1, chain.transactions
    began = time.monotonic()
    persisting(partial(submit_orders, relay, DAY, sheets, alone=way == ALONE))
    seconds = time.monotonic() - began
    gas, by_block = persisting(partial(accepted, relay, first))
    orders = by_block.total()
    if orders != sum(orders_in(sheet.message.lines) for sheet in sheets):
        sys.exit(f"{way}: {orders} orders were accepted, not those that were sent")
    return Measured(
        orders=orders,
        seconds=round(seconds, 2),
        per_second=int(orders / seconds),
        median_block=int(statistics.median(by_block.values())),
        transactions=chain.transactions - transactions,
        gas_per_order=gas // orders,
    )


def accepted(relay: Relay, first: int) -> tuple[int, Counter[int]]:
    """Gas of the blocks from one on, and how many orders each accepted."""
    chain, by_block = relay.chain, Counter[int]()
    last = chain.block
    gas = sum(as_int(block["gasUsed"]) for block in blocks(chain, first, last))
    for event in relay.records.events_between(first, last):
        if event.name == "SheetAccepted":
            by_block[event.block] += orders_in(event.args["lines"])
    return gas, by_block


def blocks(chain: Chain, first: int, last: int) -> Iterator[dict[str, Any]]:
    """Blocks as the node tells of them, with the hashes of their transactions."""
    for number in range(first, last + 1):
        [answer] = chain.ask([(RPCEndpoint("eth_getBlockByNumber"), [hex(number), False])])
        yield answer["result"]


def orders_in(lines: Sequence[int | bytes]) -> int:
    """Lanes in use."""
    words = (line if isinstance(line, int) else int.from_bytes(line, "big") for line in lines)
    return sum(1 for word in words for lane in unpack(word)[1] if lane)


def report(record: dict[str, Any]) -> str:
    text = INTRODUCTION.format(**record | {"versions": ", ".join(f"{k} {v}" for k, v in record["versions"].items())})
    for way, m in record["measured"].items():
        text += (
            f"| {way} | {m['orders']:,} | {m['seconds']:.1f} | **{m['per_second']:,}** | {m['median_block']:,} "
            f"| {m['transactions']:,} | {m['gas_per_order']:,} |\n"
        )
    return text + "\nThe driver took at most {driver_peak_mb:,} MB, the node {node_peak_mb:,} MB.\n".format(**record)


def main() -> None:
    participants = int(sys.argv[1]) if len(sys.argv) > 1 else PARTICIPANTS
    wallets = [wallet("throughput", 0, f"member {number}") for number in range(participants)]
    measured = {}
    with anvil(*FLAGS) as node, ape.networks.parse_network_choice(node.network), TemporaryDirectory() as folder:
        relay = set_up(Chain.connected(), wallets, Path(folder))
        print(f"{participants:,} participants registered", flush=True)
        domain = relay.market.domain(AUCTION)
        numbered = list(enumerate(wallets, start=1))
        ways = {
            SHEETS: [sheet for number, own in numbered for sheet in day_sheets(number, own)],
            ALONE: [sheet for number, own in numbered for sheet in single_orders(number, own, range(1, 3))],
            RELAYED: [sheet for number, own in numbered for sheet in single_orders(number, own, range(3, 4))],
        }
        keys = {own.account: own.account_key for own in wallets}
        for way, sheets in ways.items():
            signed = [Received(sheet, sign(domain, sheet, keys[sheet.participant])) for sheet in sheets]
            measured[way] = measure(relay, signed, way)
            print(f"{way}: {measured[way]}", flush=True)
        record = {
            "machine": machine(),
            "versions": {"anvil": node.version, **{name: version(name) for name in ("web3", "eth-ape")}},
            "command": node.command,
            "participants": participants,
            "measured": {way: asdict(m) for way, m in measured.items()},
            "driver_peak_mb": memory_mb(os.getpid(), peak=True),
            "node_peak_mb": memory_mb(node.pid, peak=True),
        }
    (HERE / "throughput.json").write_text(json.dumps(record, indent=1) + "\n")
    (HERE / "throughput.md").write_text(report(record))


if __name__ == "__main__":
    main()
