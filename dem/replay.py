"""An outsider's recomputation of the market from its events alone, with the reference model.

Every event either is an input (an order sheet, a reading, a deposit) or claims a result (a price, a schedule, a
payment). Inputs feed the model; results are compared with what the model says, and each difference is noted.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from dem.clearing import Clearing, clear, fills
from dem.errors import LedgerError
from dem.ledger import BALANCING_FUND, CLEARING_HOUSE, FALLBACK_SUPPLIER, GRID_OPERATOR, OPERATOR, Ledger, Posting
from dem.orders import Order, orders_of
from dem.settlement import (
    DaySettlement,
    Delivery,
    ImbalancePricing,
    MarketRules,
    Reading,
    Tariff,
    order_collateral,
    positions_of,
    settle_day,
)
from dem.signing import net_consumption, unpack_registers
from dem.strips import LANES, strips_per_day, unpack
from dem.units import Money, UnitsPerWh, Wh

KINDS = (
    "none",
    "fund",
    "clearing_house",
    "fallback_supplier",
    "operator",
    "grid_operator",
    "consumer",
    "prosumer",
    "intermediary",
    "wholesale_desk",
)
"""Kinds of members in the order of the contracts' enum."""


class EventLike(Protocol):
    """What the replay needs of an event; args by name."""

    @property
    def contract(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def args(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Member:
    """A member as its events tell; capacities in Wh per period, None where the market sets no limit."""

    id: int
    account: str
    meter: str
    kind: str
    first_day: int
    import_capacity: Wh | None
    export_capacity: Wh | None


@dataclass(slots=True)
class OrderRecord:
    """An order the chain took: accepted, or replaced by a later sheet."""

    order: Order
    day: int
    status: str


@dataclass(frozen=True, slots=True)
class Rejection:
    """A sheet that was refused, with the ABI-encoded reason."""

    sender: str
    day: int
    sequence: int
    reason: bytes


@dataclass(frozen=True, slots=True)
class MeterValue:
    """One member's value for one period: measured, corrected or estimated."""

    net: Wh
    status: str


_NO_LIMIT = (1 << 40) - 1


@dataclass(slots=True)
class Books:
    """The order books of all days, as the accepted sheets left them."""

    periods_per_day: int
    records: list[OrderRecord] = field(default_factory=list)
    layers: dict[int, dict[int, int]] = field(default_factory=lambda: defaultdict(dict))
    """Layers by day and member that its sheets ever reached: what the chain goes through, whatever was cancelled."""
    _in_force: dict[int, dict[tuple[int, int, int], OrderRecord]] = field(default_factory=lambda: defaultdict(dict))

    def accept(self, sheet: Mapping[str, Any]) -> tuple[list[Order], list[Order]]:
        """Take an accepted sheet (the event's arguments); returns the orders that went and those that came."""
        id_, day = sheet["id"], sheet["day"]
        book, per_line = self._in_force[day], strips_per_day(self.periods_per_day)
        last = sheet["firstLine"] + len(sheet["lines"]) - 1
        self.layers[day][id_] = max(self.layers[day].get(id_, 0), last // per_line + 1)
        gone, come = [], []
        for line, word in enumerate(sheet["lines"], start=sheet["firstLine"]):
            layer, strip = divmod(line, per_line)
            for slot in range(strip * LANES, (strip + 1) * LANES):
                replaced = book.pop((id_, layer, slot), None)
                if replaced is not None:
                    replaced.status = "replaced"
                    gone.append(replaced.order)
            for order in orders_of(id_, day, line, int.from_bytes(word, "big"), self.periods_per_day):
                record = OrderRecord(order, day, "accepted")
                self.records.append(record)
                book[id_, order.layer, order.slot] = record
                come.append(order)
        return gone, come

    def of(self, day: int) -> list[list[Order]]:
        """Orders in force, by slot."""
        slots: list[list[Order]] = [[] for _ in range(self.periods_per_day)]
        for record in self._in_force[day].values():
            slots[record.order.slot].append(record.order)
        return slots

    def clear(self, day: int) -> list[Clearing]:
        """What the reference model makes of a day's book, by slot."""
        return [clear(orders) for orders in self.of(day)]


@dataclass(slots=True)
class Replay:
    """State of the market after the events applied so far."""

    books: Books
    members: dict[int, Member] = field(default_factory=dict)
    rules_versions: list[tuple[int, MarketRules]] = field(default_factory=list)
    published: dict[int, list[Tariff]] = field(default_factory=dict)
    rejections: list[Rejection] = field(default_factory=list)
    readings: dict[int, dict[int, list[MeterValue | None]]] = field(default_factory=dict)
    boundary_flags: list[tuple[int, int]] = field(default_factory=list)
    settled_days: set[int] = field(default_factory=set)
    final_days: set[int] = field(default_factory=set)
    deposited: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    withdrawn: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    to_wallets: int = 0
    ledger: Ledger = field(default_factory=Ledger)
    differences: list[str] = field(default_factory=list)
    _applications: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    _locked: dict[tuple[int, int], int] = field(default_factory=lambda: defaultdict(int))
    _clearings: dict[int, list[Clearing]] = field(default_factory=dict)
    _settlements: dict[int, DaySettlement] = field(default_factory=dict)
    _settling: int = 0
    _expected: list[Posting] = field(default_factory=list)
    _moved: list[tuple[int, int, int]] = field(default_factory=list)
    _posted: dict[tuple[int, int], int] = field(default_factory=lambda: defaultdict(int))

    @staticmethod
    def of(events: Iterable[EventLike], periods_per_day: int) -> "Replay":
        """The market recomputed from all of its events."""
        replay = Replay(Books(periods_per_day))
        replay.apply(events)
        return replay

    # ------------------------------------------------------------------------------------------ what is known

    @property
    def periods_per_day(self) -> int:
        """Delivery periods in a day."""
        return self.books.periods_per_day

    def rules(self, day: int) -> MarketRules:
        """The rules that apply to a day."""
        return next(rules for first_day, rules in reversed(self.rules_versions) if first_day <= day)

    def tariffs(self, day: int) -> list[Tariff]:
        """Fallback tariffs of a day by slot: as published, else the standing tariff."""
        return self.published.get(day) or [self.rules(day).standing_tariff] * self.periods_per_day

    def clearing(self, day: int) -> list[Clearing]:
        """What the reference model makes of a day's book after its gate, by slot."""
        if day not in self._clearings:
            self._clearings[day] = self.books.clear(day)
        return self._clearings[day]

    def fills(self, day: int) -> list[tuple[Order, Wh]]:
        """Every order in force with the energy it trades, Wh."""
        filled = []
        for orders, clearing in zip(self.books.of(day), self.clearing(day), strict=True):
            filled += list(zip(orders, fills(orders, clearing), strict=True))
        return filled

    def metered(self, day: int) -> dict[int, list[Wh]]:
        """Net energy per member with a value, by slot; the grid operator's is the network's losses."""
        values = self.readings.get(day, {})
        net = {
            id_: [Wh(0) if value is None else value.net for value in slots]
            for id_, slots in values.items()
            if id_ != GRID_OPERATOR
        }
        boundary = values.get(GRID_OPERATOR, [None] * self.periods_per_day)
        sums = [sum(slots[k] for slots in net.values()) for k in range(self.periods_per_day)]
        net[GRID_OPERATOR] = [
            Wh(0) if value is None else Wh(value.net - total) for value, total in zip(boundary, sums, strict=True)
        ]
        return net

    def settlement(self, day: int) -> DaySettlement:
        """The day settled by the reference model on the readings known now."""
        if day not in self._settlements:
            self._settlements[day] = settle_day(self.rules(day), self._deliveries(day))
        return self._settlements[day]

    def open_collateral(self) -> dict[tuple[int, int], int]:
        """Money locked by member and day, for the days that are not settled."""
        return dict(self._locked)

    def _deliveries(self, day: int) -> list[Delivery]:
        metered, tariffs = self.metered(day), self.tariffs(day)
        deliveries = []
        for slot, (orders, clearing) in enumerate(zip(self.books.of(day), self.clearing(day), strict=True)):
            positions = positions_of(orders, clearing)
            values = {id_: slots[slot] for id_, slots in metered.items()}
            for position in positions:
                values.setdefault(position.participant, Wh(0))
            deliveries.append(Delivery(tariffs[slot], clearing.price, positions, values))
        return deliveries

    # ----------------------------------------------------------------------------------------------- applying

    def apply(self, events: Iterable[EventLike]) -> None:
        """Apply events in the chain's order."""
        for event in events:
            handler = getattr(self, f"_on_{event.contract}_{event.name}", None)
            if handler is not None:
                try:
                    handler(event.args)
                except LedgerError as error:
                    self.differences.append(f"{event.contract} {event.name}: {error}")

    def _differ(self, what: str, chain: object, model: object) -> None:
        if chain != model:
            self.differences.append(f"{what}: chain {chain}, model {model}")

    def _on_ParticipantRegistry_Applied(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        self._applications[args["account"]] = args

    def _on_ParticipantRegistry_Admitted(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        application = self._applications.get(args["account"], {})
        limits = [application.get(name, _NO_LIMIT) for name in ("importCapacity", "exportCapacity")]
        self.members[args["id"]] = Member(
            id=args["id"],
            account=args["account"],
            meter=args["meter"],
            kind=KINDS[args["kind"]],
            first_day=args["firstDay"],
            import_capacity=None if limits[0] == _NO_LIMIT else limits[0],
            export_capacity=None if limits[1] == _NO_LIMIT else limits[1],
        )

    def _on_MarketRules_RulesChanged(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        r = args["rules"]
        rules = MarketRules(
            platform_fee=UnitsPerWh(r["platformFee"]),
            network_fee=UnitsPerWh(r["networkFee"]),
            deviation_rate=UnitsPerWh(r["deviationRate"]),
            standing_buy=UnitsPerWh(r["standingBuy"]),
            standing_sell=UnitsPerWh(r["standingSell"]),
            max_buy=UnitsPerWh(r["maxBuy"]),
            tolerance_fixed=Wh(r["toleranceFixed"]),
            tolerance_share=r["toleranceShare"],
            min_order_energy=Wh(r["minOrderEnergy"]),
            max_layers=r["maxLayers"],
            imbalance_pricing=ImbalancePricing(r["imbalancePricing"]),
            charge_helpful=r["chargeHelpful"],
            boundary_margin=Wh(r["boundaryMargin"]),
        )
        self.rules_versions = [version for version in self.rules_versions if version[0] < args["firstDay"]]
        self.rules_versions.append((args["firstDay"], rules))

    def _on_MarketRules_DayFinal(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        self.final_days.add(args["day"])

    def _on_FallbackSupply_TariffsPublished(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        lanes = [lane for word in args["words"] for lane in unpack(word)[1]]
        self.published[args["day"]] = [Tariff.of_lane(lane) for lane in lanes]

    def _on_Accounts_Deposited(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        self.ledger.deposit(args["id"], Money(args["amount"]))
        self.deposited[args["id"]] += args["amount"]
        if args["paymentReference"] == bytes(32):  # tokens that come back from a wallet
            self.to_wallets -= args["amount"]

    def _on_Accounts_Withdrawn(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        self.ledger.withdraw(args["id"], Money(args["amount"]))
        self.withdrawn[args["id"]] += args["amount"]
        if not args["toBank"]:
            self.to_wallets += args["amount"]

    def _on_Accounts_CreditLimitSet(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        self.ledger.set_credit_limit(args["id"], Money(args["limit"]))

    def _on_CallAuction_SheetAccepted(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        id_, day, rules = args["id"], args["day"], self.rules(args["day"])
        gone, come = self.books.accept(args)
        change = sum(order_collateral(order, rules) for order in come) - sum(
            order_collateral(order, rules) for order in gone
        )
        self._locked[id_, day] += change
        if set(come) - set(gone):
            self.ledger.lock(id_, Money(max(change, 0)))
        if change < 0:
            self.ledger.unlock(id_, Money(-change))

    def _on_CallAuction_SheetRejected(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        self.rejections.append(Rejection(args["participant"], args["day"], args["sequence"], args["reason"]))

    def _on_CallAuction_Cleared(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        day, slot = args["day"], args["slot"]
        model = self.clearing(day)[slot]
        rationed = 0 if model.rationed is None else model.rationed + 1
        self._differ(
            f"clearing of day {day}, slot {slot} (price, volume, rationed, share, marginal)",
            tuple(args[name] for name in ("price", "volume", "rationed", "share", "marginal")),
            (model.price or 0, model.volume, rationed, model.share, model.marginal),
        )

    def _on_MeterReadings_ReadingsAccepted(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        slots = self._slots(args["id"], args["day"])
        first = args["firstStrip"] * LANES
        for slot, net in enumerate(net_consumption(unpack_registers(args["registers"])), start=first):
            slots[slot] = MeterValue(net, "measured" if slots[slot] is None else "corrected")
        self._settlements.pop(args["day"], None)

    def _on_MeterReadings_Estimated(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        id_, day, first = args["id"], args["day"], args["strip"] * LANES
        slots = self._slots(id_, day)
        preceding = self.readings.get(day - 1, {}).get(id_, [None] * self.periods_per_day)
        for k, lane in enumerate(unpack(args["word"])[1]):
            value, before = Reading.of_lane(lane), preceding[first + k]
            self._differ(
                f"estimate of member {id_}, day {day}, slot {first + k}",
                (value.net, value.estimated),
                (0 if before is None else before.net, True),
            )
            slots[first + k] = MeterValue(value.net, "estimated")
        self._settlements.pop(day, None)

    def _on_MeterReadings_BoundaryMismatch(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        self.boundary_flags.append((args["day"], args["slot"]))

    def _slots(self, id_: int, day: int) -> list[MeterValue | None]:
        return self.readings.setdefault(day, {}).setdefault(id_, [None] * self.periods_per_day)

    def _on_Schedule_Scheduled(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        id_, day = args["id"], args["day"]
        chain = [Reading.of_lane(lane).net for word in args["net"] for lane in unpack(word)[1]]
        # A member without a meter has rows only where it traded.
        contracted = {row.slot: row.contracted for row in self.settlement(day).rows_of(id_)}
        model = [contracted.get(slot, Wh(0)) for slot in range(self.periods_per_day)]
        self._differ(f"schedule of member {id_}, day {day}", chain, model)

    # --------------------------------------------------------------------------------------------- settlement
    #
    # A settling transaction posts batches that each end with the clearing house: when a walk begins, the fallback
    # supplier's; then its members'; after the last member those of the fund, the operator and the grid operator.

    def _on_Settlement_SettlementBegun(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        self._settling = args["day"]
        self._expected = [self._posting_to(FALLBACK_SUPPLIER, self.settlement(self._settling).fallback())]

    def _on_Settlement_Settled(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        id_, self._settling = args["id"], args["day"]
        settlement = self.settlement(self._settling)
        rows = settlement.rows_of(id_)
        model = {
            "trade": sum(row.trade for row in rows),
            "imbalance": sum(row.imbalance_units for row in rows),
            "fees": sum(row.fees for row in rows),
            "deviation": sum(row.deviation for row in rows),
        }
        self._differ(f"settlement of member {id_}, day {self._settling}", {name: args[name] for name in model}, model)
        change = self._change(id_, self._settling, -sum(model.values()))
        release = self._locked.pop((id_, self._settling), 0)
        self._expected.append(Posting(id_, change, Money(release)))

    def _on_Accounts_Posted(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        if not self._expected:
            self._expected = self._pay_out(self.settlement(self._settling))
        self._moved.append((args["id"], args["amount"], args["release"]))
        if len(self._moved) <= len(self._expected):
            return
        house = Posting(CLEARING_HOUSE, Money(-sum(posting.amount for posting in self._expected)))
        batch = [*self._expected, house]
        expected = [(posting.account, posting.amount, posting.release) for posting in batch]
        self._differ(f"postings of day {self._settling}", self._moved, expected)
        self.ledger.post(batch)
        self._moved, self._expected = [], []

    def _on_Settlement_DaySettled(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        day = args["day"]
        settlement = self.settlement(day)
        self._differ(
            f"settlement of day {day} (fallback supply, fund, operator, grid)",
            tuple(args[name] for name in ("fallbackSupply", "fund", "operator", "grid")),
            (settlement.fallback(), settlement.fund(), settlement.operator(), settlement.grid_operator()),
        )
        self.settled_days.add(day)

    def _pay_out(self, settlement: DaySettlement) -> list[Posting]:
        return [
            self._posting_to(BALANCING_FUND, settlement.fund()),
            self._posting_to(OPERATOR, settlement.operator()),
            self._posting_to(GRID_OPERATOR, settlement.grid_operator()),
        ]

    def _posting_to(self, office: int, amount: Money) -> Posting:
        """What an office is paid out is kept apart from its own bill as a member: under its negative number."""
        return Posting(office, self._change(-office, self._settling, amount))

    def _change(self, key: int, day: int, amount: int) -> Money:
        """Difference to what was posted before."""
        change = amount - self._posted[key, day]
        self._posted[key, day] = amount
        return Money(change)
