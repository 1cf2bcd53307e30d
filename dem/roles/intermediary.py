"""An intermediary: what it asks for, what it orders for its clients, how it deals with them in its pool (rule 9)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import structlog

from dem.chain.accounts import KeyAccount
from dem.deployment.market import RELAYER
from dem.errors import ChainError
from dem.messages.members import Commission
from dem.messages.orders import OrderSheet, order_sheets
from dem.messages.signed import Signed, for_contract, sheet_for_contract, signed
from dem.model.collateral import order_collateral
from dem.model.markets.dealing import Band, Intermediary, Quote, counter_orders, traded_on
from dem.model.markets.intermediaries import part_down
from dem.model.mechanisms import AUCTION, POOL
from dem.model.orders import BROKERED_LAYER, MAX_ENERGY, Order, Side
from dem.model.units import MAX_TICK, Tick, UnitsPerWh, Wh
from dem.relay import orders, pools
from dem.relay.batches import Relay
from dem.replay.book import Book
from dem.replay.replay import Replay
from dem.roles.step import Day, Step

LAPSES_AFTER = 6
"""Days after the last final one for which a commission is still asked for; after eight it may have lapsed."""
_NOTICE_DAYS = 2
"""A commission begins this many days after the last one whose auction has opened: clients can leave until then."""
_DEALS_IN_LAST = 10
"""Part of a pool's opening time at whose end the intermediary deals: by then its clients have ordered."""


@dataclass(frozen=True)
class Business:
    """What an intermediary wants.

    pool: name of its pool; "" without one: then it orders for its clients in the market. commission: what it asks for,
    units/Wh; None: as it stands. expected: net energy by account of a client, of a day, Wh by slot. quotes: at which
    it deals in its pool, by slot of a day; None if it only lets its clients meet.
    """

    pool: str
    commission: UnitsPerWh | None
    expected: Callable[[Day], Mapping[str, Sequence[Wh]]]
    quotes: Callable[[Day], Sequence[Quote] | None]


