import pytest
from ape.api import AccountAPI
from support.refusals import refused
from support.signed import NO_ENERGY, signed_lanes
from support.village import CLEARING_HOUSE, DEPOSIT, FEES, RULES, Member, Village, events
from support.wholesale import clear, report, trade
from web3.contract import Contract

from dem.model.markets.wholesale import Offer

IMPORTED = {7: Offer(14_000, 0, 150, 0)}


@pytest.fixture
def booker(village: Village) -> AccountAPI:
    """An account with the role that otherwise the schedule holds."""
    village.grant("schedule", village.stranger)
    return village.stranger


@pytest.fixture
def imported(village: Village, desk: Member, wanted: None) -> None:
    """150 Wh for what the auction left of the bids: 400 of 600 Wh and 200 of 300 Wh."""
    trade(village, desk, IMPORTED)
    clear(village, 1, {1: 150})


def test_members_buy_what_the_desk_sells(
    village: Village, residual: Contract, booker: AccountAPI, buyer: Member, rival: Member, desk: Member, imported: None
) -> None:
    p = residual.functions.book(1, 1, 9).call({"from": booker.address})
    net, payment, traded, release, flexible = p
    assert {i + 1: strips for i, strips in enumerate(net) if strips} == {
        buyer.id: [NO_ENERGY, signed_lanes(0, 100, 0, 0, 0, 0)],
        rival.id: [NO_ENERGY, signed_lanes(0, 50, 0, 0, 0, 0)],
        desk.id: [NO_ENERGY, signed_lanes(0, -150, 0, 0, 0, 0)],
    }
    assert payment[5:] == [1_400_000, 0, 700_000, -2_100_000]
    assert traded[5:] == [100, 0, 50, 150]
    assert release == [0] * 9
    assert flexible == []
    assert sum(payment) == 0


def test_books_again_what_it_booked(
    village: Village, residual: Contract, booker: AccountAPI, desk: Member, imported: None
) -> None:
    first = residual.functions.book(1, 1, 9).call({"from": booker.address})
    village.market.chain.send(booker, residual, "book", 1, 1, 6)
    later = residual.functions.book(1, 7, 3).call({"from": booker.address})
    assert [whole[6:] for whole in first[:4]] == list(later[:4])
    assert residual.functions.book(1, 1, 9).call({"from": booker.address}) == first


def test_costs_nothing_on_a_day_without_a_report(
    village: Village, residual: Contract, booker: AccountAPI, left_over: None
) -> None:
    village.wait_until(residual.functions.reportDueAt(1).call())
    assert residual.functions.book(1, 1, 9).call({"from": booker.address}) == ([], [], [], [], [])


EXPORTED = {8: Offer(10_000, 0, 200, 500)}
EXPORT_LOCKS = 500 * (10_000 + FEES)
"""The dearer of what the desk may pay for 500 Wh and what it would receive for 200 Wh."""


def test_the_desk_has_its_collateral_back_the_first_time(
    village: Village, residual: Contract, booker: AccountAPI, desk: Member, wanted: None
) -> None:
    trade(village, desk, EXPORTED)
    clear(village, 1, {2: 100}, {2: 100})
    assert village.account(desk)[:2] == (-EXPORT_LOCKS, EXPORT_LOCKS)
    book = residual.functions.book(1, 1, 9)
    release = book.call({"from": booker.address})[3]
    assert release == [0] * 8 + [EXPORT_LOCKS]
    village.market.chain.send(booker, residual, "book", 1, 1, 9)
    assert book.call({"from": booker.address})[3] == [0] * 9


def test_it_has_it_back_when_nothing_was_traded(
    village: Village, residual: Contract, booker: AccountAPI, desk: Member
) -> None:
    village.open_auction()
    trade(village, desk, EXPORTED)
    clear(village, 1, {2: 100}, {2: 100})
    assert residual.functions.exchangeOf(1).call() == [0, []]
    assert residual.functions.book(1, 1, 8).call({"from": booker.address}) == ([], [], [], [], [])
    assert residual.functions.book(1, 9, 1).call({"from": booker.address})[3] == [EXPORT_LOCKS]
    village.market.chain.send(booker, residual, "book", 1, 1, 9)
    assert residual.functions.book(1, 1, 9).call({"from": booker.address}) == ([], [], [], [], [])


