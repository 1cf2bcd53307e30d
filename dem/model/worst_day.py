"""What settling the day of one member costs at most, and the layers that follow from it (rule 5.5).

The numbers are those of WorstDay.sol, which says what they count.
"""

from dem.model.strips import strips_per_day

MAX_GAS = 12_000_000
"""Gas that the settlement of one member may take."""
MAX_LAYERS = 255
"""A sheet's word on the chain has room for no more."""
GAS_FIXED = 4_200_000
GAS_PER_STRIP = 262_000
GAS_PER_LINE = 44_600


def most_layers(periods_per_day: int) -> int:
    """Orders that a member may have for one period at most.

    Raises:
        InputError: the periods of a day are not a positive multiple of six.
    """
    strips = strips_per_day(periods_per_day)
    return min((MAX_GAS - GAS_FIXED - strips * GAS_PER_STRIP) // (strips * GAS_PER_LINE), MAX_LAYERS)
