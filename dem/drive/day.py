"""The driver: takes a simulated community through its trading days on any chain.

A driver that was killed is simply started again: every step asks the chain what is done and does the rest. What the
operator and the fallback supplier do are the steps of their roles, as services take them.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial

from dem.chain.accounts import account_of
from dem.community.clock import Clock
from dem.community.crowd import Session
from dem.community.scenario import Kind, Participant
from dem.community.sessions import SessionPlan, Standing
from dem.community.signing import (
    SessionMessages,
    sign_agreement,
    sign_commission,
    sign_escrow,
    sign_mandate,
    sign_orders,
    sign_relief_offer,
)
from dem.deployment.market import Market
from dem.drive.members import Community
from dem.drive.people import People
from dem.errors import RefusedError
from dem.grid.dispatch import DayLimits
from dem.messages.orders import OrderSheet
from dem.messages.signed import Signed
from dem.model.mechanisms import POOL
from dem.model.orders import Order
from dem.model.units import UnitsPerWh
from dem.relay import (
    bilateral,
    escrow,
    intraday,
    lots,
    members,
    orders,
    pools,
    readings,
    relief,
    terms,
    wholesale,
)
from dem.relay.batches import Relay
from dem.replay.intraday import IntradayReplay
from dem.roles.desk import Desk
from dem.roles.dispatcher import GridDispatcher, Knowledge
from dem.roles.offices import Supplier
from dem.roles.operator import Operator

Progress = Callable[[str, datetime, int], None]
"""Told what is being done, the local time of the scenario, and how many steps of the timeline are done."""


class TradingDays:
    """What is done on the days of a scenario on a deployed market; `dem.drive.timeline` says when."""

    def __init__(
        self, community: Community, market: Market, progress: Progress = lambda _what, _when, _steps: None
    ) -> None:
        self.community = community
        self.scenario = community.scenario
        self.market = market
        self.chain = market.chain
        self.clock = Clock(community.scenario, market.calendar)
        self.relay = Relay(market, self._tell_part)
        self.people = People(community, self.relay.records)
        self.operator = Operator(self.relay, lambda: self.people.follow(), has_coins=self.scenario.config.coins)
        self.supplier = Supplier(self.relay, self.scenario.tariffs)
        self.desk = self._wholesale_desk()
        self.dispatcher = self._grid_dispatcher()
        self._progress = progress
        self._doing = ("", 0, 0)

    def tell(self, what: str, time: int, steps: int) -> None:
        """Say what is being done, at which time of the chain, after how many steps."""
        self._doing = what, time, steps
        self._progress(what, self.clock.local_time(time), steps)

    def _tell_part(self, part: str, done: int, whole: int) -> None:
        step, time, steps = self._doing
        what = step if part == step else f"{step}, {part}"
        self._progress(f"{what}: {done:,} of {whole:,}", self.clock.local_time(time), steps)

    # ------------------------------------------------------------------------------------------ before the days

    def register(self) -> None:
        """Everybody's application, admission, credit and first deposit."""
        self.join(1)

    def join(self, day: int) -> None:
        """The same of who joins on a day, a day before."""
        new = self.community.applicants(self.market.domain("ParticipantRegistry"), day)
        here = [applicant for applicant in new if not self._has_come_back(self.community.names[applicant.account])]
        members.register(self.relay, here)
        self._note_sources(member for member in self.scenario.participants if member.joins == day)

    def come_back(self, day: int) -> None:
        """Who is back on a day applies, and is admitted, a day before."""
        members.come_back(self.relay, self.community.returning(self.market.domain("ParticipantRegistry"), day))

    def change_connections(self, day: int) -> None:
        """Connections that carry something else from a day on; who comes back then has applied with it."""
        changes = [
            members.ConnectionChange(self._id_of(member), connection.imports, connection.exports, day)
            for member in self.scenario.participants
            for connection in member.connections
            if connection.first_day == day != member.returns
        ]
        members.change_connections(self.relay, changes)

    def _has_come_back(self, name: str) -> bool:
        """Whether it was time for a member to come back: then it has joined and left, whenever this is asked."""
        returns = self.scenario.participant(name).returns
        return returns is not None and self.chain.now() >= self.market.calendar.start_of(returns - 1)

    def leave(self, day: int) -> None:
        """The exit of whose last day it is: the auction of this day has opened, that of the next has not."""
        leaving = [member for member in self.scenario.participants if member.leaves == day]
        members.leave(self.relay, [self._id_of(member) for member in leaving if not self._has_come_back(member.name)])

    def replace_meters(self, day: int) -> None:
        """Another meter for who gets one on the day."""
        wallets = self.community.wallets
        new = {
            self._id_of(member): wallets[member.name].next_meter
            for member in self.scenario.participants
            if member.new_meter == day
        }
        members.replace_meters(self.relay, new)
        self._note_sources(member for member in self.scenario.participants if member.new_meter == day)

    def _note_sources(self, some: Iterable[Participant]) -> None:
        members.note_sources(self.relay, {self._id_of(member): member.source for member in some if member.source})

    def _id_of(self, member: Participant) -> int:
        return self.people.ids[member.name]

    def announce_rules(self) -> None:
        """Later versions of the rules; the first came with the deployment."""
        for version in self.scenario.config.rules[1:]:
            terms.announce_rules(self.relay, version.first_day, version.within(self.scenario.config.prices.range))

    def appoint_desk(self) -> None:
        """The wholesale desk, for all days."""
        desk = self.scenario.config.wholesale
        if self.scenario.markets.wholesale and desk is not None:
            wholesale.appoint(self.relay, self.community.wallets[desk.desk].account, first_day=1)

    def open_pools(self) -> None:
        """Pools, with the first commissions and mandates.

        A commission begins a day after the mandates: until then a client could not have chosen otherwise.
        """
        if not self.scenario.markets.pools:
            return
        configs, calendars, ids = self.scenario.config.pools, self.clock.pool_calendars, self.people.ids
        new = [pools.NewPool(pool.name, ids[pool.intermediary], calendars[pool.name]) for pool in configs]
        pools.open_pools(self.relay, new)
        domain, wallets, first_day = self.market.domain(pools.CONTRACT), self.community.wallets, 1
        commissions = [
            sign_commission(domain, wallets[pool.intermediary], UnitsPerWh(pool.commission), first_day + 1)
            for pool in configs
        ]
        mandates = [
            sign_mandate(domain, wallets[client.name], wallets[client.intermediary].account, client.share, first_day)
            for client in self.scenario.participants
            if client.share
        ]
        pools.appoint(self.relay, commissions, mandates)

    def offer_relief(self) -> None:
        """What members would do without for the network's sake, and what the grid operator pays, from day 1 on."""
        offers = self.scenario.relief_offers
        if offers is None:
            return
        [grid_operator] = self.scenario.of_kind(Kind.GRID_OPERATOR)
        domain, wallets = self.market.domain(relief.CONTRACT), self.community.wallets
        known = {grid_operator.name: offers.ceiling, **offers.members}
        here = [(name, offer) for name, offer in known.items() if name in self.people.ids or name == grid_operator.name]
        relief.offer(self.relay, [sign_relief_offer(domain, wallets[name], offer, 1) for name, offer in here])

    # ------------------------------------------------------------------------------------------------- day ahead

    def conclude_contracts(self, day: int) -> None:
        """Bilateral contracts that begin on the day, unless its gate has closed."""
        gate = self.market.calendar.gate_closes_at(day)
        if self.chain.now() >= gate:
            return
        numbers = {id(agreement): n for n, agreement in enumerate(self.scenario.agreements)}
        name, wallets = self.scenario.config.name, self.community.wallets
        domain = self.market.domain(bilateral.CONTRACT)
        accepted = [
            sign_agreement(
                domain,
                agreement,
                salt=f"{name}/agreement {numbers[id(agreement)]}".encode(),
                parties=(wallets[agreement.seller], wallets[agreement.buyer]),
                expiry=gate,
                period0=self.scenario.period0,
            )
            for agreement in self.people.crowd(day).proposals()
        ]
        bilateral.conclude(self.relay, accepted)

    def fund_escrows(self, day: int) -> None:
        """Escrowed trades of the day, unless its gate has closed. The operator is the mediator."""
        if self.chain.now() >= self.market.calendar.gate_closes_at(day):
            return
        numbers = {id(agreement): n for n, agreement in enumerate(self.scenario.agreements)}
        name, wallets = self.scenario.config.name, self.community.wallets
        [mediator] = self.scenario.of_kind(Kind.OPERATOR)
        trades = [
            sign_escrow(
                self.market.domain(escrow.CONTRACT),
                agreement,
                day,
                slots,
                salt=f"{name}/escrow {numbers[id(agreement)]} of day {day}".encode(),
                parties=(wallets[agreement.buyer], wallets[agreement.seller], wallets[mediator.name]),
            )
            for agreement, slots in self.people.crowd(day).escrowed()
        ]
        escrow.fund(self.relay, trades)

    def trade_in_pools(self, day: int) -> None:
        """Everybody's orders in the pools."""
        wanted = self.people.pool_orders(day)
        for pool in self.scenario.config.pools:
            sheets = self._sheets(POOL + pool.name, day, wanted[pool.name])
            pools.submit_brokered(self.relay, day, POOL + pool.name, sheets)

    def submit_orders(self, day: int) -> None:
        """Everybody's orders for the day, unless the gate has closed."""
        contract = self.scenario.markets.day_ahead
        if contract and self.chain.now() < self.market.calendar.gate_closes_at(day):
            sheets = self._sheets(contract, day, self.people.day_ahead_orders(day))
            orders.submit_orders(self.relay, day, sheets, contract=contract)

    def pledge_secret(self, day: int) -> None:
        """What the council's seat binds itself to for the lot of the day."""
        lots.pledge(self.relay, day, self.scenario.lot_secret(day))

    def open_secret(self, day: int) -> None:
        """The same secret, for all to see."""
        lots.open_secret(self.relay, day, self.scenario.lot_secret(day))

    def _sheets(self, contract: str, day: int, wanted: Iterable[Order]) -> list[Signed[OrderSheet]]:
        domain = self.market.domain(contract)
        return sign_orders(domain, day, wanted, self.people.wallets, self.relay.periods_per_day)

    def _wholesale_desk(self) -> Desk | None:
        """The wholesale desk as a role, if the scenario has one."""
        desk = self.scenario.config.wholesale
        if desk is None or not self.scenario.markets.wholesale:
            return None
        key = account_of(self.community.wallets[desk.desk].account_key)
        return Desk(self.relay, key, lambda day: self.people.crowd(day).desk_offers())

    def _grid_dispatcher(self) -> GridDispatcher | None:
        """The dispatcher as a role, if the scenario has one."""
        dispatch = self.scenario.dispatch
        if dispatch is None:
            return None
        knowledge = Knowledge(
            bytes.fromhex(dispatch.network.digest.removeprefix("0x")),
            dispatch.standing,
            lambda: self.people.ids,
            self._limits_of,
        )
        return GridDispatcher(self.relay, knowledge, lambda: self.people.follow())

    def _limits_of(self, day: int) -> DayLimits:
        limits = self.scenario.limits(day)
        assert limits is not None, "who has a dispatcher has limits"
        return limits

    def commit_desk(self, day: int) -> None:
        """What the wholesale desk commits to before the gate."""
        if self.desk is not None:
            self.desk.commit(day)

    def trade_with_the_desk(self, day: int) -> None:
        """The wholesale desk's report, and what it makes of what the auction left over.

        A report that is refused, because the desk cannot cover it, is noted: the day goes on without.
        """
        if self.desk is None:
            return
        try:
            self.desk.report(day)
        except RefusedError as refusal:
            self.relay.refused.append(str(refusal))
        self.operator.clear_residual(day)

    # -------------------------------------------------------------------------------------------------- intraday

    def trade_intraday(self, session: Session, day: int) -> None:
        """A session, unless it is over."""
        if self.chain.now() >= self.clock.session_ends_at(day, session):
            return
        replay = self.people.follow()
        market = replay.markets[intraday.CONTRACT]
        assert isinstance(market, IntradayReplay)
        messages = SessionMessages(
            self.market.domain(intraday.CONTRACT),
            (day, session.number),
            SessionPlan(
                self.people.intraday_orders(session, day, replay),
                Standing(market.days.get(day), replay.ledger, self.scenario.rules(day)),
            ),
            self.people.wallets,
            partial(intraday.last_sequences, self.relay),
            self.clock.session_ends_at(day, session),
        )
        intraday.trade(self.relay, messages.cancellations(), messages.fundings(), messages.placements())

    # --------------------------------------------------------------------------------------------- the day after

    def push_readings(self, day: int) -> None:
        """Every meter's readings of the day, unless it can no longer be corrected."""
        if self.chain.now() < self.market.calendar.corrections_close_at(day):
            sheets = self.people.reading_sheets(self.market.domain(readings.CONTRACT), day)
            readings.push_readings(self.relay, day, sheets)

    def push_corrections(self, day: int) -> None:
        """Readings that are late, and corrections, unless it is too late for these."""
        if self.chain.now() < self.market.calendar.corrections_close_at(day):
            sheets = self.people.correction_sheets(self.market.domain(readings.CONTRACT), day)
            readings.push_readings(self.relay, day, sheets)

    def collect_commissions(self, day: int) -> None:
        """What clients owe their intermediaries for a final day."""
        pools.collect_commissions(self.relay, day, self.people.follow())
