"""Runs of the machine; every public function has to have worked many times, or the runs prove nothing."""

import os

import pytest
from support.evm.chain import artifacts
from support.evm.market import GOVERNANCE, PUBLIC, Tally, failures

from dem.deployment.roles import INTERNAL, ROLES

from .hostile import PLANS
from .machine import Machine

RUNS = int(os.environ.get("DEM_RANDOM_RUNS", "12"))
"""Of 800 actions each; `make test-long` does 500,000 actions."""
PORTIONS = max(1, RUNS // 16)
"""The runs are made in so many tests, for those who test with several processes."""
STEPS = 800
LEAST_SUCCESSES = 3
"""Of every public function, in every portion of the runs."""
LEAST_ATTACKS = 1
"""Of every kind, carried to their end in every portion of the runs."""
RARE = {
    # A limit lowered below a contract, on a day that was read: the random days have it (test_random_days.py).
    "GridCharges.makeGood",
}
INTERNAL_WORK = (
    "Accounts.Posted",
    "Accounts.ArrearsChanged",
    "BilateralContracts.Booked",
    "CallAuction.ClearingProgress",
    "ContinuousMarket.Traded",
    "MarketRules.DayFinal",
    "MeterReadings.Estimated",
    "Schedule.Scheduled",
    "Settlement.DaySettled",
    "SettlementToken.Transfer",
)
"""Events that only functions closed to the public lead to."""


@pytest.mark.parametrize("portion", range(PORTIONS))
def test_invariants_hold_whatever_anybody_does(portion):
    tally = Tally.empty()
    for seed in range(portion, RUNS, PORTIONS):
        machine = Machine(seed)
        try:
            for _ in range(STEPS):
                machine.step()
            machine.finish()
            assert not failures(machine.market.checks())
        except Exception as error:
            error.add_note(f"Machine({seed})")
            raise
        tally.add(machine.market.tally)
    print("\n".join(tally.lines()))
    often = [name for name in PUBLIC if name not in RARE]
    assert {name: tally.succeeded[name] for name in often if tally.succeeded[name] < LEAST_SUCCESSES} == {}
    assert tally.events["Settlement.DaySettled"] > tally.events["MarketRules.DayFinal"], "no day was settled again"
    assert {name: tally.attacks[name] for name in PLANS if tally.attacks[name] < LEAST_ATTACKS} == {}
    assert tally.refused["PaidNow"] > 0, "nobody wanted to lock or take out what it was just paid"
    assert {name: tally.events[name] for name in INTERNAL_WORK if tally.events[name] < LEAST_SUCCESSES} == {}


def test_no_function_that_changes_something_is_left_out():
    by_contracts = {
        f"{contract}.{function}"
        for functions in (INTERNAL, *(role.functions for role in ROLES if role.holder))
        for contract, names in functions.items()
        if contract not in GOVERNANCE
        for function in names
    }
    deployed = {name.split(".")[0] for name in PUBLIC}
    writers = {f"{name}.{function}" for name in deployed for function in artifacts()[name].writers}
    # The authority alone may move a contract to another authority; nobody has ever to.
    assert writers - {f"{name}.setAuthority" for name in deployed} == set(PUBLIC) | by_contracts
