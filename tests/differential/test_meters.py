"""Several meters of one member: a swap within a strip, meters side by side, gaps over a swap (rules 12.10, 14.11)."""

import os
from dataclasses import dataclass, field
from random import Random

import pytest
from support.evm.chain import Event
from support.evm.keys import Key, key
from support.evm.market import SUPPLIER, Market, failures
from support.evm.people import Person, register, sign_readings
from support.rules import CALENDAR, SMALL

from dem.messages.readings import ReadingSheet, Register, pack_registers
from dem.model.strips import LANES, strips_per_day

PERIODS = CALENDAR.periods_per_day
STRIPS = strips_per_day(PERIODS)
PLENTY = 10**16
CAPACITY = 50
HISTORIES = int(os.environ.get("DEM_RANDOM_GAPS", "60")) // 3
"""Histories to play; `make test-long` plays thousands."""
PORTIONS = 2


@dataclass
class TrueMeter:
    """What a meter counts in its life: import and export by period since the opening, Wh."""

    key: Key
    base: tuple[int, int]
    first: int = 0
    last: int = 1 << 30
    energies: list[tuple[int, int]] = field(default_factory=list)
    sequence: int = 0

    def at(self, period: int) -> tuple[int, int]:
        """Its registers before a period."""
        counted = self.energies[self.first : max(self.first, min(period, self.last))]
        return self.base[0] + sum(one[0] for one in counted), self.base[1] + sum(one[1] for one in counted)


