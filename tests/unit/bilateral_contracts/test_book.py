from typing import Any

import pytest
from ape.api import AccountAPI
from support.contracts import BUYERS_DAY, DAYS, ENERGY, LATER, PRICE, SELLERS_DAY, WINDOW, Contracts
from support.refusals import refused
from support.signed import NO_ENERGY, signed_lanes
from support.village import CEILING, DEPOSIT, FEES, PERIODS, Member, Village, events
from web3.contract import Contract

from dem.messages.contracts import Ending

PAID = ENERGY * PERIODS * PRICE
MEMBERS = 8


def booked(contracts: Contracts, booker: AccountAPI, day: int = 1, first: int = 1, count: int = MEMBERS) -> list[Any]:
    """What booking would answer now: net, payment, traded, release, flexible."""
    return list(contracts.functions.book(day, first, count).call({"from": booker.address}))


def book(village: Village, contracts: Contracts, booker: AccountAPI, day: int, first: int = 1) -> Any:
    return village.market.chain.send(booker, contracts.contract, "book", day, first, MEMBERS + 1 - first)


def close_gate(village: Village, day: int) -> None:
    village.wait_until(village.calendar.gate_closes_at(day))


def test_answers_what_each_member_contracted(
    village: Village, contracts: Contracts, booker: AccountAPI, concluded: None
) -> None:
    close_gate(village, 1)
    net, payment, traded, release, flexible = booked(contracts, booker)
    assert flexible == []
    assert net == [[]] * 5 + [[signed_lanes(*[ENERGY] * 6)] * 2, [signed_lanes(*[-ENERGY] * 6)] * 2, []]
    assert payment == [0] * 5 + [PAID, -PAID, 0]
    assert traded == [0] * 5 + [ENERGY * PERIODS] * 2 + [0]
    # What covered this day covers one of those to come.
    assert release == [0] * MEMBERS


def test_adds_up_a_members_contracts(
    village: Village, contracts: Contracts, booker: AccountAPI, concluded: None, buyer: Member, rival: Member
) -> None:
    resale = contracts.offer(
        proposer=buyer.account, counterparty=rival.account, is_sale=True, price=1, energy=30, slots=0b1000001
    )
    contracts.conclude(resale, buyer, rival)
    close_gate(village, 1)
    net, payment, traded, _, _ = booked(contracts, booker)
    left = signed_lanes(70, *[ENERGY] * 5)
    assert net[5] == [left, left]
    assert net[7] == [signed_lanes(30, 0, 0, 0, 0, 0)] * 2
    assert payment[5:] == [PAID - 60, -PAID, 60]
    assert traded[5:] == [ENERGY * PERIODS + 60, ENERGY * PERIODS, 60]


def test_delivers_on_the_days_and_in_the_periods_of_the_profile(
    village: Village, contracts: Contracts, booker: AccountAPI
) -> None:
    """Day 1 is a Monday."""
    contracts.conclude(contracts.offer(first_period=3, last_period=2 * PERIODS + 6, slots=0b11001000, weekdays=0b101))
    expected = {1: [signed_lanes(0, 0, 0, 100, 0, 0), signed_lanes(100, 100, 0, 0, 0, 0)], 2: [], 3: None}
    expected[3] = [signed_lanes(0, 0, 0, 100, 0, 0), signed_lanes(100, 0, 0, 0, 0, 0)]
    for day, net in expected.items():
        close_gate(village, day)
        assert booked(contracts, booker, day)[0][5] == net


def test_the_last_days_release_a_days_collateral_each(
    village: Village, contracts: Contracts, booker: AccountAPI, concluded: None
) -> None:
    releases = []
    for day in range(1, DAYS + 1):
        close_gate(village, day)
        releases.append(booked(contracts, booker, day)[3][5:7])
        book(village, contracts, booker, day)
    assert releases == [[0, 0]] * (DAYS - WINDOW) + [[BUYERS_DAY, SELLERS_DAY]] * WINDOW
    assert contracts.functions.collateralOf(1).call() == [0, 0]


def test_days_booked_out_of_their_order_release_no_more(
    village: Village, contracts: Contracts, booker: AccountAPI
) -> None:
    contracts.conclude(contracts.offer(last_period=2 * PERIODS - 1))
    close_gate(village, 2)
    for day, left in ((2, 1), (1, 0)):
        assert booked(contracts, booker, day)[3][5:7] == [BUYERS_DAY, SELLERS_DAY]
        book(village, contracts, booker, day)
        assert contracts.functions.collateralOf(1).call() == [left * BUYERS_DAY, left * SELLERS_DAY]


def test_members_are_booked_in_as_many_steps_as_the_caller_likes(
    village: Village, contracts: Contracts, booker: AccountAPI
) -> None:
    contracts.conclude(contracts.offer(last_period=PERIODS - 1))
    close_gate(village, 1)
    receipt = village.market.chain.send(booker, contracts.contract, "book", 1, 1, 6)
    assert events(receipt, contracts.contract, "Booked") == [{"day": 1, "through": 6}]
    assert contracts.functions.collateralOf(1).call() == [0, SELLERS_DAY]
    assert booked(contracts, booker, 1, 7, 2)[3] == [SELLERS_DAY, 0]


