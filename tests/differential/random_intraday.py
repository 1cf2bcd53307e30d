"""Random sequences of intraday trading on the contract; the reference model follows, trade by trade.

A world is a deployed market with members; every sequence starts from the same snapshot of it. It funds, places and
cancels, directly or by signed message, in and out of time, while members are suspended and the market is paused,
over two days side by side and, where it goes on, over the days that use the same storage again.
"""

from collections import Counter
from random import Random
from typing import Any

from support.evm.chain import Refused
from support.evm.keys import Key, key, struct
from support.evm.market import ADMIN, STRANGER, Market
from support.evm.people import AMPLE, Person, register

from dem.errors import IntradayError
from dem.messages.orders import IntradayCancellation, IntradayFunding, IntradayOrder
from dem.model.calendar import CalendarParameters
from dem.model.markets.intraday import MAX_FUNDED, MAX_LIMIT, Event, IntradayDay, Terms, place_of
from dem.model.orders import MAX_ENERGY, Side
from dem.model.rules import MarketRules
from dem.model.strips import LANES, unpack
from dem.model.units import MAX_TICK
from dem.replay.intraday import IntradayReplay

from .random_days import OPENING, random_calendar, random_prices, random_rules

MARKET = "ContinuousMarket"
CLERK = key(90)
PLENTY = 10**17
BIAS = 1 << 38
RING = 8


class World:
    """A market with members who have money."""

    def __init__(self, seed: int) -> None:
        random = Random(seed)
        self.calendar: CalendarParameters = random_calendar(random)
        self.rules: MarketRules = random_rules(random, random_prices(Random(f"prices/{seed}")))
        self.lead = random.choice((0, self.calendar.period_length, 3 * self.calendar.period_length))
        self.lead = min(self.lead, self.calendar.open_lead)
        now = OPENING - self.calendar.open_lead - 1_000
        self.market = Market(self.calendar, self.rules, now, intraday_lead=self.lead)
        self.market.act("Schedule.addMarket", self.market.contracts[MARKET].address, 1)
        self.people = [self._person(random, n) for n in range(random.randint(3, 7))]
        self.chain = self.market.chain
        # Somebody with the roles of the schedule and of the settlement: no transaction can come from a contract.
        for role in (10, 11):
            authority = self.market.contracts["Authority"]
            self.chain.send(ADMIN.address, authority, "grantRole", role, CLERK.address, 0)

    def _person(self, random: Random, n: int) -> Person:
        capacity = [random.choice((30, 100, 1_000, AMPLE)) for _ in range(2)]
        person = Person.numbered(n, import_capacity=capacity[0], export_capacity=capacity[1])
        register(self.market, person)
        money = random.choice((10**6, 10**9, PLENTY, PLENTY, PLENTY))
        self.market.act("Accounts.deposit", person.account.address, money, (n + 1).to_bytes(32, "big"))
        return person


