"""Double auctions of the literature in which the truth is always best: what DEM's auction is compared with.

They are functions of the orders of one slot, off chain alone. Each gives up a part of the gain, or pays it to nobody,
so that no order moves its own price. Energy is in Wh, prices in ticks.
"""

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple


class Lot(NamedTuple):
    """Energy that somebody would buy or sell, and at which price at the latest. owner: a number of its own."""

    owner: int
    price: int
    energy: int


class Outcome(NamedTuple):
    """What each lot trades, in the order given; the prices of both sides, None without a trade; fees by owner."""

    bought: list[int]
    sold: list[int]
    buyers_pay: int | None
    sellers_get: int | None
    fees: dict[int, int]

    def gain(self, bids: Sequence[Lot], asks: Sequence[Lot]) -> int:
        """Of all traders and the market together, ticks x Wh."""
        of_bids = sum(lot.price * energy for lot, energy in zip(bids, self.bought, strict=True))
        return of_bids - sum(lot.price * energy for lot, energy in zip(asks, self.sold, strict=True))

    def kept(self) -> int:
        """What the market keeps: the difference of both prices, and fees; ticks x Wh."""
        between = (self.buyers_pay or 0) - (self.sellers_get or 0)
        return between * sum(self.bought) + sum(self.fees.values())


def trade_reduction(values: Sequence[int], costs: Sequence[int]) -> tuple[int, int, int]:
    """The last pair that could trade does not, and sets the prices. One unit each, the best first.

    Returns how many pairs trade, and the prices of buyers and of sellers.
    """
    pairs = _crossing(values, costs)
    return (pairs - 1, values[pairs - 1], costs[pairs - 1]) if pairs else (0, 0, 0)


def mcafee(values: Sequence[int], costs: Sequence[int]) -> tuple[int, int, int]:
    """McAfee (1992): the first pair that does not trade sets one price for all, if the last that does accepts it.

    Else the last pair is given up. Arguments and result are those of the trade reduction; half a tick is the buyers'.
    """
    pairs = _crossing(values, costs)
    if 0 < pairs < min(len(values), len(costs)):
        price = (values[pairs] + costs[pairs]) // 2
        if costs[pairs - 1] <= price <= values[pairs - 1]:
            return pairs, price, price
    return trade_reduction(values, costs)


def _crossing(values: Sequence[int], costs: Sequence[int]) -> int:
    """Pairs from the best on that gain by trading."""
    return sum(value >= cost for value, cost in zip(values, costs, strict=False))


def huang(bids: Sequence[Lot], asks: Sequence[Lot]) -> Outcome:
    """Huang, Scheller-Wolf and Sycara (2002), one lot an owner: the last bid and ask that could trade set the prices.

    All lots before them trade; the longer side gives up the same energy each, none more than it has. What whole Wh
    leave over is given up by the first.
    """
    buyers, sellers = _sorted(bids, -1), _sorted(asks, 1)
    last = _last(buyers, sellers, bids, asks)
    if last is None:
        return Outcome([0] * len(bids), [0] * len(asks), None, None, {})
    bid, ask = last
    amounts = [[bids[i].energy for i in buyers[:bid]], [asks[i].energy for i in sellers[:ask]]]
    volume = min(map(sum, amounts))
    bought, sold = (_cut(own, sum(own) - volume) for own in amounts)
    return Outcome(
        _placed(buyers, bought, len(bids)),
        _placed(sellers, sold, len(asks)),
        bids[buyers[bid]].price,
        asks[sellers[ask]].price,
        {},
    )


def _last(
    buyers: Sequence[int], sellers: Sequence[int], bids: Sequence[Lot], asks: Sequence[Lot]
) -> tuple[int, int] | None:
    """The last bid and ask that meet from the best on, as places in the sorted sides."""
    bid = ask = 0
    left = [lot.energy for lot in bids], [lot.energy for lot in asks]
    last = None
    while bid < len(buyers) and ask < len(sellers) and bids[buyers[bid]].price >= asks[sellers[ask]].price:
        last = bid, ask
        energy = min(left[0][buyers[bid]], left[1][sellers[ask]])
        left[0][buyers[bid]] -= energy
        left[1][sellers[ask]] -= energy
        bid, ask = bid + (not left[0][buyers[bid]]), ask + (not left[1][sellers[ask]])
    return last


def _cut(energies: Sequence[int], excess: int) -> list[int]:
    """Take the same from each, from none more than it has."""
    left = list(energies)
    while excess > 0:
        having = [i for i, energy in enumerate(left) if energy]
        share = min(excess // len(having), min(left[i] for i in having))
        for i in having if share else having[: excess % len(having)]:
            left[i] -= share or 1
            excess -= share or 1
    return left


def at_a_given_price(bids: Sequence[Lot], asks: Sequence[Lot], price: int) -> Outcome:
    """The side with less to trade at a price trades all of it; on the other one who is in pays who is out.

    That is the trade at a price from outside of Segal-Halevi, Hassidim and Aumann (2018), with Vickrey's fees: each
    owner on the longer side pays what its energy would have brought the others of its side.
    """
    want = [
        [i for i in _sorted(bids, -1) if bids[i].price >= price],
        [i for i in _sorted(asks, 1) if asks[i].price <= price],
    ]
    volume = min(sum(side[i].energy for i in own) for side, own in zip((bids, asks), want, strict=True))
    traded, fees = [], dict[int, int]()
    for lots, own in zip((bids, asks), want, strict=True):
        takes = _filled([lots[i] for i in own], volume)
        traded.append(_placed(own, takes, len(lots)))
        for owner in {lots[i].owner for i in own}:
            others = [lots[i] for i in own if lots[i].owner != owner]
            theirs = [energy for i, energy in zip(own, takes, strict=True) if lots[i].owner != owner]
            fee = _worth(others, _filled(others, volume), price) - _worth(others, theirs, price)
            fees[owner] = fees.get(owner, 0) + fee
    bought, sold = traded
    paid = price if volume else None
    return Outcome(bought, sold, paid, paid, fees)


def muda(
    left: tuple[Sequence[Lot], Sequence[Lot]], right: tuple[Sequence[Lot], Sequence[Lot]], prices: tuple[int, int]
) -> tuple[Outcome, Outcome]:
    """Segal-Halevi, Hassidim and Aumann (2018): each half of the traders trades at the price that the other one has.

    Halves are bids and asks, drawn by lot; prices: of the left and of the right half.
    """
    return at_a_given_price(*left, prices[1]), at_a_given_price(*right, prices[0])


def _sorted(lots: Sequence[Lot], sign: int) -> list[int]:
    """Places of lots, the best first."""
    return sorted(range(len(lots)), key=lambda i: sign * lots[i].price)


def _placed(places: Sequence[int], energies: Sequence[int], count: int) -> list[int]:
    """Energies at their places, nothing at all others."""
    found = [0] * count
    for place, energy in zip(places, energies, strict=False):
        found[place] = energy
    return found


def _filled(lots: Sequence[Lot], volume: int) -> list[int]:
    """What lots get of a volume, one after another."""
    ends = [min(volume, end) for end in accumulate((lot.energy for lot in lots), initial=0)]
    return [after - before for before, after in pairwise(ends)]


def _worth(lots: Sequence[Lot], energies: Sequence[int], price: int) -> int:
    """What energies gain at a price, ticks x Wh."""
    return sum(abs(lot.price - price) * energy for lot, energy in zip(lots, energies, strict=True))
