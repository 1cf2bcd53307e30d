"""Random histories of meters on the contracts: sheets in time, late, twice or never, glitches, corrections.

What every meter really counts is known here, so the invariants of rule 14.11 are checked against the truth after each
step; the reference model follows every event.
"""

from dataclasses import dataclass, field, replace
from itertools import pairwise
from random import Random

from support.evm.keys import Key, struct
from support.evm.market import SUPPLIER, Market, failures
from support.evm.people import IMPLAUSIBLE, Person, register, sign_readings
from support.rules import CALENDAR, SMALL

from dem.messages.readings import ReadingSheet, Register, pack_registers
from dem.messages.signing import digest
from dem.model.rules import CONTRACT_PRICINGS
from dem.model.strips import LANES, strips_per_day

STRIPS = strips_per_day(CALENDAR.periods_per_day)
CAPACITY = 50
MOST_LOST = 3
LATE = "LateReconciliation"
GRID_OPERATOR_ID = 5
PLENTY = 10**16
Energies = list[tuple[int, int]]
"""Import and export by period, Wh."""


@dataclass
class TrueMeter:
    """What a meter counts. shown: strips since the opening that it was read in, or that are settled otherwise."""

    key: Key
    first: int
    base: tuple[int, int]
    energies: Energies = field(default_factory=list)
    since: int | None = None
    read_to: int = 0
    shown: set[int] = field(default_factory=set)
    settled: set[int] = field(default_factory=set)
    sequence: int = 0

    def registers(self, first: int, strips: int) -> list[tuple[int, int]]:
        """Register readings for strips from one on, the opening one first; both counted since the opening."""
        at = (first - self.first) * LANES
        imported, exported = (self.base[n] + sum(both[n] for both in self.energies[:at]) for n in (0, 1))
        found = [(imported, exported)]
        for more in self.energies[at : at + strips * LANES]:
            found.append((found[-1][0] + more[0], found[-1][1] + more[1]))
        return found

    def energy(self, strips: set[int]) -> tuple[int, int]:
        """Import and export in strips, Wh."""
        both = [self.energies[(strip - self.first) * LANES + k] for strip in strips for k in range(LANES)]
        return sum(one[0] for one in both), sum(one[1] for one in both)


def _taken_in(registers: list[tuple[int, int]]) -> int:
    """Net import of the periods that take in more than they feed in, Wh."""
    return sum(max(b[0] - a[0] - b[1] + a[1], 0) for a, b in pairwise(registers))


