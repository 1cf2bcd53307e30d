"""An outsider's recomputation of the market from its events alone, with the reference model.

Every event either is an input (an order sheet, a reading, a deposit) or claims a result (a price, a schedule, a
payment). Inputs feed the model; results are compared with what the model says, and each difference is noted.
A day that is final is forgotten, so that a market of years takes no more memory than the days in flight.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from dem.bilateral import BilateralReplay
from dem.clearing import Clearing, Column, OrderBook, clear_day, fills_of_day
from dem.errors import LedgerError
from dem.fund import Payout, pay_claims
from dem.intermediaries import IntermediariesReplay, PoolReplay, brokered_energy
from dem.intraday import IntradayReplay
from dem.ledger import BALANCING_FUND, CLEARING_HOUSE, FALLBACK_SUPPLIER, GRID_OPERATOR, OPERATOR, Ledger, Posting
from dem.orders import BROKERED_LAYER, Lanes, Side, decode_lanes
from dem.settlement import (
    Bill,
    DaySettlement,
    Delivery,
    Flexible,
    Grid,
    ImbalancePricing,
    MarketRules,
    Reading,
    Tariff,
    Trades,
    auction_trades,
    net_of_lanes,
    order_collateral,
    positions,
    settle,
)
from dem.signing import net_consumption
from dem.strips import LANES, unpack, unpack_all
from dem.units import Money, UnitsPerWh, Wh
from dem.wholesale import Residual, ResidualReplay

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

MISSING, MEASURED, CORRECTED, ESTIMATED = range(4)
"""Status of a reading."""

_NO_LIMIT = (1 << 40) - 1
_NO_LANES = np.zeros(0, np.int64)
_NO_PRICE = -1
_NO_BILL = Bill(Money(0), Money(0), Money(0), Money(0), Money(0))
"""Of who has neither a meter nor a position."""
_RING = 8
"""Days whose records the chain keeps side by side."""
AUCTION = "CallAuction"
POOL = f"{AUCTION}:"
"""A pool is one more auction: its events are those of "CallAuction:<its name>"."""
_ROLLING = 0
"""Stands for the day of collateral that goes from day to day."""
_PLACE_BITS = 20
"""Of a place in a member's book: 65,536 lines of six lanes are fewer."""