def test_settling_the_day_releases_it_and_rewards_no_nomination(
    village: Village, settlement: Contract, seller: Member, desk: Member, wanted: None
) -> None:
    trade(village, desk, EXPORTED)
    clear(village, 1, {2: 100}, {2: 100})
    village.close_metering()
    village.settle()
    # It bought 500 Wh of the seller at 10,000 units/Wh.
    assert village.account(desk)[:2] == (-500 * (10_000 + FEES), 0)
    _, kept = settlement.functions.claimsOf(1, 1, desk.id).call()
    assert kept[desk.id - 1] == 0
    assert settlement.functions.dayOf(1).call()[3] == sum(kept)


def test_a_day_is_settled_with_the_desk(
    village: Village, settlement: Contract, buyer: Member, rival: Member, seller: Member, desk: Member, imported: None
) -> None:
    village.wait_until(village.calendar.start_of(2))
    village.read(buyer, [0] * 7 + [300] + [0] * 4)
    village.read(rival, [0] * 7 + [150] + [0] * 4)
    village.read(seller, [0] * 7 + [-300] + [0] * 4)
    village.close_metering()
    # The desk delivers what it sold, so the area is in balance: 300 Wh from the seller, 150 Wh imported.
    assert village.market.readings.functions.areaNet(1).call() == [0] * 12
    assert village.market.readings.functions.netOf(1, desk.id, 1).call() == [
        [NO_ENERGY, signed_lanes(0, -150, 0, 0, 0, 0)]
    ]
    receipt = village.settle()
    settled = {event["id"]: event for event in events(receipt, settlement, "Settled")}
    assert all(event["imbalance"] == 0 for event in settled.values())
    assert settled[buyer.id]["trade"] == 200 * 15_000 + 100 * 14_000
    assert settled[desk.id]["trade"] == -150 * 14_000
    assert settled[desk.id]["fees"] == 150 * FEES
    assert village.account(buyer)[:2] == (DEPOSIT - 200 * 15_000 - 100 * 14_000 - 300 * FEES, 0)
    assert village.free(desk) == 150 * (14_000 - FEES)
    assert village.free(CLEARING_HOUSE) == 0
    assert RULES.wholesale_margin == 0


def test_reverts_before_the_day_is_cleared(
    village: Village, residual: Contract, booker: AccountAPI, desk: Member, wanted: None
) -> None:
    trade(village, desk, IMPORTED)
    with refused("ResidualNotCleared", day=1):
        village.market.chain.send(booker, residual, "book", 1, 1, 9)


def test_reverts_before_the_report_is_due(
    village: Village, residual: Contract, booker: AccountAPI, left_over: None
) -> None:
    with refused("ResidualNotCleared", day=1):
        village.market.chain.send(booker, residual, "book", 1, 1, 9)


def test_reverts_out_of_order(village: Village, residual: Contract, booker: AccountAPI, imported: None) -> None:
    village.market.chain.send(booker, residual, "book", 1, 1, 4)
    with refused("BookedOutOfOrder", firstId=6, expected=5):
        village.market.chain.send(booker, residual, "book", 1, 6, 1)


def test_reverts_when_the_day_is_over(
    village: Village, residual: Contract, rules: Contract, booker: AccountAPI, desk: Member, imported: None
) -> None:
    village.grant("settlement", village.stranger)
    village.market.chain.send(village.stranger, rules, "markFinal", 1)
    report(village, desk, IMPORTED, day=9)
    with refused("DayIsOver", day=1):
        village.market.chain.send(booker, residual, "book", 1, 1, 9)


def test_reverts_when_the_caller_is_not_the_schedule(village: Village, residual: Contract, desk: Member) -> None:
    with refused("AccessManagedUnauthorized", caller=village.stranger.address):
        village.market.chain.send(village.stranger, residual, "book", 1, 1, 1)
