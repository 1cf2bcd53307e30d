"""Random days with markets that fail: contracts against the reference model, to the Wh and to the unit."""

import os

import pytest

from .random_days import play
from .random_faults import RandomFaults

DAYS = int(os.environ.get("DEM_RANDOM_DAYS", "720")) // 5
"""Delivery days to run."""
PORTIONS = 2


@pytest.mark.parametrize("portion", range(PORTIONS))
def test_contracts_and_reference_model_agree_whatever_market_fails(portion: int) -> None:
    tally, days = play(RandomFaults, portion, -(-DAYS // PORTIONS))
    assert tally.events["Schedule.MarketVoided"] > days // 20
    assert tally.events["Schedule.HeldReleased"] > 0
    assert tally.events["Shortfalls.ShortfallShared"] > 0
