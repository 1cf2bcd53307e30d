from ape.api import AccountAPI
from support.refusals import refused
from support.village import CLEARING_HOUSE, DEPOSIT, Member, Village
from web3.contract import Contract


def test_gives_collateral_to_another_member(
    village: Village, ledger: Contract, buyer: Member, seller: Member, bookkeeper: AccountAPI
) -> None:
    village.market.chain.send(bookkeeper, ledger, "lockCollateral", buyer.id, 300)
    village.market.chain.send(bookkeeper, ledger, "forfeitCollateral", buyer.id, [seller.id], [200])
    assert village.account(buyer) == (DEPOSIT - 300, 100, 0, 0)
    assert village.account(seller) == (DEPOSIT + 200, 0, 0, 0)


def test_pays_the_arrears_of_who_receives_it_first(
    village: Village, ledger: Contract, buyer: Member, seller: Member, bookkeeper: AccountAPI
) -> None:
    chain, due = village.market.chain, DEPOSIT + 250
    chain.send(bookkeeper, ledger, "lockCollateral", buyer.id, 300)
    chain.send(bookkeeper, ledger, "post", [(seller.id, -due, 0), (CLEARING_HOUSE, due, 0)])
    chain.send(bookkeeper, ledger, "forfeitCollateral", buyer.id, [seller.id], [300])
    assert village.account(seller) == (50, 0, 0, 0)
    assert village.free(village.supplier) == 0


def test_pays_what_the_member_owes_before_it_gives_anything_away(
    village: Village, ledger: Contract, buyer: Member, seller: Member, bookkeeper: AccountAPI
) -> None:
    send = village.market.chain.send
    village.grant("sharing", bookkeeper)
    send(bookkeeper, ledger, "lockCollateral", buyer.id, DEPOSIT)
    send(bookkeeper, ledger, "post", [(buyer.id, -30, 0), (CLEARING_HOUSE, 30, 0)])
    send(bookkeeper, ledger, "share", [(buyer.id, -15, 0), (CLEARING_HOUSE, 15, 0)], 0, False)
    assert village.account(buyer) == (-15, DEPOSIT, 30, 0)
    # Its arrears, and what was taken back of money that it has locked.
    send(bookkeeper, ledger, "forfeitCollateral", buyer.id, [seller.id], [20])
    assert village.account(buyer) == (-15, DEPOSIT - 20, 10, 0)
    assert village.account(seller) == (DEPOSIT, 0, 0, 0)
    send(bookkeeper, ledger, "forfeitCollateral", buyer.id, [seller.id], [50])
    assert village.account(buyer) == (0, DEPOSIT - 70, 0, 0)
    assert village.account(seller) == (DEPOSIT + 25, 0, 0, 0)


def test_all_who_receive_bear_in_proportion_what_the_member_owes(
    village: Village, ledger: Contract, buyer: Member, seller: Member, rival: Member, bookkeeper: AccountAPI
) -> None:
    """Of 31: 20 / 80, 50 / 80 and 10 / 80, each within a unit; nothing by who is named first."""
    send = village.market.chain.send
    send(bookkeeper, ledger, "lockCollateral", buyer.id, DEPOSIT)
    send(bookkeeper, ledger, "post", [(buyer.id, -31, 0), (CLEARING_HOUSE, 31, 0)])
    to, amounts = [seller.id, rival.id, seller.id], [20, 50, 10]
    received = ledger.functions.forfeitCollateral(buyer.id, to, amounts).call({"from": bookkeeper.address})
    assert received == [13, 30, 6]
    send(bookkeeper, ledger, "forfeitCollateral", buyer.id, to, amounts)
    assert village.account(buyer) == (0, DEPOSIT - 80, 0, 0)
    assert village.free(seller) == DEPOSIT + 13 + 6
    assert village.free(rival) == DEPOSIT + 30


def test_reverts_when_less_is_locked(
    village: Village, ledger: Contract, buyer: Member, seller: Member, bookkeeper: AccountAPI
) -> None:
    village.market.chain.send(bookkeeper, ledger, "lockCollateral", buyer.id, 300)
    with refused("ReleaseExceedsLock", id=buyer.id, release=301, locked=300):
        village.market.chain.send(bookkeeper, ledger, "forfeitCollateral", buyer.id, [seller.id], [301])


def test_reverts_when_the_caller_is_no_market(
    village: Village, ledger: Contract, buyer: Member, seller: Member, stranger: AccountAPI
) -> None:
    with refused("NotAMarket", caller=stranger.address, **{"from": 0}):
        village.market.chain.send(stranger, ledger, "forfeitCollateral", buyer.id, [seller.id], [1])
