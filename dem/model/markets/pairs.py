"""Orders of a period that meet two by two (rule 15): from the best on, as in an order book, or by lot.

Whoever meets trades what is left of the smaller order if the bid is not below the ask, at the price halfway between
their limits. From the best on (Ilić et al. 2012; Mengelkamp et al. 2017) the volume and the gains from trade are those
of the call auction. By lot (Blouin and Serrano 2001) each bid meets each ask once: the volume is at least as large, the
gains are at most as large.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from eth_utils.crypto import keccak

from dem.model.markets.auction import Column, OrderBook
from dem.model.units import PriceRange, Tick, Wh

MAX_LINES = 300
"""Of a day, of all members: a line is one order of a member in every period."""
_WORD = 32


class Pair(NamedTuple):
    """Two orders that trade: their places in the book, and energy, Wh."""

    bid: int
    ask: int
    energy: Wh


class Limit(NamedTuple):
    """What is left of an order, Wh, its limit, ticks, and its place in the book."""

    tick: Tick
    energy: Wh
    place: int


Rule = Callable[[int, Sequence[Limit], Sequence[Limit]], list[Pair]]
"""The pairs of a slot's bids and asks."""


def meet(bids: Sequence[Limit], asks: Sequence[Limit], meetings: Iterable[tuple[int, int]]) -> list[Pair]:
    """What bids and asks trade that meet in a given order. meetings: indices into both."""
    left = [bid.energy for bid in bids], [ask.energy for ask in asks]
    pairs = []
    for bid, ask in meetings:
        energy = min(left[0][bid], left[1][ask])
        if energy and bids[bid].tick >= asks[ask].tick:
            left[0][bid], left[1][ask] = Wh(left[0][bid] - energy), Wh(left[1][ask] - energy)
            pairs.append(Pair(bids[bid].place, asks[ask].place, energy))
    return pairs


def from_the_best(bids: Sequence[Limit], asks: Sequence[Limit]) -> list[Pair]:
    """The heads of both sides meet as long as they trade; both are sorted, the best first."""
    pairs: list[Pair] = []
    bid = ask = 0
    left = [one.energy for one in bids], [one.energy for one in asks]
    while bid < len(bids) and ask < len(asks) and bids[bid].tick >= asks[ask].tick:
        energy = min(left[0][bid], left[1][ask])
        left[0][bid], left[1][ask] = Wh(left[0][bid] - energy), Wh(left[1][ask] - energy)
        pairs.append(Pair(bids[bid].place, asks[ask].place, energy))
        bid, ask = bid + (not left[0][bid]), ask + (not left[1][ask])
    return pairs


def by_lot(bids: Sequence[Limit], asks: Sequence[Limit], seed: bytes) -> list[Pair]:
    """Both sides are shuffled, then every bid meets every ask."""
    bids, asks = (_shuffled(side, _hash(seed, number)) for number, side in enumerate((bids, asks)))
    return meet(bids, asks, rounds(len(bids), len(asks)))


def rounds(bids: int, asks: int) -> Iterator[tuple[int, int]]:
    """Who meets whom, of so many bids and asks: in round r bid i and ask i + r, counted around the longer side.

    The pairs of a round have nobody in common; they are named in the order of the shorter side, bids if both are as
    long.
    """
    around = max(bids, asks)
    for turn in range(around if min(bids, asks) else 0):
        for own in range(min(bids, asks)):
            if bids <= asks:
                yield own, (own + turn) % around
            else:
                yield (own - turn) % around, own


def pairs_of_day(book: OrderBook, periods: int, rule: Rule) -> list[list[Pair]]:
    """The pairs of a day by slot. rule: what makes them of a slot's bids and asks, which come layer by layer, in each
    of them by member."""
    sides: list[tuple[list[Limit], list[Limit]]] = [([], []) for _ in range(periods)]
    in_order = np.lexsort((book.participant, book.layer, book.slot))
    columns = (column[in_order].tolist() for column in (book.slot, book.side, book.tick, book.energy))
    for place, slot, side, tick, energy in zip(in_order.tolist(), *columns, strict=True):
        sides[slot][side].append(Limit(tick, energy, place))
    return [rule(slot, *of_slot) for slot, of_slot in enumerate(sides)]


def price_time(book: OrderBook, arrivals: Mapping[int, int]) -> Rule:
    """From the best on; of equal limits the orders of who came earlier come first. arrivals: by member."""

    def rule(_slot: int, bids: Sequence[Limit], asks: Sequence[Limit]) -> list[Pair]:
        def key(sign: int) -> Callable[[Limit], tuple[int, int, int]]:
            return lambda one: (
                sign * one.tick,
                arrivals[int(book.participant[one.place])],
                int(book.layer[one.place]),
            )

        return from_the_best(sorted(bids, key=key(-1)), sorted(asks, key=key(1)))

    return rule


def lottery(lot: bytes) -> Rule:
    """By lot. lot: of the day."""
    return lambda slot, bids, asks: by_lot(bids, asks, _hash(lot, slot))


def lot_of(day: int, secrets: Iterable[bytes]) -> bytes:
    """The lot of a day, of the secrets that were opened."""
    hashes = [int.from_bytes(keccak(secret)) for secret in secrets]
    return keccak(b"".join(number.to_bytes(_WORD) for number in (day, len(hashes), sum(hashes) % (1 << 8 * _WORD))))


def amount_of(energy: Column, bids: Column, asks: Column, prices: PriceRange) -> Column:
    """What buyers pay to sellers, money units, at the price halfway between limits; half a unit is the buyer's."""
    amount: Column = energy * (bids + asks) * prices.tick // 2 + energy * prices.lowest
    return amount


def _shuffled(side: Sequence[Limit], seed: bytes) -> Sequence[Limit]:
    """Fisher and Yates."""
    drawn = list(side)
    for i in range(len(drawn), 1, -1):
        j = int.from_bytes(_hash(seed, i)) % i
        drawn[i - 1], drawn[j] = drawn[j], drawn[i - 1]
    return drawn


def _hash(seed: bytes, number: int) -> bytes:
    return keccak(seed + number.to_bytes(_WORD))
