from support.refusals import refused
from support.village import DEPOSIT, Member, Village
from web3.contract import Contract


def test_books_several_deposits_at_once(village: Village, ledger: Contract, buyer: Member, seller: Member) -> None:
    deposits = [("deposit", (member.account, 5, bytes([n] * 32))) for n, member in ((1, buyer), (2, seller))]
    village.market.chain.send_many(village.market.keys["treasurer"], ledger, deposits)
    assert (village.free(buyer), village.free(seller)) == (DEPOSIT + 5, DEPOSIT + 5)


def test_does_nothing_when_one_of_them_reverts(village: Village, ledger: Contract, buyer: Member) -> None:
    deposits = [("deposit", (buyer.account, 5, b"\x01" * 32))] * 2
    with refused("PaymentReferenceUsed", paymentReference=b"\x01" * 32):
        village.market.chain.send_many(village.market.keys["treasurer"], ledger, deposits)
    assert village.free(buyer) == DEPOSIT
