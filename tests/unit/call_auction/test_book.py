from ape.api import AccountAPI
from support.refusals import refused
from support.signed import NO_ENERGY, signed_lanes
from support.village import CEILING, FEES, Member, Village
from web3.contract import Contract

BUYERS = 600 * (150 * 100 + FEES) + 50 * (120 * 100 + FEES)
RIVALS = 300 * (150 * 100 + FEES)
SELLERS = 600 * (CEILING - 100 * 100)


def test_answers_what_each_member_contracted(
    village: Village, auction: Contract, booker: AccountAPI, rationed: None
) -> None:
    village.clear_day()
    net, payment, traded, release, flexible = auction.functions.book(1, 1, 8).call({"from": booker.address})
    # 600 Wh for bids of 600 and 300: exactly two thirds of each
    assert net[5:] == [[NO_ENERGY, signed_lanes(0, energy, 0, 0, 0, 0)] for energy in (400, -600, 200)]
    assert net[:5] == [[]] * 5
    assert payment == [0] * 5 + [400 * 15_000, -600 * 15_000, 200 * 15_000]
    assert traded == [0] * 5 + [400, 600, 200]
    assert release == [0] * 5 + [BUYERS, SELLERS, RIVALS]
    assert flexible == []


def test_fills_do_not_depend_on_how_many_are_booked_at_once(
    village: Village, auction: Contract, booker: AccountAPI, rationed: None, rival: Member
) -> None:
    village.clear_day()
    village.market.chain.send(booker, auction, "book", 1, 1, 6)
    village.market.chain.send(booker, auction, "book", 1, 7, 1)
    _, _, traded, _, _ = auction.functions.book(1, rival.id, 1).call({"from": booker.address})
    assert traded == [200]


def test_a_second_walk_gives_the_same_positions_and_releases_nothing_more(
    village: Village, auction: Contract, booker: AccountAPI, rationed: None
) -> None:
    village.clear_day()
    village.market.chain.send(booker, auction, "book", 1, 1, 8)
    _, _, traded, release, _ = auction.functions.book(1, 1, 8).call({"from": booker.address})
    assert traded == [0] * 5 + [400, 600, 200]
    assert release == [0] * 8


def test_reverts_before_every_strip_is_cleared(
    village: Village, auction: Contract, booker: AccountAPI, gate_closed: None
) -> None:
    village.clear_strip(0)
    with refused("NotCleared", day=1):
        village.market.chain.send(booker, auction, "book", 1, 1, 8)


def test_reverts_out_of_order(village: Village, auction: Contract, booker: AccountAPI, rationed: None) -> None:
    village.clear_day()
    village.market.chain.send(booker, auction, "book", 1, 1, 6)
    with refused("BookedOutOfOrder", firstId=8, expected=7):
        village.market.chain.send(booker, auction, "book", 1, 8, 1)


def test_reverts_when_the_caller_is_not_the_schedule(village: Village, auction: Contract, stranger: AccountAPI) -> None:
    with refused("AccessManagedUnauthorized", caller=stranger.address):
        village.market.chain.send(stranger, auction, "book", 1, 1, 1)
