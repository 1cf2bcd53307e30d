"""How simulated participants turn a forecast into orders.

They offer their whole forecast, within their connection's capacity, as one order per slot, and differ in the limit:
but for `Quantile`, which orders each Wh at what it is worth. The limit lies in the slot's *band*, but for traders who
are to be that foolish: nobody bids more than the fallback supplier's price less the fees of a trade, nobody asks for
less than it pays plus the fees, so that whoever trades is never worse off than with the fallback tariff. Where the fees
eat the whole difference the band is empty and the limits simply do not meet.

Every participant draws from its own random stream, named by the scenario's seed, the participant and, where each day
is drawn anew, the day: nobody's orders depend on who else takes part, but by what it has learnt.
`dem.community.adaptive` has those who learn, `dem.community.catalogue` all by name.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, ClassVar, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from dem.errors import InputError
from dem.model.markets.auction import Column, OrderBook, as_orders
from dem.model.markets.dealing import Band
from dem.model.orders import MAX_ENERGY, Order, Side
from dem.model.rules import MarketRules, Tariff
from dem.model.units import MAX_TICK


class Bands(NamedTuple):
    """The band of every slot, as columns."""

    floor: Column
    ceiling: Column

    @staticmethod
    def of(tariffs: Sequence[Tariff], rules: MarketRules, commission: int = 0) -> "Bands":
        """The bands of a day."""
        bands = [Band.of(tariff, rules, commission) for tariff in tariffs]
        rows = [(band.floor, band.ceiling) for band in bands]
        return Bands(*np.array(rows, np.int64).reshape(-1, 2).T)


class OrderColumns(NamedTuple):
    """Orders as columns of one length; the fields are those of `Order`."""

    participant: Column
    layer: Column
    slot: Column
    side: Column
    tick: Column
    energy: Column

    @staticmethod
    def of(book: OrderBook) -> "OrderColumns":
        """The orders of a book, which are checked."""
        return OrderColumns(*(getattr(book, name) for name in OrderColumns._fields))

    @staticmethod
    def together(parts: Sequence["OrderColumns"]) -> "OrderColumns":
        """One after the other."""
        return OrderColumns(
            *(np.concatenate([_NOTHING, *columns]) for columns in zip(*(NO_ORDERS, *parts), strict=True))
        )

    def orders(self) -> list[Order]:
        """The orders, in their order."""
        return as_orders(self)

    def within(self, bought: Column, sold: Column, least: int) -> "OrderColumns":
        """One member's orders as far as they go, Wh by slot; none smaller than the least."""
        left = {Side.BID: bought.tolist(), Side.ASK: sold.tolist()}
        energy = self.energy.copy()
        for row, (slot, side) in enumerate(zip(self.slot.tolist(), self.side.tolist(), strict=True)):
            energy[row] = min(int(energy[row]), max(0, left[Side(side)][slot]))
            energy[row] *= energy[row] >= least
            left[Side(side)][slot] -= int(energy[row])
        columns = self._replace(energy=energy)
        return OrderColumns(*(column[energy > 0] for column in columns))


_SIDES = ("buy", "sell")
_NOTHING: Column = np.zeros(0, np.int64)
NO_ORDERS = OrderColumns(*[_NOTHING] * len(OrderColumns._fields))
WHOLE_BAND = 1_000
"""Its width, in the parts in which it is shared."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What a participant knows when it makes its orders of a day.

    participant: its number in the registry. name: its name in the scenario.
    day: delivery day, from 1. seed: the scenario's.
    forecast: net consumption, Wh per slot. tariffs: fallback prices per slot.
    import_capacity, export_capacity: Wh per period. commission: of an intermediary, beside the fees, units/Wh.
    known_bands: of these tariffs, if somebody has worked them out already.
    past: net consumption as it may turn out, Wh, less what is contracted: a row per day that it may be like, a column
    per slot. None if nothing is known but the forecast.
    step, steps: which of the day's times to order this is, from 0, and how many there are: the day-ahead auction, then
    the intraday sessions. memory: what its strategy has made of the days that have ended.
    """

    participant: int
    name: str
    day: int
    seed: int
    forecast: Sequence[int]
    tariffs: Sequence[Tariff]
    rules: MarketRules
    import_capacity: int
    export_capacity: int
    commission: int = 0
    known_bands: "Bands | None" = None
    past: Column | None = None
    step: int = 0
    steps: int = 1
    memory: Any = None

    def __post_init__(self) -> None:
        if len(self.forecast) != len(self.tariffs):
            lengths = (len(self.forecast), len(self.tariffs))
            raise InputError(f"{self.name}: slots of forecast and tariffs", lengths, "must agree")

    @property
    def bands(self) -> "Bands":
        """Between which limits it orders."""
        return self.known_bands or Bands.of(self.tariffs, self.rules, self.commission)


