"""Labels of sources (rule 19) on the contracts: whom a final day's energy goes to, premiums, and what is refused."""

from collections.abc import Mapping
from random import Random

import pytest
from support.evm.chain import Event, Refused
from support.evm.keys import Key, struct
from support.evm.limited import LimitedDay
from support.evm.market import STRANGER
from support.evm.people import Person, readings, register, sign_readings
from support.rules import CALENDAR

from dem.messages.members import SourceList, SourcePremium, Withdrawal
from dem.model.labels import MAX_WISHES, Wish, list_words
from dem.model.units import UnitsPerWh

CONTRACT = "SourceLabels"
ALL = 1_000
MOST = 9_000
SLOTS = CALENDAR.periods_per_day
STRIPS = SLOTS // 6
RICH = 10**12


def flat(energy: int) -> list[int]:
    """The same in every slot, Wh."""
    return [energy] * SLOTS


class LabelDay(LimitedDay):
    """Five members with connections of any size, who name each other as sources before day 1 opens."""

    def __init__(self) -> None:
        super().__init__()
        self._labelled: dict[int, Event] = {}
        self.market.listeners.append(self._note)
        self.people = [self.buyer, self.seller, self.neighbour]
        for n in (3, 4):
            self.join(Person.numbered(n), RICH)

    def _note(self, events: list[Event]) -> None:
        self._labelled |= {event.args["day"]: event for event in events if event.name == "DayLabelled"}

    def join(self, person: Person, money: int) -> Person:
        """One more member."""
        register(self.market, person)
        if money:
            self.market.act("Accounts.deposit", person.account.address, money, bytes([100 + person.id] * 32))
        self.people.append(person)
        return person

    # ---------------------------------------------------------------------------------------------------- signing

    def want(
        self, consumer: Person, wishes: Mapping[Person, Wish], day: int = 1, sequence: int = 1, by: Key | None = None
    ) -> None:
        words = list_words({source.id: wish for source, wish in wishes.items()})
        self.choose(consumer.account, words, day, sequence, by)

    def choose(
        self, owner: Key, words: tuple[int, ...], day: int = 1, sequence: int = 1, by: Key | None = None
    ) -> None:
        message = SourceList(owner.address, words, day, sequence)
        signature = (by or owner).sign(self.market.domain(CONTRACT), message)
        self.market.act(f"{CONTRACT}.choose", struct(message), signature)

    def ask(self, source: Person, per_wh: int, day: int = 1, sequence: int = 1, by: Key | None = None) -> None:
        message = SourcePremium(source.account.address, UnitsPerWh(per_wh), day, sequence)
        signature = (by or source.account).sign(self.market.domain(CONTRACT), message)
        self.market.act(f"{CONTRACT}.ask", struct(message), signature)

    # ---------------------------------------------------------------------------------------------------- the day

    def flow(self, nets: Mapping[Person, list[int] | None], day: int = 1) -> None:
        """What meters show, Wh by slot; of who has none nobody reads it. Then the day is final."""
        market = self.market
        market.now = CALENDAR.metering_deadline(day)
        for person in self.people:
            if (net := nets.get(person, flat(0))) is not None:
                sheet = sign_readings(market, readings(market, person, day, 0, net), person.meter)
                market.act("MeterReadings.enter", sheet)
                person.imported += sum(max(0, energy) for energy in net)
                person.exported += sum(max(0, -energy) for energy in net)
        self._until("MeteringClosed", "MeterReadings.close", day)
        self._until("DaySettled", "Settlement.settle", day)
        market.now = CALENDAR.corrections_close_at(day)
        market.act("Settlement.finalize", day)

    def _until(self, name: str, function: str, day: int, members: int = 100) -> None:
        """Call it for so many members at once, until an event tells that it was the last time."""
        while not any(event.name == name for event in self.market.act(function, day, members)):
            pass

    def gather(self, day: int = 1, at_once: int = ALL) -> None:
        self._until("DayGathered", f"{CONTRACT}.gather", day, at_once)

    def arrange(self, day: int = 1, **changes: object) -> None:
        replay = self.market.replay.labels
        words = [wish.word for wish in replay.gathered(day)]
        brought = {"wishes": words, "places": replay.labels(day).places, **changes}
        self.market.act(f"{CONTRACT}.arrange", day, *brought.values())

    def label_some(self, count: int | None = None, day: int = 1, **changes: object) -> list[Event]:
        """So many rounds of the next strip, or all that are left of it."""
        labels = self.market.replay.labels.labels(day)
        _, strip, place = self.market.call(CONTRACT, "progressOf", day)
        brought = {
            "net": labels.left(strip, place),
            "wishes": [wish.word for wish in labels.wishes],
            "given": labels.given(strip, place),
            "levels": labels.levels(strip, place, count),
            **changes,
        }
        return self.market.act(f"{CONTRACT}.label", day, *brought.values())

    def label(self, day: int = 1, members: int = ALL, rounds: int | None = None) -> None:
        """All steps, in parts of so many members and rounds."""
        self.gather(day, members)
        if not self.market.call(CONTRACT, "isLabelled", day):
            self.arrange(day)
        while not self.market.call(CONTRACT, "isLabelled", day):
            self.label_some(rounds, day)

    def pay(self, *people: Person, day: int = 1, **changes: object) -> None:
        args = self._labelled[day].args if day in self._labelled else {"wishes": [], "given": []}
        brought = {"wishes": args["wishes"], "given": args["given"], **changes}
        self.market.act(f"{CONTRACT}.pay", day, [person.id for person in people], *brought.values())

    def given(self, day: int = 1) -> dict[tuple[int, int], int]:
        """Wh by source and consumer, as the chain told it."""
        args = self._labelled[day].args
        pairs = [(word >> 64 & 2**32 - 1, word >> 32 & 2**32 - 1) for word in args["wishes"]]
        return {pair: energy for pair, energy in zip(pairs, args["given"], strict=True) if energy}

    def is_sound(self) -> bool:
        return not self.market.replay.differences and self.reconciled()


