"""Bidders who learn from their bills: each tries how far to move its limits, or to stay out, day after day.

Each knows what it paid less than at the tariffs alone, and nothing of the others. It mostly does what was best lately,
and sometimes tries something else. That is epsilon-greedy, with averages that forget. Days follow each other, so nobody
learns how a day ends.
"""

from collections.abc import Sequence
from random import Random

import numpy as np

from dem.community.strategies import OrderColumns
from dem.lab.auction_day import AuctionDay, only
from dem.model.markets.auction import Column
from dem.model.orders import Side

MOVES = (0, 20, 40, 60, 80)
"""How far limits move towards the far end of the band, percent; one choice more is to stay out."""
ROUNDS, LAST = 636, 106
"""Days that are played, again and again, and of them the last that count."""
TRIES = 0.3
"""How often something else is tried at first, a share; it falls to nothing when the last rounds begin."""
WEIGHT = 0.1
"""Of the newest day in an average."""


def traded_when_learnt(days: Sequence[AuctionDay], seed: int = 1) -> tuple[int, int]:
    """Energy traded in the last rounds, when everybody has learnt, and what would be traded by the strategy, Wh."""
    random, members = Random(seed), days[0].community
    place_of = {id_: place for place, id_ in enumerate(members)}
    everybody, out = np.arange(len(members)), len(MOVES)
    prepared = [
        (np.array([place_of[id_] for id_ in day.orders.participant.tolist()], np.int64), _ticks(day)) for day in days
    ]
    # What is not known yet seems better than anything.
    average = np.full((len(members), out + 1), np.inf)
    traded = honest = 0
    for number in range(ROUNDS):
        day, (place, ticks) = days[number % len(days)], prepared[number % len(days)]
        left = max(0.0, 1 - number / (ROUNDS - LAST))
        tries = [random.random() < TRIES * left for _ in members]
        choice = np.where(tries, [random.randint(0, out) for _ in members], average.argmax(axis=1))
        chosen = choice[place]
        moved = OrderColumns(*day.orders._replace(tick=ticks[np.minimum(chosen, out - 1), np.arange(len(place))]))
        outcome = day.outcome(only(moved, chosen < out))
        rows = [day.row(id_) for id_ in members]
        saved = (day.alone - outcome.costs)[rows].astype(float)
        known = average[everybody, choice]
        known = np.where(np.isinf(known), saved, known)
        average[everybody, choice] = known + WEIGHT * (saved - known)
        if number >= ROUNDS - LAST:
            traded += int(outcome.settlement.delivery.bought.sum())
            honest += int(day.as_it_is.settlement.delivery.bought.sum())
    return traded, honest


def _ticks(day: AuctionDay) -> Column:
    """All limits by how far they are moved towards the far end of the band."""
    orders = day.orders
    far = np.where(orders.side == Side.BID, day.bands.floor[orders.slot], day.bands.ceiling[orders.slot])
    return np.array([np.maximum(0, orders.tick + (far - orders.tick) * percent // 100) for percent in MOVES])
