"""Choice among several suppliers of imbalances, after Thomas and others 2017. No contract has it yet.

Settlement bills everybody at the tariffs of the market's own supplier, number 0. For who has chosen another one, that
bill moves to its supplier, at its tariffs. What suppliers are short and long at once they exchange among themselves, so
that each draws from the grid no more than its part of what the area lacks or has over.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dem.errors import InputError, require_range
from dem.model.imbalance import imbalance_prices, price_of_estimates
from dem.model.markets.auction import Column
from dem.model.positions import Grid
from dem.model.rules import ImbalancePricing, Tariff


class Supply(NamedTuple):
    """A day with several suppliers. Money units; positive is paid, negative received.

    due: what each member pays its supplier. moved: what that is more than it was billed at settlement.
    imbalances, from_grid, exchanged: Wh, a row per supplier, a column per slot; what is taken is positive. The first is
    the sum of the two others. prices: of what is exchanged, by slot, units/Wh. paid: what each supplier pays others.
    received: what each receives in all, of its customers and of other suppliers, grid energy not counted.
    """

    due: list[int]
    moved: list[int]
    imbalances: Grid
    from_grid: Grid
    exchanged: Grid
    prices: Column
    paid: list[int]
    received: list[int]


def supplied(
    pricing: ImbalancePricing,
    imbalance: Grid,
    choices: Sequence[int],
    tariffs: Sequence[Sequence[Tariff]],
    estimated: NDArray[np.bool_] | None = None,
) -> Supply:
    """A final day. imbalance: a row per member, a column per slot, Wh. choices: each member's supplier, by number.

    tariffs: of each supplier by slot, the market's own first. estimated: where no meter has read (rule 12.3).

    Raises:
        InputError: imbalances are priced otherwise than at the tariff, or a choice or a tariff is missing or unknown.
    """
    _check(pricing, imbalance, choices, tariffs)
    buy = np.array([[each.buy for each in own] for own in tariffs], np.int64)
    sell = np.array([[each.sell for each in own] for own in tariffs], np.int64)
    chosen = np.array(choices, np.int64)
    billed, due = (
        _payments(imbalance, buy[of], sell[of], estimated) for of in (np.zeros(len(chosen), np.int64), chosen)
    )
    imbalances = np.zeros(buy.shape, np.int64)
    np.add.at(imbalances, chosen, imbalance)
    from_grid = np.array([grid_energies(column.tolist()) for column in imbalances.T], np.int64).T.reshape(buy.shape)
    exchanged = imbalances - from_grid
    prices = np.array(
        [
            exchange_price(parts, own)
            for parts, own in zip(exchanged.T.tolist(), zip(*tariffs, strict=True), strict=True)
        ],
        np.int64,
    )
    paid = (exchanged * prices).sum(axis=1).tolist()
    of_customers = [
        sum(units for units, own in zip(due, choices, strict=True) if own == k) for k in range(len(tariffs))
    ]
    return Supply(
        due,
        [after - before for after, before in zip(due, billed, strict=True)],
        imbalances,
        from_grid,
        exchanged,
        prices,
        paid,
        [units - out for units, out in zip(of_customers, paid, strict=True)],
    )


def grid_energies(imbalances: Sequence[int]) -> list[int]:
    """What each supplier takes from the grid, or gives it if negative, in a slot, Wh; the sum is that of imbalances.

    Who lacks what the area lacks has a part of it in proportion, rounded down. What is left goes to the first of them
    by number, 1 Wh each. Nobody takes more than it lacks.
    """
    area = sum(imbalances)
    sign = 1 if area > 0 else -1
    weights = [max(0, sign * own) for own in imbalances]
    whole = sum(weights)
    parts = [weight * abs(area) // whole if whole else 0 for weight in weights]
    left = abs(area) - sum(parts)
    for k in [k for k, weight in enumerate(weights) if weight][:left]:
        parts[k] += 1
    return [sign * part for part in parts]


def exchange_price(exchanged: Sequence[int], tariffs: Sequence[Tariff]) -> int:
    """Of what suppliers exchange in a slot, units/Wh; exchanged: Wh of each.

    The middle of the highest feed-in tariff and the lowest supply tariff of those that exchange, rounded down: who
    takes gains. It is held within the tariffs of the market's own supplier, the first. Otherwise two suppliers of one
    owner could set a price at which they draw any amount from a third one.
    """
    own = tariffs[0]
    offers = [tariff for energy, tariff in zip(exchanged, tariffs, strict=True) if energy] or [own]
    middle = (max(each.sell for each in offers) + min(each.buy for each in offers)) // 2
    return min(max(middle, own.sell), own.buy)


def _payments(imbalance: Grid, buy: Grid, sell: Grid, estimated: NDArray[np.bool_] | None) -> list[int]:
    """Of each member for its imbalances at a supplier's tariffs; neither the area's imbalance nor a middle counts."""
    none = np.zeros(imbalance.shape[1], np.int64)
    price = imbalance_prices(ImbalancePricing.TARIFF, imbalance, none, buy, sell, none)
    if estimated is not None:
        price = price_of_estimates(imbalance, price, estimated)
    units: list[int] = (imbalance * price).sum(axis=1).tolist()
    return units


def _check(
    pricing: ImbalancePricing, imbalance: Grid, choices: Sequence[int], tariffs: Sequence[Sequence[Tariff]]
) -> None:
    if pricing is not ImbalancePricing.TARIFF:
        why = "must be tariff: at any other one what a member pays does not depend on its supplier alone"
        raise InputError("imbalance pricing with a choice of supplier", pricing.name.lower(), why)
    members, slots = imbalance.shape
    if len(choices) != members:
        raise InputError("choices of supplier", len(choices), f"must be one for each of {members} members")
    for member, choice in enumerate(choices):
        require_range(f"supplier of member {member}", choice, 0, len(tariffs) - 1)
    for k, own in enumerate(tariffs):
        if len(own) != slots:
            raise InputError(f"tariffs of supplier {k}", len(own), f"must be one for each of {slots} slots")
