"""A gateway without a chain: an index of a small market, and a port that stands for a node."""

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

from eth_account import Account
from starlette.testclient import TestClient

from dem.chain.abi import EventCodec, FunctionCodec
from dem.chain.artifacts import shipped
from dem.chain.events import Event
from dem.deployment.plan import STEPS, rules_tuple
from dem.deployment.roles import TOKEN
from dem.errors import ChainError, RequestError
from dem.gateway.app import make_app
from dem.gateway.approvals import Approvals
from dem.gateway.bills.book import Book
from dem.gateway.client import Client
from dem.gateway.config import Configuration, Limits, NetworkTables
from dem.gateway.evidence import Proofs
from dem.gateway.network import Flows
from dem.gateway.parts import Parts
from dem.gateway.processes import Notice
from dem.gateway.protocol import Checked
from dem.gateway.reads import Index
from dem.gateway.relaying import Outcome, Relaying
from dem.gateway.rights import Role
from dem.gateway.state import Store
from dem.governance.elections import ElectionTerms
from dem.grid.network import read_network
from dem.index import Place
from dem.index.store import Origin
from dem.index.store import Store as IndexStore
from dem.index.tables import tables_of
from dem.messages.orders import OrderSheet
from dem.messages.readings import Register, pack_registers
from dem.model.calendar import CalendarParameters
from dem.model.limits import Share, pack_shares
from dem.model.orders import Order, Side, lines_of
from dem.model.readings import Reading
from dem.model.relief import Bought, pack_relief
from dem.model.rules import Tariff
from dem.model.strips import LANES, pack
from dem.model.units import PriceRange, Tick, UnitsPerWh, Wh
from dem.replay.evidence import Evidence, check, read
from support.rules import FIELDS, SMALL

CALENDAR = CalendarParameters(1_700_000_000, 900, 96, 64_800, 43_200, 21_600, 86_400)
CHAIN, GENESIS = 20482, f"0x{7:064x}"
CONTRACTS = {name: f"0x{n:040x}" for n, name in enumerate([step.contract for step in STEPS], start=0xD001)}
RULES = replace(
    SMALL,
    platform_fee=200,
    network_fee=1_000,
    standing_buy=28_000,
    standing_sell=0,
    min_order_energy=5,
    max_layers=4,
    prices=PriceRange(UnitsPerWh(-100_000)),
)
HOME, ROOF, BROKER = 6, 7, 8
NOBODY = f"0x{0:040x}"
METER, ROOF_METER = "AT0030000000000000000000000000001", "AT0030000000000000000000000000002"
"""What the metering operator calls theirs, in tests/metering/samples."""
DEPTH = 4
TERMS = ElectionTerms(CALENDAR.opening, 365 * 86_400, 14 * 86_400, 14 * 86_400, 7 * 86_400, 3)
URL = "http://testserver"
T = TypeVar("T", str, Path)


def key_of(name: str) -> bytes:
    """The key of somebody."""
    return name.encode().rjust(32, b"\1")


def account_of(name: str) -> str:
    """The address of somebody."""
    return str(Account.from_key(key_of(name)).address)


@cache
def _tables() -> Any:
    names = [*(step.contract for step in STEPS), TOKEN]
    entries = ((name, entry) for name in names for entry in shipped()[name].abi)
    return tables_of(EventCodec(name, entry) for name, entry in entries if entry["type"] == "event")


def error(name: str) -> bytes:
    """A contract's error without arguments."""
    return next(selector for selector, entry in shipped().errors.items() if entry["name"] == name)


