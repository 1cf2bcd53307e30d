"""Random bilateral contracts: the chain against the reference model, to the unit, collateral at every step."""

import os

import pytest
from support.evm.market import Tally

from .random_contracts import RandomContracts

RUNS = int(os.environ.get("DEM_RANDOM_CONTRACTS", "40"))
PORTIONS = 2
"""The runs are parted into so many tests, for those who test with several processes."""


@pytest.mark.parametrize("portion", range(PORTIONS))
def test_contracts_and_reference_model_agree_on_random_bilateral_contracts(portion):
    tally, resettled, defaults = Tally.empty(), 0, 0
    for seed in range(portion, RUNS, PORTIONS):
        run = RandomContracts(seed)
        try:
            run.run()
            assert run.market.replay.final_days == set(range(1, run.days + 1))
            assert run.market.account(2).free == 0
            accounts = [run.market.account(id_) for id_ in range(1, run.market.member_count() + 1)]
            assert not any(account.locked for account in accounts), "collateral is left"
        except Exception as error:
            error.add_note(f"RandomContracts({seed})")
            raise
        tally.add(run.market.tally)
        resettled += run.resettled
        defaults += run.contracts.defaults
    for line in tally.lines():
        print(line)
    assert resettled > 0, "nobody was settled again"
    assert defaults > 0, "nobody was in default"
    assert {f"BilateralContracts.{name}" for name in ("conclude", "revoke", "end", "terminate")} <= set(tally.succeeded)
    assert tally.events["Accounts.ArrearsChanged"] > 0
    assert {
        "AnswerToNobody",
        "BadTerm",
        "PriceOutOfRange",
        "ConsentRevoked",
        "ContractWithItself",
        "ExceedsCapacity",
        "Expired",
        "GateClosed",
        "InsufficientFunds",
        "NotEarlier",
        "NobodyLeft",
        "NotSignedBy",
        "NotTheCounterparty",
        "NothingToDeliver",
        "ProposalUsed",
        "WrongStatus",
    } <= set(tally.refused)
