"""The driver: takes a simulated community through its trading days on any chain.

A driver that was killed is simply started again: every step asks the chain what is done and does the rest.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, partial

from eth_utils.crypto import keccak

from dem.deployment import Market
from dem.meters import Meter, boundary
from dem.operations import Applicant, Operations, batches
from dem.plan import CalendarParameters, Offices, rules_tuple
from dem.replay import KINDS
from dem.scenario import Kind, Participant, Scenario
from dem.signing import Application
from dem.strips import LANES, pack
from dem.wallets import Wallet, wallet

_SETUP_SECONDS = 300
"""Time on the chain for deploying and registering before the first auction opens, however short the periods are."""
_NO_METER = "0x" + "00" * 20

Progress = Callable[[str, datetime, int], None]
"""Told what is being done, the local time of the scenario, and how many steps of the timeline are done."""


@dataclass(frozen=True)
class Community:
    """A scenario's members with their keys."""

    scenario: Scenario

    @cached_property
    def wallets(self) -> dict[str, Wallet]:
        """Keys by member's name."""
        config = self.scenario.config
        return {member.name: wallet(config.name, config.seed, member.name) for member in self.scenario.participants}

    @cached_property
    def names(self) -> dict[str, str]:
        """Member's name by account address."""
        return {keys.account: name for name, keys in self.wallets.items()}

    @property
    def offices(self) -> Offices:
        """Addresses of those who are members from the start."""
        supplier, operator, grid_operator = (
            self.wallets[self.scenario.of_kind(kind)[0].name]
            for kind in (Kind.FALLBACK_SUPPLIER, Kind.OPERATOR, Kind.GRID_OPERATOR)
        )
        return Offices(supplier.account, operator.account, grid_operator.account, grid_operator.meter)

    def applicant(self, member: Participant) -> Applicant:
        """A member's application and its first deposit."""
        keys = self.wallets[member.name]
        application = Application(
            account=keys.account,
            meter=keys.meter if member.metered else _NO_METER,
            kind=KINDS.index(member.kind.value),
            import_capacity=member.import_capacity,
            export_capacity=member.export_capacity,
            feeder=member.bus.encode().ljust(32, b"\0")[:32],
            documents=bytes(keccak(text=member.name)),
        )
        reference = bytes(keccak(text=f"{self.scenario.config.name}/{member.name}/deposit 1"))
        return Applicant(keys, application, member.deposit, reference, member.credit_limit)


