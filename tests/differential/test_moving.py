"""Members who move: the next tenant of a meter, who comes back, a connection that changes (rules 2.1, 2.2, 14.11)."""

from dataclasses import dataclass
from random import Random

import pytest
from support.evm.market import SUPPLIER, Market, failures
from support.evm.people import Person, admit, application, register, sign_readings
from support.rules import CALENDAR, SMALL

from dem.messages.readings import ReadingSheet, Register, pack_registers
from dem.model.strips import LANES, strips_per_day

PERIODS = CALENDAR.periods_per_day
STRIPS = strips_per_day(PERIODS)
CAPACITY = 50
PLENTY = 10**16


@dataclass
class House:
    """A meter that stays, and the members who live there one after another."""

    market: Market
    random: Random

    @staticmethod
    def built(seed: int = 1) -> "House":
        market = Market(CALENDAR, SMALL, CALENDAR.opening - 20_000)
        market.act("Accounts.deposit", SUPPLIER.address, PLENTY, bytes([9] * 32))
        market.act("Accounts.setCreditLimit", 3, PLENTY)
        return House(market, Random(seed))

    def __post_init__(self) -> None:
        self.shown = [(self.random.randint(0, 9), self.random.randint(0, 9))]
        for _ in range(14 * PERIODS):
            imported, exported = self.shown[-1]
            self.shown.append((imported + self.random.randint(0, 9), exported + self.random.randint(0, 3)))
        self.sequences = 0

    def move_in(self, n: int, meter: Person | None = None) -> Person:
        """The n-th person, with a meter of its own or that of somebody before."""
        person = Person.numbered(n, import_capacity=CAPACITY, export_capacity=CAPACITY)
        if meter is not None:
            person.meter = meter.meter
        register(self.market, person)
        self.market.act("Accounts.deposit", person.account.address, PLENTY, bytes([n] * 32))
        return person

    def move_out(self, person: Person) -> int:
        """Its last day."""
        (event,) = (e for e in self.market.act("ParticipantRegistry.exit", person.id) if e.name == "StatusChanged")
        return event.args["lastDay"]

    def read(self, person: Person, first: int, strips: int = 1) -> str | None:
        """Strips since the opening, within a day. The error with which they are refused, if they are."""
        self.sequences += 1
        registers = [Register(*self.shown[first * LANES + n]) for n in range(strips * LANES + 1)]
        day = first // STRIPS + 1
        sheet = ReadingSheet(person.meter.address, day, first % STRIPS, self.sequences, pack_registers(registers))
        refused = self.market.attempt("MeterReadings.enter", sign_readings(self.market, sheet, person.meter))
        return refused.error if refused else None

    def close(self, day: int) -> None:
        self.market.now = max(self.market.now, CALENDAR.metering_deadline(day))
        self.market.act("MeterReadings.close", day, 100)
        self.market.act("Settlement.settle", day, 100)

    def finish(self, *days: int) -> None:
        for day in days:
            self.market.now = max(self.market.now, CALENDAR.corrections_close_at(day))
            if not self.market.call("Settlement", "isSettled", day):
                self.market.act("Settlement.settle", day, 100)
            self.market.act("Settlement.finalize", day)
        assert not failures(self.market.checks())

    def unbilled(self, person: Person) -> tuple[int, int, int]:
        return tuple(self.market.call("Meters", "unbilledOf", person.id)[:3])

    def settled(self, person: Person, day: int) -> list[int] | None:
        values = self.market.replay.readings(day).get(person.id)
        return None if values is None else values.net.tolist()

    def net(self, day: int) -> list[int]:
        begun = (day - 1) * PERIODS
        both = zip(self.shown[begun : begun + PERIODS], self.shown[begun + 1 : begun + PERIODS + 1], strict=True)
        return [after[0] - before[0] - after[1] + before[1] for before, after in both]

    def energy(self, first: int, last: int) -> tuple[int, int]:
        """What the registers advance by between two strips since the opening."""
        before, after = self.shown[first * LANES], self.shown[last * LANES]
        return after[0] - before[0], after[1] - before[1]


@pytest.mark.parametrize("late", [False, True])
def test_the_next_tenant_begins_where_the_last_one_ended(late):
    house = House.built()
    last = house.move_in(1)
    house.market.now = CALENDAR.opens_at(2)
    assert house.move_out(last) == 2
    next_ = house.move_in(2, meter=last)
    assert house.market.replay.members[next_.id].first_day == 3
    house.market.now = CALENDAR.start_of(2)
    assert house.read(last, 0, STRIPS) is None
    house.market.now = CALENDAR.start_of(3) + CALENDAR.period_length * LANES
    sheets = [(last, STRIPS, STRIPS), (next_, 2 * STRIPS, 1)]
    for person, first, strips in reversed(sheets) if late else sheets:
        assert house.read(person, first, strips) is None
    house.market.now = CALENDAR.start_of(4)
    assert house.read(next_, 2 * STRIPS + 1, STRIPS - 1) is None
    for day in (1, 2, 3):
        house.close(day)
    assert house.settled(last, 2) == house.net(2)
    assert house.settled(next_, 3) == house.net(3)
    assert last.id not in house.market.replay.readings(3)
    assert next_.id not in house.market.replay.readings(2)
    assert house.unbilled(last) == house.unbilled(next_) == (0, 0, 0)
    house.finish(1, 2, 3)


