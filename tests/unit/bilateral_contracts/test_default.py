"""A side that does not pay: settling a day ends its contracts, nobody has to ask for it."""

import pytest
from support.contracts import BUYERS_DAY, DAYS, ENERGY, PRICE, SELLERS_DAY, Contracts
from support.village import FALLBACK_SUPPLIER, FEES, PERIODS, RULES, Member, Village, events

PAID = ENERGY * PERIODS * PRICE
"""For a day's energy."""
LONG = 20 * PERIODS
"""A contract of twenty days."""


@pytest.fixture
def defaulting(village: Village, contracts: Contracts, concluded: None, buyer: Member) -> Member:
    """The buyer has taken all its money out and owes day 1."""
    contracts.take_out(buyer)
    contracts.settle(1)
    return buyer


def settle(contracts: Contracts, day: int) -> list[dict[str, int]]:
    """Settle a day; returns what it ends."""
    return events(contracts.settle(day), contracts.contract, "Ended")


def test_settling_the_next_day_ends_the_contracts_from_the_first_open_gate_on(
    village: Village, contracts: Contracts, defaulting: Member, seller: Member
) -> None:
    arrears = village.account(defaulting)[2]
    assert 0 < arrears <= BUYERS_DAY
    before = village.free(seller)
    # The gate of day 3 has closed.
    assert settle(contracts, 2) == [{"number": 1, "lastDay": 3, "defaulter": defaulting.id, "forfeited": BUYERS_DAY}]
    assert contracts.functions.collateralOf(1).call() == [BUYERS_DAY, SELLERS_DAY]
    # One day's collateral is the other side's, one pays the arrears, one the day that is settled.
    assert village.account(defaulting)[1:3] == (BUYERS_DAY, 0)
    assert village.account(seller)[1] == SELLERS_DAY
    assert village.free(seller) >= before + BUYERS_DAY + PAID
    contracts.settle(3)
    assert village.account(defaulting)[1:3] == (0, 0)
    assert contracts.functions.collateralOf(1).call() == [0, 0]


def test_a_seller_that_defaults_forfeits_too(
    village: Village, contracts: Contracts, concluded: None, buyer: Member, seller: Member
) -> None:
    # It delivers nothing, so that it has to buy the energy back.
    contracts.take_out(seller)
    village.wait_until(village.calendar.start_of(2))
    village.read(buyer, [ENERGY] * PERIODS, 1)
    contracts.settle(1)
    assert village.account(seller)[2] > 0
    [ended] = settle(contracts, 2)
    assert ended == {"number": 1, "lastDay": 3, "defaulter": seller.id, "forfeited": SELLERS_DAY}


def test_who_pays_in_time_keeps_its_contracts(village: Village, contracts: Contracts, defaulting: Member) -> None:
    arrears = village.account(defaulting)[2]
    village.send("treasurer", village.market.accounts, "deposit", defaulting.account, arrears, b"paid".ljust(32, b"\0"))
    assert settle(contracts, 2) == []
    left = DAYS - 2
    assert contracts.functions.collateralOf(1).call() == [left * BUYERS_DAY, left * SELLERS_DAY]


