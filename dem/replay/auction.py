"""The day-ahead auction (rule 5) as an outsider follows it."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple

from dem.model.markets.intermediaries import brokered_energy, secured_commission
from dem.model.positions import Trades, auction_trades
from dem.model.rules import MarketRules
from dem.replay.book import Book, accept_sheet, compare_clearing
from dem.replay.events import OFFICE
from dem.replay.market import NOTHING, RING, MarketReplay, Moved


class _Secured(NamedTuple):
    """A commission on brokered energy of a day, Wh, and what is kept locked for it."""

    day: int
    energy: int
    amount: int


class AuctionReplay(MarketReplay):
    """Follows the events of a call auction.

    rules: the rules of a day.
    """

    EVENTS = frozenset({"SheetAccepted", "Cleared"})
    IGNORED = OFFICE | {"SheetRejected", "ClearingProgress"}  # what was refused, and a clearing that goes on
    DAY: ClassVar = "day"
    """What differences call its day."""

    def __init__(self, periods_per_day: int, rules: Callable[[int], MarketRules]) -> None:
        self._periods_per_day = periods_per_day
        self._rules = rules
        self._books: dict[int, Book] = {}
        self._locked: dict[int, dict[int, int]] = {}
        self._brokered: dict[int, Mapping[int, int]] = {}
        self._secured: dict[tuple[int, int], _Secured] = {}
        """By member and place in the ring of days: a day is over long before what it secured has to make room."""

    def apply(self, name: str, args: Mapping[str, Any]) -> Moved:
        """Take an event of the contract."""
        match name:
            case "SheetAccepted":
                change = accept_sheet(self.book(args["day"]), args, self._rules(args["day"]))
                self._locked.setdefault(args["day"], defaultdict(int))[args["id"]] += change.collateral
                return Moved(locks=change.locks(args["id"]))
            case "Cleared":
                return Moved(compare_clearing(self.DAY, self.book(args["day"]), args))
        return NOTHING

    def book(self, day: int) -> Book:
        """The orders of a day that is not final."""
        if day not in self._books:
            self._books[day] = Book(day, self._periods_per_day)
        return self._books[day]

    def take(self, book: Book, locked: Mapping[int, int]) -> None:
        """Take the whole book of a day from who knows it without events. locked: collateral by member."""
        self._books[book.day] = book
        self._locked[book.day] = dict(locked)

    def trades(self, day: int) -> Trades:
        """What its orders contracted."""
        book = self.book(day)
        return auction_trades(book.standing, book.fills, book.clearing, self._rules(day).prices)

    def brokered(self, day: int) -> Mapping[int, int]:
        """Wh of a day that members traded through their intermediaries."""
        book = self.book(day)
        return brokered_energy(book.standing, book.fills)

    def keep(self, day: int, id_: int) -> int:
        """The highest commission on the member's brokered energy stays locked; that of a day a ring before does not."""
        if day not in self._brokered:
            self._brokered[day] = self.brokered(day)
        energy = self._brokered[day].get(id_, 0)
        if not energy:
            return 0
        lapsed = self._secured.get((id_, day % RING))
        secured = secured_commission(energy, self._rules(day))
        self._secured[id_, day % RING] = _Secured(day, energy, secured)
        return secured - (lapsed.amount if lapsed else 0)

    def kept(self) -> Mapping[tuple[int, int], int]:
        """What secures commissions."""
        return {(id_, own.day): own.amount for (id_, _), own in self._secured.items()}

    def void(self, day: int) -> Mapping[int, int]:
        """Nothing is owed of a day that does not count, and what secured it is released by decision of the council."""
        places = [place for place, own in self._secured.items() if own.day == day]
        return {place[0]: self._secured.pop(place).amount for place in places}

    def owed(self, day: int) -> Mapping[int, int]:
        """Wh of the day on which a commission is secured and not collected, by member."""
        return {id_: own.energy for (id_, _), own in self._secured.items() if own.day == day and own.amount}

    def collect(self, day: int, id_: int) -> None:
        """A commission is collected."""
        own = self._secured.get((id_, day % RING))
        if own is not None and own.day == day:
            self._secured[id_, day % RING] = own._replace(amount=0)

    def release(self, day: int) -> dict[int, int]:
        """Collateral that settling the day releases, by member."""
        return {id_: locked for id_, locked in self._locked.get(day, {}).items() if locked}

    def forget(self, day: int) -> None:
        """The day is final, and with it those before."""
        self._books = {number: book for number, book in self._books.items() if number > day}
        self._locked.pop(day, None)
        self._brokered.pop(day, None)
