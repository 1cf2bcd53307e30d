"""What a simulated community's members sign in a session of the intraday market."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import NamedTuple

from dem.community.keys import Wallet
from dem.community.scenario import Scenario
from dem.community.signing import signed
from dem.messages.orders import IntradayCancellation, IntradayFunding, IntradayOrder
from dem.messages.signed import M, Signed
from dem.messages.signing import Domain
from dem.model.collateral import order_collateral
from dem.model.ledger import Ledger
from dem.model.markets.intraday import IntradayDay, place_of
from dem.model.orders import Order, Side
from dem.model.rules import MarketRules
from dem.model.units import Tick, Wh

MAX_FILLS = 24
"""Steps of matching that an intraday order may take."""

_DAY_SHIFT, _SESSION_SHIFT = 24, 16
_FUNDING, _PLACING = 1 << 14, 1 << 15
"""Within a session a participant's messages are numbered: cancellations from 1, the funding, orders from here on."""


class Standing(NamedTuple):
    """What participants know before they sign: the day's intraday orders and money, all their money, the rules."""

    intraday: IntradayDay | None
    ledger: Ledger
    rules: MarketRules


class SessionPlan:
    """What participants do in one session, before anybody signs: they cancel what they left in the book before, fund
    what the orders need, and place them.
    """

    def __init__(self, orders: Sequence[Order], standing: Standing) -> None:
        self.orders = orders
        self._standing = standing
        self._wanted: dict[int, list[Order]] = defaultdict(list)
        for order in orders:
            self._wanted[order.participant].append(order)
        self.resting: dict[int, list[tuple[int, Order]]] = defaultdict(list)
        """Number and order by registry number."""
        for number, id_, energy in standing.intraday.open_orders() if standing.intraday else ():
            slot, side, tick, _ = place_of(number)
            self.resting[id_].append((number, Order(id_, 0, slot, side, Tick(tick), Wh(energy))))
        self.members = list(dict.fromkeys([*self._wanted, *self.resting]))
        """Who takes part."""

    def cancellations(self) -> list[tuple[int, int]]:
        """Member and number of the orders that are left from before."""
        return [(id_, number) for id_ in self.members for number, _ in self.resting.get(id_, ())]

    def fundings(self) -> list[tuple[int, int]]:
        """Member and money units: what the orders need beyond what is in the market when all others are cancelled, as
        far as it is there."""
        ledger = self._standing.ledger
        amounts = {id_: min(self._missing(id_), _available(ledger, id_)) for id_ in self.members}
        return [(id_, amount) for id_, amount in amounts.items() if amount > 0]

    def _missing(self, id_: int) -> int:
        """Money units that a participant's orders need and that its account of the day has not."""
        intraday, rules = self._standing.intraday, self._standing.rules
        account = intraday.accounts.get(id_) if intraday else None
        has = account.available if account else 0
        gets_back = sum(order_collateral(order, rules) for _, order in self.resting.get(id_, ()))
        return sum(order_collateral(order, rules) for order in self._wanted.get(id_, ())) - has - gets_back


class SessionMessages:
    """What participants sign in one session.

    A participant's messages are numbered by day and session; who has placed orders of the session before a crash
    places no more of it.
    """

    def __init__(
        self,
        domain: Domain,
        when: tuple[int, int],
        plan: SessionPlan,
        wallets: Mapping[int, Wallet],
        last_sequences: Callable[[Sequence[str]], Sequence[int]],
        expiry: int,
    ) -> None:
        """when: day and number of the session. wallets: keys by registry number.

        last_sequences: what the chain says of the last message of some accounts. expiry: unix time from which no order
        of the session may be taken any more.
        """
        self._domain = domain
        self._day, session = when
        self._expiry = expiry
        self._base = self._day << _DAY_SHIFT | session << _SESSION_SHIFT
        self._plan = plan
        self._wallets = wallets
        asked = last_sequences([wallets[id_].account for id_ in plan.members])
        self._last = dict(zip(plan.members, (max(self._base, sequence) for sequence in asked), strict=True))
        self._waiting = {id_ for id_ in plan.members if self._last[id_] < self._base + _PLACING}

    def cancellations(self) -> list[Signed[IntradayCancellation]]:
        """Of all orders that are left from before."""
        sequences = {id_: count(self._last[id_] + 1) for id_ in self._waiting}
        return [
            self._signed(id_, IntradayCancellation(self._wallets[id_].account, self._day, number, next(sequences[id_])))
            for id_, number in self._plan.cancellations()
            if id_ in self._waiting
        ]

    def fundings(self) -> list[Signed[IntradayFunding]]:
        """What the orders need."""
        messages = []
        for id_, amount in self._plan.fundings():
            if id_ in self._waiting:
                after = self._last[id_] + len(self._plan.resting.get(id_, ())) + 1
                sequence = max(self._base + _FUNDING, after)
                message = IntradayFunding(self._wallets[id_].account, self._day, amount, False, sequence)
                messages.append(self._signed(id_, message))
        return messages

    def placements(self) -> list[Signed[IntradayOrder]]:
        """The orders."""
        position: dict[int, int] = defaultdict(int)
        messages = []
        for order in self._plan.orders:
            id_ = order.participant
            if id_ not in self._waiting:
                continue
            message = IntradayOrder(
                participant=self._wallets[id_].account,
                day=self._day,
                slot=order.slot,
                is_ask=order.side == Side.ASK,
                tick=order.tick,
                energy=order.energy,
                max_fills=MAX_FILLS,
                expiry=self._expiry,
                sequence=self._base + _PLACING + position[id_],
            )
            position[id_] += 1
            messages.append(self._signed(id_, message))
        return messages

    def _signed(self, id_: int, message: M) -> Signed[M]:
        return signed(self._domain, self._wallets[id_].account_key, message)


def _available(ledger: Ledger, id_: int) -> int:
    record = ledger.record(id_)
    return 0 if record.arrears else max(0, record.free + record.credit_limit)


def within_connections(
    scenario: Scenario, day: int, orders: Collection[Order], names: Mapping[int, str]
) -> list[Order]:
    """Intraday orders, each cut to the most the market takes: import and export capacity of the member's own part."""
    own: dict[int, int] = {}
    for id_ in {order.participant for order in orders}:
        member = scenario.participant(names[id_])
        share = member.share if scenario.markets.pools else 0
        own[id_] = sum(whole - whole * share // 1000 for whole in (member.import_capacity, member.export_capacity))
    smallest = scenario.rules(day).min_order_energy
    cut = (
        order if order.energy <= own[order.participant] else replace(order, energy=Wh(own[order.participant]))
        for order in orders
        if own[order.participant] >= smallest
    )
    return [order for order in cut if order.energy >= smallest]
