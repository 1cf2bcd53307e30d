"""Trade between two with preferences for each other, and the check of a solution. No contract has it yet.

After Sorin, Bobo and Pinson (2019), Baroche and others (2019) and Moret and others (2018): each member has a price that
rises or falls with its energy, and counts something on top for each partner, because it is far away, or less because
it is a neighbour. The sum of costs is to be least:

    sum of a q^2 / 2 + b q over members + sum of c q over deals

Anybody may solve that, by any means. `verify` tells in integers, without a rounding, whether what it brings is a
solution, in a pass over all pairs. So the solver need not be trusted. What it may choose, within a tick on either side,
is who of a pair has how much of the gain.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dem.errors import InputError, require_range
from dem.model.units import FROM_ZERO, PRICE_BOUND

KWH = 1_000
"""Wh."""


class Curve(NamedTuple):
    """What a member's next Wh is worth to it, or costs it.

    price: of the first, units/Wh. slope: how much a buyer's falls, or a seller's rises, with a kWh more; above 0.
    extra: what it counts on top, by the partner's number, units/Wh; a buyer as if it paid it, a seller as a cost. One
    that it prefers has less than 0.
    """

    price: int
    slope: int
    extra: Mapping[int, int] = {}


class Deal(NamedTuple):
    """Energy between two, Wh, and its price, units/Wh. Buyers and sellers are counted from 0, each for themselves."""

    buyer: int
    seller: int
    energy: int
    price: int


def verify(
    buyers: Sequence[Curve], sellers: Sequence[Curve], deals: Sequence[Deal], tick: int = FROM_ZERO.tick
) -> None:
    """Pass over a solution: who deals is, on both sides, within a tick of what its next Wh is worth; who does not deal
    with each other would not gain more than both ticks.

    Then no other solution costs less than this one by more than two ticks for each Wh of both.

    Raises:
        InputError: it is none, or names nobody, or two twice.
    """
    _check(buyers, sellers)
    priced: dict[tuple[int, int], int] = {}
    bought, sold = Counter[int](), Counter[int]()
    for buyer, seller, energy, price in deals:
        require_range("buyer of a deal", buyer, 0, len(buyers) - 1)
        require_range("seller of a deal", seller, 0, len(sellers) - 1)
        where = _pair(buyer, seller)
        require_range(f"energy of {where} in Wh", energy, 1)
        require_range(f"price of {where} in units/Wh", price, -PRICE_BOUND, PRICE_BOUND - 1)
        if (buyer, seller) in priced:
            raise InputError(where, None, "have two deals; must be one")
        priced[buyer, seller] = price
        bought[buyer] += energy
        sold[seller] += energy
    for buyer, demand in enumerate(buyers):
        for seller, supply in enumerate(sellers):
            worth = _worth(demand, bought[buyer], seller)
            cost = _cost(supply, sold[seller], buyer)
            if (buyer, seller) not in priced:
                _within(f"{_pair(buyer, seller)}, without a deal", "would gain", worth - cost, 2 * tick)
                continue
            price = priced[buyer, seller] * KWH
            for whose, off in (("buyer's", worth - price), ("seller's", price - cost)):
                where = f"price of {_pair(buyer, seller)}"
                _within(where, f"is off the {whose} last Wh by", abs(off), tick)


def solve(buyers: Sequence[Curve], sellers: Sequence[Curve], tick: int = FROM_ZERO.tick) -> list[Deal]:
    """A solution that passes `verify`: least cost, to the Wh, and prices in the middle, rounded down: the buyer's.

    Raises:
        InputError: a curve is flat; scipy is not installed, or does not come to an end; or a Wh moves a price by so
            much that no whole number of them is within a tick.
    """
    _check(buyers, sellers)
    if not (buyers and sellers):
        return []
    energies = np.rint(_least_cost(buyers, sellers)).astype(int)
    bought, sold = energies.sum(axis=1).tolist(), energies.sum(axis=0).tolist()
    deals = []
    for buyer, seller in np.argwhere(energies).tolist():
        both = _worth(buyers[buyer], bought[buyer], seller) + _cost(sellers[seller], sold[seller], buyer)
        deals.append(Deal(buyer, seller, int(energies[buyer, seller]), both // (2 * KWH)))
    verify(buyers, sellers, deals, tick)
    return deals


def cost_of(buyers: Sequence[Curve], sellers: Sequence[Curve], deals: Sequence[Deal]) -> int:
    """What a solution costs all together, in halves of a thousandth of a money unit: less is better."""
    bought, sold = Counter[int](), Counter[int]()
    whole = 0
    for buyer, seller, energy, _ in deals:
        bought[buyer] += energy
        sold[seller] += energy
        whole += 2 * KWH * energy * (buyers[buyer].extra.get(seller, 0) + sellers[seller].extra.get(buyer, 0))
    for sign, curves, energies in ((-1, buyers, bought), (1, sellers, sold)):
        for number, energy in energies.items():
            whole += 2 * KWH * sign * curves[number].price * energy + curves[number].slope * energy * energy
    return whole


def _least_cost(buyers: Sequence[Curve], sellers: Sequence[Curve]) -> NDArray[np.float64]:
    """Energy of each buyer and seller, Wh: the quadratic program, min |A x|^2 / 2 + h x over x >= 0, by scipy.

    Lawson and Hanson's nonnegative least squares solve it exactly: if u is least in |A u|^2 + (1 + h u)^2, u >= 0, then
    x = u / (1 + h u).
    """
    try:
        from scipy.optimize import nnls
    except ImportError as missing:
        raise InputError("solver", None, "needs scipy: pip install 'dem[study]'") from missing
    pairs = [(buyer, seller) for buyer in range(len(buyers)) for seller in range(len(sellers))]
    slopes = np.array([curve.slope for curve in (*buyers, *sellers)], np.float64)
    roots = np.zeros((len(slopes), len(pairs)))
    for column, (buyer, seller) in enumerate(pairs):
        rows = [buyer, len(buyers) + seller]
        roots[rows, column] = np.sqrt(slopes[rows])
    lost = [_cost(sellers[seller], 0, buyer) - _worth(buyers[buyer], 0, seller) for buyer, seller in pairs]
    linear = np.array(lost) / KWH
    # Energy is in proportion to the prices. In these units the gain is of order one, as the method wants it.
    best = float((np.minimum(linear, 0) ** 2 / (roots**2).sum(axis=0)).max())
    unit = np.sqrt(best * min(len(buyers), len(sellers))) or 1.0
    try:
        found, _ = nnls(np.vstack([roots, -linear / unit]), np.eye(len(slopes) + 1)[-1])
    except RuntimeError as unfinished:
        raise InputError("solver", None, f"found no solution: {unfinished}") from unfinished
    energies: NDArray[np.float64] = found / (1 + linear / unit @ found) * unit * KWH
    return energies.reshape(len(buyers), len(sellers))


def _worth(demand: Curve, bought: int, seller: int) -> int:
    """What a buyer would pay this seller for its next Wh, thousandths of units."""
    return (demand.price - demand.extra.get(seller, 0)) * KWH - demand.slope * bought


def _cost(supply: Curve, sold: int, buyer: int) -> int:
    """For what a seller would sell this buyer its next Wh, thousandths of units."""
    return (supply.price + supply.extra.get(buyer, 0)) * KWH + supply.slope * sold


def _within(where: str, what: str, thousandths: int, most: int) -> None:
    if thousandths > most * KWH:
        raise InputError(where, None, f"{what} {thousandths / KWH:g} units/Wh; must be at most {most}")


def _pair(buyer: int, seller: int) -> str:
    return f"buyer {buyer} and seller {seller}"


def _check(buyers: Sequence[Curve], sellers: Sequence[Curve]) -> None:
    for name, side in (("buyer", buyers), ("seller", sellers)):
        for number, curve in enumerate(side):
            require_range(f"slope of {name} {number} in units/Wh per kWh", curve.slope, 1)