class RandomGaps:
    """One community of meters; only the first member is not read in time."""

    def __init__(self, seed: int, is_honest: bool = False) -> None:
        self.random = random = Random(seed)
        self.is_honest = is_honest
        self.days = random.choice((2, 3, 3, 4))
        rules = replace(
            SMALL,
            imbalance_pricing=random.choice(CONTRACT_PRICINGS),
            tolerance_fixed=random.choice((0, 100)),
        )
        self.market = Market(CALENDAR, rules, CALENDAR.opening - 20_000)
        self.has_boundary = random.random() < 0.5
        self.people = [
            Person.numbered(n, import_capacity=CAPACITY, export_capacity=random.choice((0, CAPACITY))) for n in range(2)
        ]
        for n, person in enumerate(self.people):
            register(self.market, person)
            self.market.act("Accounts.deposit", person.account.address, PLENTY, bytes([n + 1] * 32))
        self.market.act("Accounts.deposit", SUPPLIER.address, PLENTY, bytes([9] * 32))
        grid = Person.grid_operator()
        self.market.act("Accounts.deposit", grid.account.address, PLENTY, bytes([8] * 32))
        self.market.act("Accounts.setCreditLimit", 3, PLENTY)
        self.meters = {
            person.id: TrueMeter(person.meter, 0, (random.choice((0, 10**7)), random.choice((0, 5))))
            for person in [*self.people, grid]
        }
        self._draw_energies()
        self.silent = self.people[0].id
        self.plans = self._plans()
        self.rejections = 0

    def _draw_energies(self) -> None:
        random, slots = self.random, self.days * CALENDAR.periods_per_day
        for person in self.people:
            most = random.choice((0, 5, CAPACITY)), random.choice((0, 5, person.export_capacity))
            self.meters[person.id].energies = [
                (random.randint(0, most[0]), random.randint(0, min(most[1], person.export_capacity)))
                for _ in range(slots)
            ]
        own = self.meters[GRID_OPERATOR_ID]
        for slot in range(slots):
            net = sum(m.energies[slot][0] - m.energies[slot][1] for m in self.meters.values() if m is not own)
            net += self._loss(slot)
            own.energies.append((max(net, 0), max(-net, 0)))

    def _loss(self, _slot: int) -> int:
        return self.random.randint(0, MOST_LOST)

    def _plans(self) -> dict[int, str]:
        """When each strip of the silent member is brought."""
        ways = ("in time", "in time", "late", "never", "twice", "glitch")
        plans = {strip: self.random.choice(ways) for strip in range(self.days * STRIPS)}
        if self.random.random() < 0.8:
            plans[0] = "in time"
        if self.random.random() < 0.7:
            plans |= {(self.days - 1) * STRIPS + n: "in time" for n in range(STRIPS)}
        return plans

    # ------------------------------------------------------------------------------------------------------- a run

    def run(self) -> None:
        """All days, until the last one is final."""
        for day in range(1, self.days + 1):
            self.market.now = max(self.market.now, CALENDAR.start_of(day + 1))
            self._read_in_time(day)
            self.market.now = max(self.market.now, CALENDAR.metering_deadline(day))
            self.market.act("MeterReadings.close", day, 100)
            self.market.act("Settlement.settle", day, 100)
            self._read_late(day)
            self._check()
            if self.random.random() < 0.3:
                self.true_up()
            if day > 1:
                self._end(day - 1)
        self._end(self.days)
        if self.random.random() < 0.5:
            self._state_late()
        self.true_up()
        self._state_late()
        self._check()
        # What was stated may have been all that was missing.
        self.true_up()
        self._check()
        assert not failures(self.market.checks())

    def _read_in_time(self, day: int) -> None:
        strips = range((day - 1) * STRIPS, day * STRIPS)
        for id_, meter in self.meters.items():
            if id_ == GRID_OPERATOR_ID and not self.has_boundary:
                continue
            if id_ != self.silent or self.is_honest:
                self._bring(meter, strips[0], STRIPS)
                continue
            for strip in self.random.sample(strips, STRIPS):
                way = self.plans[strip]
                if way == "glitch":
                    self._glitch(meter, strip)
                if way in ("in time", "twice"):
                    self._bring(meter, strip, 1)
                if way == "twice":
                    self._bring(meter, strip, 1)
                    self._overstate(meter, strip)

    def _read_late(self, day: int) -> None:
        """Within the window, in any order, alone or together."""
        meter = self.meters[self.silent]
        if self.is_honest:
            return
        late = [strip for strip in range((day - 1) * STRIPS, day * STRIPS) if self.plans[strip] == "late"]
        for strip in self.random.sample(late, len(late)):
            self._bring(meter, strip, 1)

    def _end(self, day: int) -> None:
        self.market.now = max(self.market.now, CALENDAR.corrections_close_at(day))
        if not self.market.call("Settlement", "isSettled", day):
            self.market.act("Settlement.settle", day, 100)
        self.market.act("Settlement.finalize", day)

    # ------------------------------------------------------------------------------------------------------ sheets

    def _bring(self, meter: TrueMeter, first: int, strips: int) -> None:
        assert self._enter(meter, first, meter.registers(first, strips)) is None
        end = first + strips
        is_closed = self.market.call("MeterReadings", "isClosed", first // STRIPS + 1)
        if meter.since is None and not is_closed:
            meter.since = first
        meter.shown |= set(range(first, end))
        if meter.since is not None:
            meter.read_to = max(meter.read_to, end)

    def _enter(self, meter: TrueMeter, first: int, registers: list[tuple[int, int]]) -> str | None:
        """The error with which it is refused, if it is."""
        meter.sequence += 1
        packed = pack_registers([Register(*both) for both in registers])
        sheet = ReadingSheet(meter.key.address, first // STRIPS + 1, first % STRIPS, meter.sequence, packed)
        refused = self.market.attempt("MeterReadings.enter", sign_readings(self.market, sheet, meter.key))
        return refused.error if refused else None

    def _glitch(self, meter: TrueMeter, strip: int) -> None:
        """An error code in place of the registers, for a whole strip or in the midst of one: nothing of it counts."""
        registers = meter.registers(strip, 1)
        if self.random.random() < 0.5 and meter.since is not None:
            registers = [(4_294_967_295, 4_294_967_295)] * (LANES + 1)
        else:
            registers[3] = (4_294_967_295, 0)
        assert self._enter(meter, strip, registers) in IMPLAUSIBLE
        self.rejections += 1

    def _overstate(self, meter: TrueMeter, strip: int) -> None:
        """A correction that contradicts the readings beside it."""
        registers = meter.registers(strip, 1)
        if meter.since is None or strip < meter.since or strip + 1 == meter.read_to:
            return
        more = [(imported + n * CAPACITY, exported) for n, (imported, exported) in enumerate(registers)]
        if _taken_in(more) - _taken_in(registers) <= self.unbilled()[0]:
            return
        assert self._enter(meter, strip, more) in IMPLAUSIBLE
        self.rejections += 1

    # ------------------------------------------------------------------------------------------------------ money

    def true_up(self) -> None:
        """Anybody brings it; it is taken when the register has come again and every gap is final."""
        meter, late = self.meters[self.silent], self.market.replay.late
        days = late.gap_days(self.silent)
        if self.random.random() < 0.3 and len(days) > 1:
            self._try_true_up([self.random.choice(days)])
            days = late.gap_days(self.silent)
        self._try_true_up(days)
        assert {id_ for id_, _ in late.true_ups} <= {self.silent}
        if late.true_ups:
            return  # taken back, and nothing posted yet
        for (_, day), where in late.trued_up.items():
            taken = {(day - 1) * STRIPS + int(slot) // LANES for slot in where.nonzero()[0]}
            meter.settled |= taken

    def _try_true_up(self, days: list[int]) -> None:
        records = [self.market.replay.late.record(self.silent, day) for day in days]
        refused = self.market.attempt(f"{LATE}.trueUp", self.silent, days, records)
        reasons = (None, "NothingEstimated", "NotReadSince", "StripStillOpen", "GapNotEnded")
        assert (refused and refused.error) in reasons, refused

    def _state_late(self) -> None:
        """The meter's own statement of a day that is estimated."""
        meter, late = self.meters[self.silent], self.market.replay.late
        for day in late.gap_days(self.silent):
            if self.random.random() < 0.5:
                continue
            strips = {(day - 1) * STRIPS + int(slot) // LANES for slot in late.estimated(self.silent, day).nonzero()[0]}
            net = late.counted(self.silent, day).copy()
            for strip in strips:
                for k in range(LANES):
                    imported, exported = meter.energies[strip * LANES + k]
                    net[strip % STRIPS * LANES + k] = imported - exported
            message, record = late.late_reading(self.silent, day, net), late.record(self.silent, day)
            signature = meter.key.sign(self.market.domain(LATE), message)
            self.market.act(f"{LATE}.reconcile", struct(message), record, signature)
            meter.settled |= strips

    # ----------------------------------------------------------------------------------------------------- checks

    def unbilled(self) -> tuple[int, int]:
        """What the chain says is unbilled of the silent member, Wh."""
        return self.market.call("Meters", "unbilledOf", self.silent)[:2]

    def _check(self) -> None:
        """(i): what is billed and what is open is what the registers advanced by, to the Wh."""
        assert self.market.replay.differences == []
        meter = self.meters[self.silent]
        if meter.since is None:
            return
        unshown = set(range(meter.since, meter.read_to)) - meter.shown
        advance = meter.energy(unshown - meter.settled)
        imported, exported = self.unbilled()
        # A late statement is of net energy, so import and export are compared together.
        assert imported - exported == advance[0] - advance[1]

    def paid(self) -> int:
        """What the silent member has paid in all, money units."""
        account = self.market.account(self.silent)
        return PLENTY - account.free - account.locked + account.arrears


class RandomLosses(RandomGaps):
    """The same with a boundary meter that is not read in time, after a day on which as much is lost as ever.

    What was estimated stands, unless the council allows the grid operator's own statement of its losses.
    """

    def __init__(self, seed: int, is_honest: bool = False) -> None:
        super().__init__(seed, is_honest)
        self.has_boundary, self.silent = True, GRID_OPERATOR_ID

    def _loss(self, slot: int) -> int:
        return MOST_LOST if slot < CALENDAR.periods_per_day else super()._loss(slot)

    def _plans(self) -> dict[int, str]:
        ways = ("in time", "late", "never")
        return {strip: "in time" if strip < STRIPS else self.random.choice(ways) for strip in range(self.days * STRIPS)}

    def _state_late(self) -> None:
        meter, late = self.meters[GRID_OPERATOR_ID], self.market.replay.late
        others = [known for known in self.meters.values() if known is not meter]
        for day in range(1, self.days + 1):
            if not late.counts_estimates(GRID_OPERATOR_ID, day) or self.random.random() < 0.5:
                continue
            net = late.counted(GRID_OPERATOR_ID, day).copy()
            for slot in range(len(net)):
                at = (day - 1) * len(net) + slot
                if self.plans[at // LANES] == "never":
                    bought, sold = meter.energies[at]
                    net[slot] = bought - sold - sum(other.energies[at][0] - other.energies[at][1] for other in others)
            message, record = late.late_reading(GRID_OPERATOR_ID, day, net), late.record(GRID_OPERATOR_ID, day)
            domain = self.market.domain(LATE)
            self.market.act(f"{LATE}.allow", digest(domain, message))
            signature = Person.grid_operator().account.sign(domain, message)
            self.market.act(f"{LATE}.reconcileStated", struct(message), record, signature, b"")

    def _check(self) -> None:
        assert self.market.replay.differences == []
