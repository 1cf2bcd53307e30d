"""Strategies that learn from one day to the next, and the rules of the literature that they follow.

All of them take a slot's band for the whole range of prices: 0 is the floor, what an ask is worth at least, and 1 the
ceiling, what a bid is worth at most. So a slot in which nothing can be earned, and one in which much can, teach alike.
What the papers do after each trade of a continuous auction is done here after each day, slot by slot; `dem.lab.traders`
has the same rules in a continuous auction. So they work on arrays: of a number for each slot, or of one alone.
"""

from dataclasses import dataclass
from random import Random
from typing import ClassVar, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from dem.community.strategies import WHOLE_BAND, Ended, Situation, Strategy, stream
from dem.model.orders import Side

Reals: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]

NARROWEST = 1e-9
"""Of a steepness and of a range, below which they are taken to be nothing."""


# --------------------------------------------------------------------------------------------------------------- ZIP


@dataclass
class Margins:
    """What a ZIP trader wants beyond its own worth, and how it moves (Cliff and Bruten 1997).

    rate: how much of the way to its target it goes at a time. momentum: of the last move that is kept.
    """

    value: Reals
    moved: Reals
    rate: float
    momentum: float

    BEYOND: ClassVar[float] = 0.05
    """How far beyond a price a target is at most."""

    @staticmethod
    def drawn(draws: Random, count: int) -> "Margins":
        """With the parameters that Cliff and Bruten draw: evenly, .05 to .35, .1 to .5 and 0 to .1."""
        first = draws.uniform(0.05, 0.35)
        return Margins(np.full(count, first), np.zeros(count), draws.uniform(0.1, 0.5), draws.uniform(0.0, 0.1))

    def move(self, where: Flags, target: Reals) -> None:
        """Some of them towards a target, by the rule of Widrow and Hoff with momentum."""
        step = self.momentum * self.moved + (1 - self.momentum) * self.rate * (target - self.value)
        self.moved = np.where(where, step, self.moved)
        self.value = np.maximum(0.0, np.where(where, self.value + step, self.value))


class Zip(Strategy):
    """Zero intelligence plus (Cliff and Bruten 1997): asks for more after a good price, for less if left over.

    A target lies beyond the day's price by up to .05 of the band, drawn anew each time. Who was left over in a slot
    without a price goes back towards its own worth.
    """

    name: ClassVar[str] = "zip"

    def begin(self, name: str, seed: int, slots: int) -> Margins:
        """The same margin in all slots, drawn."""
        return Margins.drawn(stream(seed, name, self.name), slots)

    def wanted(self, situation: Situation) -> NDArray[np.int64]:
        """Its margins."""
        return _permille(situation.memory.value)

    def learn(self, memory: Margins, ended: Ended) -> Margins:
        """Of every slot in which it had ordered."""
        lessons, draws = Lessons.of(ended), stream(ended.seed, ended.name, ended.day, self.name)
        beyond = np.array([draws.uniform(0.0, memory.BEYOND) for _ in lessons.asked])
        is_good = lessons.asked <= lessons.gained
        moves = lessons.ordered & (is_good | ~lessons.filled)
        target = np.where(is_good, np.minimum(1.0, lessons.gained + beyond), lessons.gained - beyond)
        memory.move(moves, np.where(lessons.has_price, target, 0.0))
        return memory


# ---------------------------------------------------------------------------------------------------------------- AA


class Targets(NamedTuple):
    """At which prices an adaptive-aggressive trader aims (Vytelingum, Cliff and Jennings 2008).

    Prices of a trader as passive, as neutral and as aggressive as can be.
    """

    passive: Reals
    neutral: Reals
    sure: Reals

    @staticmethod
    def of(is_buyer: Flags, worth: Reals, expected: Reals, highest: float) -> "Targets":
        """worth: its limit. expected: the price of equilibrium. highest: that can be asked."""
        neutral = np.where(is_buyer, np.minimum(worth, expected), np.maximum(worth, expected))
        return Targets(np.where(is_buyer, 0.0, highest), neutral, worth)

    def at(self, aggressiveness: Reals, steepness: Reals) -> Reals:
        """The price at an aggressiveness from -1, as good as can be, to 1, as sure as can be."""
        end = np.where(aggressiveness > 0, self.sure, self.passive)
        share = abs(aggressiveness)
        is_steep = abs(steepness) > NARROWEST
        steep = np.where(is_steep, steepness, 1.0)
        curve: Reals = np.where(is_steep, np.expm1(share * steep) / np.expm1(steep), share)
        price: Reals = self.neutral + (end - self.neutral) * curve
        return price

    def aggressiveness(self, price: Reals, steepness: Reals) -> Reals:
        """The one at which this would be the price, as far as there is one."""
        is_surer = (price - self.neutral) * (self.sure - self.passive) > 0
        way = np.where(is_surer, self.sure, self.passive) - self.neutral
        is_way = abs(way) > NARROWEST
        share = np.clip((price - self.neutral) / np.where(is_way, way, 1.0), 0.0, 1.0)
        is_steep = abs(steepness) > NARROWEST
        steep = np.where(is_steep, steepness, 1.0)
        inverse = np.where(is_steep, np.log1p(share * np.expm1(steep)) / steep, share)
        found: Reals = np.where(is_way, np.where(is_surer, inverse, -inverse), 0.0)
        return found


