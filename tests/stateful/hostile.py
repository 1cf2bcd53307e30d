"""Whole attacks among everybody's actions: plans of some steps each, several of them under way at a time.

They are those of docs/inside/threats.md: of members that are one owner's, of desks, seats, relayers and intermediaries,
and of markets that fail. A plan says before which state of the market it waits; meanwhile anybody does anything. One
that waits too long is given up. The tally counts those carried to their end.

At the end of a run the owner's accounts have, and have taken out, what was paid in, what settlements (which the
reference model computes again), the fund and commissions have given them, and what they owe. They owe no more than
what no collateral covers, see `unsecured`.
"""

from collections import Counter
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, replace
from random import Random

from support.evm.acceptance import objections
from support.evm.chain import GAS_LIMIT, Broken, Event
from support.evm.contracts import NOTHING
from support.evm.faults import release_stuck, set_bookable
from support.evm.keys import Key, struct
from support.evm.people import (
    ADMITTED,
    CONSUMER,
    DESK,
    IMPLAUSIBLE,
    Person,
    commitment,
    readings,
    sign_readings,
    sign_sheet,
    wholesale_report,
    withdrawal,
)
from support.evm.pools import POOL
from support.evm.thief import Thief

from dem.messages.contracts import Proposal
from dem.messages.members import Commission, Mandate
from dem.messages.orders import OrderSheet
from dem.messages.signing import SignedSheet
from dem.model.markets.bilateral import ALL_WEEKDAYS
from dem.model.markets.intermediaries import highest_tick_up
from dem.model.markets.wholesale import Offer
from dem.model.orders import BROKERED_LAYER, Order, Side, encode_lane
from dem.model.rules import MAX_TARIFF
from dem.model.strips import LANES, pack
from dem.model.units import Tick, Wh

from .trading import MEMBERSHIP, MONEY, MOST_CONTRACTS, Trading

Wait = Callable[[], bool]
Plan = Generator[Wait, None, bool]
"""Yields what it waits for, and returns whether it was carried to its end."""

ACCOUNTS = 2
"""Of the hostile owner, always; those of its accounts that have left are replaced."""
AT_ONCE = 6
PATIENCE = 8
"""Delivery days that a plan waits at one step."""
SOME_MONEY = 3 * 10**9
SUPPLIER_ID = 3
TO_TAKE_OUT = ("ERC20InsufficientBalance", "MoneyHeld", "PaidNow", "InsufficientFunds")
TO_LOCK = ("PaidNow", "InArrears", "InsufficientFunds", "MoneyHeld", "ClaimsOpen", "MarketIsPaused", "MarketIsRetired")
TO_READ = (
    "ReadingFromFuture",
    "CorrectionWindowClosed",
    "NotTakingPart",
    "DayBeingSettled",
    "DayStillOpen",
    *IMPLAUSIBLE,
)
PLANS = (
    "default_on_a_contract",
    "consume_with_all_money_in_a_contract",
    "move_money_between_the_walks",
    "correct_when_all_is_made_good",
    "walk_away_from_a_commission",
    "nominate_little_at_the_highest_penalty",
    "commit_and_stay_away",
    "report_without_cover",
    "pause_after_the_last_order",
    "bring_it_again",
    "bring_it_in_the_wrong_order",
    "give_little_gas",
    "read_while_a_day_is_settled",
    "block_a_client",
    "let_a_market_fail_between_the_walks",
    "plug_in_a_thief",
)


@dataclass(eq=False)
class Attack:
    """A plan under way."""

    name: str
    plan: Plan
    is_due: Wait
    since: int
    """Unix time of its last step."""


