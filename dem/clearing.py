"""The call auction: one uniform price per period, from the definitions of the rules.

With D(>t), D(>=t) the energy of bids with a limit above, or at least, tick t and A(<t), A(<=t)
likewise for asks, the equilibrium prices are the ticks from `lo = min{t : A(<=t) >= D(>t)}` to
`hi = max{t : D(>=t) >= A(<t)}`, and the price is floor((lo + hi) / 2): the k-double auction of
Chatterjee and Samuelson (1983) with k = 1/2, for many traders as in Rustichini, Satterthwaite and
Williams (1994).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from dem.errors import InputError
from dem.orders import Order, Side
from dem.units import MAX_TICK, Money, Tick, Wh, price_of

_TICKS = range(MAX_TICK + 1)


@dataclass(frozen=True, slots=True)
class Clearing:
    """Outcome of one period.

    pivot: lo, the hint the chain verifies; 0 if there are no bids.
    price: None if nothing trades.
    volume: energy bought = energy sold, Wh.
    rationed: the side whose orders at the price exceed what is left for them, if any.
    share, marginal: what is left for them (may be 0) and their energy, Wh; 0 if none is rationed.
    """

    pivot: Tick
    price: Tick | None
    volume: Wh
    rationed: Side | None
    share: Wh
    marginal: Wh


def clear(orders: Sequence[Order]) -> Clearing:
    """Clear the orders of one period.

    Raises:
        InputError: orders of several slots, or two of the same participant and layer.
    """
    _require_one_period(orders)
    bids, asks = _energy_per_tick(orders)
    asks_upto = list(accumulate(asks))
    asks_below = [asks_upto[t] - asks[t] for t in _TICKS]
    bids_from = list(accumulate(reversed(bids)))[::-1]
    bids_above = [bids_from[t] - bids[t] for t in _TICKS]

    lo = min(t for t in _TICKS if asks_upto[t] >= bids_above[t])
    hi = max(t for t in _TICKS if bids_from[t] >= asks_below[t])
    p = (lo + hi) // 2
    volume = Wh(min(bids_from[p], asks_upto[p]))
    if volume == 0:
        return Clearing(Tick(lo), None, volume, None, Wh(0), Wh(0))
    for side, marginal, better in (
        (Side.BID, bids[p], bids_above[p]),
        (Side.ASK, asks[p], asks_below[p]),
    ):
        if marginal > volume - better:
            return Clearing(Tick(lo), Tick(p), volume, side, Wh(volume - better), Wh(marginal))
    return Clearing(Tick(lo), Tick(p), volume, None, Wh(0), Wh(0))


def fills(orders: Sequence[Order], clearing: Clearing) -> list[Wh]:
    """Energy each order trades, Wh, in the order given.

    Orders better than the price are filled in full, worse ones not at all. The rationed side's
    orders at the price are walked by participant, then layer, so that the fills follow from the
    set of orders alone.
    """
    if clearing.price is None:
        return [Wh(0)] * len(orders)
    result = [order.energy if _at_or_better(order, clearing.price) else Wh(0) for order in orders]
    marginal = [i for i, order in enumerate(orders) if order.side == clearing.rationed and order.tick == clearing.price]
    before = 0
    for i in sorted(marginal, key=lambda i: (orders[i].participant, orders[i].layer)):
        result[i] = pro_rata(before, orders[i].energy, clearing.share, clearing.marginal)
        before += orders[i].energy
    return result


def pro_rata(before: int, energy: Wh, share: Wh, marginal: Wh) -> Wh:
    """Fill of a rationed order, Wh, with `before` Wh of marginal orders walked ahead of it.

    floor((c + q) F / M) - floor(c F / M): the sum over all orders telescopes to F, and each fill
    is less than 1 Wh from the exact share q F / M.
    """
    return Wh((before + energy) * share // marginal - before * share // marginal)


def welfare(orders: Sequence[Order], filled: Sequence[Wh]) -> Money:
    """Gain from trade, money units: what buyers would have paid minus what sellers asked."""
    return Money(
        sum(
            (1 if order.side == Side.BID else -1) * energy * price_of(order.tick)
            for order, energy in zip(orders, filled, strict=True)
        )
    )


def _require_one_period(orders: Sequence[Order]) -> None:
    slots = {order.slot for order in orders}
    if len(slots) > 1:
        raise InputError("orders", sorted(slots), "must be of one slot")
    seen = set()
    for order in orders:
        key = (order.participant, order.layer)
        if key in seen:
            raise InputError("orders", key, "is a participant and layer with two orders")
        seen.add(key)


def _energy_per_tick(orders: Sequence[Order]) -> tuple[list[int], list[int]]:
    """Energy of the bids and of the asks by limit tick, Wh."""
    per_side = ([0] * len(_TICKS), [0] * len(_TICKS))
    for order in orders:
        per_side[order.side][order.tick] += order.energy
    return per_side


def _at_or_better(order: Order, price: Tick) -> bool:
    return order.tick >= price if order.side == Side.BID else order.tick <= price