@dataclass
class Aggressiveness:
    """What an adaptive-aggressive trader makes of prices.

    short, long: how fast it adapts to a price, and to how much prices vary. prices, varied: the last of each, newest
    last; not a number where there are none.
    """

    short: float
    long: float
    value: Reals
    steepness: Reals
    prices: Reals
    varied: Reals

    RELATIVE: ClassVar[float] = 0.02
    ABSOLUTE: ClassVar[float] = 0.01
    """How far beyond what was needed it goes, as a share and as an amount: our choice."""
    LEAST: ClassVar[float] = -8.0
    MOST: ClassVar[float] = 2.0
    GAMMA: ClassVar[float] = 2.0
    WINDOW: ClassVar[int] = 30
    """Prices that it remembers."""
    WEIGHT: ClassVar[float] = 0.9
    """Of each beside the next."""

    @staticmethod
    def drawn(draws: Random, count: int) -> "Aggressiveness":
        """Neutral, with rates from .2 to .6, evenly."""
        short, long = draws.uniform(0.2, 0.6), draws.uniform(0.2, 0.6)
        nothing = np.full((Aggressiveness.WINDOW, count), np.nan)
        return Aggressiveness(short, long, np.zeros(count), np.full(count, -4.0), nothing, nothing.copy())

    @property
    def expected(self) -> Reals:
        """The price of equilibrium: a mean of the last prices that gives the newest most weight."""
        weights = self.WEIGHT ** np.arange(self.WINDOW - 1, -1, -1.0)[:, np.newaxis]
        known = ~np.isnan(self.prices)
        sums = (weights * known).sum(axis=0)
        mean = (weights * np.where(known, self.prices, 0.0)).sum(axis=0) / np.where(sums > 0, sums, 1.0)
        return np.where(sums > 0, mean, np.nan)

    def see(self, price: Reals) -> None:
        """Prices at which somebody traded: in the long run it learns how much they vary."""
        seen = ~np.isnan(price)
        self.prices = _with(self.prices, price, seen)
        expected = self.expected
        able = seen & (expected > 0)
        known = ~np.isnan(self.prices)
        squares = np.where(known, (self.prices - expected) ** 2, 0.0).sum(axis=0)
        spread = np.sqrt(squares / np.maximum(1, known.sum(axis=0))) / np.where(able, expected, 1.0)
        self.varied = _with(self.varied, spread, able)
        lowest = np.where(np.isnan(self.varied), np.inf, self.varied).min(axis=0)
        highest = np.where(np.isnan(self.varied), -np.inf, self.varied).max(axis=0)
        is_range = able & (highest - lowest > NARROWEST)
        share = np.where(is_range, spread - lowest, 0.0) / np.where(is_range, highest - lowest, 1.0)
        steepest = (self.MOST - self.LEAST) * (1 - share) * np.exp(self.GAMMA * (share - 1)) + self.LEAST
        self.steepness = np.where(able, self.steepness + self.long * (steepest - self.steepness), self.steepness)

    def follow(self, where: Flags, needed: Reals, is_more: Flags) -> None:
        """Go towards a little more, or less, than the aggressiveness that was needed."""
        wanted = needed + np.where(is_more, 1.0, -1.0) * (self.RELATIVE * abs(needed) + self.ABSOLUTE)
        value = np.clip(self.value + self.short * (wanted - self.value), -1.0, 1.0)
        self.value = np.where(where, value, self.value)


def _with(window: Reals, newest: Reals, where: Flags) -> Reals:
    """A window moved on by one where there is something new."""
    moved = np.vstack([window[1:], newest])
    return np.where(where, moved, window)


class AdaptiveAggressive(Strategy):
    """Adaptive aggressiveness (Vytelingum, Cliff and Jennings 2008): aims at what it takes the next price to be.

    If it could have traded at the day's price it becomes less aggressive, else more. How much a move matters follows
    from how prices vary. Before there was any price it expects the middle of the band.
    """

    name: ClassVar[str] = "adaptive_aggressive"

    def begin(self, name: str, seed: int, slots: int) -> Aggressiveness:
        """Neutral in all slots."""
        return Aggressiveness.drawn(stream(seed, name, self.name), slots)

    def wanted(self, situation: Situation) -> NDArray[np.int64]:
        """What its targets leave it of the band."""
        is_buyer, own = np.array(situation.forecast) > 0, situation.memory
        price = _targets(own, is_buyer).at(own.value, own.steepness)
        return _permille(np.where(is_buyer, 1 - price, price))

    def learn(self, memory: Aggressiveness, ended: Ended) -> Aggressiveness:
        """Prices of all slots, and of those in which it had ordered how far it was from them."""
        lessons = Lessons.of(ended)
        memory.see(lessons.price)
        needed = _targets(memory, lessons.is_buyer).aggressiveness(lessons.price, memory.steepness)
        known = np.where(lessons.has_price, needed, memory.value)
        memory.follow(lessons.ordered, known, ~lessons.has_price | (lessons.asked > lessons.gained))
        return memory


