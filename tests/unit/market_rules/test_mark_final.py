import pytest
from ape.api import AccountAPI
from support.refusals import refused
from support.village import Village, events
from web3.contract import Contract


@pytest.fixture
def closer(village: Village) -> AccountAPI:
    """An account with the role that otherwise the settlement holds."""
    village.grant("settlement", village.stranger)
    return village.stranger


def test_days_become_final_one_after_the_other(village: Village, rules: Contract, closer: AccountAPI) -> None:
    assert rules.functions.lastFinalDay().call() == 0
    receipt = village.market.chain.send(closer, rules, "markFinal", 1)
    assert events(receipt, rules, "DayFinal") == [{"day": 1}]
    village.market.chain.send(closer, rules, "markFinal", 2)
    assert rules.functions.lastFinalDay().call() == 2


@pytest.mark.parametrize("day", [0, 1, 3])
def test_reverts_out_of_order(village: Village, rules: Contract, closer: AccountAPI, day: int) -> None:
    village.market.chain.send(closer, rules, "markFinal", 1)
    with refused("DayOutOfOrder", day=day, next=2):
        village.market.chain.send(closer, rules, "markFinal", day)


def test_reverts_when_the_caller_is_not_the_settlement(village: Village, rules: Contract, stranger: AccountAPI) -> None:
    with refused("AccessManagedUnauthorized", caller=stranger.address):
        village.market.chain.send(stranger, rules, "markFinal", 1)
