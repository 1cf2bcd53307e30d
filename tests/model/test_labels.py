"""Labels by the model: the worked examples, the rounds as they are said, what sums to what, and whom they favour."""

from collections import Counter
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import PROJECT

from dem.community.scenario import Kind, load_scenario
from dem.errors import InputError
from dem.lab.labels import labels_of_day, premiums
from dem.model.labels import (
    CountedWish,
    DayLabels,
    Labels,
    Wish,
    Wishes,
    counted,
    labelled,
    level_of,
    list_words,
    premium_postings,
    shares,
    wishes_in,
)

amounts = st.integers(0, 60) | st.integers(0, 10**9)
meters = st.dictionaries(st.integers(1, 9), st.integers(-40, 40) | st.integers(-(10**6), 10**6), min_size=1)


@st.composite
def slots(draw: st.DrawFn) -> tuple[dict[int, int], dict[int, dict[int, int]]]:
    net = draw(meters)
    members = st.sampled_from(sorted(net))
    return net, draw(st.dictionaries(members, st.dictionaries(members, st.integers(0, 3))))


def in_rounds(whole: int, lacks: list[int]) -> list[int]:
    """What members get, round by round."""
    parts = [0] * len(lacks)
    while whole and (lacking := [i for i, lack in enumerate(lacks) if parts[i] < lack]):
        share = whole // len(lacking)
        for i in lacking if share else lacking[:whole]:
            more = min(share or 1, lacks[i] - parts[i])
            parts[i] += more
            whole -= more
    return parts


@pytest.mark.parametrize(
    ("whole", "lacks", "parts"),
    [
        (10_000, [2_000, 5_000, 9_000], [2_000, 4_000, 4_000]),
        (10_001, [2_000, 5_000, 9_000], [2_000, 4_001, 4_000]),
        (7, [5, 5, 5], [3, 2, 2]),
        (20, [5, 5, 5], [5, 5, 5]),
        (0, [5], [0]),
        (5, [], []),
    ],
)
def test_the_worked_examples(whole: int, lacks: list[int], parts: list[int]) -> None:
    assert shares(whole, lacks) == in_rounds(whole, lacks) == parts


@given(amounts, st.lists(st.integers(1, 20) | st.integers(1, 10**9), max_size=8))
def test_shares_are_those_of_the_rounds(whole: int, lacks: list[int]) -> None:
    assert shares(whole, lacks) == in_rounds(whole, lacks)


@given(amounts, st.lists(st.integers(1, 10**9), min_size=1, max_size=8))
def test_one_pass_tells_the_level_from_any_other(whole: int, lacks: list[int]) -> None:
    def passes(level: int) -> bool:
        more = sum(lack > level for lack in lacks)
        left = whole - sum(min(level, lack) for lack in lacks)
        return level <= max(lacks) and (0 <= left < more or (not more and left >= 0))

    level = level_of(whole, lacks)
    assert passes(level)
    assert not passes(level - 1)
    assert not passes(level + 1)


@given(slots())
def test_rows_and_columns_are_what_the_meters_show(slot: tuple[dict[int, int], Wishes]) -> None:
    net, wishes = slot
    found = labelled(net, wishes)
    drawn, fed = Counter(found.residual), Counter(found.kept)
    for (source, consumer), energy in found.given.items():
        assert energy > 0
        assert source in wishes[consumer]
        drawn[consumer] += energy
        fed[source] += energy
    assert drawn == Counter({id_: own for id_, own in net.items() if own > 0})
    assert fed == Counter({id_: -own for id_, own in net.items() if own < 0})


@given(slots())
def test_a_source_keeps_nothing_that_somebody_wants_who_lacks_it(slot: tuple[dict[int, int], Wishes]) -> None:
    found = labelled(*slot)
    for consumer, wanted in slot[1].items():
        assert not (found.residual[consumer] and any(found.kept[source] for source in wanted))


@given(slots(), st.randoms())
def test_the_order_of_signing_up_does_not_matter(slot: tuple[dict[int, int], Wishes], draws) -> None:
    net, wishes = slot
    others = list(net.items()), [(one, list(wanted.items())) for one, wanted in wishes.items()]
    for entries in (*others, *(wanted for _, wanted in others[1])):
        draws.shuffle(entries)
    assert labelled(dict(others[0]), {one: dict(wanted) for one, wanted in others[1]}) == labelled(net, wishes)


@given(slots(), st.dictionaries(st.integers(1, 9), st.integers(0, 10**5)))
def test_premiums_sum_to_zero_and_only_sources_receive(slot: tuple[dict[int, int], Wishes], asked) -> None:
    net, wishes = slot
    paid = premiums(labelled(net, wishes), asked)
    assert sum(paid.values()) == 0
    assert all(net[id_] < 0 for id_, units in paid.items() if units < 0)


def test_an_earlier_tier_comes_first_and_the_rest_is_residual() -> None:
    """Member 1 would rather have source 9's, member 2 that of 8 alone; 8 asks a premium of 1,500 units/Wh."""
    found = labelled({1: 3_000, 2: 2_000, 8: -2_500, 9: -1_000}, {1: {9: 0, 8: 1}, 2: {8: 0}})
    assert found == Labels(Counter({(9, 1): 1_000, (8, 2): 2_000, (8, 1): 500}), Counter({1: 1_500}), Counter())
    assert premiums(found, {8: 1_500}) == Counter({1: 750_000, 2: 3_000_000, 8: -3_750_000, 9: 0})


