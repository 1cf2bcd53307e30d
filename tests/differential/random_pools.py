"""Random days with intermediaries: mandates that change, orders for clients, commissions, a pool beside the auction.

All that RandomDays does goes on meanwhile: members come, go and are suspended, rules and tariffs change, readings are
corrected.
"""

from collections.abc import Sequence
from dataclasses import replace

from support.evm.acceptance import crosses, orders_in
from support.evm.chain import Event
from support.evm.keys import Key, struct
from support.evm.market import STRANGER
from support.evm.people import ADMITTED, AMPLE, Person, admit, application, sign_sheet, take_note
from support.evm.pools import POOL, PooledMarket

from dem.messages.members import Commission, Mandate
from dem.messages.orders import OrderSheet
from dem.model.calendar import CalendarParameters
from dem.model.limits import WHOLE
from dem.model.markets.intermediaries import highest_tick_up, own_part, part_down
from dem.model.orders import BROKERED_LAYER, MAX_ENERGY, Order, Side, decode_lane
from dem.model.rules import MarketRules
from dem.model.strips import LANES, pack, unpack
from dem.model.units import MAX_TICK
from dem.replay.members import KINDS

from .random_days import ALL_GROUPS, PLENTY, SUPPLIER_ID, RandomDays

INTERMEDIARY = KINDS.index("intermediary")
NOBODY = "0x" + "00" * 20
MONEY = {"InsufficientFunds", "InArrears", "PaidNow"}


