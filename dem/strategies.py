"""How simulated participants turn a forecast into orders.

All of them offer their whole forecast, within their connection's capacity, as one order per slot.
They differ in the limit. It always lies in the slot's *band*: nobody bids more than the fallback
supplier's price less the fees of a trade, nobody asks for less than it pays plus the fees, so that
whoever trades is never worse off than with the fallback tariff. Where the fees eat the whole
difference the band is empty and the limits simply do not meet.

Every participant draws from its own random stream, named by the scenario's seed, the participant
and, for zero intelligence, the day: nobody's orders depend on who else takes part.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from dem.errors import InputError
from dem.orders import MAX_ENERGY, Order, Side
from dem.settlement import MarketRules, Tariff
from dem.units import MAX_TICK, TICK_UNITS, Tick, Wh


@dataclass(frozen=True, slots=True)
class Situation:
    """What a participant knows when it makes its orders of a day.

    participant: its number in the registry. name: its name in the scenario.
    day: delivery day, from 1. seed: the scenario's.
    forecast: net consumption, Wh per slot. tariffs: fallback prices per slot.
    import_capacity, export_capacity: Wh per period. commission: of an intermediary, beside the fees, units/Wh.
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

    def __post_init__(self) -> None:
        if len(self.forecast) != len(self.tariffs):
            lengths = (len(self.forecast), len(self.tariffs))
            raise InputError(f"{self.name}: slots of forecast and tariffs", lengths, "must agree")


@dataclass(frozen=True, slots=True)
class Band:
    """Limits of one slot at which a trade is worth its fees, in ticks before any clamping.

    floor: lowest ask, the fallback supplier's sell price plus fees, rounded up.
    ceiling: highest bid, its buy price less fees, rounded down.
    """

    floor: int
    ceiling: int

    @staticmethod
    def of(tariff: Tariff, rules: MarketRules, commission: int = 0) -> "Band":
        """The band of one slot."""
        fees = rules.fees + commission
        return Band(
            floor=-(-(tariff.sell + fees) // TICK_UNITS),
            ceiling=(tariff.buy - fees) // TICK_UNITS,
        )

    def inside(self, permille: int) -> int:
        """Ticks from either edge into the band: a share 0..1000 of its width, rounded down."""
        return max(0, self.ceiling - self.floor) * permille // 1000


class Strategy(BaseModel, ABC):
    """A way of making orders. Its fields are its parameters, as a scenario may set them."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    name: ClassVar[str]

    @abstractmethod
    def orders(self, situation: Situation) -> list[Order]:
        """The participant's orders of the day, in slot order."""


class NoOrders(Strategy):
    """Stays out of the market and is billed by the fallback supplier."""

    name: ClassVar[str] = "none"

    def orders(self, situation: Situation) -> list[Order]:  # noqa: ARG002
        """None."""
        return []


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

    def orders(self, situation: Situation) -> list[Order]:
        """Bids at ceiling minus the gain wanted, asks at floor plus it."""
        wanted = _stream(situation.seed, situation.name).randint(0, self.max_gain_permille)
        return _orders(situation, [wanted] * len(situation.forecast))


class ZeroIntelligence(Strategy):
    """Random limits that lose nothing: the ZI-C traders of Gode and Sunder (1993).

    Each slot's limit is drawn evenly from the whole band.
    """

    name: ClassVar[str] = "zero_intelligence"

    def orders(self, situation: Situation) -> list[Order]:
        """Bids and asks anywhere in the band."""
        stream = _stream(situation.seed, situation.name, situation.day)
        return _orders(situation, [stream.randint(0, 1000) for _ in situation.forecast])


STRATEGIES: Mapping[str, type[Strategy]] = {
    strategy.name: strategy for strategy in (NoOrders, Truthful, ZeroIntelligence)
}
"""All strategies by the name a scenario calls them."""


def strategy_named(name: str, where: str = "strategy") -> type[Strategy]:
    """The strategy of that name, a model of its parameters.

    Raises:
        InputError: there is none; the message lists those there are.
    """
    if name not in STRATEGIES:
        raise InputError(where, name, f"is no strategy; known are {', '.join(STRATEGIES)}")
    return STRATEGIES[name]


def _orders(situation: Situation, permille: Sequence[int]) -> list[Order]:
    """One order per slot, its limit permille[slot]/1000 of the band away from its own edge."""
    orders = []
    for slot, net in enumerate(situation.forecast):
        side = Side.BID if net > 0 else Side.ASK
        capacity = situation.import_capacity if net > 0 else situation.export_capacity
        energy = min(abs(net), capacity, MAX_ENERGY)
        band = Band.of(situation.tariffs[slot], situation.rules, situation.commission)
        inside = band.inside(permille[slot])
        limit = band.ceiling - inside if side is Side.BID else band.floor + inside
        if side is Side.BID:
            limit = min(limit, MAX_TICK)  # still at or below what it is worth
        if energy >= situation.rules.min_order_energy and 0 <= limit <= MAX_TICK:
            orders.append(
                Order(
                    participant=situation.participant,
                    layer=0,
                    slot=slot,
                    side=side,
                    tick=Tick(limit),
                    energy=Wh(energy),
                )
            )
    return orders


def _stream(*name: int | str) -> Random:
    """The random stream of that name: the same numbers on every machine."""
    return Random("/".join(map(str, name)))
