"""Random days of random communities: contracts against the reference model, to the Wh and to the unit."""

import os
from itertools import count

import pytest
from harness.market import PUBLIC, Tally, failures

from .random_days import RandomDays

DAYS = int(os.environ.get("DEM_RANDOM_DAYS", "1500"))
"""Delivery days to run; more for a long run, e.g. DEM_RANDOM_DAYS=100000 pytest -n 2 tests/differential."""
PORTIONS = 12
"""The days are run in so many tests, for those who test with several processes."""
SEEDS_PER_PORTION = 1 << 20

NOT_PLAYED = {
    # Left to the stateful machine: pausing, batches, unsigned sheets, rejections, tokens from member to member.
    "Accounts.pause",
    "Accounts.pauseAll",
    "Accounts.unpause",
    "CallAuction.enterOwn",
    "ParticipantRegistry.multicall",
    "Accounts.multicall",
    "CallAuction.multicall",
    "ParticipantRegistry.reject",
    "SettlementToken.transfer",
    "SettlementToken.transferFrom",
}


@pytest.mark.parametrize("portion", range(PORTIONS))
def test_contracts_and_reference_model_agree_on_random_days(portion):
    tally, days, largest = Tally.empty(), 0, 0
    for seed in count(portion * SEEDS_PER_PORTION):
        run = RandomDays(seed)
        try:
            run.run()
            assert not failures(run.market.checks())
            assert not any(run.market.replay.open_collateral().values())
            assert run.market.replay.final_days == set(range(1, run.days + 1))
        except Exception as error:
            error.add_note(f"RandomDays({seed})")
            raise
        tally.add(run.market.tally)
        largest = max(largest, run.market.chain.most_gas)
        days += run.days
        if days * PORTIONS >= DAYS:
            break
    for line in (f"{days} days, largest transaction {largest:,} gas", *tally.lines()):
        print(line)
    assert set(PUBLIC) - NOT_PLAYED == set(tally.succeeded), "functions that never succeeded, or were not expected to"
    assert min(tally.events[f"CallAuction.{name}"] for name in ("SheetAccepted", "Cleared", "ClearingProgress")) > 0
    assert tally.events["Accounts.ArrearsChanged"] > 0
    assert tally.events["MeterReadings.Estimated"] > 0
    assert tally.events["Settlement.DaySettled"] > days, "no day was settled again after a correction"
    assert {"WrongPivot", "InArrears", "InsufficientFunds", "ExceedsCapacity", "CreditLimitExceeded"} <= set(
        tally.refused
    )