def _events() -> Iterator[tuple[str, str, dict[str, Any]]]:
    kinds = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, HOME: 6, ROOF: 7}
    for id_, kind in kinds.items():
        account, meter = account_of({HOME: "home", ROOF: "roof"}.get(id_, f"p{id_}")), account_of(f"meter{id_}")
        about = {"account": account, "meter": meter, "kind": kind}
        papers = {"importCapacity": 5_000, "exportCapacity": 2_500, "feeder": bytes(32), "documents": bytes(32)}
        yield "ParticipantRegistry", "Applied", about | papers
        yield "ParticipantRegistry", "Admitted", about | {"id": id_, "firstDay": 1}
    yield "MarketRules", "PriceRangeSet", {"lowest": RULES.prices.lowest, "tick": RULES.prices.tick}
    yield "MarketRules", "RulesChanged", {"firstDay": 1, "rules": dict(zip(FIELDS, rules_tuple(RULES), strict=True))}
    yield "Schedule", "MarketAdded", {"market": CONTRACTS["BilateralContracts"], "firstDay": 1}
    for id_ in (HOME, ROOF):
        yield "Accounts", "Deposited", {"id": id_, "amount": 12_345_678_901, "paymentReference": bytes([1] * 32)}
    lanes = [pack(1, [Tariff(UnitsPerWh(30_000), UnitsPerWh(8_000)).lane(RULES.prices)] * 6)] * 16
    yield "FallbackSupply", "TariffsPublished", {"day": 1, "words": lanes}
    for id_, side, energy in ((HOME, Side.BID, 700), (ROOF, Side.ASK, 900)):
        words = lines_of([Order(id_, 0, 2, side, Tick(1_150), Wh(energy))], 1, 96).values()
        sheet = {"id": id_, "day": 1, "sequence": 1, "firstLine": 0, "lines": [w.to_bytes(32, "big") for w in words]}
        yield "CallAuction", "SheetAccepted", sheet
    cleared = {"price": 1_150, "volume": 700, "rationed": 0, "share": 700, "marginal": 900}
    yield "CallAuction", "Cleared", {"day": 1, "slot": 2} | cleared
    registers = pack_registers([Register(Wh(10 * n), Wh(0)) for n in range(97)])
    reading = {"day": 1, "firstStrip": 0, "sequence": 1, "isCorrection": False, "registers": registers}
    reading |= {"leftOut": 0, "substituted": 0}
    for id_ in (HOME, ROOF):
        yield "MeterReadings", "ReadingsAccepted", {"id": id_} | reading
        money = {"trade": 105_000, "imbalance": -3_000, "fees": 7, "deviation": 0}
        yield "Settlement", "Settled", {"id": id_, "day": 1} | money
    refused = {"participant": account_of("roof"), "day": 1, "sequence": 2, "reason": error("OrderEntryPaused")}
    yield "CallAuction", "SheetRejected", refused
    suspend = FunctionCodec(next(e for e in shipped()["ParticipantRegistry"].abi if e.get("name") == "suspend"))
    call = (CONTRACTS["ParticipantRegistry"], suspend.encode([ROOF]))
    for number, holder in ((1, "p1"), (2, "p2"), (3, "home")):
        yield "Council", "SeatTaken", {"number": number, "holder": account_of(holder), "isElected": number > 2}
    yield "Council", "SeatLost", {"number": 2, "holder": account_of("p2")}
    yield "Council", "Proposed", {"id": 1, "by": account_of("p1"), "calls": [call]}
    yield "Council", "Approved", {"id": 1, "by": account_of("p1")}


def make_index(place: T, more: Iterable[tuple[str, str, dict[str, Any]]] = ()) -> T:
    """An index of a market in which two participants have traded a day. more: events that follow."""
    store = IndexStore(place, _tables(), Origin(CHAIN, GENESIS, CONTRACTS["ParticipantRegistry"], CALENDAR), DEPTH)
    told = enumerate(chain(_events(), more))
    made = (Event(contract, name, args, 10 + n, f"0x{n:064x}", 0) for n, (contract, name, args) in told)
    store.record(CONTRACTS, made)
    store.name({account_of("home"): "home", account_of("roof"): "roof"})
    store.close()
    return place


