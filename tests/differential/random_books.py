"""Random order books of one period; most are awkward on purpose."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random

from support.evm.acceptance import crosses

from dem.model.orders import MAX_ENERGY, Order, Side
from dem.model.units import MAX_TICK, Tick, Wh

Book = list[Order]
Draw = Callable[[Random], int]

LAYERS = 3
SIDES = tuple(Side)


def _book(random: Random, ids: Sequence[int], tick: Draw, energy: Draw, sides: Sequence[Side] = SIDES) -> Book:
    """Orders of slot 0 for some of the members, one or several each."""
    return [
        Order(id_, layer, 0, random.choice(sides), Tick(tick(random)), Wh(energy(random)))
        for id_ in random.sample(ids, random.randint(0, len(ids)))
        for layer in range(random.randint(0, LAYERS))
    ]


def _few_wh(random: Random) -> int:
    return random.randint(1, 5)


def _any_wh(random: Random) -> int:
    return random.randint(1, random.choice((10, 1_000, MAX_ENERGY)))


def _any_tick(random: Random) -> int:
    return random.randint(0, MAX_TICK)


def ordinary(random: Random, ids: Sequence[int]) -> Book:
    """Any ticks, any energies."""
    return _book(random, ids, _any_tick, _any_wh)


def ties(random: Random, ids: Sequence[int]) -> Book:
    """Everybody on one of three ticks."""
    lowest = random.randint(0, MAX_TICK - 2)
    return _book(random, ids, lambda r: lowest + r.randint(0, 2), _few_wh)


def adjacent_ticks(random: Random, ids: Sequence[int]) -> Book:
    """Bids and asks one tick apart, crossed or not."""
    tick, gap = random.randint(1, MAX_TICK - 1), random.choice((-1, 1))
    bids = _book(random, ids, lambda _: tick, _few_wh, (Side.BID,))
    taken = {order.participant for order in bids}
    return bids + _book(random, [i for i in ids if i not in taken], lambda _: tick + gap, _few_wh, (Side.ASK,))


def one_tick(random: Random, ids: Sequence[int]) -> Book:
    """Everybody on the same tick."""
    tick = random.choice((0, 1, MAX_TICK - 1, MAX_TICK, _any_tick(random)))
    return _book(random, ids, lambda _: tick, _any_wh)


def ends_of_the_range(random: Random, ids: Sequence[int]) -> Book:
    """Only the lowest and the highest ticks."""
    return _book(random, ids, lambda r: r.choice((0, 0, 1, MAX_TICK - 1, MAX_TICK, MAX_TICK)), _few_wh)


def only_bids(random: Random, ids: Sequence[int]) -> Book:
    """Nobody sells."""
    return _book(random, ids, _any_tick, _any_wh, (Side.BID,))


def only_asks(random: Random, ids: Sequence[int]) -> Book:
    """Nobody buys."""
    return _book(random, ids, _any_tick, _any_wh, (Side.ASK,))


def balanced(random: Random, ids: Sequence[int]) -> Book:
    """As much is asked for as is offered, with a gap between: any price in the gap would do."""
    buyers = random.sample(ids, len(ids) // 2)
    low = random.randint(0, MAX_TICK - 1)
    high = random.randint(low, MAX_TICK)
    energy = Wh(_any_wh(random))
    return [
        Order(id_, 0, 0, Side.BID if id_ in buyers else Side.ASK, Tick(high if id_ in buyers else low), energy)
        for id_ in (ids if len(ids) % 2 == 0 else ids[1:])
    ]


def both_sides(random: Random, ids: Sequence[int]) -> Book:
    """One member on both sides, a tick or two apart, and perhaps others."""
    own = random.choice(ids)
    tick = random.randint(1, MAX_TICK - 1)
    return [
        Order(own, 0, 0, Side.BID, Tick(tick - random.randint(0, 1)), Wh(_few_wh(random))),
        Order(own, 1, 0, Side.ASK, Tick(tick + 1), Wh(_few_wh(random))),
        *_book(
            random, [i for i in ids if i != own][: random.randint(0, 3)], lambda r: tick + r.randint(-1, 1), _few_wh
        ),
    ]


def largest_energies(random: Random, ids: Sequence[int]) -> Book:
    """Every order as large as an order can be, or nearly."""
    tick = random.randint(0, MAX_TICK - 1)
    return _book(random, ids, lambda r: tick + r.randint(0, 1), lambda r: MAX_ENERGY - r.choice((0, 0, 1, 7)))


def without_self_trade(book: Book) -> Book:
    """The book as the chain takes it: whoever would trade with itself is on the side of its first order."""
    own: dict[int, Book] = defaultdict(list)
    for order in book:
        own[order.participant].append(order)
    return [
        replace(order, side=orders[0].side) if crosses(orders) else order for orders in own.values() for order in orders
    ]


KINDS: tuple[Callable[[Random, Sequence[int]], Book], ...] = (
    ordinary,
    ties,
    adjacent_ticks,
    one_tick,
    ends_of_the_range,
    only_bids,
    only_asks,
    balanced,
    both_sides,
    largest_energies,
)
