"""Random intraday trading: contract against the reference model, trade by trade."""

import os
from collections import Counter

import pytest

from .random_intraday import RandomIntraday, World

SEQUENCES = int(os.environ.get("DEM_RANDOM_INTRADAY", "200"))
"""Sequences to run; `make test-long` runs more."""
PORTIONS = 2
"""The sequences are run in so many tests, for those who test with several processes."""
PER_WORLD = 20
SEEDS_PER_PORTION = 1 << 20


@pytest.mark.parametrize("portion", range(PORTIONS))
def test_contract_and_reference_model_agree_trade_by_trade(portion):
    counts: Counter[str] = Counter()
    seed = portion * SEEDS_PER_PORTION
    for n in range(max(1, SEQUENCES // PORTIONS)):
        if n % PER_WORLD == 0:
            world = World(seed + n)
            start = world.chain.now
        snapshot = world.chain.evm.snapshot()
        run = RandomIntraday(world, seed + n)
        try:
            run.run()
        except Exception as error:
            error.add_note(f"RandomIntraday(World({seed + n - n % PER_WORLD}), {seed + n})")
            raise
        world.chain.evm.revert(snapshot)
        world.chain.now = start
        counts.update(run.counts)
    print(", ".join(f"{k} {v}" for k, v in sorted(counts.items())))
    events = (
        "Traded",
        "OrderRested",
        "OrderCancelled",
        "OrderReturned",
        "OrderCrossed",
        "Funded",
        "Defunded",
        "DayOpened",
    )
    errors = ("GateClosed", "NotOpenYet", "InsufficientCollateral", "ExceedsCapacity", "NoSuchOrder", "NotOwner")
    errors += (
        "StaleSequence",
        "NotSignedByParticipant",
        "MemberBarred",
        "OrderEntryPaused",
        "NotFunded",
        "NoSuchSlot",
        "Expired",
        "ExceedsPosition",
        "WrongStatus",
    )
    assert not [name for name in events + errors if not counts[name]]
