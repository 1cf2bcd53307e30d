import pytest
from hypothesis import given
from hypothesis import strategies as st

from dem.errors import InputError
from dem.model.strips import LANES, pack, strips_per_day, unpack, unpack_all

lanes = st.lists(st.integers(0, 2**40 - 1), min_size=LANES, max_size=LANES)


@given(st.integers(1, 2**16 - 1), lanes)
def test_unpack_undoes_pack(day, lanes):
    assert unpack(pack(day, lanes)) == (day, tuple(lanes))


@given(st.integers(0, 2**256 - 1))
def test_every_bit_of_a_word_is_day_or_lane(word):
    day, lanes = unpack(word)
    assert day << 240 | sum(lane << 40 * k for k, lane in enumerate(lanes)) == word


@given(st.lists(st.integers(0, 2**256 - 1), max_size=5))
def test_many_words_are_unpacked_as_each_is(words):
    days, lanes = unpack_all([word.to_bytes(32, "big") for word in words])
    assert list(zip(days.tolist(), map(tuple, lanes.tolist()), strict=True)) == list(map(unpack, words))


def test_layout_of_the_specification():
    """Bits 255..240 day; lane k at bits 40k+39 .. 40k."""
    assert pack(1, [0] * 6) == 1 << 240
    assert pack(2, [1, 0, 0, 0, 0, 3]) == 2 << 240 | 3 << 200 | 1


def test_empty_storage_has_day_zero():
    assert unpack(0) == (0, (0,) * 6)


@pytest.mark.parametrize(
    ("day", "lanes"),
    [
        (0, [0] * 6),
        (2**16, [0] * 6),
        (1, [0] * 5),
        (1, [0] * 7),
        (1, [0, 0, 0, 0, 0, 2**40]),
        (1, [-1, 0, 0, 0, 0, 0]),
        (1.0, [0] * 6),
    ],
)
def test_pack_refuses_what_does_not_fit(day, lanes):
    with pytest.raises(InputError):
        pack(day, lanes)


@pytest.mark.parametrize("word", [-1, 2**256])
def test_unpack_refuses_what_is_no_word(word):
    with pytest.raises(InputError):
        unpack(word)


@pytest.mark.parametrize("word", [b"", bytes(31), bytes(33)])
def test_unpack_all_refuses_what_is_no_word(word):
    with pytest.raises(InputError, match="bytes of the words"):
        unpack_all([word])


def test_strips_per_day():
    assert strips_per_day(96) == 16
    assert strips_per_day(6) == 1


@pytest.mark.parametrize("periods", [0, -6, 5, 97])
def test_a_day_is_whole_strips(periods):
    with pytest.raises(InputError):
        strips_per_day(periods)
