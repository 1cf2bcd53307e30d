import pytest
from ape.api import AccountAPI
from support.refusals import refused
from support.signed import withdrawal
from support.village import DEPOSIT, Member, Village, events
from web3.contract import Contract


@pytest.fixture
def holder(village: Village, ledger: Contract, token: Contract, buyer: Member) -> Member:
    """The buyer with 1,000 in its own wallet, of which the ledger may take 800."""
    village.relay(ledger, "withdraw", *withdrawal(village.market, buyer.wallet, 1_000))
    village.market.chain.send(buyer.sender, token, "approve", ledger.address, 800)
    return buyer


def test_books_tokens_of_the_callers_wallet(
    village: Village, ledger: Contract, token: Contract, holder: Member
) -> None:
    receipt = village.market.chain.send(holder.sender, ledger, "depositTokens", 300)
    assert events(receipt, ledger, "Deposited") == [{"id": holder.id, "amount": 300, "paymentReference": bytes(32)}]
    assert village.free(holder) == DEPOSIT - 700
    assert token.functions.balanceOf(holder.account).call() == 700
    assert token.functions.totalSupply().call() == 3 * DEPOSIT


def test_reverts_when_the_caller_is_no_member(village: Village, ledger: Contract, stranger: AccountAPI) -> None:
    with refused("UnknownAccountOwner", account=stranger.address):
        village.market.chain.send(stranger, ledger, "depositTokens", 1)


def test_reverts_for_nothing(village: Village, ledger: Contract, holder: Member) -> None:
    with refused("ZeroAmount"):
        village.market.chain.send(holder.sender, ledger, "depositTokens", 0)


def test_reverts_when_it_was_not_approved(village: Village, ledger: Contract, holder: Member) -> None:
    with refused("ERC20InsufficientAllowance", spender=ledger.address, allowance=800, needed=801):
        village.market.chain.send(holder.sender, ledger, "depositTokens", 801)


def test_reverts_when_the_wallet_holds_less(
    village: Village, ledger: Contract, token: Contract, holder: Member
) -> None:
    village.market.chain.send(holder.sender, token, "approve", ledger.address, 5_000)
    with refused("ERC20InsufficientBalance", sender=holder.account, balance=1_000, needed=1_001):
        village.market.chain.send(holder.sender, ledger, "depositTokens", 1_001)
