"""Claims on the balancing fund lapse when the records of their day make room, and block nothing then."""

from dataclasses import replace

from harness.market import Market, failures
from harness.people import Person, readings, register, sign_readings, take_note

from dem.strips import LANES

from .test_late_work import CALENDAR, PERIOD, RING, RULES

EARNING = replace(RULES, deviation_rate=100, reward_share=5_000)


def settled_days(count: int) -> Market:
    """So many final days, in each of which somebody consumes 7 Wh it did not contract."""
    market = Market(CALENDAR, EARNING, CALENDAR.opens_at(1) - 10)
    person = Person.numbered(0)
    register(market, person)
    market.listeners.append(lambda events: take_note(market, {person.id: person}, events))
    market.act("Accounts.setCreditLimit", 3, 10**12)
    market.act("Accounts.deposit", person.account.address, 10**12, (1).to_bytes(32, "big"))
    for day in range(1, count + 1):
        market.now = CALENDAR.start_of(day + 1)
        sheet = readings(market, person, day, 0, [7] * LANES)
        market.act("MeterReadings.enter", sign_readings(market, sheet, person.meter))
        market.act("CallAuction.clear", day, 0, [0] * LANES, 1)
        market.act("MeterReadings.close", day, 100)
        market.act("Settlement.settle", day, 100)
        market.now = CALENDAR.corrections_close_at(day)
        market.act("Settlement.finalize", day)
    return market


def test_claims_lapse_with_the_records_of_their_day():
    market = settled_days(RING + 2)
    assert market.call("BalancingFund", "nextDay") == 3
    assert [market.attempt("BalancingFund.pay", day, 1).error for day in (2, 4)] == ["ClaimsLapsed", "PaidOutOfOrder"]
    for day in range(3, RING + 3):
        market.act("BalancingFund.pay", day, 100)
    assert market.attempt("BalancingFund.pay", 3, 1).error == "ClaimsPaid"
    assert not failures(market.checks())


def test_what_days_that_are_not_final_brought_is_not_spent():
    """A correction may take it back."""
    market = settled_days(1)
    before = market.account(1).free
    assert before == LANES * 7 * EARNING.deviation_rate
    market.now = CALENDAR.start_of(3) + PERIOD // 2
    market.act("CallAuction.clear", 2, 0, [0] * LANES, 1)
    market.act("MeterReadings.close", 2, 100)
    market.act("Settlement.settle", 2, 100)
    assert market.account(1).free == 2 * before
    events = market.act("BalancingFund.pay", 1, 100)
    assert [event.args["income"] for event in events if event.name == "DayOpened"] == [before]
    assert not failures(market.checks())
