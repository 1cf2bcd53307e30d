"""How the simulated community trades on one day, from its bilateral contracts to what its meters show.

Nothing here knows a chain: `Crowd` says what participants would send, given what they contracted so far, and a driver
sends it. *Contracted* is net consumption by slot, Wh, of all markets so far, by participant's name; who is missing has
contracted nothing.

Everybody offers what it expects less what it contracted: who contracted more than it needs offers the difference.
Limits lie in the band of `dem.community.strategies`, so nobody who trades is worse off than with the fallback tariff.
What a battery or a moved load adds is an order of its own, whose limit is also held to where the move is just worth it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dem.community.agreements import Agreement, positions_of
from dem.community.config import Pool
from dem.community.flexibility import Day, Household, Plan, Prices
from dem.community.forecast import Energy, revise_load, revise_pv
from dem.community.memory import Memories
from dem.community.presets import TRADING_ON, Mode, place, sell_on, shed
from dem.community.scenario import Kind, Participant, Scenario
from dem.community.strategies import Bands, NoOrders, OrderColumns, Situation, Strategy, Truthful
from dem.model.limits import Limits, limits_down
from dem.model.markets.auction import Column, OrderBook
from dem.model.markets.dealing import Band, Intermediary, Quote, posted, quoted
from dem.model.markets.wholesale import Offer
from dem.model.orders import MAX_ENERGY, Order, Side
from dem.model.positions import Grid
from dem.model.relief import relieved
from dem.model.rules import MarketRules, Tariff
from dem.model.units import MAX_TICK, Tick

Contracted: TypeAlias = Mapping[str, Sequence[int]]
"""Net consumption contracted, Wh by slot, by participant's name."""
Ids: TypeAlias = Mapping[str, int]
"""Number in the registry by participant's name."""
PoolFills: TypeAlias = Mapping[str, tuple[OrderBook, Column]]
"""Orders of a cleared pool and what was filled of each, Wh, by the pool's name."""

EXPECTED_PERMILLE = 250
"""How far from the edge of the band prices are expected: the floor where the area has a surplus, else the ceiling."""
_PRICE_TAKER = Truthful(max_gain_permille=0)


class Session(NamedTuple):
    """A time at which participants revise what they traded.

    number: from 0. starts: seconds from the day's start, negative on the day before. known: slots that have passed,
    whose readings participants know. first: the first slot that can still be traded.
    """

    number: int
    starts: int
    known: int
    first: int


class _Wish(NamedTuple):
    """What somebody wants to trade, Wh by slot, what it buys positive.

    firm: what it needs or has. flexible: what its stores add, each at no worse than the limit, all-in, units/Wh.
    """

    firm: list[int]
    flexible: list[int]
    limits: list[int | None]

    @property
    def whole(self) -> list[int]:
        return [firm + flexible for firm, flexible in zip(self.firm, self.flexible, strict=True)]