class Home:
    """One member with meters that come and go."""

    def __init__(self, days: int = 4) -> None:
        self.market = Market(CALENDAR, SMALL, CALENDAR.opening - 20_000)
        self.member = Person.numbered(1, import_capacity=CAPACITY, export_capacity=CAPACITY)
        register(self.market, self.member)
        for n, account in enumerate((self.member.account, SUPPLIER)):
            self.market.act("Accounts.deposit", account.address, PLENTY, bytes([n + 1] * 32))
        self.market.act("Accounts.setCreditLimit", 3, PLENTY)
        self.days = days
        self.meters = [TrueMeter(self.member.meter, (1_000, 7), energies=self.energies(3, 1))]
        self.trued_up = 0
        self.market.listeners.append(self._note_true_ups)

    def _note_true_ups(self, events: list[Event]) -> None:
        true_ups = [event.args for event in events if event.name == "TruedUp"]
        self.trued_up += sum(args["importWh"] - args["exportWh"] for args in true_ups)

    def energies(self, imported: int, exported: int) -> list[tuple[int, int]]:
        return [(imported + n % 5, exported * (n % 3)) for n in range(self.days * PERIODS)]

    def install(self, period: int, base: tuple[int, int], imported: int = 2, exported: int = 2) -> TrueMeter:
        meter = TrueMeter(key(5_000 + len(self.meters)), base, period, energies=self.energies(imported, exported))
        self.meters.append(meter)
        where = (period // PERIODS + 1, period % PERIODS)
        self.market.act("Meters.install", self.member.id, meter.key.address, *where, *base)
        return meter

    def remove(self, meter: TrueMeter, period: int) -> None:
        meter.last = period
        where = (period // PERIODS + 1, period % PERIODS)
        self.market.act("Meters.remove", self.member.id, meter.key.address, *where, *meter.at(period))

    def read(self, meter: TrueMeter, first: int, strips: int = 1) -> str | None:
        """Strips since the opening, within a day. The error with which they are refused, if they are."""
        registers = [Register(*meter.at(first * LANES + n)) for n in range(strips * LANES + 1)]
        return self.bring(meter, first, registers)

    def bring(self, meter: TrueMeter, first: int, registers: list[Register]) -> str | None:
        meter.sequence += 1
        sheet = ReadingSheet(
            meter.key.address, first // STRIPS + 1, first % STRIPS, meter.sequence, pack_registers(registers)
        )
        refused = self.market.attempt("MeterReadings.enter", sign_readings(self.market, sheet, meter.key))
        return refused.error if refused else None

    def net(self, period: int) -> int:
        """What all meters count in a period together, Wh."""
        alive = [m for m in self.meters if m.first <= period < m.last]
        return sum(m.energies[period][0] - m.energies[period][1] for m in alive)

    def counted(self, day: int) -> list[tuple[int, bool]]:
        """What counts of a day by the chain, and whether it is an estimate."""
        values = self.market.replay.readings(day)[self.member.id]
        return list(zip(values.net.tolist(), (values.status == 3).tolist(), strict=True))

    def close(self, day: int) -> None:
        self.market.now = max(self.market.now, CALENDAR.metering_deadline(day))
        self.market.act("MeterReadings.close", day, 100)
        self.market.act("Settlement.settle", day, 100)

    def end(self, day: int) -> None:
        self.market.now = max(self.market.now, CALENDAR.corrections_close_at(day))
        if not self.market.call("Settlement", "isSettled", day):
            self.market.act("Settlement.settle", day, 100)
        self.market.act("Settlement.finalize", day)
        assert not failures(self.market.checks())

    def unbilled(self) -> tuple[int, int, int]:
        return tuple(self.market.call("Meters", "unbilledOf", self.member.id)[:3])


@pytest.mark.parametrize("order", ["old first", "new first", "noted last"])
def test_a_swap_within_a_strip_counts_what_both_have_read(order):
    home = Home()
    old = home.meters[0]
    swap = LANES + 2  # in the second strip of day 1
    home.market.now = CALENDAR.start_of(2)
    assert home.read(old, 0) is None
    if order == "noted last":
        new = TrueMeter(key(5_001), (40, 2), swap, energies=home.energies(2, 2))
        old.last = swap
        assert home.read(old, 1) is None  # its registers stand still after the swap
        home.meters.append(new)
        home.market.act("Meters.install", home.member.id, new.key.address, 1, swap, *new.base)
        home.remove(old, swap)
        sheets = [(new, 1, STRIPS - 1)]
    else:
        new = home.install(swap, (40, 2))
        home.remove(old, swap)
        sheets = [(old, 1, 1), (new, 1, STRIPS - 1)]
        if order == "new first":
            sheets.reverse()
    for meter, first, strips in sheets:
        assert home.read(meter, first, strips) is None
    assert home.counted(1) == [(home.net(n), False) for n in range(PERIODS)]
    assert home.unbilled() == (0, 0, 0)
    home.close(1)
    home.end(1)


def test_as_long_as_one_has_not_read_the_strip_is_estimated():
    home = Home()
    old, swap = home.meters[0], LANES + 2
    home.market.now = CALENDAR.start_of(2)
    new = home.install(swap, (40, 2))
    home.remove(old, swap)
    assert home.read(old, 0) is None
    assert home.read(new, 1, STRIPS - 1) is None
    home.close(1)
    estimated = home.counted(1)[LANES : 2 * LANES]
    assert estimated == [(CAPACITY, True)] * LANES
    # Late, within the window, it counts as if it had come in time.
    assert home.read(old, 1) is None
    assert home.counted(1) == [(home.net(n), False) for n in range(PERIODS)]
    assert home.unbilled() == (0, 0, 0)
    home.end(1)


def test_what_the_old_one_never_sends_is_billed_by_its_closing_registers():
    home = Home()
    old, swap = home.meters[0], PERIODS + LANES + 2  # day 2
    home.market.now = CALENDAR.start_of(2)
    assert home.read(old, 0, STRIPS) is None
    home.close(1)
    home.market.now = CALENDAR.start_of(3)
    new = home.install(swap, (0, 0))
    home.remove(old, swap)
    assert home.read(new, STRIPS + 1, STRIPS - 1) is None
    home.close(2)
    home.end(1)
    home.market.now = CALENDAR.start_of(4)
    assert home.read(new, 2 * STRIPS, STRIPS) is None
    home.close(3)
    home.end(2)
    late = home.market.replay.late
    gap = range(PERIODS, PERIODS + 2 * LANES)
    imported, exported, strips = home.unbilled()
    assert (imported - exported, strips) == (sum(home.net(n) for n in gap), 2)
    days = late.gap_days(home.member.id)
    home.market.act("LateReconciliation.trueUp", home.member.id, days, [late.record(home.member.id, d) for d in days])
    assert home.unbilled() == (0, 0, 0)
    assert not failures(home.market.checks())


def test_two_meters_side_by_side_are_netted():
    home = Home()
    first = home.meters[0]
    home.market.now = CALENDAR.start_of(2)
    solar = home.install(LANES, (9, 9), imported=0, exported=6)
    assert home.read(first, 0, STRIPS) is None
    assert home.counted(1)[LANES:] == [(0, False)] * (PERIODS - LANES)  # not read yet
    assert home.read(solar, 1, STRIPS - 1) is None
    assert home.counted(1) == [(home.net(n), False) for n in range(PERIODS)]
    # A correction of one of them leaves what the other has read.
    registers = [Register(*first.at(LANES + n)) for n in range(LANES + 1)]
    shifted = [*registers[:3], Register(registers[3].imported + 1, registers[3].exported), *registers[4:]]
    assert home.bring(first, 1, shifted) is None
    values = home.counted(1)
    assert [values[n][0] - home.net(n) for n in range(LANES, 2 * LANES)] == [0, 0, 1, -1, 0, 0]
    imported, exported, strips = home.unbilled()
    assert (imported - exported, strips) == (0, 0)
    home.close(1)
    home.end(1)


def test_registers_must_be_those_that_were_noted():
    home = Home()
    old, swap = home.meters[0], 2
    home.market.now = CALENDAR.start_of(2)
    new = home.install(swap, (40, 2))
    home.remove(old, swap)
    wrong = TrueMeter(new.key, (41, 2), swap, energies=new.energies, sequence=new.sequence)
    assert home.read(wrong, 0) == "NotAsNoted"
    ran_on = TrueMeter(old.key, old.base, energies=old.energies, sequence=old.sequence)
    assert home.read(ran_on, 0) == "NotAsNoted"
    assert home.read(old, 1) == "OutsideItsLife"
    later = home.install(LANES + 1, (0, 0))
    assert home.read(later, 0) == "OutsideItsLife"
    assert home.read(new, 0) is None


def test_what_cannot_be_installed_or_removed():
    home = Home()
    market, id_ = home.market, home.member.id
    other = key(5_001).address
    assert market.attempt("Meters.install", id_, other, 1, PERIODS, 0, 0).error == "MomentUnusable"
    assert market.attempt("Meters.install", id_, other, 0, 0, 0, 0).error == "NoSuchDay"
    assert market.attempt("Meters.install", id_, home.member.meter.address, 1, 0, 0, 0).error == "KeyUnusable"
    assert market.attempt("Meters.install", 3, other, 1, 0, 0, 0).error == "WrongStatus"
    assert market.attempt("Meters.remove", id_, home.member.meter.address, 1, 0, 0, 0).error == "MeterNotRemovable"
    market.act("Meters.install", id_, other, 1, 3, 0, 0)
    assert market.attempt("Meters.remove", id_, home.member.meter.address, 1, 2, 0, 0).error == "MeterNotRemovable"
    assert market.attempt("Meters.remove", id_, other, 1, 3, 0, 0).error == "MomentUnusable"
    assert market.attempt("ParticipantRegistry.replaceMeter", id_, key(5_002).address).error == "KeyUnusable"
    market.act("Meters.remove", id_, home.member.meter.address, 1, 3, 0, 0)
    assert market.attempt("Meters.remove", id_, other, 1, 4, 0, 0).error == "MeterNotRemovable"
    assert market.call("ParticipantRegistry", "member", id_)[4] == other.lower()
    for n in range(2, 8):
        market.act("Meters.install", id_, key(5_001 + n).address, 1, 3, 0, 0)
    assert market.attempt("Meters.install", id_, key(5_010).address, 1, 3, 0, 0).error == "TooManyMeters"


class RandomSwaps(Home):
    """A meter that is swapped, and often another one beside both; sheets in time, late or never, in any order."""

    def __init__(self, seed: int, is_honest: bool) -> None:
        super().__init__(days=3)
        random = self.random = Random(seed)
        self.is_honest = is_honest
        periods = self.days * PERIODS
        self.swap = self.meters[0].last = random.randrange(1, periods)
        self.beside = random.choice((None, random.randrange(LANES, periods)))
        self.is_noted_late = random.random() < 0.3
        ways = ("in time", "in time", "late", "never")
        self.plans = {(n, strip): random.choice(ways) for n in range(3) for strip in range(self.days * STRIPS)}
        self.reads_first, self.reads_last = random.random() < 0.8, random.random() < 0.7

    def play(self) -> int:
        """What the member has paid in the end, money units."""
        for day in range(1, self.days + 1):
            self.market.now = CALENDAR.start_of(day + 1)
            if not self.is_noted_late:
                self._change_meters(day)
            self._read(day, "in time")
            if self.is_noted_late:
                self._change_meters(day)
                self._read(day, "in time", is_again=True)
            self.close(day)
            self._read(day, "late")
            if day > 1:
                self._end(day - 1)
        self._end(self.days)
        late = self.market.replay.late
        days = late.gap_days(self.member.id)
        records = [late.record(self.member.id, number) for number in days]
        refused = self.market.attempt("LateReconciliation.trueUp", self.member.id, days, records)
        assert (refused and refused.error) in (None, "NothingEstimated", "NotReadSince", "GapNotEnded"), refused
        self._check()
        if self.reads_first and self.reads_last:
            assert refused is None or refused.error == "NothingEstimated"
            assert self.billed() == sum(self.net(period) for period in range(self.days * PERIODS))
        account = self.market.account(self.member.id)
        return PLENTY - account.free - account.locked + account.arrears

    def billed(self) -> int:
        """Wh, net: what counts of all days, what was trued up, and what still waits for a true-up."""
        late, id_ = self.market.replay.late, self.member.id
        counted = sum(int(late.counted(id_, day).sum()) for day in range(1, self.days + 1))
        imported, exported, strips = self.unbilled()
        assert not strips
        return counted + self.trued_up + imported - exported

    def _change_meters(self, day: int) -> None:
        if (day - 1) * PERIODS <= self.swap < day * PERIODS:
            # What it has already sent ends with the strip.
            self.install(self.swap, (5, 5))
            self.remove(self.meters[0], self.swap)
        if self.beside is not None and (day - 1) * PERIODS <= self.beside < day * PERIODS:
            self.install(self.beside, (0, 0), imported=0, exported=4)

    def _read(self, day: int, way: str, *, is_again: bool = False) -> None:
        strips = range((day - 1) * STRIPS, day * STRIPS)
        sheets = [(n, strip) for n in range(len(self.meters)) for strip in strips]
        self.random.shuffle(sheets)
        # The account begins with the first meter: what a further one counted before is not shown (rule 12.10).
        for n, strip in sorted(sheets, key=lambda sheet: sheet != (0, 0)):
            meter = self.meters[n]
            lives = meter.first < (strip + 1) * LANES and strip * LANES < meter.last
            if lives and self._way(n, strip) == way and not (is_again and n == 0 and strip < self.swap // LANES):
                assert self.read(meter, strip) is None

    def _way(self, n: int, strip: int) -> str:
        is_first, is_last = n == 0 and strip == 0, strip == self.days * STRIPS - 1
        if self.is_honest or (is_first and self.reads_first) or (is_last and self.reads_last):
            return "in time"
        # A strip that has counted without a meter that is noted afterwards counts on without it (rule 12.10).
        if self.is_noted_late and n > 0 and self.plans[n, strip] == "never":
            return "late"
        return self.plans[n, strip]

    def _end(self, day: int) -> None:
        self.end(day)
        self._check()

    def _check(self) -> None:
        assert self.market.replay.differences == []


@pytest.mark.parametrize("portion", range(PORTIONS))
def test_over_swaps_what_registers_show_is_what_is_settled_and_silence_never_pays(portion):
    trued_up = 0
    for seed in range(portion, HISTORIES, PORTIONS):
        history, honest = RandomSwaps(seed, is_honest=False), RandomSwaps(seed, is_honest=True)
        try:
            assert history.play() >= honest.play()
        except Exception as error:
            error.add_note(f"RandomSwaps({seed})")
            raise
        trued_up += history.market.tally.events["LateReconciliation.TruedUp"]
    assert trued_up
