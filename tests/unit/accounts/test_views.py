from support.village import DEPOSIT, Member, Village
from web3.contract import Contract


def test_an_account_without_a_member_is_empty(village: Village) -> None:
    assert village.account(9) == (0, 0, 0, 0)


def test_a_payment_is_unused_until_it_is_booked(ledger: Contract, buyer: Member) -> None:
    assert not ledger.functions.isPaymentUsed(b"\x01" * 32).call()
    assert ledger.functions.isPaymentUsed(bytes([buyer.id] * 32)).call()


def test_holds_as_many_tokens_as_its_accounts_have(ledger: Contract, token: Contract) -> None:
    assert ledger.functions.TOKEN().call() == token.address
    assert token.functions.balanceOf(ledger.address).call() == 3 * DEPOSIT
