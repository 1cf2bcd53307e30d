import pytest
from support.contracts import BUYERS_DAY, DAYS, SELLERS_DAY, Contracts
from support.refusals import refused
from support.village import CAPACITY, PERIODS, Member, Village, events


def default(village: Village, member: Member, day: int = 1) -> int:
    """Let a member take much more than it can pay; returns what it owes."""
    village.clear_day(day)
    village.wait_until(village.calendar.start_of(day + 1))
    village.read(member, [CAPACITY] * PERIODS, day)
    village.close_metering(day)
    village.settle(day)
    return village.account(member)[2]


@pytest.mark.parametrize("side", ["buyer", "seller"])
def test_ends_a_defaulters_contract_from_the_first_open_gate_on(
    village: Village, contracts: Contracts, concluded: None, side: str
) -> None:
    member = getattr(village, side)
    arrears = default(village, member)
    assert arrears > 0
    # The gate of day 2 has closed.
    receipt = village.relay(contracts.contract, "terminate", 1)
    assert events(receipt, contracts.contract, "Ended") == [{"number": 1, "lastDay": 2, "defaulter": member.id}]
    assert contracts.functions.collateralOf(1).call() == [BUYERS_DAY, SELLERS_DAY]
    # What is released pays arrears first.
    released = 2 * (BUYERS_DAY if side == "buyer" else SELLERS_DAY)
    assert village.account(member)[:3] == (0, released // 2, arrears - released)


def test_ends_the_contract_of_who_has_left_after_its_last_day(
    village: Village, contracts: Contracts, concluded: None, seller: Member
) -> None:
    village.wait_until(village.calendar.opens_at(2))
    village.send("registrar", village.market.registry, "exit", seller.id)
    receipt = village.relay(contracts.contract, "terminate", 1)
    # Day 2 has opened, though its gate is still open.
    assert events(receipt, contracts.contract, "Ended") == [{"number": 1, "lastDay": 2, "defaulter": seller.id}]


def test_goes_on_while_paused(village: Village, contracts: Contracts, concluded: None, buyer: Member) -> None:
    default(village, buyer)
    village.send("node", village.market.accounts, "pause", contracts.contract.address)
    village.relay(contracts.contract, "terminate", 1)
    assert contracts.functions.contractOf(1).call()[2][3] == 2 * PERIODS


def test_reverts_when_nobody_is_in_default(village: Village, contracts: Contracts, concluded: None) -> None:
    village.send("registrar", village.market.registry, "suspend", village.buyer.id)
    with refused("NotInDefault", number=1):
        village.relay(contracts.contract, "terminate", 1)


def test_reverts_when_the_arrears_are_paid(
    village: Village, contracts: Contracts, concluded: None, buyer: Member
) -> None:
    arrears = default(village, buyer)
    village.send("treasurer", village.market.accounts, "deposit", buyer.account, arrears, b"paid".ljust(32, b"\0"))
    with refused("NotInDefault", number=1):
        village.relay(contracts.contract, "terminate", 1)


@pytest.mark.parametrize("number", [0, 2])
def test_reverts_when_there_is_no_such_contract(
    village: Village, contracts: Contracts, concluded: None, number: int
) -> None:
    with refused("NoSuchContract", number=number):
        village.relay(contracts.contract, "terminate", number)


def test_reverts_when_it_is_over(village: Village, contracts: Contracts, concluded: None, buyer: Member) -> None:
    default(village, buyer)
    village.wait_until(village.calendar.gate_closes_at(DAYS))
    with refused("NotEarlier", number=1, lastDay=DAYS, present=DAYS):
        village.relay(contracts.contract, "terminate", 1)
