"""Labels (rule 19) to play with, without a chain: those of many slots, and what their premiums come to."""

from collections import Counter
from collections.abc import Mapping, Sequence

from dem.errors import require_range
from dem.model.labels import Labels, Wishes, labelled


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


def premiums(labels: Labels, asked: Mapping[int, int]) -> Counter[int]:
    """What each member pays for labels, money units, negative if it receives; the sum is zero.

    asked: by source, units/Wh; who asks nothing may be missing.

    Raises:
        InputError: a premium below zero.
    """
    for source, premium in asked.items():
        require_range(f"premium of source {source} in units/Wh", premium, 0)
    paid: Counter[int] = Counter()
    for (source, consumer), energy in labels.given.items():
        units = energy * asked.get(source, 0)
        paid[consumer] += units
        paid[source] -= units
    return paid
