"""Claims on the balancing fund lapse when the records of their day make room, and block nothing then."""

from dataclasses import replace

from support.evm.market import Market, failures
from support.evm.people import Person, readings, register, sign_readings, take_note

from dem.model.rules import ImbalancePricing
from dem.model.strips import LANES

from .test_late_work import CALENDAR, RING, RULES

EARNING = replace(RULES, imbalance_pricing=ImbalancePricing.TARIFF, reward_share=5_000)
INCOME = LANES * 7 * (EARNING.standing_buy - EARNING.standing_sell)
"""Of the fund a day: what one pays for energy that another is paid less for."""


class Days:
    """One takes 7 Wh a period and one gives as much; neither has contracted it."""

    def __init__(self, count: int) -> None:
        self.market = Market(CALENDAR, EARNING, CALENDAR.opens_at(1) - 10)
        self.people = {}
        for n in range(2):
            person = Person.numbered(n)
            register(self.market, person)
            self.people[person.id] = person
            self.market.act("Accounts.deposit", person.account.address, 10**12, n.to_bytes(31, "big") + b"p")
        self.market.listeners.append(lambda events: take_note(self.market, self.people, events))
        self.market.act("Accounts.setCreditLimit", 3, 10**12)
        for day in range(1, count + 1):
            self.settle(day)
            self.market.now = CALENDAR.corrections_close_at(day)
            self.market.act("Settlement.finalize", day)

    def settle(self, day: int) -> None:
        """A day from its readings on."""
        self.market.now = max(self.market.now, CALENDAR.start_of(day + 1))
        for person, net in zip(self.people.values(), (7, -7), strict=True):
            sheet = readings(self.market, person, day, 0, [net] * LANES)
            self.market.act("MeterReadings.enter", sign_readings(self.market, sheet, person.meter))
        self.market.act("CallAuction.clear", day, 0, [0] * LANES, 1)
        self.market.act("MeterReadings.close", day, 100)
        self.market.act("Settlement.settle", day, 100)


def test_claims_lapse_with_the_records_of_their_day():
    market = Days(RING + 2).market
    assert market.call("BalancingFund", "nextDay") == 3
    assert [market.attempt("BalancingFund.pay", day, 1).error for day in (2, 4)] == ["ClaimsLapsed", "PaidOutOfOrder"]
    for day in range(3, RING + 3):
        market.act("BalancingFund.pay", day, 100)
    assert market.attempt("BalancingFund.pay", 3, 1).error == "ClaimsPaid"
    assert not failures(market.checks())


def test_what_days_that_are_not_final_brought_is_not_spent():
    """A correction may take it back."""
    days = Days(1)
    market = days.market
    assert market.account(1).free == INCOME
    days.settle(2)
    assert market.account(1).free == 2 * INCOME
    events = market.act("BalancingFund.pay", 1, 100)
    assert [event.args["income"] for event in events if event.name == "DayOpened"] == [INCOME]
    assert not failures(market.checks())