@pytest.fixture
def played() -> LabelDay:
    return LabelDay()


@pytest.mark.parametrize(
    ("whole", "lacks", "parts"),
    [
        (10_000, [2_000, 5_000, 9_000], [2_000, 4_000, 4_000]),
        (10_001, [2_000, 5_000, 9_000], [2_000, 4_001, 4_000]),
        (7, [5, 5, 5], [3, 2, 2]),
        (20, [5, 5, 5], [5, 5, 5]),
    ],
)
def test_the_worked_examples(played, whole, lacks, parts):
    """In one slot of the day, and nothing in the others."""
    people = [*played.people[3:], *(played.join(Person.numbered(n), RICH) for n in (5, 6))]
    source, consumers = people[0], people[1:]
    for consumer in consumers:
        played.want(consumer, {source: Wish(0, 10)})
    played.ask(source, 10)
    nothing = [0] * (SLOTS - 1)
    nets = {one: [*nothing, lack] for one, lack in zip(consumers, lacks, strict=True)}
    played.flow(nets | {source: [*nothing, -whole]})
    played.label()
    assert [played.given()[source.id, one.id] for one in consumers] == parts
    had = [played.free(one.id) for one in people]
    played.pay(*consumers)
    changes = [played.free(one.id) - before for one, before in zip(people, had, strict=True)]
    assert changes == [10 * sum(parts), *(-10 * part for part in parts)]
    assert played.is_sound()


def test_an_earlier_tier_comes_first_and_only_what_was_labelled_is_paid(played):
    """A would rather have D's, B that of E alone; E asks a premium, D none."""
    a, b, _, d, e = played.people
    played.want(a, {d: Wish(0, 0), e: Wish(1, MOST)})
    played.want(b, {e: Wish(0, MOST)})
    played.ask(e, MOST)
    played.flow({a: flat(900), b: flat(500), d: flat(-300), e: flat(-700)})
    played.label()
    assert played.given() == {(e.id, b.id): 500 * SLOTS, (d.id, a.id): 300 * SLOTS, (e.id, a.id): 200 * SLOTS}
    had = [played.free(one.id) for one in (a, b, d, e)]
    played.pay(a, b)
    paid = [before - played.free(one.id) for one, before in zip((a, b, d, e), had, strict=True)]
    assert paid == [200 * SLOTS * MOST, 500 * SLOTS * MOST, 0, -700 * SLOTS * MOST]
    assert played.is_sound()


