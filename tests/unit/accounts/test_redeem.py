from ape.api import AccountAPI
from support.refusals import refused
from support.signed import withdrawal
from support.village import DEPOSIT, Member, Village, events
from web3.contract import Contract

PAYMENT = b"\x01" * 32


def test_burns_what_is_paid_out_in_fiat(village: Village, ledger: Contract, token: Contract, buyer: Member) -> None:
    signed = withdrawal(village.market, buyer.wallet, 400, to_bank=True)
    receipt = village.send("treasurer", ledger, "redeem", *signed, PAYMENT)
    assert events(receipt, ledger, "Withdrawn") == [
        {"id": buyer.id, "amount": 400, "toBank": True, "paymentReference": PAYMENT}
    ]
    assert village.free(buyer) == DEPOSIT - 400
    assert token.functions.totalSupply().call() == 3 * DEPOSIT - 400
    assert ledger.functions.isPaymentUsed(PAYMENT).call()


def test_reverts_when_a_deposit_has_used_the_reference(village: Village, ledger: Contract, buyer: Member) -> None:
    village.send("treasurer", ledger, "deposit", buyer.account, 1, PAYMENT)
    with refused("PaymentReferenceUsed", paymentReference=PAYMENT):
        signed = withdrawal(village.market, buyer.wallet, 400, to_bank=True)
        village.send("treasurer", ledger, "redeem", *signed, PAYMENT)


def test_reverts_when_tokens_were_signed_for(village: Village, ledger: Contract, buyer: Member) -> None:
    with refused("WrongPayout", toBank=False):
        village.send("treasurer", ledger, "redeem", *withdrawal(village.market, buyer.wallet, 1), PAYMENT)


def test_shares_its_sequence_with_withdraw(village: Village, ledger: Contract, buyer: Member) -> None:
    village.relay(ledger, "withdraw", *withdrawal(village.market, buyer.wallet, 1, sequence=7))
    with refused("StaleSequence", sequence=6, last=7):
        signed = withdrawal(village.market, buyer.wallet, 1, to_bank=True, sequence=6)
        village.send("treasurer", ledger, "redeem", *signed, PAYMENT)


def test_reverts_when_more_is_asked_for_than_is_free(village: Village, ledger: Contract, buyer: Member) -> None:
    with refused("InsufficientFunds", id=buyer.id, needed=DEPOSIT + 1, available=DEPOSIT):
        signed = withdrawal(village.market, buyer.wallet, DEPOSIT + 1, to_bank=True)
        village.send("treasurer", ledger, "redeem", *signed, PAYMENT)


def test_reverts_when_the_caller_is_no_treasurer(
    village: Village, ledger: Contract, buyer: Member, stranger: AccountAPI
) -> None:
    with refused("AccessManagedUnauthorized", caller=stranger.address):
        signed = withdrawal(village.market, buyer.wallet, 1, to_bank=True)
        village.market.chain.send(stranger, ledger, "redeem", *signed, PAYMENT)
