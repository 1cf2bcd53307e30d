"""A scenario's market as the reference model has it: members, money, markets, and what is known of days in flight."""

from collections.abc import Collection, Mapping, Sequence
from functools import cache

import numpy as np

from dem.community.scenario import Kind, Scenario
from dem.model.calendar import CalendarParameters
from dem.model.ledger import (
    BALANCING_FUND,
    CLEARING_HOUSE,
    FALLBACK_SUPPLIER,
    FIRST_PARTICIPANT,
    GRID_OPERATOR,
    OPERATOR,
    Ledger,
)
from dem.model.markets.bilateral import window_of
from dem.model.markets.intermediaries import Intermediaries, Mandated
from dem.model.mechanisms import AUCTION, MECHANISMS, POOL
from dem.model.positions import Trades
from dem.model.relief import Slots
from dem.model.rules import MarketRules, Tariff
from dem.model.settlement import DaySettlement, settle
from dem.model.shortfalls import Shortfalls
from dem.model.silence import Silence
from dem.model.units import UnitsPerWh
from dem.offchain.books import ModelBook
from dem.replay.auction import AuctionReplay
from dem.replay.bilateral import BilateralReplay
from dem.replay.book import Book
from dem.replay.days import Days
from dem.replay.delivery import delivery
from dem.replay.escrow import EscrowReplay
from dem.replay.intraday import IntradayReplay
from dem.replay.markets import Markets
from dem.replay.members import Member
from dem.replay.pairs import PairReplay
from dem.replay.payments import Payments
from dem.replay.readings import CORRECTED, ESTIMATED, MEASURED, MISSING, MeterValues
from dem.replay.totals import Totals, totals_of
from dem.replay.transfers import Transfers
from dem.replay.wholesale import ResidualReplay

BILATERAL, ESCROW, INTRADAY, WHOLESALE = (
    MECHANISMS[key].contract for key in ("bilateral", "escrow", "intraday", "wholesale")
)

_NO_KEY = "0x" + "00" * 20
_OFFICES = {Kind.FALLBACK_SUPPLIER: FALLBACK_SUPPLIER, Kind.OPERATOR: OPERATOR, Kind.GRID_OPERATOR: GRID_OPERATOR}
_MANDATES, _COMMISSIONS = 1, 2
"""The first days of mandates, and of commissions: until then a client could not have chosen otherwise."""