@pytest.mark.parametrize("seed", range(4))
def test_random_days_in_random_parts(seed):
    random = Random(f"labels/{seed}")
    played = LabelDay()
    for n in (5, 6):
        played.join(Person.numbered(n), random.choice((0, RICH)))
    for consumer in random.sample(played.people, 6):
        others = [one for one in played.people if one is not consumer]
        sources = random.sample(others, random.randint(0, len(others)))
        played.want(consumer, {one: Wish(random.randint(0, 2), random.choice((0, 50, 100))) for one in sources})
    for source in random.sample(played.people, 3):
        played.ask(source, random.choice((0, 40, 100)))
    nets = {one: [random.randint(-800, 900) for _ in range(SLOTS)] for one in played.people}
    if random.random() < 0.5:
        nets[random.choice(played.people)] = None
    played.flow(nets)
    played.label(members=random.choice((1, 2, ALL)), rounds=random.choice((1, 2, None)))
    replay = played.market.replay.labels
    for person in random.sample(played.people, len(played.people)):
        if replay.due(1)[person.id]:
            played.pay(person)
    assert all(person.id in replay.owed for person in played.people if replay.due(1)[person.id])
    assert played.is_sound()


def test_who_signs_first_does_not_matter():
    found = []
    for order in (1, -1):
        played = LabelDay()
        for consumer in played.people[:3][::order]:
            played.want(consumer, {one: Wish(0, 0) for one in played.people[3:][::order]})
        nets = {one: flat(700) for one in played.people[:3]}
        played.flow(nets | {one: flat(-500) for one in played.people[3:]})
        played.label()
        found.append(played.given())
    assert found[0] == found[1]


def test_nobody_pays_more_than_it_agreed_to(played):
    """A source asks more than one of two consumers pays: that one goes without, and the other has it all."""
    a, b, source = played.people[:3]
    played.want(a, {source: Wish(0, MOST - 1)})
    played.want(b, {source: Wish(0, MOST)})
    played.ask(source, MOST)
    played.flow({a: flat(900), b: flat(900), source: flat(-700)})
    played.label()
    assert played.given() == {(source.id, b.id): 700 * SLOTS}
    with pytest.raises(Refused, match="NothingToPay"):
        played.pay(a)
    assert played.is_sound()


def test_a_premium_is_known_before_the_last_list_for_its_day_is_signed(played):
    source, consumer = played.people[:2]
    played.market.now = CALENDAR.opens_at(1)
    with pytest.raises(Refused, match="TooLateToAnnounce"):
        played.ask(source, 1, day=2)
    played.want(consumer, {source: Wish(0, 1)}, day=2)
    played.ask(source, 2, day=3)
    played.market.now = CALENDAR.opens_at(2)
    played.want(consumer, {}, day=3, sequence=2)
    replay = played.market.replay.labels
    assert [len(replay.wishes(consumer.id, day)) for day in (1, 2, 3)] == [0, 1, 0]
    assert [replay.premium(source.id, day) for day in (2, 3)] == [0, 2]


def test_messages_are_signed_in_order_in_time_and_by_members(played):
    a, b = played.people[:2]
    a_key = a.account
    for words, error in (
        (list_words({a.id: Wish(0, 0)}), "NoSuchSource"),
        (list_words({5: Wish(0, 0)}), "NoSuchSource"),
        (list_words({b.id: Wish(0, 0)}) * 2, "NoSuchSource"),
        (list_words({b.id: Wish(0, 0)}) + list_words({b.id: Wish(1, 0)}), "NoSuchSource"),
        (list_words({b.id: Wish(1, 0), 9: Wish(0, 0)})[::-1], "NoSuchSource"),
        ((1 << 72 | list_words({b.id: Wish(0, 0)})[0],), "NoSuchSource"),
        (list_words({100 + n: Wish(0, 0) for n in range(16)}) + list_words({200: Wish(0, 0)}), "TooManySources"),
    ):
        with pytest.raises(Refused, match=error):
            played.choose(a_key, words)
    for say in (lambda **how: played.want(a, {b: Wish(0, 0)}, **how), lambda **how: played.ask(a, 1, **how)):
        with pytest.raises(Refused, match="NotSignedBy"):
            say(by=STRANGER)
        say(sequence=3)
        with pytest.raises(Refused, match="StaleMessage"):
            say(sequence=3)
        with pytest.raises(Refused, match="NoSuchDay"):
            say(sequence=4, day=65_536)
        with pytest.raises(Refused, match="TooLateToAnnounce"):
            say(sequence=4, day=0)
    with pytest.raises(Refused, match="NotAMember"):
        played.choose(STRANGER, ())
    played.market.act("ParticipantRegistry.suspend", b.id)
    with pytest.raises(Refused, match="NotAMember"):
        played.ask(b, 1)


