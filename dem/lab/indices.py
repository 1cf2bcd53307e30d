"""Six indices of how well a design shares energy, by the names of Zhou, Wu and Long (2018, Applied Energy 222).

Their abstract names them: three of money and three of power. Their formulas were not at hand; those here are DEM's own
(docs/guide/gallery.md). The last three follow from meters alone: designs differ in them only where members answer to
prices.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

from dem.results.wording import share


class Use(NamedTuple):
    """What meters of all members showed together, Wh. peak: the most that went over the boundary in a slot."""

    drawn: int
    fed: int
    shared: int
    peak: int
    slots: int


class Indices(NamedTuple):
    """value_tapping: what members save of what they could save with the same meters.

    participation: members who pay less than at the tariffs alone. equality: one less Gini's coefficient of what they
    save, with nothing for who loses. energy_balance: metered energy that is drawn and fed in at the same time.
    flatness: what goes over the boundary, its mean by its peak. self_sufficiency: consumption that is shared.
    None where there is nothing to have a share of.
    """

    value_tapping: Fraction | None
    participation: Fraction | None
    equality: Fraction | None
    energy_balance: Fraction | None
    flatness: Fraction | None
    self_sufficiency: Fraction | None


def indices(alone: Mapping[str, int], paid: Mapping[str, int], area: int, use: Use) -> Indices:
    """alone, paid: of each member at the tariffs alone and in the design; area: of all meters as one, money units."""
    saved = [alone[name] - paid[name] for name in paid]
    return Indices(
        share(sum(saved), sum(alone.values()) - area),
        share(sum(one > 0 for one in saved), len(saved)),
        equality(saved),
        share(2 * use.shared, use.drawn + use.fed),
        share(use.drawn + use.fed - 2 * use.shared, use.slots * use.peak),
        share(use.shared, use.drawn),
    )


def equality(saved: Sequence[int]) -> Fraction | None:
    """One less Gini's coefficient, with nothing for who loses; None if nobody saves."""
    ordered = sorted(max(0, one) for one in saved)
    above = sum((2 * place - len(ordered) - 1) * one for place, one in enumerate(ordered, 1))
    gini = share(above, len(ordered) * sum(ordered))
    return None if gini is None else 1 - gini