class RandomIntraday:
    """One sequence."""

    def __init__(self, world: World, seed: int) -> None:
        self.random = random = Random(seed)
        self.expiries = Random(f"{seed}/expiries")
        self.world, self.market, self.calendar = world, world.market, world.calendar
        self.people = world.people
        self.suspended: set[int] = set()
        self.is_paused = False
        self.days: dict[int, IntradayDay] = {}
        self.replay = IntradayReplay(self.calendar.periods_per_day, lambda _: world.rules)
        self.sequences: dict[str, int] = {}
        self.counts: Counter[str] = Counter()
        self.center = random.choice((2, 40, 255, 256, MAX_TICK - 2, random.randrange(MAX_TICK)))
        self.spread = random.choice((1, 3, 3, 300))
        self.slots = random.sample(range(self.calendar.periods_per_day), 2)
        self.has_sides = random.random() < 0.6
        """Whether most members either buy or sell, and come to their limits."""
        self.length = random.choice((20, 60, 60, 150))

    def run(self) -> None:
        """All of it, and what must be true after."""
        self._trade(1)
        if self.random.random() < 0.3:
            self._finish(1)
            self._finish(2)
            self._mark_final(1)
            self._mark_final(2)
            self._trade(1 + RING)
            self._finish(1 + RING)
        else:
            self._finish(1)

    # ------------------------------------------------------------------------------------------------------ trading

    def _trade(self, first: int) -> None:
        """Two days from the gate of the first on."""
        c, random = self.calendar, self.random
        start = max(self.market.now, c.gate_closes_at(first) - 5 * (random.random() < 0.05))
        end = self._gate(first, c.periods_per_day - 1)
        self.market.now = start
        for person in self.people:
            if random.random() < 0.9:
                most = min(self.market.account(person.id).free // 2, PLENTY // 10)
                message = IntradayFunding(person.account.address, first, most, False, self._sequence(person))
                self._send("fund", "fundSigned", message, person, (first, most))
        for n in range(self.length):
            if n == 3 or (n > self.length // 2 and random.random() < 0.05):
                latest = end + 1 if n > self.length * 3 // 4 else self._gate(first, min(self.slots)) - 1
                self.market.now = max(self.market.now, random.randint(start, max(start, latest)))
            tasks = (self.place, self.cancel, self.fund, self.status, self.pause)
            weights = (80, 15, 4, 20 if self.suspended else 1, 30 if self.is_paused else 1)
            task = random.choices(tasks, weights)[0]
            day = first + (random.random() < 0.04)
            task(day)
            self._look(day)

    def place(self, day: int) -> None:
        random = self.random
        person = random.choice(self.people)
        slot = random.choice(self.slots)
        tick = min(max(self.center + random.randint(-self.spread, self.spread), 0), MAX_TICK)
        energy = random.choice((random.randint(1, 12), random.randint(1, 100), 10))
        account = self.days[day].accounts.get(person.id) if day in self.days else None
        if account is not None and random.random() < 0.05:
            # A few of them take it to its limit and beyond.
            energy = min(MAX_ENERGY, account.limit // 2 + 1)
        spoil = random.random()
        if spoil < 0.01:
            slot = self.calendar.periods_per_day + random.randint(0, 3)
        elif spoil < 0.02:
            tick = random.choice((MAX_TICK + 1, (1 << 16) - 1))
        elif spoil < 0.03:
            energy = random.choice((0, MAX_ENERGY, MAX_ENERGY + 1, (1 << 32) - 1))
        elif spoil < 0.04:
            tick = random.choice((0, MAX_TICK))
        side = Side((person.id + (random.random() < 0.1)) % 2) if self.has_sides else random.choice(list(Side))
        max_fills = random.choice((0, 1, 2, 3, 20, 20, 256, (1 << 16) - 1))
        order = day, slot, side == Side.ASK, tick, energy, max_fills
        expiry = self.market.now + self.expiries.choice((0, 1, *[10**6] * 60))
        message = IntradayOrder(person.account.address, *order, expiry, self._sequence(person))
        self._send("place", "placeSigned", message, person, order)

    def cancel(self, day: int) -> None:
        random = self.random
        book = list(self.days[day].open_orders()) if day in self.days else []
        number, owner, _ = random.choice(book) if book and random.random() < 0.95 else (random.getrandbits(54), 0, 0)
        owners = [person for person in self.people if person.id == owner]
        person = owners[0] if owners and random.random() < 0.9 else random.choice(self.people)
        if random.random() < 0.05:
            number += random.choice((1, 2, 3, 1 << 44))
        message = IntradayCancellation(person.account.address, day, number, self._sequence(person))
        self._send("cancel", "cancelSigned", message, person, (day, number))

    def fund(self, day: int) -> None:
        random = self.random
        suspended = [person for person in self.people if person.id in self.suspended]
        person = random.choice(suspended if suspended and random.random() < 0.5 else self.people)
        free = self.market.account(person.id).free
        is_return = random.random() < 0.2
        account = self.days[day].accounts.get(person.id) if day in self.days else None
        available = account.available if account else 5
        most = available if is_return else min(free, PLENTY // 10)
        amount = random.choice((most, most, most // 2, most // 2, random.randint(0, 10**6), most + 1, 0))
        message = IntradayFunding(person.account.address, day, amount, is_return, self._sequence(person))
        self._send("defund" if is_return else "fund", "fundSigned", message, person, (day, amount))

    def status(self, _day: int) -> None:
        """Suspended, or back again."""
        person = self.random.choice([p for p in self.people if p.id in self.suspended] or self.people)
        is_suspended = person.id in self.suspended
        self.market.act(f"ParticipantRegistry.{'reinstate' if is_suspended else 'suspend'}", person.id)
        self.suspended ^= {person.id}

    def pause(self, _day: int) -> None:
        """All order entry stops, or goes on."""
        self.is_paused = not self.is_paused
        address = self.market.contracts[MARKET].address
        if self.is_paused:
            self.market.act("Accounts.keepPaused", address, self.market.now + 30 * 86_400)
        else:
            self.market.act("Accounts.unpause", address)
        self.market.act(f"{MARKET}.followPause")

    # ------------------------------------------------------------------------------------------- sending, comparing

    def _sequence(self, person: Person) -> int:
        return self.sequences.get(person.account.address, 0) + self.random.choice((1, 1, 1, 1, 1, 2, 1 << 20, 0))

    def _send(self, name: str, signed_name: str, message: Any, person: Person, arguments: tuple[Any, ...]) -> None:
        """One transaction; it must do what the model does, or be refused for the same."""
        random = self.random
        is_signed = random.random() < 0.3
        sender, signer = person.account, person.account
        if random.random() < 0.02:
            sender = signer = STRANGER
        expected: Refused | None = None
        if is_signed:
            expected = self._objection_to_signature(message, signer)
        actor = person if is_signed or sender is not STRANGER else None
        before = self.sequences.get(person.account.address, 0)
        if is_signed and expected is None:
            self.sequences[person.account.address] = message.sequence
        events: list[Event] = []
        if expected is None:
            expected = self._objection(name, actor, *arguments)
        if expected is None:
            try:
                events = self._model(name, actor, *arguments)
            except IntradayError as error:
                expected = Refused(error.error, error.numbers)
        if is_signed:
            signature = signer.sign(self.market.domain(MARKET), message)
            chain, refused = self._try(signed_name, struct(message), signature, by=sender)
        else:
            chain, refused = self._try(name, *arguments, by=sender)
        what = f"{name}{arguments} of {person.id}"
        assert str(refused) == str(expected), f"{what}: chain {refused}, model {expected}"
        if refused:
            self.sequences[person.account.address] = before
            self.counts[refused.error] += 1
            return
        own = [Event(e.name, dict(e.args)) for e in chain if e.contract == MARKET]
        assert own == events, f"{what}: chain {own}, model {events}"
        for event in own:
            assert not self.replay.apply(event.name, event.args).differences
            self.counts[event.name] += 1

    def _try(self, function: str, *arguments: Any, by: Key) -> tuple[list[Any], Refused | None]:
        """A transaction's events, or why it was refused."""
        try:
            return self.market.act(f"{MARKET}.{function}", *arguments, by=by), None
        except Refused as refused:
            return [], refused

    def _objection_to_signature(self, message: Any, signer: Key) -> Refused | None:
        participant = message.participant
        if signer.address != participant:
            return Refused("NotSignedByParticipant", (participant.lower(), signer.address.lower()))
        last = self.sequences.get(participant, 0)
        if message.sequence <= last:
            return Refused("StaleSequence", (message.sequence, last))
        if isinstance(message, IntradayOrder) and message.expiry <= self.market.now:
            return Refused("Expired", (message.expiry, self.market.now))
        return None

    def _objection(self, name: str, person: Person | None, day: int, *arguments: Any) -> Refused | None:
        """What speaks against a call before the book is asked, in the contract's order."""
        now, c = self.market.now, self.calendar
        last = c.periods_per_day - 1
        slot = arguments[0] if name == "place" else last
        if slot > last:
            return Refused("NoSuchSlot", (slot, c.periods_per_day))
        if now < c.gate_closes_at(day):
            return Refused("NotOpenYet", (day, c.gate_closes_at(day), now))
        if now >= self._gate(day, slot):
            return Refused("GateClosed", (day, slot, self._gate(day, slot), now))
        if name == "place" and arguments[2] > MAX_TICK:
            return Refused("NoSuchTick", (arguments[2], MAX_TICK))
        if name == "fund":
            if person is None:
                return Refused("UnknownAccount", (STRANGER.address.lower(),))
            if person.id in self.suspended:
                return Refused("WrongStatus", (person.account.address.lower(), 3))
            if person.id in self.market.replay.membership.silent:
                return Refused("MeterSilent", (person.id,))
            free = self.market.account(person.id).free
            amount = arguments[0]
            funded = self.days[day].accounts.get(person.id) if day in self.days else None
            if (funded.funded if funded else 0) + amount > MAX_FUNDED:
                return Refused("SafeCastOverflowedUintDowncast", (56, (funded.funded if funded else 0) + amount))
            if self.is_paused:
                return Refused("MarketIsPaused", (self.market.contracts[MARKET].address.lower(),))
            return Refused("InsufficientFunds", (person.id, amount, free)) if amount > free else None
        account = self.days[day].accounts.get(person.id) if person and day in self.days else None
        if person is None or account is None:
            return Refused("NotFunded", ((person.account if person else STRANGER).address.lower(), day))
        if name == "place":
            _, _, _, energy, _ = arguments
            if person.id in self.suspended:
                return Refused("MemberBarred", (person.id,))
            if energy > min(account.limit, MAX_ENERGY):
                return Refused("ExceedsCapacity", (person.id, slot, energy, min(account.limit, MAX_ENERGY)))
            if self.is_paused:
                return Refused("OrderEntryPaused", ())
        return None

    def _model(self, name: str, person: Person, day: int, *arguments: Any) -> list[Event]:
        if name == "fund":
            events = []
            if day not in self.days:
                rules = self.world.rules
                ceiling = rules.max_buy + rules.deviation_rate + rules.fees
                terms = Terms(rules.extra, ceiling, rules.min_order_energy, rules.prices)
                self.days[day] = IntradayDay(day, terms)
                args = {"day": day, "extra": terms.extra, "ceiling": terms.ceiling, "smallest": terms.smallest}
                events.append(Event("DayOpened", args))
            limit = min(person.import_capacity + person.export_capacity, MAX_LIMIT)
            return events + self.days[day].fund(person.id, arguments[0], limit)
        if name == "defund":
            return self.days[day].defund(person.id, arguments[0])
        if name == "cancel":
            return self.days[day].cancel(person.id, arguments[0])
        slot, is_ask, tick, energy, max_fills = arguments
        return self.days[day].place(person.id, slot, Side(is_ask), tick, energy, max_fills)

    def _gate(self, day: int, slot: int) -> int:
        return self.calendar.start_of(day) + slot * self.calendar.period_length - self.world.lead

    # ---------------------------------------------------------------------------------------------------- invariants

    def _look(self, number: int) -> None:
        """What must always be true, by the model that equals the chain."""
        day = self.days.get(number)
        if day is None:
            return
        for slot in self.slots:
            bids, asks = day.prices(slot, Side.BID)[:1], day.prices(slot, Side.ASK)[:1]
            assert not (bids and asks and bids[0] >= asks[0]), "the book is crossed"
        assert not sum(account.payment for account in day.accounts.values())
        in_use = Counter[int]()
        for number_, id_, energy in day.open_orders():
            _, side, tick, _ = place_of(number_)
            in_use[id_] += day.terms.collateral(side, energy, tick)
        for id_, account in day.accounts.items():
            assert all(abs(net) <= account.limit for net in account.net.values())
            assert account.available >= 0
            # What settles at most: all payments and fees, nothing received for what is still open.
            assert account.funded >= account.available + in_use[id_] + max(
                0, account.payment + account.traded * self.world.rules.fees
            )

    def _finish(self, number: int) -> None:
        """The chain's books and positions are the model's; energy and money cancel out."""
        market, c = self.market, self.calendar
        day = self.days.get(number)
        for slot in self.slots if day else ():
            for side in Side:
                prices = day.prices(slot, side)
                assert list(market.call(MARKET, "prices", number, slot, side == Side.ASK)) == prices
                for tick in prices:
                    orders = market.call(MARKET, "ordersAt", number, slot, side == Side.ASK, tick)
                    assert list(orders) == day.orders_at(slot, side, tick)
        for id_, account in day.accounts.items() if day else ():
            own = (account.funded, account.available, account.payment, account.traded, account.limit)
            assert market.call(MARKET, "accountOf", id_, number) == own
        market.now = max(market.now, self._gate(number, c.periods_per_day - 1))
        assert market.call(MARKET, "isCleared", number)
        members = market.member_count()
        for is_first in (True, False):
            net, payment, traded, release, flexible = self._book(number, members)
            assert not sum(payment)
            for id_ in range(1, members + 1):
                account = day.accounts.get(id_) if day else None
                lanes = _lanes(net[id_ - 1], c.periods_per_day)
                assert lanes == [account.net.get(s, 0) if account else 0 for s in range(c.periods_per_day)]
                assert (net[id_ - 1] == ()) == (not account or not account.traded)
                assert payment[id_ - 1] == (account.payment if account else 0)
                assert traded[id_ - 1] == (account.traded if account else 0)
                assert release[id_ - 1] == (account.funded if account and is_first else 0)
                sold_back = [max(0, -wh) for wh in lanes]
                assert [lane for word in flexible[id_ - 1] for lane in unpack(word)[1]] == (
                    sold_back if any(sold_back) else []
                )
        if day:
            rows = self.replay.trades(number)
            assert rows.bought.sum() == rows.sold.sum()
            assert sum(rows.payment.tolist()) == 0
            assert self.replay.release(number) == {i: a.funded for i, a in day.accounts.items() if a.funded}

    def _book(self, day: int, members: int) -> Any:
        """As the schedule calls it, some members at a time."""
        chain, contract = self.market.chain, self.market.contracts[MARKET]
        parts: list[list[Any]] = [[], [], [], [], []]
        at = 1
        while at <= members:
            count = self.random.randint(1, members)
            count = min(count, members - at + 1)
            for part, more in zip(parts, chain.execute(CLERK.address, contract, "book", day, at, count), strict=True):
                part.extend(more or [()] * count)
            at += count
        return parts

    def _mark_final(self, day: int) -> None:
        self.market.chain.send(CLERK.address, self.market.contracts["MarketRules"], "markFinal", day)


def _lanes(words: tuple[int, ...], periods: int) -> list[int]:
    if not words:
        return [0] * periods
    return [(word >> 40 * k & (1 << 40) - 1) - BIAS for word in words for k in range(LANES)]