def _targets(own: Aggressiveness, is_buyer: Flags) -> Targets:
    """Of who is worth the end of the band."""
    expected = own.expected
    middle = np.where(np.isnan(expected), 0.5, expected)
    return Targets.of(is_buyer, np.where(is_buyer, 1.0, 0.0), middle, 1.0)


# --------------------------------------------------------------------------------------------------------- Erev-Roth


def reinforced(propensities: Reals, choice: int, reward: float, forget: float, experiment: float) -> Reals:
    """Propensities after a reward: Erev and Roth's rule as modified by Nicolaisen, Petrov and Tesfatsion (2001).

    forget: of each, a share. experiment: of the reward, and of each other propensity, what goes to the others.
    """
    gained = propensities * (experiment / (len(propensities) - 1))
    gained[choice] = reward * (1 - experiment)
    return (1 - forget) * propensities + gained


def drawn_choice(propensities: Reals, draws: Random) -> int:
    """A choice, with chances in proportion to the propensities."""
    sums = np.cumsum(propensities)
    return min(int(np.searchsorted(sums, draws.random() * sums[-1], side="right")), len(sums) - 1)


class ErevRoth(Strategy):
    """Reinforcement (Erev and Roth 1998): wants most often what has brought most, of equal steps of the band.

    A day's choice holds for all of its slots. Its reward is what the day cost less than at the tariffs alone, as a
    share of the whole band on all that was ordered.
    """

    name: ClassVar[str] = "erev_roth"

    choices: int = Field(default=11, ge=2, le=101)
    forget: float = Field(default=0.1, ge=0, le=1, strict=False)
    experiment: float = Field(default=0.2, ge=0, le=1, strict=False)

    def begin(self, name: str, seed: int, slots: int) -> Reals:  # noqa: ARG002
        """All choices alike."""
        return np.ones(self.choices)

    def wanted(self, situation: Situation) -> list[int]:
        """The day's choice."""
        choice = self._choice(situation.memory, situation.seed, situation.name, situation.day)
        return [choice * WHOLE_BAND // (self.choices - 1)] * len(situation.forecast)

    def learn(self, memory: Reals, ended: Ended) -> Reals:
        """What its choice brought."""
        width = np.maximum(0, ended.bands.ceiling - ended.bands.floor)[ended.orders.slot]
        most = int((ended.orders.energy * width).sum()) * ended.tick
        if not most:
            return memory
        choice = self._choice(ended.memory, ended.seed, ended.name, ended.day)
        reward = max(0.0, (ended.alone - ended.paid) / most)
        return reinforced(memory, choice, reward, self.forget, self.experiment)

    def _choice(self, memory: Reals, seed: int, name: str, day: int) -> int:
        return drawn_choice(memory, stream(seed, name, day, self.name))


# ------------------------------------------------------------------------------------------------- what a day teaches


class Lessons(NamedTuple):
    """A day that has ended in parts of each slot's band; not a number where it has none, or there was no price.

    price: where in the band. ordered: where there was an order, firm and of one's own. is_buyer: if it was a bid.
    asked: the part that it wanted. gained: the part that the price gave who traded on its side.
    filled: if it got anything.
    """

    price: Reals
    ordered: Flags
    is_buyer: Flags
    asked: Reals
    gained: Reals
    filled: Flags

    @property
    def has_price(self) -> Flags:
        """Where somebody traded."""
        return ~np.isnan(self.price)

    @staticmethod
    def of(ended: Ended) -> "Lessons":
        """What a member can learn of a day."""
        floor, width = ended.bands.floor, ended.bands.ceiling - ended.bands.floor
        has_band = width > 0
        width = np.where(has_band, width, 1)
        price = np.where(has_band & (ended.prices >= 0), (ended.prices - floor) / width, np.nan)
        # Other layers are a store's, or an intermediary's.
        own = ended.orders.layer == 0
        slot = ended.orders.slot[own]
        ordered, is_buyer, filled = (np.zeros(len(price), np.bool_) for _ in range(3))
        ordered[slot] = True
        is_buyer[slot] = ended.orders.side[own] == Side.BID
        filled[slot] = ended.filled[own] > 0
        limit = np.zeros(len(price))
        limit[slot] = ended.orders.tick[own]
        share = (limit - floor) / width
        asked, gained = (np.where(is_buyer, 1 - where, where) for where in (share, price))
        return Lessons(price, ordered & has_band, is_buyer, asked, gained, filled)


def _permille(share: Reals) -> NDArray[np.int64]:
    permille: NDArray[np.int64] = np.rint(WHOLE_BAND * np.clip(share, 0.0, 1.0)).astype(np.int64)
    return permille
