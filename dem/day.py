"""The driver: takes a simulated community through its trading days on any chain.

A driver that was killed is simply started again: every step asks the chain what is done and does the rest.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property, partial

from eth_utils.crypto import keccak

from dem.contracting import Contracting
from dem.deployment import Market
from dem.markets import Markets
from dem.meters import Meter, boundary
from dem.operations import Applicant, Operations, batches
from dem.orders import Order
from dem.plan import CalendarParameters, Offices, rules_tuple
from dem.replay import AUCTION, KINDS, POOL, Replay
from dem.scenario import Kind, Participant, Scenario
from dem.signing import Application
from dem.strips import LANES, pack
from dem.trading import Crowd, Session
from dem.units import Wh
from dem.wallets import Wallet, wallet

PLUGS = {"wholesale": "WholesaleResidual", "intraday": "ContinuousMarket", "bilateral": "BilateralContracts"}
"""Contract by mechanism, of those that are plugged into the schedule when the market is deployed."""
_RESIDUAL = PLUGS["wholesale"]
_INTRADAY = PLUGS["intraday"]
_ALONE = Markets()
"""The call auction and nothing else: what the driver does depends on no events then."""
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


def markets_of(scenario: Scenario) -> tuple[str, ...]:
    """Contracts that are plugged into the schedule at deployment; without orders the auction clears to nothing."""
    return AUCTION, *(contract for name, contract in PLUGS.items() if name in scenario.markets.names)


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
        self.follow: Callable[[], Replay] = self._follow
        """The replay of all events so far; an outsider who follows the run anyway puts its own in this place."""
        self._replay = Replay(self.calendar.periods_per_day, market.addresses)
        self._next_block = market.manifest.first_block
        self._net: dict[str, dict[int, list[int]]] = defaultdict(dict)
        """What meters showed on the days that have ended, and on those whose readings were pushed."""

    def run(self) -> Iterator[int]:
        """Register everybody, then every day from its tariffs to its end; yields each day that has ended."""
        self._tell("register", self.chain.now(), steps=0)
        self.operations.register([self.community.applicant(member) for member in self.scenario.participants])
        self.announce_rules()
        self.open_pools()
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
        c, do, markets = self.calendar, self.operations, self.scenario.markets
        steps: list[tuple[int, Callable[[int], None], int]] = []
        for day in self.scenario.days:
            opens, gate, deadline = c.opens_at(day), c.gate_closes_at(day), c.metering_deadline(day)
            pools_close = max(
                (calendar.gate_closes_at(day) for calendar in self._pool_calendars.values()), default=opens
            )
            steps.append((opens - c.day_length, self.publish_tariffs, day))
            if markets.bilateral:
                steps.append((opens, self.conclude_contracts, day))
            if markets.pools:
                steps += [(opens, self.trade_in_pools, day), (pools_close, self.clear_pools, day)]
            steps += [(pools_close, self.submit_orders, day), (gate, do.clear, day)]
            if markets.wholesale:
                steps.append((gate, self.trade_with_the_desk, day))
            for session in Crowd(self.scenario, day).sessions:
                steps.append((c.start_of(day) + self._scaled(session.starts), self._intraday(session), day))
            steps += [
                (c.start_of(day + 1), self.push_readings, day),
                (deadline, do.close_metering, day),
                (deadline, do.settle, day),
            ]
            if markets.pools:
                steps.append((deadline, self.collect_commissions, day))
            steps.append((c.corrections_close_at(day), do.finalize, day))
            rules = self.scenario.rules(day)
            if rules.premium_rate or rules.reward_share:
                steps.append((c.corrections_close_at(day), self.pay_fund, day))
        return sorted(steps, key=lambda step: step[0])

    def _scaled(self, seconds: int) -> int:
        """Seconds of the scenario as seconds of the chain."""
        return seconds * self.calendar.period_length // self.scenario.calendar.period_seconds

    @cached_property
    def _pool_calendars(self) -> dict[str, CalendarParameters]:
        """A pool closes at a gate of its own, before the auction's."""
        if not self.scenario.markets.pools:
            return {}
        return {
            pool.name: replace(self.calendar, gate_lead=self._scaled(pool.gate_lead_seconds))
            for pool in self.scenario.config.pools
        }

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

    # ------------------------------------------------------------------------------------- the further markets

    @cached_property
    def contracting(self) -> Contracting:
        """What is brought for the markets beside the auction; everybody must be registered."""
        wallets = {self.ids[name]: keys for name, keys in self.community.wallets.items()}
        return Contracting(self.operations, wallets)

    def open_pools(self) -> None:
        """Pools, with commissions and mandates for all days that can still be chosen for."""
        if not self.scenario.markets.pools:
            return
        pools = self.scenario.config.pools
        self.contracting.open_pools(pools, self.ids, self._pool_calendars)
        clients = {m.name: (m.intermediary, m.share) for m in self.scenario.participants if m.share}
        self.contracting.mandate(pools, self.ids, clients, first_day=1)

    def conclude_contracts(self, day: int) -> None:
        """Bilateral contracts that begin on the day, unless its gate has closed."""
        if self.chain.now() >= self.calendar.gate_closes_at(day):
            return
        numbers = {id(agreement): n for n, agreement in enumerate(self.scenario.agreements)}
        name = self.scenario.config.name
        wanted = [
            (agreement, f"{name}/agreement {numbers[id(agreement)]}".encode())
            for agreement in self.crowd(day).proposals()
        ]
        self.contracting.conclude(day, wanted, self.ids, self.scenario.period0)

    def trade_in_pools(self, day: int) -> None:
        """Everybody's orders in the pools."""
        orders = self.crowd(day).pool_orders(self.ids, self._contracted(day, self.follow(), only=[PLUGS["bilateral"]]))
        for pool in self.scenario.config.pools:
            self.contracting.submit_to_pool(day, pool, orders[pool.name])

    def clear_pools(self, day: int) -> None:
        """The prices of every pool."""
        for pool in self.scenario.config.pools:
            self.operations.clear(day, POOL + pool.name)

    def trade_with_the_desk(self, day: int) -> None:
        """The wholesale desk's report, and what it makes of what the auction left over."""
        report, desk = self.crowd(day).desk_report(), self.scenario.config.wholesale
        if report is not None and desk is not None:
            self.contracting.report(day, self.ids[desk.desk], report)
            self.contracting.clear_residual(day, self.follow())

    def _intraday(self, session: Session) -> Callable[[int], None]:
        def trade_intraday(day: int) -> None:
            # A session that the driver comes to late is over.
            if self.chain.now() >= self._session_ends(day, session):
                return
            replay = self.follow()
            orders = self.crowd(day).intraday_orders(session, self.ids, self._contracted(day, replay))
            allowed = [cut for order in orders for cut in self._within_connection(order, day)]
            self.contracting.trade(day, session.number, allowed, replay, self.scenario.rules(day))

        return trade_intraday

    def _within_connection(self, order: Order, day: int) -> list[Order]:
        """An intraday order, cut to the most the market takes: import and export capacity of the member's own part."""
        member = self.scenario.participants[list(self.ids.values()).index(order.participant)]
        share = member.share if self.scenario.markets.pools else 0
        own = sum(whole - whole * share // 1000 for whole in (member.import_capacity, member.export_capacity))
        energy = min(order.energy, own)
        return [replace(order, energy=Wh(energy))] if energy >= self.scenario.rules(day).min_order_energy else []

    def _session_ends(self, day: int, session: Session) -> int:
        """When its first period's gate closes."""
        keys = self.scenario.config.intraday
        lead = self._scaled(keys.gate_lead_seconds) if keys else 0
        return self.calendar.start_of(day) + session.first * self.calendar.period_length - lead

    def collect_commissions(self, day: int) -> None:
        """What clients owe their intermediaries for a settled day."""
        self.contracting.collect(day, self.follow())

    def pay_fund(self, day: int) -> None:
        """Premiums and rewards of a final day."""
        self.contracting.pay_fund(day)

    # ------------------------------------------------------------------------------------------------- the crowd

    def crowd(self, day: int) -> Crowd:
        """The participants on a day; kept, as they do not change."""
        if day not in self._crowds:
            self._crowds[day] = Crowd(self.scenario, day)
        return self._crowds[day]

    @cached_property
    def _crowds(self) -> dict[int, Crowd]:
        return {}

    def orders(self, day: int, replay: Replay | None = None) -> list[Order]:
        """Everybody's orders in the day-ahead auction; replay: of the events so far, or of all of a day not final."""
        if self.scenario.markets == _ALONE:
            return self.crowd(day).orders(self.ids)
        replay = replay or self.follow()
        had = self._contracted(day, replay, besides=[AUCTION, _RESIDUAL, _INTRADAY])
        books = {name: replay.pool(POOL + name).book(day) for name in self._pool_calendars}
        pools = {name: (book.standing, book.fills) for name, book in books.items()}
        return self.crowd(day).orders(self.ids, had, pools)

    def _contracted(
        self, day: int, replay: Replay, besides: Collection[str] = (), only: Collection[str] = ()
    ) -> dict[str, list[int]]:
        """What everybody contracted so far, by name: in all markets but some, or in some of them."""
        left_out = set(besides) | ({AUCTION, *replay.markets} - set(only) if only else set())
        names = {id_: name for name, id_ in self.ids.items()}
        return {names[id_]: wh for id_, wh in replay.contracted(day, left_out).items() if id_ in names}

    def _follow(self) -> Replay:
        last = self.chain.block
        for day in self._replay.ended_days(self.operations.events_between(self._next_block, last)):
            self.ended(day, self._replay)
        self._next_block = last + 1
        return self._replay

    def ended(self, day: int, replay: Replay) -> None:
        """A day is final: what its meters showed is remembered, for registers go on counting."""
        if day in self.scenario.days:
            self._meter(day, replay)
            self._crowds.pop(day, None)

    # ------------------------------------------------------------------------------------------ orders, readings

    def submit_orders(self, day: int) -> None:
        """Everybody's orders for the day, unless the gate has closed."""
        if self.chain.now() < self.calendar.gate_closes_at(day):
            wallets = {self.ids[name]: keys for name, keys in self.community.wallets.items()}
            self.operations.submit_orders(day, self.orders(day), wallets)

    def push_readings(self, day: int) -> None:
        """Every meter's signed readings of the day, unless it can no longer be corrected."""
        if self.chain.now() >= self.calendar.corrections_close_at(day):
            return
        if self.scenario.islanded or any(member.flexible for member in self.scenario.participants):
            self._meter(day, self.follow())
        else:
            for known in range(1, day + 1):
                self._meter(known, None)
        self.operations.push_readings(day, {self.ids[name]: meter for name, meter in self._meters.items()})

    def _meter(self, day: int, replay: Replay | None) -> None:
        """What every meter shows on a day; stores, and what an island cuts, follow what was contracted."""
        if self._net and all(day in days for days in self._net.values()):
            return
        contracted = self._contracted(day, replay) if replay else {}
        if replay and self.scenario.islanded:
            metered = self.crowd(day).cut(self.ids, contracted, replay.book(day).standing)
        else:
            metered = self.crowd(day).metered(contracted)
        grid_operator = self.scenario.of_kind(Kind.GRID_OPERATOR)[0].name
        for name, values in metered.items():
            self._net[name][day] = values
        self._net[grid_operator][day] = boundary(metered)

    @cached_property
    def _meters(self) -> dict[str, Meter]:
        return {name: Meter(self.community.wallets[name], days) for name, days in self._net.items()}

    def _tell(self, what: str, time: int, steps: int) -> None:
        self._doing = what, time, steps
        self._progress(what, self.local_time(time), steps)

    def _tell_part(self, done: int, whole: int) -> None:
        what, time, steps = self._doing
        self._progress(f"{what}: {done:,} of {whole:,}", self.local_time(time), steps)
