import pytest
from support.contracts import WINDOW
from support.refusals import refused
from support.village import Village


def arguments(village: Village, first_weekday: int) -> tuple[object, ...]:
    market = village.market
    addresses = [market.addresses[name] for name in ("ParticipantRegistry", "MarketRules", "Accounts", "Schedule")]
    return market.authority.address, market.calendar.as_tuple(), *addresses, first_weekday


@pytest.mark.parametrize("first_weekday", [0, 6])
def test_says_weekday_and_window(village: Village, first_weekday: int) -> None:
    chain = village.market.chain
    address = chain.deploy(village.market.keys["admin"], "BilateralContracts", arguments(village, first_weekday))
    [event] = [e for e in chain.events({"BilateralContracts": address}, chain.block) if e.name == "MarketOpened"]
    assert event.args == {"firstWeekday": first_weekday, "window": WINDOW}


def test_reverts_when_a_week_has_no_such_day(village: Village) -> None:
    with refused("BadCalendar", parameter="firstWeekday", value=7, limit=6):
        village.market.chain.deploy(village.market.keys["admin"], "BilateralContracts", arguments(village, 7))