def choices() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Events of what members may choose from: the roof stands for election, and a broker asks for more and more."""
    yield "Elections", "Nominated", {"election": 1, "nominee": account_of("roof")}
    about = {"account": account_of("broker"), "meter": f"0x{0:040x}", "kind": 8}
    papers = {"importCapacity": 0, "exportCapacity": 0, "feeder": bytes(32), "documents": bytes(32)}
    yield "ParticipantRegistry", "Applied", about | papers
    yield "ParticipantRegistry", "Admitted", about | {"id": BROKER, "firstDay": 1}
    for day, price in ((1, 300), (9, 500)):
        published = {"intermediary": BROKER, "perWh": price, "firstDay": day, "replacedFrom": day, "sequence": day}
        yield "Intermediaries", "CommissionPublished", published


VILLAGE = Path(__file__).resolve().parents[3] / "scenarios" / "data" / "simbench-lv-rural1" / "grid"
BUSES = {"home": "LV1.101 Bus 3", "roof": "LV1.101 Bus 9"}
NOON = 48
"""The slot of day 1 in which the roof is expected to feed in more than the transformer carries."""


def network(folder: Path) -> NetworkTables:
    """A dispatcher's tables: the village's network, where both members are, and what is expected of day 1."""
    shutil.copytree(VILLAGE, folder / "grid", dirs_exist_ok=True)
    places = "".join(f"{account_of(name)},{bus}\n" for name, bus in BUSES.items())
    (folder / "buses.csv").write_text(f"account,bus\n{places}")
    rows = "".join(
        f"{account_of(name)},1,{slot},{net}\n" for name, net in (("home", 500), ("roof", -50_000)) for slot in (0, NOON)
    )
    (folder / "expected.csv").write_text(f"account,day,slot,net_wh\n{rows}")
    return NetworkTables()


def dispatched() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Events of a dispatcher's day: zones, limits of the roof, lowered once, relief, and what was charged."""
    model = bytes.fromhex(read_network(VILLAGE).digest.removeprefix("0x"))
    yield "GridLimits", "ModelPublished", {"firstDay": 1, "model": model}
    yield "GridLimits", "ZonesAssigned", {"firstDay": 1, "ids": [HOME, ROOF], "zones": [2, 1]}
    yield "GridLimits", "StandingLimitSet", {"zone": 1, "firstDay": 1, "imports": 10_000, "exports": 3_500}
    for share, name, more in (
        (6_000, "LimitsPublished", {}),
        (4_500, "LimitsLowered", {"cause": "a line is down <b>"}),
    ):
        limit = {"zone": 1, "strip": NOON // LANES, "shares": pack_shares([Share(10_000, share)] * LANES)}
        yield "GridLimits", name, {"day": 1, "limits": [limit], "report": bytes([share % 251] * 32)} | more
    yield "GridLimits", "DayApproved", {"day": 1, "report": bytes(32)}
    for id_, price in ((5, 3_000), (ROOF, 2_000)):
        offer = {"drawn": 0, "drawnPrice": 0, "fedIn": 5_000, "fedInPrice": price}
        yield "GridRelief", "ReliefOffered", {"id": id_, "firstDay": 1, "earliest": 1, "sequence": 1} | offer
    [sold] = pack_relief({(NOON, True): Bought(1_200, 300, 2_500)})
    reliefs = [dict(zip(("strip", "isFedIn", "energies", "mosts", "prices"), sold, strict=True))]
    yield "GridRelief", "ReliefBought", {"id": ROOF, "day": 1, "reliefs": reliefs, "report": bytes(32)}
    paid = {"delivered": 1_000, "missing": 200, "units": 2_500_000, "charge": 7}
    yield "GridRelief", "ReliefPaid", {"id": ROOF, "day": 1} | paid
    yield "GridCharges", "ExcessCharged", {"id": ROOF, "day": 1, "energy": 4_400, "units": 310_000_000}
    yield "GridCharges", "MadeGood", {"id": ROOF, "day": 1, "energy": 100, "units": 20_000_000}


def agreed() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """The home buys from the roof by contract 1, from day 3 on for ten days."""
    terms = {"price": 15_000, "energy": 500, "firstPeriod": 2 * 96, "endPeriod": 12 * 96, "slots": 0b1111 << 32}
    terms |= {"weekdays": 127, "extra": 1, "ceiling": 1, "fullest": 4}
    sides = {"buyer": HOME, "seller": ROOF}
    yield "BilateralContracts", "Concluded", {"number": 1, "proposal": bytes([9] * 32), "terms": terms} | sides


def auction(day: int, orders: Mapping[int, Sequence[Order]], cleared: Sequence[dict[str, int]]) -> Iterator[Any]:
    """Events of a day's auction: a sheet of each participant, and what is cleared by slot."""
    for id_, own in orders.items():
        words = lines_of(own, day, 96).values()
        sheet = {"id": id_, "day": day, "sequence": 1, "firstLine": 0, "lines": [w.to_bytes(32, "big") for w in words]}
        yield "CallAuction", "SheetAccepted", sheet
    for slot in cleared:
        yield "CallAuction", "Cleared", {"day": day, "rationed": 0, "share": 0, "marginal": 0} | slot


def town(members: int, day: int = 2) -> Iterator[Any]:
    """Events of a day of so many members after the two: all of them order, trade, are metered, settled and paid."""
    ids = range(ROOF + 1, ROOF + 1 + members)
    net = [pack(1, [Reading(Wh(5)).lane()] * LANES)] * 16
    registers = pack_registers([Register(Wh(10 * n), Wh(0)) for n in range(97)])
    for id_ in ids:
        about = {"account": f"0x{id_:040x}", "meter": f"0x{id_ + 10**6:040x}", "kind": 6}
        papers = {"importCapacity": 5_000, "exportCapacity": 0, "feeder": bytes(32), "documents": bytes(32)}
        yield "ParticipantRegistry", "Applied", about | papers
        yield "ParticipantRegistry", "Admitted", about | {"id": id_, "firstDay": 1}
        yield "Accounts", "Deposited", {"id": id_, "amount": 10**10, "paymentReference": bytes([1] * 32)}
        refused = {"participant": about["account"], "day": day, "sequence": 2, "reason": error("OrderEntryPaused")}
        yield "CallAuction", "SheetRejected", refused
    orders = {
        id_: [Order(id_, 0, slot, (Side.BID, Side.ASK)[id_ % 2], Tick(1_148 + id_ % 5), Wh(10)) for slot in range(96)]
        for id_ in ids
    }
    traded = {"price": 1_150, "volume": 1_000, "rationed": 1, "share": 500, "marginal": 1_000}
    yield from auction(day, orders, [{"slot": slot} | traded for slot in range(96)])
    for id_ in ids:
        yield "Schedule", "Scheduled", {"id": id_, "day": day, "net": net}
        reading = {"id": id_, "day": day, "firstStrip": 0, "sequence": 1, "isCorrection": False}
        # The last strip lacks.
        yield "MeterReadings", "ReadingsAccepted", reading | {
            "registers": registers, "leftOut": 1 << 15, "substituted": 0
        }  # fmt: skip
        yield "Settlement", "Settled", {"id": id_, "day": day, "trade": 3, "imbalance": 2, "fees": 1, "deviation": 0}
        yield "Accounts", "Posted", {"id": id_, "amount": -6, "release": 0}
        yield "Accounts", "ArrearsChanged", {"id": id_, "arrears": id_}
        yield "NrgCoin", "Credited", {"id": id_, "day": day, "minted": 3, "charged": 1}
        yield "NrgCoin", "CoinsMoved", {"from": id_, "to": ROOF, "amount": 2, "sequence": 1}
        terms = {"slots": 1, "energy": 5, "price": 1_000} | dict.fromkeys(("buyerKey", "sellerKey", "mediator"), NOBODY)
        locks = {"message": bytes(32), "terms": terms, "buyerLocks": 5_000, "sellerLocks": 0}
        yield "EscrowTrades", "Funded", {"number": id_, "buyer": id_, "seller": ROOF, "day": day + 1} | locks
        paid = {"toSeller": 4_000, "toBuyer": 1_000, "first": NOBODY, "second": NOBODY}
        yield "EscrowTrades", "Released", {"number": id_} | paid


@dataclass
class Node:
    """Stands for a chain: takes messages into blocks. refusals: by message, in a contract's words. passed, reverts: of
    transactions.
    """

    blocks: list[list[str]] = field(default_factory=lambda: [[]])
    refusals: dict[str, str] = field(default_factory=dict)
    brought: list[str] = field(default_factory=list)
    looked_for: list[str] = field(default_factory=list)
    paid: list[str] = field(default_factory=list)
    passed: list[str] = field(default_factory=list)
    reverts: dict[str, Any] | None = None
    is_away: bool = False
    failing: Exception | None = None

    def head(self) -> int:
        if self.failing:
            raise self.failing
        return len(self.blocks) - 1

    def bring(self, messages: Sequence[Checked]) -> Iterator[Outcome]:
        self.blocks.append([])
        for message in messages:
            self.brought.append(message.id)
            if message.id in self.refusals:
                yield Outcome(message.id, self.head(), "", self.refusals[message.id])
            else:
                self.blocks[-1].append(message.id)
                yield Outcome(message.id, self.head(), message.id)

    def hashes(self, blocks: Sequence[int]) -> dict[int, tuple[str, str]]:
        """As in a chain, they follow from what is in a block and in those before."""
        there = [number for number in blocks if number < len(self.blocks)]
        return {number: (f"{self.blocks[: number + 1]}", f"{self.blocks[:number]}") for number in there}

    def blocks_of(self, transactions: Sequence[str]) -> list[int | None]:
        self.looked_for += transactions
        return [self._block_of(transaction) for transaction in transactions]

    def _block_of(self, transaction: str) -> int | None:
        return next((n for n, block in enumerate(self.blocks) if transaction in block), None)

    def paid_out(self, ids: Sequence[str]) -> Iterator[Outcome]:
        for id_ in ids:
            if id_ in self.paid and (block := self._block_of(id_)) is not None:
                yield Outcome(id_, block, id_)

    def answer(self, method: str, parameters: list[Any]) -> dict[str, Any]:
        """Of JSON-RPC, for approvals of the council."""
        if self.is_away:
            raise ChainError("no node")
        if method == "eth_sendRawTransaction":
            if parameters[0] in self.passed:
                return {"error": {"code": -32000, "message": "already known"}}
            self.passed.append(parameters[0])
        if method == "eth_call" and self.reverts is not None:
            return {"error": self.reverts}
        return {
            "result": {"eth_getTransactionCount": "0x5", "eth_getBlockByNumber": {"baseFeePerGas": "0x7"}}.get(
                method, "0x"
            )
        }

    def find(self, message: Checked, first: int) -> Outcome | None:
        block = self._block_of(message.id)
        return None if block is None or block < first else Outcome(message.id, block, message.id)


@dataclass
class Gateway:
    """One under test. step: what its relaying does when it is told to."""

    parts: Parts
    relaying: Relaying
    node: Node
    web: TestClient
    now: list[float]

    @property
    def store(self) -> Store:
        return self.parts.store

    def step(self) -> None:
        self.relaying.step()

    def client(self, name: str = "", log_in: bool = True) -> Client:
        client = Client(URL, key_of(name) if name else None, session=self.web)
        if name and log_in:
            client.log_in()
        return client


PROVEN = Path(__file__).resolve().parents[2] / "gateway" / "samples" / "proof.json"
"""A proof of the home's day 2, as `tests/scripts/test_prove.py` has it of a node."""


def proven() -> tuple[str, str, dict[str, Any]]:
    """What that day was settled as."""
    money = {"trade": 105_000, "imbalance": check(read(PROVEN)).beyond, "fees": 7, "deviation": 0}
    return "Settlement", "Settled", {"id": HOME, "day": 2} | money


class Recorded(Proofs):
    """Has that proof, and asks no node."""

    def __init__(self) -> None:
        self._evidence = read(PROVEN)

    def days_of(self, first: int, last: int) -> list[int]:
        return [self._evidence.day]

    def of(self, member: int, day: int) -> Evidence:
        if (member, day) != (self._evidence.member, self._evidence.day):
            raise RequestError(404, "NotFound", f"day {day} is not settled yet")
        return self._evidence


def make_gateway(
    folder: Path, index: Place, url: str = "", base: str = URL, tables: NetworkTables | None = None, **limits: Any
) -> Gateway:
    """A gateway of a market. url: of its state; base: what its users call it; tables: of its network."""
    few = {"requests_per_minute": 10**6, "messages_per_minute": 10**6, "logins_per_minute": 10**6}
    few["deliveries_per_minute"] = 10**6
    offices = {role: [account_of(role)] for role in Role if role not in (Role.PUBLIC, Role.MEMBER)}
    configuration = Configuration(
        folder=folder,
        index=str(index),
        url=base,
        depth=DEPTH,
        limits=Limits(**few | limits),
        offices=offices,
        meters={METER: HOME, ROOF_METER: ROOF},
        network=tables,
    )
    now = [1_800_000_000.0]
    store = Store(url or configuration.state_url, clock=lambda: now[0])
    node, reads = Node(), Index(index)
    relaying = Relaying(store, node, CONTRACTS, DEPTH)
    parts = Parts(
        configuration,
        CHAIN,
        GENESIS,
        CONTRACTS,
        CALENDAR,
        reads,
        store,
        Notice(),
        clock=lambda: moment(now[0]),
        bills=Book(configuration.bills_path),
        elections=TERMS,
        proofs=Recorded(),
        flows=Flows.of(configuration, reads, CALENDAR),
        approvals=Approvals(reads, CHAIN, CONTRACTS["Council"], node.answer),
    )
    return Gateway(
        parts, relaying, node, TestClient(make_app(parts), base_url=base, raise_server_exceptions=False), now
    )


def moment(time: float) -> Any:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(time, UTC)


def sheet(name: str = "home", day: int = 2, sequence: int = 1) -> OrderSheet:
    """A day's orders."""
    words = lines_of([Order(HOME, 0, 2, Side.BID, Tick(1_150), Wh(700))], day, 96).values()
    return OrderSheet(account_of(name), day, 0, sequence, tuple(words))
