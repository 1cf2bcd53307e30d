"""Random days of random communities: contracts against the reference model, to the Wh and to the unit."""

import os

import pytest
from support.evm.market import PUBLIC

from .random_days import RandomDays, play

DAYS = int(os.environ.get("DEM_RANDOM_DAYS", "240"))
"""Delivery days to run; `make test-long` runs more."""
PORTIONS = max(1, DAYS // 120)
"""The days are run in so many tests, for those who test with several processes; each meets all that is asked for."""

BY_THEMSELVES = ("OrderBook", "RandomMatching", "Lots", "EscrowTrades", "NrgCoin", "CongestionTrades", "SourceLabels")
NOT_PLAYED = {
    # Left to the stateful machine: pausing, batches, unsigned sheets, rejections, tokens from member to member.
    "Accounts.keepPaused",
    "Accounts.pause",
    "Accounts.pauseAll",
    "Accounts.unpause",
    "CallAuction.enterOwn",
    "ParticipantRegistry.multicall",
    "Accounts.multicall",
    "CallAuction.multicall",
    "ParticipantRegistry.removeWatcher",
    "ParticipantRegistry.reject",
    # Played by test_replacements.py.
    "Replacements.allow",
    "Replacements.vetoSigned",
    "SettlementToken.transfer",
    "SettlementToken.transferFrom",
    # Left to the stateful machine, and to a test of each: test_random_pairs.py, test_escrow.py and so on.
    *(function for function in PUBLIC if function.partition(".")[0] in BY_THEMSELVES),
    # Not plugged in here: test_random_contracts.py.
    *(function for function in PUBLIC if function.startswith("BilateralContracts.")),
    # Not plugged into the schedule here: test_random_intraday.py.
    *(name for name in PUBLIC if name.startswith("ContinuousMarket.")),
    # Left to the stateful machine, and to test_random_faults.py.
    "Schedule.retireMarket",
    "Schedule.removeMarket",
    "Schedule.releaseHeld",
    # Left to the stateful machine and to test_meters.
    "ParticipantRegistry.disconnect",
    "Meters.install",
    "Meters.remove",
    "Meters.noteSource",
    "Meters.multicall",
    # Left to the random days with a pool.
    "Intermediaries.choose",
    "Intermediaries.publish",
    "Intermediaries.collect",
    "Intermediaries.multicall",
}


@pytest.mark.parametrize("portion", range(PORTIONS))
def test_contracts_and_reference_model_agree_on_random_days(portion):
    tally, days = play(RandomDays, portion, -(-DAYS // PORTIONS))
    assert set(PUBLIC) - NOT_PLAYED == set(tally.succeeded), "functions that never succeeded, or were not expected to"
    assert min(tally.events[f"CallAuction.{name}"] for name in ("SheetAccepted", "Cleared", "ClearingProgress")) > 0
    assert tally.events["Accounts.ArrearsChanged"] > 0
    assert tally.events["MeterReadings.Estimated"] > 0
    assert tally.events["Settlement.DaySettled"] > days, "no day was settled again after a correction"
    for name in ("ShortfallShared", "TakenBack", "SetAside", "MadeGood", "Reopened", "Restored"):
        assert tally.events[f"Shortfalls.{name}"] > 0, name
    for name in ("WholesaleResidual.ResidualCleared", "Settlement.PenaltyCharged", "BalancingFund.Rewarded"):
        assert tally.events[name] > 0, name
    assert {
        "WrongPivot",
        "WrongTicks",
        "NotTheDesk",
        "TooLateToCommit",
        "TooLateToAppoint",
        "InArrears",
        "InsufficientFunds",
        "ExceedsCapacity",
        "DayBeingSettled",
        "PaidNow",
        "NotOnRecord",
        "NotReconciled",
        "NotAgreed",
        "NothingChanges",
    } <= set(tally.refused)
