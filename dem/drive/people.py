"""What the members of a scenario know of the market, what they want from it, and what their meters show."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping

from dem.community.crowd import Crowd, Session
from dem.community.keys import Wallet
from dem.community.memory import Memories
from dem.community.meters import Meter, runs_of
from dem.community.sessions import within_connections
from dem.drive.members import Community
from dem.messages.readings import ReadingSheet
from dem.messages.signed import Signed
from dem.messages.signing import Domain
from dem.model.mechanisms import AUCTION, DAY_AHEAD, POOL
from dem.model.orders import Order
from dem.relay import bilateral, intraday, wholesale
from dem.relay.following import Following
from dem.relay.records import Records
from dem.replay.replay import Replay


class People:
    """The members of a scenario in a market in which all of them are registered."""

    def __init__(self, community: Community, records: Records) -> None:
        self.community = community
        self.scenario = community.scenario
        self.follow: Callable[[], Replay] = Following(records, self.ended)
        """The replay of all events so far; an outsider who follows the run anyway puts its own in this place."""
        self._records = records
        self._ids: dict[str, int] = {}
        self._memories = Memories(self.scenario)
        self._crowds: dict[int, Crowd] = {}
        self._metered: set[int] = set()
        self._meters: dict[str, Meter] = {}
        self._net: dict[str, dict[int, list[int]]] = defaultdict(dict)
        """What meters showed on the days that have ended, and on those whose readings were pushed."""

    @property
    def ids(self) -> dict[str, int]:
        """Registry number by name, of who has joined."""
        wallets = self.community.wallets
        unknown = [name for name in wallets if name not in self._ids]
        if unknown:
            numbers = self._records.ids_of([wallets[name].account for name in unknown])
            self._ids |= {name: id_ for name, id_ in zip(unknown, numbers, strict=True) if id_}
        return self._ids

    @property
    def wallets(self) -> Mapping[int, Wallet]:
        """Keys by registry number."""
        return {id_: self.community.wallets[name] for name, id_ in self.ids.items()}

    def crowd(self, day: int) -> Crowd:
        """The participants on a day; kept, as they do not change."""
        if day not in self._crowds:
            self._crowds[day] = Crowd(self.scenario, day, self._memories)
        return self._crowds[day]

    # ------------------------------------------------------------------------------------------------ what they know

    def ended(self, day: int, replay: Replay) -> None:
        """A day is final: what its meters showed is remembered, for registers go on counting, and what it taught."""
        if day in self.scenario.days:
            if self._memories.learners:
                self._memories.end(day, self.ids, replay.book(day), replay.settlement(day))
            self._meter(day, replay)
            self._crowds.pop(day, None)

    def _contracted(
        self, day: int, replay: Replay, besides: Collection[str] = (), only: Collection[str] = ()
    ) -> dict[str, list[int]]:
        """What everybody contracted so far, by name: in all markets but some, or in some of them."""
        left_out = set(besides) | ({AUCTION, *replay.markets} - set(only) if only else set())
        names = {id_: name for name, id_ in self.ids.items()}
        return {names[id_]: wh for id_, wh in replay.contracted(day, left_out).items() if id_ in names}

    # ------------------------------------------------------------------------------------------------ what they want

    def pool_orders(self, day: int) -> dict[str, list[Order]]:
        """Everybody's orders in every pool, by its name."""
        contracted = self._contracted(day, self.follow(), only=[bilateral.CONTRACT])
        return self.crowd(day).pool_orders(self.ids, contracted)

    def day_ahead_orders(self, day: int, replay: Replay | None = None) -> list[Order]:
        """Everybody's orders in the day-ahead market; replay: of the events so far, or of all of a day not final."""
        if self.scenario.markets.is_day_ahead_alone and not self._memories.learners:
            return self.crowd(day).orders(self.ids)
        replay = replay or self.follow()
        if self.scenario.markets.is_day_ahead_alone:
            return self.crowd(day).orders(self.ids)
        had = self._contracted(day, replay, besides=[*DAY_AHEAD, wholesale.CONTRACT, intraday.CONTRACT])
        names = [pool.name for pool in self.scenario.config.pools] if self.scenario.markets.pools else []
        books = {name: replay.pool(POOL + name).book(day) for name in names}
        pools = {name: (book.standing, book.fills) for name, book in books.items()}
        return self.crowd(day).orders(self.ids, had, pools)

    def intraday_orders(self, session: Session, day: int, replay: Replay) -> list[Order]:
        """Everybody's orders of an intraday session, of which each fits its member's connection."""
        wanted = self.crowd(day).intraday_orders(session, self.ids, self._contracted(day, replay))
        return within_connections(self.scenario, day, wanted, {id_: name for name, id_ in self.ids.items()})

    # ------------------------------------------------------------------------------------------ what their meters show

    def reading_sheets(self, domain: Domain, day: int) -> list[tuple[int, Signed[ReadingSheet]]]:
        """What meters say of a day in time, with their member's registry number."""
        crowd, ids = self._see_meters(day), self.ids
        return [
            (ids[name], sheet)
            for name, days in self._net.items()
            if day in days
            for sheet in self._meter_of(name, day).sheets(domain, day, crowd.said(name, days[day]))
        ]

    def correction_sheets(self, domain: Domain, day: int) -> list[tuple[int, Signed[ReadingSheet]]]:
        """What meters say of a day after it was due, likewise: late readings, and corrections."""
        crowd = self._see_meters(day)
        found: list[tuple[int, Signed[ReadingSheet]]] = []
        for of, name in self.scenario.reports:
            if of == day and day in self._net[name]:
                shown = self._net[name][day]
                sequence = 1 + len([*runs_of(crowd.said(name, shown))])
                sheets = self._meter_of(name, day).sheets(domain, day, crowd.said_after(name, shown), sequence)
                found += [(self.ids[name], sheet) for sheet in sheets]
        return found

    def _see_meters(self, day: int) -> Crowd:
        """Know what every meter showed up to a day."""
        if self.scenario.islanded or any(member.flexible for member in self.scenario.participants):
            self._meter(day, self.follow())
        else:
            for known in range(1, day + 1):
                self._meter(known, None)
        return self.crowd(day)

    def _meter(self, day: int, replay: Replay | None) -> None:
        """What every meter shows on a day; stores, and what an island cuts, follow what was contracted."""
        if day in self._metered:
            return
        self._metered.add(day)
        contracted = self._contracted(day, replay) if replay else {}
        book = replay.book(day).standing if replay and self.scenario.islanded else None
        for name, values in self.crowd(day).shown(self.ids, contracted, book).items():
            self._net[name][day] = values

    def _meter_of(self, name: str, day: int) -> Meter:
        """The meter that a member has on a day."""
        member = self.scenario.participant(name)
        is_next = member.has_next_meter(day)
        first = member.new_meter if is_next else member.joins
        key = f"{name} from {first}"
        if key not in self._meters:
            wallet = self.community.wallets[name]
            self._meters[key] = Meter(wallet, self._net[name], first or 1, is_next=is_next)
        return self._meters[key]
