"""Withheld readings, meters that stop and come again, connections that are exceeded, and what is right then."""

import numpy as np
import pytest
from support.evm.keys import struct
from support.evm.market import GRID_OPERATOR, SUPPLIER, Market, failures
from support.evm.people import Person, register, sign_readings
from support.rules import CALENDAR, SMALL

from dem.messages.readings import ReadingSheet, Register, pack_registers

PERIODS = CALENDAR.periods_per_day
PLENTY = 10**16
DAYS = 6


class Street:
    """One member, with or without a meter at the boundary, that reads on some days."""

    def __init__(self, energies: list[tuple[int, int]], capacity: int, *, has_boundary: bool) -> None:
        self.energies = energies
        """Import and export by day, Wh in each period."""
        self.market = Market(CALENDAR, SMALL, CALENDAR.opening - 20_000)
        self.member = Person.numbered(1, import_capacity=capacity, export_capacity=capacity)
        register(self.market, self.member)
        for n, account in enumerate((self.member.account, GRID_OPERATOR, SUPPLIER)):
            self.market.act("Accounts.deposit", account.address, PLENTY, bytes([n + 1] * 32))
        self.has_boundary = has_boundary
        self.sequence = 0

    def read(self, meter: Person, day: int) -> None:
        """A day's registers, as they are."""
        imported, exported = (PERIODS * sum(both[n] for both in self.energies[: day - 1]) for n in (0, 1))
        more = self.energies[day - 1]
        registers = [Register(imported + n * more[0], exported + n * more[1]) for n in range(PERIODS + 1)]
        self.sequence += 1
        sheet = ReadingSheet(meter.meter.address, day, 0, self.sequence, pack_registers(registers))
        self.market.act("MeterReadings.enter", sign_readings(self.market, sheet, meter.meter))

    def play(self, read: set[int]) -> int:
        """What the member has paid after six days, with a true-up if its register came again."""
        market = self.market
        for day in range(1, DAYS + 1):
            market.now = CALENDAR.metering_deadline(day)
            if day in read:
                self.read(self.member, day)
            if self.has_boundary:
                self.read(Person.grid_operator(), day)
            market.act("MeterReadings.close", day, 100)
            market.act("Settlement.settle", day, 100)
            market.now = CALENDAR.corrections_close_at(day)
            market.act("Settlement.finalize", day)
        late = market.replay.late
        days = late.gap_days(self.member.id)
        if days and DAYS in read:
            market.act(
                "LateReconciliation.trueUp", self.member.id, days, [late.record(self.member.id, d) for d in days]
            )
        assert not failures(market.checks())
        account = market.account(self.member.id)
        return PLENTY - account.free + account.arrears


AWAY_THEN_HOME = [(0, 0), *[(1_500, 0)] * (DAYS - 1)]
SUN_THEN_WINTER = [(0, 2_000), *[(200, 0)] * (DAYS - 1)]


@pytest.mark.parametrize("energies", [AWAY_THEN_HOME, SUN_THEN_WINTER], ids=["household", "plant"])
@pytest.mark.parametrize("has_boundary", [True, False])
@pytest.mark.parametrize(
    "read", [{1}, {1, DAYS}, {1, 3, DAYS}, set()], ids=["withholds", "resumes", "flickers", "never"]
)
def test_who_withholds_pays_no_less(energies, has_boundary, read):
    honest = Street(energies, 2_000, has_boundary=has_boundary).play(set(range(1, DAYS + 1)))
    assert Street(energies, 2_000, has_boundary=has_boundary).play(read) >= honest


def test_who_resumes_pays_for_what_its_register_shows_to_the_watt_hour():
    street = Street(AWAY_THEN_HOME, 2_000, has_boundary=True)
    # One price all day, so the dearest one is the price of all.
    assert street.play({1, DAYS}) == (DAYS - 1) * PERIODS * 1_500 * SMALL.standing_buy


def test_a_day_beyond_the_connection_is_billed_as_it_was_read():
    street = Street([(901, 0)] * DAYS, 900, has_boundary=True)
    assert street.play(set(range(1, DAYS + 1))) == DAYS * PERIODS * 901 * SMALL.standing_buy
    assert street.market.tally.events["MeterReadings.BeyondConnection"] == DAYS * PERIODS


def test_estimates_of_a_meter_that_reads_in_the_window_leave_nothing_behind():
    street = Street([(100, 0)] * DAYS, 900, has_boundary=True)
    market = street.market
    market.now = CALENDAR.metering_deadline(1)
    street.read(Person.grid_operator(), 1)
    market.act("MeterReadings.close", 1, 100)
    market.act("Settlement.settle", 1, 100)
    street.read(street.member, 1)
    market.now = CALENDAR.corrections_close_at(1)
    market.act("Settlement.settle", 1, 100)
    market.act("Settlement.finalize", 1)
    assert PLENTY - market.account(street.member.id).free == PERIODS * 100 * SMALL.standing_buy
    assert not failures(market.checks())


def test_what_was_stated_of_a_gap_comes_off_even_if_the_register_stood():
    street = Street([(100, 0), *[(0, 0)] * (DAYS - 1)], 900, has_boundary=True)
    market, member = street.market, street.member
    for day in (1, 2):
        market.now = CALENDAR.metering_deadline(day)
        for meter in (member, Person.grid_operator())[day - 1 :]:
            street.read(meter, day)
        market.act("MeterReadings.close", day, 100)
        market.act("Settlement.settle", day, 100)
        market.now = CALENDAR.corrections_close_at(day)
        market.act("Settlement.finalize", day)
    late = market.replay.late
    stated = late.late_reading(member.id, 2, np.full(PERIODS, 100))
    signature = member.meter.sign(market.domain("LateReconciliation"), stated)
    market.act("LateReconciliation.reconcile", struct(stated), late.record(member.id, 2), signature)
    market.now = max(market.now, CALENDAR.start_of(4))
    street.read(member, 3)
    unbilled = market.call("Meters", "unbilledOf", member.id)
    assert tuple(unbilled[:3]) == (-PERIODS * 100, 0, 0)
    assert not failures(market.checks())


def test_an_account_begins_before_anything_of_its_day_is_estimated():
    """While a day is closed in parts a member's first sheet may come after its estimates: they are not counted."""
    street = Street([(100, 0)] * DAYS, 900, has_boundary=False)
    market = street.market
    market.now = CALENDAR.metering_deadline(1)
    # All but the last member, who is admitted after it, are looked at.
    late = Person.numbered(2, import_capacity=900, export_capacity=900)
    register(market, late)
    market.act("MeterReadings.close", 1, street.member.id)
    street.read(street.member, 1)
    market.act("MeterReadings.close", 1, 100)
    unbilled = market.call("Meters", "unbilledOf", street.member.id)
    assert tuple(unbilled[:3]) == (0, 0, 0)
    assert not failures(market.checks())
