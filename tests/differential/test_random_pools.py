"""Random days with intermediaries and a pool: contracts against the reference model, to the Wh and to the unit."""

import os
from itertools import count

import pytest
from harness.market import Tally, failures

from .random_pools import POOL, RandomPools

DAYS = int(os.environ.get("DEM_RANDOM_DAYS", "1500")) // 5
"""Delivery days to run."""
PORTIONS = 6
SEEDS_PER_PORTION = 1 << 20


@pytest.mark.parametrize("portion", range(PORTIONS))
def test_contracts_and_reference_model_agree_with_intermediaries_and_a_pool(portion):
    tally, days = Tally.empty(), 0
    for seed in count(portion * SEEDS_PER_PORTION):
        run = RandomPools(seed)
        try:
            run.run()
            assert not failures(run.market.checks())
            assert not any(run.market.replay.open_collateral().values())
            assert run.market.replay.final_days == set(range(1, run.days + 1))
        except Exception as error:
            error.add_note(f"RandomPools({seed})")
            raise
        tally.add(run.market.tally)
        days += run.days
        if days * PORTIONS >= DAYS:
            break
    for line in (f"{days} days", *tally.lines()):
        print(line)
    for event in ("MandateGiven", "CommissionPublished", "CommissionPaid"):
        assert tally.events[f"Intermediaries.{event}"] > 0, event
    assert tally.events[f"{POOL}.SheetAccepted"] > days
    assert {"NotTheIntermediary", "ExceedsCapacity", "CommissionTooHigh"} <= set(tally.refused)