class Hostile(Trading):
    """Attacks on one market; who takes part, and how far its days are, is the machine's."""

    random: Random
    people: dict[int, Person]

    def _prepare_attacks(self) -> None:
        self.owned: list[Person] = []
        """All accounts that the hostile owner ever had."""
        self.attacks: list[Attack] = []
        self.begun: Counter[str] = Counter()
        self.flows: Counter[str] = Counter()
        """Of the owner's accounts, money units by event: paid in, taken out, posted, forfeited, shared."""
        self.charged_late: Counter[int] = Counter()
        """By each of the owner's accounts: what late reconciliations took, money units."""
        self.versions: dict[tuple[int, int], list[tuple[int, ...]]] = {}
        """What each settlement has said of the owner's accounts, by account and day."""
        self.asked_in_vain: dict[int, str] = {}
        """The thief that said it had orders for a day."""
        self.days_late = 0
        """More than contracts have collateral for: days that were committed when an earlier one was settled."""
        self.market.listeners.append(self._note_owned)

    # ------------------------------------------------------------------------------------------------------ plans

    def attack(self) -> None:
        """The next step of some attack that is due, or the first of another one."""
        now, patience = self.market.now, PATIENCE * self.market.calendar.day_length
        self.attacks = [attack for attack in self.attacks if now <= attack.since + patience]
        due = [attack for attack in self.attacks if attack.is_due()]
        if not due and len(self.attacks) < AT_ONCE:
            under_way = {attack.name for attack in self.attacks}
            waiting = [name for name in PLANS if name not in under_way]
            least = min(self.begun[name] for name in waiting)
            name = self.random.choice([name for name in waiting if self.begun[name] == least])
            self.begun[name] += 1
            due = [Attack(name, getattr(self, f"_{name}")(), lambda: True, now)]
            self.attacks += due
        if not due:
            self.go_on()
            return
        attack = self.random.choice(due)
        try:
            attack.is_due, attack.since = next(attack.plan), now
        except StopIteration as end:
            self.attacks.remove(attack)
            self.market.tally.attacks[attack.name] += bool(end.value)

    def _crooks(self) -> list[Person]:
        """The owner's accounts, as many as there have to be."""
        owned = [person for person in self.owned if person.status == ADMITTED]
        if len(owned) < ACCOUNTS:
            person = replace(self._new_person(), kind=CONSUMER, meter=self._new_person().account)
            self._apply(person)
            self._admit(person)
            self.owned.append(person)
            return self._crooks()
        return owned

    def _crook(self) -> Person:
        return self.random.choice(self._crooks())

    def _later(self) -> Wait:
        """A while, in which others act."""
        at = self.market.now + self.market.calendar.period_length
        return lambda: self.market.now >= at

    def _passed(self, time: int) -> Wait:
        return lambda: self.market.now >= time

    def _is_over(self, day: int) -> bool:
        """Whether a day is settled, for good or until it is corrected."""
        return day <= self.state.last_final or (day in self.state.phases and self.state.phases[day].is_settled)

    def _is_ready(self, day: int) -> bool:
        """Whether a settlement of a day may begin, or go on."""
        phase = self.state.phases.get(day)
        return (
            phase is not None
            and phase.is_closed
            and not phase.is_settled
            and self.state.in_settlement in (0, day)
            and self.market.call("Schedule", "isComplete", day)
        )

    def _hurry(self, day: int) -> None:
        """As a relayer: what is due, until a day may be settled, or something has to wait."""
        self._wait_until(self.market.calendar.metering_deadline(day))
        done = -1
        while not self._is_ready(day) and not self._is_over(day) and self.market.tally.succeeded.total() > done:
            done = self.market.tally.succeeded.total()
            self.go_on()
            self.state = self.look()

    def _ready_day(self) -> int:
        """The first day that may be settled, 0 if there is none."""
        return next((day for day in self.state.phases if self._is_ready(day)), 0)

    def _take_out(self, person: Person) -> None:
        """All free money."""
        free = self.market.account(person.id).free
        if free > 0:
            brought = withdrawal(self.market, person, free, False)
            self._do("Accounts.withdraw", *brought, may=TO_TAKE_OUT)

    def _read(self, person: Person, day: int, net: list[int]) -> bool:
        """A sheet for a day from its first period on."""
        if person.meter is None:
            return False
        signed = sign_readings(self.market, readings(self.market, person, day, 0, net), person.meter)
        refused = self._do("MeterReadings.enter", signed, may=TO_READ)
        self.brought["MeterReadings"] += refused is None
        return refused is None

    def _order(self, person: Person, day: int, tick: int, energy: int, side: Side) -> OrderSheet:
        """One order in each period of a day, on the first lines."""
        lane = encode_lane(Order(1, 0, 0, side, Tick(tick), Wh(energy)))
        words = (pack(day, [lane] * LANES),) * self._strips()
        return OrderSheet(person.account.address, day, 0, person.next_sequence(), words)

    def _cancelling(self, person: Person, day: int) -> OrderSheet:
        return OrderSheet(
            person.account.address, day, 0, person.next_sequence(), (pack(day, [0] * LANES),) * self._strips()
        )

    def _bring(self, sheet: OrderSheet, person: Person) -> bool:
        """A sheet of the auction; whether it was taken."""
        reasons = objections(self.market, person, sheet, person.account)
        if reasons or self._adds(person, sheet):
            reasons |= {"MarketIsPaused"} if self._is_paused("CallAuction") else set()
        refused = self._do("CallAuction.enter", sign_sheet(self.market, sheet, person.account), may=reasons)
        assert bool(refused) == bool(reasons), f"taken in spite of {reasons}"
        self.brought["CallAuction"] += refused is None
        return refused is None

    def _submit(self, contract: str, sheets: list[SignedSheet], may: Iterable[str] = ()) -> bool:
        """A batch; whether it was taken, each sheet of it or not."""
        refused = self._do(f"{contract}.submit", sheets, may=tuple(may))
        self.brought[contract] += 0 if refused else len(sheets)
        return refused is None

    # ---------------------------------------------------------------------------------- two accounts of one owner

    def _agree(self, energy: int, days: int) -> tuple[int, int, Person, Person] | None:
        """A contract between two accounts of the owner, at the highest price: number, first day, seller, buyer."""
        if len(self.contracts.replay.contracts.standing) >= MOST_CONTRACTS:
            return None
        seller, buyer = self.random.sample(self._crooks(), 2)
        for person in (seller, buyer):
            self._deposit(person, SOME_MONEY)
        per_day, first_day = self.market.calendar.periods_per_day, self.contracts.last_committed() + 1
        proposal = Proposal(
            proposer=seller.account.address,
            counterparty=buyer.account.address,
            is_sale=True,
            price=self.market.replay.rules(first_day).max_buy,
            energy=energy,
            first_period=(first_day - 1) * per_day,
            last_period=(first_day - 1 + days) * per_day - 1,
            slots=(1 << per_day) - 1,
            weekdays=ALL_WEEKDAYS,
            expiry=self.market.now + 1_000,
            answers=NOTHING,
            salt=self._reference(),
        )
        known = len(self.contracts.concluded)
        self._conclude(proposal, buyer)
        return (
            (max(self.contracts.concluded), first_day, seller, buyer) if len(self.contracts.concluded) > known else None
        )

    def _default_on_a_contract(self) -> Plan:
        """The buyer has no money when it has to pay, and the seller takes its income out, until the contract ends."""
        agreed = self._agree(self.random.choice((30, 150, 300)), 20)
        if agreed is None:
            return False
        number, first_day, seller, buyer = agreed
        yield self._passed(self.market.calendar.gate_closes_at(first_day))
        self._take_out(buyer)
        yield lambda: self._is_over(first_day)
        while number in self.contracts.replay.contracts.standing and self.contracts.last_day(number) > first_day + 10:
            self._take_out(seller)
            self._take_out(buyer)
            yield self._later()
        self._take_out(seller)
        return True

    def _consume_with_all_money_in_a_contract(self) -> Plan:
        """Nothing is free for what a member consumes beside its contract; the other account has it."""
        agreed = self._agree(3, 20)
        if agreed is None:
            return False
        _, day, seller, buyer = agreed
        yield self._later()
        self._take_out(buyer)
        yield self._passed(self.market.calendar.start_of(day + 1))
        if not self._read(buyer, day, [buyer.import_capacity] * self.market.calendar.periods_per_day):
            return False
        self._take_out(buyer)
        yield lambda: self._is_over(day)
        self._take_out(seller)
        return True

    def _move_money_between_the_walks(self) -> Plan:
        """Who was paid locks that, trades with it, takes it out, while the day is not settled yet."""
        day, person = max(1, self._today()), None
        yield self._passed(self.market.calendar.start_of(day + 1))
        for seller in self._crooks():
            self._read(seller, day, [-seller.export_capacity] * self.market.calendar.periods_per_day)
        self._hurry(day)
        while person is None:
            if not self._is_ready(day):
                return False
            if self._do("Settlement.settle", day, 1, may=("CorrectionsOpen", "OtherDayInSettlement")):
                return False
            self.state = self.look()
            paid = self.market.replay.ledger.paid_now
            person = next((person for person in self._crooks() if person.id in paid), None)
        moves: list[Callable[[], object]] = [
            lambda: self._fund(person, self._intraday_day(), is_return=False),
            lambda: self._bring(self._order(person, self._open_day(), 50, 2, Side.BID), person),
            lambda: self._agree(3, 2),
            lambda: self._take_out(person),
        ]
        self.random.shuffle(moves)
        for move in moves:
            locked = self.market.account(person.id).locked
            move()
            if person.id in self.market.replay.ledger.paid_now:
                assert self.market.account(person.id).locked <= locked, f"{person.id} locks what it was just paid"
            yield lambda: True
        return True

    def _correct_when_all_is_made_good(self) -> Plan:
        """A unit of energy, when what was set aside is paid and taken out; then the day is settled again."""
        day, (person, other) = max(1, self._today()), self.random.sample(self._crooks(), 2)
        yield self._passed(self.market.calendar.start_of(day + 1))
        periods = self.market.calendar.periods_per_day
        # Whoever else is silent would pay for an estimate, and the supplier would have money.
        for idle in [one for one in self.people.values() if one not in (person, other)]:
            self._read(idle, day, [0] * periods)
        for dry, sign in ((person, 1), (other, -1)):
            self._read(dry, day, [sign * dry.import_capacity] * periods)
        self._hurry(day)
        self._take_out(person)
        self.spend_the_suppliers_money()
        self._do("Accounts.setCreditLimit", SUPPLIER_ID, 0, may=("CreditLimitExceeded", "MoneyHeld", "ClaimsOpen"))
        if self._is_ready(day):
            self._settle_all(day)
            self.state = self.look()
        if not self._is_short(day):
            return False
        self._deposit(self.supplier, self.market.replay.shortfalls.open_claims + 1)
        may = () if self.market.replay.shortfalls.to_set_aside() else ("NothingToSetAside",)
        self._do("Shortfalls.setAside", may=may)
        shortfall = self.market.replay.shortfalls.days[day]
        if shortfall.set_aside > shortfall.paid:
            self._do("Shortfalls.pay", day, 1, 100)
        crooks = self._crooks()
        for person in crooks:
            self._take_out(person)
        yield lambda: self.state.in_settlement == 0
        if not self._read(self.random.choice(crooks), day, [1] + [0] * (periods - 1)):
            return False
        yield lambda: self._is_over(day)
        for person in crooks:
            self._take_out(person)
        return True

    def _is_short(self, day: int) -> bool:
        """Whether somebody has a claim of a day that may be corrected."""
        shortfall = self.market.replay.shortfalls.days.get(day)
        is_open = self.market.now < self.market.calendar.corrections_close_at(day)
        return bool(shortfall and shortfall.units) and is_open and self._is_over(day)

    def _broker_for(self, client: Person, tick: int, energy: int) -> Generator[Wait, None, int]:
        """The pool's intermediary orders for a client in the auction; the day, 0 if it could not."""
        broker = self.pool_owner
        for _ in range(3):
            if self._do("ParticipantRegistry.reinstate", broker.id, may=("WrongStatus",)) is None:
                broker.status = ADMITTED
            day = self._last_opened() + 1
            mandate = Mandate(client.account.address, broker.account.address, 5_000, day, client.next_sequence())
            signed = client.account.sign(self.market.domain("Intermediaries"), mandate)
            may = ("NotAnIntermediary", "TooLateToChoose", "NotAClient")
            self._do("Intermediaries.choose", struct(mandate), signed, may=may)
            per_wh = self.market.replay.rules(day).commission_cap
            message = Commission(broker.account.address, per_wh, day, broker.next_sequence())
            published = broker.account.sign(self.market.domain("Intermediaries"), message)
            may = ("NotAnIntermediary", "TooLateToPublish", "CommissionTooHigh")
            self._do("Intermediaries.publish", struct(message), published, may=may)
            yield self._passed(self.market.calendar.opens_at(day))
            self._deposit(client, SOME_MONEY)
            sheet = self._order(client, day, tick, energy, Side.BID)
            sheet = replace(sheet, first_line=BROKERED_LAYER * self._strips())
            may = (*MEMBERSHIP, *MONEY, "NotTheIntermediary", "MandateNotFixed", "ExceedsCapacity", "TradesWithItself")
            may = (*may, "NotOpenYet", "GateClosed", "DayStillOpen", "OrderTooSmall", "ExceedsLimit")
            refused = self._do("CallAuction.enter", sign_sheet(self.market, sheet, broker.account), may=may)
            self.brought["CallAuction"] += refused is None
            if refused is None:
                return day
        return 0

    def _walk_away_from_a_commission(self) -> Plan:
        """A client of its owner's intermediary takes everything out when its day is over."""
        client = self._crook()
        day = yield from self._broker_for(client, 56, 100)
        if not day:
            return False
        yield self._passed(self.market.calendar.start_of(day))
        self._take_out(client)
        yield lambda: self._is_over(day)
        self._take_out(client)
        yield lambda: day <= self.state.last_final
        self._take_out(client)
        owed = self.market.account(client.id).arrears
        auction = self.market.contracts["CallAuction"].address
        may = ["CreditLimitExceeded", "MoneyHeld"]
        may += ["MarketIsVoid"] * self.market.call("Schedule", "isVoid", auction, day)
        self._do("Intermediaries.collect", day, [client.id], auction, may=may)
        assert self.market.account(client.id).arrears <= owed, f"{client.id} left its commission to the supplier"
        return True

    # -------------------------------------------------------------------------------------------- a wholesale desk

    def _commit_to(self, offer: Offer) -> Generator[Wait, None, int]:
        """A desk is appointed and commits to the same offer for all periods; the day, 0 if it could not."""
        calendar = self.market.calendar
        for _ in range(4):
            desks = [person for person in self.people.values() if person.kind == DESK and person.status == ADMITTED]
            if not desks:
                return 0
            desk, day = self.random.choice(desks), self._last_opened() + 1
            self._do("WholesaleDesk.appoint", desk.id, day, may=("TooLateToAppoint",))
            yield self._passed(calendar.opens_at(day))
            if self.market.now >= calendar.gate_closes_at(day) or day in self.reports:
                continue  # somebody else was first
            cap = self.market.replay.rules(day).penalty_cap
            offers = [replace(offer, penalty=min(cap, offer.penalty))] * calendar.periods_per_day
            report = wholesale_report(desk, day, offers, self.random.getrandbits(256))
            brought = commitment(self.market, desk, day, report)
            may = ("NotTheDesk", "DayStillOpen", "AlreadyCommitted")
            if self._do("WholesaleDesk.commit", *brought, may=may) is None:
                self.reports[day] = desk, report, offers
                return day
        return 0

    def _open_in_time(self, day: int) -> bool:
        """Bring what was committed to when the gate has closed; whether it was in time."""
        gate = self.market.calendar.gate_closes_at(day)
        self._wait_until(gate)
        self.state = self.look()
        self._open(day, True)
        return self.market.now < gate + self.market.calendar.desk_lead

    def _nominate_little_at_the_highest_penalty(self) -> Plan:
        """1 Wh each way, and a penalty for the deviation of the whole area."""
        day = yield from self._commit_to(Offer(5_300, MAX_TARIFF, 1, 1))
        if not day:
            return False
        desk, *_ = self.reports[day]
        calendar = self.market.calendar
        yield self._passed(calendar.gate_closes_at(day) - 6 * calendar.period_length)
        self._deposit(desk, SOME_MONEY)
        is_in_time = self._open_in_time(day)
        if not is_in_time or not self.market.call("WholesaleResidual", "reportOf", day)[0]:
            return False
        yield lambda: self._is_over(day)
        self._take_out(desk)
        return True

    def _commit_and_stay_away(self) -> Plan:
        """What was committed to is never opened, and the day is cleared without it."""
        day = yield from self._commit_to(Offer(5_300, 0, 300, 300))
        if not day:
            return False
        del self.reports[day]
        yield lambda: self._is_over(day)
        assert not self.market.call("WholesaleResidual", "reportOf", day)[0]
        return True

    def _report_without_cover(self) -> Plan:
        """A desk takes its money out before it opens a report that may cost it much."""
        day = yield from self._commit_to(Offer(5_300, 0, 10_000, 10_000))
        if not day:
            return False
        desk, *_ = self.reports[day]
        calendar = self.market.calendar
        self._take_out(desk)
        yield self._passed(calendar.gate_closes_at(day) - 6 * calendar.period_length)
        self._take_out(desk)
        if not self._open_in_time(day):
            return False
        yield lambda: self._is_over(day)
        return True

    # ------------------------------------------------------------------------------------------------------ a seat

    def _pause_after_the_last_order(self) -> Plan:
        """A seat that trades orders, pauses, pauses everything, and does so again once the council has undone it."""
        seat, (person, victim) = self.market.new_node(), self.random.sample(self._crooks(), 2)
        calendar, day = self.market.calendar, self._last_opened()
        if day < 1 or self.market.now >= calendar.gate_closes_at(day):
            day += 1
            yield self._passed(calendar.opens_at(day))
        self._bring(self._order(victim, day, 50, 2, Side.BID), victim)
        yield self._later()
        self._bring(self._order(person, day, 50, 2, Side.ASK), person)
        paused = [self._pause_as(seat)]
        yield lambda: True
        paused += [self._pause_all_as(seat)]
        if self.market.now < calendar.gate_closes_at(day):
            self._bring(self._cancelling(victim, day), victim)
        yield lambda: True
        if self._is_paused("CallAuction"):
            self._do("Accounts.unpause", self.market.contracts["CallAuction"].address)
        paused += [self._pause_as(seat), self._pause_all_as(seat)]
        yield lambda: True
        paused += [self._pause_all_as(seat)]
        assert sum(paused) <= 1, "a seat has paused the auction twice"
        return True

    def _pause_as(self, seat: Key) -> bool:
        """Whether a node could stop the auction, which it never can when a gate is near."""
        auction = self.market.contracts["CallAuction"].address
        may = ("GateTooNear", "PausedLately", "MarketIsPaused")
        return self._do("Accounts.pause", auction, by=seat, may=may) is None and self._keeps_from_gates()

    def _pause_all_as(self, seat: Key) -> bool:
        was_paused = self._is_paused("CallAuction")
        self._do("Accounts.pauseAll", by=seat, may=("NothingToPause", "GateTooNear"))
        return not was_paused and self._is_paused("CallAuction") and self._keeps_from_gates()

    def _keeps_from_gates(self) -> bool:
        until = self._paused_until(self.market.contracts["CallAuction"].address)
        gates = [self.market.calendar.gate_closes_at(day) for day in self._days_around()]
        assert not [gate for gate in gates if self.market.now < gate <= until], "no order is taken before a gate"
        return True

    # --------------------------------------------------------------------------------------------------- a relayer

    def _bring_it_again(self) -> Plan:
        """What was taken once: orders, a withdrawal, readings."""
        yield self._can_order
        person, day = self._crook(), self._last_opened()
        self._deposit(person, SOME_MONEY)
        payout = withdrawal(self.market, person, 1, False)
        is_paid = self._do("Accounts.withdraw", *payout, may=TO_TAKE_OUT) is None
        if person.meter is None:
            return False
        sheet = self._order(person, day, 50, 2, Side.BID)
        is_taken, again = self._bring(sheet, person), sign_sheet(self.market, sheet, person.account)
        read = readings(self.market, person, max(1, self._today() - 1), 0, [1] * self.market.calendar.periods_per_day)
        signed = sign_readings(self.market, read, person.meter)
        if not self._submit("MeterReadings", [signed], ("DayBeingSettled",)) or not is_taken:
            return False
        yield self._later()
        events = self.market.tally.events
        accepted = events["CallAuction.SheetAccepted"], events["MeterReadings.ReadingsAccepted"]
        refused = self._do("Accounts.withdraw", *payout, may=(*TO_TAKE_OUT, "StaleSequence", "UnknownAccountOwner"))
        assert refused or not is_paid, "paid out twice"
        self._submit("CallAuction", [again, again], ("MarketIsPaused",))
        self._submit("MeterReadings", [signed, signed], ("DayBeingSettled",))
        now = events["CallAuction.SheetAccepted"], events["MeterReadings.ReadingsAccepted"]
        assert now[0] == accepted[0], "orders were taken twice"
        assert now[1] <= accepted[1] + 1, "readings were taken twice"
        return True

    def _bring_it_in_the_wrong_order(self) -> Plan:
        """Two sheets of orders, the second one first; the strips of a day from the last one on."""
        yield self._can_order
        person, day = self._crook(), self._last_opened()
        self._deposit(person, SOME_MONEY)
        sheets = [self._order(person, day, tick, 2, Side.BID) for tick in (50, 51)]
        signed = [sign_sheet(self.market, sheet, person.account) for sheet in sheets]
        accepted = self.market.tally.events["CallAuction.SheetAccepted"]
        is_taken = self._submit("CallAuction", signed[::-1], ("MarketIsPaused",))
        is_one = self.market.tally.events["CallAuction.SheetAccepted"] <= accepted + 1
        assert is_one, "an older sheet has replaced a newer one"
        yield self._later()
        if person.meter is None or not is_taken:
            return False
        day = max(1, self._today() - 1)
        read = [
            sign_readings(self.market, readings(self.market, person, day, strip, [2] * LANES), person.meter)
            for strip in range(self._strips())
        ]
        return self._submit("MeterReadings", read[::-1], ("DayBeingSettled",))

    def _can_order(self) -> bool:
        day = self._last_opened()
        return day >= 1 and self.market.now < self.market.calendar.gate_closes_at(day)

    def _give_little_gas(self) -> Plan:
        """A batch that runs out of gas is refused as a whole, and taken when it has enough."""
        yield lambda: self._can_order() and not self._is_paused("CallAuction")
        person, day = self._crook(), self._last_opened()
        self._deposit(person, SOME_MONEY)
        signed = [sign_sheet(self.market, self._order(person, day, 50, 2, Side.BID), person.account) for _ in range(3)]
        chain = self.market.chain
        for gas in (60_000, 90_000, 150_000, 300_000):
            chain.gas = gas
            try:
                self._submit("CallAuction", signed, ("BatchOutOfGas", "MarketIsPaused"))
            except Broken:
                pass  # not even enough to say so
            finally:
                chain.gas = GAS_LIMIT
            yield lambda: True
        return self._submit("CallAuction", signed, ("MarketIsPaused",))

    def _read_while_a_day_is_settled(self) -> Plan:
        """A correction on its way is refused as a whole, and taken when the day is settled."""
        yield lambda: self.state.in_settlement > 0
        person = self._crook()
        if person.meter is None or not self.state.in_settlement:
            return False
        day = self.state.in_settlement
        net = [3] * self.market.calendar.periods_per_day
        signed = sign_readings(self.market, readings(self.market, person, day, 0, net), person.meter)
        accepted = self.market.tally.events["MeterReadings.ReadingsAccepted"]
        self._submit("MeterReadings", [signed, signed], ("DayBeingSettled",))
        assert self.market.tally.events["MeterReadings.ReadingsAccepted"] == accepted, f"day {day} is being settled"
        yield lambda: self.state.in_settlement == 0
        return self._submit("MeterReadings", [signed, signed], ("DayBeingSettled",))

    # ---------------------------------------------------------------------------------------------- an intermediary

    def _highest_tick(self) -> int:
        """The highest limit that the rules of the next day to open take."""
        return highest_tick_up(self.market.replay.rules(self._last_opened() + 1))

    def _block_a_client(self) -> Plan:
        """A line at the highest limit, which the client's own orders would meet; the client empties it."""
        client = self._crook()
        day = yield from self._broker_for(client, self._highest_tick(), 2)
        if not day:
            return False
        yield self._later()
        if self.market.now >= self.market.calendar.gate_closes_at(day):
            return False
        own = self._order(client, day, 50, 2, Side.ASK)
        self._bring(own, client)
        emptied = self._cancelling(client, day)
        emptied = replace(emptied, first_line=BROKERED_LAYER * self._strips())
        own = replace(own, sequence=client.next_sequence())
        sheets = [sign_sheet(self.market, sheet, client.account) for sheet in (emptied, own)]
        return self._submit("CallAuction", sheets, ("MarketIsPaused",))

    # ----------------------------------------------------------------------------------------- a market that fails

    def _let_a_market_fail_between_the_walks(self) -> Plan:
        """It fails for one step of a settlement, and the owner takes out what the others have been paid for it."""
        yield lambda: self._ready_day() > 0
        day = self._ready_day()
        broken = self.random.choice(("CallAuction", "ContinuousMarket", "BilateralContracts", POOL))
        set_bookable(self.market, broken, False)
        may = ("CorrectionsOpen", "OtherDayInSettlement", "NotReadyToSettle", "AlreadySettled")
        refused = self._do("Settlement.settle", max(1, day), 1, may=may)
        set_bookable(self.market, broken, True)
        if refused:
            return False
        yield lambda: True
        for person in self._crooks():
            self._take_out(person)
        yield lambda: self._is_over(day)
        for person in self._crooks():
            self._take_out(person)
        if any(self.market.replay.stuck.values()):
            release_stuck(self.market)
        return True

    def _plug_in_a_thief(self) -> Plan:
        """A market that takes and frees what others hold, before it counts, while it does, and when that is over; and
        that is asked about a day which it knows nothing of."""
        thief, first_day = Thief(self.market), self._last_opened() + 2
        if self._do("Schedule.addMarket", thief.address, first_day, may=("TooManyMarkets",)):
            return False
        assert thief.refusal("Schedule.noteOrders", first_day) == "DayDoesNotCount", "before the day has opened"
        self._steal(thief, "NotAMarket", "NotAMarket")
        calendar = self.market.calendar
        yield self._passed(max(calendar.opens_at(first_day), calendar.gate_closes_at(first_day - 1)))
        if self.market.now < calendar.metering_deadline(first_day):
            refusal = thief.refusal("Schedule.noteOrders", first_day)
            assert refusal in ("", "DayStillOpen"), refusal
            if not refusal:
                self.asked_in_vain[first_day] = thief.address
        self._steal(thief, "", "ReleaseExceedsLock")
        yield lambda: True
        self._steal(thief, "", "ReleaseExceedsLock")
        last_day = self._last_opened()
        if self._do("Schedule.retireMarket", thief.address, last_day):
            return False
        yield lambda: self.state.in_settlement > 0
        self._steal(thief, "", "ReleaseExceedsLock")
        yield self._passed(calendar.start_of(last_day + 1))
        self._steal(thief, "MarketIsRetired", "ReleaseExceedsLock")
        yield lambda: last_day <= self.state.last_final
        self._do("Schedule.removeMarket", thief.address)
        self._steal(thief, "MarketIsRetired", "ReleaseExceedsLock")
        return True

    def _steal(self, thief: Thief, to_lock: str, to_take: str) -> None:
        """Of anybody, with why it is refused: to lock, and to take what it does not hold. What it locks it frees."""
        victim, friend = self.random.choice(list(self.people)), self._crook().id
        locked, own = max(1, self.market.account(victim).locked), 5
        refusal = thief.refusal("Accounts.lockCollateral", friend, own)
        assert refusal == to_lock or (not to_lock and refusal in TO_LOCK), refusal
        held = 0 if refusal else own
        assert self.market.call("Accounts", "heldBy", thief.address, friend) == held
        for taken in (
            ("Accounts.releaseCollateral", victim, locked + held),
            ("Accounts.forfeitCollateral", victim, [friend], [locked + held]),
            ("Accounts.forfeitCollateral", friend, [friend, victim], [held, 1]),
        ):
            assert thief.refusal(*taken) == to_take, taken
        refusal = thief.refusal("Accounts.lockCollateral", victim, -1 - held)
        assert refusal == to_take or refusal in TO_LOCK, refusal
        if held:
            assert not thief.refusal("Accounts.releaseCollateral", friend, held)

    def _is_asked_in_vain(self, day: int) -> bool:
        """Whether a thief is asked about the day: whoever is settled alone then is settled without it."""
        thief = self.asked_in_vain.get(day)
        return thief is not None and not self.market.call("Schedule", "isVoid", thief, day)

    # ------------------------------------------------------------------------------------------- what it has gained

    def _note_owned(self, events: list[Event]) -> None:
        """What moves money of the owner's accounts, and what settlements say of them."""
        owned = {person.id for person in self.owned}
        penalties = {event.args["id"]: event.args["penalty"] for event in events if event.name == "PenaltyCharged"}
        for event in events:
            id_ = event.args.get("id")
            if id_ not in owned:
                continue
            if event.name in ("Deposited", "Withdrawn"):
                self.flows[event.name] += event.args["amount"]
            elif event.name == "Posted":
                self.flows["Posted"] += event.args["amount"]
            elif event.name == "Reconciled":
                self.charged_late[id_] += max(0, event.args["toGrid"] + event.args["toSupplier"])
            elif event.name == "Settled":
                parts = (event.args["trade"], event.args["imbalance"], event.args["deviation"], penalties.get(id_, 0))
                # Of the days that are locked, one was advanced before the contract ends, and one is forfeited.
                covered = self.market.call("BilateralContracts", "window") - 2
                ahead = self.contracts.last_committed() - event.args["day"]
                self.days_late = max(self.days_late, ahead - covered)
                self.versions.setdefault((id_, event.args["day"]), []).append(parts)
        for event in events:
            if event.name == "Forfeited":
                contract = self.contracts.concluded[event.args["number"]]
                if len({contract.buyer, contract.seller} & owned) == 1:
                    self.flows["Forfeited"] += event.args["received"]

    def _check_owner(self) -> None:
        """The owner has, and has taken out, what its accounts were given; what each owes is what nothing secures."""
        accounts = {person.id: self.market.account(person.id) for person in self.owned}
        has = sum(account.free + account.locked - account.arrears for account in accounts.values())
        given = self.flows["Deposited"] - self.flows["Withdrawn"] + self.flows["Posted"] + self.flows["Forfeited"]
        assert has <= given, f"the owner has {has}, it was given {given}"
        for id_, account in accounts.items():
            days = [versions for (owner, _), versions in self.versions.items() if owner == id_]
            late = self.days_late * max((trade for versions in days for trade, *_ in versions), default=0)
            unsecured = late + sum(map(self._unsecured, days)) + self.charged_late[id_]
            assert account.arrears <= unsecured, f"{id_} owes {account.arrears}, unsecured were {unsecured}"

    @staticmethod
    def _unsecured(versions: list[tuple[int, ...]]) -> int:
        """What no collateral covers of a day, by all of its settlements: what was consumed without a contract, the
        charge for what was not taken, penalties, and what a later settlement takes back of an earlier one's payment."""
        trades, imbalances, deviations, penalties = zip(*versions, strict=True)
        taken_back = max(trades) - min(trades) - min(0, *imbalances)
        return taken_back + max(0, *imbalances) + max(deviations) + max(0, *penalties)