class ModelMarket:
    """The market in which all members of a scenario are registered; it fulfils `dem.results.writer.Recomputed`.

    Who has an account by a key on a chain has one by its name here.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.periods_per_day = scenario.calendar.periods_per_day
        self.ledger = Ledger()
        self.transfers = Transfers(self.ledger)
        self.payments = Payments()
        self.shortfalls = Shortfalls(self.ledger)
        self.intermediaries = Intermediaries()
        self.rules = cache(self._rules_of)
        self.markets = Markets(self.periods_per_day, self.rules, lambda day: self.days.known(day).readings)
        self.days = Days()
        self.silence = Silence()
        self._read_through: dict[tuple[int, bool], int] = {}
        """How far a meter was read, as `_end_of` counts, by member and whether it is its second one."""
        self.totals = Totals()
        """Over the days that are final."""
        self.ids = self._numbers()
        self.names = {id_: name for name, id_ in self.ids.items()}
        self.members = {member.id: member for member in self._registered()}
        self._sources = {self.ids[member.name]: member.source for member in scenario.participants if member.source}
        self._pay_in()
        self._begin_markets()

    @property
    def calendar(self) -> CalendarParameters:
        """When what is due."""
        calendar = self.scenario.calendar
        return CalendarParameters(
            opening=calendar.opening,
            period_length=calendar.period_seconds,
            periods_per_day=calendar.periods_per_day,
            open_lead=calendar.open_lead_seconds,
            gate_lead=calendar.gate_lead_seconds,
            metering_lag=calendar.metering_lag_seconds,
            correction_lag=calendar.correction_lag_seconds,
        )

    # ------------------------------------------------------------------------------------------------ what is known

    def tariffs(self, day: int) -> list[Tariff]:
        """Fallback tariffs of a day by slot."""
        return self.scenario.tariffs(day)

    def book(self, day: int) -> Book:
        """The orders in the day-ahead market of a day that is not final."""
        return self.markets.book(day)

    def book_of(self, contract: str, day: int) -> ModelBook:
        """The same of a pool."""
        book = self.auction(contract).book(day)
        return book if isinstance(book, ModelBook) else ModelBook.empty(day, self.periods_per_day)

    def trades(self, day: int) -> dict[str, Trades]:
        """What every market contracted on a day that is not final, by the name of its contract."""
        return self.markets.trades(day)

    def contracted(self, day: int, besides: Collection[str] = ()) -> dict[int, list[int]]:
        """Net consumption by slot that members contracted so far, Wh; besides: contracts left out."""
        return self.markets.contracted(day, besides)

    def contracted_by_name(self, day: int) -> dict[str, list[int]]:
        """The same of all markets so far, by member's name."""
        return {self.names[id_]: wh for id_, wh in self.contracted(day).items()}

    def sold_relief(self, day: int) -> Mapping[int, Slots]:
        """What relief of the network was bought for a day, by member, slot and direction."""
        limits = self.scenario.limits(day)
        return {} if limits is None else {self.ids[name]: own for name, own in limits.relief.items()}

    def source(self, id_: int, _day: int) -> str | None:
        """What a member's feed-in of a day comes from."""
        return self._sources.get(id_)

    def readings(self, day: int) -> dict[int, MeterValues]:
        """What the meters showed on a day that is not final, by member."""
        return self.days.known(day).readings

    def settlement(self, day: int) -> DaySettlement:
        """The day settled."""
        own = self.days.changing(day)
        if own.settlement is None:
            own.settlement = settle(self.rules(day), delivery(own, self.tariffs(day), self.markets))
        return own.settlement

    # ------------------------------------------------------------------------------------------------- its markets

    def auction(self, contract: str = AUCTION) -> AuctionReplay:
        """The day-ahead auction, or a pool."""
        market = self.markets.of(contract)
        assert isinstance(market, AuctionReplay)
        return market

    def sheets(self, contract: str) -> AuctionReplay | PairReplay:
        """A market that takes sheets before a gate."""
        market = self.markets.of(contract)
        assert isinstance(market, AuctionReplay | PairReplay)
        return market

    @property
    def bilateral(self) -> BilateralReplay:
        """Contracts between two."""
        market = self.markets.of(BILATERAL)
        assert isinstance(market, BilateralReplay)
        return market

    @property
    def escrow(self) -> EscrowReplay:
        """Trades in escrow."""
        market = self.markets.of(ESCROW)
        assert isinstance(market, EscrowReplay)
        return market

    @property
    def intraday(self) -> IntradayReplay:
        """The continuous market."""
        market = self.markets.of(INTRADAY)
        assert isinstance(market, IntradayReplay)
        return market

    @property
    def residual(self) -> ResidualReplay:
        """What the auction leaves to the wholesale desk."""
        market = self.markets.of(WHOLESALE)
        assert isinstance(market, ResidualReplay)
        return market

    @property
    def pools(self) -> list[str]:
        """Contracts of the pools, in their order."""
        return [POOL + pool.name for pool in self.scenario.config.pools] if self.scenario.markets.pools else []

    def read(self, day: int, said: Mapping[int, Sequence[int | None]]) -> None:
        """Take what meters say, Wh by member's number and slot; None where they say nothing."""
        own = self.days.changing(day)
        own.readings = {}
        for id_, values in said.items():
            if end := self._end_of(day, values):
                own.readings[id_] = _values(values)
                self._read_through[id_, self._has_second_meter(id_, day)] = end
                self.silence.read(id_)

    def estimate(self, day: int) -> None:
        """What is missing when readings are due: all that the connection takes in stands for it (rule 12.3)."""
        own = self.days.changing(day)
        for member in self.scenario.on(day).of_kind(Kind.CONSUMER, Kind.PROSUMER):
            id_ = self.ids[member.name]
            if not member.takes_part(day):
                continue
            values = own.readings.setdefault(id_, _values([None] * self.periods_per_day))
            missing = values.status == MISSING
            if missing.any():
                values.net[missing], values.status[missing] = member.import_capacity, ESTIMATED
                own.settlement = None
                self.silence.estimate(id_, day)

    def correct(self, day: int, said: Mapping[int, Sequence[int | None]]) -> None:
        """Take what meters say of a day after readings were due, likewise."""
        own = self.days.changing(day)
        for id_, values in said.items():
            end = self._end_of(day, values)
            if not end:
                continue
            late, known = _values(values), own.readings[id_]
            is_said = late.status == MEASURED
            known.net[is_said], known.status[is_said] = late.net[is_said], CORRECTED
            own.settlement = None
            # Only a meter that was read in time before can read on late.
            meter = id_, self._has_second_meter(id_, day)
            if self._read_through.get(meter, end + 1) <= end:
                self._read_through[meter] = end
                self.silence.read(id_)

    def _end_of(self, day: int, said: Sequence[int | None]) -> int:
        """How many periods have passed from day 1 to the last one of which something is said; 0 if nothing is."""
        said_slots = (slot for slot in range(len(said) - 1, -1, -1) if said[slot] is not None)
        last = next(said_slots, None)
        return 0 if last is None else (day - 1) * self.periods_per_day + last + 1

    def _has_second_meter(self, id_: int, day: int) -> bool:
        return self.scenario.participant(self.names[id_]).has_next_meter(day)

    def forget(self, day: int) -> None:
        """The day is final."""
        self.totals += totals_of(self.settlement(day), self.book(day))
        self.markets.forget(day)
        self.days.forget(day)

    # ------------------------------------------------------------------------------------------------ before the days

    def _rules_of(self, day: int) -> MarketRules:
        """The rules of a day; of one beyond the scenario's those of its last."""
        return self.scenario.rules(min(day, self.scenario.days[-1]))

    def _numbers(self) -> dict[str, int]:
        """Numbers of the registry by name: offices are members from the start, then come all others as they join."""
        others = [member.name for member in self.scenario.as_they_join if member.kind not in _OFFICES]
        numbers = {name: id_ for id_, name in enumerate(others, start=FIRST_PARTICIPANT)}
        offices = {self.scenario.of_kind(kind)[0].name: id_ for kind, id_ in _OFFICES.items()}
        return {member.name: (offices | numbers)[member.name] for member in self.scenario.participants}

    def _registered(self) -> list[Member]:
        own = ((BALANCING_FUND, "fund"), (CLEARING_HOUSE, "clearing_house"))
        found = [Member(id_, _NO_KEY, _NO_KEY, kind, 1, None, None) for id_, kind in own]
        for name, id_ in sorted(self.ids.items(), key=lambda item: item[1]):
            # With the connection that it has in the end, as events leave it.
            member, is_office = self.scenario.participant(name).on(self.scenario.days[-1]), id_ < FIRST_PARTICIPANT
            most = (None, None) if is_office else (member.import_capacity, member.export_capacity)
            found.append(Member(id_, name, name, member.kind.value, member.joins, *most))
        return found

    def _pay_in(self) -> None:
        for member in self.scenario.participants:
            id_ = self.ids[member.name]
            if member.credit_limit:
                self.transfers.set_credit_limit({"id": id_, "limit": member.credit_limit})
            if member.deposit:
                paid = {"id": id_, "amount": member.deposit, "paymentReference": member.name.encode()}
                self.transfers.deposit(paid)

    def _begin_markets(self) -> None:
        calendar = self.calendar
        contracts = self.bilateral.contracts
        contracts.first_weekday = self.scenario.calendar.start.weekday()
        contracts.window = window_of(calendar.day_length, calendar.gate_lead, calendar.metering_lag)
        if not self.scenario.markets.pools:
            return
        for pool in self.scenario.config.pools:
            self.auction(POOL + pool.name)
            number = self.ids[pool.intermediary]
            self.intermediaries.publish(number, UnitsPerWh(pool.commission), _COMMISSIONS, _COMMISSIONS)
        for member in self.scenario.participants:
            if member.share:
                mandated = Mandated(self.ids[member.intermediary], 10 * member.share)
                self.intermediaries.choose(self.ids[member.name], mandated, _MANDATES, _MANDATES)


def _values(said: Sequence[int | None]) -> MeterValues:
    """What a meter says of a day; missing where it says nothing."""
    if None not in said:
        return MeterValues(np.array(said, np.int64), np.full(len(said), MEASURED, np.int64))
    known = np.array([value is not None for value in said])
    return MeterValues(np.array([value or 0 for value in said], np.int64), np.where(known, MEASURED, MISSING))
