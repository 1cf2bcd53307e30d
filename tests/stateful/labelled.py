"""Labels of sources in the machine: lists and premiums, the steps of a final day, and what is paid for labels."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from random import Random
from typing import Any

from support.evm.chain import Event, Refused
from support.evm.keys import Key, struct
from support.evm.market import STRANGER
from support.evm.people import Person, readings, sign_readings
from support.evm.pools import PooledMarket

from dem.messages.members import SourceList, SourcePremium
from dem.model.labels import Wish, list_words
from dem.model.units import UnitsPerWh
from dem.replay.market import RING

LABELS = "SourceLabels"
CAPACITY = 300
"""Wh per period."""


class Labelled:
    """Part of the machine."""

    random: Random
    market: PooledMarket
    brought: Counter[str]
    state: Any
    _do: Callable[..., Refused | None]
    _today: Callable[[], int]
    _try: Callable[..., Refused | None]
    _innocent: Callable[[], Person]
    _innocents: Callable[[], list[Person]]
    _last_final: Callable[[], int]
    _unless_settling: Callable[[Collection[str]], Collection[str]]

    ACTIONS = (
        (8, "name_sources"),
        (6, "ask_for_a_premium"),
        (18, "label_some"),
        (8, "pay_premiums"),
        (5, "feed_in_and_draw"),
    )

    def _begin_labels(self) -> None:
        self._steps: dict[int, str] = {}
        """The function of a day that comes next, where it is not the first one; none once it is labelled."""
        self._labels: dict[int, Event] = {}
        """Those of the days that have some."""
        self._premiums_paid: Counter[tuple[int, int]] = Counter()
        """By member and day."""
        self.market.listeners.append(self._note_labels)

    def _note_labels(self, events: list[Event]) -> None:
        """No premium is paid twice."""
        for event in events:
            day = event.args.get("day", 0)
            if event.name == "DayGathered":
                self._steps[day] = "arrange"
            elif event.name == "DayLabelled":
                self._steps[day] = ""
                self._labels[day] = event
            elif event.name == "PremiumPaid":
                self._premiums_paid[event.args["id"], day] += 1
                assert self._premiums_paid[event.args["id"], day] == 1, f"{event.args} is paid twice"

    def _first_day(self) -> int:
        """One that has not opened, mostly."""
        calendar = self.market.calendar
        opened = (self.market.now + calendar.open_lead - calendar.opening) // calendar.day_length + 1
        return max(1, opened + self.random.choice((0, *[1] * 8, 2, 3)))

    def _say(self, function: str, message: SourceList | SourcePremium, signer: Key) -> None:
        may = {"TooLateToAnnounce", "NotAMember", "NoSuchSource"} | ({"NotSignedBy"} if signer is STRANGER else set())
        signature = signer.sign(self.market.domain(LABELS), message)
        self._try(f"{LABELS}.{function}", struct(message), signature, may=may)

    def name_sources(self) -> None:
        """One member or several, each its own; of those who carry out no attack."""
        for _ in range(self.random.choice((1, 6))):
            self._name_sources(self._innocent())

    def _name_sources(self, consumer: Person) -> None:
        """Some or none, in tiers, each with the most that is paid for it."""
        random = self.random
        sources = {self._innocent().id for _ in range(random.choice((0, 3, 9)))}
        if random.random() < 0.95:
            sources.discard(consumer.id)
        words = list_words({source: Wish(random.randint(0, 1), random.choice((0, 100, 100))) for source in sources})
        message = SourceList(consumer.account.address, words, self._first_day(), consumer.next_sequence())
        self._say("choose", message, consumer.account if random.random() < 0.95 else STRANGER)

    def ask_for_a_premium(self) -> None:
        """For what a member feeds in."""
        random, source = self.random, self._innocent()
        per_wh = UnitsPerWh(random.choice((0, 40, 60, 60, 10**9)))
        message = SourcePremium(source.account.address, per_wh, self._first_day() + 1, source.next_sequence())
        self._say("ask", message, source.account if random.random() < 0.95 else STRANGER)

    def feed_in_and_draw(self) -> None:
        """Of a day that is over, or nearly: a source feeds in, and who wants it draws, as their meters say."""
        self._read_wanted(max(1, self._today() - self.random.choice((0, 1))))

    def _read_wanted(self, day: int) -> None:
        replay, homes = self.market.replay.labels, {one.id: one for one in self._innocents() if one.meter is not None}
        wanted = {id_: [source for source in replay.wishes(id_, day) if source in homes] for id_ in homes}
        sources = sorted({source for found in wanted.values() for source in found})
        dear = [source for source in sources if replay.premium(source, day)]
        if not sources:
            return
        source = self.random.choice(dear or sources)
        sheets = []
        for id_ in [source, *(id_ for id_, found in wanted.items() if source in found)]:
            energy = self.random.randint(1, CAPACITY) * (-1 if id_ == source else 1)
            message = readings(self.market, homes[id_], day, 0, [energy] * self.market.calendar.periods_per_day)
            sheets.append(sign_readings(self.market, message, homes[id_].meter))
        settling = ("DayBeingSettled",) * (self.state.in_settlement != 0)
        if self._do("MeterReadings.submit", sheets, may=settling) is None:
            self.brought["MeterReadings"] += len(sheets)

    def label_some(self) -> None:
        """The next step of a final day, or of one that is not, or that has lapsed."""
        last = self._last_final()
        due = [day for day in range(max(1, last - RING + 2), last + 1) if self._steps.get(day, "gather")]
        day = due[0] if due and self.random.random() < 0.9 else max(1, last + self.random.choice((-9, 0, 1)))
        for _ in range(self.random.choice((1, 3, 9))):
            if self._step(day) is not None or not self._steps.get(day, "gather"):
                return

    def _step(self, day: int) -> Refused | None:
        step, random = self._steps.get(day, "gather"), self.random
        objections = {
            "DayNotFinal": day > self._last_final(),
            "DayLapsed": self.market.now >= self.market.calendar.start_of(day + RING),
            "NotTheNextStep": not step,
        }
        reasons = {error for error, is_true in objections.items() if is_true}
        if reasons or step == "gather":
            refused = self._try(f"{LABELS}.gather", day, random.choice((1, 3, 100)), may=reasons)
        elif step == "arrange":
            refused = self._arrange(day, reasons)
        else:
            refused = self._label(day, reasons)
        assert bool(refused) == bool(reasons), f"labels of day {day}: {step} in spite of {reasons}"
        return refused

    def _arrange(self, day: int, reasons: set[str]) -> Refused | None:
        """In the right order, or in another one."""
        replay = self.market.replay.labels
        words, places = [wish.word for wish in replay.gathered(day)], [*replay.labels(day).places]
        if len(places) > 1 and self.random.random() < 0.1:
            places[0], places[-1] = places[-1], places[0]
            reasons.add("NotInOrder")
        refused = self._try(f"{LABELS}.arrange", day, words, places, may=reasons)
        if refused is None:
            self._steps[day] = "label"
        return refused

    def _label(self, day: int, reasons: set[str]) -> Refused | None:
        """A round or all of a strip; or with a level that is none."""
        labels = self.market.replay.labels.labels(day)
        _, strip, place = self.market.call(LABELS, "progressOf", day)
        words, levels = (
            [wish.word for wish in labels.wishes],
            labels.levels(strip, place, self.random.choice((1, None))),
        )
        if self.random.random() < 0.03:
            levels = []
            reasons.add("NoSuchGroup")
        brought = labels.left(strip, place), words, labels.given(strip, place), levels
        return self._try(f"{LABELS}.label", day, *brought, may=reasons)

    def _label_day(self, day: int) -> None:
        """All of it, if there is still time; and whoever can pays for it."""
        while self.market.now < self.market.calendar.start_of(day + RING) and self._steps.get(day, "gather"):
            self._step(day)
        for id_ in sorted(self.market.replay.labels.due(day)):
            self._pay(day, [id_])

    def pay_premiums(self) -> None:
        """Of some consumers, of a day with labels; of who has the money. Whoever has paid pays nothing."""
        random, replay = self.random, self.market.replay.labels
        if not self._labels:
            return
        owing = [day for day in self._labels if replay.due(day)]
        day = random.choice(owing if owing and random.random() < 0.9 else [*self._labels])
        ids = [id_ for id_ in sorted(replay.due(day)) if random.random() < 0.7] or [random.randint(6, 12)]
        self._pay(day, ids)

    def _pay(self, day: int, ids: Sequence[int]) -> None:
        replay, told = self.market.replay.labels, self._labels[day].args
        is_new = any(replay.due(day)[id_] and day not in replay.owed.get(id_, ()) for id_ in ids)
        lists = told["wishes"], told["given"]
        refused = self._try(f"{LABELS}.pay", day, ids, *lists, may=self._unless_settling({"NothingToPay"}))
        assert refused is None or refused.error == "MoneyHeld" or not is_new, f"nobody of {ids} pays for day {day}"
