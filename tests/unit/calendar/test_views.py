import pytest
from support.refusals import refused
from support.village import Village
from web3.contract import Contract

DAY = 10_800


def test_days_count_from_1_at_the_opening(village: Village, rules: Contract) -> None:
    opening = village.calendar.opening
    day_at = rules.functions.dayAt
    assert [day_at(opening + passed).call() for passed in (-1, 0, DAY - 1, DAY)] == [0, 1, 1, 2]


def test_phases_of_a_day_follow_from_its_start(village: Village, rules: Contract) -> None:
    f, start = rules.functions, village.calendar.opening + 2 * DAY
    assert f.startOf(3).call() == start == village.calendar.start_of(3)
    assert f.opensAt(3).call() == start - DAY == village.calendar.opens_at(3)
    assert f.gateClosesAt(3).call() == start - 3_600 == village.calendar.gate_closes_at(3)
    assert f.meteringDeadline(3).call() == start + DAY + 1_800 == village.calendar.metering_deadline(3)
    assert f.correctionsCloseAt(3).call() == start + DAY + 7_200 == village.calendar.corrections_close_at(3)


@pytest.mark.parametrize("phase", ["startOf", "opensAt", "gateClosesAt", "meteringDeadline", "correctionsCloseAt"])
@pytest.mark.parametrize("day", [0, 65_536])
def test_reverts_when_there_is_no_such_day(village: Village, rules: Contract, phase: str, day: int) -> None:
    with refused("NoSuchDay", day=day):
        village.relay(rules, phase, day)
