from ape.api import AccountAPI
from support.village import CLEARING_HOUSE, DEPOSIT, Member, Village
from web3.contract import Contract


def test_an_account_without_a_member_is_empty(village: Village) -> None:
    assert village.account(9) == (0, 0, 0, 0)


def test_a_payment_is_unused_until_it_is_booked(ledger: Contract, buyer: Member) -> None:
    assert not ledger.functions.isPaymentUsed(b"\x01" * 32).call()
    assert ledger.functions.isPaymentUsed(bytes([buyer.id] * 32)).call()


def test_says_since_when_a_member_is_in_arrears(
    village: Village, ledger: Contract, buyer: Member, debtor: Member, bookkeeper: AccountAPI
) -> None:
    """More arrears do not begin anew, arrears after they were paid do."""
    chain, since = village.market.chain, village.now
    assert ledger.functions.arrearsOf(debtor.id).call() == [500, since]
    chain.send(bookkeeper, ledger, "post", [(buyer.id, -100, 0), (CLEARING_HOUSE, 100, 0)])
    assert ledger.functions.arrearsOf(debtor.id).call() == [600, since]
    chain.send(bookkeeper, ledger, "post", [(buyer.id, 600, 0), (CLEARING_HOUSE, -600, 0)])
    assert ledger.functions.arrearsOf(debtor.id).call() == [0, 0]
    chain.send(bookkeeper, ledger, "post", [(buyer.id, -1, 0), (CLEARING_HOUSE, 1, 0)])
    assert ledger.functions.arrearsOf(debtor.id).call() == [1, village.now]


def test_holds_as_many_tokens_as_its_accounts_have(ledger: Contract, token: Contract) -> None:
    assert ledger.functions.TOKEN().call() == token.address
    assert token.functions.balanceOf(ledger.address).call() == 3 * DEPOSIT
