import pytest
from support.refusals import refused
from support.village import Member, Village, events
from web3.contract import Contract


def test_ends_a_settled_day(village: Village, settlement: Contract, rules: Contract, short: None) -> None:
    village.settle()
    village.wait_until(village.calendar.corrections_close_at(1))
    receipt = village.relay(settlement, "finalize", 1)
    assert events(receipt, rules, "DayFinal") == [{"day": 1}]
    assert rules.functions.lastFinalDay().call() == 1


def test_reverts_before_the_day_is_settled(village: Village, settlement: Contract, short: None) -> None:
    village.wait_until(village.calendar.corrections_close_at(1))
    with refused("NotSettled", day=1):
        village.relay(settlement, "finalize", 1)


def test_reverts_when_a_correction_is_not_settled(
    village: Village, settlement: Contract, buyer: Member, short: None
) -> None:
    village.settle()
    village.read(buyer, [0] * 12, sequence=2)
    village.wait_until(village.calendar.corrections_close_at(1))
    with refused("NotSettled", day=1):
        village.relay(settlement, "finalize", 1)


def test_reverts_while_corrections_are_taken(village: Village, settlement: Contract, short: None) -> None:
    village.settle()
    closes_at = village.calendar.corrections_close_at(1)
    with refused("CorrectionsOpen", day=1, closesAt=closes_at, time=village.now):
        village.relay(settlement, "finalize", 1)


@pytest.mark.parametrize("day", [0, 2])
def test_reverts_for_a_day_nothing_is_known_of(village: Village, settlement: Contract, short: None, day: int) -> None:
    with refused("NotSettled", day=day):
        village.relay(settlement, "finalize", day)


def test_reverts_when_final_already(village: Village, settlement: Contract, short: None) -> None:
    village.settle()
    village.wait_until(village.calendar.corrections_close_at(1))
    village.relay(settlement, "finalize", 1)
    with refused("DayOutOfOrder", day=1, next=2):
        village.relay(settlement, "finalize", 1)


def test_reverts_when_the_day_before_is_not_final(village: Village, settlement: Contract, short: None) -> None:
    village.settle()
    village.clear_day(2)
    village.close_metering(2)
    village.settle(2)
    village.wait_until(village.calendar.corrections_close_at(2))
    with refused("DayOutOfOrder", day=2, next=1):
        village.relay(settlement, "finalize", 2)