@dataclass(frozen=True, slots=True)
class Ended:
    """A day that is final, as one participant knows it. Columns have an entry by slot, but for orders and filled.

    prices: of the day-ahead auction, ticks, -1 where nothing was traded. traded: energy of everybody there, Wh.
    bands: those of the day. orders: its own there, as taken. filled: of each of them, Wh.
    contracted, metered: its net consumption, of all markets and at the meter, Wh.
    paid: what it owes for the day, negative if it receives, before what the fund returns, money units.
    alone: what it would owe at the fallback tariffs for what its meter showed.
    tick: distance of two prices, units/Wh.
    memory: what its strategy remembered when it ordered.
    """

    day: int
    name: str
    seed: int
    prices: Column
    traded: Column
    bands: Bands
    orders: OrderColumns
    filled: Column
    contracted: Column
    metered: Column
    paid: int
    alone: int
    tick: int
    memory: Any


class Strategy(BaseModel, ABC):
    """A way of making orders. Its fields are its parameters, as a scenario may set them.

    `wanted` is enough. Whoever remembers says in `begin` what it knows at first, and in `learn` what it makes of every
    day that has ended; `Situation.memory` has it.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    name: ClassVar[str]

    @abstractmethod
    def wanted(self, situation: Situation) -> Sequence[int] | Column | None:
        """The part of the band that the participant wants for itself, 1/1000 by slot; None if it has no orders."""

    def columns(self, situation: Situation) -> OrderColumns:
        """The participant's orders of the day, in slot order."""
        wanted = self.wanted(situation)
        if wanted is None:
            return NO_ORDERS
        permille = np.asarray(wanted)
        slots = len(situation.forecast)
        if permille.shape != (slots,) or (slots and permille.dtype.kind not in "iu"):
            raise InputError(f"{situation.name}: wanted", None, f"must be {slots} whole numbers, one for each slot")
        if slots and not 0 <= int(permille.min()) <= int(permille.max()) <= WHOLE_BAND:
            raise InputError(f"{situation.name}: wanted", permille.tolist(), f"must be 0 to {WHOLE_BAND} in each slot")
        return in_band(situation, permille)

    def begin(self, name: str, seed: int, slots: int) -> Any:  # noqa: ARG002
        """What a participant of that name remembers before anything has happened."""
        return None

    def learn(self, memory: Any, ended: Ended) -> Any:  # noqa: ARG002
        """What it remembers after another day; the memory is its own to change."""
        return memory

    @property
    def learns(self) -> bool:
        """Whether it makes anything of the days that have ended."""
        return type(self).learn is not Strategy.learn

    def orders(self, situation: Situation) -> list[Order]:
        """The same, one by one."""
        return self.columns(situation).orders()


class NoOrders(Strategy):
    """Stays out of the market and is billed by the fallback supplier."""

    name: ClassVar[str] = "none"

    def wanted(self, situation: Situation) -> None:
        """Nothing."""


class Truthful(Strategy):
    """States its own reservation price.

    A kWh from the neighbour replaces one from the supplier, yet not everybody moves for a
    thousandth: each participant wants at least a certain part of the band for itself, drawn once
    from 0..max_gain_permille and kept for all days and slots. With 500 or less every bid is at or
    above the middle of the band and every ask at or below it, so nobody's wish keeps energy from
    being traded and the price follows scarcity: near the ceiling where the area is short, near
    the floor where it is long. With 0 all limits are equal and it jumps between the two.
    """

    name: ClassVar[str] = "truthful"

    max_gain_permille: int = Field(default=500, ge=0, le=1000)

    def wanted(self, situation: Situation) -> list[int]:
        """Bids at ceiling minus the gain wanted, asks at floor plus it."""
        wanted = stream(situation.seed, situation.name).randint(0, self.max_gain_permille)
        return [wanted] * len(situation.forecast)