class RandomPools(RandomDays):
    """One community with two intermediaries, the first of which has a pool."""

    MARKET = PooledMarket
    market: PooledMarket

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.days = self.random.choices((2, 3, 4, 10), (30, 30, 37, 3))[0]
        self.intermediaries: list[Person] = []
        self.hands: dict[tuple[str, int, int, Key], int] = {}
        """Sequence of the last sheet accepted, by market, member, day and whose hand it was."""
        self.market.listeners[-1] = self._note

    def _note(self, events: list[Event]) -> None:
        take_note(self.market, self.people, [event for event in events if event.name != "SheetAccepted"])

    # --------------------------------------------------------------------------------------------------- members

    def _admit_people(self) -> None:
        super()._admit_people()
        random, c = self.random, self.calendar
        for n in range(2):
            person = Person.numbered(
                500 + n, is_metered=n == 1, kind=INTERMEDIARY, import_capacity=AMPLE, export_capacity=AMPLE
            )
            self.market.act("ParticipantRegistry.applyFor", *application(self.market, person))
            admit(self.market, person)
            self.people[person.id] = person
            self.intermediaries.append(person)
            self._pay_in(person, random.choice((10**7, PLENTY, PLENTY)))
        gate = random.randint(c.gate_lead, c.open_lead - 1)
        self.pool_calendar = CalendarParameters(
            c.opening, c.period_length, c.periods_per_day, c.open_lead, gate, c.metering_lag, c.correction_lag
        )
        self.market.add_pool(self.intermediaries[0].id, self.pool_calendar, 1)
        for person in self.intermediaries:
            self.publish_commission(person, 2)
        for person in list(self.people.values()):
            self.choose(person, 1)

    def _plan(self, day: int) -> None:
        super()._plan(day)
        random, c = self.random, self.calendar
        opens, gate = c.opens_at(day), c.gate_closes_at(day)
        pool_gate = self.pool_calendar.gate_closes_at(day)
        for person in list(self.people.values()):
            if random.random() < 0.3:
                self._at(self._between(opens - 2 * c.day_length, opens + 20), self.choose, person, day)
            for _ in range(random.choice((0, 1, 1, 2))):
                self._at(self._between(opens - 10, gate + 10), self.broker, "CallAuction", person, day)
            for _ in range(random.choice((0, 1, 1, 2))):
                self._at(self._between(opens - 10, pool_gate + 10), self.broker, POOL, person, day)
        for person in self.intermediaries:
            if random.random() < 0.7:
                self._at(self._between(opens - 2 * c.day_length, opens + 20), self.publish_commission, person, day)
            for _ in range(2):
                self._at(self._between(opens - 10, pool_gate + 10), self.order_in_pool, person, day)
        for strip in range(self.strips):
            self._at(self._between(pool_gate, pool_gate + 20), self.clear_pool, day, strip)
        self._at(self._between(c.metering_deadline(day), c.corrections_close_at(day) + 10), self.collect, day)

    # -------------------------------------------------------------------------------------------------- mandates

    def choose(self, person: Person, day: int) -> None:
        """Another intermediary, another share, or none."""
        random = self.random
        chosen = random.choice((*self.intermediaries * 2, self.intermediaries[0], None))
        share = random.choice((1, 3_333, 10_000, random.randint(1, 10_000))) if chosen else 0
        if random.random() < 0.05:
            share = random.choice((0, 10_001, 5_000))
        account = chosen.account.address if chosen else NOBODY
        message = Mandate(person.account.address, account, share, day, person.next_sequence())
        signer = STRANGER if random.random() < 0.05 else person.account
        expected = set()
        if signer is not person.account:
            expected.add("NotSignedBy")
        if person.status != ADMITTED or person.kind == INTERMEDIARY:
            expected.add("NotAClient")
        if chosen and chosen.status != ADMITTED:
            expected.add("NotAnIntermediary")
        if share > 10_000 or (share == 0) != (chosen is None):
            expected.add("BadShare")
        if day < self._next_to_open():
            expected.add("TooLateToChoose")
        signature = signer.sign(self.market.domain("Intermediaries"), message)
        refused = self.market.attempt("Intermediaries.choose", struct(message), signature)
        assert (refused and refused.error) in (expected or {None})

    def publish_commission(self, person: Person, day: int) -> None:
        """Another commission, in time or not, within the cap or not."""
        cap = self.market.replay.rules(day).commission_cap
        per_wh = self.random.choice((0, cap, self.random.randint(0, cap), cap + 1))
        message = Commission(person.account.address, per_wh, day, person.next_sequence())
        expected = set()
        if person.status != ADMITTED:
            expected.add("NotAnIntermediary")
        if day <= self._next_to_open():
            expected.add("TooLateToPublish")
        if per_wh > cap:
            expected.add("CommissionTooHigh")
        signature = person.account.sign(self.market.domain("Intermediaries"), message)
        refused = self.market.attempt("Intermediaries.publish", struct(message), signature)
        assert (refused and refused.error) in (expected or {None})

    # ---------------------------------------------------------------------------------------------------- orders

    def order(self, person: Person, day: int) -> None:
        """Orders of a member's own, within what its mandate leaves it."""
        _, share = self.market.replay.intermediaries.model.mandate_of(person.id, day)
        imports, exports = self._connection(person, day)
        capacities = own_part(imports, share), own_part(exports, share)
        self._bring_sheet("CallAuction", person, day, False, person.account, capacities, {person.account})

    def broker(self, contract: str, person: Person, day: int) -> None:
        """Orders of an intermediary for a member; in the pool also of the member for itself."""
        random = self.random
        chosen, share = self.market.replay.intermediaries.model.mandate_of(person.id, day)
        own = next((i for i in self.intermediaries if i.id == chosen), None)
        signer = (own or random.choice(self.intermediaries)).account
        if random.random() < 0.1:
            signer = random.choice((*self.intermediaries, person)).account
        if contract == POOL and random.random() < 0.5:
            signer = person.account
        allowed: set[Key] = set()
        imports, exports = self._connection(person, day)
        capacities = part_down(imports, share), part_down(exports, share)
        if own is not None and contract == "CallAuction":
            allowed = {own.account, person.account}
            if signer is person.account:
                # It may cancel there, whatever its intermediary's standing.
                capacities, own = (0, 0), None
        elif own is self.intermediaries[0]:
            allowed = {own.account, person.account}
        self._bring_sheet(contract, person, day, True, signer, capacities, allowed, own)

    def _connection(self, person: Person, day: int) -> tuple[int, int]:
        """What it carries on the day: it may have changed."""
        imports, exports = self.market.replay.membership.connection(person.id, day)
        return (
            person.import_capacity if imports is None else imports,
            person.export_capacity if exports is None else exports,
        )

    def order_in_pool(self, person: Person, day: int) -> None:
        """An intermediary's own orders in the pool, which is the first one's."""
        capacities = person.import_capacity, person.export_capacity
        self._bring_sheet(POOL, person, day, False, person.account, capacities, {person.account})

    def _bring_sheet(
        self,
        contract: str,
        person: Person,
        day: int,
        is_brokered: bool,
        signer: Key,
        capacities: tuple[int, int],
        allowed: set[Key],
        broker: Person | None = None,
    ) -> None:
        random, replay = self.random, self.market.replay
        rules, base = replay.rules(day), BROKERED_LAYER * self.strips if is_brokered else 0
        layers = rules.max_layers
        first = random.choice((0, 0, random.randrange(layers * self.strips)))
        length = random.choice((self.strips, random.randint(1, layers * self.strips - first)))
        within = replace(person, import_capacity=max(capacities[0], 1), export_capacity=max(capacities[1], 1))
        sides = [Side((person.id + day) % 2)] if random.random() < 0.9 else list(Side)
        if not any(capacities) and random.random() < 0.7:
            first, length, lanes = 0, layers * self.strips, [[0] * LANES] * (layers * self.strips)
        else:
            lanes = [[self._order(within, rules.min_order_energy, sides) for _ in range(LANES)] for _ in range(length)]
        words = tuple(pack(day, line) for line in lanes)
        sheet = OrderSheet(person.account.address, day, base + first, person.next_sequence(), words)
        if random.random() < 0.03:
            sheet = replace(sheet, sequence=self.hands.get((contract, person.id, day, signer), 0))
        calendar = self.pool_calendar if contract == POOL else self.calendar
        expected = set()
        if signer not in allowed:
            expected.add("NotTheIntermediary" if is_brokered else "NotSignedByParticipant")
        if self.market.now < calendar.opens_at(day):
            expected |= {"NotOpenYet", "MandateNotFixed"} if is_brokered else {"NotOpenYet"}
        if self.market.now >= calendar.gate_closes_at(day):
            expected.add("GateClosed")
        if contract == POOL and not is_brokered and person is not self.intermediaries[0]:
            expected.add("NotThePoolsOwn")
        if person.status != ADMITTED or (broker and broker.status != ADMITTED):
            expected.add("WrongStatus")
        silent = self.market.replay.membership.silent
        if person.id in silent or (broker and broker.id in silent):
            expected.add("MeterSilent")
        if not all(replay.membership.takes_part(one.id, day) for one in (person, broker) if one):
            expected.add("NotTakingPart")
        if day > max(replay.final_days, default=0) + 8:
            expected.add("DayStillOpen")
        if sheet.sequence <= self.hands.get((contract, person.id, day, signer), 0):
            expected.add("StaleSheet")
        if sheet.first_line + length > base + layers * self.strips:
            expected.add("LineOutOfRange")
        expected |= self._bounds(contract, person, sheet, is_brokered, capacities, rules)
        message = sign_sheet(self.market, sheet, signer, contract)
        reason = self._bring(contract, message)
        if reason in MONEY:
            record = replay.ledger.record(person.id)
            is_true = {
                "InArrears": record.arrears > 0,
                "PaidNow": person.id in replay.ledger.paid_now,
                "InsufficientFunds": record.free < PLENTY,
            }
            assert is_true[reason]
            return
        assert reason in (expected or {None}), f"{reason}, should be one of {expected}"
        if reason is None:
            self.hands[contract, person.id, day, signer] = sheet.sequence

    def _order(self, person: Person, smallest: int, sides: Sequence[Side]) -> int:
        """An order near the common price, now and then beyond what the hand may trade."""
        random = self.random
        if random.random() < 0.3:
            return 0
        side = random.choice(sides)
        most = min(MAX_ENERGY, self.energy, person.export_capacity if side == Side.ASK else person.import_capacity)
        energy = min(MAX_ENERGY, random.randint(smallest, max(smallest, most + (random.random() < 0.005))))
        tick = min(max(self.center + random.choice((-2, -1, 0, 0, 1, 2)), 0), MAX_TICK)
        if random.random() < 0.002:
            tick = MAX_TICK
        return Order(1, 0, 0, side, tick, energy).side << 39 | tick << 27 | energy

    def _bounds(
        self,
        contract: str,
        person: Person,
        sheet: OrderSheet,
        is_brokered: bool,
        capacities: tuple[int, int],
        rules: MarketRules,
    ) -> set[str]:
        """Whether all orders of the hand fit its part of the connection."""
        replay, periods = self.market.replay, self.calendar.periods_per_day
        book = (self.market.pool.book(sheet.day) if contract == POOL else replay.book(sheet.day)).standing
        # By layer and slot.
        standing = {(order.layer, order.slot): order for order in orders_in(book, book.participant == person.id)}
        found = set()
        for n, word in enumerate(sheet.lines):
            layer, strip = divmod(sheet.first_line + n, self.strips)
            for k, lane in enumerate(unpack(word)[1]):
                order = decode_lane(1, layer, strip * LANES + k, lane)
                standing.pop((layer, strip * LANES + k), None)
                if order:
                    standing[layer, strip * LANES + k] = order
                if order and order.energy > capacities[order.side]:
                    found.add("ExceedsCapacity")
                if order and order.energy < rules.min_order_energy:
                    found.add("OrderTooSmall")
                if order and is_brokered and order.tick > highest_tick_up(rules):
                    found.add("LimitTooHigh")
        strips = {(sheet.first_line + n) % self.strips for n in range(len(sheet.lines))}
        for slot in (slot for slot in range(periods) if slot // LANES in strips):
            for side in Side:
                mine = (
                    order.energy
                    for order in standing.values()
                    if (order.slot, order.side, order.layer >= BROKERED_LAYER) == (slot, side, is_brokered)
                )
                energy, share = sum(mine), replay.grid.shares(person.id, sheet.day)[slot]
                if energy > capacities[side]:
                    found.add("ExceedsCapacity")
                if energy > capacities[side] * (share.imports if side == Side.BID else share.exports) // WHOLE:
                    found.add("ExceedsLimit")
        if crosses(list(standing.values())):
            found.add("TradesWithItself")
        return found

    # ------------------------------------------------------------------------------------------------------ pool

    def clear_pool(self, day: int, strip: int) -> None:
        """One strip of the pool."""
        clearing = self.market.pool.book(day).clearing[strip * LANES : (strip + 1) * LANES]
        pivots = [outcome.pivot for outcome in clearing]
        groups = self.random.choice((1, 2, ALL_GROUPS))
        while not self.market.call(POOL, "clearedStrips", day) >> strip & 1:
            self.market.act(f"{POOL}.clear", day, strip, pivots, groups)

    def collect(self, day: int) -> None:
        """Commissions of a final day, of all who owe one and some who do not; once more for nothing."""
        if day not in self.market.replay.final_days:
            auction = self.market.contracts["CallAuction"].address
            refused = self.market.attempt("Intermediaries.collect", day, list(self.people), auction)
            assert refused is not None
            assert refused.error in ("NotFinal", "MarketIsVoid")
            self._at(max(self.market.now, self.calendar.corrections_close_at(day)) + 10, self.collect, day)
            return
        for name in self.random.sample(("CallAuction", POOL), 2):
            market = self.market.contracts[name].address
            due = self.market.replay.intermediaries.due(market, day)
            clients = [payment.client for payment in due]
            clients += self.random.sample(list(self.people), self.random.randint(0, 3))
            if self.market.call("Schedule", "isVoid", market, day):
                refused = self.market.attempt("Intermediaries.collect", day, clients, market)
                assert refused is not None
                assert refused.error == "MarketIsVoid"
                continue
            for _ in range(2):
                refused = self.market.attempt("Intermediaries.collect", day, clients, market)
                if refused and refused.error == "MoneyHeld":
                    self._soon(self.collect, day)
                    return
                if refused:
                    assert refused.error in ("CreditLimitExceeded", "ClaimsOpen"), refused
                    self.market.act("Accounts.setCreditLimit", SUPPLIER_ID, PLENTY)
                    if refused.error == "ClaimsOpen":
                        self.market.act("Shortfalls.setAside")
                    self.market.act("Intermediaries.collect", day, clients, market)
            assert not self.market.replay.intermediaries.due(market, day)

    def change_status(self, person: Person) -> None:
        """As others; intermediaries mostly stay."""
        if person.kind != INTERMEDIARY or self.random.random() < 0.2:
            super().change_status(person)
