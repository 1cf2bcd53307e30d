"""Strip words: six consecutive delivery periods of a day in one 256-bit word.

Bits 255..240 hold the day, lane k (0..5) stands at bits 40k+39..40k. A word of another day, the
zero word of empty storage included, means "nothing"; days count from 1.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dem.errors import InputError, require_range

LANES = 6
LANE_BITS = 40
DAY_BITS = 16
MAX_POSITION = (1 << 33) - 1
"""Most energy that a signed lane holds of a member, Wh in a period, either way; no connection is larger."""

_DAY_SHIFT = 256 - DAY_BITS
_LANE_MASK = (1 << LANE_BITS) - 1
_WORD_BYTES = 32
_LANE_WEIGHTS = 1 << np.arange(LANE_BITS - 8, -1, -8)
"""Of a lane's bytes, the first one first."""


def strips_per_day(periods_per_day: int) -> int:
    """Number of strips of a day.

    Raises:
        InputError: the periods of a day are not a positive multiple of six.
    """
    require_range("periods per day", periods_per_day, LANES)
    if periods_per_day % LANES:
        raise InputError("periods per day", periods_per_day, f"must be a multiple of {LANES}")
    return periods_per_day // LANES


def pack(day: int, lanes: Sequence[int]) -> int:
    """The word of a day (1..65535) and its six lanes (0..2^40-1 each).

    Raises:
        InputError: not six lanes, or a number out of range.
    """
    require_range("day", day, 1, (1 << DAY_BITS) - 1)
    require_range("number of lanes", len(lanes), LANES, LANES)
    word = day << _DAY_SHIFT
    for k, lane in enumerate(lanes):
        require_range(f"lane {k}", lane, 0, _LANE_MASK)
        word |= lane << (LANE_BITS * k)
    return word


def unpack(word: int) -> tuple[int, tuple[int, ...]]:
    """Day and six lanes of a word; day 0 is that of empty storage.

    Raises:
        InputError: not a 256-bit unsigned number.
    """
    require_range("word", word, 0, (1 << 256) - 1)
    lanes = tuple((word >> (LANE_BITS * k)) & _LANE_MASK for k in range(LANES))
    return word >> _DAY_SHIFT, lanes


def unpack_all(words: Sequence[bytes]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Days, shape (words,), and lanes, shape (words, 6), of many words of 32 bytes, big endian.

    Raises:
        InputError: not 32 bytes a word.
    """
    data = b"".join(words)
    require_range("bytes of the words", len(data), _WORD_BYTES * len(words), _WORD_BYTES * len(words))
    octets = np.frombuffer(data, np.uint8).reshape(len(words), _WORD_BYTES).astype(np.int64)
    lanes = octets[:, DAY_BITS // 8 :].reshape(len(words), LANES, LANE_BITS // 8) @ _LANE_WEIGHTS
    return octets[:, 0] << 8 | octets[:, 1], lanes[:, ::-1]
