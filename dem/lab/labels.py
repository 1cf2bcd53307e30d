"""Labels: whose energy a member draws, by its own preferences, and the premium of the source. No contract has it yet.

After Powerpeers, a utility whose customers choose the plants they draw from, and the equal rounds of Enosi. A consumer
names sources, each in a tier. Of a final slot each source's energy is given to who wants it, tier by tier, in each of
them source by source. Whoever wants a source and still lacks energy gets the same of it, as far as it lacks so much.
What a consumer lacks in the end is of the residual mix. A source may ask for a premium on what it gives.

Three things favour somebody by its number or by its accounts, not by what it wants. Of what cannot be shared evenly
the first members by number get 1 Wh more. Of sources in one tier the first by number gives first, so that a later one
may keep energy, and miss the premium, that the first one would have kept. And the rounds count members, not energy: the
owner of two accounts gets two parts, if the load of both is large enough.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from dem.errors import InputError, require_range

Wishes = Mapping[int, Mapping[int, int]]
"""By consumer: the tier of each source it wants, the first one 0."""


class Labels(NamedTuple):
    """Whose energy was drawn, Wh.

    given: by source and consumer. residual: what each consumer drew without a label. kept: of each source, what nobody
    who lacked energy wanted.
    """

    given: Counter[tuple[int, int]]
    residual: Counter[int]
    kept: Counter[int]

    def premiums(self, asked: Mapping[int, int]) -> Counter[int]:
        """What each member pays for labels, money units, negative if it receives; the sum is zero.

        asked: by source, units/Wh; who asks nothing may be missing.

        Raises:
            InputError: a premium below zero.
        """
        for source, premium in asked.items():
            require_range(f"premium of source {source} in units/Wh", premium, 0)
        paid: Counter[int] = Counter()
        for (source, consumer), energy in self.given.items():
            units = energy * asked.get(source, 0)
            paid[consumer] += units
            paid[source] -= units
        return paid


def labelled(net: Mapping[int, int], wishes: Wishes) -> Labels:
    """The labels of a slot. net: what each member's meter shows, Wh, drawn positive; who feeds in is a source.

    Raises:
        InputError: somebody wants energy, or is wanted, that has no meter; or a tier is below 0.
    """
    lacks, kept = (Counter({id_: sign * own for id_, own in net.items() if sign * own > 0}) for sign in (1, -1))
    given: Counter[tuple[int, int]] = Counter()
    for (_tier, source), wanted in groupby(_in_order(net, wishes), lambda wish: wish[:2]):
        consumers = [consumer for *_, consumer in wanted if lacks[consumer]]
        for consumer, energy in zip(consumers, shares(kept[source], [lacks[one] for one in consumers]), strict=True):
            given[source, consumer] = energy
            lacks[consumer] -= energy
            kept[source] -= energy
    return Labels(+given, +lacks, +kept)


def labels_of_day(slots: Sequence[Mapping[int, int]], wishes: Wishes) -> Labels:
    """The labels of all slots of a day together. slots: as `labelled` takes them, one after another.

    Raises:
        InputError: as `labelled`.
    """
    whole = Labels(Counter(), Counter(), Counter())
    for net in slots:
        found = labelled(net, wishes)
        whole.given.update(found.given)
        whole.residual.update(found.residual)
        whole.kept.update(found.kept)
    return whole


def shares(whole: int, lacks: Sequence[int]) -> list[int]:
    """What members get of so much energy, Wh, in equal rounds. lacks: of each member, more than 0.

    In a round each gets what is left divided by those who still lack, rounded down, or what it lacks. When that is
    nothing, the first of them get 1 Wh each, until nothing is left.
    """
    level = level_of(whole, lacks)
    left = whole - sum(min(level, lack) for lack in lacks)
    parts = []
    for lack in lacks:
        more = int(lack > level and left > 0)
        left -= more
        parts.append(min(level, lack) + more)
    return parts


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
