import pytest
from ape.api import AccountAPI
from support.refusals import refused
from support.village import (
    BALANCING_FUND,
    CLEARING_HOUSE,
    CONSUMER,
    CREDIT_LIMIT,
    GRID_OPERATOR,
    OPERATOR,
    Member,
    Village,
    events,
)
from web3.contract import Contract


@pytest.fixture
def overdrawn(village: Village, bookkeeper: AccountAPI) -> int:
    """The grid operator, 900 below zero."""
    postings = [(GRID_OPERATOR, -900, 0), (CLEARING_HOUSE, 900, 0)]
    village.market.chain.send(bookkeeper, village.market.accounts, "post", postings)
    return GRID_OPERATOR


def test_allows_an_account_to_go_below_zero(village: Village, ledger: Contract, overdrawn: int) -> None:
    receipt = village.send("council", ledger, "setCreditLimit", overdrawn, 900)
    assert events(receipt, ledger, "CreditLimitSet") == [{"id": overdrawn, "limit": 900}]
    assert village.account(overdrawn) == (-900, 0, 0, 900)


def test_reverts_when_more_is_owed_already(village: Village, ledger: Contract, overdrawn: int) -> None:
    with refused("CreditLimitExceeded", id=overdrawn, balance=-900, limit=899):
        village.send("council", ledger, "setCreditLimit", overdrawn, 899)


@pytest.mark.parametrize(("number", "kind"), [(BALANCING_FUND, 1), (CLEARING_HOUSE, 2), (OPERATOR, 4), (6, CONSUMER)])
def test_reverts_for_those_who_do_not_settle_on_credit(
    village: Village, ledger: Contract, number: int, kind: int
) -> None:
    with refused("NoCreditFor", id=number, kind=kind):
        village.send("council", ledger, "setCreditLimit", number, 1)


@pytest.mark.parametrize("number", [0, 9])
def test_reverts_when_there_is_no_such_member(village: Village, ledger: Contract, number: int) -> None:
    with refused("UnknownMember", id=number):
        village.send("council", ledger, "setCreditLimit", number, 1)


def test_reverts_when_the_caller_is_not_the_council(
    village: Village, ledger: Contract, buyer: Member, stranger: AccountAPI
) -> None:
    with refused("AccessManagedUnauthorized", caller=stranger.address):
        village.market.chain.send(stranger, ledger, "setCreditLimit", GRID_OPERATOR, CREDIT_LIMIT)
