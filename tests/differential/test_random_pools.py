"""Random days with intermediaries and a pool: contracts against the reference model, to the Wh and to the unit."""

import os

import pytest

from .random_days import play
from .random_pools import POOL, RandomPools

DAYS = int(os.environ.get("DEM_RANDOM_DAYS", "480")) // 5
"""Delivery days to run."""
PORTIONS = 2


@pytest.mark.parametrize("portion", range(PORTIONS))
def test_contracts_and_reference_model_agree_with_intermediaries_and_a_pool(portion):
    tally, days = play(RandomPools, portion, -(-DAYS // PORTIONS))
    for event in ("MandateGiven", "CommissionPublished", "CommissionPaid"):
        assert tally.events[f"Intermediaries.{event}"] > 0, event
    assert tally.events[f"{POOL}.SheetAccepted"] > days
    assert {"NotTheIntermediary", "ExceedsCapacity", "CommissionTooHigh", "LimitTooHigh"} <= set(tally.refused)
