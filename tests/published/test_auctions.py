"""Published results that the auction of the reference model has to come to; docs/science.md has a row each.

Prices of the sources become ticks. What is computed is `dem.model.markets.auction`, which the contracts equal.
"""

import numpy as np
import pytest

from dem.model.markets.auction import OrderBook, clear_day, fills_of_day
from dem.model.orders import Side


def book(rows: "list[tuple[int, int, Side, int, int]] | np.ndarray") -> OrderBook:
    """Of participant, slot, side, tick and energy; a participant's orders for a slot are its layers."""
    who, slot, side, tick, energy = np.array(rows, np.int64).T
    layer = np.zeros(len(who), np.int64)
    seen: dict[tuple[int, int], int] = {}
    for row, key in enumerate(zip(who.tolist(), slot.tolist(), strict=True)):
        layer[row] = seen.get(key, 0)
        seen[key] = layer[row] + 1
    return OrderBook(who, layer, slot, side, tick, energy)


def test_the_power_exchange_of_syldavia() -> None:
    """Kirschen and Strbac, Fundamentals of Power System Economics, chapter 3: 450 MWh at 16.00 $/MWh."""
    red, blue, green, orange, yellow, purple = range(1, 7)
    offers = [(red, 200, 12), (red, 50, 15), (red, 50, 20), (green, 150, 16), (green, 50, 17), (blue, 100, 13)]
    offers += [(blue, 50, 18)]
    bids = [(yellow, 50, 13), (yellow, 100, 23), (purple, 50, 11), (purple, 150, 22), (orange, 50, 10)]
    bids += [(orange, 200, 25)]
    rows = [
        (who, 0, side, price, mwh) for side, all_ in ((Side.ASK, offers), (Side.BID, bids)) for who, mwh, price in all_
    ]
    taken = book(rows)
    (cleared,) = clear_day(taken, 1)
    assert (cleared.price, cleared.volume) == (16, 450)
    fills = fills_of_day(taken, [cleared])
    got = {who: int(fills[taken.participant == who].sum()) for who in range(1, 7)}
    assert got == {red: 250, blue: 100, green: 100, orange: 200, yellow: 100, purple: 150}


