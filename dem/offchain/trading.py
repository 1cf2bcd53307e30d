"""What the members of a scenario contract on a day, and what their meters show, by the reference model alone."""

from dataclasses import dataclass, field, replace

import numpy as np

from dem.community.agreements import Agreement
from dem.community.crowd import Crowd, Session
from dem.community.memory import Memories
from dem.community.sessions import MAX_FILLS, SessionPlan, Standing, within_connections
from dem.community.strategies import OrderColumns
from dem.errors import ArrearsError, InsufficientFreeError, IntradayError, LedgerError
from dem.model.collateral import orders_collateral
from dem.model.ledger import Account
from dem.model.markets.auction import OrderBook
from dem.model.markets.bilateral import Contract, Profile
from dem.model.markets.escrow import MAX_TRADES, EscrowedTrade
from dem.model.markets.intermediaries import own_part
from dem.model.markets.intraday import MAX_LIMIT, IntradayDay, Terms
from dem.model.markets.pairs import MAX_LINES
from dem.model.markets.wholesale import report_collateral, report_words
from dem.model.mechanisms import DAY_AHEAD, POOL
from dem.model.orders import BROKERED_LAYER
from dem.model.units import Money, UnitsPerWh
from dem.offchain.books import ModelBook
from dem.offchain.market import ModelMarket
from dem.results.writer import RejectedOrder

_PAIRED = DAY_AHEAD[1:]
"""Markets of pairs, whose book has room for so many lines."""
_EVER = (1 << 32) - 2
"""The last period that a contract may have."""


def _in_the_contracts_words(error: LedgerError) -> str:
    """Why the accounts refuse to lock money, as `Artifacts.describe` has it."""
    match error:
        case ArrearsError(account, arrears):
            return f"InArrears(id={account}, arrears={arrears})"
        case InsufficientFreeError(account, needed, available):
            return f"InsufficientFunds(id={account}, needed={needed}, available={available})"
    return str(error)


