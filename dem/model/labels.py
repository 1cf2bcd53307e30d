"""Labels (rule 19): whose energy a member draws, by its own preferences, and the premium of the source.

The bit-exact model of SourceLabels.sol. After Powerpeers, a utility whose customers choose the plants they draw from,
and the equal rounds of Enosi. A consumer names sources, each in a tier. Of a final slot each source's energy is given
to who wants it, tier by tier, in each of them source by source. Whoever wants a source and still lacks energy gets the
same of it, as far as it lacks so much. What a consumer lacks in the end is of the residual mix. A source may ask for a
premium on what it gives.

Three things favour somebody by its number or by its accounts, not by what it wants. Of what cannot be shared evenly
the first members by number get 1 Wh more. Of sources in one tier the first by number gives first, so that a later one
may keep energy, and miss the premium, that the first one would have kept. And the rounds count members, not energy: the
owner of two accounts gets two parts, if the load of both is large enough.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import accumulate, groupby
from typing import NamedTuple

import numpy as np

from dem.errors import InputError, require_range
from dem.model.commitments import strips_of
from dem.model.ledger import FIRST_PARTICIPANT, Posting
from dem.model.markets.auction import Column
from dem.model.positions import Grid
from dem.model.strips import LANE_BITS, LANES
from dem.model.units import Money

MAX_SOURCES = 16
"""That a list names."""
MAX_WISHES = 8_000
"""That count on a day, however many lists there are."""

_NUMBER_BITS, _TIER_BITS = 32, 8

Wishes = Mapping[int, Mapping[int, int]]
"""By consumer: the tier of each source it wants, the first one 0."""


class Wish(NamedTuple):
    """Of a source. tier: the first one is 0. most: what the consumer pays for it at most, units/Wh."""

    tier: int
    most: int


class CountedWish(NamedTuple):
    """A wish that counts on a day, in the order of the rounds. premium: units/Wh."""

    tier: int
    source: int
    consumer: int
    premium: int

    @property
    def word(self) -> int:
        """As the contract has it."""
        word = self.tier
        for part in self[1:]:
            word = word << _NUMBER_BITS | part
        return word


class Labels(NamedTuple):
    """Whose energy was drawn, Wh.

    given: by source and consumer. residual: what each consumer drew without a label. kept: of each source, what nobody
    who lacked energy wanted.
    """

    given: Counter[tuple[int, int]]
    residual: Counter[int]
    kept: Counter[int]


class Round(NamedTuple):
    """What a source gives those who want it in one tier, Wh. level: see `level_of`. parts: by consumer."""

    source: int
    level: int
    parts: Mapping[int, int]


# ------------------------------------------------------------------------------------------------------ equal rounds


def labelled(net: Mapping[int, int], wishes: Wishes) -> Labels:
    """The labels of a slot. net: what each member's meter shows, Wh, drawn positive; who feeds in is a source.

    Raises:
        InputError: somebody wants energy, or is wanted, that has no meter; or a tier is below 0.
    """
    given: Counter[tuple[int, int]] = Counter()
    left = Counter(net)
    for source, _, parts in rounds(net, wishes):
        for consumer, energy in parts.items():
            given[source, consumer] = energy
            left[consumer] -= energy
            left[source] += energy
    return Labels(+given, +left, -left)


def rounds(net: Mapping[int, int], wishes: Wishes) -> Iterator[Round]:
    """What a slot's sources give, tier by tier. net, errors: as `labelled`."""
    lacks, kept = (Counter({id_: sign * own for id_, own in net.items() if sign * own > 0}) for sign in (1, -1))
    for (_tier, source), wanted in groupby(_in_order(net, wishes), lambda wish: wish[:2]):
        lacking = {consumer: lacks[consumer] for *_, consumer in wanted if lacks[consumer]}
        level = level_of(kept[source], [*lacking.values()])
        parts = dict(zip(lacking, _shares_at(level, kept[source], [*lacking.values()]), strict=True))
        lacks.subtract(parts)
        kept[source] -= sum(parts.values())
        yield Round(source, level, parts)


