"""Labels of sources (rule 19) as their events tell: who wants whose energy, the labels of final days, and premiums."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from dem.model.coins import as_read
from dem.model.labels import CountedWish, DayLabels, Wish, counted, premium_postings, premiums_due, wishes_in
from dem.model.ledger import FIRST_PARTICIPANT, Ledger
from dem.model.markets.auction import Column
from dem.model.markets.intermediaries import Versions
from dem.model.positions import Exchange
from dem.model.units import Money
from dem.replay.events import Args
from dem.replay.late import LateReconciliations
from dem.replay.market import RING, differences
from dem.replay.payments import Payments
from dem.replay.postings import Postings


class SourceLabels:
    """Compares labels and premiums with the model's. found: where differences are noted."""

    def __init__(
        self,
        ledger: Ledger,
        late: LateReconciliations,
        postings: Postings,
        payments: Payments,
        found: list[str],
    ) -> None:
        self._ledger = ledger
        self._late = late
        self._postings = postings
        self._payments = payments
        self._found = found
        self._lists: dict[int, Versions[Mapping[int, Wish]]] = defaultdict(Versions)
        self._premiums: dict[int, Versions[int]] = defaultdict(Versions)
        self._desks: dict[int, int] = {}
        """Of days that can be labelled, whose nominations are no energy of the area's."""
        self._gathered: dict[int, dict[int, list[CountedWish]]] = defaultdict(dict)
        """By day and consumer."""
        self._labels: dict[int, DayLabels] = {}
        """Of days that are gathered."""
        self.given: dict[int, tuple[Sequence[CountedWish], list[int]]] = {}
        """Wishes of a day and Wh of each, as long as somebody has a premium of the day to pay."""
        self._paid: dict[int, set[int]] = defaultdict(set)
        """By day."""
        self.owed: dict[int, set[int]] = defaultdict(set)
        """Days whose premiums a consumer lacked the money for, by consumer."""
        self._batch: set[int] = set()
        """Who pays in the transaction under way."""

    # ------------------------------------------------------------------------------------------ what is known

    def wishes(self, id_: int, day: int) -> Mapping[int, Wish]:
        """Those of a member for a day, by source."""
        return self._lists[id_].on(day, {}) if id_ in self._lists else {}

    def premium(self, id_: int, day: int) -> int:
        """What a member asks on a day as a source, units/Wh."""
        return self._premiums[id_].on(day, 0) if id_ in self._premiums else 0

    def gathered(self, day: int) -> list[CountedWish]:
        """The wishes of a day as they are gathered so far: what is brought to arrange them."""
        return [wish for _, wishes in sorted(self._gathered[day].items()) for wish in wishes]

    def labels(self, day: int) -> DayLabels:
        """Of a day that is gathered: what is brought to label it."""
        return self._labels[day]

    def due(self, day: int) -> Counter[int]:
        """What consumers have not paid yet for their labels of a day, money units."""
        due = premiums_due(*self.given[day]) if day in self.given else Counter[int]()
        for id_ in self._paid.get(day, ()):
            del due[id_]
        return due

    # ---------------------------------------------------------------------------------------------- applying

    def keep(self, day: int, exchange: Exchange | None) -> None:
        """The day is final; what cannot be labelled any more is forgotten."""
        if exchange is not None:
            self._desks[day] = exchange.desk
        for known in (self._desks, self._gathered, self._labels):
            known.pop(day - RING, None)

    def choose(self, args: Args) -> None:
        """A SourcesChosen."""
        wishes = wishes_in(int.from_bytes(word, "big") for word in args["wishes"])
        self._lists[args["id"]].add(wishes, args["firstDay"], args["earliest"])

    def ask(self, args: Args) -> None:
        """A PremiumAsked."""
        self._premiums[args["id"]].add(args["perWh"], args["firstDay"], args["earliest"])

    def gather(self, args: Args) -> None:
        """A WishesGathered."""
        id_, day = args["id"], args["day"]
        wishes = self.wishes(id_, day)
        premiums = {source: self.premium(source, day) for source in wishes}
        model = counted(id_, wishes, premiums, self._late.day(day).members, owes=bool(self.owed.get(id_)))
        chain, words = [*args["wishes"]], [wish.word for wish in model]
        self._found += differences(f"wishes of member {id_} that count on day {day}", chain, words)
        self._gathered[day][id_] = model

    def end_gathering(self, args: Args) -> None:
        """A DayGathered."""
        day = args["day"]
        last = self._late.day(day).members
        listed = [id_ for id_ in sorted(self._lists) if id_ <= last and self.wishes(id_, day)]
        wishes = self.gathered(day)
        chain, model = (sorted(self._gathered[day]), args["wishes"]), (listed, len(wishes))
        self._found += differences(f"members with wishes on day {day}", chain, model)
        self._labels[day] = DayLabels(self._net(day), wishes)

    def label(self, args: Args) -> None:
        """A DayLabelled."""
        day = args["day"]
        labels = self._labels.pop(day)
        self._gathered.pop(day, None)
        given = labels.given()
        words = [wish.word for wish in labels.wishes]
        chain = ([*args["wishes"]], [*args["given"]])
        self._found += differences(f"labels of day {day}", chain, (words, given))
        self.given[day] = (labels.wishes, given)
        self._forget_paid(day)

    def pay(self, args: Args) -> None:
        """A PremiumPaid."""
        id_, day = args["id"], args["day"]
        self._compare(args, has_money=True)
        if not self._postings.announced:
            self._batch = set()
        self._batch.add(id_)
        wishes, given = self.given[day]
        self._postings.announced = premium_postings(wishes, given, self._batch)
        for posting in premium_postings(wishes, given, [id_]):
            self._payments.add(posting.account, day, "premium of a source", Money(posting.amount))
        self._paid[day].add(id_)
        self.owed.get(id_, set()).discard(day)
        self._forget_paid(day)

    def owe(self, args: Args) -> None:
        """A PremiumOwed."""
        self._compare(args, has_money=False)
        self.owed[args["id"]].add(args["day"])

    def _compare(self, args: Args, *, has_money: bool) -> None:
        id_, day = args["id"], args["day"]
        due = self.due(day)[id_]
        chain, model = (args["units"], has_money), (due, self._ledger.record(id_).free >= due)
        self._found += differences(f"premiums of member {id_} for day {day}", chain, model)

    def _forget_paid(self, day: int) -> None:
        if not self.due(day):
            self.given.pop(day)
            self._paid.pop(day, None)

    def _net(self, day: int) -> dict[int, Column]:
        """By member, Wh by slot; zero where nobody has read it, and of the wholesale desk."""
        known = self._late.day(day)
        found = {
            id_: as_read(known.energies(id_)[1], known.estimates(id_))
            for id_ in range(FIRST_PARTICIPANT, known.members + 1)
        }
        if day in self._desks:
            found[self._desks[day]] = found[self._desks[day]] * 0
        return found
