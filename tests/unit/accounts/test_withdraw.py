from ape.api import AccountAPI
from support.refusals import refused
from support.signed import high_s, withdrawal
from support.village import CREDIT_LIMIT, DEPOSIT, Member, Village, events
from web3.contract import Contract

from dem.community.keys import wallet


def test_pays_tokens_to_the_owners_wallet(village: Village, ledger: Contract, token: Contract, buyer: Member) -> None:
    receipt = village.relay(ledger, "withdraw", *withdrawal(village.market, buyer.wallet, 400))
    assert events(receipt, ledger, "Withdrawn") == [
        {"id": buyer.id, "amount": 400, "toBank": False, "paymentReference": bytes(32)}
    ]
    assert village.free(buyer) == DEPOSIT - 400
    assert token.functions.balanceOf(buyer.account).call() == 400
    assert token.functions.totalSupply().call() == 3 * DEPOSIT


def test_nobody_can_hold_up_a_suspended_members_money(
    village: Village, ledger: Contract, registry: Contract, buyer: Member
) -> None:
    village.send("registrar", registry, "suspend", buyer.id)
    village.send("node", ledger, "pauseAll")
    village.relay(ledger, "withdraw", *withdrawal(village.market, buyer.wallet, DEPOSIT))
    assert village.free(buyer) == 0


def test_reverts_when_the_account_is_unknown(village: Village, ledger: Contract) -> None:
    unknown = wallet("village", 1, "unknown")
    with refused("UnknownAccountOwner", account=unknown.account):
        village.relay(ledger, "withdraw", *withdrawal(village.market, unknown, 1))


def test_reverts_for_nothing(village: Village, ledger: Contract, buyer: Member) -> None:
    with refused("ZeroAmount"):
        village.relay(ledger, "withdraw", *withdrawal(village.market, buyer.wallet, 0))


def test_reverts_when_fiat_was_signed_for(village: Village, ledger: Contract, buyer: Member) -> None:
    with refused("WrongPayout", toBank=True):
        village.relay(ledger, "withdraw", *withdrawal(village.market, buyer.wallet, 1, to_bank=True))


def test_reverts_when_brought_again(village: Village, ledger: Contract, buyer: Member) -> None:
    signed = withdrawal(village.market, buyer.wallet, 1, sequence=5)
    village.relay(ledger, "withdraw", *signed)
    with refused("StaleSequence", sequence=5, last=5):
        village.relay(ledger, "withdraw", *signed)


def test_reverts_when_signed_by_somebody_else(
    village: Village, ledger: Contract, buyer: Member, seller: Member
) -> None:
    signed = withdrawal(village.market, buyer.wallet, 1, key=seller.wallet.account_key)
    with refused("NotSignedByOwner", account=buyer.account, signer=seller.account):
        village.relay(ledger, "withdraw", *signed)


def test_reverts_when_the_signature_is_the_malleable_one(village: Village, ledger: Contract, buyer: Member) -> None:
    fields, signature = withdrawal(village.market, buyer.wallet, 1)
    with refused("ECDSAInvalidSignatureS", s=high_s(signature)[32:64]):
        village.relay(ledger, "withdraw", fields, high_s(signature))


def test_reverts_when_more_is_asked_for_than_is_free(
    village: Village, ledger: Contract, buyer: Member, bookkeeper: AccountAPI
) -> None:
    village.market.chain.send(bookkeeper, ledger, "lockCollateral", buyer.id, 100)
    with refused("InsufficientFunds", id=buyer.id, needed=DEPOSIT, available=DEPOSIT - 100):
        village.relay(ledger, "withdraw", *withdrawal(village.market, buyer.wallet, DEPOSIT))


def test_reverts_when_credit_is_asked_for(village: Village, ledger: Contract) -> None:
    supplier = village.supplier
    assert village.account(supplier) == (0, 0, 0, CREDIT_LIMIT)
    with refused("InsufficientFunds", id=supplier.id, needed=1, available=0):
        village.relay(ledger, "withdraw", *withdrawal(village.market, supplier.wallet, 1))


def test_reverts_when_no_balance_could_hold_it(village: Village, ledger: Contract, buyer: Member) -> None:
    with refused("SafeCastOverflowedIntDowncast", bits=128, value=1 << 127):
        village.relay(ledger, "withdraw", *withdrawal(village.market, buyer.wallet, 1 << 127))