def test_the_fallback_supplier_advances_no_premium_and_who_owes_has_no_labels(played):
    """A consumer without money takes a source's energy from another one for a day, and for no second one."""
    a, b, source = played.people[:3]
    poor = played.join(Person.numbered(5), 0)
    for one in (poor, b):
        played.want(one, {source: Wish(0, MOST)})
    played.ask(source, MOST)
    nets = {poor: flat(900), b: flat(900), source: flat(-800), a: flat(0)}
    played.flow(nets)
    played.label()
    supplier, had = played.free(3), played.free(source.id)
    played.pay(b, poor)
    assert (played.free(3), played.free(source.id)) == (supplier, had + 400 * SLOTS * MOST)
    with pytest.raises(Refused, match="NothingToPay"):
        played.pay(b, poor)
    assert played.market.call(CONTRACT, "owedDaysOf", poor.id) == 1
    played.flow(nets, day=2)
    played.label(day=2)
    assert played.given(2) == {(source.id, b.id): 800 * SLOTS}
    owed = 400 * SLOTS * MOST
    arrears = played.market.account(poor.id).arrears
    played.market.act("Accounts.deposit", poor.account.address, owed + arrears, b"late".ljust(32))
    had = played.free(source.id)
    played.pay(poor)
    assert played.free(source.id) == had + owed
    assert played.market.call(CONTRACT, "owedDaysOf", poor.id) == 0
    played.pay(b, day=2)
    assert played.is_sound()


def test_who_takes_its_money_out_before_it_pays_stops_nobody_else(played):
    a, b, source = played.people[:3]
    for one in (a, b):
        played.want(one, {source: Wish(0, MOST)})
    played.ask(source, MOST)
    played.flow({a: flat(900), b: flat(900), source: flat(-800)})
    played.label()
    amount = played.free(a.id)
    message = Withdrawal(a.account.address, amount, False, a.next_sequence())
    signature = a.account.sign(played.market.domain("Accounts"), message)
    played.market.act("Accounts.withdraw", struct(message), signature)
    had = played.free(source.id)
    played.pay(a, b)
    assert played.free(source.id) - had == 400 * SLOTS * MOST
    assert played.market.account(a.id).arrears == 0
    assert played.is_sound()


def test_what_nobody_has_read_is_neither_given_nor_had(played):
    """A reading that comes late changes no label: the rounds of all others would change with it."""
    a, b, source, other = played.people[:4]
    for one in (a, b):
        played.want(one, {source: Wish(0, 0), other: Wish(0, 0)})
    played.flow({a: None, b: flat(900), source: None, other: flat(-300)})
    played.label()
    assert played.given() == {(other.id, b.id): 300 * SLOTS}
    played.correct(source, flat(-700))
    assert played.given() == {(other.id, b.id): 300 * SLOTS}
    assert played.is_sound()


