"""The other ways to trade, by anybody and at any time: bilateral contracts, intraday, intermediaries and a pool.

Whether each of these markets refuses just what it should is asked by the random runs of tests/differential; here a
refusal has to be one of those that can happen at all, and the invariants have to hold with everything at once.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from random import Random
from typing import Any

from support.evm.chain import NOBODY, Event, Refused
from support.evm.contracts import NOTHING, ContractMarket, conclusion, ending, revocation
from support.evm.keys import Key, struct
from support.evm.market import STRANGER
from support.evm.people import ADMITTED, AMPLE, EXITED, Person, admit, application, sign_sheet, take_note, withdrawal
from support.evm.pools import POOL, PooledMarket

from dem.messages.contracts import Acceptance, Ending, Proposal
from dem.messages.members import Commission, Mandate
from dem.messages.orders import IntradayCancellation, IntradayFunding, IntradayOrder, IntradayRevocation, OrderSheet
from dem.messages.signing import message_hash
from dem.model.calendar import CalendarParameters
from dem.model.markets.bilateral import ALL_WEEKDAYS
from dem.model.orders import BROKERED_LAYER, Order, Side, encode_lane
from dem.model.strips import LANES, pack
from dem.model.units import Tick, Wh
from dem.replay.members import KINDS

INTERMEDIARY, GRID = KINDS.index("intermediary"), KINDS.index("grid_operator")
MEMBERSHIP = ("UnknownAccount", "WrongStatus", "MeterSilent", "NotTakingPart")
"""Who is no member, or not now."""
MONEY = ("InsufficientFunds", "InArrears", "PaidNow", "MarketIsPaused", "NotAMarket")
"""What the accounts say to a market that wants collateral."""
SIGNED = ("NotSignedByParticipant", "StaleSequence")
MOST_CONTRACTS = 10


class Trading:
    """Actions in one market; who takes part, and how far its days are, is the machine's."""

    random: Random
    market: PooledMarket
    people: dict[int, Person]

    ACTIONS = (
        (30, "propose"),
        (3, "revoke"),
        (4, "end"),
        (10, "terminate"),
        (24, "run_dry"),
        (20, "fund_intraday"),
        (30, "place_intraday"),
        (14, "cancel_intraday"),
        (4, "revoke_intraday"),
        (2, "pause_intraday"),
        (6, "choose"),
        (6, "publish_commission"),
        (10, "broker"),
        (4, "order_in_pool"),
        (8, "clear_pool"),
        (6, "collect"),
        (4, "unpause_others"),
    )

    def _plug_in(self) -> None:
        """All markets, and an intermediary with a pool."""
        c = self.market.calendar
        self.contracts = ContractMarket(self.market)
        self.proposals: list[tuple[Proposal, Person]] = []
        self.dry: list[Person] = []
        """Sides of contracts that took their money out."""
        self.market.act("Schedule.addMarket", self.market.contracts["ContinuousMarket"].address, 1)
        self.pool_owner = Person.numbered(
            900, is_metered=False, kind=INTERMEDIARY, import_capacity=AMPLE, export_capacity=AMPLE
        )
        self.market.act("ParticipantRegistry.applyFor", *application(self.market, self.pool_owner))
        admit(self.market, self.pool_owner)
        self.people[self.pool_owner.id] = self.pool_owner
        self.pool_calendar = CalendarParameters(
            c.opening,
            c.period_length,
            c.periods_per_day,
            c.open_lead,
            2 * c.gate_lead,
            c.metering_lag,
            c.correction_lag,
        )
        self.market.add_pool(self.pool_owner.id, self.pool_calendar, 1)

    def _take_note(self, events: list[Event]) -> None:
        """People remember which of their own sheets the auction took."""
        brokered = BROKERED_LAYER * self._strips()
        others = (POOL, "OrderBook", "RandomMatching")
        own = [e for e in events if e.contract not in others and e.args.get("firstLine", 0) < brokered]
        take_note(self.market, self.people, [e for e in own if e.args.get("id", 0) in self.people])

    def _strips(self) -> int:
        return self.market.calendar.periods_per_day // LANES

    def _try(self, function: str, *arguments: Any, by: Key | None = None, may: Collection[str] = ()) -> Refused | None:
        """As `_do`, now and then as a batch of one."""
        contract, name = function.split(".")
        if self.random.random() < 0.15:
            call = self.market.contracts[contract].encode(name, *arguments)
            return self._do(f"{contract}.multicall", [call], by=by or STRANGER, may=may)
        return self._do(function, *arguments, by=by, may=may)

    def _member(self) -> Person:
        """Somebody who takes part, mostly."""
        admitted = [person for person in self.people.values() if person.status == ADMITTED and person.kind != GRID]
        return self.random.choice(admitted) if admitted and self.random.random() < 0.9 else self._person()

    def _is_paused(self, contract: str) -> bool:
        return self.market.call("Accounts", "isPaused", self.market.contracts[contract].address)

    def unpause_others(self) -> None:
        """The council lets all markets but the auction go on."""
        others = ("OrderBook", "RandomMatching", "EscrowTrades", "CongestionTrades")
        for contract in ("BilateralContracts", "ContinuousMarket", "WholesaleResidual", POOL, *others):
            reasons = () if self._is_paused(contract) else ("MarketIsNotPaused",)
            self._do("Accounts.unpause", self.market.contracts[contract].address, may=reasons)

    # ------------------------------------------------------------------------------------------- bilateral contracts

    def propose(self) -> None:
        """A proposal that is accepted at once or kept; or one of those kept, perhaps for the second time."""
        random, c = self.random, self.market.calendar
        if self.proposals and random.random() < 0.2:
            self._conclude(*random.choice(self.proposals[-3:]))
            return
        if len(self.contracts.replay.contracts.standing) >= MOST_CONTRACTS:
            return
        proposer, accepter = self._member(), self._member()
        per_day = c.periods_per_day
        first = max(0, (self._today() + random.choice((-1, 0, 1, 1, 1, 2))) * per_day + random.randrange(per_day))
        proposal = Proposal(
            proposer=proposer.account.address,
            counterparty=random.choice((NOBODY, accepter.account.address)),
            is_sale=random.random() < 0.5,
            price=random.randrange(62_000) + self.market.replay.rules(1).prices.lowest,
            energy=random.choice((3, 3, 30, 30, 100, 301)),
            first_period=first,
            last_period=first + random.choice((0, per_day, *[20 * per_day] * 4, 400 * per_day)),
            slots=random.randint(1, (1 << per_day) - 1),
            weekdays=random.choice((ALL_WEEKDAYS, 0b1010101)),
            expiry=self.market.now + 1_000,
            answers=NOTHING,
            salt=self._reference(),
        )
        self.proposals.append((proposal, accepter))
        if random.random() < 0.8:
            self._conclude(proposal, accepter)

    def _conclude(self, proposal: Proposal, accepter: Person) -> None:
        proposer = next(p for p in self.people.values() if p.account.address == proposal.proposer)
        is_signed = self.random.random() > 0.05
        expected = self.contracts.objections(proposal, proposer, accepter, is_signed)
        if self._is_paused("BilateralContracts"):
            expected.add("MarketIsPaused")
        if self.market.now < self.market.calendar.opens_at(1):
            expected.add("NotAMarket")
        accepting = accepter.account if is_signed else STRANGER
        brought = conclusion(self.market, proposal, proposer.account, accepter.account.address, accepting)
        refused = self._try("BilateralContracts.conclude", *brought, may=expected)
        assert bool(refused) == bool(expected), f"concluded in spite of {expected}"
        if not refused:
            self.contracts.take_up(proposal, accepter)

    def revoke(self) -> None:
        """One of the last proposals, by its proposer or by who may accept it."""
        if not self.proposals:
            return
        proposal, accepter = self.random.choice(self.proposals[-3:])
        proposer = next(p for p in self.people.values() if p.account.address == proposal.proposer)
        if self.random.random() < 0.7:
            self._revoke(proposal, proposer.account)
        else:
            self._revoke(Acceptance(message_hash(proposal), proposal.expiry), accepter.account)

    def _revoke(self, message: Proposal | Acceptance | Ending, signer: Key) -> None:
        brought = revocation(self.market, message, signer)
        if self._try("BilateralContracts.revoke", *brought, may=("ProposalUsed",)) is None:
            self.contracts.used.add((message_hash(message), signer.address))

    def end(self) -> None:
        """A contract, by both sides."""
        if not self.contracts.concluded:
            return
        number = self.random.choice(list(self.contracts.concluded))
        self._end(number, max(0, self._today() + self.random.choice((-1, 0, 1, 2))))

    def _end(self, number: int, last_day: int, may: Sequence[str] = ("NotEarlier", "GateClosed")) -> None:
        contract = self.contracts.concluded[number]
        keys = self.people[contract.buyer].account, self.people[contract.seller].account
        message = Ending(number, last_day, self.market.now + 10)
        while any((message_hash(message), key.address) in self.contracts.used for key in keys):
            message = replace(message, expiry=message.expiry + 1)
        if may and self.random.random() < 0.1:
            self._revoke(message, self.random.choice(keys))
            may = (*may, "ConsentRevoked")
        self._try("BilateralContracts.end", *ending(self.market, message, *keys), may=may)

    def _end_contracts(self, last_day: int) -> None:
        """None delivers beyond a day, paused or not; or their market does not."""
        is_retired = self.random.random() < 0.5
        if is_retired:
            self.market.act("Schedule.retireMarket", self.market.contracts["BilateralContracts"].address, last_day)
        for number in list(self.contracts.replay.contracts.standing):
            if self.contracts.last_day(number) <= last_day:
                continue
            if is_retired:
                self.market.act("BilateralContracts.terminate", number)
            else:
                self._end(number, last_day, may=())

    def _sides(self, number: int) -> tuple[int, int]:
        contract = self.contracts.concluded[number]
        return contract.buyer, contract.seller

    def run_dry(self) -> None:
        """A side of a contract takes all its free money out, so that it will owe what comes due; it consumes a lot."""
        standing = self.contracts.replay.contracts.standing
        standing = [number for number in standing if self.contracts.last_day(number) > self._today() + 2] or [*standing]
        if not standing:
            return
        person = self.people[self.random.choice(self._sides(self.random.choice(standing)))]
        self.dry.append(person)
        free = self.market.account(person.id).free
        if free > 0:
            brought = withdrawal(self.market, person, free, False)
            self._do("Accounts.withdraw", *brought, may=("ERC20InsufficientBalance", "MoneyHeld", "PaidNow"))

    def terminate(self) -> None:
        """Contracts of who has left, or of others; now and then somebody leaves in spite of his contracts."""
        standing = list(self.contracts.replay.contracts.standing)
        if standing and self.random.random() < 0.15:
            leaving = self.people[self._sides(self.random.choice(standing))[0]]
            if self._do("ParticipantRegistry.exit", leaving.id, may=("WrongStatus",)) is None:
                leaving.status = EXITED
        gone = [n for n in standing if any(self.people[id_].status == EXITED for id_ in self._sides(n))]
        for number in {*gone, *self.random.sample(standing, min(3, len(standing)))}:
            is_due, last_day = self.contracts.may_terminate(number, self.people)
            expected = ["NobodyLeft"]
            if is_due:
                expected = ["NotEarlier"] if last_day >= self.contracts.last_day(number) else []
            refused = self._try("BilateralContracts.terminate", number, may=expected)
            assert bool(refused) == bool(expected), f"terminated in spite of {expected}"

    # ------------------------------------------------------------------------------------------------------ intraday

    def _intraday_day(self) -> int:
        """The last day whose gate has closed, mostly."""
        c = self.market.calendar
        day = (self.market.now + c.gate_lead - c.opening) // c.day_length + 1
        return max(1, day - (self.random.random() < 0.2))

    def _intraday(self, name: str, person: Person, message: Any, arguments: Sequence[Any], may: Sequence[str]) -> None:
        """A call of the member itself, or its signed message."""
        may = (*may, *MEMBERSHIP, "NotOpenYet", "GateClosed", "DayStillOpen")
        if self.random.random() < 0.5:
            self._try(f"ContinuousMarket.{name}", *arguments, by=person.account, may=may)
            return
        signer = person.account if self.random.random() < 0.95 else STRANGER
        signature = signer.sign(self.market.domain("ContinuousMarket"), message)
        signed = "fund" if name == "defund" else name
        self._try(f"ContinuousMarket.{signed}Signed", struct(message), signature, may=(*may, *SIGNED))

    def fund_intraday(self) -> None:
        """Money for a day, or what is left of it back."""
        day, is_return = self._intraday_day(), self.random.random() < 0.5
        self._fund(self._funded(day) if is_return else self._member(), day, is_return)

    def _fund(self, person: Person, day: int, is_return: bool) -> None:
        amount = self.random.choice((10**6, 10**8) if is_return else (10**8, 10**9))
        message = IntradayFunding(person.account.address, day, amount, is_return, person.next_sequence())
        may = ("NotFunded", "InsufficientCollateral", "MarketIsPaused") if is_return else MONEY
        self._intraday("defund" if is_return else "fund", person, message, (day, amount), may)

    def _funded(self, day: int) -> Person:
        """Somebody who has funded the day, mostly."""
        funded = self._funders(day)
        return self.random.choice(funded) if funded and self.random.random() < 0.95 else self._person()

    def _funders(self, day: int) -> list[Person]:
        known = self.market.replay.markets["ContinuousMarket"].days.get(day)
        return [self.people[id_] for id_ in known.accounts] if known else []

    def place_intraday(self) -> None:
        """Some orders that rest or meet others, in one of the last periods."""
        day = self._intraday_day()
        if self.market.now < self.market.calendar.gate_closes_at(day) and self.random.random() < 0.9:
            return
        for _ in range(2 - len(self._funders(day))):
            self._fund(self._member(), day, False)
        for _ in range(self.random.choice((1, 3, 6))):
            self._place_order(day)

    def _place_order(self, day: int) -> None:
        random, person, last = self.random, self._funded(day), self.market.calendar.periods_per_day - 1
        slot = random.choice((last, last - 1, random.randrange(last))) + 2 * (random.random() < 0.02)
        order = (
            slot,
            random.random() < 0.5,
            random.randint(50, 56),
            random.choice((1, 5, 40, 200)),
            random.choice((0, 1, 9)),
        )
        expiry = self.market.now + random.choice((0, *[10**6] * 9))
        message = IntradayOrder(person.account.address, day, *order, expiry, person.next_sequence())
        may = ("NoSuchSlot", "NotFunded", "InsufficientCollateral", "OrderTooSmall", "ExceedsCapacity", "Expired")
        if person.status != ADMITTED or person.id in self.market.replay.membership.silent:
            may = (*may, "MemberBarred")
        self._intraday(
            "place", person, message, (day, *order), (*may, "ExceedsPosition", "OrderEntryPaused", "MarketIsPaused")
        )

    def cancel_intraday(self) -> None:
        """A resting order, mostly by its owner."""
        day = self._intraday_day()
        known = self.market.replay.markets["ContinuousMarket"].days.get(day)
        orders = list(known.open_orders()) if known else []
        number, owner, _ = self.random.choice(orders) if orders else (1, self._person().id, 0)
        person = self.people[owner] if self.random.random() < 0.9 else self._person()
        message = IntradayCancellation(person.account.address, day, number, person.next_sequence())
        self._intraday("cancel", person, message, (day, number), ("NotFunded", "NoSuchOrder", "NotOwner"))

    def revoke_intraday(self) -> None:
        """Whatever somebody has signed and nobody has brought."""
        person = self._person()
        message = IntradayRevocation(person.account.address, person.next_sequence())
        self._intraday("revoke", person, message, (message.sequence,), ())

    def pause_intraday(self) -> None:
        """By a node or the council; its books are told, and anybody tells them once more. Then they go on."""
        market = self.market.contracts["ContinuousMarket"].address
        if self.random.random() < 0.5:
            may = ("GateTooNear", "MarketIsPaused")
            self._do("Accounts.pause", market, by=self.market.new_node(), may=may)
        else:
            self._do("Accounts.keepPaused", market, self.market.now + self.random.choice((1, 600, 86_400)))
        self._do("ContinuousMarket.followPause")
        if self._is_paused("ContinuousMarket") and self.random.random() < 0.8:
            self._do("Accounts.unpause", market)

    # ------------------------------------------------------------------------------------------------ intermediaries

    def _intermediaries(self) -> list[Person]:
        return [person for person in self.people.values() if person.kind == INTERMEDIARY]

    def _brokered_day(self) -> int:
        """The day whose pool is open, mostly."""
        c = self.pool_calendar
        return max(1, (self.market.now + c.gate_lead - c.opening) // c.day_length + 2 - (self.random.random() < 0.2))

    def choose(self) -> None:
        """Another intermediary, another share, or none."""
        random, person = self.random, self._member()
        chosen = random.choice((*self._intermediaries(), *self._intermediaries(), None))
        share = random.choice((1, 3_333, 10_000)) if chosen else 0
        day = self._today() + random.choice((1, 2, 3))
        account = chosen.account.address if chosen else NOBODY
        message = Mandate(person.account.address, account, share, day, person.next_sequence())
        signature = person.account.sign(self.market.domain("Intermediaries"), message)
        may = ("NotAClient", "NotAnIntermediary", "TooLateToChoose")
        self._try("Intermediaries.choose", struct(message), signature, may=may)

    def publish_commission(self) -> None:
        """What an intermediary asks for, units/Wh, from a day on."""
        person = self.random.choice(self._intermediaries())
        day = self._today() + self.random.choice((2, 3, 4))
        per_wh = self.random.choice((0, 20, 40, 10_000))
        message = Commission(person.account.address, per_wh, day, person.next_sequence())
        signature = person.account.sign(self.market.domain("Intermediaries"), message)
        may = ("NotAnIntermediary", "TooLateToPublish", "CommissionTooHigh")
        self._try("Intermediaries.publish", struct(message), signature, may=may)

    def _words(self, day: int, length: int) -> tuple[int, ...]:
        def lane() -> int:
            side, tick = self.random.choice(list(Side)), Tick(self.random.randint(50, 56))
            order = Order(1, 0, 0, side, tick, Wh(self.random.randint(2, 80)))
            return encode_lane(order) if self.random.random() < 0.7 else 0

        return tuple(pack(day, [lane() for _ in range(LANES)]) for _ in range(length))

    def broker(self) -> None:
        """An intermediary orders for a client, in the auction or in its pool."""
        day, person = self._brokered_day(), self._member()
        contract = self.random.choice(("CallAuction", POOL))
        chosen, _ = self.market.replay.intermediaries.model.mandate_of(person.id, day)
        broker = (
            self.people[chosen]
            if chosen and self.random.random() < 0.95
            else self.random.choice(self._intermediaries())
        )
        first, words, signer = BROKERED_LAYER * self._strips(), self._words(day, self._strips()), broker.account
        if self.random.random() < 0.1:
            # The client itself cancels, or orders, which it may in the pool alone.
            signer = person.account
            words = self.random.choice((words, (pack(day, [0] * LANES),) * self._strips()))
        sheet = OrderSheet(person.account.address, day, first, person.next_sequence(), words)
        signed = sign_sheet(self.market, sheet, signer, contract)
        may = (*MEMBERSHIP, *MONEY, "NotTheIntermediary", "MandateNotFixed", "ExceedsCapacity", "OrderTooSmall")
        may = (*may, "TradesWithItself", "ExceedsLimit")
        refused = self._do(f"{contract}.enter", signed, may=(*may, "NotOpenYet", "GateClosed", "DayStillOpen"))
        self.brought[contract] += refused is None
        if refused is None and signer is person.account and contract != POOL:
            # It is the client's own sequence that this sheet has.
            person.sheets[day] = sheet.sequence

    def order_in_pool(self) -> None:
        """The pool's intermediary for itself; or somebody whose pool it is not."""
        person = self.pool_owner if self.random.random() < 0.9 else self._person()
        day = self._brokered_day()
        sheet = OrderSheet(person.account.address, day, 0, person.next_sequence(), self._words(day, self._strips()))
        may = (*MEMBERSHIP, *MONEY, "NotOpenYet", "GateClosed", "DayStillOpen", "OrderTooSmall", "ExceedsLimit")
        self._do(f"{POOL}.enterOwn", *struct(sheet)[1:], by=person.account, may=(*may, "NotThePoolsOwn"))

    def clear_pool(self) -> None:
        """The next day of the pool, or some of it."""
        days = [day for day in self.state.phases if not self._is_pool_cleared(day)]
        if days and self.market.now >= self.pool_calendar.gate_closes_at(days[0]):
            self._clear_pool(days[0])

    def _is_pool_cleared(self, day: int) -> bool:
        return self.market.call(POOL, "clearedStrips", day) == (1 << self._strips()) - 1

    def _clear_pool(self, day: int) -> None:
        for strip in range(self._strips()):
            if not self.market.call(POOL, "clearedStrips", day) >> strip & 1:
                clearing = self.market.pool.book(day).clearing[strip * LANES : (strip + 1) * LANES]
                self._do(f"{POOL}.clear", day, strip, [outcome.pivot for outcome in clearing], 1 << 32)

    def collect(self) -> None:
        """Commissions of a settled day, of everybody: of a final one alone they are paid."""
        days = [day for day, phase in self.state.phases.items() if phase.is_settled]
        day = self.random.choice((*days, max(1, self.state.last_final)))
        market = self.market.contracts[self.random.choice(("CallAuction", POOL))].address
        # What a client cannot pay nobody advances while others wait for the supplier's money.
        may = ["CreditLimitExceeded", "MoneyHeld", "ClaimsOpen"]
        may += ["NotFinal"] * (day > self.state.last_final)
        may += ["MarketIsVoid"] * self.market.call("Schedule", "isVoid", market, day)
        self._try("Intermediaries.collect", day, list(self.people), market, may=may)