def shares(whole: int, lacks: Sequence[int]) -> list[int]:
    """What members get of so much energy, Wh, in equal rounds. lacks: of each member, more than 0.

    In a round each gets what is left divided by those who still lack, rounded down, or what it lacks. When that is
    nothing, the first of them get 1 Wh each, until nothing is left.
    """
    return _shares_at(level_of(whole, lacks), whole, lacks)


def level_of(whole: int, lacks: Sequence[int]) -> int:
    """What the rounds come to, Wh: the most that everybody can have who lacks so much.

    To check one that somebody brings takes a single pass: all get it or what they lack, and what is then left is less
    than 1 Wh for each of those who lack more.
    """
    left = whole
    in_order = sorted(lacks)
    for place, lack in enumerate(in_order):
        level = left // (len(in_order) - place)
        if level < lack:
            return level
        left -= lack
    return in_order[-1] if in_order else 0


def _shares_at(level: int, whole: int, lacks: Sequence[int]) -> list[int]:
    left = whole - sum(min(level, lack) for lack in lacks)
    parts = []
    for lack in lacks:
        more = int(lack > level and left > 0)
        left -= more
        parts.append(min(level, lack) + more)
    return parts


def _in_order(net: Mapping[int, int], wishes: Wishes) -> list[tuple[int, int, int]]:
    """Tier, source and consumer of each wish, sorted by them."""
    found = []
    for consumer, wanted in wishes.items():
        for source, tier in wanted.items():
            require_range(f"tier of source {source} for member {consumer}", tier, 0)
            found.append((tier, source, consumer))
    for id_ in {id_ for _, *both in found for id_ in both}:
        if id_ not in net:
            raise InputError("member in wishes", id_, "has no meter in this slot")
    return sorted(found)


# --------------------------------------------------------------------------------------------------------- wishes


def list_words(wishes: Mapping[int, Wish]) -> tuple[int, ...]:
    """A member's list as it is signed, by tier and source.

    Raises:
        InputError: too many sources, or a number that does not fit.
    """
    require_range("number of sources", len(wishes), 0, MAX_SOURCES)
    found = []
    for source, (tier, most) in sorted(wishes.items()):
        require_range("source", source, 0, (1 << _NUMBER_BITS) - 1)
        require_range(f"tier of source {source}", tier, 0, (1 << _TIER_BITS) - 1)
        require_range(f"most for source {source} in units/Wh", most, 0, (1 << _NUMBER_BITS) - 1)
        found.append((tier << _NUMBER_BITS | source) << _NUMBER_BITS | most)
    return tuple(sorted(found))


def wishes_in(words: Iterable[int]) -> dict[int, Wish]:
    """A list by source, of the words of it."""
    numbers = (1 << _NUMBER_BITS) - 1
    return {word >> _NUMBER_BITS & numbers: Wish(word >> 2 * _NUMBER_BITS, word & numbers) for word in words}


