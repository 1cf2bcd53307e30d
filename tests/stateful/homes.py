"""A home in the machine whose meters come and go, beside those whom everybody else knows (rule 12.10)."""

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

from support.evm.chain import Refused
from support.evm.keys import Key, key
from support.evm.people import IMPLAUSIBLE, Person, readings, register, sign_readings
from support.evm.pools import PooledMarket

from dem.model.strips import LANES, strips_per_day

CAPACITY = 300
REFUSED = (
    "ReadingFromFuture",
    "CorrectionWindowClosed",
    "NotTakingPart",
    "DayBeingSettled",
    "DayStillOpen",
    "ReadingDayIsOver",
    "OutsideItsLife",
    "NotAsNoted",
    *IMPLAUSIBLE,
)


class Homes:
    """Meters are fitted and taken away, in time or afterwards, and read in any order."""

    random: Random
    market: PooledMarket
    brought: Counter[str]
    _do: Callable[..., Refused | None]
    _deposit: Callable[[Person, int], None]
    _today: Callable[[], int]
    _registrar: Key
    _faces: Any

    ACTIONS = ((16, "fit_meters"),)

    def _move_in(self) -> None:
        self.home = Person.numbered(next(self._faces), import_capacity=CAPACITY, export_capacity=CAPACITY)
        register(self.market, self.home)
        self._deposit(self.home, 10**12)
        self.meters = [self.home]
        """A record of what each of its meters has shown."""
        self.fitted = 0

    def fit_meters(self) -> None:
        """A source is noted, a meter swapped, or one that is or was there sends what it shows."""
        steps = (self._note_source, self._swap, *[self._read_home] * 4)
        self.random.choice(steps)()

    def _note_source(self) -> None:
        is_its_own = self.random.random() < 0.8
        meter = self.random.choice(self.meters).meter if is_its_own else key(600_000)
        assert meter is not None
        may = () if is_its_own else ("NotItsMeter",)
        self._do("Meters.noteSource", self.home.id, meter.address, self.random.randrange(1, 8), may=may)

    def _swap(self) -> None:
        old, calendar = self.meters[-1], self.market.calendar
        assert old.meter is not None
        self.fitted += 1
        new = Person(self.home.account, key(600_000 + self.fitted), id=self.home.id)
        assert new.meter is not None
        day, slot = max(1, self._today()), self.random.randrange(calendar.periods_per_day)
        if old.read_at and self.random.random() < 0.7:
            day, slot = divmod((old.read_at - calendar.opening) // calendar.period_length, calendar.periods_per_day)
            day += 1
        install = (self.home.id, new.meter.address, day, slot, 0, 0)
        remove = (self.home.id, old.meter.address, day, slot, old.imported, old.exported)
        may = ("MomentUnusable", "TooManyMeters")
        if self.random.random() < 0.6:
            meters = self.market.contracts["Meters"]
            calls = [meters.encode("install", *install), meters.encode("remove", *remove)]
            refused = self._do("Meters.multicall", calls, by=self._registrar, may=may)
        else:
            refused = self._do("Meters.install", *install, may=may)
            if refused is None:
                refused = self._do("Meters.remove", *remove, may=may)
        if refused is None:
            self.meters.append(new)

    def _read_home(self) -> None:
        calendar, random = self.market.calendar, self.random
        meter = random.choice(self.meters[-2:])
        assert meter.meter is not None
        strips = strips_per_day(calendar.periods_per_day)
        day = max(1, self._today() - random.choice((0, 0, 1)))
        first = random.randrange(strips)
        if meter.read_at and random.random() < 0.6:  # it goes on where it was
            at = (meter.read_at - calendar.opening) // calendar.period_length // LANES
            day, first = at // strips + 1, at % strips
        net = [0] * LANES if random.random() < 0.3 else [random.randint(-CAPACITY, CAPACITY) for _ in range(LANES)]
        sheet = readings(self.market, meter, day, first, net)
        if self._do("MeterReadings.enter", sign_readings(self.market, sheet, meter.meter), may=REFUSED) is None:
            self.brought["MeterReadings"] += 1
            read_at = calendar.start_of(day) + (first + 1) * LANES * calendar.period_length
            if read_at >= meter.read_at:
                meter.read_at = read_at
                meter.imported += sum(max(energy, 0) for energy in net)
                meter.exported += sum(max(-energy, 0) for energy in net)
