"""A random community's days, from applications to final settlement, on the contracts; the reference model follows.

Everything is drawn from one seed: calendar, rules and their changes, tariffs, members with their money, sheets good and
bad, readings that are missing, late or corrected, and how the work of clearing and settling is cut into transactions.
"""

from collections.abc import Callable, Sequence
from functools import partial
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Any

from support.evm.acceptance import objections
from support.evm.chain import Refused, reason_of
from support.evm.cover import Cover
from support.evm.grid import approve, assign_zones, charge, lower_limits, owed, publish_limits
from support.evm.keys import Key, key, struct
from support.evm.late import reconcile_late, true_up
from support.evm.market import STRANGER, SUPPLIER, Market, Tally, failures
from support.evm.people import (
    ADMITTED,
    AMPLE,
    CONSUMER,
    DESK,
    EXITED,
    SUSPENDED,
    Person,
    admit,
    application,
    commitment,
    sign_readings,
    sign_sheet,
    take_note,
    true_readings,
    wholesale_report,
    withdrawal,
)
from support.evm.relief import buy_relief, offer_relief, offer_whole, pay_relief

from dem.deployment.plan import rules_tuple
from dem.messages.members import Replacement
from dem.messages.orders import OrderSheet, WholesaleReport
from dem.messages.signing import SignedSheet
from dem.model.calendar import CalendarParameters
from dem.model.markets.wholesale import MAX_EXCHANGE, PRICE_BIAS, Offer, report_collateral
from dem.model.orders import BROKERED_LAYER, MAX_ENERGY, Order, Side, encode_lane
from dem.model.rules import CONTRACT_PRICINGS, MAX_TARIFF, MarketRules, Tariff
from dem.model.strips import LANES, pack, strips_per_day
from dem.model.units import FROM_ZERO, MAX_TICK, PriceRange

OPENING = 10_000_000
PLENTY = 10**16
"""Money units that cover whatever one of these communities can owe."""
FUND_ID, SUPPLIER_ID, GRID_OPERATOR_ID = 1, 3, 5
RING = 8
ALL_GROUPS = 1 << 32
SEEDS_PER_PORTION = 1 << 20


