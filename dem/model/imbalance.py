"""What is not delivered as contracted: its prices, the charges on it, and what helped or was kept.

The words are those of `dem.model.settlement`.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dem.model.markets.auction import Column, pro_rata
from dem.model.positions import Exchange, Grid
from dem.model.rules import LEVIED_PRICINGS, SHARE_SCALE, SHARED_PRICINGS, ImbalancePricing, MarketRules
from dem.model.units import PriceRange, Tick


def mid_prices(buy: Column, sell: Column, ticks: Sequence[Tick | None], prices: PriceRange) -> Column:
    """By slot the clearing price held within the tariff, or the tariff's middle (floor), units/Wh."""
    is_traded = np.array([tick is not None for tick in ticks], np.bool_)
    cleared = prices.price_of(np.array([tick or 0 for tick in ticks], np.int64))
    return np.where(is_traded, np.clip(cleared, sell, buy), (buy + sell) // 2)


def imbalance_prices(
    pricing: ImbalancePricing,
    imbalance: Grid,
    area: Column,
    buy: Column,
    sell: Column,
    mid: Column,
    unknown: NDArray[np.bool_] | None = None,
) -> Grid:
    """Prices of the participants' imbalances d in the area imbalances N, units/Wh; if shared, beyond what matches.

    unknown: slots in which N is not known. There the tariffs hold, so that nobody gains by its sign.
    """
    if unknown is not None and unknown.any():
        known = imbalance_prices(pricing, imbalance, area, buy, sell, mid)
        tariff = imbalance_prices(ImbalancePricing.TARIFF, imbalance, area, buy, sell, mid)
        return np.where(unknown, tariff, known)
    short = imbalance > 0
    match pricing:
        case ImbalancePricing.SINGLE | ImbalancePricing.LEVIED:
            price = np.where(area > 0, buy, np.where(area < 0, sell, mid))
            return np.broadcast_to(price, np.shape(imbalance))
        case ImbalancePricing.TWO_PRICE:
            return np.where(short, np.where(area > 0, buy, mid), np.where(area < 0, sell, mid))
        case ImbalancePricing.TARIFF | ImbalancePricing.SHARED | ImbalancePricing.SHARED_LEVIED:
            return np.where(short, buy, sell)


def matched_energy(imbalance: Grid) -> Grid:
    """What of each one's imbalance the others' opposite ones match, Wh.

    The larger side is divided pro rata, in the order of the participants, as orders at the price are.
    """
    matched = np.zeros_like(imbalance)
    sides = [np.maximum(sign * imbalance, 0) for sign in (1, -1)]
    for slot in range(imbalance.shape[1]):
        totals = [sum(side[:, slot].tolist()) for side in sides]
        for side, total in zip(sides, totals, strict=True):
            before = 0
            for row in np.flatnonzero(side[:, slot]).tolist():
                energy = int(side[row, slot])
                matched[row, slot] = pro_rata(before, energy, min(totals), total)
                before += energy
    return matched


def imbalance_payments(
    rules: MarketRules,
    imbalance: Grid,
    buy: Column,
    sell: Column,
    mid: Column,
    unknown: NDArray[np.bool_] | None = None,
    estimated: NDArray[np.bool_] | None = None,
) -> tuple[Grid, Grid]:
    """What is due for the participants' imbalances, money units, and the energy that the network fee is due on, Wh.

    unknown: slots in which N is not known. There nothing matches. estimated: where no meter has read.
    """
    pricing, area = rules.imbalance_pricing, imbalance.sum(axis=0)
    price = imbalance_prices(pricing, imbalance, area, buy, sell, mid, unknown)
    if estimated is not None:
        price = price_of_estimates(imbalance, price, estimated)
    due, levied = imbalance * price, np.zeros_like(imbalance)
    if pricing not in SHARED_PRICINGS + LEVIED_PRICINGS:
        return due, levied
    matched = matched_energy(imbalance)
    if unknown is not None:
        matched = np.where(unknown, 0, matched)
    if pricing in SHARED_PRICINGS:
        # In the middle of the tariffs the short pay less, and the long receive more.
        due -= matched * abs(price - (buy + sell) // 2)
    return due, matched if pricing in LEVIED_PRICINGS else levied


def price_of_estimates(imbalance: Grid, price: Grid, estimated: NDArray[np.bool_]) -> Grid:
    """Prices with those at which nobody is paid for an estimate (rule 12.3), units/Wh: below zero it costs nothing."""
    return np.where(estimated & (imbalance > 0), np.maximum(price, 0), price)


def tolerances(contracted: Grid, rules: MarketRules) -> Grid:
    """Energy not kept that is free of charge, Wh: a share of |contracted| rounded down, or a fixed energy."""
    return np.maximum(rules.tolerance_fixed, abs(contracted) * rules.tolerance_share // SHARE_SCALE)


def unkept_energy(imbalance: Grid, contracted: Grid) -> Grid:
    """What was contracted and not kept, Wh: bought and not taken, or sold and not delivered."""
    crosses = np.sign(imbalance) * np.sign(contracted) < 0
    return np.where(crosses, np.minimum(abs(imbalance), abs(contracted)), 0)


def charged_energy(
    imbalance: Grid,
    area: Column,
    contracted: Grid,
    rules: MarketRules,
    estimated: NDArray[np.bool_] | None = None,
    was_estimated: NDArray[np.bool_] | None = None,
) -> Grid:
    """Energy not kept beyond the tolerance that is charged, Wh; none where it helped, unless rules say so.

    estimated: where no meter has read. Nothing shows that what was contracted there was kept, or helped, so all of it
    is charged. was_estimated: where a late reading takes the place of an estimate, by which the sign of N may have
    become another one. It is not free of the charge.
    """
    unkept = unkept_energy(imbalance, contracted)
    helped = np.sign(imbalance) * np.sign(area) < 0
    if estimated is not None:
        unkept = np.where(estimated, abs(contracted), unkept)
        helped &= ~estimated
    if was_estimated is not None:
        helped &= ~was_estimated
    excess = np.maximum(0, unkept - tolerances(contracted, rules))
    return np.where(helped & (not rules.charge_helpful), 0, excess)


def deviation_charges(imbalance: Grid, area: Column, contracted: Grid, rules: MarketRules) -> Grid:
    """Charges on energy contracted and not kept beyond the tolerance."""
    return charged_energy(imbalance, area, contracted, rules) * rules.deviation_rate


def penalties(area: Column, exchange: Exchange, unknown: NDArray[np.bool_] | None = None) -> tuple[Column, Column]:
    """What the area's imbalance N costs the desk, of no more energy than it nominated, money units; and what each Wh of
    |N| pays of that, units/Wh, rounded up by less than 1: the balancing fund gains.

    unknown: slots in which N is not known. There it is the whole rate, so that nobody pays less by making N larger.
    """
    due = exchange.penalties * np.minimum(abs(area), abs(exchange.net))
    rates = -(-due // np.maximum(abs(area), 1))
    if unknown is not None:
        rates = np.where(unknown, exchange.penalties * (exchange.net != 0), rates)
    return due, rates


def penalties_passed_on(imbalance: Grid, area: Column, rates: Column) -> Grid:
    """What participants pay who deviate as the area does: together no less than rate x |area imbalance|."""
    return np.where(np.sign(imbalance) * np.sign(area) > 0, abs(imbalance), 0) * rates


def helpful_energy(flexible: Grid, contracted: Grid, imbalance: Grid, area: Column) -> Column:
    """Energy sold back where the area was short, by who is a buyer still and took no more than contracted, Wh."""
    helped = (area > 0) & (contracted >= 0) & (imbalance <= 0)
    energy: Column = np.where(helped, flexible, 0).sum(axis=1)
    return energy


def kept_energy(contracted: Grid, metered: Grid) -> Column:
    """Net energy delivered as contracted, bought and taken or sold and delivered, over all slots, Wh."""
    is_same_way = np.sign(contracted) * np.sign(metered) > 0
    energy: Column = np.where(is_same_way, np.minimum(abs(contracted), abs(metered)), 0).sum(axis=1)
    return energy