def calendar_for(scenario: Scenario, now: int, period_length: int | None = None) -> CalendarParameters:
    """The scenario's calendar on a chain whose time is `now`, its periods made `period_length` seconds long."""
    calendar = scenario.calendar
    length = period_length or calendar.period_seconds

    def scaled(seconds: int) -> int:
        return max(1, seconds * length // calendar.period_seconds)

    earliest = now + _SETUP_SECONDS + scaled(calendar.open_lead_seconds)
    return CalendarParameters(
        opening=-(-earliest // length) * length,
        period_length=length,
        periods_per_day=calendar.periods_per_day,
        open_lead=scaled(calendar.open_lead_seconds),
        gate_lead=scaled(calendar.gate_lead_seconds),
        metering_lag=scaled(calendar.metering_lag_seconds),
        correction_lag=scaled(calendar.correction_lag_seconds),
    )


class TradingDays:
    """Drives the days of a scenario on a deployed market."""

    def __init__(
        self, community: Community, market: Market, progress: Progress = lambda _what, _when, _steps: None
    ) -> None:
        self.community = community
        self.scenario = community.scenario
        self.market = market
        self.chain = market.chain
        self.calendar = market.calendar
        self.operations = Operations(market, self._tell_part)
        self._progress = progress
        self._doing = ("", 0, 0)

    def run(self) -> Iterator[int]:
        """Register everybody, then every day from its tariffs to its end; yields each day that has ended."""
        self._tell("register", self.chain.now(), steps=0)
        self.operations.register([self.community.applicant(member) for member in self.scenario.participants])
        self.announce_rules()
        timeline = self.timeline()
        for number, (when, step, day) in enumerate(timeline):
            self.chain.wait_until(when, partial(self._tell, "waiting", steps=number))
            self._tell(step.__name__.replace("_", " "), when, number)
            step(day)
            if step == self.operations.finalize:
                yield day
        self._tell("done", self.chain.now(), len(timeline))

    def timeline(self) -> list[tuple[int, Callable[[int], None], int]]:
        """Every step of every day with the time it is due, in order of time."""
        c, do = self.calendar, self.operations
        steps: list[tuple[int, Callable[[int], None], int]] = []
        for day in self.scenario.days:
            steps += [
                (c.opens_at(day) - c.day_length, self.publish_tariffs, day),
                (c.opens_at(day), self.submit_orders, day),
                (c.gate_closes_at(day), do.clear, day),
                (c.start_of(day + 1), self.push_readings, day),
                (c.metering_deadline(day), do.close_metering, day),
                (c.metering_deadline(day), do.settle, day),
                (c.corrections_close_at(day), do.finalize, day),
            ]
        return sorted(steps, key=lambda step: step[0])

    def local_time(self, time: int) -> datetime:
        """The scenario's local time at a time of the chain."""
        calendar = self.scenario.calendar
        passed = (time - self.calendar.opening) * calendar.period_seconds // self.calendar.period_length
        return datetime.fromtimestamp(calendar.opening + passed, calendar.zone)

    @cached_property
    def ids(self) -> dict[str, int]:
        """Registry number by member's name; everybody must be registered."""
        wallets = self.community.wallets
        return dict(zip(wallets, self.operations.ids_of(wallets.values()), strict=True))

    def announce_rules(self) -> None:
        """Later versions of the rules that are not announced yet; the first came with the deployment."""
        for version in self.scenario.config.rules[1:]:
            rules = rules_tuple(version.market_rules)
            if self.market.rules.functions.rulesOf(version.first_day).call() != rules:
                self.chain.send(self.market.keys["council"], self.market.rules, "announce", version.first_day, rules)

    def publish_tariffs(self, day: int) -> None:
        """The fallback supplier's tariffs, unless they are published or the day has opened."""
        tariffs = self.scenario.tariffs(day)
        words = [pack(day, [tariff.lane() for tariff in some]) for some in batches(tariffs, LANES)]
        contract = self.market.fallback
        if contract.functions.tariffsOf(day).call() == words or self.chain.now() >= self.calendar.opens_at(day):
            return
        self.chain.send(self.market.keys["supplier"], contract, "publish", day, words)

    def submit_orders(self, day: int) -> None:
        """Everybody's orders for the day, unless the gate has closed."""
        if self.chain.now() < self.calendar.gate_closes_at(day):
            wallets = {self.ids[name]: keys for name, keys in self.community.wallets.items()}
            self.operations.submit_orders(day, self.scenario.orders(day, self.ids), wallets)

    def push_readings(self, day: int) -> None:
        """Every meter's signed readings of the day, unless it can no longer be corrected."""
        if self.chain.now() >= self.calendar.corrections_close_at(day):
            return
        self.operations.push_readings(day, {self.ids[name]: meter for name, meter in self._meters.items()})

    @cached_property
    def _meters(self) -> dict[str, Meter]:
        net: dict[str, dict[int, list[int]]] = defaultdict(dict)
        grid_operator = self.scenario.of_kind(Kind.GRID_OPERATOR)[0].name
        for day in self.scenario.days:
            metered = self.scenario.metered(day)
            for name, values in metered.items():
                net[name][day] = values
            net[grid_operator][day] = boundary(metered)
        return {name: Meter(self.community.wallets[name], days) for name, days in net.items()}

    def _tell(self, what: str, time: int, steps: int) -> None:
        self._doing = what, time, steps
        self._progress(what, self.local_time(time), steps)

    def _tell_part(self, done: int, whole: int) -> None:
        what, time, steps = self._doing
        self._progress(f"{what}: {done:,} of {whole:,}", self.local_time(time), steps)