def random_calendar(random: Random) -> CalendarParameters:
    """Days of 6 or 12 periods that may overlap with the trading and the corrections of others."""
    periods = random.choice((6, 6, 12))
    length = random.choice((60, 900))
    day = periods * length
    open_lead = random.choice((random.randrange(day // 4, day), random.randrange(day, 2 * day)))
    metering_lag = random.choice((0, random.randrange(day)))
    return CalendarParameters(
        opening=OPENING,
        period_length=length,
        periods_per_day=periods,
        open_lead=open_lead,
        gate_lead=random.randrange(open_lead // 2),
        metering_lag=metering_lag,
        correction_lag=metering_lag + random.randrange(1, 2 * day),
    )


def random_prices(random: Random) -> PriceRange:
    """From zero on, as by default, or of any kind."""
    tick = random.choice((1, 7, 100, 128, random.randint(1, 128)))
    below = random.choice((0, 1, MAX_TICK - 1, random.randint(0, MAX_TICK - 1)))
    return random.choice((FROM_ZERO, PriceRange(-100_000, 100), PriceRange(-below * tick, tick)))


def random_rules(random: Random, prices: PriceRange = FROM_ZERO) -> MarketRules:
    """Rules of any kind; parameters often stand at the ends of their ranges."""
    most = MAX_TARIFF + prices.lowest
    max_buy = random.choice((random.randint(0, min(most, 3_000)), random.randint(min(most, 3_000), 60_000), most))
    min_sell = random.choice((0, prices.lowest, random.randint(prices.lowest, 0))) if prices.lowest else 0
    standing_buy = random.randint(min_sell, max_buy)

    def rate() -> int:
        return random.choice((0, 1, random.randint(1, 5_000), random.randint(1, MAX_TARIFF)))

    return MarketRules(
        platform_fee=rate(),
        network_fee=rate(),
        deviation_rate=rate(),
        standing_buy=standing_buy,
        standing_sell=random.randint(min_sell, standing_buy),
        max_buy=max_buy,
        min_sell=min_sell,
        prices=prices,
        commission_cap=rate(),
        tolerance_fixed=random.choice((0, 1, random.randint(1, 500))),
        tolerance_share=random.choice((0, 1, random.randint(1, 9_999), 10_000)),
        min_order_energy=random.choice((1, 1, random.randint(1, 10))),
        max_layers=random.randint(1, 4),
        imbalance_pricing=random.choice(CONTRACT_PRICINGS),
        charge_helpful=random.random() < 0.5,
        boundary_margin=random.choice((0, random.randint(1, 1_000))),
        wholesale_margin=random.choice((0, 0, random.randint(1, 300), rate())),
        penalty_cap=random.choice((0, random.randint(1, 5_000), MAX_TARIFF)),
        premium_rate=rate(),
        reward_share=random.choice((0, random.randint(1, 10_000), 10_000)),
    )


def random_tariffs(random: Random, day: int, periods: int, rules: MarketRules) -> list[int]:
    """Tariff words of a day."""
    tariffs = []
    for _ in range(periods):
        least, most = rules.min_sell, rules.max_buy
        buy = random.choice((random.randint(least, most), most))
        tariffs.append(Tariff(buy, random.choice((least, buy, random.randint(least, buy)))).lane(rules.prices))
    return [pack(day, tariffs[at : at + LANES]) for at in range(0, periods, LANES)]


def play(community: "type[RandomDays]", portion: int, days: int) -> tuple[Tally, int]:
    """Communities one after the other, with seeds of the portion's own, until so many days are played.

    Each must end as the reference model says. Returns what happened in all of them, and the days played.
    """
    tally, played = Tally.empty(), 0
    for seed in count(portion * SEEDS_PER_PORTION):
        run = community(seed)
        try:
            run.run()
            assert not failures(run.market.checks())
            assert not any(run.market.replay.open_collateral().values())
            assert run.market.replay.final_days == set(range(1, run.days + 1))
        except Exception as error:
            error.add_note(f"{community.__name__}({seed})")
            raise
        tally.add(run.market.tally)
        played += run.days
        if played >= days:
            break
    for line in (f"{played} days", *tally.lines()):
        print(line)
    return tally, played


class RandomDays:
    """One community and its days."""

    MARKET: type[Market] = Market

    def __init__(self, seed: int) -> None:
        self.random = random = Random(seed)
        self.days = random.choices((1, 2, 3, 10), (20, 30, 47, 3))[0]
        self.calendar = random_calendar(random)
        self.strips = strips_per_day(self.calendar.periods_per_day)
        # Accounts that are replaced have been announced for seven days.
        beginning = OPENING - self.calendar.open_lead - 1_000 - 7 * self.calendar.day_length
        # Of its own stream, so that a market with prices from zero on is what it was before they had a sign.
        self.prices = random_prices(Random(f"prices/{seed}"))
        rules = random_rules(random, self.prices)
        self.market = self.MARKET(self.calendar, rules, beginning)
        Cover(self.market)
        self._grid, self._relief = Random(f"grid/{seed}"), Random(f"relief/{seed}")
        """Of the dispatcher: of their own streams, so that a community without one is what it was before."""
        self._has_dispatcher = self._grid.random() < 0.5
        self.center = random.choice((2, 40, MAX_TICK - 2, random.randrange(MAX_TICK)))
        self.energy = random.choice((10, 40, 2_000))
        self.people: dict[int, Person] = {GRID_OPERATOR_ID: Person.grid_operator()}
        self.has_boundary = random.random() < 0.6
        self.stated: set[int] = set()
        """Members of whom a day was stated late, which may have billed more than registers have shown since."""
        self.market.listeners.append(
            lambda events: self.stated.update(event.args["id"] for event in events if event.name == "Reconciled")
        )
        self.market.listeners.append(lambda events: take_note(self.market, self.people, events))
        if random.random() < 0.8:
            residual = self.market.contracts["WholesaleResidual"].address
            self.market.act("Schedule.addMarket", residual, random.choice((1, 1, 2)))
        self.announced: dict[int, Key] = {}
        """New accounts by member."""
        self.appointed: dict[int, int] = {}
        """Desks by the first day of each."""
        self.committed: dict[int, tuple[WholesaleReport, list[Offer]]] = {}
        self._tasks: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []
        self._ties = count()
        self._references = count(1)

    def run(self) -> None:
        """Everything until the last day is final."""
        self._admit_people()
        for _ in self._desks():
            self.appoint(1)
        if self._has_dispatcher:
            assign_zones(self._grid, self.market, list(self.people), 1)
            if self._relief.random() < 0.5:
                offer_whole(self.market, self.people, 1)
        for day in range(1, self.days + 1):
            self._plan(day)
            if self._has_dispatcher:
                self._plan_limits(day)
        while self._tasks:
            time, _, task, arguments = heappop(self._tasks)
            self.market.now = max(self.market.now, time)
            task(*arguments)

    # ---------------------------------------------------------------------------------------------------- planning

    def _at(self, time: int, task: Callable[..., None], *arguments: Any) -> None:
        heappush(self._tasks, (time, next(self._ties), task, arguments))

    def _soon(self, task: Callable[..., None], *arguments: Any) -> None:
        """At once, or after other tasks."""
        wait = self.random.choice((0, 0, 1, self.random.randint(0, self.calendar.period_length)))
        self._at(self.market.now + wait, task, *arguments)

    def _between(self, start: int, end: int) -> int:
        return self.random.randint(start, max(start, end - 1))

    def _plan(self, day: int) -> None:
        random, c = self.random, self.calendar
        opens, gate, deadline = c.opens_at(day), c.gate_closes_at(day), c.metering_deadline(day)
        early = 2 * c.day_length
        for task, chance, lead in ((self.announce, 0.4, early), (self.publish, 0.7, 500), (self.publish, 0.2, 500)):
            if random.random() < chance:
                self._at(self._between(opens - lead, opens + 20), task, day)
        for person in self.people.values():
            for _ in range(random.choice((0, 1, 1, 1, 2, 3))):
                self._at(self._between(opens - 10, gate + 10), self.order, person, day)
        for strip in random.sample(range(self.strips), self.strips):
            self._at(self._between(gate, gate + 20), self.clear, day, strip)
        for _ in range(random.choice((0, 0, 0, 1))):
            self._at(random.choice((opens, self._between(opens - early, opens))), self.appoint, day)
        for _ in range(random.choice((1, 1, 1, 2))):
            self._at(gate if random.random() < 0.1 else self._between(opens - 2, gate + 1), self.commit, day)
        for _ in range(random.choice((1, 2, 2, 3))):
            self._at(self._between(gate - 2, gate + c.desk_lead + 2), self.report, day)
        for person in self.people.values():
            if person.meter and (person.id != GRID_OPERATOR_ID or self.has_boundary):
                self._plan_readings(person, day)
        self._at(self._between(deadline, deadline + 50), self.close, day)
        self._at(self._between(deadline, deadline + 100), self.settle, day)
        self._at(c.corrections_close_at(day), self.finalize, day)
        for _ in range(random.randint(0, 6)):
            someone = random.choice(list(self.people.values()))
            tasks = (
                self.deposit,
                self.withdraw,
                self.change_status,
                self.replace_meter,
                self.late_comer,
                self.replace_account,
                self.change_connection,
                self.come_back,
            )
            (task,) = random.choices(tasks, (4, 4, 4, 1, 1, 2, 1, 2))
            self._at(self._between(opens, c.corrections_close_at(day)), task, someone)

    def _plan_limits(self, day: int) -> None:
        """Zones, limits before the auction opens and lowered ones after its gate, in time or not."""
        random, c, market = self._grid, self.calendar, self.market
        opens, gate, start, end = c.opens_at(day), c.gate_closes_at(day), c.start_of(day), c.start_of(day + 1)
        if random.random() < 0.3:
            self._at(random.randint(opens - 300, opens + 5), partial(assign_zones, random, market), [*self.people], day)
        for _ in range(random.choice((0, 1, 1, 2))):
            self._at(random.randint(opens - 300, opens + 5), partial(publish_limits, random, market), day)
        for _ in range(random.choice((0, 1, 2, 4))):
            latest = max(gate, random.choice((start, start, end)))
            self._at(random.randint(gate - 5, latest), partial(lower_limits, random, market), day)
        self._at(random.randint(gate - 5, max(gate, start)), approve, market, day)
        self._plan_relief(day)

    def _plan_relief(self, day: int) -> None:
        """Offers of a day or of others, and purchases before the auction opens, in time or not."""
        random, c, market, people = self._relief, self.calendar, self.market, self.people
        opens = c.opens_at(day)
        for _ in range(random.choice((0, 2, 4))):
            early = random.randint(opens - 2 * c.day_length, opens)
            self._at(early, partial(offer_relief, random, market), people, day)
        for _ in range(random.choice((0, 1, 3))):
            self._at(random.randint(opens - 300, opens + 5), partial(buy_relief, random, market), people, day)

    def _plan_readings(self, person: Person, day: int) -> None:
        """The whole day in one sheet or strip by strip, in time, late or not at all; and corrections."""
        c = self.calendar
        whole = self.random.random() < 0.7
        sheets = [(0, self.strips)] if whole else [(strip, 1) for strip in range(self.strips)]
        for first, strips in sheets * self.random.choice((1, 1, 1, 2)):
            ends = c.start_of(day) + (first + strips) * LANES * c.period_length
            latest = self.random.choice((ends + 5, c.metering_deadline(day), c.corrections_close_at(day)))
            if self.random.random() < 0.9:
                self._at(self._between(ends, latest), self.read, person, day, first, strips)

    # ----------------------------------------------------------------------------------------------------- members

    def _admit_people(self) -> None:
        random = self.random
        self.market.act("Accounts.setCreditLimit", SUPPLIER_ID, random.choice((0, random.randrange(10**9), PLENTY)))
        for _ in range(random.randint(2, 8)):
            person = self._admit_one()
            # A desk's report names its account.
            if person.kind != DESK and random.random() < 0.4:
                self.announce_account(person)

    def _admit_one(self) -> Person:
        random = self.random

        def capacity() -> int:
            return random.choice((self.energy, 3 * self.energy, 10 * self.energy, AMPLE))

        person = Person.numbered(
            len(self.people),
            is_metered=random.random() < 0.9,
            kind=random.choice((CONSUMER, CONSUMER, DESK)),
            import_capacity=capacity(),
            export_capacity=capacity(),
        )
        self.market.act("ParticipantRegistry.applyFor", *application(self.market, person))
        admit(self.market, person)
        self.people[person.id] = person
        if person.kind == DESK:
            self.market.act("Accounts.setCreditLimit", person.id, random.choice((0, 10**9, *[PLENTY] * 4)))
        if random.random() < 0.9:
            little = random.choice((random.randint(1, 10**7), random.randint(1, 10**9)))
            self._pay_in(person, random.choice((little, PLENTY, PLENTY, PLENTY)))
        return person

    def late_comer(self, _someone: Person) -> None:
        """Somebody new joins while days are under way."""
        person = self._admit_one()
        first = self.market.replay.members[person.id].first_day
        for day in range(first, self.days + 1):
            self._at(max(self.market.now, self.calendar.opens_at(day)), self.order, person, day)
            if person.meter:
                self._plan_readings(person, day)

    def change_status(self, person: Person) -> None:
        """Suspended, back again, or gone for good."""
        change = {ADMITTED: "suspend", SUSPENDED: "reinstate"}.get(person.status)
        if change and person.id != GRID_OPERATOR_ID and self.random.random() < 0.2:
            change = "exit"
        if change:
            self.market.act(f"ParticipantRegistry.{change}", person.id)
            person.status = {"suspend": SUSPENDED, "reinstate": ADMITTED, "exit": EXITED}[change]

    def replace_meter(self, person: Person) -> None:
        """A new meter, whose registers begin anew."""
        if person.meter and person.status != EXITED:
            meter = key(100_000 + next(self._references))
            self.market.act("ParticipantRegistry.replaceMeter", person.id, meter.address)
            person.take_meter(meter)

    def change_connection(self, person: Person) -> None:
        """A larger connection from a day on."""
        c = self.calendar
        opened = (self.market.now + c.open_lead - c.opening) // c.day_length + 1
        first = max(0, opened + self.random.choice((0, 1, 1, 2)))
        imports, exports = 2 * person.import_capacity, 3 * person.export_capacity
        refused = self.market.attempt("ParticipantRegistry.changeConnection", person.id, imports, exports, first)
        if refused:
            reasons = ("WrongStatus", "DayUnusable", "ConnectionTooLarge", "AreaFull")
            assert refused.error in reasons

    def come_back(self, _someone: Person) -> None:
        """Who has left does, once its last day can be corrected no more."""
        gone = [person for person in self.people.values() if person.status == EXITED]
        if not gone:
            return
        person = self.random.choice(gone)
        papers = next(self._references).to_bytes(32, "big")
        refused = self.market.attempt(
            "ParticipantRegistry.applyFor", *application(self.market, person, documents=papers)
        )
        if refused:
            assert refused.error in ("WrongStatus", "KeyUnusable")
            return
        admit(self.market, person)
        first = self.market.replay.membership.since(person.id, self.days + RING)
        for day in range(first, self.days + 1):
            self._at(max(self.market.now, self.calendar.opens_at(day)), self.order, person, day)
            if person.meter:
                self._plan_readings(person, day)

    def announce_account(self, person: Person) -> None:
        """The registrar announces a new account for a member, which may veto."""
        new = key(200_000 + next(self._references))
        message = Replacement(person.id, person.account.address, new.address)
        signature = new.sign(self.market.domain("Replacements"), message)
        self.market.act("Replacements.announce", person.id, new.address, signature)
        self.announced[person.id] = new
        if self.random.random() < 0.2:
            self.market.act("Replacements.veto", person.id, by=person.account)
            del self.announced[person.id]

    def replace_account(self, person: Person) -> None:
        """Whoever has lost its key goes on under another account, if that was announced and not vetoed."""
        _, due, _ = self.market.call("Replacements", "replacementOf", person.id)
        refused = self.market.attempt("Replacements.carryOut", person.id)
        if person.id not in self.announced:
            assert refused
            assert refused.error in ("NotAnnounced", "NotDueYet")
            return
        assert (refused and refused.error) == (None if self.market.now >= due else "NotDueYet")
        if refused is None:
            person.account = self.announced.pop(person.id)

    # ------------------------------------------------------------------------------------------------------- money

    def _reference(self) -> bytes:
        return next(self._references).to_bytes(32, "big")

    def _pay_in(self, person: Person, amount: int) -> None:
        self.market.act("Accounts.deposit", person.account.address, amount, self._reference())

    def deposit(self, person: Person) -> None:
        """In fiat, or with what is in the wallet."""
        tokens = self._tokens(person.account.address)
        if not tokens:
            self._pay_in(person, self.random.choice((1, 10**8, PLENTY)))
            return
        accounts = self.market.contracts["Accounts"].address
        self.market.act("SettlementToken.approve", accounts, tokens, by=person.account)
        self.market.act("Accounts.depositTokens", self.random.randint(1, tokens), by=person.account)

    def withdraw(self, person: Person) -> None:
        """Some of the free money, all of it, or more than there is."""
        free = max(0, self.market.replay.ledger.record(person.id).free)
        amount = self.random.choice((1, free, free + 1, self.random.randint(0, free)))
        expected = "ZeroAmount" if amount == 0 else "InsufficientFunds" if amount > free else None
        # What members on credit owe stands on other members' accounts, but there are no tokens for it.
        if expected is None and amount > self._tokens(self.market.contracts["Accounts"].address):
            expected = "ERC20InsufficientBalance"
        to_bank = self.random.random() < 0.5
        message = withdrawal(self.market, person, amount, to_bank)
        if expected != "ZeroAmount" and self._is_held():
            expected = "MoneyHeld"
        elif expected in (None, "ERC20InsufficientBalance") and person.id in self.market.replay.ledger.paid_now:
            expected = "PaidNow"
        if to_bank:
            refused = self.market.attempt("Accounts.redeem", *message, self._reference())
        else:
            refused = self.market.attempt("Accounts.withdraw", *message)
        assert (refused and refused.error) == expected, f"{amount} of {free}: {refused}, should be {expected}"
        if not (to_bank or refused) and self.random.random() < 0.5:
            self._soon(self.deposit, person)

    def _is_held(self) -> bool:
        """Whether a day is being settled whose money may have to be shared."""
        supplier = self.market.replay.ledger.record(SUPPLIER_ID)
        is_below = supplier.free < -supplier.credit_limit
        return is_below or self.market.now < self.market.call("Accounts", "heldUntil")

    def _tokens(self, holder: str) -> int:
        return self.market.call("SettlementToken", "balanceOf", holder)

    # ------------------------------------------------------------------------------------------- rules and tariffs

    def announce(self, day: int) -> None:
        """New rules, from this day or one of the next on."""
        first = day + self.random.choice((0, 0, 1))
        in_time = first > self._next_to_open()
        refused = self.market.attempt(
            "MarketRules.announce", first, rules_tuple(random_rules(self.random, self.prices))
        )
        assert (refused and refused.error) == (None if in_time else "TooLateToChange")

    def publish(self, day: int) -> None:
        """The fallback supplier's tariffs."""
        words = random_tariffs(self.random, day, self.calendar.periods_per_day, self.market.replay.rules(day))
        following = self._next_to_open()
        expected = "TooLateToPublish" if day < following else "TooEarlyToPublish" if day > following else None
        refused = self.market.attempt("FallbackSupply.publish", day, words)
        assert (refused and refused.error) == expected, f"{refused}, should be {expected}"

    def _next_to_open(self) -> int:
        """The first day whose auction has not opened."""
        return next(day for day in count(1) if self.calendar.opens_at(day) > self.market.now)

    # ------------------------------------------------------------------------------------------------------ orders

    def order(self, person: Person, day: int) -> None:
        """One sheet; the chain takes it exactly if nothing in the rules speaks against it."""
        sheet, signer = self._sheet(person, day)
        expected = objections(self.market, person, sheet, signer)
        reason = self._bring("CallAuction", sign_sheet(self.market, sheet, signer))
        assert reason in (expected or {None})

    def _sheet(self, person: Person, day: int) -> tuple[OrderSheet, Key]:
        random = self.random
        rules = self.market.replay.rules(day)
        layers = rules.max_layers
        first = random.choice((0, 0, random.randrange(layers * self.strips)))
        length = random.choice((self.strips, random.randint(1, layers * self.strips - first)))
        # Mostly one side a member and day: most sheets would let their member trade with itself otherwise.
        sides = [Side((person.id + day) % 2)] if random.random() < 0.9 else list(Side)
        words = [
            pack(day, [self._lane(person, rules.min_order_energy, sides) for _ in range(LANES)]) for _ in range(length)
        ]
        sequence, signer, spoil = person.next_sequence(), person.account, random.random()
        if spoil < 0.03:
            signer = STRANGER
        elif spoil < 0.06:
            sequence = random.randint(0, sequence - 1)
        elif spoil < 0.08:
            words[random.randrange(length)] = pack(day + 1, [0] * LANES)
        elif spoil < 0.10:
            words[random.randrange(length)] = pack(day, [0, 0, random.getrandbits(40), 1 << 39, 0, 0])
        elif spoil < 0.11:
            words = []
        elif spoil < 0.12:
            first = random.choice((layers * self.strips, BROKERED_LAYER * self.strips - 1))
        return OrderSheet(person.account.address, day, first, sequence, tuple(words)), signer

    def _lane(self, person: Person, smallest: int, sides: Sequence[Side]) -> int:
        """An order near the price most orders are near, or none."""
        random = self.random
        if random.random() < 0.25:
            return 0
        tick = self.center + random.choice((-2, -1, 0, 0, 0, 1, 2))
        if random.random() < 0.1:
            tick = random.choice((0, MAX_TICK, random.randint(0, MAX_TICK)))
        side = random.choice(sides)
        most = min(MAX_ENERGY, person.export_capacity if side == Side.ASK else person.import_capacity)
        energy = random.randint(smallest, most if random.random() < 0.002 else min(most, self.energy))
        return encode_lane(Order(1, 0, 0, side, min(max(tick, 0), MAX_TICK), energy))

    # ---------------------------------------------------------------------------------------------------- clearing

    def clear(self, day: int, strip: int) -> None:
        """One strip, in one transaction or group by group; a wrong pivot does not do."""
        clearing = self.market.replay.book(day).clearing[strip * LANES : (strip + 1) * LANES]
        pivots = [outcome.pivot for outcome in clearing]
        if self.random.random() < 0.3:
            k = self.random.randrange(LANES)
            wrong = pivots.copy()
            wrong[k] = self.random.choice((max(0, pivots[k] - 1), min(MAX_TICK, pivots[k] + 1), MAX_TICK))
            if wrong != pivots:
                refused = self.market.attempt("CallAuction.clear", day, strip, wrong, ALL_GROUPS)
                assert refused, f"pivot {wrong[k]} taken instead of {pivots[k]}"
                assert refused.arguments == (strip * LANES + k, wrong[k])
        groups = self.random.choice((1, 1, 2, ALL_GROUPS))
        while not self.market.call("CallAuction", "clearedStrips", day) >> strip & 1:
            self.market.act("CallAuction.clear", day, strip, pivots, groups)

    # --------------------------------------------------------------------------------------------------- wholesale

    def appoint(self, day: int) -> None:
        """Another desk from a day on, or none; or somebody who is none."""
        desks = self._desks()
        person = self.random.choice((*desks * 6, *self.people.values()))
        id_ = 0 if self.random.random() < 0.05 else person.id
        expected = set()
        if id_ and person.kind != DESK:
            expected.add("NotADesk")
        if day < self._next_to_open():
            expected.add("TooLateToAppoint")
        refused = self.market.attempt("WholesaleDesk.appoint", id_, day)
        assert (refused and refused.error) in (expected or {None})
        if refused is None:
            self.appointed = {first: own for first, own in self.appointed.items() if first < day} | {day: id_}

    def _desks(self) -> list[Person]:
        return [person for person in self.people.values() if person.kind == DESK]

    def _desk_of(self, day: int) -> int:
        """Number of the desk of a day, 0 for none."""
        return next((own for first, own in sorted(self.appointed.items(), reverse=True) if first <= day), 0)

    def commit(self, day: int) -> None:
        """The desk of the day to what it will offer, in time or not; or another one, or to another's report."""
        random, market = self.random, self.market
        desk = self.people.get(self._desk_of(day))
        if desk is None or random.random() < 0.05:
            desk = random.choice((*self._desks(), *self.people.values()))
        named = random.choice(list(self.people.values())) if random.random() < 0.02 else desk
        rules = market.replay.rules(day)
        offers = [self._offer(rules) for _ in range(self.calendar.periods_per_day)]
        report = wholesale_report(named, day, offers, random.getrandbits(256))
        signer = STRANGER if random.random() < 0.03 else desk.account
        objections = {
            "NotSignedByDesk": signer is not desk.account,
            "TooEarlyToCommit": market.now < self.calendar.opens_at(day),
            "TooLateToCommit": market.now >= self.calendar.gate_closes_at(day),
            "NotTheDesk": desk.id != self._desk_of(day),
            "AlreadyCommitted": day in self.committed,
            "DayStillOpen": day > max(market.replay.final_days, default=0) + RING,
        }
        refused = market.attempt("WholesaleDesk.commit", *commitment(market, desk, day, report, signer))
        assert (refused and refused.error) in ({error for error, holds in objections.items() if holds} or {None})
        if refused is None:
            self.committed[day] = report, offers

    def report(self, day: int) -> None:
        """What the desk has committed to, or something else."""
        random, market = self.random, self.market
        rules = market.replay.rules(day)
        if day in self.committed and random.random() < 0.8:
            report, offers = self.committed[day]
        else:
            offers = [self._offer(rules) for _ in range(self.calendar.periods_per_day)]
            desk = random.choice((*self._desks(), *self.people.values()))
            report = wholesale_report(desk, day, offers, random.getrandbits(256))
        expected = self._objections_to_report(report, day)
        if any(offer.penalty > rules.penalty_cap for offer in offers):
            expected.add("PenaltyAboveCap")
        if any(abs(offer.price) > rules.max_buy for offer in offers if offer.imports or offer.exports):
            expected.add("PriceOutOfBounds")
        if not expected:
            record = market.replay.ledger.record(self._desk_of(day))
            if record.arrears:
                expected.add("InArrears")
            elif report_collateral(offers, rules) and self._desk_of(day) in market.replay.ledger.paid_now:
                expected.add("PaidNow")
            elif record.free - report_collateral(offers, rules) < min(0, -record.credit_limit):
                expected.add("InsufficientFunds")
        refused = market.attempt("WholesaleResidual.report", struct(report))
        assert (refused and refused.error) in (expected or {None})
        if refused is None:
            for strip in random.sample(range(self.strips), self.strips):
                self._soon(self.clear_residual, day, strip)

    def _objections_to_report(self, report: WholesaleReport, day: int) -> set[str]:
        market, gate = self.market, self.calendar.gate_closes_at(day)
        plugged = {address: first_day for address, first_day, _ in market.call("Schedule", "markets")}
        [desk] = [person for person in self.people.values() if person.account.address == report.desk]
        committed, _ = self.committed.get(day, (None, None))
        objections = {
            "TooEarlyToReport": market.now < gate,
            "TooLateToReport": market.now >= gate + self.calendar.desk_lead,
            "WrongStatus": desk.status != ADMITTED,
            "MeterSilent": desk.id in market.replay.membership.silent,
            "NotTakingPart": not market.replay.membership.takes_part(desk.id, day),
            "AlreadyReported": market.call("WholesaleResidual", "reportOf", day)[0] != 0,
            "DayDoesNotCount": plugged.get(market.contracts["WholesaleResidual"].address.lower(), self.days + 1) > day,
            "DayStillOpen": day > max(market.replay.final_days, default=0) + RING,
            "NotTheDesk": desk.id != self._desk_of(day),
            "NotCommitted": report != committed,
        }
        return {error for error, is_true in objections.items() if is_true}

    def _offer(self, rules: MarketRules) -> Offer:
        random = self.random

        def capacity() -> int:
            if random.random() < 0.02:
                return random.choice((random.randint(1, MAX_EXCHANGE), MAX_EXCHANGE))
            return random.choice((0, 0, random.randint(1, 3 * self.energy), random.randint(1, 3 * self.energy)))

        bound = min(rules.max_buy, PRICE_BIAS - 1)
        price = self.prices.price_of(self.center) + random.randint(-300, 300)
        if random.random() < 0.1:
            price = random.choice((-bound, bound, random.randint(-bound, bound)))
        price = min(max(price, -bound), bound)
        penalty = random.choice((0, rules.penalty_cap, random.randint(0, rules.penalty_cap)))
        if random.random() < 0.002:
            penalty = min(rules.penalty_cap + 1, MAX_TARIFF)
        if random.random() < 0.002:
            price = random.choice((-bound - 1, min(bound + 1, PRICE_BIAS - 1)))
        return Offer(price, penalty, capacity(), capacity())

    def clear_residual(self, day: int, strip: int) -> None:
        """One strip, once the auction's is cleared; wrong ticks do not do."""
        market, random = self.market, self.random
        if not market.call("WholesaleResidual", "reportOf", day)[1] >> strip & 1:
            refused = market.attempt("WholesaleResidual.clear", day, strip, [0] * LANES, [0] * LANES, 1)
            assert refused
            assert refused.error == "NothingToClear"
            return
        outcomes = market.replay.markets["WholesaleResidual"].outcomes(day)[strip * LANES : (strip + 1) * LANES]
        imports, exports = ([getattr(o, name) for o in outcomes] for name in ("import_tick", "export_tick"))
        if not market.call("CallAuction", "clearedStrips", day) >> strip & 1:
            refused = market.attempt("WholesaleResidual.clear", day, strip, imports, exports, 1)
            assert refused
            assert refused.error == "AuctionNotCleared"
            self._at(market.now + 20, self.clear_residual, day, strip)
            return
        if random.random() < 0.3:
            self._clear_wrongly(day, strip, imports, exports)
        groups = random.choice((1, 1, 2, ALL_GROUPS))
        while market.call("WholesaleResidual", "reportOf", day)[1] >> strip & 1:
            market.act("WholesaleResidual.clear", day, strip, imports, exports, groups)

    def _clear_wrongly(self, day: int, strip: int, imports: list[int], exports: list[int]) -> None:
        """Another tick is refused where the capacity it is for is there."""
        k, offset = self.random.randrange(LANES), self.random.choice((-1, 1))
        side = self.random.choice((imports, exports))
        report = self.market.replay.markets["WholesaleResidual"]
        offer = report.offers(day)[strip * LANES + k]
        margin = self.market.replay.rules(day).wholesale_margin
        is_import = side is imports
        counts = offer.imports > 0 and offer.price + margin <= self.prices.highest
        if not is_import:
            counts = offer.exports > 0 and offer.price - margin >= self.prices.lowest
        if not counts or not 0 <= side[k] + offset <= MAX_TICK:
            return
        wrong = side.copy()
        wrong[k] += offset
        ticks = (wrong, exports) if is_import else (imports, wrong)
        refused = self.market.attempt("WholesaleResidual.clear", day, strip, *ticks, ALL_GROUPS)
        assert refused, f"tick {wrong[k]} taken instead of {side[k]}"
        assert refused.error == "WrongTicks"
        assert refused.arguments[0] == strip * LANES + k

    # ------------------------------------------------------------------------------------------------------ meters

    def read(self, person: Person, day: int, first: int, strips: int) -> None:
        """A sheet of readings, in time, late or as a correction."""
        random = self.random
        low, high = -min(person.export_capacity, 3 * self.energy), min(person.import_capacity, 3 * self.energy)

        def draw() -> tuple[int, int]:
            net = random.choice((0, low, high, random.randint(low, high)))
            most = min(person.import_capacity - max(0, net), person.export_capacity + min(0, net), self.energy)
            extra = random.choice((0, 0, most))
            return max(net, 0) + extra, max(-net, 0) + extra

        sheet = true_readings(self.market, person, day, first, strips, draw)
        signer = STRANGER if random.random() < 0.03 else person.meter
        expected = set() if signer is person.meter else {"NotSignedByMeter"}
        if not self.market.replay.membership.takes_part(person.id, day):
            expected.add("NotTakingPart")
        if self.market.now >= self.calendar.corrections_close_at(day):
            expected.add("CorrectionWindowClosed")
        if not expected and self.market.call("MarketRules", "dayInSettlement") == day:
            # It is taken when the settlement is through.
            self._at(self.market.now + self.calendar.period_length, self.read, person, day, first, strips)
            expected.add("DayBeingSettled")
        reason = self._bring("MeterReadings", sign_readings(self.market, sheet, signer))
        may_contradict = {None, "MoreThanRegistersShow"} if person.id in self.stated else {None}
        assert reason in (expected or may_contradict)

    def close(self, day: int) -> None:
        """Estimates for what is missing, some members at a time."""
        is_in_order = day == 1 or self.market.call("MeterReadings", "isClosed", day - 1)
        refused = self.market.attempt("MeterReadings.close", day, self._some())
        assert (refused and refused.error) == (None if is_in_order else "ReadingsNotClosed")
        if not self.market.call("MeterReadings", "isClosed", day):
            self._soon(self.close, day)

    # -------------------------------------------------------------------------------------------------- settlement

    def settle(self, day: int) -> None:
        """Some members at a time, until all are settled on the latest readings."""
        if not self.market.call("MeterReadings", "isClosed", day):
            self._soon(self.settle, day)
            return
        other = self.market.call("MarketRules", "dayInSettlement")
        refused = self.market.attempt("Settlement.settle", day, self._some())
        if refused and refused.error == "OtherDayInSettlement":
            assert other not in (0, day)
            self._soon(self.settle, other)
        elif refused:
            assert refused.error in ("AlreadySettled", "CorrectionsOpen"), refused
            return
        if not self.market.call("Settlement", "isSettled", day):
            self._tempt()
            self._soon(self.settle, day)

    def _tempt(self) -> None:
        """While a day is being settled, one whom it has paid wants to order with it, or to take it out."""
        paid = [self.people[id_] for id_ in sorted(self.market.replay.ledger.paid_now & self.people.keys())]
        if not paid or self.random.random() < 0.2:
            return
        person, now = self.random.choice(paid), self.market.now
        for day in range(1, self.days + 1):
            if self.calendar.opens_at(day) <= now < self.calendar.gate_closes_at(day):
                self.order(person, day)
        self.withdraw(person)

    def finalize(self, day: int) -> None:
        """The end of a day, after those before it; settled once more if readings were corrected."""
        if (
            self.market.call("Settlement", "isSettled", day)
            and max(self.market.replay.final_days, default=0) == day - 1
        ):
            self.market.act("Settlement.finalize", day)
            self._soon(self.pay, self.random.random() < 0.9)
            self._soon(self.make_good)
            for _ in range(self.random.choice((0, 1, 4))):
                self._soon(self.reconcile_late, self.random.randint(1, day))
            self._soon(lambda: true_up(self.random, self.market))
            if self._has_dispatcher:
                self._charge(day)
            return
        self._soon(self.settle, day)
        self._soon(self.finalize, day)

    def _charge(self, day: int) -> None:
        random, market, c = self._grid, self.market, self.calendar
        for _ in range(random.choice((4, 8, 12))):
            wait = random.choice((0, 1, c.day_length))
            self._at(market.now + wait, self._charge_one, day, random.random() < 0.5)
        for wait in self._relief.choices((0, 1, c.day_length), k=4):
            of = self._relief.randint(1, day)
            self._at(market.now + wait, partial(pay_relief, self._relief, market), of)

    def _charge_one(self, last: int, is_made_good: bool) -> None:
        """Of a final day of which something is owed, if there is one."""
        days = [day for day in range(1, last + 1) if owed(self.market, day, is_made_good)] or range(1, last + 1)
        charge(self._grid, self.market, self._grid.choice(days), is_made_good)

    def reconcile_late(self, day: int) -> None:
        """A member's reading of a final day that comes late."""
        reconcile_late(self.random, self.market, self.people, day, self.energy)

    def make_good(self) -> None:
        """The supplier pays in, and those who wait are paid, some of them or all."""
        shortfalls = self.market.replay.shortfalls
        if shortfalls.open_claims and self.random.random() < 0.7:
            amount = self.random.choice((1, self.random.randint(1, shortfalls.open_claims), shortfalls.open_claims))
            self.market.act("Accounts.deposit", SUPPLIER.address, amount, self._reference())
        expected = None if shortfalls.to_set_aside() else "NothingToSetAside"
        if self.market.call("MarketRules", "dayInSettlement"):
            expected = "DayInSettlement"
        refused = self.market.attempt("Shortfalls.setAside")
        assert (refused and refused.error) == expected
        for day, shortfall in shortfalls.days.items():
            expected = "NothingToPay" if shortfall.set_aside == shortfall.paid else None
            refused = self.market.attempt("Shortfalls.pay", day, self.random.choice((1, 1, 4, 7)), self._some())
            assert (refused and refused.error) == expected

    def pay(self, goes_on: bool) -> None:
        """What the balancing fund owes, some members at a time; sometimes it is left at that."""
        day, last_final = self.market.call("BalancingFund", "nextDay"), max(self.market.replay.final_days)
        refused = self.market.attempt("BalancingFund.pay", day, self._some())
        expected = {None} if day <= last_final else {"NotFinal"}
        if day <= last_final and FUND_ID in self.market.replay.ledger.paid_now:
            expected.add("PaidNow")
        assert (refused and refused.error) in expected
        assert self.market.account(FUND_ID).free >= 0
        assert self.market.account(FUND_ID).arrears == 0
        if goes_on and day < last_final + 1:
            self._soon(self.pay, goes_on)

    # ----------------------------------------------------------------------------------------------------- helpers

    def _some(self) -> int:
        return self.random.choice((1, 2, 3, 100))

    def _bring(self, contract: str, signed: SignedSheet) -> str | None:
        """A signed message, in a batch or alone; the error it was refused with."""
        if self.random.random() < 0.5:
            try:
                events = self.market.act(f"{contract}.submit", [signed])
            except Refused as refused:
                # No reason that stays, so no sheet is on record as rejected for it.
                if refused.error != "DayBeingSettled":
                    raise
                return refused.error
            return next((reason_of(event) for event in events if "reason" in event.args), None)
        refused = self.market.attempt(f"{contract}.enter", signed)
        return refused.error if refused else None