def test_only_what_the_steps_have_left_is_taken_and_only_the_right_level(played):
    a, b, source = played.people[:3]
    other = played.people[3]
    for one in (a, b):
        played.want(one, {source: Wish(0, MOST), other: Wish(1, MOST)})
    played.ask(source, 1)
    played.flow({a: flat(900), b: flat(200), source: flat(-701), other: flat(-100)})
    act = played.market.act
    with pytest.raises(Refused, match="NotTheNextStep"):
        act(f"{CONTRACT}.arrange", 1, [], [])
    played.gather(at_once=1)
    with pytest.raises(Refused, match="NotTheNextStep"):
        act(f"{CONTRACT}.gather", 1, ALL)
    words = [wish.word for wish in played.market.replay.labels.gathered(1)]
    for changes, error in (
        ({"wishes": words[:-1]}, "NotLeft"),
        ({"wishes": words[::-1]}, "NotLeft"),
        ({"places": [0, 0, 2, 3]}, "NotInOrder"),
        ({"places": [2, 0, 1, 3]}, "NotInOrder"),
        ({"places": [0, 2, 1, 4]}, "NotInOrder"),
        ({"places": [0, 2, 1]}, "NotInOrder"),
    ):
        with pytest.raises(Refused, match=error):
            played.arrange(**changes)
    played.arrange()
    labels = played.market.replay.labels.labels(1)
    net, [level, last] = labels.left(0), labels.levels(0)
    lane, highest = 1 << 200, 1 << 239
    for changes, error in (
        ({"net": [net[1], net[0], *net[2:]]}, "NotLeft"),
        ({"net": net[:-1]}, "NotLeft"),
        ({"wishes": words}, "NotLeft"),
        ({"given": [1, 0, 0, 0]}, "NotLeft"),
        ({"levels": []}, "NoSuchGroup"),
        ({"levels": [level, last, last]}, "NoSuchGroup"),
        ({"levels": [level + 1]}, "WrongLevel"),
        ({"levels": [level - 1]}, "WrongLevel"),
        ({"levels": [level + lane]}, "WrongLevel"),
        ({"levels": [level - lane]}, "WrongLevel"),
        ({"levels": [level | highest]}, "WrongLevel"),
        ({"levels": [level | 1 << 255]}, "WrongLevel"),
        ({"levels": [2**256 - 1]}, "WrongLevel"),
    ):
        with pytest.raises(Refused, match=error):
            played.label_some(**changes)
    with pytest.raises(Refused, match="NotLabelled"):
        played.pay(a)
    played.label_some(1)
    with pytest.raises(Refused, match="NotLeft"):
        played.label_some(net=net)
    while not played.market.call(CONTRACT, "isLabelled", 1):
        played.label_some()
    for changes in ({"given": [0, 0, 0, 0]}, {"wishes": words}):
        with pytest.raises(Refused, match="NotLabelled"):
            played.pay(a, b, **changes)
    with pytest.raises(Refused, match="NotInOrder"):
        played.pay(b, a)
    stranger = Person.numbered(99, id=2**32 - 1)
    with pytest.raises(Refused, match="NothingToPay"):
        played.pay(source, stranger)
    played.pay(a, b, stranger)
    assert played.is_sound()


def test_so_many_wishes_count_that_a_transaction_brings_them(played):
    """Where there are many members the last wishes of everybody's list go without, whoever signs first."""
    consumer, *known, last = played.people
    others = [Person.numbered(n, import_capacity=1, export_capacity=1) for n in range(5, MAX_WISHES // 15)]
    for person in others:
        register(played.market, person)
    first = [*known, *others[: 15 - len(known)]]
    played.want(consumer, {one: Wish(0, 0) for one in first} | {last: Wish(1, 0)})
    played.flow({consumer: flat(900), known[0]: flat(-100), last: flat(-500)})
    played.label(members=100)
    assert played.given() == {(known[0].id, consumer.id): 100 * SLOTS}
    assert played.is_sound()


def test_days_are_labelled_once_final_and_in_time(played):
    gather, now = f"{CONTRACT}.gather", played.market.now
    a, b = played.people[:2]
    played.want(a, {b: Wish(0, 0)})
    for day in (0, 1):
        with pytest.raises(Refused, match="DayNotFinal"):
            played.market.act(gather, day, ALL)
    played.flow({})
    assert played.market.now > now
    with pytest.raises(Refused, match="NoMembersGiven"):
        played.market.act(gather, 1, 0)
    played.market.now = CALENDAR.start_of(9)
    with pytest.raises(Refused, match="DayLapsed"):
        played.market.act(gather, 1, ALL)
    played.market.now = CALENDAR.start_of(9) - 1
    played.label()
    assert played.given() == {}
    assert played.is_sound()


def test_a_day_without_wishes_is_labelled_when_it_is_gathered(played):
    played.flow({one: flat(-100) for one in played.people})
    played.label()
    assert played.market.call(CONTRACT, "isLabelled", 1)
    assert played.is_sound()