def test_two_who_bargain_lose_the_share_that_chatterjee_and_samuelson_say() -> None:
    """Chatterjee and Samuelson 1983, the linear equilibrium at k = 1/2, on 30 x 30 types: 759/899 of what could be.

    A buyer worth v bids 2/3 v + 1/12, a seller of cost c asks 2/3 c + 1/4, of 3,600 ticks.
    """
    types = range(30)
    rows, gains = [], []
    for v in types:
        for c in types:
            slot = 30 * v + c
            rows += [(1, slot, Side.BID, 80 * v + 40 + 300, 1), (2, slot, Side.ASK, 80 * c + 40 + 900, 1)]
            gains.append(v - c)
    cleared = clear_day(book(rows), 900)
    traded = sum(gain for gain, one in zip(gains, cleared, strict=True) if one.volume)
    most = sum(gain for gain in gains if gain > 0)
    assert traded * 899 == most * 759
    prices = [one.price for one in cleared if one.price is not None]
    middles = [(80 * v + 340 + 80 * c + 940) // 2 for v in types for c in types if v - c >= 8]
    assert prices == middles


@pytest.mark.parametrize(("traders", "published"), [(2, 0.926), (4, 0.986), (8, 0.999), (16, 1.0)])
def test_the_truth_costs_less_the_more_there_are(traders: int, published: float) -> None:
    """Rustichini, Satterthwaite and Williams 1994: a buyer's loss by telling the truth falls with the square of m.

    Of m buyers and m sellers, one is worth 800, all others tell the truth, drawn evenly from 0 to 1,000.
    """
    days, value = 4_000, 800
    draws = np.random.default_rng(traders).integers(0, 1001, size=(days, 2 * traders - 1))

    def gain(bid: int) -> float:
        each = 2 * traders
        who, slot = np.tile(np.arange(1, each + 1), days), np.repeat(np.arange(days), each)
        side = np.tile(np.repeat([Side.BID, Side.ASK], traders), days)
        tick = np.concatenate([np.full((days, 1), bid), draws], axis=1).ravel()
        one = np.ones(days * each, np.int64)
        orders = OrderBook(who, 0 * one, slot, side, tick, one)
        cleared = clear_day(orders, days)
        fills = fills_of_day(orders, cleared)[who == 1]
        return float(sum((value - (day.price or 0)) * fill for day, fill in zip(cleared, fills.tolist(), strict=True)))

    gains = {bid: gain(bid) for bid in range(500, value + 1, 20)}
    assert gains[value] / max(gains.values()) == pytest.approx(published, abs=0.015)


IEEE_14 = [
    # At least, at most, renewable, MW; a and b of the cost a p^2 / 2 + b p of feeding in p, EUR.
    (-21.7, 0, 0, 4, 130),
    (-94.2, 0, 0, 1, 120),
    (-47.8, 0, 0, 2, 135),
    (-7.6, 0, 14.9, 10, 125),
    (-11.2, 0, 9, 8, 140),
    (-29.5, 0, 10, 4, 145),
    (-9, 0, 18.5, 9, 150),
    (-3.5, 0, 2, 15, 135),
    (-6.1, 0, 7, 18, 140),
    (-13.5, 0, 5, 7, 125),
    (-14.9, 0, 5, 6, 120),
    (0, 20, 0, 7, 25),
    (0, 50, 0, 2, 10),
    (0, 10, 0, 8, 20),
]
"""Moret and Pinson's community of 14, as A. Eltved's repository peer-2-peer-markets on GitHub has it (p2p.ipynb)."""
GRID = 15
"""Imports at 70, exports at 40."""


@pytest.mark.parametrize("sun_of_7", [18.5, 0])
@pytest.mark.parametrize("is_island", [True, False], ids=["island", "grid"])
def test_a_community_of_the_ieee_14_bus_network(is_island: bool, sun_of_7: float) -> None:
    """Moret and Pinson 2019: the auction comes to the prices, the import and the cost of the central optimum.

    Costs become ladders, a step a tick: of a hundredth in Wh, from 80 on the island, else from 40.
    """
    published = {
        (True, 18.5): (94.6189722, 0, -2462.9832),
        (True, 0): (99.5283142, 0, -3527.1961),
        (False, 18.5): (70, 75.7617, -3395.5726),
        (False, 0): (70, 94.1508, -4917.2532),
    }
    mega, lowest, steps = 10**6, 80 if is_island else 40, np.arange(4_096)
    agents = [
        (least + sun, most + sun, a, b)
        for number, (least, most, own, a, b) in enumerate(IEEE_14, 1)
        for sun in [sun_of_7 if number == 7 else own]
    ]
    columns = []
    for number, (least, most, a, b) in enumerate(agents, 1):
        feeds_in = np.rint(mega * np.clip((lowest + steps / 100 - b) / a, least, most)).astype(np.int64)
        for side, whole in ((Side.BID, np.maximum(0, -feeds_in)), (Side.ASK, np.maximum(0, feeds_in))):
            nearer = np.append(whole[1:], 0) if side is Side.BID else np.append(0, whole[:-1])
            energy = whole - nearer
            (ticks,) = np.nonzero(energy)
            columns.append([0 * ticks + number, 2 * ticks + side, 0 * ticks, 0 * ticks + side, ticks, energy[ticks]])
    if not is_island:
        columns.append([[GRID, GRID], [0, 1], [0, 0], [Side.BID, Side.ASK], [0, 3_000], [130 * mega] * 2])
    orders = OrderBook(*np.concatenate([np.array(own, np.int64) for own in columns], axis=1))
    (cleared,) = clear_day(orders, 1)
    fed_in = fills_of_day(orders, [cleared]) * np.where(orders.side == Side.BID, -1, 1)
    schedule = [int(fed_in[orders.participant == number].sum()) / mega for number in range(1, GRID + 1)]
    cost = sum(a * p * p / 2 + b * p for (_, _, a, b), p in zip(agents, schedule, strict=False)) + 70 * schedule[-1]
    price, imported, least_cost = published[is_island, sun_of_7]
    assert cleared.price is not None
    assert lowest + cleared.price / 100 == pytest.approx(price, abs=0.01)
    assert schedule[-1] == pytest.approx(imported, abs=0.05)
    assert cost == pytest.approx(least_cost, abs=0.5)
