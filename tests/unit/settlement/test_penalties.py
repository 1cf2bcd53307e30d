"""The wholesale market's penalty for the area's deviation from what the desk nominated, passed on to who caused it."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from support.signed import bid
from support.village import BALANCING_FUND, CLEARING_HOUSE, RULES, Member, Village, events
from support.wholesale import appointed_desk, clear, plug_in, trade
from web3.contract import Contract

from dem.deployment.plan import rules_tuple
from dem.model.markets.wholesale import Offer

DAY = 3
"""The first day whose rules let the desk pass a penalty on."""
RATE, MARGIN, PRICE = 70, 40, 14_000
SHORT = {"buyer": 500, "rival": 200, "seller": -300}
"""What each takes beyond what was contracted in period 7, Wh: the area is short of 400."""


@pytest.fixture
def desk(village: Village, rules: Contract) -> Member:
    plug_in(village)
    village.send(
        "council", rules, "announce", DAY, rules_tuple(replace(RULES, penalty_cap=RATE, wholesale_margin=MARGIN))
    )
    return appointed_desk(village)


@pytest.fixture
def imported(village: Village, buyer: Member, rival: Member, seller: Member, desk: Member) -> None:
    """The buyer's 1,000 Wh in period 7 are imported; the desk names a penalty for period 8 too, where nothing is."""
    village.open_auction(DAY)
    village.place(buyer, bid(7, 200, 1_000), day=DAY)
    trade(village, desk, {7: Offer(PRICE, RATE, 5_000, 0), 8: Offer(PRICE, RATE, 5_000, 0)}, day=DAY)
    clear(village, 1, {1: 141, 2: 141}, day=DAY)
    village.close_metering(1)
    village.close_metering(2)
    village.wait_until(village.calendar.start_of(DAY + 1))


def read(village: Village, buyer: Member, rival: Member, seller: Member, beyond: Mapping[str, int]) -> None:
    for member, contracted, name in ((buyer, 1_000, "buyer"), (rival, 0, "rival"), (seller, 0, "seller")):
        village.read(member, [0] * 7 + [contracted + beyond[name], 50, 0, 0, 0], day=DAY)


def test_falls_on_those_who_deviate_as_the_area_does(
    village: Village, settlement: Contract, buyer: Member, rival: Member, seller: Member, desk: Member, imported: None
) -> None:
    read(village, buyer, rival, seller, SHORT)
    village.close_metering(DAY)
    receipt = village.settle(DAY)
    assert events(receipt, settlement, "PenaltyDue") == [{"day": DAY, "desk": desk.id, "penalty": 400 * RATE}]
    assert events(receipt, settlement, "PenaltyCharged") == [
        {"id": buyer.id, "day": DAY, "penalty": 500 * RATE},
        {"id": rival.id, "day": DAY, "penalty": 200 * RATE},
    ]
    [day] = events(receipt, settlement, "DaySettled")
    # What is paid beyond the desk's penalty stays with the fund. All contracts are kept: no deviation is charged.
    assert day["fund"] == (700 - 400) * RATE
    assert village.free(BALANCING_FUND) == day["fund"]
    earned = 1_000 * (PRICE + MARGIN - RULES.fees)
    assert village.free(desk) == earned + 400 * RATE
    assert village.free(CLEARING_HOUSE) == 0


def test_counts_no_more_energy_than_the_desk_nominated(
    village: Village, settlement: Contract, buyer: Member, rival: Member, seller: Member, desk: Member
) -> None:
    """A nomination of 1 Wh brings the desk the penalty for 1 Wh, however far the area is off."""
    village.open_auction(DAY)
    village.place(buyer, bid(7, 200, 1_000), day=DAY)
    trade(village, desk, {7: Offer(PRICE, RATE, 1, 0)}, day=DAY)
    clear(village, 1, {1: 200}, day=DAY)
    village.close_metering(1)
    village.close_metering(2)
    village.wait_until(village.calendar.start_of(DAY + 1))
    for member, net in ((buyer, 501), (rival, 200), (seller, -300)):
        village.read(member, [0] * 7 + [net] + [0] * 4, day=DAY)
    village.close_metering(DAY)
    receipt = village.settle(DAY)
    assert events(receipt, settlement, "PenaltyDue") == [{"day": DAY, "desk": desk.id, "penalty": RATE}]
    # Each Wh of the 400 that the area is short of pays its part of that, rounded up.
    assert events(receipt, settlement, "PenaltyCharged") == [
        {"id": buyer.id, "day": DAY, "penalty": 500},
        {"id": rival.id, "day": DAY, "penalty": 200},
    ]
    assert events(receipt, settlement, "DaySettled")[0]["fund"] == 700 - RATE
    assert village.free(CLEARING_HOUSE) == 0


def test_a_correction_changes_penalties_and_claims(
    village: Village, settlement: Contract, buyer: Member, rival: Member, seller: Member, desk: Member, imported: None
) -> None:
    read(village, buyer, rival, seller, SHORT)
    village.close_metering(DAY)
    village.settle(DAY)
    before = {member.id: village.free(member) for member in (buyer, rival, desk)}
    assert settlement.functions.claimsOf(DAY, buyer.id, 1).call() == [[0], [1_000]]
    village.read(buyer, [0] * 7 + [600, 50, 0, 0, 0], day=DAY, sequence=2)
    village.wait_until(village.calendar.corrections_close_at(DAY))
    receipt = village.settle(DAY)
    # The area is long by 500 now: buyer and seller deviate with it, and 400 Wh that were bought are not taken.
    assert events(receipt, settlement, "PenaltyDue")[0]["penalty"] == 500 * RATE
    assert events(receipt, settlement, "PenaltyCharged") == [
        {"id": buyer.id, "day": DAY, "penalty": 400 * RATE},
        {"id": seller.id, "day": DAY, "penalty": 300 * RATE},
    ]
    assert village.free(desk) - before[desk.id] == 100 * RATE
    assert settlement.functions.claimsOf(DAY, buyer.id, 1).call() == [[0], [600]]
    assert village.free(CLEARING_HOUSE) == 0


def test_no_penalty_without_deviation(
    village: Village, settlement: Contract, buyer: Member, rival: Member, seller: Member, desk: Member, imported: None
) -> None:
    read(village, buyer, rival, seller, {"buyer": 0, "rival": 300, "seller": -300})
    village.close_metering(DAY)
    receipt = village.settle(DAY)
    assert events(receipt, settlement, "PenaltyDue") == [{"day": DAY, "desk": desk.id, "penalty": 0}]
    assert events(receipt, settlement, "PenaltyCharged") == []