tiers, units = st.integers(0, 255), st.integers(0, 2**32 - 1)


@given(st.dictionaries(st.integers(6, 2**32 - 1), st.builds(Wish, tiers, units), max_size=16))
def test_a_list_is_read_as_it_was_signed(wishes: dict[int, Wish]) -> None:
    words = list_words(wishes)
    assert wishes_in(words) == wishes
    assert list(words) == sorted(words)


@pytest.mark.parametrize("wish", [Wish(256, 0), Wish(-1, 0), Wish(0, 2**32), Wish(0, -1)])
def test_a_list_that_does_not_fit_is_refused(wish: Wish) -> None:
    with pytest.raises(InputError, match="source 9"):
        list_words({9: wish})
    with pytest.raises(InputError, match="number of sources: 17"):
        list_words(dict.fromkeys(range(6, 23), Wish(0, 0)))


def test_what_counts_is_what_the_consumer_has_agreed_to_pay() -> None:
    wishes = {7: Wish(1, 10), 8: Wish(0, 10), 9: Wish(0, 0), 70: Wish(0, 10)}
    found = counted(6, wishes, {7: 10, 8: 11}, last=9, owes=False)
    assert found == [CountedWish(0, 9, 6, 0), CountedWish(1, 7, 6, 10)]
    assert counted(6, wishes, {}, last=9, owes=True) == []


@pytest.mark.parametrize("seed", range(8))
def test_a_day_in_parts_is_the_day(seed: int) -> None:
    """What is brought for a part goes on where the part before has ended, and ends with the slots' labels."""
    draws = Random(f"parts/{seed}")
    strip, rounds = draws.randint(0, 1), draws.randint(1, 3)
    net = {id_: np.array([draws.randint(-50, 50) for _ in range(12)]) for id_ in range(6, 11)}
    pairs = [(consumer, source) for consumer in net for source in net if source != consumer and draws.random() < 0.6]
    day = DayLabels(net, [CountedWish(draws.randint(0, 2), source, consumer, 3) for consumer, source in pairs])
    wanted = {one: {wish.source: wish.tier for wish in day.wishes if wish.consumer == one} for one in net}
    found = labels_of_day([{id_: int(own[slot]) for id_, own in net.items()} for slot in range(12)], wanted)
    assert day.given() == day.given(2) == [found.given[wish.source, wish.consumer] for wish in day.wishes]
    firsts = [n for n, wish in enumerate(day.wishes) if not n or wish[:2] != day.wishes[n - 1][:2]]
    places = firsts[::rounds]
    parts = [level for place in places for level in day.levels(strip, place, rounds)]
    assert parts == day.levels(strip)
    assert day.given(strip, len(day.wishes)) == day.given(strip + 1)
    assert sum(posting.amount for posting in premium_postings(day.wishes, day.given(), net)) == 0


def test_known_flaw_two_accounts_get_two_parts() -> None:
    """Member 1 has its load on two meters, of the same tier as member 2's."""
    one, two = labelled({1: 600, 2: 600, 9: -600}, {1: {9: 0}, 2: {9: 0}}), {id_: {9: 0} for id_ in (1, 2, 3)}
    split = labelled({1: 300, 3: 300, 2: 600, 9: -600}, two)
    assert one.given[9, 1] == 300
    assert split.given[9, 1] + split.given[9, 3] == 400


def test_known_flaw_of_equal_sources_the_first_by_number_gives_first() -> None:
    found = labelled({1: 500, 8: -500, 9: -500}, {1: {8: 0, 9: 0}})
    assert (found.given, found.kept) == (Counter({(8, 1): 500}), Counter({9: 500}))


@pytest.mark.parametrize(
    ("net", "wishes", "why"),
    [
        ({1: 5}, {1: {2: 0}}, "member in wishes: 2 has no meter in this slot"),
        ({2: -5}, {1: {2: 0}}, "member in wishes: 1 has no meter in this slot"),
        ({1: 5, 2: -5}, {1: {2: -1}}, "tier of source 2 for member 1: -1 must be 0"),
    ],
)
def test_a_bad_wish_is_named(net: dict[int, int], wishes: Wishes, why: str) -> None:
    with pytest.raises(InputError, match=why):
        labelled(net, wishes)


def test_a_premium_below_zero_is_refused() -> None:
    with pytest.raises(InputError, match="premium of source 9 in units/Wh: -1"):
        premiums(labelled({9: -1}, {}), {9: -1})


def test_whoever_wants_all_plants_has_labels_of_all_that_is_shared() -> None:
    """The demo's Sunday: what is labelled is what was drawn and fed in within the same slot, to the Wh."""
    village = load_scenario(PROJECT / "scenarios" / "rural-sunday")
    names = [member.name for member in village.of_kind(Kind.CONSUMER, Kind.PROSUMER)]
    metered = village.metered(1)
    day = [dict(enumerate(column)) for column in zip(*(metered[name] for name in names), strict=True)]
    all_ = {consumer: dict.fromkeys(range(len(names)), 0) for consumer in range(len(names))}
    shared = [min(sum(max(0, sign * own) for own in net.values()) for sign in (1, -1)) for net in day]
    assert sum(labels_of_day(day, all_).given.values()) == sum(shared) > 0
