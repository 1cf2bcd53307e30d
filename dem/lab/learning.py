"""Bidders who learn from their bills: each tries how far to move its limits, or to stay out.

Each knows only what it paid. It mostly does what was cheapest lately, and sometimes tries something else. That is
epsilon-greedy, with averages that forget.
"""

from random import Random

import numpy as np

from dem.community.strategies import OrderColumns
from dem.lab.auction_day import AuctionDay, only
from dem.model.markets.auction import Column
from dem.model.orders import Side

MOVES = (0, 20, 40, 60, 80)
"""How far limits move towards the far end of the band, percent; one choice more is to stay out."""
ROUNDS, LAST = 600, 100
"""Days that are played, and of them the last that count."""
TRIES = 0.3
"""How often something else is tried at first, a share; it falls to nothing when the last rounds begin."""
WEIGHT = 0.15
"""Of the newest bill in an average."""


def traded_when_learnt(day: AuctionDay, seed: int = 1) -> tuple[float, int]:
    """Energy traded a day when everybody has learnt, and what would be traded without learning, Wh."""
    honest = day.as_it_is.settlement.delivery.bought.sum()
    random = Random(seed)
    traders = sorted(set(day.orders.participant.tolist()))
    places = {id_: place for place, id_ in enumerate(traders)}
    place = np.array([places[id_] for id_ in day.orders.participant.tolist()], np.int64)
    ticks = np.array([_moved(day, percent) for percent in MOVES])
    out = len(MOVES)
    # What is not known yet seems better than anything.
    average = np.full((len(traders), out + 1), -np.inf)
    rows, traded = [day.row(id_) for id_ in traders], []
    for number in range(ROUNDS):
        left = max(0.0, 1 - number / (ROUNDS - LAST))
        tries = [random.random() < TRIES * left for _ in traders]
        choice = np.where(tries, [random.randint(0, out) for _ in traders], average.argmin(axis=1))
        chosen = choice[place]
        is_sent = chosen < out
        moved = day.orders._replace(tick=ticks[np.minimum(chosen, out - 1), np.arange(len(place))])
        outcome = day.outcome(only(OrderColumns(*moved), is_sent))
        paid, known = outcome.costs[rows].astype(float), average[np.arange(len(traders)), choice]
        known = np.where(np.isinf(known), paid, known)
        average[np.arange(len(traders)), choice] = known + WEIGHT * (paid - known)
        if number >= ROUNDS - LAST:
            traded.append(int(outcome.settlement.delivery.bought.sum()))
    return float(np.mean(traded)), int(honest)


def _moved(day: AuctionDay, percent: int) -> Column:
    """All limits, moved towards the far end of the band."""
    orders = day.orders
    far = np.where(orders.side == Side.BID, day.bands.floor[orders.slot], day.bands.ceiling[orders.slot])
    moved: Column = np.maximum(0, orders.tick + (far - orders.tick) * percent // 100)
    return moved