class Quantile(Strategy):
    """Orders each Wh at what it is worth where an imbalance is priced at the tariffs.

    A Wh more that is bought replaces one from the supplier if it is needed, and is sold back to the supplier if not. So
    it is worth sell + (buy - sell) x the chance that it is needed, which the meter's past tells: of n days that the
    coming one may be like, the i-th lowest net consumption is reached with (n + 1 - i) of n + 1 chances, whatever the
    distribution. The order at the i-th lowest reaches from the one before up to there, so each Wh of it is needed at
    least that surely. A plant's Wh is worth what its owner pays, by that chance, if it does not come. Fees come on top.
    Pinson, Chevallier and Kariniotakis (2007) order one such quantile, for one price that is expected; this is their
    quantile for every price.

    Where nothing is known but a forecast, it orders that as `Truthful` does.
    """

    name: ClassVar[str] = "quantile"

    steps: int = Field(default=4, ge=1, le=16)
    """Orders in a slot at most, each in a layer of its own; no more than the rules admit."""

    def wanted(self, situation: Situation) -> list[int]:
        """The whole forecast at a truthful limit."""
        return Truthful().wanted(situation)

    def columns(self, situation: Situation) -> OrderColumns:
        """Bids for what may be drawn, asks for what may be fed in; in one slot both, if it may be either."""
        if situation.past is None:
            return super().columns(situation)
        rules, past = situation.rules, np.sort(situation.past, axis=0)
        past = np.clip(past, -situation.export_capacity, situation.import_capacity)
        chances, steps = len(past) + 1, min(self.steps, rules.max_layers, len(past))
        ranks = [max(1, chances * step // (steps + 1)) for step in range(1, steps + 1)]
        buy, sell = (np.array([getattr(tariff, side) for tariff in situation.tariffs], np.int64) for side in _SIDES)
        nothing = np.zeros((1, past.shape[1]), np.int64)
        drawn, fed = (np.maximum(sign * past[[rank - 1 for rank in ranks]], 0) for sign in (1, -1))
        energies = np.diff(np.vstack([nothing, drawn]), axis=0), -np.diff(np.vstack([fed, nothing]), axis=0)
        fees, prices = (rules.fees + situation.commission) * chances, rules.prices
        # Ticks of prices that are worths divided by the chances.
        lowest, scale = prices.lowest * chances, prices.tick * chances
        parts = []
        for step, rank in enumerate(ranks):
            worth = sell * chances + (buy - sell) * (chances - rank)
            ticks = (worth - fees - lowest) // scale, -(-(worth + fees - lowest) // scale)
            for side in Side:
                parts.append(_step(situation, step, side, ticks[side], energies[side][step]))
        columns = OrderColumns.together(parts)
        in_order = np.lexsort((columns.layer, columns.slot))
        return OrderColumns(*(column[in_order] for column in columns))


class ZeroIntelligence(Strategy):
    """Random limits that lose nothing: the ZI-C traders of Gode and Sunder (1993).

    Each slot's limit is drawn evenly from the whole band.
    """

    name: ClassVar[str] = "zero_intelligence"

    def wanted(self, situation: Situation) -> list[int]:
        """Bids and asks anywhere in the band."""
        draws = stream(situation.seed, situation.name, situation.day)
        return [draws.randint(0, 1000) for _ in situation.forecast]


class UnconstrainedZeroIntelligence(Strategy):
    """Random limits that heed no loss: the ZI-U traders of Gode and Sunder (1993).

    Each slot's limit is drawn evenly from nothing to the highest tariff that the rules allow, whatever the band.
    """

    name: ClassVar[str] = "zero_intelligence_unconstrained"

    def wanted(self, situation: Situation) -> None:
        """No part of the band: limits lie outside it, too."""

    def columns(self, situation: Situation) -> OrderColumns:
        """Bids and asks at any tick."""
        draws, rules = stream(situation.seed, situation.name, situation.day), situation.rules
        least, most = rules.prices.zero, rules.prices.nearest(rules.prices.tick_down(rules.max_buy))
        return at_limits(situation, [draws.randint(least, most) for _ in situation.forecast])


class Ramp(Strategy):
    """Wants much at first, and less each time it may order, in equal steps: from the auction to the last session.

    Where the day-ahead auction is the only time it asks for what it wants at the last.
    """

    name: ClassVar[str] = "ramp"

    first_permille: int = Field(default=WHOLE_BAND, ge=0, le=WHOLE_BAND)
    last_permille: int = Field(default=0, ge=0, le=WHOLE_BAND)

    def wanted(self, situation: Situation) -> list[int]:
        """The same in all slots."""
        left, whole = situation.steps - 1 - situation.step, max(1, situation.steps - 1)
        wanted = self.last_permille + (self.first_permille - self.last_permille) * left // whole
        return [wanted] * len(situation.forecast)


class Inattentive(Strategy):
    """Truthful on the days on which it remembers to order, which are drawn; the market's others it lets pass."""

    name: ClassVar[str] = "inattentive"

    forgets_permille: int = Field(default=200, ge=0, le=1_000)
    """Of the days."""
    max_gain_permille: int = Field(default=500, ge=0, le=WHOLE_BAND)

    def wanted(self, situation: Situation) -> list[int] | None:
        """As `Truthful`, or nothing."""
        if stream(situation.seed, situation.name, situation.day, self.name).randrange(1_000) < self.forgets_permille:
            return None
        return Truthful(max_gain_permille=self.max_gain_permille).wanted(situation)


def in_band(situation: Situation, permille: Sequence[int] | Column) -> OrderColumns:
    """One order per slot, its limit permille[slot]/1000 of the band away from its own edge."""
    floor, ceiling = situation.bands
    inside = np.maximum(0, ceiling - floor) * np.asarray(permille, np.int64) // WHOLE_BAND
    # A bid of the highest limit that can be said is still at or below what it is worth.
    bid = np.minimum(ceiling - inside, MAX_TICK)
    return at_limits(situation, np.where(np.asarray(situation.forecast, np.int64) > 0, bid, floor + inside))


def at_limits(situation: Situation, limit: Sequence[int] | Column) -> OrderColumns:
    """One order per slot for the whole forecast at these limits, ticks; none where that is none that can be said."""
    net, limit = np.asarray(situation.forecast, np.int64), np.asarray(limit, np.int64)
    is_bid = net > 0
    capacity = np.where(is_bid, situation.import_capacity, situation.export_capacity)
    energy = np.minimum(abs(net), np.minimum(capacity, MAX_ENERGY))
    slot = np.flatnonzero((energy >= situation.rules.min_order_energy) & (limit >= 0) & (limit <= MAX_TICK))
    return OrderColumns(
        participant=np.full(len(slot), situation.participant, np.int64),
        layer=np.zeros(len(slot), np.int64),
        slot=slot,
        side=np.where(is_bid, Side.BID, Side.ASK)[slot],
        tick=limit[slot],
        energy=energy[slot],
    )


def _step(situation: Situation, layer: int, side: Side, tick: Column, energy: Column) -> OrderColumns:
    """Orders of one layer and side, but for those whose limit nobody's worth meets."""
    floor, ceiling = situation.bands
    is_sent = (tick >= np.maximum(floor, 0)) & (tick <= np.minimum(ceiling, MAX_TICK))
    slot = np.flatnonzero(is_sent & (energy >= situation.rules.min_order_energy))
    return OrderColumns(
        participant=np.full(len(slot), situation.participant, np.int64),
        layer=np.full(len(slot), layer, np.int64),
        slot=slot,
        side=np.full(len(slot), side, np.int64),
        tick=tick[slot],
        energy=np.minimum(energy, MAX_ENERGY)[slot],
    )


def stream(*name: int | str) -> Random:
    """The random stream of that name: the same numbers on every machine."""
    return Random("/".join(map(str, name)))
