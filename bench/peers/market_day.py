# /// script
# requires-python = ">=3.11,<3.13"
# dependencies = ["assume-framework==0.6.0"]
# ///
"""Days of assume-framework with nothing but a day-ahead market: loads and plants order, quarter-hours are cleared.

What each member's meter shows comes in on stdin, Wh by slot of all days. Seconds of the processor for a day go out on
stdout. Nothing is written down: no database, no tables.
"""

import json
import logging
import sys
import time
from datetime import datetime, timedelta
from importlib.metadata import version

import numpy as np
import pandas as pd
from assume import World
from assume.common.forecaster import DemandForecaster, PowerplantForecaster
from assume.common.market_objects import MarketConfig, MarketProduct
from dateutil.rrule import DAILY, rrule

START = datetime(2016, 1, 4)  # noqa: DTZ001 - the package counts in local time
SLOT, MARKET = timedelta(minutes=15), "day_ahead"
NOON = timedelta(hours=12)
"""From when it opens to the first delivery."""


def world_of(members: list[dict], days: int) -> World:
    """A market, and each member with a load or a plant of its own."""
    slots = timedelta(days=1) // SLOT
    # A market opens as long as all that it trades is delivered before the end.
    end = START + timedelta(days=days) + NOON
    index = pd.date_range(START, end + timedelta(days=1), freq=SLOT)
    world = World(database_uri="")
    world.setup(start=START, end=end, simulation_id="day", save_frequency_hours=None)
    world.add_market_operator(id="operator")
    world.add_market(
        "operator",
        MarketConfig(
            market_id=MARKET,
            opening_hours=rrule(DAILY, dtstart=START, until=end),
            opening_duration=timedelta(hours=1),
            market_mechanism="pay_as_clear",
            maximum_bid_volume=1e9,
            market_products=[MarketProduct(SLOT, slots, NOON)],
        ),
    )
    for member in members:
        _add(world, member["name"], pd.Series(np.resize(member["net"], len(index)), index=index))
    return world


def _add(world: World, name: str, net: pd.Series) -> None:
    """What a member draws as a load, and what it feeds in as a plant."""
    operator = f"{name} operator"
    world.add_unit_operator(operator)
    drawn, fed = net.clip(lower=0), (-net).clip(lower=0)
    if drawn.any():
        params = {"bidding_strategies": {MARKET: "demand_energy_naive"}, "technology": "home", "price": 300.0}
        limits = {"max_power": -float(drawn.max()), "min_power": 0.0}
        world.add_unit(f"{name} load", "demand", operator, params | limits, DemandForecaster(net.index, demand=-drawn))
    if fed.any():
        params = {"bidding_strategies": {MARKET: "powerplant_energy_naive"}, "technology": "sun"}
        limits = {"max_power": float(fed.max()), "min_power": 0.0, "additional_cost": 10.0}
        shown = PowerplantForecaster(net.index, availability=fed / fed.max())
        world.add_unit(f"{name} plant", "power_plant", operator, params | limits, shown)


def main() -> None:
    """Play, and say how long it took."""
    logging.disable(logging.CRITICAL)
    given = json.load(sys.stdin)
    world = world_of(given["members"], given["days"])
    began = time.process_time()
    world.run()
    taken = time.process_time() - began
    cleared = world.market_operators["operator"].roles[0].results
    days, rest = divmod(len(cleared), timedelta(days=1) // SLOT)
    traded = sum(slot["supply_volume"] for slot in cleared)
    if not days or rest or not traded:
        sys.exit(f"{len(cleared)} slots were cleared, and {traded} Wh traded: not whole days of a market")
    found = {"version": version("assume-framework"), "seconds": taken / days, "days": days, "traded": traded / days}
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