@dataclass
class Trading:
    """Trading in a market, step by step."""

    market: ModelMarket
    _crowds: dict[int, Crowd] = field(default_factory=dict)
    _rejected: dict[int, list[RejectedOrder]] = field(default_factory=dict)
    _shown: dict[int, dict[str, list[int]]] = field(default_factory=dict)
    """What every meter showed, by day and member, of days that may be corrected."""
    _contracts: int = 0

    def __post_init__(self) -> None:
        self._memories = Memories(self.market.scenario)

    def crowd(self, day: int) -> Crowd:
        """The participants on a day."""
        if day not in self._crowds:
            self._crowds[day] = Crowd(self.market.scenario, day, self._memories)
        return self._crowds[day]

    def rejected(self, day: int) -> list[RejectedOrder]:
        """The orders of a day that the day-ahead market refused, in the order in which members made them."""
        return self._rejected.get(day, [])

    def forget(self, day: int) -> None:
        """The day is final, and the market still knows it."""
        self._memories.end(day, self.market.ids, self.market.book(day), self.market.settlement(day))
        self._crowds.pop(day, None)
        self._rejected.pop(day, None)

    # ------------------------------------------------------------------------------------------------- day ahead

    def conclude_contracts(self, day: int) -> None:
        """Contracts between two that begin on the day, of who can pay for them."""
        for agreement in self.crowd(day).proposals():
            self._conclude(agreement)

    def _conclude(self, agreement: Agreement) -> None:
        market, contracts, period0 = self.market, self.market.bilateral.contracts, self.market.scenario.period0
        contract = Contract(
            buyer=market.ids[agreement.buyer],
            seller=market.ids[agreement.seller],
            price=agreement.price,
            energy=agreement.energy,
            first_period=max(0, agreement.first - period0),
            end_period=min(agreement.last - period0, _EVER) + 1,
            profile=Profile(
                sum(1 << slot for slot in agreement.slots), sum(1 << weekday for weekday in agreement.weekdays)
            ),
            extra=UnitsPerWh(0),
            ceiling=UnitsPerWh(0),
        )
        first_day = next(contracts.days(contract), None)
        if first_day is None or market.silence.members & {contract.buyer, contract.seller}:
            return
        number, rules = self._contracts + 1, market.rules(first_day)
        contracts.conclude(number, replace(contract, extra=rules.extra, ceiling=rules.ceiling))
        if self._lock_all(dict(zip((contract.buyer, contract.seller), contracts.collateral(number), strict=True))):
            self._contracts = number
        else:
            del contracts.standing[number]

    def fund_escrows(self, day: int) -> None:
        """Escrowed trades of the day, of who can pay for them."""
        market, trades_of = self.market, dict[int, int]()
        for agreement, slots in self.crowd(day).escrowed():
            sides = [market.ids[name] for name in (agreement.buyer, agreement.seller)]
            trade = EscrowedTrade(sides[0], sides[1], day, slots, agreement.energy, agreement.price)
            is_full = any(trades_of.get(id_, 0) == MAX_TRADES for id_ in sides)
            if is_full or agreement.price < 1 or market.silence.members.intersection(sides):
                continue
            if self._lock_all(dict(zip(sides, trade.locks(market.rules(day)), strict=True))):
                market.escrow.take(trade)
                for id_ in sides:
                    trades_of[id_] = trades_of.get(id_, 0) + 1

    def _lock_all(self, amounts: dict[int, Money]) -> bool:
        """Lock money of several members, or of none."""
        ledger, before = self.market.ledger, dict[int, Account]()
        try:
            for id_, amount in amounts.items():
                before[id_] = ledger.record(id_)
                ledger.lock(id_, amount)
        except LedgerError:
            ledger.accounts.update(before)
            return False
        return True

    def trade_in_pools(self, day: int) -> None:
        """Everybody's orders in the pools."""
        market = self.market
        wanted = self.crowd(day).pool_orders(market.ids, market.contracted_by_name(day))
        for pool in market.scenario.config.pools:
            book = OrderBook.of(wanted[pool.name])
            self._take(POOL + pool.name, day, OrderColumns.of(book))

    def submit_orders(self, day: int) -> None:
        """Everybody's orders in the day-ahead market."""
        market, crowd = self.market, self.crowd(day)
        if market.scenario.markets.is_day_ahead_alone:
            columns = crowd.order_columns(market.ids)
        else:
            books = {contract.removeprefix(POOL): market.book_of(contract, day) for contract in market.pools}
            pools = {name: (book.standing, book.fills) for name, book in books.items()}
            columns = crowd.order_columns(market.ids, market.contracted_by_name(day), pools)
        contract = market.scenario.markets.day_ahead
        if contract is None:
            return
        if market.scenario.markets.random_matching:
            market.markets.lots.take(day, [market.scenario.lot_secret(day)])
        if reasons := self._take(contract, day, columns):
            self._rejected[day] = [
                RejectedOrder(
                    participant=market.names[order.participant],
                    side=order.side,
                    slot=order.slot,
                    tick=order.tick,
                    energy=order.energy,
                    reason=reasons[order.participant],
                )
                for order in columns.orders()
                if order.participant in reasons
            ]

    def _take(self, contract: str, day: int, columns: OrderColumns) -> dict[int, str]:
        """Members' orders as far as they can pay for them; returns whose not, and why.

        A member's orders come in one sheet, and sheets come by member's number.
        """
        market, rules = self.market, self.market.rules(day)
        in_order = np.lexsort((columns.slot, columns.layer, columns.participant))
        columns = OrderColumns(*(column[in_order] for column in columns))
        members, row = np.unique(columns.participant, return_inverse=True)
        amounts = np.zeros(len(members), np.int64)
        np.add.at(amounts, row, orders_collateral(columns, rules, columns.layer >= BROKERED_LAYER))
        locked: dict[int, int] = {}
        reasons = {} if contract.startswith(POOL) else self._beyond_limits(day, columns)
        layers = np.zeros(len(members), np.int64)
        np.maximum.at(layers, row, columns.layer + 1)
        room = MAX_LINES if contract in _PAIRED else _EVER
        for id_, amount, lines in zip(members.tolist(), amounts.tolist(), layers.tolist(), strict=True):
            if id_ in market.silence.members:
                reasons[id_] = f"MeterSilent(id={id_})"
            elif lines > room:
                reasons.setdefault(id_, f"BookIsFull(day={day}, most={MAX_LINES})")
            if id_ in reasons:
                continue
            try:
                market.ledger.lock(id_, Money(amount))
                locked[id_] = amount
                room -= lines
            except LedgerError as error:
                reasons[id_] = _in_the_contracts_words(error)
        if reasons:
            is_taken = np.isin(columns.participant, list(locked))
            columns = OrderColumns(*(column[is_taken] for column in columns))
        market.sheets(contract).take(ModelBook(day, market.periods_per_day, OrderBook(*columns)), locked)
        return reasons

    def _beyond_limits(self, day: int, columns: OrderColumns) -> dict[int, str]:
        """Members whose orders go beyond what the network leaves them, and why; strategies keep within it."""
        limits, ids, found = self.crowd(day).limits, self.market.ids, dict[int, str]()
        for name in sorted(limits.keys() & self.market.scenario.own_traders):
            is_own = columns.participant == ids[name]
            sums = np.zeros((self.market.periods_per_day, 2), np.int64)
            np.add.at(sums, (columns.slot[is_own], columns.side[is_own]), columns.energy[is_own])
            most = np.stack([limits[name].imports, limits[name].exports], axis=1)
            for slot, side in np.argwhere(sums > most)[:1].tolist():
                asked, allowed = int(sums[slot, side]), int(most[slot, side])
                found[ids[name]] = f"ExceedsLimit(id={ids[name]}, slot={slot}, asked={asked}, allowed={allowed})"
        return found

    def trade_with_the_desk(self, day: int) -> None:
        """The wholesale desk's report, if it can cover it, and what it makes of what the auction left over."""
        market, config = self.market, self.market.scenario.config.wholesale
        offers = self.crowd(day).desk_offers()
        if offers is None or config is None:
            return
        desk, rules = market.ids[config.desk], market.rules(day)
        if self._lock_all({desk: report_collateral(offers, rules)}):
            words = ([word.to_bytes(32, "big") for word in row] for row in report_words(day, offers))
            args = dict(zip(("prices", "imports", "exports"), words, strict=True))
            market.residual.apply("Reported", {"id": desk, "day": day, "margin": rules.wholesale_margin, **args})

    # -------------------------------------------------------------------------------------------------- intraday

    def trade_intraday(self, session: Session, day: int) -> None:
        """A session: cancellations, then money, then orders."""
        market, rules = self.market, self.market.rules(day)
        wanted = self.crowd(day).intraday_orders(session, market.ids, market.contracted_by_name(day))
        orders = within_connections(market.scenario, day, wanted, market.names)
        book = market.intraday.days.get(day)
        plan = SessionPlan(orders, Standing(book, market.ledger, rules))
        if book is None:
            terms = Terms(rules.extra, rules.ceiling, rules.min_order_energy, rules.prices)
            book = IntradayDay(day, terms)
        # Members decide on all of it before any of it is done.
        cancellations, fundings = plan.cancellations(), plan.fundings()
        for id_, number in cancellations:
            book.cancel(id_, number)
        silent = market.silence.members
        for id_, amount in ((id_, amount) for id_, amount in fundings if id_ not in silent):
            market.intraday.days[day] = book
            market.ledger.lock(id_, Money(amount))
            book.fund(id_, amount, self._limit(id_, day))
        for order in (order for order in orders if order.participant not in silent):
            try:
                book.place(order.participant, order.slot, order.side, order.tick, order.energy, MAX_FILLS)
            except IntradayError:
                continue  # as the contract refuses it: the day goes on without

    def _limit(self, id_: int, day: int) -> int:
        """The most that a member may hold of intraday trades."""
        market = self.market
        member, share = market.scenario.participant(market.names[id_]), market.intermediaries.mandate_of(id_, day).share
        both = (member.on(day).import_capacity, member.on(day).export_capacity)
        return min(sum(own_part(capacity, share) for capacity in both), MAX_LIMIT)

    # ------------------------------------------------------------------------------------------------- delivery

    def read_meters(self, day: int) -> None:
        """What meters say of a day in time."""
        market, crowd = self.market, self.crowd(day)
        needs_contracts = market.scenario.islanded or any(member.flexible for member in market.scenario.participants)
        contracted = market.contracted_by_name(day) if needs_contracts else {}
        shown = crowd.shown(market.ids, contracted, market.book(day).standing)
        self._shown[day] = shown
        market.read(day, {market.ids[name]: crowd.said(name, wh) for name, wh in shown.items()})

    def correct_meters(self, day: int) -> None:
        """What meters say of a day when its readings were due: what is late, and corrections."""
        market, crowd, shown = self.market, self.crowd(day), self._shown.pop(day)
        late = [name for of, name in market.scenario.reports if of == day and name in shown]
        market.correct(day, {market.ids[name]: crowd.said_after(name, shown[name]) for name in late})