class EventLike(Protocol):
    """What the replay needs of an event; args by name."""

    @property
    def contract(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def args(self) -> Mapping[str, Any]: ...


class MarketReplay(Protocol):
    """A market besides the day-ahead auction, as an outsider follows it."""

    def apply(self, name: str, args: Mapping[str, Any]) -> list[str]: ...
    def trades(self, day: int) -> Trades: ...
    def release(self, day: int, /) -> dict[int, int]: ...
    def forget(self, day: int) -> None: ...


@runtime_checkable
class FlexibleMarket(Protocol):
    """A market in which energy may be sold back for the premium."""

    def flexible(self, day: int) -> Flexible: ...


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


@dataclass(frozen=True, slots=True, eq=False)
class SentOrders:
    """Columns of all orders that the chain took, in its order; those that do not stand were replaced later."""

    participant: Column
    place: Column
    lanes: Lanes
    stands: NDArray[np.bool_]


class Book:
    """The order book of a day, as its accepted sheets left it.

    A member's orders lie side by side: six lanes a line, line after line, so that a place is layer * periods + slot.
    Those of its intermediary, in the brokered layers, are kept apart.
    """

    def __init__(self, day: int, periods_per_day: int) -> None:
        self.day = day
        self.periods_per_day = periods_per_day
        self._sheets: list[tuple[int, int, Column]] = []
        self._lanes: dict[int, Column] = {}
        self._brokered: dict[int, Column] = {}

    def accept(self, sheet: Mapping[str, Any]) -> tuple[Column, Column]:
        """Take an accepted sheet (the event's arguments); returns the lanes that stood in its place and its own."""
        id_, first = sheet["id"], sheet["firstLine"] * LANES
        days, lanes = unpack_all(sheet["lines"])
        come = np.where(days == self.day, lanes.T, 0).T.ravel()
        hand, at = self._lanes, first
        if self.is_brokered(sheet):
            hand, at = self._brokered, first - BROKERED_LAYER * self.periods_per_day
        own = self._of(hand, id_, at + len(come))
        gone = own[at : at + len(come)].copy()
        own[at : at + len(come)] = come
        self._sheets.append((id_, first, come))
        for computed in ("sent", "standing", "clearing", "fills"):
            self.__dict__.pop(computed, None)
        return gone, come

    def is_brokered(self, sheet: Mapping[str, Any]) -> bool:
        """Whether a sheet is for the layers of a member's intermediary."""
        return bool(sheet["firstLine"] * LANES >= BROKERED_LAYER * self.periods_per_day)

    def _of(self, hand: dict[int, Column], id_: int, places: int) -> Column:
        """A member's lanes, with room for so many."""
        own = hand.get(id_, _NO_LANES)
        if len(own) < places:
            layers = -(-places // self.periods_per_day)
            hand[id_] = np.zeros(layers * self.periods_per_day, np.int64)
            hand[id_][: len(own)] = own
        return hand[id_]

    @property
    def layers(self) -> dict[int, int]:
        """Layers by member that its sheets ever reached: what the chain goes through, whatever was cancelled."""
        return self._layers_of(self._lanes)

    @property
    def brokered_layers(self) -> dict[int, int]:
        """The same of its intermediary's sheets."""
        return self._layers_of(self._brokered)

    def _layers_of(self, hand: dict[int, Column]) -> dict[int, int]:
        return {id_: len(lanes) // self.periods_per_day for id_, lanes in hand.items()}

    @cached_property
    def sent(self) -> SentOrders:
        """Every order the chain took."""
        lengths = [len(lanes) for _, _, lanes in self._sheets]
        participant = np.repeat([id_ for id_, _, _ in self._sheets], lengths).astype(np.int64)
        place = np.concatenate([_NO_LANES] + [np.arange(at, at + len(lanes)) for _, at, lanes in self._sheets])
        lanes = np.concatenate([_NO_LANES] + [lanes for _, _, lanes in self._sheets])
        _, from_the_end = np.unique((participant << _PLACE_BITS | place)[::-1], return_index=True)
        stands = np.zeros(len(lanes), np.bool_)
        stands[len(lanes) - 1 - from_the_end] = True
        orders = lanes != 0
        return SentOrders(participant[orders], place[orders], decode_lanes(lanes[orders]), stands[orders])

    @cached_property
    def standing(self) -> OrderBook:
        """The orders in force, in the order in which the chain took them."""
        sent = self.sent
        layer, slot = np.divmod(sent.place[sent.stands], self.periods_per_day)
        return OrderBook(sent.participant[sent.stands], layer, slot, *(column[sent.stands] for column in sent.lanes))

    @cached_property
    def clearing(self) -> list[Clearing]:
        """What the reference model makes of the book, by slot."""
        return clear_day(self.standing, self.periods_per_day)

    @cached_property
    def fills(self) -> Column:
        """Energy each standing order trades, Wh."""
        return fills_of_day(self.standing, self.clearing)


@dataclass(slots=True, eq=False)
class MeterValues:
    """One member's day by slot: net consumption in Wh, 0 where it is missing, and status."""

    net: Column
    status: Column


@dataclass(slots=True, eq=False)
class Day:
    """A delivery day as far as the events have told it."""

    number: int
    book: Book
    readings: dict[int, MeterValues] = field(default_factory=dict)
    published: list[Tariff] = field(default_factory=list)
    locked: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    posted: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    """Money posted, by member; what an office is paid out is kept apart from its bill: under its negative number."""
    released: set[int] = field(default_factory=set)
    """Members whose collateral in the other markets is released."""
    is_settled: bool = False
    settlement: DaySettlement | None = None
    """By the reference model, on the readings known now; None until it is asked for."""


@dataclass(frozen=True, slots=True)
class Totals:
    """Counted over settled days: periods, Wh lost in them, orders, and those filled beyond size or limit."""

    periods: int = 0
    lost: int = 0
    orders: int = 0
    wrong_fills: int = 0

    def __add__(self, other: "Totals") -> "Totals":
        names = Totals.__slots__
        return Totals(*(getattr(self, name) + getattr(other, name) for name in names))


class SidePayment(NamedTuple):
    """Money that came (positive) or went outside of a settlement: a premium, a reward or a commission of a day."""

    member: int
    day: int
    what: str
    amount: Money


@dataclass(slots=True)
class Replay:
    """State of the market after the events applied so far."""

    periods_per_day: int
    addresses: dict[str, str] = field(default_factory=dict)
    """Of the contracts, by name: commissions name the market by its address."""
    members: dict[int, Member] = field(default_factory=dict)
    rules_versions: list[tuple[int, MarketRules]] = field(default_factory=list)
    final_days: set[int] = field(default_factory=set)
    deposited: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    withdrawn: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    to_wallets: int = 0
    ledger: Ledger = field(default_factory=Ledger)
    differences: list[str] = field(default_factory=list)
    payments: list[SidePayment] = field(default_factory=list)
    """Since the market's start; whoever writes them down may empty it."""
    _days: dict[int, Day] = field(default_factory=dict)
    _ended: Totals = field(default_factory=Totals)
    _final_readings: dict[int, dict[int, MeterValues]] = field(default_factory=dict)
    """Of the last final day: the day after may be estimated from them."""
    _applications: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    _settling: int = 0
    _expected: list[Posting] = field(default_factory=list)
    _moved: list[tuple[int, int, int]] = field(default_factory=list)
    _claims: dict[int, tuple[Money, dict[int, tuple[int, int]]]] = field(default_factory=dict)
    """Income of the balancing fund and claims on it, of final days it may still pay for."""
    _payout: Payout = field(default_factory=lambda: Payout(Money(0), Money(0), Money(0), {}))
    _rewarded: list[Posting] = field(default_factory=list)
    _commissions: list[Posting] = field(default_factory=list)
    """Postings of commissions that are still to come, and those that came of the same transaction."""
    _collected: list[Posting] = field(default_factory=list)
    _ended_brokered: dict[tuple[str, int], dict[int, int]] = field(default_factory=dict)
    """Of final days whose commissions may still be collected, by contract and day."""
    _releases: dict[int, dict[int, int]] = field(default_factory=dict)
    """By day, what settling it releases; as long as no market tells anything."""
    _residual: ResidualReplay = field(init=False)
    intermediaries: IntermediariesReplay = field(init=False)
    markets: dict[str, MarketReplay] = field(init=False)
    """The markets besides the auction by the name of their contract; a pool from its first event on."""

    def __post_init__(self) -> None:
        self._residual = ResidualReplay(self.periods_per_day, self.book, self.rules)
        self.intermediaries = IntermediariesReplay(self.periods_per_day, self.brokered, self.rules)
        self.markets = {
            "WholesaleResidual": self._residual,
            "BilateralContracts": BilateralReplay(self.periods_per_day),
            "ContinuousMarket": IntradayReplay(self.periods_per_day),
        }

    # ------------------------------------------------------------------------------------------ what is known

    @property
    def days_in_flight(self) -> list[int]:
        """Days that something is known of and that are not final."""
        return sorted(self._days)

    def rules(self, day: int) -> MarketRules:
        """The rules that apply to a day."""
        return next(rules for first_day, rules in reversed(self.rules_versions) if first_day <= day)

    def tariffs(self, day: int) -> list[Tariff]:
        """Fallback tariffs of a day by slot: as published, else the standing tariff."""
        return self._known(day).published or [self.rules(day).standing_tariff] * self.periods_per_day

    def book(self, day: int) -> Book:
        """The orders of a day that is not final."""
        return self._known(day).book

    def readings(self, day: int) -> dict[int, MeterValues]:
        """What is known of the meters of a day that is not final, by member."""
        return self._known(day).readings

    def settlement(self, day: int) -> DaySettlement:
        """The day settled by the reference model on the readings known now."""
        own = self._known(day)
        if own.settlement is None:
            own.settlement = settle(self.rules(day), self._delivery(own))
        return own.settlement

    def open_collateral(self) -> dict[tuple[int, int], int]:
        """Money locked by member and day, for the days that are not settled; that of contracts over days at day 0."""
        found: dict[tuple[int, int], int] = defaultdict(int)
        for number, day in self._days.items():
            for id_, locked in day.locked.items():
                found[id_, number] += locked
        for market in self.markets.values():
            if isinstance(market, BilateralReplay):
                for id_, locked in market.locked().items():
                    found[id_, _ROLLING] += locked
                continue
            for number, day in self._days.items():
                for id_, locked in market.release(number).items():
                    found[id_, number] += locked if id_ not in day.released else 0
        return found

    def pool(self, contract: str) -> PoolReplay:
        """The pool of that name."""
        pool = self.markets.setdefault(contract, PoolReplay(self.periods_per_day, Book, self.rules))
        assert isinstance(pool, PoolReplay)
        return pool

    def residual(self, day: int) -> list[Residual]:
        """What the model makes of the wholesale desk's report, by slot; nothing without one."""
        return self._residual.outcomes(day)

    @property
    def pools(self) -> dict[str, PoolReplay]:
        """All pools by the name of their contract."""
        return {name: market for name, market in self.markets.items() if isinstance(market, PoolReplay)}

    def trades(self, day: int) -> dict[str, Trades]:
        """What every market contracted on a day that is not final, by the name of its contract."""
        book = self.book(day)
        trades = {AUCTION: auction_trades(book.standing, book.fills, book.clearing)}
        return trades | {name: market.trades(day) for name, market in self.markets.items()}

    def contracted(self, day: int, besides: Collection[str] = ()) -> dict[int, list[int]]:
        """Net consumption by slot that members contracted so far, Wh; besides: contracts left out."""
        trades = [own for name, own in self.trades(day).items() if name not in besides]
        members = np.unique(np.concatenate([own.participant for own in trades]))
        held = positions(trades, members, self.periods_per_day)
        return dict(zip(members.tolist(), (held.bought - held.sold).tolist(), strict=True))

    def brokered(self, market: str, day: int) -> Mapping[int, int]:
        """Wh by member that the market at an address booked through intermediaries on a day."""
        contract = next((name for name, address in self.addresses.items() if address == market), "")
        return self._brokered_in(contract, day)

    def _brokered_in(self, contract: str, day: int) -> Mapping[int, int]:
        if (contract, day) in self._ended_brokered:
            return self._ended_brokered[contract, day]
        if contract != AUCTION:
            return self.pools[contract].brokered(day) if contract in self.pools else {}
        book = self.book(day)
        return brokered_energy(book.standing, book.fills)

    def totals(self) -> Totals:
        """Counts over all days that are settled."""
        return sum((self._totals_of(day) for day in self._days.values() if day.is_settled), self._ended)

    def _known(self, number: int) -> Day:
        """A day as it is known; one that nothing is known of any more, or yet, is empty."""
        return self._days.get(number) or Day(number, Book(number, self.periods_per_day))

    def _day(self, number: int) -> Day:
        """A day about to change."""
        return self._days.setdefault(number, self._known(number))

    def _delivery(self, day: Day) -> Delivery:
        trades = [*self.trades(day.number).values()]
        traders = {id_ for market in trades for id_ in np.unique(market.participant).tolist()}
        members = sorted({GRID_OPERATOR, *day.readings, *traders})
        participants = np.array(members, np.int64)
        bought, sold, payments = positions(trades, participants, self.periods_per_day)
        metered = self._metered(day, members)
        exchange = self._residual.exchange(day.number)
        if exchange is not None:
            metered[members.index(exchange.desk)] += exchange.net
        return Delivery(
            tariffs=self.tariffs(day.number),
            prices=[clearing.price for clearing in day.book.clearing],
            participants=participants,
            has_meter=np.array([id_ in day.readings or id_ == GRID_OPERATOR for id_ in members]),
            bought=bought,
            sold=sold,
            metered=metered,
            payments=payments,
            penalties=None if exchange is None else exchange.penalties,
            flexible=self._flexible(day, participants),
        )

    def _flexible(self, day: Day, participants: Column) -> Grid:
        """Energy sold back that may earn the premium, Wh."""
        grid = np.zeros((len(participants), self.periods_per_day), np.int64)
        for market in self.markets.values():
            if isinstance(market, FlexibleMarket):
                sold = market.flexible(day.number)
                np.add.at(grid, (np.searchsorted(participants, sold.participant), sold.slot), sold.energy)
        return grid

    def _metered(self, day: Day, members: list[int]) -> Grid:
        """Net energy by member and slot; the grid operator's is the network's losses."""
        net = np.zeros((len(members), self.periods_per_day), np.int64)
        for row, id_ in enumerate(members):
            if id_ in day.readings:
                net[row] = day.readings[id_].net
        if GRID_OPERATOR in day.readings:
            boundary = members.index(GRID_OPERATOR)
            losses = 2 * net[boundary] - net.sum(axis=0)
            net[boundary] = np.where(day.readings[GRID_OPERATOR].status == MISSING, 0, losses)
        return net

    def _totals_of(self, day: Day) -> Totals:
        settled = self.settlement(day.number)
        lost = abs(settled.contracted.sum(axis=0)).sum()
        lost += abs(settled.contracted + settled.imbalance - settled.delivery.metered).sum()
        lost += abs(settled.area.imbalance - settled.imbalance.sum(axis=0)).sum()
        book, fills = day.book.standing, day.book.fills
        prices = np.array([_NO_PRICE if c.price is None else c.price for c in day.book.clearing])[book.slot]
        better = np.where(book.side == Side.BID, prices <= book.tick, prices >= book.tick) & (prices != _NO_PRICE)
        right = (fills >= 0) & (fills <= book.energy) & (better | (fills == 0))
        return Totals(self.periods_per_day, int(lost), len(fills), int((~right).sum()))

    # ----------------------------------------------------------------------------------------------- applying

    def apply(self, events: Iterable[EventLike]) -> None:
        """Apply events in the chain's order."""
        for _ in self.ended_days(events):
            pass

    def ended_days(self, events: Iterable[EventLike]) -> Iterator[int]:
        """Apply events in the chain's order; yields each day that has become final, and then forgets it."""
        for event in events:
            if event.contract in self.markets or event.contract.startswith(POOL):
                self._apply_market(event)
                continue
            handler = getattr(self, f"_on_{event.contract}_{event.name}", None)
            if handler is None:
                continue
            try:
                handler(event.args)
            except LedgerError as error:
                self.differences.append(f"{event.contract} {event.name}: {error}")
            if event.name == "DayFinal":
                yield event.args["day"]
                self._forget(event.args["day"])

    def _apply_market(self, event: EventLike) -> None:
        """What a market tells; what it locks and unlocks follows, what settling releases comes with settling."""
        self._releases.clear()
        name, args = event.name, event.args
        market = self.markets.get(event.contract) or self.pool(event.contract)
        try:
            if isinstance(market, PoolReplay) and name == "SheetAccepted":
                self._day(args["day"])
                self._lock_orders(args["id"], *market.accept(args))
                return
            contracts = market.contracts if isinstance(market, BilateralReplay) else None
            ended = contracts.standing.get(args["number"]) if contracts and name == "Ended" else None
            before = contracts.collateral(args["number"]) if contracts and name == "Ended" else ()
            self.differences += market.apply(name, args)
            if contracts and name == "Concluded":
                for side, locked in zip(("buyer", "seller"), contracts.collateral(args["number"]), strict=True):
                    self.ledger.lock(args[side], locked)
            elif contracts and ended:
                after = contracts.collateral(args["number"])
                for id_, had, has in zip((ended.buyer, ended.seller), before, after, strict=True):
                    self.ledger.unlock(id_, Money(had - has))
            elif isinstance(market, IntradayReplay) and name == "Funded":
                self._day(args["day"])
                self.ledger.lock(args["id"], Money(args["amount"]))
            elif isinstance(market, IntradayReplay) and name == "Defunded":
                self.ledger.unlock(args["id"], Money(args["amount"]))
        except LedgerError as error:
            self.differences.append(f"{event.contract} {name}: {error}")

    def _lock_orders(self, id_: int, change: Money, has_new: bool) -> None:
        """Collateral of a sheet: who is in arrears may cancel orders, not place any."""
        if has_new:
            self.ledger.lock(id_, Money(max(change, 0)))
        if change < 0:
            self.ledger.unlock(id_, Money(-change))

    def _forget(self, number: int) -> None:
        day = self._day(number)
        self._ended += self._totals_of(day)
        self._final_readings = {number: day.readings}
        self._claims = {earlier: claims for earlier, claims in self._claims.items() if earlier > number - _RING}
        self._claims[number] = (self.settlement(number).fund(), self.settlement(number).claims)
        self._ended_brokered = {key: wh for key, wh in self._ended_brokered.items() if key[1] > number - _RING}
        for contract in (AUCTION, *self.pools):
            self._ended_brokered[contract, number] = dict(self._brokered_in(contract, number))
        for market in self.markets.values():
            market.forget(number)
        if number > _RING:
            self.intermediaries.forget(number - _RING)
        self._releases.pop(number, None)
        del self._days[number]

    def _differ(self, what: str, chain: object, model: object) -> None:
        if chain != model:
            self.differences.append(f"{what}: chain {chain}, model {model}")

    def _on_ParticipantRegistry_Applied(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        self._applications[args["account"]] = args

    def _on_ParticipantRegistry_Admitted(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        application = self._applications.pop(args["account"], {})
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
            commission_cap=UnitsPerWh(r["commissionCap"]),
            tolerance_fixed=Wh(r["toleranceFixed"]),
            tolerance_share=r["toleranceShare"],
            min_order_energy=Wh(r["minOrderEnergy"]),
            max_layers=r["maxLayers"],
            imbalance_pricing=ImbalancePricing(r["imbalancePricing"]),
            charge_helpful=r["chargeHelpful"],
            boundary_margin=Wh(r["boundaryMargin"]),
            wholesale_margin=UnitsPerWh(r["wholesaleMargin"]),
            penalty_cap=UnitsPerWh(r["penaltyCap"]),
            premium_rate=UnitsPerWh(r["premiumRate"]),
            reward_share=r["rewardShare"],
        )
        self.rules_versions = [version for version in self.rules_versions if version[0] < args["firstDay"]]
        self.rules_versions.append((args["firstDay"], rules))

    def _on_MarketRules_DayFinal(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        self.final_days.add(args["day"])

    def _on_FallbackSupply_TariffsPublished(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        lanes = [lane for word in args["words"] for lane in unpack(word)[1]]
        self._day(args["day"]).published = [Tariff.of_lane(lane) for lane in lanes]

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
        id_, day, rules = args["id"], self._day(args["day"]), self.rules(args["day"])
        gone, come = day.book.accept(args)
        is_brokered = day.book.is_brokered(args)
        change = order_collateral(decode_lanes(come), rules, is_brokered)
        if gone.any():
            change = Money(change - order_collateral(decode_lanes(gone), rules, is_brokered))
        day.locked[id_] += change
        self._lock_orders(id_, change, bool(((come != gone) & (come != 0)).any()))

    def _on_CallAuction_Cleared(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        day, slot = args["day"], args["slot"]
        model = self.book(day).clearing[slot]
        rationed = 0 if model.rationed is None else model.rationed + 1
        self._differ(
            f"clearing of day {day}, slot {slot} (price, volume, rationed, share, marginal)",
            tuple(args[name] for name in ("price", "volume", "rationed", "share", "marginal")),
            (model.price or 0, model.volume, rationed, model.share, model.marginal),
        )

    def _on_MeterReadings_ReadingsAccepted(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        net = net_consumption(args["registers"])
        own = self._values(args["id"], args["day"])
        sent = slice(args["firstStrip"] * LANES, args["firstStrip"] * LANES + len(net))
        own.net[sent] = net
        own.status[sent] = np.where(own.status[sent] == MISSING, MEASURED, CORRECTED)

    def _on_MeterReadings_Estimated(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        id_, number, first = args["id"], args["day"], args["strip"] * LANES
        before = self._final_readings.get(number - 1) or self.readings(number - 1)
        strip = slice(first, first + LANES)
        preceding = before[id_].net[strip].tolist() if id_ in before else [0] * LANES
        estimates = [Reading.of_lane(lane) for lane in unpack(args["word"])[1]]
        self._differ(
            f"estimates of member {id_}, day {number}, from slot {first} on",
            [(value.net, value.estimated) for value in estimates],
            [(net, True) for net in preceding],
        )
        own = self._values(id_, number)
        own.net[strip] = [value.net for value in estimates]
        own.status[strip] = ESTIMATED

    def _values(self, id_: int, number: int) -> MeterValues:
        """A member's readings of a day, about to change."""
        day, slots = self._day(number), self.periods_per_day
        day.settlement = None
        if id_ not in day.readings:
            day.readings[id_] = MeterValues(np.zeros(slots, np.int64), np.full(slots, MISSING, np.int8))
        return day.readings[id_]

    def _on_Schedule_Scheduled(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        id_, day = args["id"], args["day"]
        chain = net_of_lanes(unpack_all([word.to_bytes(32, "big") for word in args["net"]])[1]).ravel()
        model = self.settlement(day).schedule.get(id_, np.zeros(self.periods_per_day, np.int64))
        if not np.array_equal(chain, model):
            self._differ(f"schedule of member {id_}, day {day}", chain.tolist(), model.tolist())

    # --------------------------------------------------------------------------------------------- settlement
    #
    # A settling transaction posts batches that each end with the clearing house: when a walk begins, that of the
    # fallback supplier, and of the wholesale desk if it is owed penalties; then its members'; after the last member
    # those of the fund, the operator and the grid operator. The balancing fund's own batches begin with the fund.

    def _on_Settlement_SettlementBegun(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        self._settling = args["day"]
        self._expected = [self._posting_to(FALLBACK_SUPPLIER, self.settlement(self._settling).fallback())]

    def _on_Settlement_Settled(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        id_, self._settling = args["id"], args["day"]
        bill = self.settlement(self._settling).bills.get(id_, _NO_BILL)
        due = {name: amount for name, amount in bill._asdict().items() if name in args}
        self._differ(f"settlement of member {id_}, day {self._settling}", {name: args[name] for name in due}, due)
        change = self._change(id_, -sum(bill))
        self._expected.append(Posting(id_, change, self._release(id_)))

    def _on_Settlement_PenaltyCharged(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        bill = self.settlement(args["day"]).bills.get(args["id"], _NO_BILL)
        self._differ(f"penalty of member {args['id']}, day {args['day']}", args["penalty"], bill.penalty)

    def _on_Settlement_PenaltyDue(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        due = self.settlement(args["day"]).desk()
        self._differ(f"penalties of day {args['day']}", args["penalty"], due)
        self._expected.append(self._posting_to(args["desk"], due))

    def _release(self, id_: int) -> Money:
        """Collateral of a member that settling the day releases, the first time."""
        day = self._day(self._settling)
        release = day.locked.pop(id_, 0)
        if id_ not in day.released:
            day.released.add(id_)
            release += self._releases_of(day.number).get(id_, 0)
        return Money(release)

    def _releases_of(self, number: int) -> dict[int, int]:
        if number not in self._releases:
            found: dict[int, int] = defaultdict(int)
            for market in self.markets.values():
                for id_, release in market.release(number).items():
                    found[id_] += release
            self._releases[number] = found
        return self._releases[number]

    def _on_Accounts_Posted(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        if self._commissions:
            self._post_commission(Posting(args["id"], args["amount"], args["release"]))
            return
        if not self._expected and not self._rewarded:
            self._expected = self._pay_out(self.settlement(self._settling))
        self._moved.append((args["id"], args["amount"], args["release"]))
        paid = self._rewarded or self._expected
        if len(self._moved) <= len(paid):
            return
        other_side = Money(-sum(posting.amount for posting in paid))
        fund, house = Posting(BALANCING_FUND, other_side), Posting(CLEARING_HOUSE, other_side)
        batch = [fund, *paid] if self._rewarded else [*paid, house]
        expected = [(posting.account, posting.amount, posting.release) for posting in batch]
        what = "postings of the balancing fund" if self._rewarded else f"postings of day {self._settling}"
        self._differ(what, self._moved, expected)
        self.ledger.post(batch)
        self._moved, self._expected, self._rewarded = [], [], []

    # -------------------------------------------------------------------------------------------- commissions

    def _on_Intermediaries_MandateGiven(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        self.differences += self.intermediaries.apply("MandateGiven", args)

    def _on_Intermediaries_CommissionPublished(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        self.differences += self.intermediaries.apply("CommissionPublished", args)

    def _on_Intermediaries_CommissionPaid(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        self.differences += self.intermediaries.apply("CommissionPaid", args)
        self._commissions += self.intermediaries.postings(args)
        self._pay(args["client"], args["day"], "commission", -args["amount"])
        self._pay(args["intermediary"], args["day"], "commission", args["amount"])

    def _post_commission(self, posting: Posting) -> None:
        expected = self._commissions.pop(0)
        self._differ("posting of a commission", posting, expected)
        self._collected.append(expected)
        if not self._commissions:
            self.ledger.post(self._collected)
            self._collected = []

    def _pay(self, id_: int, day: int, what: str, amount: int) -> None:
        if amount:
            self.payments.append(SidePayment(id_, day, what, Money(amount)))

    # ----------------------------------------------------------------------------------------- balancing fund

    def _on_BalancingFund_DayOpened(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        day = args["day"]
        income, claims = self._claims[day]
        provisional = sum(open_day.posted[-BALANCING_FUND] for open_day in self._days.values())
        available = self.ledger.record(BALANCING_FUND).free - provisional
        self._payout = pay_claims(self.rules(day), income, available, claims)
        self._differ(
            f"what the balancing fund has for day {day} (income, claimed, premiums, rewards)",
            tuple(args[name] for name in ("income", "claimed", "premiums", "rewards")),
            (income, *self._payout[:3]),
        )

    def _on_BalancingFund_Rewarded(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        id_, paid = args["id"], self._payout.paid.pop(args["id"], (0, 0))
        self._differ(f"premium and reward of member {id_}", (args["premium"], args["reward"]), paid)
        self._rewarded.append(Posting(id_, Money(sum(paid))))
        for what in ("premium", "reward"):
            self._pay(id_, args["day"], what, args[what])

    def _on_BalancingFund_DayPaid(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        self._differ(f"claims of day {args['day']} that were not paid", {}, self._payout.paid)

    def _on_Settlement_DaySettled(self, args: Mapping[str, Any]) -> None:  # noqa: N802
        day = args["day"]
        settlement = self.settlement(day)
        self._differ(
            f"settlement of day {day} (fallback supply, fund, operator, grid)",
            tuple(args[name] for name in ("fallbackSupply", "fund", "operator", "grid")),
            (settlement.fallback(), settlement.fund(), settlement.operator(), settlement.grid_operator()),
        )
        self._day(day).is_settled = True

    def _pay_out(self, settlement: DaySettlement) -> list[Posting]:
        return [
            self._posting_to(BALANCING_FUND, settlement.fund()),
            self._posting_to(OPERATOR, settlement.operator()),
            self._posting_to(GRID_OPERATOR, settlement.grid_operator()),
        ]

    def _posting_to(self, office: int, amount: Money) -> Posting:
        return Posting(office, self._change(-office, amount))

    def _change(self, key: int, amount: int) -> Money:
        """Difference to what was posted for the day before."""
        posted = self._day(self._settling).posted
        change = amount - posted[key]
        posted[key] = amount
        return Money(change)