def counted(
    consumer: int, wishes: Mapping[int, Wish], premiums: Mapping[int, int], last: int, *, owes: bool
) -> list[CountedWish]:
    """What counts of a member's list on a day, by tier and source.

    Nothing while it owes a premium, no source that asks for more than it would pay, and no more than all members can
    have. premiums: units/Wh by source. last: number of the day's last member.
    """
    if owes:
        return []
    found = [
        CountedWish(tier, source, consumer, premiums.get(source, 0))
        for source, (tier, most) in wishes.items()
        if source <= last and premiums.get(source, 0) <= most
    ]
    return sorted(found)[: MAX_WISHES // (last + 1 - FIRST_PARTICIPANT)]


# --------------------------------------------------------------------------------------------------- labels of a day


class DayLabels:
    """The labels of a final day, and what has to be brought to the contract for them.

    net: by member, from the first participant to the last, Wh by slot, 0 where nobody has read. wishes: those that
    count, as they were gathered.
    """

    def __init__(self, net: Mapping[int, Column], wishes: Sequence[CountedWish]) -> None:
        self.places = sorted(range(len(wishes)), key=wishes.__getitem__)
        """Where the first wish in the order of the rounds was gathered, then the second one, and so on."""
        self.wishes = tuple(wishes[place] for place in self.places)
        self._members = sorted(net)
        self._net = np.array([net[id_] for id_ in self._members], np.int64)
        self._rounds = [list(found) for _, found in groupby(self.wishes, lambda wish: wish[:2])]

    @cached_property
    def _found(self) -> tuple[Grid, Grid]:
        """Wh that each wish is given, and the level of each round, a row per slot."""
        wanted: dict[int, dict[int, int]] = defaultdict(dict)
        for wish in self.wishes:
            wanted[wish.consumer][wish.source] = wish.tier
        slots = [list(rounds(dict(zip(self._members, net, strict=True)), wanted)) for net in self._net.T.tolist()]
        parts = [
            [one.parts.get(wish.consumer, 0) for one, wishes in zip(slot, self._rounds, strict=True) for wish in wishes]
            for slot in slots
        ]
        levels = [[one.level for one in slot] for slot in slots]
        return np.array(parts, np.int64), np.array(levels, np.int64)

    def given(self, strip: int | None = None, place: int = 0) -> list[int]:
        """Wh that each wish has once a strip is labelled up to a place; of the whole day without a strip."""
        parts, _ = self._found
        if strip is None:
            return list(map(int, parts.sum(axis=0)))
        found = parts[: strip * LANES].sum(axis=0)
        found[:place] += parts[_slots(strip), :place].sum(axis=0)
        return list(map(int, found))

    def left(self, strip: int, place: int = 0) -> list[int]:
        """What each member lacks, or has left if below zero, once a strip is labelled up to a place: six lanes each."""
        parts, _ = self._found
        left = self._net[:, _slots(strip)].copy()
        rows = {id_: row for row, id_ in enumerate(self._members)}
        for wish, energies in zip(self.wishes[:place], parts[_slots(strip)].T, strict=False):
            left[rows[wish.consumer]] -= energies
            left[rows[wish.source]] += energies
        return [word for row in left for word in strips_of(row)]

    def levels(self, strip: int, place: int = 0, count: int | None = None) -> list[int]:
        """Of so many rounds of a strip from a place on, or of all: six lanes each."""
        _, levels = self._found
        first = self._places.index(place)
        found = levels[_slots(strip), first : None if count is None else first + count]
        return [sum(level << k * LANE_BITS for k, level in enumerate(own)) for own in found.T.tolist()]

    @property
    def _places(self) -> list[int]:
        """Of the first wish of each round, and where the last one ends."""
        return [0, *accumulate(len(found) for found in self._rounds)]


def _slots(strip: int) -> slice:
    return slice(strip * LANES, (strip + 1) * LANES)


def premiums_due(wishes: Sequence[CountedWish], given: Sequence[int]) -> Counter[int]:
    """What each consumer owes for the labels of a day, money units."""
    due: Counter[int] = Counter()
    for wish, energy in zip(wishes, given, strict=True):
        due[wish.consumer] += energy * wish.premium
    return +due


def premium_postings(wishes: Sequence[CountedWish], given: Sequence[int], payers: Iterable[int]) -> list[Posting]:
    """What is posted where some consumers pay together: first theirs, then those of sources, each by number."""
    paid, received = Counter[int](), Counter[int]()
    among = set(payers)
    for wish, energy in zip(wishes, given, strict=True):
        if wish.consumer in among:
            paid[wish.consumer] += energy * wish.premium
            received[wish.source] += energy * wish.premium
    parts = [(id_, -units) for id_, units in sorted(paid.items())] + sorted(received.items())
    return [Posting(id_, Money(units)) for id_, units in parts if units]