@dataclass(frozen=True, eq=False)
class Crowd:
    """A scenario's participants on one day. All answers depend on nothing but the arguments and what they remember.

    memories: of days that have ended; without them everybody is as on its first day.
    """

    whole: Scenario
    day: int
    memories: Memories | None = None

    @cached_property
    def scenario(self) -> Scenario:
        """With the connections of the day."""
        return self.whole.on(self.day)

    # what everybody knows

    @cached_property
    def forecasts(self) -> dict[str, list[int]]:
        """Net consumption that consumers and prosumers expect at the day-ahead gate, without stores, Wh by slot."""
        expected = self.scenario.forecasts(self.day)
        return self._held(expected) if self.limits else expected

    @cached_property
    def limits(self) -> dict[str, Limits]:
        """What the network leaves of each connection, of who is limited, or has sold relief, in any slot."""
        published = self.whole.limits(self.day)
        if published is None:
            return {}
        names = [name for name, zone in published.zones.items() if zone in published.shares]
        members = [self.scenario.participant(name) for name in {*names, *published.relief}]
        found = {
            own.name: limits_down(own.import_capacity, own.export_capacity, published.of(own.name, self._slots))
            for own in members
        }
        return found | {name: relieved(found[name], sold) for name, sold in published.relief.items()}

    def _held(self, net: Mapping[str, Sequence[int]]) -> dict[str, list[int]]:
        """What of net energies is within limits, Wh by slot."""
        return {
            name: self.limits[name].hold(np.array(wh, np.int64)).tolist() if name in self.limits else list(wh)
            for name, wh in net.items()
        }

    @cached_property
    def prices(self) -> Prices:
        """What one more Wh is expected to cost, and one less to bring, fees included; units/Wh by slot.

        Where there is a market the price follows the area's forecast, which everybody can make from public readings.
        """
        markets = self.scenario.markets
        if not (markets.day_ahead or markets.intraday or markets.pools):
            return self._fallback
        area = [sum(values) for values in zip(*self.forecasts.values(), strict=True)]
        return self._prices(area)

    # bilateral contracts

    def proposals(self) -> list[Agreement]:
        """Bilateral contracts to be proposed before the day opens: those that begin on it, on day 1 all that began."""
        periods = self.scenario.periods(self.day)
        return [
            agreement
            for agreement in self.scenario.agreements
            if agreement.first in periods
            or (self.day == 1 and agreement.first < periods.start and agreement.last >= periods.start)
        ]

    def escrowed(self) -> list[tuple[Agreement, int]]:
        """Agreements that are traded in escrow on the day, with the slots in which they deliver, a bit each.

        Where there are contracts between two, they are those.
        """
        if self.scenario.markets.bilateral or not self.scenario.markets.escrow:
            return []
        found = []
        for agreement in self.scenario.agreements:
            energies = agreement.energy_of(self.scenario.calendar, self.day)
            found.append((agreement, sum(1 << slot for slot, energy in enumerate(energies) if energy)))
        return [(agreement, slots) for agreement, slots in found if slots]

    @cached_property
    def agreed(self) -> dict[str, list[int]]:
        """What the bilateral contracts come to, if all are made: net consumption, Wh by slot, of their parties."""
        return positions_of(self.scenario.agreements, self.scenario.calendar, self.day)

    # day ahead

    def pool_orders(self, ids: Ids, contracted: Contracted | None = None) -> dict[str, list[Order]]:
        """Orders in every pool by its name, clients before the intermediary; none if pools are not used.

        contracted: before the pools; without it the bilateral contracts, as if all were made.
        """
        if not self.scenario.markets.pools:
            return {}
        before = self.agreed if contracted is None else contracted
        orders: dict[str, list[Order]] = {}
        for pool in self.scenario.config.pools:
            wishes: list[Order] = []
            for client in self._clients(pool):
                wish = self._share(client, before)
                wishes += self._day_ahead(client, ids, wish, pool.commission, pool.preset is Mode.RETAILER).orders()
            orders[pool.name] = list(place(pool.preset, wishes, self._intermediary(pool, ids, self._quotes(pool))).pool)
        return orders

    def orders(
        self, ids: Ids, contracted: Contracted | None = None, pools: PoolFills = MappingProxyType({})
    ) -> list[Order]:
        """Orders in the day-ahead market; none if there is none.

        contracted: before it, in bilateral contracts and pools. pools: what intermediaries trade on, those that do.
        Who sends all of its energy through an intermediary places no order itself.
        """
        return self.order_columns(ids, contracted, pools).orders()

    def order_columns(
        self, ids: Ids, contracted: Contracted | None = None, pools: PoolFills = MappingProxyType({})
    ) -> OrderColumns:
        """The same orders as columns."""
        if self.scenario.markets.day_ahead is None:
            return OrderColumns.together([])
        before = contracted or {}
        parts: list[OrderColumns] = []
        for name in self.forecasts:
            member = self.scenario.participant(name)
            if name in self.scenario.own_traders:
                parts.append(self._own(name, ids))
                continue
            had = self._of(before, member)
            wish = self._rest(member, self._wish(member, had))
            parts.append(self._day_ahead(member, ids, wish, past=self._past(member, had)))
        for pool in self.scenario.config.pools:
            if pool.name in pools:
                book = OrderBook.of(self._onwards(pool, ids, *pools[pool.name]))
                parts.append(OrderColumns.of(book))
        return OrderColumns.together(parts)

    def _own(self, name: str, ids: Ids) -> OrderColumns:
        """What a member brings itself."""
        own = [order for order in self.scenario.own_orders(self.day) if order.participant == name]
        rows = [(ids[name], *order[1:]) for order in sorted(own, key=lambda order: (order.slot, order.layer))]
        return OrderColumns(*np.array(rows, np.int64).reshape(-1, 6).T)

    def desk_offers(self) -> list[Offer] | None:
        """What the wholesale desk offers, by slot; None if there is none or it is not used.

        At the exchange's prices, negative or not, as far from zero as the rules allow.
        """
        desk = self.scenario.config.wholesale
        if desk is None or not self.scenario.markets.wholesale:
            return None
        bound, penalty = self.scenario.rules(self.day).max_buy, desk.penalty
        prices = (min(max(price, -bound), bound) for price in self.scenario.wholesale_prices(self.day))
        return [Offer(price, penalty, desk.import_capacity_wh, desk.export_capacity_wh) for price in prices]

    # intraday

    @cached_property
    def sessions(self) -> list[Session]:
        """When participants revise, in order of time; none if the intraday auction is not used."""
        keys, calendar = self.scenario.config.intraday, self.scenario.calendar
        if keys is None or not self.scenario.markets.intraday:
            return []
        length, slots = calendar.period_seconds, calendar.periods_per_day
        return [
            Session(
                number,
                starts,
                known=max(0, starts // length),
                first=min(slots, max(0, (starts + keys.gate_lead_seconds) // length + 1)),
            )
            for number, starts in enumerate(keys.sessions)
        ]

    def revised(self, session: Session) -> dict[str, list[int]]:
        """Net consumption that everybody expects without stores, Wh by slot: what was metered, then the forecast anew.

        Of all meters, the grid operator's losses included.
        """
        length = self.scenario.calendar.period_seconds
        (load, pv), known = self._expected, session.known
        names = list(load)
        rest = revise_load(_grid(load, names), _grid(self._load, names)[:, :known], length) - revise_pv(
            _grid(pv, names), _grid(self._pv, names)[:, :known], length
        )
        shown = self.scenario.metered(self.day)
        return self._held({name: shown[name][:known] + row for name, row in zip(names, rest.tolist(), strict=True)})

    def area(self, session: Session, contracted: Contracted) -> list[int]:
        """Imbalance of the area that is expected, Wh by slot: positive if it is short."""
        nothing = dict.fromkeys((member.name for member in self._traders), [0] * self._slots)
        expected = {**nothing, **self.revised(session)}
        moves = {name: household.plan.moves for name, household in self._households.items()}
        rows = [
            [wh - had for wh, had in zip(values, self._of(contracted, self.scenario.participant(name)), strict=True)]
            for name, values in expected.items()
        ]
        return [sum(values) for values in zip(*rows, *moves.values(), strict=True)]

    def intraday_orders(self, session: Session, ids: Ids, contracted: Contracted) -> list[Order]:
        """Orders of a session in the order in which they arrive, which the seed shuffles participant by participant.

        They take the place of what participants left in the book before. contracted: so far, of all slots; those that
        have passed are final. Readings of slots that have passed are known, none later.
        """
        if session.first >= self._slots:
            return []
        expected, prices = self.revised(session), self._prices(self.area(session, contracted))
        # On its last day a member has left before the sessions begin.
        members = [m for m in self._traders if self._trades_itself(m) and m.leaves != self.day]
        shuffled = f"{self.scenario.config.seed}/intraday/{self.scenario.numbered(self.day)}/{session.number}"
        Random(shuffled).shuffle(members)
        orders: list[Order] = []
        for member in members:
            had = self._of(contracted, member)
            net = expected.get(member.name, [0] * self._slots)
            household = self._households.get(member.name)
            plan = household.replan(session.known, net, had, prices) if household else self._no_plan
            wish = _Wish(_less(net, had), plan.moves, plan.limits)
            most = self._most(member)
            bought, sold = _less(most[0], had), [own + wh for own, wh in zip(most[1], had, strict=True)]
            step = 1 + session.number
            orders += self._orders(member, ids, _from(session.first, wish), bought, sold, step=step).orders()
        return orders

    # delivery

    def metered(self, contracted: Contracted | None = None) -> dict[str, list[int]]:
        """What every meter shows, net, Wh by slot, batteries and moved loads included.

        contracted: in the end, of all markets. Who has no store shows what `Scenario.metered` says. All keep what the
        network leaves them, but for those who ignore it.
        """
        shown = self.scenario.metered(self.day)
        for name, household in self._households.items():
            had = self._of(contracted or {}, self.scenario.participant(name))
            shown[name] = household.delivered(had)
        return self._kept(shown)

    def _kept(self, shown: Mapping[str, Sequence[int]]) -> dict[str, list[int]]:
        """What meters show within limits, Wh by slot; all of it of those who ignore theirs."""
        ignored_by = self.scenario.config.grid.ignored_by if self.scenario.config.grid else []
        return {**self._held(shown), **{name: list(shown[name]) for name in ignored_by if name in shown}}

    def cut(self, ids: Ids, contracted: Contracted, book: OrderBook) -> dict[str, list[int]]:
        """What every meter shows on an island, net, Wh by slot: load and generation are limited before it (`shed`).

        book: the auction's, in which everybody has one order a slot at most, there being no stores.
        """
        wanted = self._kept(self.scenario.metered(self.day))
        names = list(wanted)
        had = {name: contracted.get(name, [0] * self._slots) for name in names}
        rows, limits = {ids[name]: row for row, name in enumerate(names)}, np.zeros((len(names), self._slots), np.int64)
        limits[[rows[id_] for id_ in book.participant.tolist()], book.slot] = book.tick
        return dict(zip(names, shed(_grid(wanted, names), _grid(had, names), limits).tolist(), strict=True))

    def shown(self, ids: Ids, contracted: Contracted, book: OrderBook | None) -> dict[str, list[int]]:
        """What every meter shows, Wh by slot, on an island after cuts; the grid operator's shows the area's boundary.

        book: the auction's, of an island.
        """
        if self.scenario.islanded and book is not None:
            metered = self.cut(ids, contracted, book)
        else:
            metered = self.metered(contracted)
        boundary = [sum(values) for values in zip(*metered.values(), strict=True)]
        return {**metered, self.scenario.of_kind(Kind.GRID_OPERATOR)[0].name: boundary}

    def said(self, name: str, shown: Sequence[int]) -> Sequence[int | None]:
        """What a meter says in time of what it showed, Wh by slot; None where it says nothing."""
        report = self.scenario.reports.get((self.day, name))
        return shown if report is None else report.in_time(shown)

    def said_after(self, name: str, shown: Sequence[int]) -> Sequence[int | None]:
        """What it says after readings were due, likewise."""
        report = self.scenario.reports.get((self.day, name))
        return [None] * len(shown) if report is None else report.after(shown)

    # inside

    @cached_property
    def _slots(self) -> int:
        return self.scenario.calendar.periods_per_day

    @cached_property
    def _rules(self) -> MarketRules:
        return self.scenario.rules(self.day)

    @cached_property
    def _tariffs(self) -> list[Tariff]:
        return self.scenario.tariffs(self.day)

    @cached_property
    def _fallback(self) -> Prices:
        return Prices([tariff.buy for tariff in self._tariffs], [tariff.sell for tariff in self._tariffs])

    @cached_property
    def _expected(self) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
        return self.scenario.expected(self.day)

    @cached_property
    def _load(self) -> dict[str, list[int]]:
        return self.scenario.load(self.day)

    @cached_property
    def _pv(self) -> dict[str, list[int]]:
        return self.scenario.pv(self.day)

    @cached_property
    def _traders(self) -> list[Participant]:
        """Those with a forecast, and the intermediaries of pools."""
        pools = {pool.intermediary for pool in self.scenario.config.pools if self.scenario.markets.pools}
        return [
            *(self.scenario.participant(name) for name in self.forecasts),
            *map(self.scenario.participant, sorted(pools)),
        ]

    @cached_property
    def _households(self) -> dict[str, Household]:
        """Whoever has a store, by name."""
        load, pv = self._expected

        def day(load: Mapping[str, Sequence[int]], pv: Mapping[str, Sequence[int]], name: str) -> Day:
            return Day(load[name], _less(load[name], pv[name]))

        return {
            member.name: Household(
                expected=day(load, pv, member.name),
                actual=day(self._load, self._pv, member.name),
                import_capacity=member.import_capacity,
                export_capacity=member.export_capacity,
                battery=member.battery,
                shiftable=member.shiftable,
                worth=self.prices,
                fallback=self._fallback,
            )
            for member in self.scenario.of_kind(Kind.CONSUMER, Kind.PROSUMER)
            if member.flexible and member.takes_part(self.day)
        }

    @property
    def _no_plan(self) -> Plan:
        return Plan([0] * self._slots, [None] * self._slots)

    def _prices(self, area: Iterable[int]) -> Prices:
        """Expected all-in prices where the area is short (positive) or has a surplus."""
        fees, buy, sell = self._rules.fees, [], []
        for tariff, imbalance in zip(self._tariffs, area, strict=True):
            band = Band.of(tariff, self._rules)
            inside = band.inside(EXPECTED_PERMILLE)
            tick = band.ceiling - inside if imbalance > 0 else band.floor + inside
            price = self._rules.prices.price_of(tick)
            buy.append(min(tariff.buy, price + fees))
            sell.append(min(buy[-1], max(tariff.sell, price - fees)))
        return Prices(buy, sell)

    def _of(self, contracted: Contracted, member: Participant) -> list[int]:
        return list(contracted.get(member.name, [0] * self._slots))

    def _wish(self, member: Participant, had: Sequence[int]) -> _Wish:
        """What somebody wants day ahead beyond what it has."""
        net = self.forecasts.get(member.name, [0] * self._slots)
        household = self._households.get(member.name)
        plan = household.plan if household else self._no_plan
        return _Wish(_less(net, had), plan.moves, plan.limits)

    def _past(self, member: Participant, had: Sequence[int]) -> Column | None:
        """What somebody may want day ahead beyond what it has, as on past days; None of who has more to reckon with.

        Stores are planned on one course of the day, and who sends a part through an intermediary wants a part of that.
        """
        if member.flexible or member.share or member.name not in self._past_net:
            return None
        past: Column = np.where(self._may_meet, self._past_net[member.name] - np.array(had, np.int64), 0)
        return past

    @cached_property
    def _past_net(self) -> dict[str, Energy]:
        past = self.scenario.past_net(self.day)
        return {name: self.limits[name].hold(net) if name in self.limits else net for name, net in past.items()}

    @cached_property
    def _may_meet(self) -> NDArray[np.bool_]:
        """Slots in which somebody may sell: by public readings of past days, where these are all there is to know."""
        others = self.scenario.own_traders or any(member.flexible for member in self._traders)
        if others or not self.scenario.markets.is_day_ahead_alone:
            return np.ones(self._slots, np.bool_)
        fed = [past.min(axis=0) for past in self._past_net.values()]
        may_meet: NDArray[np.bool_] = np.min([np.zeros(self._slots, np.int64), *fed], axis=0) < 0
        return may_meet

    # intermediaries

    def _clients(self, pool: Pool) -> list[Participant]:
        return [member for member in self._traders if member.intermediary == pool.intermediary and member.share]

    def _trades_itself(self, member: Participant) -> bool:
        """Whether it trades beside its pool: not who sends all of its energy through it, nor who trades nothing on."""
        markets, modes = self.scenario.markets, {pool.intermediary: pool.preset for pool in self.scenario.config.pools}
        if member.kind is Kind.INTERMEDIARY:
            return modes[member.name] in TRADING_ON
        return not (markets.pools and member.share == 1000)

    def _share(self, member: Participant, before: Contracted) -> _Wish:
        """The part of its wish that goes through the intermediary; rounded towards zero."""
        wish = self._wish(member, self._of(before, member))
        part = [_part(wh, member.share) for wh in wish.firm], [_part(wh, member.share) for wh in wish.flexible]
        return _Wish(*part, wish.limits)

    def _rest(self, member: Participant, wish: _Wish) -> _Wish:
        """The part of a wish that does not go through an intermediary: at most what is not its share."""
        if not (self.scenario.markets.pools and member.share):
            return wish
        whole = self._wish(member, self._of(self.agreed, member))
        share = self._share(member, self.agreed)
        firm = map(_within, wish.firm, _less(whole.firm, share.firm))
        return _Wish(list(firm), _less(wish.flexible, share.flexible), wish.limits)

    def _intermediary(self, pool: Pool, ids: Ids, quotes: Sequence[Quote]) -> Intermediary:
        member = self.scenario.participant(pool.intermediary)
        smallest = self._rules.min_order_energy
        return Intermediary(ids[member.name], quotes, member.import_capacity, member.export_capacity, smallest)

    def _quotes(self, pool: Pool) -> list[Quote]:
        """At which prices the intermediary deals with its clients, by slot.

        retailer: in the middle of the band. microgrid: the fallback tariffs. virtual_power_plant: what it expects of
        the market less, or plus, the fees of both trades and its margin, no worse than its own fallback tariff.
        """
        if pool.preset is Mode.MICROGRID:
            return quoted(self._tariffs, self._rules.prices)
        if pool.preset is Mode.RETAILER:
            return posted([_tick((band.floor + band.ceiling) // 2) for band in self._bands])
        fees, prices, quotes = self._rules.fees + pool.margin, self._rules.prices, []
        for band, buy, sell in zip(self._bands, self.prices.buy, self.prices.sell, strict=True):
            bid = _tick(min(prices.tick_down(sell - fees), band.ceiling))
            quotes.append(Quote(bid, max(bid, _tick(max(prices.tick_up(buy + fees), band.floor)))))
        return quotes

    def _onwards(self, pool: Pool, ids: Ids, book: OrderBook, fills: Column) -> list[Order]:
        """What an intermediary trades on at anything better than the tariff: what it paid for it does not matter now.

        Not where the fees eat the whole band.
        """
        quotes = [Quote(_tick(band.floor), _tick(max(band.floor, band.ceiling))) for band in self._bands]
        orders = sell_on(pool.preset, book, fills, self._intermediary(pool, ids, quotes))
        return [order for order in orders if self._bands[order.slot].floor <= self._bands[order.slot].ceiling]

    @cached_property
    def _bands(self) -> list[Band]:
        return [Band.of(tariff, self._rules) for tariff in self._tariffs]

    @cached_property
    def _bands_by_commission(self) -> dict[int, Bands]:
        return {}

    def _bands_with(self, commission: int) -> Bands:
        """Everybody's bands, worked out once."""
        known = self._bands_by_commission
        if commission not in known:
            known[commission] = Bands.of(self._tariffs, self._rules, commission)
        return known[commission]

    # orders

    def _day_ahead(
        self,
        member: Participant,
        ids: Ids,
        wish: _Wish,
        commission: int = 0,
        takes_prices: bool = False,
        past: Column | None = None,
    ) -> OrderColumns:
        return self._orders(member, ids, wish, *self._most(member), commission, takes_prices, past)

    def _most(self, member: Participant) -> tuple[list[int], list[int]]:
        """What a member may draw and feed in, Wh by slot."""
        if member.name in self.limits:
            imports, exports = self.limits[member.name][:2]
            return imports.tolist(), exports.tolist()
        return [member.import_capacity] * self._slots, [member.export_capacity] * self._slots

    def _orders(
        self,
        member: Participant,
        ids: Ids,
        wish: _Wish,
        bought: Sequence[int],
        sold: Sequence[int],
        commission: int = 0,
        takes_prices: bool = False,
        past: Column | None = None,
        step: int = 0,
    ) -> OrderColumns:
        """A wish as orders in slot order, the firm part in layer 0 and the flexible one in layer 1.

        Where the two are opposite they are one order, of the larger part. bought, sold: at most, Wh by slot.
        past: how the firm part may turn out, of who has nothing flexible.
        """
        strategy = self.scenario.strategy(member.name)
        if isinstance(strategy, NoOrders):
            return OrderColumns.together([])
        parts = _apart(np.array(wish.firm, np.int64), np.array(wish.flexible, np.int64), self._rules.max_layers)
        firm = np.maximum(-np.array(sold, np.int64), np.minimum(np.array(bought, np.int64), parts[0]))
        situation = Situation(
            participant=ids[member.name],
            name=member.name,
            day=self.scenario.numbered(self.day),
            seed=self.scenario.config.seed,
            forecast=firm.tolist(),
            tariffs=self._tariffs,
            rules=self._rules,
            import_capacity=max(bought),
            export_capacity=max(sold),
            commission=commission,
            known_bands=self._bands_with(commission),
            past=past,
            step=step,
            steps=1 + len(self.sessions),
            memory=self._memory(member.name, strategy),
        )
        columns = (_PRICE_TAKER if takes_prices else strategy).columns(situation)
        if member.name in self.limits:
            columns = columns.within(np.array(bought, np.int64), np.array(sold, np.int64), self._rules.min_order_energy)
        moved = self._flexible(ids[member.name], parts[1], wish.limits, situation, bought, sold)
        if not moved:
            return columns
        both = OrderColumns.together([columns, OrderColumns(*np.array(moved, np.int64).T)])
        in_order = np.lexsort((both.layer, both.slot))
        return OrderColumns(*(column[in_order] for column in both))

    def _memory(self, name: str, strategy: Strategy) -> Any:
        if not strategy.learns:
            return None
        if self.memories is None:
            return strategy.begin(name, self.scenario.config.seed, self._slots)
        return self.memories.of(self.day)[name]

    def _flexible(
        self,
        participant: int,
        energies: Column,
        limits: Sequence[int | None],
        situation: Situation,
        bought: Sequence[int],
        sold: Sequence[int],
    ) -> list[tuple[int, int, int, int, int, int]]:
        """Rows of orders for what stores add, beside the firm energy of a situation."""
        rows: list[tuple[int, int, int, int, int, int]] = []
        floor, ceiling = situation.bands
        fees, firm, prices = self._rules.fees + situation.commission, situation.forecast, self._rules.prices
        for slot in np.flatnonzero(energies).tolist():
            limit, flexible = limits[slot], int(energies[slot])
            if limit is None:
                continue
            if flexible > 0:
                side, most = Side.BID, min(flexible, bought[slot] - max(0, firm[slot]))
                tick = min(int(ceiling[slot]), prices.tick_down(limit - fees), MAX_TICK)
            else:
                side, most = Side.ASK, min(-flexible, sold[slot] - max(0, -firm[slot]))
                tick = max(int(floor[slot]), prices.tick_up(limit + fees))
            energy = min(most, MAX_ENERGY)
            # None if it is too small or its limit is none that can be said.
            if energy >= self._rules.min_order_energy and 0 <= tick <= MAX_TICK:
                rows.append((participant, 1, slot, side, tick, energy))
        return rows


def _apart(firm: Column, flexible: Column, layers: int) -> tuple[Column, Column]:
    """The firm and the flexible parts as ordered: opposite ones are set off, with one layer all is firm."""
    whole = firm + flexible
    if layers < 2:
        return whole, np.zeros_like(whole)
    is_apart, is_firm = np.sign(firm) * np.sign(flexible) >= 0, abs(firm) >= abs(flexible)
    return (
        np.where(is_apart, firm, np.where(is_firm, whole, 0)),
        np.where(is_apart, flexible, np.where(is_firm, 0, whole)),
    )


def _tick(value: int) -> Tick:
    """The tick next to a value."""
    return Tick(max(0, min(MAX_TICK, value)))


def _part(energy: int, permille: int) -> int:
    """1/1000 of an energy, rounded towards zero."""
    return energy * permille // 1000 if energy > 0 else -(-energy * permille // 1000)


def _within(energy: int, most: int) -> int:
    """An energy as far as another one of the same sign goes."""
    return min(energy, max(0, most)) if energy > 0 else max(energy, min(0, most))


def _from(first: int, wish: _Wish) -> _Wish:
    """A wish without its first slots."""
    none = [0] * first
    return _Wish(none + wish.firm[first:], none + wish.flexible[first:], wish.limits)


def _less(first: Sequence[int], second: Sequence[int]) -> list[int]:
    return [a - b for a, b in zip(first, second, strict=True)]


def _grid(rows: Mapping[str, Sequence[int]], names: Sequence[str]) -> Grid:
    return np.array([rows[name] for name in names], dtype=np.int64)