def test_a_second_walk_gives_the_same_positions_and_releases_nothing_more(
    village: Village, contracts: Contracts, booker: AccountAPI, concluded: None, buyer: Member, rival: Member
) -> None:
    close_gate(village, 1)
    before = booked(contracts, booker)
    book(village, contracts, booker, 1)
    # Whatever was concluded and ended since.
    contracts.end(Ending(1, 1, LATER))
    contracts.conclude(contracts.offer(counterparty=rival.account, first_period=PERIODS), accepter=rival)
    close_gate(village, 4)
    book(village, contracts, booker, 2)
    net, payment, traded, release, _ = booked(contracts, booker)
    assert [net, payment, traded] == before[:3]
    assert release == [0] * MEMBERS
    receipt = book(village, contracts, booker, 1)
    assert events(receipt, contracts.contract, "Booked") == []


def test_contracts_that_are_over_and_final_leave_the_list(
    village: Village, contracts: Contracts, rules: Contract, booker: AccountAPI, buyer: Member
) -> None:
    for day in (2, 1, 3):
        contracts.conclude(contracts.offer(last_period=day * PERIODS - 1, salt=bytes([day] * 32)))
    village.grant("settlement", booker)
    lists = []
    for day in (1, 2, 3):
        close_gate(village, day)
        book(village, contracts, booker, day)
        lists.append(contracts.functions.contractsOf(buyer.id).call())
        village.market.chain.send(booker, rules, "markFinal", day)
    assert lists == [[1, 2, 3], [1, 3], [3]]


def test_settles_with_the_rest_of_the_market(
    village: Village, contracts: Contracts, concluded: None, buyer: Member, seller: Member
) -> None:
    village.clear_day()
    village.wait_until(village.calendar.start_of(2))
    village.read(buyer, [ENERGY] * PERIODS)
    village.read(seller, [-ENERGY] * PERIODS)
    village.close_metering()
    receipt = village.settle()
    fees = ENERGY * PERIODS * FEES
    assert village.account(buyer)[:2] == (DEPOSIT - PAID - fees - WINDOW * BUYERS_DAY, WINDOW * BUYERS_DAY)
    assert village.account(seller)[:2] == (DEPOSIT + PAID - fees - WINDOW * SELLERS_DAY, WINDOW * SELLERS_DAY)
    scheduled = events(receipt, village.market.contract("Schedule"), "Scheduled")
    assert [event["id"] for event in scheduled] == [buyer.id, seller.id]


def test_what_is_not_delivered_is_imbalance(
    village: Village, contracts: Contracts, buyer: Member, seller: Member
) -> None:
    """The seller delivers nothing in one period and pays what its collateral is for, at most."""
    contracts.conclude(contracts.offer(last_period=0, energy=1_000))
    village.clear_day()
    village.wait_until(village.calendar.start_of(2))
    village.read(buyer, [1_000] + [0] * (PERIODS - 1))
    village.close_metering()
    village.settle()
    lost = DEPOSIT - village.free(seller)
    assert lost == 1_000 * (30_000 - PRICE + FEES) + 900 * 50
    assert lost <= 1_000 * (CEILING - PRICE)
    assert village.locked(seller) == village.locked(buyer) == 0


def test_nobody_has_a_position_without_contracts(village: Village, contracts: Contracts, booker: AccountAPI) -> None:
    close_gate(village, 1)
    assert booked(contracts, booker) == [[[]] * MEMBERS] + [[0] * MEMBERS] * 3 + [[]]
    assert signed_lanes(*[0] * 6) == NO_ENERGY


def test_reverts_before_the_gate(village: Village, contracts: Contracts, booker: AccountAPI) -> None:
    with refused("NotCleared", day=1):
        book(village, contracts, booker, 1)


@pytest.mark.parametrize("first", [0, 8])
def test_reverts_out_of_order(village: Village, contracts: Contracts, booker: AccountAPI, first: int) -> None:
    close_gate(village, 1)
    village.market.chain.send(booker, contracts.contract, "book", 1, 1, 6)
    with refused("BookedOutOfOrder", firstId=first, expected=7):
        book(village, contracts, booker, 1, first)


def test_reverts_when_the_day_has_made_room_for_another(
    village: Village, contracts: Contracts, rules: Contract, booker: AccountAPI
) -> None:
    village.grant("settlement", booker)
    close_gate(village, 9)
    with refused("DayStillOpen", day=1, lastFinal=0):
        book(village, contracts, booker, 9)
    village.market.chain.send(booker, rules, "markFinal", 1)
    book(village, contracts, booker, 9)
    with refused("DayIsOver", day=1):
        book(village, contracts, booker, 1)


def test_reverts_when_the_caller_is_not_the_schedule(contracts: Contracts, village: Village) -> None:
    with refused("AccessManagedUnauthorized", caller=village.stranger.address):
        book(village, contracts, village.stranger, 1)
