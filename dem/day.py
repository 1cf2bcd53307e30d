"""The driver: takes a simulated community through its trading days on any chain.

Every step first asks the chain what is done already and does the rest, so a driver that was killed is simply started
again: nothing is sent twice, and what would be is refused by the contracts (sequences, payment references).
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, TypeVar

from eth_utils.crypto import keccak
from hexbytes import HexBytes

from dem.chain import Event
from dem.deployment import RELAYER, Market
from dem.meters import Meter, SignedReadings, boundary
from dem.orders import Order, lines_of
from dem.plan import CalendarParameters, Offices, rules_tuple
from dem.replay import KINDS, Books, Replay
from dem.scenario import Kind, Participant, Scenario
from dem.settlement import Tariff
from dem.signing import Application, Domain, OrderSheet, sign
from dem.strips import LANES, pack, strips_per_day
from dem.wallets import Wallet, wallet

T = TypeVar("T")

GAS_BUDGET = 14_000_000
"""Gas a batch is planned for, well below the cap: the estimates below are for storage never used before."""
GAS_PER_SHEET = 120_000
GAS_PER_LINE = 30_000
GAS_PER_READING_STRIP = 40_000
GAS_PER_CLEARED_STRIP = 260_000
GAS_PER_CLEARED_LINE = 3_500
GAS_PER_SETTLED_STRIP = 22_000
GAS_PER_MEMBER = 80_000
GAS_PER_ADMISSION = 320_000
GROUP = 240
"""Members one step of a clearing looks at."""

_SETUP_SECONDS = 3_600
"""Time between deployment and the opening of the first auction, on a chain whose clock can be set."""

Progress = Callable[[str, datetime], None]
"""Told what is being done, and the local time of the scenario."""

ROLES_BY_KIND = {kind: KINDS.index(kind.value) for kind in Kind}


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


def calendar_for(scenario: Scenario, now: int, period_length: int | None = None) -> CalendarParameters:
    """The scenario's calendar on a chain whose time is `now`, its periods stretched or shrunk to a length in seconds."""
    calendar = scenario.calendar
    length = period_length or calendar.period_seconds

    def scaled(seconds: int) -> int:
        return max(1, seconds * length // calendar.period_seconds)

    setup = scaled(_SETUP_SECONDS)
    earliest = now + setup + scaled(calendar.open_lead_seconds)
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

    def __init__(self, community: Community, market: Market, progress: Progress = lambda _what, _when: None) -> None:
        self.community = community
        self.scenario = community.scenario
        self.market = market
        self.chain = market.chain
        self.calendar = market.calendar
        self.progress = progress
        self._relayer = market.keys[RELAYER]

    def run(self) -> None:
        """Register everybody, then every day from its tariffs to its end."""
        self.register()
        self.announce_rules()
        for when, step, day in self.timeline():
            self.chain.wait_until(when, lambda now: self._tell("waiting", now))
            self._tell(step.__name__.replace("_", " "), when)
            step(day)

    def timeline(self) -> list[tuple[int, Callable[[int], None], int]]:
        """Every step of every day with the time it is due, in order of time."""
        c = self.calendar
        steps: list[tuple[int, Callable[[int], None], int]] = []
        for day in self.scenario.days:
            steps += [
                (c.opens_at(day) - c.period_length, self.publish_tariffs, day),
                (c.opens_at(day), self.submit_orders, day),
                (c.gate_closes_at(day), self.clear_auction, day),
                (c.start_of(day + 1), self.push_readings, day),
                (c.metering_deadline(day), self.close_metering, day),
                (c.metering_deadline(day), self.settle, day),
                (c.corrections_close_at(day), self.finalize, day),
            ]
        return sorted(steps, key=lambda step: step[0])

    def _tell(self, what: str, time: int) -> None:
        self.progress(what, self.local_time(time))

    def local_time(self, time: int) -> datetime:
        """The scenario's local time at a time of the chain."""
        calendar = self.scenario.calendar
        passed = (time - self.calendar.opening) * calendar.period_seconds // self.calendar.period_length
        return datetime.fromtimestamp(calendar.opening + passed, calendar.zone)

    # ------------------------------------------------------------------------------------------------- members

    @cached_property
    def ids(self) -> dict[str, int]:
        """Registry number by member's name; everybody must be registered."""
        registry = self.market.registry
        return {name: registry.functions.idOf(keys.account).call() for name, keys in self.community.wallets.items()}

    def register(self) -> None:
        """Applications, admissions, credit limits and first deposits of everybody who does not have them."""
        self._tell("register", self.chain.now())
        registry, accounts, keys = self.market.registry, self.market.accounts, self.market.keys
        status = {
            member.name: registry.functions.statusOf(self.community.wallets[member.name].account).call()
            for member in self.scenario.participants
        }
        new = [member for member in self.scenario.participants if status[member.name] == 0]
        for some in _batches(new, GAS_BUDGET // GAS_PER_ADMISSION):
            calls = [("applyFor", self._application(member)) for member in some]
            self.chain.send_many(self._relayer, registry, calls)
        applied = [member for member in self.scenario.participants if status[member.name] <= 1]
        for some in _batches(applied, GAS_BUDGET // GAS_PER_ADMISSION):
            admissions = [("admit", (self.community.wallets[member.name].account,)) for member in some]
            self.chain.send_many(keys["registrar"], registry, admissions)

        limits = []
        for member in self.scenario.participants:
            account = accounts.functions.accountOf(self.ids[member.name]).call()
            if member.credit_limit and account[3] != member.credit_limit:
                limits.append(("setCreditLimit", (self.ids[member.name], member.credit_limit)))
        for batch in _batches(limits, GAS_BUDGET // GAS_PER_MEMBER):
            self.chain.send_many(keys["council"], accounts, batch)

        deposits = []
        for member in self.scenario.participants:
            reference = self._payment_reference(member)
            if member.deposit and not accounts.functions.isPaymentUsed(reference).call():
                owner = self.community.wallets[member.name].account
                deposits.append(("deposit", (owner, member.deposit, reference)))
        for batch in _batches(deposits, GAS_BUDGET // (2 * GAS_PER_MEMBER)):
            self.chain.send_many(keys["treasurer"], accounts, batch)

    def _payment_reference(self, member: Participant) -> bytes:
        return bytes(keccak(text=f"{self.scenario.config.name}/{member.name}/deposit 1"))

    def _application(self, member: Participant) -> tuple[Any, ...]:
        keys = self.community.wallets[member.name]
        message = Application(
            account=keys.account,
            meter=keys.meter if member.metered else "0x" + "00" * 20,
            kind=ROLES_BY_KIND[member.kind],
            import_capacity=member.import_capacity,
            export_capacity=member.export_capacity,
            feeder=member.bus.encode().ljust(32, b"\0")[:32],
            documents=bytes(keccak(text=member.name)),
        )
        fields = tuple(getattr(message, name) for name in message.__slots__)
        return fields, sign(self._domain("ParticipantRegistry"), message, keys.account_key)

    def announce_rules(self) -> None:
        """Later versions of the rules that are not announced yet; the first came with the deployment."""
        for version in self.scenario.config.rules[1:]:
            rules = rules_tuple(version.market_rules)
            if self.market.rules.functions.rulesOf(version.first_day).call() != rules:
                self.chain.send(self.market.keys["council"], self.market.rules, "announce", version.first_day, rules)

    # ------------------------------------------------------------------------------------------------ each day

    def publish_tariffs(self, day: int) -> None:
        """The fallback supplier's tariffs, unless they are published or the day has opened."""
        tariffs = self.scenario.tariffs(day)
        words = [_tariff_word(day, some) for some in _batches(tariffs, LANES)]
        contract = self.market.fallback
        if contract.functions.tariffsOf(day).call() == words or self.chain.now() >= self.calendar.opens_at(day):
            return
        self.chain.send(self.market.keys["supplier"], contract, "publish", day, words)

    def submit_orders(self, day: int) -> None:
        """Everybody's signed order sheet for the day, relayed in batches; those already brought are left out."""
        if self.chain.now() >= self.calendar.gate_closes_at(day):
            return
        orders = defaultdict(list)
        for order in self.scenario.orders(day, self.ids):
            orders[order.participant].append(order)
        refused = {
            event.args["participant"]
            for event in self._events("CallAuction", "SheetRejected")
            if event.args["day"] == day
        }
        names = {id_: name for name, id_ in self.ids.items()}
        sheets = []
        for id_, own in sorted(orders.items()):
            keys = self.community.wallets[names[id_]]
            sequence = self.market.auction.functions.sheetOf(id_, day).call()[0]
            if sequence == 0 and keys.account not in refused:
                sheets.append(signed_sheet(self._domain("CallAuction"), keys, day, own, self.calendar.periods_per_day))
        for batch in _by_gas(sheets, lambda sheet: GAS_PER_SHEET + GAS_PER_LINE * len(sheet[0][4])):
            self.chain.send(self._relayer, self.market.auction, "submit", batch)

    def clear_auction(self, day: int) -> None:
        """The day's prices: pivots from the reference model, verified on the chain."""
        auction = self.market.auction
        cleared = auction.functions.clearedStrips(day).call()
        strips = [s for s in range(strips_per_day(self.calendar.periods_per_day)) if not cleared >> s & 1]
        if not strips:
            return
        books = Books(self.calendar.periods_per_day)
        for event in self._events("CallAuction", "SheetAccepted"):
            if event.args["day"] == day:
                books.accept(event.args)
        pivots = [clearing.pivot for clearing in books.clear(day)]
        lines = len({(order.participant, order.layer) for orders in books.of(day) for order in orders})
        gas = GAS_PER_CLEARED_STRIP + GAS_PER_CLEARED_LINE * lines
        if gas <= GAS_BUDGET:
            for some in _batches(strips, GAS_BUDGET // gas):
                calls = [("clear", (day, s, pivots[s * LANES : (s + 1) * LANES], 1 << 32)) for s in some]
                self.chain.send_many(self._relayer, auction, calls)
            return
        groups = (GAS_BUDGET - GAS_PER_CLEARED_STRIP) // (GAS_PER_CLEARED_LINE * GROUP)
        for s in strips:
            while not auction.functions.clearedStrips(day).call() >> s & 1:
                own = pivots[s * LANES : (s + 1) * LANES]
                self.chain.send(self._relayer, auction, "clear", day, s, own, groups)

    def push_readings(self, day: int) -> None:
        """Every meter's signed readings of the day; those already brought are left out."""
        if self.chain.now() >= self.calendar.corrections_close_at(day):
            return
        brought = {
            event.args["id"] for event in self._events("MeterReadings", "ReadingsAccepted") if event.args["day"] == day
        }
        domain = self._domain("MeterReadings")
        sheets: list[SignedReadings] = [
            meter.sheet(day, day, domain) for name, meter in self._meters.items() if self.ids[name] not in brought
        ]
        strips = strips_per_day(self.calendar.periods_per_day)
        per_batch = GAS_BUDGET // (GAS_PER_SHEET + strips * GAS_PER_READING_STRIP)
        for batch in _batches(sheets, per_batch):
            self.chain.send(self._relayer, self.market.readings, "submit", batch)

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

    def close_metering(self, day: int) -> None:
        """Estimates for whatever is missing, so that the day can be settled."""
        readings = self.market.readings
        strips = strips_per_day(self.calendar.periods_per_day)
        while not readings.functions.isClosed(day).call():
            count = GAS_BUDGET // (GAS_PER_SHEET + strips * GAS_PER_READING_STRIP)
            self.chain.send(self._relayer, readings, "close", day, count)

    def settle(self, day: int) -> None:
        """The day's money, some members a transaction."""
        settlement = self.market.settlement
        strips = strips_per_day(self.calendar.periods_per_day)
        count = GAS_BUDGET // (GAS_PER_MEMBER + strips * GAS_PER_SETTLED_STRIP)
        while not settlement.functions.isSettled(day).call():
            self.chain.send(self._relayer, settlement, "settle", day, count)

    def finalize(self, day: int) -> None:
        """The end of the day; settled again first if readings were corrected."""
        self.settle(day)
        if self.market.rules.functions.lastFinalDay().call() < day:
            self.chain.send(self._relayer, self.market.settlement, "finalize", day)

    # -------------------------------------------------------------------------------------------------- helpers

    def replay(self) -> Replay:
        """The market recomputed from all of its events."""
        return Replay.of(self.events(), self.calendar.periods_per_day)

    def events(self, contracts: Sequence[str] | None = None) -> list[Event]:
        """Events of these contracts, or of all, since the deployment."""
        addresses = {name: self.market.addresses[name] for name in contracts or self.market.addresses}
        return self.chain.events(addresses, self.market.manifest.first_block)

    def _events(self, contract: str, name: str) -> Iterator[Event]:
        return (event for event in self.events((contract,)) if event.name == name)

    def _domain(self, contract: str) -> Domain:
        return Domain(self.chain.id, self.market.addresses[contract])


def signed_sheet(
    domain: Domain, keys: Wallet, day: int, orders: Sequence[Order], periods_per_day: int, sequence: int = 1
) -> tuple[tuple[Any, ...], bytes]:
    """One participant's orders of a day as a signed sheet, in the order of the Solidity struct."""
    words = lines_of(orders, day, periods_per_day)
    first, last = min(words), max(words)
    empty = pack(day, [0] * LANES)
    lines = tuple(words.get(line, empty) for line in range(first, last + 1))
    message = OrderSheet(keys.account, day, first, sequence, lines)
    signature = sign(domain, message, keys.account_key)
    return (keys.account, day, first, sequence, [HexBytes(line.to_bytes(32, "big")) for line in lines]), signature


def _tariff_word(day: int, tariffs: Sequence[Tariff]) -> int:
    return pack(day, [tariff.lane() for tariff in tariffs])


def _batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), max(1, size)):
        yield items[start : start + max(1, size)]


def _by_gas(items: Iterable[T], gas: Callable[[T], int]) -> Iterator[list[T]]:
    """Batches that stay within the budget."""
    batch: list[T] = []
    used = 0
    for item in items:
        if batch and used + gas(item) > GAS_BUDGET:
            yield batch
            batch, used = [], 0
        batch.append(item)
        used += gas(item)
    if batch:
        yield batch
