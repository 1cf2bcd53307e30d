from ape.api import AccountAPI
from support.refusals import refused
from support.village import DEPOSIT, FALLBACK_SUPPLIER, Member, Village, events
from web3.contract import Contract

PAYMENT = b"\x01" * 32


def test_books_the_money_and_records_the_payment(village: Village, ledger: Contract, buyer: Member) -> None:
    receipt = village.send("treasurer", ledger, "deposit", buyer.account, 700, PAYMENT)
    assert events(receipt, ledger, "Deposited") == [{"id": buyer.id, "amount": 700, "paymentReference": PAYMENT}]
    assert village.account(buyer) == (DEPOSIT + 700, 0, 0, 0)
    assert ledger.functions.isPaymentUsed(PAYMENT).call()


def test_pays_arrears_first(village: Village, ledger: Contract, debtor: Member) -> None:
    supplier = village.free(FALLBACK_SUPPLIER)
    receipt = village.send("treasurer", ledger, "deposit", debtor.account, 300, PAYMENT)
    assert events(receipt, ledger, "ArrearsChanged") == [{"id": debtor.id, "arrears": 200}]
    assert village.account(debtor) == (0, 0, 200, 0)
    village.send("treasurer", ledger, "deposit", debtor.account, 300, b"\x02" * 32)
    assert village.account(debtor) == (100, 0, 0, 0)
    assert village.free(FALLBACK_SUPPLIER) == supplier + 500


def test_takes_a_suspended_members_money(village: Village, ledger: Contract, registry: Contract, buyer: Member) -> None:
    village.send("registrar", registry, "suspend", buyer.id)
    village.send("treasurer", ledger, "deposit", buyer.account, 1, PAYMENT)
    assert village.free(buyer) == DEPOSIT + 1


def test_reverts_when_the_payment_was_booked(village: Village, ledger: Contract, buyer: Member, seller: Member) -> None:
    village.send("treasurer", ledger, "deposit", buyer.account, 700, PAYMENT)
    with refused("PaymentReferenceUsed", paymentReference=PAYMENT):
        village.send("treasurer", ledger, "deposit", seller.account, 1, PAYMENT)


def test_reverts_without_a_reference(village: Village, ledger: Contract, buyer: Member) -> None:
    # that is what tokens from a wallet come with
    with refused("PaymentReferenceUsed", paymentReference=bytes(32)):
        village.send("treasurer", ledger, "deposit", buyer.account, 1, bytes(32))


def test_reverts_when_the_account_is_unknown(village: Village, ledger: Contract, stranger: AccountAPI) -> None:
    with refused("UnknownAccountOwner", account=stranger.address):
        village.send("treasurer", ledger, "deposit", stranger.address, 1, PAYMENT)


def test_reverts_when_nothing_was_paid(village: Village, ledger: Contract, buyer: Member) -> None:
    with refused("ZeroAmount"):
        village.send("treasurer", ledger, "deposit", buyer.account, 0, PAYMENT)


def test_reverts_when_no_balance_could_hold_it(village: Village, ledger: Contract, buyer: Member) -> None:
    with refused("SafeCastOverflowedUintDowncast", bits=80, value=1 << 80):
        village.send("treasurer", ledger, "deposit", buyer.account, 1 << 80, PAYMENT)


def test_reverts_when_the_caller_is_no_treasurer(
    village: Village, ledger: Contract, buyer: Member, stranger: AccountAPI
) -> None:
    with refused("AccessManagedUnauthorized", caller=stranger.address):
        village.market.chain.send(stranger, ledger, "deposit", buyer.account, 1, PAYMENT)
