"""Random bilateral contracts from proposal to final settlement on the contracts; the reference model follows.

Everything is drawn from one seed: calendar, rules and their changes, members with little money and much, proposals good
and bad, counter-proposals, endings, defaults and exits, and days settled late, in pieces, out of order and again.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Any

import numpy as np
from support.evm.chain import NOBODY, Event
from support.evm.contracts import MARKET, NOTHING, ContractMarket, conclusion, ending, revocation
from support.evm.keys import Key
from support.evm.market import STRANGER, Market
from support.evm.people import (
    ADMITTED,
    AMPLE,
    EXITED,
    SUSPENDED,
    Person,
    register,
    sign_readings,
    take_note,
    true_readings,
    withdrawal,
)

from dem.deployment.plan import rules_tuple
from dem.messages.contracts import Acceptance, Ending, Proposal
from dem.messages.signing import message_hash
from dem.model.markets.bilateral import ALL_WEEKDAYS, window_of
from dem.model.settlement import DaySettlement, settle
from dem.model.strips import LANES, unpack
from dem.model.units import FROM_ZERO

from .random_days import OPENING, PLENTY, SUPPLIER_ID, random_calendar, random_prices, random_rules

_BIAS = 1 << 38


class RandomContracts:
    """One community, its contracts and its days."""

    def __init__(self, seed: int) -> None:
        self.random = random = Random(f"contracts/{seed}")
        self.calendar = calendar = random_calendar(random)
        self.prices = random_prices(Random(f"prices/{seed}")) if seed % 2 else FROM_ZERO
        rules = random_rules(random, self.prices)
        self.market = Market(calendar, rules, OPENING - calendar.open_lead - 1_000)
        self.contracts = ContractMarket(self.market)
        self.days = random.choice((3, 6, 12))
        self.people: dict[int, Person] = {}
        self.proposals: list[Proposal] = []
        self.settled: set[tuple[int, int]] = set()
        self.resettled = 0
        self.is_over = False
        self.market.listeners += [lambda events: take_note(self.market, self.people, events), self._check]
        self._tasks: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []
        self._ties = count()
        self._salts = count(1)
        assert self.market.call(MARKET, "window") == window_of(
            calendar.day_length, calendar.gate_lead, calendar.metering_lag
        )

    def run(self) -> None:
        """Everything until the last day is final."""
        self.market.act("Accounts.setCreditLimit", SUPPLIER_ID, PLENTY)
        for n in range(self.random.randint(3, 6)):
            self._admit(n)
        for day in range(1, self.days + 1):
            self._plan(day)
        self._at(self.calendar.gate_closes_at(self.days), self.end_all)
        while self._tasks:
            time, _, task, arguments = heappop(self._tasks)
            self.market.now = max(self.market.now, time)
            task(*arguments)

    # ---------------------------------------------------------------------------------------------------- planning

    def _at(self, time: int, task: Callable[..., None], *arguments: Any) -> None:
        heappush(self._tasks, (time, next(self._ties), task, arguments))

    def _plan(self, day: int) -> None:
        random, c = self.random, self.calendar
        gate, deadline, close = c.gate_closes_at(day), c.metering_deadline(day), c.corrections_close_at(day)
        tasks = (
            *(self.propose, self.answer, self.revoke, self.end, self.terminate),
            *(self.change_status, self.deposit, self.take_out),
        )
        # The schedule asks for collateral from when its first day is open.
        for _ in range(random.randint(4, 14)):
            (task,) = random.choices(tasks, (14, 3, 1, 2, 4, 1, 2, 2))
            self._at(random.randint(c.opens_at(day), max(gate + 5, c.start_of(day + 1))), task)
        if random.random() < 0.3:
            self._at(random.randint(c.opens_at(day) - 10, gate), self.announce)
        self._at(gate, self.clear, day)
        for person in self.people.values():
            if person.meter:
                self._at(c.start_of(day + 1), self.read, person, day)
                if random.random() < 0.3:
                    self._at(random.randint(deadline, close), self.read, person, day)
        self._at(deadline, self.close, day)
        self._at(random.randint(deadline, close), self.settle, day)
        self._at(close, self.finalize, day)

    def _admit(self, n: int) -> None:
        random = self.random
        person = Person.numbered(
            n,
            is_metered=random.random() < 0.8,
            import_capacity=random.choice((40, 2_000, AMPLE)),
            export_capacity=random.choice((40, 2_000, AMPLE)),
        )
        register(self.market, person)
        self.people[person.id] = person
        money = random.choice((random.randint(1, 10**9), random.randint(1, 10**11), PLENTY))
        self.market.act("Accounts.deposit", person.account.address, money, self._reference())

    def _reference(self) -> bytes:
        return next(self._salts).to_bytes(32, "big")

    # --------------------------------------------------------------------------------------------------- contracts

    def _proposal(self, proposer: Person, counterparty: str, answers: bytes) -> Proposal:
        random, c = self.random, self.calendar
        per_day = c.periods_per_day
        today = max(0, (self.market.now + c.gate_lead - c.opening) // c.day_length)
        first = (today + random.choice((0, 1, 1, 1, 2, 3))) * per_day + random.choice((0, 0, random.randrange(per_day)))
        length = random.choice((random.randrange(per_day), random.randrange(4 * per_day), 20 * per_day, 400 * per_day))
        whole = (1 << per_day) - 1
        proposal = Proposal(
            proposer=proposer.account.address,
            counterparty=counterparty,
            is_sale=random.random() < 0.5,
            price=self._price(first),
            energy=random.choice((1, 10, 40, random.randint(1, 2_000))),
            first_period=first,
            last_period=first + length,
            slots=random.choice((whole, random.randint(1, whole), 1 << random.randrange(per_day))),
            weekdays=random.choice((ALL_WEEKDAYS, random.randint(1, ALL_WEEKDAYS))),
            expiry=self.market.now + random.choice((1, c.day_length)),
            answers=answers,
            salt=self._reference(),
        )
        if random.random() < 0.1:
            bad = (
                {"last_period": first - 1 if first else 0},
                {"slots": 1 << per_day},
                {"weekdays": 128},
                {"energy": 0},
                {"energy": 1 << 27},
                {"slots": 0},
                {"expiry": self.market.now},
            )
            proposal = replace(proposal, **random.choice(bad))
        return proposal

    def _price(self, first_period: int) -> int:
        highest = self.market.replay.rules(first_period // self.calendar.periods_per_day + 1).max_buy
        least = self.prices.lowest
        fitting = [self.random.randint(least, highest) for _ in range(8)]
        return self.random.choice((0, *fitting, *((least, least - 1) if least else ()), 1 << 21))

    def _pick(self, other: Person | None = None) -> Person:
        """Anybody; mostly somebody else than the other."""
        person = self.random.choice(list(self.people.values()))
        return self._pick(other) if person is other and self.random.random() < 0.9 else person

    def _by(self, account: str) -> Person:
        return next(person for person in self.people.values() if person.account.address == account)

    def propose(self) -> None:
        """A new proposal, accepted at once or kept for later."""
        if self.is_over:
            return
        proposer = self._pick()
        other = self._pick(proposer)
        named = self.random.choice((other, other, other, self._pick())).account.address
        proposal = self._proposal(proposer, self.random.choice((NOBODY, named)), NOTHING)
        self.proposals.append(proposal)
        if self.random.random() < 0.8:
            self._conclude(proposal, other)

    def answer(self) -> None:
        """A counter-proposal to one of the last, or one of the last accepted, perhaps once more."""
        if not self.proposals or self.is_over:
            return
        before = self.random.choice(self.proposals[-4:])
        opener = message_hash(before) if before.answers == NOTHING else before.answers
        other = self._by(before.proposer)
        if self.random.random() < 0.7:
            counterparty = self.random.choice((other.account.address,) * 5 + (NOBODY,))
            before = self._proposal(self._pick(other), counterparty, opener)
            self.proposals.append(before)
        self._conclude(before, self.random.choice((other, self._pick())))

    def _conclude(self, proposal: Proposal, accepter: Person) -> None:
        proposer = self._by(proposal.proposer)
        keys = [proposer.account, accepter.account]
        is_signed = self.random.random() > 0.03
        if not is_signed:
            keys[self.random.randrange(2)] = STRANGER
        expiry = self.random.choice((proposal.expiry, proposal.expiry + 1, self.market.now + 1, self.market.now))
        if self.random.random() < 0.9:
            expiry = proposal.expiry
        expected = self.contracts.objections(proposal, proposer, accepter, is_signed, expiry)
        brought = conclusion(self.market, proposal, keys[0], accepter.account.address, keys[1], expiry)
        refused = self.market.attempt(f"{MARKET}.conclude", *brought)
        assert (refused and refused.error) in (expected or {None}), f"{refused}, should be one of {expected}"
        if not refused:
            self.contracts.take_up(proposal, accepter)

    def revoke(self) -> None:
        """One of the last proposals taken back, by its proposer or by who might have accepted it."""
        if not self.proposals:
            return
        proposal = self.random.choice(self.proposals[-4:])
        if self.random.random() < 0.5:
            self._revoke(proposal, self._by(proposal.proposer).account)
            return
        accepter = self._pick()
        self._revoke(Acceptance(message_hash(proposal), proposal.expiry), accepter.account)
        self._conclude(proposal, accepter)

    def _revoke(self, message: Proposal | Acceptance | Ending, signer: Key) -> None:
        account = signer.address
        key = message_hash(message), account
        expected = "ProposalUsed" if key in self.contracts.used else None
        if self.random.random() < 0.05:
            signer, expected = STRANGER, "NotSignedBy"
        refused = self.market.attempt(f"{MARKET}.revoke", *revocation(self.market, message, signer, account))
        assert (refused and refused.error) == expected
        if not refused:
            self.contracts.used.add(key)

    def end(self) -> None:
        """A contract ended by both sides on some day."""
        if not self.contracts.concluded:
            return
        number = self.random.choice(list(self.contracts.concluded))
        contract, present = self.contracts.concluded[number], self.contracts.last_day(number)
        today = max(0, (self.market.now + self.calendar.gate_lead - self.calendar.opening) // self.calendar.day_length)
        last_day = max(0, today + self.random.choice((0, 1, 1, 2, 3)))
        buyer, seller = self.people[contract.buyer].account, self.people[contract.seller].account
        message = Ending(number, last_day, self.market.now + self.random.choice((0, 1, 100, 100)))
        expected = set()
        if self.random.random() < 0.15:
            self._revoke(message, self.random.choice((buyer, seller)))
            if {(message_hash(message), side.address) for side in (buyer, seller)} & self.contracts.used:
                expected.add("ConsentRevoked")
        if self.random.random() < 0.1:
            buyer = STRANGER
            expected.add("NotSignedBy")
        if message.expiry <= self.market.now:
            expected.add("Expired")
        if last_day >= present:
            expected.add("NotEarlier")
        if self.market.now >= self.calendar.gate_closes_at(last_day + 1):
            expected.add("GateClosed")
        refused = self.market.attempt(f"{MARKET}.end", *ending(self.market, message, buyer, seller))
        assert (refused and refused.error) in (expected or {None}), f"{refused}, should be one of {expected}"

    def end_all(self) -> None:
        """The last gate has closed: what goes on beyond the last day ends with it."""
        self.is_over = True
        for number, contract in list(self.contracts.replay.contracts.standing.items()):
            if self.contracts.last_day(number) > self.days:
                message = Ending(number, self.days, self.market.now + 1)
                keys = self.people[contract.buyer].account, self.people[contract.seller].account
                self.market.act(f"{MARKET}.end", *ending(self.market, message, *keys))

    def terminate(self) -> None:
        """Contracts of whoever has left."""
        for number in list(self.contracts.concluded):
            is_due, last_day = self.contracts.may_terminate(number, self.people)
            expected = "NobodyLeft"
            if is_due:
                expected = "NotEarlier" if last_day >= self.contracts.last_day(number) else None
            refused = self.market.attempt(f"{MARKET}.terminate", number)
            assert (refused and refused.error) == expected, f"{refused}, should be {expected}"

    # ------------------------------------------------------------------------------------------------------ members

    def change_status(self) -> None:
        """Suspended, back again, or gone for good."""
        person = self._pick()
        change = {ADMITTED: "suspend", SUSPENDED: "reinstate"}.get(person.status)
        if change and self.random.random() < 0.4:
            change = "exit"
        if change:
            self.market.act(f"ParticipantRegistry.{change}", person.id)
            person.status = {"suspend": SUSPENDED, "reinstate": ADMITTED, "exit": EXITED}[change]

    def deposit(self) -> None:
        """Money that pays arrears first."""
        money = self.random.choice((1, 10**9, PLENTY))
        self.market.act("Accounts.deposit", self._pick().account.address, money, self._reference())

    def take_out(self) -> None:
        """All free money, so that what comes due is owed."""
        person = self._pick()
        free = self.market.account(person.id).free
        if free > 0:
            brought = *withdrawal(self.market, person, free, True), self._reference()
            refused = self.market.attempt("Accounts.redeem", *brought)
            # Tokens exist for deposits only, not for what is earned from an account on credit (rule 3.3).
            assert refused is None or refused.error in ("ERC20InsufficientBalance", "MoneyHeld", "PaidNow"), refused

    def announce(self) -> None:
        """Other rules, as early as they may apply."""
        first = next(day for day in count(1) if self.calendar.opens_at(day) > self.market.now) + 1
        self.market.act("MarketRules.announce", first, rules_tuple(random_rules(self.random, self.prices)))

    # -------------------------------------------------------------------------------------------------------- days

    def clear(self, day: int) -> None:
        """An auction without orders."""
        for strip in range(self.calendar.periods_per_day // LANES):
            self.market.act("CallAuction.clear", day, strip, [0] * LANES, 1)

    def read(self, person: Person, day: int) -> None:
        """A whole day of a meter; refused for those who have left."""
        if self.random.random() < 0.1:
            return
        low, high = -min(person.export_capacity, 5_000), min(person.import_capacity, 5_000)

        def draw() -> tuple[int, int]:
            net = self.random.randint(low, high)
            return max(net, 0), max(-net, 0)

        strips = self.calendar.periods_per_day // LANES
        sheet = true_readings(self.market, person, day, 0, strips, draw)
        refused = self.market.attempt("MeterReadings.enter", sign_readings(self.market, sheet, person.meter))
        reasons = ("NotTakingPart", "CorrectionWindowClosed", "DayBeingSettled")
        assert refused is None or refused.error in reasons, refused

    def close(self, day: int) -> None:
        """Estimates for what is missing."""
        self.market.act("MeterReadings.close", day, 100)

    def settle(self, day: int) -> None:
        """Some members at a time, with a pause in between."""
        before, defaults = self.contracts.replay.release(day), self.contracts.defaults
        refused = self.market.attempt("Settlement.settle", day, self.random.choice((1, 3, 100)))
        assert refused is None or refused.error in ("AlreadySettled", "CorrectionsOpen", "OtherDayInSettlement"), (
            refused
        )
        assert self.contracts.replay.release(day) == before or self.contracts.defaults > defaults
        if refused and refused.error == "CorrectionsOpen":
            return
        if not self.market.call("Settlement", "isSettled", day):
            self._at(self.market.now + self.random.choice((0, 1, self.calendar.period_length)), self.settle, day)

    def finalize(self, day: int) -> None:
        """The end of a day, after those before it; settled once more if readings were corrected."""
        if (
            self.market.call("Settlement", "isSettled", day)
            and max(self.market.replay.final_days, default=0) == day - 1
        ):
            self.market.act("Settlement.finalize", day)
            return
        self._at(self.market.now + 1, self.settle, day)
        self._at(self.market.now + 1, self.finalize, day)

    # ----------------------------------------------------------------------------------------------------- checking

    def _check(self, events: Sequence[Event]) -> None:
        """Every result the events claim, and every lock."""
        assert not self.contracts.failures()
        settled = [event.args for event in events if event.name == "Settled"]
        if not settled:
            return
        day = settled[0]["day"]
        model = self._settlement(day)
        releases = self.contracts.replay.release(day)
        expected: dict[int, int] = {}
        for args in settled:
            # A penalty, which nobody owes without a wholesale desk, has an event of its own.
            assert {"penalty": 0} | args == args | model.bills[args["id"]]._asdict()
            is_first = (day, args["id"]) not in self.settled
            expected[args["id"]] = releases.get(args["id"], 0) if is_first else 0
            self.resettled += not is_first
            self.settled.add((day, args["id"]))
        released: dict[int, int] = defaultdict(int)
        for event in events:
            if event.name == "Posted":
                released[event.args["id"]] += event.args["release"]
        assert {id_: released[id_] for id_ in expected} == expected
        for event in events:
            if event.name == "Scheduled":
                lanes = [lane - _BIAS for word in event.args["net"] for lane in unpack(word)[1]]
                assert lanes == model.schedule[event.args["id"]].tolist()
        scheduled = {event.args["id"] for event in events if event.name == "Scheduled"}
        assert scheduled == {id_ for id_ in expected if model.schedule[id_].any()}

    def _settlement(self, day: int) -> DaySettlement:
        """The day by the reference model."""
        base = self.market.replay.settlement(day).delivery
        trades = self.contracts.replay.trades(day)
        members = np.arange(1, self.market.member_count() + 1)
        shape = len(members), self.calendar.periods_per_day
        metered, bought, sold, due = (np.zeros(shape, np.int64) for _ in range(4))
        has_meter, estimated = np.zeros(len(members), np.bool_), np.zeros(shape, np.bool_)
        metered[base.participants - 1] = base.metered
        has_meter[base.participants - 1] = base.has_meter
        if base.estimated is not None:
            estimated[base.participants - 1] = base.estimated
        np.add.at(bought, (trades.participant - 1, trades.slot), trades.bought)
        np.add.at(sold, (trades.participant - 1, trades.slot), trades.sold)
        np.add.at(due, (trades.participant - 1, trades.slot), trades.payment)
        delivery = replace(
            base,
            participants=members,
            has_meter=has_meter,
            bought=bought,
            sold=sold,
            metered=metered,
            payments=due,
            flexible=None,
            estimated=estimated,
        )
        return settle(self.market.replay.rules(day), delivery)
