"""A day ready to settle: what the markets contracted and the meters showed."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dem.model.ledger import GRID_OPERATOR
from dem.model.positions import Grid, positions
from dem.model.rules import Tariff
from dem.model.settlement import Delivery
from dem.replay.days import Day
from dem.replay.markets import Markets
from dem.replay.readings import ESTIMATED, MISSING, NOT_READ


def delivery(day: Day, tariffs: Sequence[Tariff], markets: Markets) -> Delivery:
    """What is settled of a day, on what is known now. tariffs: by slot."""
    trades = [*markets.trades(day.number).values()]
    traders = {id_ for market in trades for id_ in np.unique(market.participant).tolist()}
    members = sorted({GRID_OPERATOR, *day.readings, *traders})
    participants = np.array(members, np.int64)
    bought, sold, payments = positions(trades, participants, markets.periods_per_day)
    metered = _metered(day, members, markets.periods_per_day)
    estimated = _estimated(day, members, markets.periods_per_day)
    exchange = markets.exchange(day.number)
    if exchange is not None:
        metered[members.index(exchange.desk)] += exchange.net
    return Delivery(
        tariffs=tariffs,
        prices=markets.prices(day.number),
        participants=participants,
        has_meter=np.array([id_ in day.readings or id_ == GRID_OPERATOR for id_ in members]),
        bought=bought,
        sold=sold,
        metered=metered,
        payments=payments,
        flexible=markets.flexible(day.number, participants),
        exchange=exchange,
        estimated=estimated,
        unknown=estimated.any(axis=0) & ~at_boundary(day, markets.periods_per_day),
    )


def at_boundary(day: Day, slots: int) -> NDArray[np.bool_]:
    """Slots in which the boundary meter counts."""
    if GRID_OPERATOR not in day.readings:
        return np.zeros(slots, np.bool_)
    return ~np.isin(day.readings[GRID_OPERATOR].status, NOT_READ)


def _estimated(day: Day, members: list[int], slots: int) -> NDArray[np.bool_]:
    found = np.zeros((len(members), slots), np.bool_)
    for row, id_ in enumerate(members):
        if id_ in day.readings:
            found[row] = day.readings[id_].status == ESTIMATED
    return found


def _metered(day: Day, members: list[int], slots: int) -> Grid:
    """Net energy by member and slot; the grid operator's is the network's losses."""
    net = np.zeros((len(members), slots), np.int64)
    for row, id_ in enumerate(members):
        if id_ in day.readings:
            net[row] = day.readings[id_].net
    if GRID_OPERATOR in day.readings:
        boundary = members.index(GRID_OPERATOR)
        losses = 2 * net[boundary] - net.sum(axis=0)
        status = day.readings[GRID_OPERATOR].status
        # What is estimated are the losses themselves.
        net[boundary] = np.select([status == MISSING, status == ESTIMATED], [0, net[boundary]], losses)
    return net