def test_what_the_last_tenant_never_sent_is_known_from_the_first_sheet_of_the_next():
    house = House.built()
    last = house.move_in(1)
    house.market.now = CALENDAR.opens_at(2)
    house.move_out(last)
    next_ = house.move_in(2, meter=last)
    house.market.now = CALENDAR.start_of(2)
    assert house.read(last, 0, STRIPS) is None
    for day in (1, 2):
        house.close(day)
    house.market.now = max(house.market.now, CALENDAR.start_of(3) + LANES * CALENDAR.period_length)
    assert house.unbilled(last) == (0, 0, STRIPS)
    assert house.read(next_, 2 * STRIPS, 1) is None
    assert house.unbilled(last) == (*house.energy(STRIPS, 2 * STRIPS), STRIPS)
    # A late sheet takes its part from that, and no more.
    assert house.read(last, STRIPS + 1, 1) is None
    late = house.energy(STRIPS + 1, STRIPS + 2)
    whole = house.energy(STRIPS, 2 * STRIPS)
    assert house.unbilled(last) == (whole[0] - late[0], whole[1] - late[1], STRIPS - 1)
    house.finish(1, 2)
    late = house.market.replay.late
    days = late.gap_days(last.id)
    house.market.act("LateReconciliation.trueUp", last.id, days, [late.record(last.id, day) for day in days])
    assert house.unbilled(last) == (0, 0, 0)
    assert not failures(house.market.checks())


def test_who_comes_back_reads_anew():
    house = House.built()
    person = house.move_in(1)
    house.market.now = CALENDAR.opens_at(1)
    assert house.move_out(person) == 1
    house.market.now = CALENDAR.start_of(2)
    assert house.read(person, 0, STRIPS) is None
    house.close(1)
    house.finish(1)
    house.market.act("ParticipantRegistry.applyFor", *application(house.market, person, documents=bytes([3] * 32)))
    admit(house.market, person)
    first = house.market.replay.membership.since(person.id, 99)
    assert first > 2
    for day in range(2, first):
        assert house.read(person, (day - 1) * STRIPS, STRIPS) in ("ReadingFromFuture", "NotTakingPart")
    house.market.now = CALENDAR.start_of(first + 1)
    assert house.read(person, (first - 1) * STRIPS, STRIPS) is None
    for day in range(2, first + 1):
        house.close(day)
    # What was counted while it was away is nobody's energy.
    assert house.unbilled(person) == (0, 0, 0)
    assert house.settled(person, first) == house.net(first)
    house.finish(*range(2, first + 1))


def test_a_silent_meter_is_estimated_by_the_connection_of_the_day():
    house = House.built()
    person = house.move_in(1)
    house.market.act("ParticipantRegistry.changeConnection", person.id, 2 * CAPACITY, CAPACITY, 2)
    for day in (1, 2):
        house.close(day)
    assert house.settled(person, 1) == [CAPACITY] * PERIODS
    assert house.settled(person, 2) == [2 * CAPACITY] * PERIODS
    house.finish(1, 2)


def test_a_late_reading_is_bounded_by_the_connection_of_its_day():
    house = House.built()
    person = house.move_in(1)
    house.market.act("ParticipantRegistry.changeConnection", person.id, 10 * CAPACITY, CAPACITY, 2)
    registers = [Register(0, 0), *(Register(3 * CAPACITY * (n + 1), 0) for n in range(LANES))]
    for day, error in ((1, "NothingPlausible"), (2, None)):
        house.market.now = CALENDAR.start_of(day + 1)
        sheet = ReadingSheet(person.meter.address, day, 0, 1, pack_registers(registers))
        refused = house.market.attempt("MeterReadings.enter", sign_readings(house.market, sheet, person.meter))
        assert (refused and refused.error) == error


def test_a_stranger_cannot_bring_a_meter_that_is_somebodys():
    house = House.built()
    person = house.move_in(1)
    other = Person.numbered(2, import_capacity=CAPACITY, export_capacity=CAPACITY)
    other.meter = person.meter
    refused = house.market.attempt("ParticipantRegistry.applyFor", *application(house.market, other))
    assert refused is not None
    assert refused.error == "KeyUnusable"
