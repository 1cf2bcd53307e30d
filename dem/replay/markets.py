"""All markets together: which there are, and what they contract, lock and release."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping

import numpy as np

from dem.model.markets.auction import Column
from dem.model.markets.pairs import lottery, price_time
from dem.model.mechanisms import AUCTION, DAY_AHEAD, MECHANISMS, mechanism_of
from dem.model.positions import Exchange, Grid, Trades, positions
from dem.model.rules import MarketRules
from dem.model.units import Tick
from dem.replay.auction import AuctionReplay
from dem.replay.bilateral import BilateralReplay
from dem.replay.book import Book
from dem.replay.congestion import CongestionReplay
from dem.replay.days import Days
from dem.replay.escrow import EscrowReplay
from dem.replay.events import Args
from dem.replay.intraday import IntradayReplay
from dem.replay.lots import Lots
from dem.replay.market import ROLLING, MarketReplay, Moved
from dem.replay.pairs import PairReplay
from dem.replay.pools import PoolReplay
from dem.replay.readings import MeterValues
from dem.replay.wholesale import ResidualReplay


class Markets:
    """The markets by the name of their contract; one that there are many of begins with its first event.

    rules: the rules of a day. readings: what the meters of a day showed, by member. addresses: of the contracts, by
    name: the schedule names a market by its address.
    """

    def __init__(
        self,
        periods_per_day: int,
        rules: Callable[[int], MarketRules],
        readings: Callable[[int], Mapping[int, MeterValues]],
        addresses: Mapping[str, str] | None = None,
    ) -> None:
        self.periods_per_day = periods_per_day
        self._addresses = {} if addresses is None else addresses
        self.rules = rules
        self.readings = readings
        self.lots = Lots()
        self.by_contract: dict[str, MarketReplay] = {
            MECHANISMS[key].contract: begin(self) for key, begin in MARKETS.items() if not MECHANISMS[key].is_many
        }
        self._releases: dict[int, dict[int, int]] = {}
        """By day, what settling it releases; as long as no market tells anything."""
        self._last_days: dict[str, int] = {}
        """The last days of retired markets, by the name of their contract."""
        self._voided: dict[int, set[str]] = {}
        """Markets that are void for a day, by the name of their contract."""
        self.stuck: dict[tuple[str, int], int] = defaultdict(int)
        """What markets do not release, because they are void for its day, by the name of their contract and member."""

    def of(self, contract: str) -> MarketReplay | None:
        """The market that a contract is; None if it is none."""
        key = mechanism_of(contract)
        if key is not None and contract not in self.by_contract:
            self.by_contract[contract] = MARKETS[key](self)
        return self.by_contract.get(contract)

    def at(self, address: str) -> str:
        """Name of the contract at an address; empty if it is none that is known."""
        return next((name for name, own in self._addresses.items() if own == address), "")

    def retire(self, args: Args) -> None:
        """A MarketRetired."""
        self._releases.clear()
        self._last_days[self.at(args["market"])] = args["lastDay"]

    def void(self, day: int, contract: str, released: Collection[int]) -> None:
        """A market does not count for a day from now on. released: members whose collateral of the day is released."""
        market = self.by_contract.get(contract)
        if market is None:
            return
        for id_, locked in market.held(day).items():
            self.stuck[contract, id_] += locked if id_ not in released else 0
        for id_, kept in market.void(day).items():
            self.stuck[contract, id_] += kept
        self._voided.setdefault(day, set()).add(contract)
        self._releases.pop(day, None)

    def _counted(self, day: int) -> Iterator[tuple[str, MarketReplay]]:
        """The markets whose trades of a day count, with the names of their contracts."""
        voided = self._voided.get(day, ())
        return ((name, own) for name, own in self._not_retired(day) if name not in voided)

    def _not_retired(self, day: int) -> Iterator[tuple[str, MarketReplay]]:
        return ((name, own) for name, own in self.by_contract.items() if day <= self._last_days.get(name, day))

    def apply(self, market: MarketReplay, name: str, args: Args) -> Moved:
        """Take an event of a market's contract."""
        self._releases.clear()
        return market.apply(name, args)

    def prices(self, day: int) -> list[Tick | None]:
        """Prices of the day-ahead auction by slot; none where nothing is traded, or does not count."""
        if AUCTION not in dict(self._counted(day)):
            return [None] * self.periods_per_day
        return [clearing.price for clearing in self.auction_book(day).clearing]

    def auction_book(self, day: int) -> Book:
        """The orders of the day-ahead auction."""
        return self._book_in(AUCTION, day)

    def book(self, day: int) -> Book:
        """The orders of the day-ahead market in which there are any; of the auction if there are none."""
        books = (self._book_in(contract, day) for contract in DAY_AHEAD)
        return next((book for book in books if book.has_orders), self.auction_book(day))

    def _book_in(self, contract: str, day: int) -> Book:
        market = self.by_contract[contract]
        assert isinstance(market, AuctionReplay | PairReplay)
        return market.book(day)

    def trades(self, day: int) -> dict[str, Trades]:
        """What every market that counts contracted on a day that is not final."""
        return {contract: market.trades(day) for contract, market in self._counted(day)}

    def contracted(self, day: int, besides: Collection[str]) -> dict[int, list[int]]:
        """Net consumption by slot that members contracted so far, Wh; besides: contracts left out."""
        trades = [market.promised(day) for contract, market in self._counted(day) if contract not in besides]
        members = np.unique(np.concatenate([own.participant for own in trades]))
        held = positions(trades, members, self.periods_per_day)
        return dict(zip(members.tolist(), (held.bought - held.sold).tolist(), strict=True))

    def exchange(self, day: int) -> Exchange | None:
        """What was nominated to the upper grid on a day, if anything."""
        return next((own for _, market in self._counted(day) if (own := market.exchange(day))), None)

    def metered(self, day: int, id_: int) -> Column:
        """Net consumption of a member by slot, as far as it is known: of meters, and of the desk what it nominated."""
        values, exchange = self.readings(day).get(id_), self.exchange(day)
        net = np.zeros(self.periods_per_day, np.int64) if values is None else values.net
        return net if exchange is None or exchange.desk != id_ else net + exchange.net

    def flexible(self, day: int, participants: Column) -> Grid:
        """Energy sold back that may earn the premium, Wh, a row per participant and a column per slot."""
        grid = np.zeros((len(participants), self.periods_per_day), np.int64)
        for _, market in self._counted(day):
            sold = market.flexible(day)
            np.add.at(grid, (np.searchsorted(participants, sold.participant), sold.slot), sold.energy)
        return grid

    def release(self, day: int) -> Mapping[int, int]:
        """Collateral by member that was locked until the first settlement of a day."""
        if day not in self._releases:
            found: dict[int, int] = defaultdict(int)
            for _, market in self._counted(day):
                for id_, release in market.release(day).items():
                    found[id_] += release
            self._releases[day] = found
        return self._releases[day]

    def settle(self, day: int, id_: int) -> int:
        """Collateral that settling a member's day releases, the first time."""
        return self.release(day).get(id_, 0) - sum(market.keep(day, id_) for _, market in self._counted(day))

    def open_collateral(self, days: Days) -> dict[tuple[int, int], int]:
        """Money locked by member and day, for the days that are not settled and for commissions that are not collected.

        That of contracts over days is at day 0, and so is what nothing but a decision of the council releases.
        """
        found: dict[tuple[int, int], int] = defaultdict(int)
        for _, id_, day, locked in self._held(days):
            found[id_, day] += locked
        return found

    def held(self, days: Days) -> dict[tuple[str, int], int]:
        """Money locked by market, by the name of its contract, and member."""
        found: dict[tuple[str, int], int] = defaultdict(int)
        for contract, id_, _, locked in self._held(days):
            found[contract, id_] += locked
        return found

    def _held(self, days: Days) -> Iterator[tuple[str, int, int, int]]:
        """What each market holds: the name of its contract, member, day and money."""
        for contract, market in self.by_contract.items():
            for id_, locked in market.held(ROLLING).items():
                yield contract, id_, ROLLING, locked
            for (id_, number), kept in market.kept().items():
                yield contract, id_, number, kept
        for day in days:
            for contract, market in self._counted(day.number):
                for id_, locked in market.held(day.number).items():
                    yield contract, id_, day.number, locked if id_ not in day.released else 0
        for (contract, id_), locked in self.stuck.items():
            yield contract, id_, ROLLING, locked

    def release_held(self, args: Args) -> None:
        """A HeldReleased."""
        self.stuck[self.at(args["market"]), args["id"]] -= args["amount"]

    def forget(self, day: int) -> None:
        """The day is final."""
        self._releases.pop(day, None)
        self.lots.forget(day)
        voided = self._voided.get(day, set())
        # Escrows ask what the desk has exchanged: the market that tells it comes after them.
        for contract, market in reversed([*self._not_retired(day)]):
            # What was locked from day to day for a void day is not needed any more, and nothing has released it.
            rolling = market.held(ROLLING) if contract in voided else {}
            market.forget(day)
            left = market.held(ROLLING) if rolling else {}
            for id_, locked in rolling.items():
                self.stuck[contract, id_] += locked - left.get(id_, 0)
        self._voided.pop(day, None)


MARKETS: Mapping[str, Callable[[Markets], MarketReplay]] = {
    "call_auction": lambda markets: AuctionReplay(markets.periods_per_day, markets.rules),
    "wholesale": lambda markets: ResidualReplay(markets.periods_per_day, markets.auction_book, markets.rules),
    "bilateral": lambda markets: BilateralReplay(markets.periods_per_day),
    "intraday": lambda markets: IntradayReplay(markets.periods_per_day, markets.rules),
    "pools": lambda markets: PoolReplay(markets.periods_per_day, markets.rules),
    "order_book": lambda markets: PairReplay(
        markets.periods_per_day, markets.rules, lambda _day, book, arrivals: price_time(book, arrivals)
    ),
    "random_matching": lambda markets: PairReplay(
        markets.periods_per_day, markets.rules, lambda day, _book, _arrivals: lottery(markets.lots.of(day))
    ),
    "escrow": lambda markets: EscrowReplay(markets.periods_per_day, markets.rules, markets.metered),
    "congestion": lambda markets: CongestionReplay(markets.rules),
}
"""How each mechanism is followed, by its key; in the order of their trades in tables."""