class Trader:
    """Acts for one intermediary, by its key. follow: the replay of all events until now."""

    def __init__(self, relay: Relay, key: KeyAccount, follow: Callable[[], Replay], business: Business) -> None:
        self._relay, self._key, self._follow, self._business = relay, key, follow, business
        self._market = relay.market
        self._where = POOL + business.pool if business.pool else AUCTION
        if self._where not in self._market.addresses:
            raise ChainError(f"this market has no pool {business.pool!r}")
        self._pool_lead = pools.lead(relay, self._where)
        self._log = structlog.get_logger().bind(intermediary=key.address)

    @property
    def steps(self) -> Sequence[Step]:
        """Its commission, then in the order of a day."""
        calendar = self._market.calendar
        order = Step("order for clients", self.order, self._has_ordered, calendar.opens_at, self._gate, self._is_member)
        steps = [Step("publish commission", self.publish, lambda _: self._is_published()), order]
        if self._business.pool:
            steps += [
                Step("deal in the pool", self.deal, self._has_dealt, self._deals_at, self._gate, self._is_member),
                Step(
                    "trade on",
                    self.trade_on,
                    self._has_traded_on,
                    self._gate,
                    calendar.gate_closes_at,
                    self._is_cleared,
                ),
            ]
        final = calendar.corrections_close_at
        return [*steps, Step("collect commissions", self.collect, self._is_collected, final, may=self._is_final)]

    @property
    def number(self) -> int:
        """In the registry; 0 until it is admitted."""
        [number] = self._relay.records.ids_of([self._key.address])
        return number

    def _is_member(self, _day: Day) -> bool:
        return self.number > 0

    def _gate(self, day: Day) -> int:
        """When the gate of its pool closes, or that of the market."""
        return self._market.calendar.gate_closes_at(day) - self._pool_lead

    def _deals_at(self, day: Day) -> int:
        opens, gate = self._market.calendar.opens_at(day), self._gate(day)
        return gate - (gate - opens) // _DEALS_IN_LAST

    def _sheets(self, contract: str, account: str, day: Day, some: Sequence[Order]) -> list[Signed[OrderSheet]]:
        """The sheets of a member's orders, signed by the intermediary."""
        if not some:
            return []
        domain = self._market.domain(contract)
        sheets = order_sheets(account, day, some, self._relay.periods_per_day)
        return [signed(domain, self._key.key, sheet) for sheet in sheets]

    def _is_refused(self, contract: str, sheet: Signed[OrderSheet]) -> bool:
        """Whether the chain would not take a sheet now: then it waits, is asked about again, and keeps up no other."""
        sender, auction = self._market.keys[RELAYER], self._market.contract(contract)
        why = self._relay.chain.refusal_of(sender, auction, "enter", sheet_for_contract(sheet))
        if why:
            message = sheet.message
            self._log.warning("orders refused", day=message.day, account=message.participant, why=why)
        return bool(why)

    # ----------------------------------------------------------------------------------------------- commission

    def publish(self, _day: Day) -> None:
        """Ask for the commission from the first day on for which its clients can still leave.

        Raises:
            RefusedError: the rules allow less, or it is no intermediary.
        """
        calendar, contract = self._market.calendar, self._market.contract(pools.CONTRACT)
        opened = max(0, (self._relay.chain.now() - calendar.opens_at(1)) // calendar.day_length + 1)
        last = int(contract.functions.lastSequence(self.number).call())
        wanted = self._business.commission
        if wanted is not None:
            message = Commission(self._key.address, wanted, opened + _NOTICE_DAYS, last + 1)
            commission = signed(self._market.domain(pools.CONTRACT), self._key.key, message)
            self._relay.bring(contract, "publish", *for_contract(commission))

    def _is_published(self) -> bool:
        wanted, number = self._business.commission, self.number
        if wanted is None or not number:
            return True
        asked = self._follow().intermediaries.model.commissions
        latest = asked[number].values[-1] if number in asked and asked[number].values else UnitsPerWh(0)
        return latest == wanted

    # -------------------------------------------------------------------------------------------------- clients

    def order(self, day: Day) -> None:
        """What its clients are expected to take and give, as far as their mandates go."""
        pools.submit_brokered(self._relay, day, self._where, self._left(day))

    def _has_ordered(self, day: Day) -> bool:
        return not self._left(day)

    def _left(self, day: Day) -> list[Signed[OrderSheet]]:
        """Sheets of clients for whom it has brought none, who have no orders of their own in its pool, and whose sheet
        the chain would take."""
        replay = self._follow()
        wanted = dict(self._wanted(day, replay))
        ids = [some[0].participant for some in wanted.values()]
        auction = self._market.contract(self._where)
        brought = self._relay.chain.ask_many(auction, "brokeredSheetOf", [(id_, day) for id_ in ids])
        book = self._book(day, replay).standing
        there = set(book.participant[book.layer >= BROKERED_LAYER].tolist())
        found = []
        for id_, (sequence, *_), (account, some) in zip(ids, brought, wanted.items(), strict=True):
            if sequence or id_ in there:
                continue
            sheets = self._sheets(self._where, account, day, some)
            if not self._is_refused(self._where, sheets[0]):
                found += sheets
        return found

    def _wanted(self, day: Day, replay: Replay) -> Iterator[tuple[str, list[Order]]]:
        """Orders by account, of those who have chosen it for the day and want any."""
        expected, number, intermediaries = self._business.expected(day), self.number, replay.intermediaries.model
        ids = self._relay.records.ids_of(expected)
        commission = intermediaries.commission_of(number, day, replay.rules(day))
        for id_, (account, net) in zip(ids, expected.items(), strict=True):
            mandate = intermediaries.mandate_of(id_, day)
            if number and mandate.intermediary == number:
                some = self._orders_for(id_, mandate.share, net, commission, (day, replay))
                if some:
                    yield account, some

    @staticmethod
    def _orders_for(
        id_: int, share: int, net: Sequence[Wh], commission: UnitsPerWh, known: tuple[Day, Replay]
    ) -> list[Order]:
        """An order a slot, never worse than the fallback tariff less all fees, within the share of the connection."""
        day, replay = known
        rules, connection = replay.rules(day), replay.membership.connection(id_, day)
        found: list[Order] = []
        for slot, (energy, tariff) in enumerate(zip(net, replay.tariffs(day), strict=True)):
            side = Side.BID if energy > 0 else Side.ASK
            capacity = connection.imports if side is Side.BID else connection.exports
            most = MAX_ENERGY if capacity is None else part_down(capacity, share)
            band = Band.of(tariff, rules, commission)
            # Beyond what limits can name, the last one that they can is still no worse.
            tick = min(band.ceiling, MAX_TICK) if side is Side.BID else max(band.floor, 0)
            size = min(abs(energy), most, MAX_ENERGY)
            if size >= max(1, rules.min_order_energy) and 0 <= tick <= MAX_TICK:
                found.append(Order(id_, BROKERED_LAYER, slot, side, Tick(tick), Wh(size)))
        return found

    def _book(self, day: Day, replay: Replay) -> Book:
        return replay.pool(self._where).book(day) if self._business.pool else replay.book(day)

    # ------------------------------------------------------------------------------------------------- the pool

    def deal(self, day: Day) -> None:
        """Its own orders: what of its clients' accepts its prices finds somebody."""
        sheets = self._sheets(self._where, self._key.address, day, self._counter_orders(day))
        pools.submit_brokered(self._relay, day, self._where, sheets)

    def _has_dealt(self, day: Day) -> bool:
        return self._has_own(self._where, day, self._counter_orders)

    def _has_own(self, contract: str, day: Day, wanted: Callable[[Day], Sequence[Order]]) -> bool:
        """Whether it has brought own orders, or wants none, or the chain would not take them."""
        if not self.number:
            return True
        sequence, *_ = self._market.contract(contract).functions.sheetOf(self.number, day).call()
        if sequence:
            return True
        sheets = self._sheets(contract, self._key.address, day, wanted(day))
        return not sheets or self._is_refused(contract, sheets[0])

    def _counter_orders(self, day: Day) -> list[Order]:
        """As many as its money covers and the rules let it have in a period."""
        quotes, replay = self._business.quotes(day), self._follow()
        if quotes is None:
            return []
        rules = replay.rules(day)
        clients = [one for one in self._book(day, replay).standing.orders() if one.layer >= BROKERED_LAYER]
        some = [
            order
            for order in counter_orders(clients, self._self(day, quotes, replay))
            if order.layer < rules.max_layers
        ]
        needed = sum(order_collateral(order, rules) for order in some)
        free = max(0, int(self._market.accounts.functions.accountOf(self.number).call()[0]))
        if needed <= free:
            return some
        smallest = max(1, rules.min_order_energy)
        sizes = [order.energy * free // needed for order in some]
        return [replace(order, energy=Wh(size)) for order, size in zip(some, sizes, strict=True) if size >= smallest]

    def _self(self, day: Day, quotes: Sequence[Quote], replay: Replay) -> Intermediary:
        imports, exports = replay.membership.connection(self.number, day)
        most, smallest = MAX_ENERGY, max(1, replay.rules(day).min_order_energy)
        return Intermediary(
            self.number,
            quotes,
            most if imports is None else imports,
            most if exports is None else exports,
            smallest,
        )

    def trade_on(self, day: Day) -> None:
        """In the market, what it took in its pool: at anything better than the tariff."""
        orders.submit_orders(self._relay, day, self._sheets(AUCTION, self._key.address, day, self._onwards(day)))

    def _has_traded_on(self, day: Day) -> bool:
        return self._has_own(AUCTION, day, self._onwards)

    def _is_cleared(self, day: Day) -> bool:
        """Once the pool is cleared it knows what it took."""
        return bool(self._market.contract(self._where).functions.isCleared(day).call())

    def _onwards(self, day: Day) -> list[Order]:
        replay = self._follow()
        bands = [Band.of(tariff, replay.rules(day)) for tariff in replay.tariffs(day)]
        is_worth = [max(band.floor, 0) <= min(band.ceiling, MAX_TICK) for band in bands]
        quotes = [
            Quote(Tick(max(band.floor, 0)), Tick(min(band.ceiling, MAX_TICK))) if good else Quote(Tick(0), Tick(0))
            for band, good in zip(bands, is_worth, strict=True)
        ]
        book = self._book(day, replay)
        some = traded_on(book.standing, book.fills, self._self(day, quotes, replay))
        return [order for order in some if is_worth[order.slot]]

    # --------------------------------------------------------------------------------------------- commissions

    def collect(self, day: Day) -> None:
        """What its clients owe it for a final day.

        Raises:
            ChainError: something of it cannot be collected.
        """
        pools.collect_commissions(self._relay, day, self._follow(), self.number)
        if not self._is_collected(day):
            raise ChainError(f"not all commissions of day {day} could be collected")

    def _is_collected(self, day: Day) -> bool:
        return not any(pools.owed_commissions(self._relay, day, self._follow(), self.number).values())

    def _is_final(self, day: Day) -> bool:
        return bool(self._market.rules.functions.lastFinalDay().call() >= day)