def test_arrears_have_half_a_day_to_be_paid(village: Village, contracts: Contracts, buyer: Member) -> None:
    """What anybody can bring about right before a settlement ends nothing."""
    contracts.conclude(contracts.offer(last_period=LONG - 1))
    contracts.take_out(buyer)
    village.clear_day(1)
    village.close_metering(1)
    village.wait_until(village.calendar.metering_deadline(2) - village.calendar.day_length // 2 + 60)
    village.settle(1)
    assert village.account(buyer)[2] > 0
    assert settle(contracts, 2) == []
    # They have lasted by now.
    assert [ended["defaulter"] for ended in settle(contracts, 3)] == [buyer.id]


def test_what_ends_does_not_depend_on_how_a_walk_is_cut_into_pieces(
    village: Village, contracts: Contracts, defaulting: Member
) -> None:
    village.clear_day(2)
    village.close_metering(2)
    ended = [
        [event["lastDay"] for event in events(receipt, contracts.contract, "Ended")]
        for receipt in (village.relay(village.market.settlement, "settle", 2, n) for n in (defaulting.id - 1, 1, 100))
    ]
    assert ended == [[], [3], []]
    assert contracts.functions.collateralOf(1).call() == [BUYERS_DAY, SELLERS_DAY]


def test_settling_again_ends_nothing_and_gives_the_same_positions(
    village: Village, contracts: Contracts, defaulting: Member
) -> None:
    settle(contracts, 2)
    locked = village.locked(defaulting)
    village.wait_until(village.calendar.metering_deadline(2))
    village.read(village.rival, [1] * PERIODS, 2, sequence=2)
    village.wait_until(village.calendar.corrections_close_at(2))
    receipt = village.settle(2)
    assert events(receipt, contracts.contract, "Ended") == []
    assert {event["release"] for event in events(receipt, village.market.accounts, "Posted")} == {0}
    assert village.locked(defaulting) == locked


def test_all_contracts_end_and_the_other_sides_are_freed(
    village: Village, contracts: Contracts, concluded: None, buyer: Member, rival: Member
) -> None:
    contracts.conclude(contracts.offer(counterparty=rival.account, salt=b"2".ljust(32, b"\0")), accepter=rival)
    contracts.take_out(buyer)
    contracts.settle(1)
    assert [ended["number"] for ended in settle(contracts, 2)] == [1, 2]
    assert village.locked(rival) == SELLERS_DAY


def forfeits(contracts: Contracts, day: int) -> list[int]:
    """Settle a day; returns what other sides receive of what is forfeited."""
    return [event["received"] for event in events(contracts.settle(day), contracts.contract, "Forfeited")]


def consume(village: Village, contracts: Contracts, bought: int, beyond: int) -> int:
    """The buyer has taken its money out, and takes what it bought and energy beyond that, Wh; returns its arrears."""
    contracts.take_out(village.buyer)
    village.wait_until(village.calendar.start_of(2))
    village.read(village.buyer, [bought] * (PERIODS - 1) + [bought + beyond])
    contracts.settle(1)
    return village.account(village.buyer)[2]


def test_a_forfeit_pays_arrears_first(village: Village, contracts: Contracts, concluded: None, seller: Member) -> None:
    """Who locks all its money with an accomplice leaves it for what it consumes."""
    arrears = consume(village, contracts, ENERGY, 500)
    assert BUYERS_DAY < arrears < 2 * BUYERS_DAY
    before = village.free(FALLBACK_SUPPLIER)
    assert forfeits(contracts, 2) == [2 * BUYERS_DAY - arrears]
    assert village.free(FALLBACK_SUPPLIER) >= before + arrears
    assert village.account(village.buyer)[2] == 0


def test_all_that_contracts_free_pays_arrears_before_any_of_it_is_forfeited(
    village: Village, contracts: Contracts, concluded: None, rival: Member
) -> None:
    contracts.conclude(contracts.offer(counterparty=rival.account, salt=b"2".ljust(32, b"\0")), accepter=rival)
    assert consume(village, contracts, 2 * ENERGY, 0) == 2 * BUYERS_DAY
    assert forfeits(contracts, 2) == [BUYERS_DAY, BUYERS_DAY]


def test_goes_on_while_paused(village: Village, contracts: Contracts, defaulting: Member) -> None:
    village.send("node", village.market.accounts, "pause", contracts.contract.address)
    assert len(settle(contracts, 2)) == 1


def test_two_accounts_of_one_owner_get_nothing_from_the_supplier(
    village: Village, contracts: Contracts, buyer: Member, seller: Member
) -> None:
    """The buyer locks the window and pays nothing else, the seller takes its income out every day."""
    price = RULES.max_buy
    day = PERIODS * 10 * (price + FEES)
    contracts.conclude(contracts.offer(price=price, energy=10, last_period=LONG - 1))
    contracts.take_out(buyer)
    advanced = []
    for n in range(1, DAYS + 1):
        contracts.settle(n)
        contracts.take_out(seller)
        advanced.append(-village.free(FALLBACK_SUPPLIER))
    # A day is advanced until the next one is settled, and nothing is left of it.
    assert 0 < max(advanced) <= day
    assert advanced[-1] == 0
    assert village.account(buyer)[2] == 0
