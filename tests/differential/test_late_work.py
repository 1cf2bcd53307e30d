"""Work that anybody may do gives the same result however late it is done."""

from dataclasses import replace

from support.evm.chain import Refused
from support.evm.market import Market, failures
from support.evm.people import Person, readings, register, sign_readings, take_note
from support.rules import SMALL

from dem.model.calendar import CalendarParameters
from dem.model.strips import LANES

PERIOD = 900
RING = 8
CALENDAR = CalendarParameters(10_000_000, PERIOD, LANES, 2 * PERIOD, PERIOD, 0, PERIOD)
RULES = replace(SMALL, min_order_energy=1, max_layers=1)


def test_estimates_do_not_depend_on_when_metering_is_closed():
    """A day is estimated from the day before, whose storage a later day may take over as soon as it is final."""
    market = Market(CALENDAR, RULES, CALENDAR.opens_at(1) - 10)
    person = Person.numbered(0)
    register(market, person)
    market.listeners.append(lambda events: take_note(market, {person.id: person}, events))
    market.act("Accounts.setCreditLimit", 3, 10**12)

    market.now = CALENDAR.start_of(2)
    market.act("MeterReadings.enter", sign_readings(market, readings(market, person, 1, 0, [7] * LANES), person.meter))
    market.act("CallAuction.clear", 1, 0, [0] * LANES, 1)
    market.act("MeterReadings.close", 1, 100)
    market.act("Settlement.settle", 1, 100)
    market.now = CALENDAR.corrections_close_at(1)
    market.act("Settlement.finalize", 1)

    # Nobody closes day 2 until the day that shares the storage of day 1 is read.
    market.now = CALENDAR.start_of(1 + RING + 1)
    late = sign_readings(market, readings(market, person, 1 + RING, 0, [5] * LANES), person.meter)
    refused = market.attempt("MeterReadings.enter", late)
    market.act("MeterReadings.close", 2, 100)

    assert not failures(market.checks())
    assert isinstance(refused, Refused)
    assert refused.error == "DayStillOpen"
