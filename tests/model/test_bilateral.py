"""The model of bilateral contracts: profiles against published products, collateral day by day, and the replay."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dem.errors import InputError
from dem.model.markets.bilateral import ALL_WEEKDAYS, Contract, Contracts, Profile, is_in_default, window_of
from dem.model.units import Money
from dem.replay.bilateral import BilateralReplay
from dem.replay.market import ROLLING, Forfeits, Moved

QUARTERS = 96
PER_HOUR = 4
BUYER, SELLER = 6, 7
HOUR = 3_600
DAY = 24 * HOUR


def deliver(profile: Profile, first: date, last: date) -> tuple[list[date], int]:
    """Days with delivery from one date to another, and quarter-hours delivered; the market opens on the first."""
    market = Contracts(QUARTERS, first.weekday())
    end = ((last - first).days + 1) * QUARTERS
    contract = Contract(BUYER, SELLER, 1, 1, 0, end, profile, 0, 0)
    days = list(market.days(contract))
    periods = sum(market.slots(contract, day).bit_count() for day in days)
    return [first + timedelta(days=day - 1) for day in days], periods


# Published products


@pytest.mark.parametrize(
    ("month", "weekdays", "megawatt_hours"),
    [(date(2016, 2, 1), 21, 252), (date(2015, 2, 1), 20, 240), (date(2016, 3, 1), 23, 276)],
)
def test_peak_load_of_a_month(month: date, weekdays: int, megawatt_hours: int) -> None:
    """CME Group, German Power Peakload Calendar Month Futures: "1 MWh per hour x 12 hours x # of weekdays in the
    contract month", "from 8am to 8pm", a range of 240 to 276 MWh."""
    last = (month + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    days, periods = deliver(Profile.peak(QUARTERS), month, last)
    assert (len(days), periods // PER_HOUR) == (weekdays, megawatt_hours)
    assert all(day.weekday() < 5 for day in days)


def test_base_and_peak_are_the_hours_of_the_index() -> None:
    """Phelix of the German exchange: base is the mean of hours 1 to 24, peak that of hours 9 to 20 (Energie-Chronik
    051116)."""
    hours = range(1, 25)
    of_hour = {hour: ((1 << PER_HOUR) - 1) << PER_HOUR * (hour - 1) for hour in hours}
    assert Profile.base(QUARTERS) == Profile(sum(of_hour.values()))
    assert Profile.peak(QUARTERS).slots == sum(of_hour[hour] for hour in range(9, 21))


def test_base_load_of_a_leap_year() -> None:
    days, periods = deliver(Profile.base(QUARTERS), date(2016, 1, 1), date(2016, 12, 31))
    assert (len(days), periods // PER_HOUR) == (366, 8_784)


def test_the_demos_sunday_has_no_peak_load() -> None:
    days, _ = deliver(Profile.peak(QUARTERS), date(2016, 5, 8), date(2016, 5, 8))
    assert days == []


def test_profiles_are_refused_that_cannot_be() -> None:
    with pytest.raises(InputError, match="end slot"):
        Profile.between(8, 8)
    with pytest.raises(InputError, match="whole hours"):
        Profile.peak(12)


# Days and collateral


@given(
    first=st.integers(0, 60),
    length=st.integers(0, 200),
    slots=st.integers(0, 63),
    weekdays=st.integers(0, 127),
    first_weekday=st.integers(0, 6),
)
def test_days_and_slots_are_those_of_every_period_looked_at(
    first: int, length: int, slots: int, weekdays: int, first_weekday: int
) -> None:
    market = Contracts(6, first_weekday)
    contract = Contract(BUYER, SELLER, 1, 1, first, first + length, Profile(slots, weekdays), 0, 0)
    expected: dict[int, int] = {}
    for period in range(first, first + length):
        day, slot = period // 6 + 1, period % 6
        if slots >> slot & 1 and weekdays >> (first_weekday + day - 1) % 7 & 1:
            expected[day] = expected.get(day, 0) | 1 << slot
    assert {day: market.slots(contract, day) for day in market.days(contract)} == expected
    fullest = max((mask.bit_count() for mask in expected.values()), default=0)
    assert market.conclude(1, contract).fullest == fullest


@pytest.mark.parametrize(
    ("gate_lead", "metering_lag", "window"),
    [(12 * HOUR, 6 * HOUR, 4), (0, 0, 4), (1, 0, 4), (12 * HOUR, 12 * HOUR, 5), (12 * HOUR, 12 * HOUR + 1, 5)],
)
def test_the_window_is_what_can_be_unpaid_and_two_days(gate_lead: int, metering_lag: int, window: int) -> None:
    """One until it is seen, one to forfeit."""
    assert window_of(DAY, gate_lead, metering_lag) == window
    # Days committed and not settled yet, at the worst second of a day; a day is settled right after its deadline.
    unpaid = max(
        sum(start - gate_lead <= now <= start + DAY + metering_lag for start in range(0, 10 * DAY, DAY))
        for now in range(5 * DAY, 6 * DAY, 1)
        if now % HOUR in (0, 1, HOUR - 1)
    )
    assert window == unpaid + 2


def test_arrears_of_half_a_day_are_a_default() -> None:
    assert not is_in_default(Money(1), 1_000, 1_000 + DAY // 2 - 1, DAY)
    assert is_in_default(Money(1), 1_000, 1_000 + DAY // 2, DAY)
    assert not is_in_default(Money(0), 0, 10 * DAY, DAY)


def replay(**changes: Any) -> BilateralReplay:
    """A market of six periods a day with one contract over five days: 2 Wh at 10 a period, fees 1, ceiling 14."""
    model = BilateralReplay(6)
    model.apply("MarketOpened", {"firstWeekday": 0, "window": 3})
    terms = {"price": 10, "energy": 2, "firstPeriod": 0, "endPeriod": 30, "slots": 63, "weekdays": ALL_WEEKDAYS}
    terms |= {"extra": 1, "ceiling": 14, "fullest": 6} | changes
    args = {"number": 1, "buyer": BUYER, "seller": SELLER, "proposal": bytes(32), "terms": terms}
    assert not model.apply("Concluded", args).differences
    return model


def ended(number: int, last_day: int, defaulter: int = 0, forfeited: int = 0) -> dict[str, int]:
    return {"number": number, "lastDay": last_day, "defaulter": defaulter, "forfeited": forfeited}


BUYERS, SELLERS = 2 * 6 * 11, 2 * 6 * 4


def test_the_lock_stays_until_the_last_days() -> None:
    model = replay()
    assert model.held(ROLLING) == {BUYER: 3 * BUYERS, SELLER: 3 * SELLERS}
    left = []
    for day in range(1, 6):
        release = model.release(day)
        model.apply("Booked", {"day": day, "through": 8})
        assert model.release(day) == release
        left.append(model.held(ROLLING).get(BUYER, 0) // BUYERS)
        model.forget(day)
    assert left == [3, 3, 2, 1, 0]
    assert model.release(5) == {}


def test_each_side_is_released_when_it_is_booked() -> None:
    model = replay(endPeriod=6)
    assert model.release(1) == {BUYER: BUYERS, SELLER: SELLERS}
    model.apply("Booked", {"day": 1, "through": BUYER})
    assert model.held(ROLLING) == {SELLER: SELLERS}
    assert model.release(1) == {BUYER: BUYERS, SELLER: SELLERS}


def test_an_ending_releases_what_is_no_longer_needed() -> None:
    model = replay()
    assert not model.apply("Ended", ended(1, 2)).differences
    assert model.held(ROLLING) == {BUYER: 2 * BUYERS, SELLER: 2 * SELLERS}
    assert len(model.trades(2).slot) == 12
    assert len(model.trades(3).slot) == 0


@pytest.mark.parametrize(
    ("defaulter", "other", "own", "others"), [(BUYER, SELLER, BUYERS, SELLERS), (SELLER, BUYER, SELLERS, BUYERS)]
)
def test_a_defaulter_forfeits_a_days_collateral(defaulter: int, other: int, own: int, others: int) -> None:
    model = replay()
    moved = model.apply("Ended", ended(1, 1, defaulter, own))
    assert not moved.differences
    assert sorted(moved.locks) == sorted([(defaulter, -own), (other, -2 * others)])
    assert not moved.forfeits
    # All that its contracts free is released before any of it is forfeited.
    forfeits = Forfeits(defaulter, [(other, own)], [5])
    assert model.apply("Forfeited", {"number": 1, "received": 5}) == Moved(forfeits=forfeits)
    assert model.apply("Forfeited", {"number": 1, "received": 5}).differences == [
        "forfeit of contract 1: the model has none"
    ]
    assert model.held(ROLLING) == {defaulter: own, other: others}


def test_nothing_is_forfeited_of_days_that_stay_covered() -> None:
    moved = replay().apply("Ended", ended(1, 3, BUYER))
    assert moved == Moved([], [])
    assert replay().apply("Ended", ended(1, 3, BUYER, 5)).differences == [
        "what is forfeited of contract 1: chain 5, model 0"
    ]


def test_trades_have_a_row_for_each_side_and_sum_to_zero() -> None:
    trades = replay(slots=0b10001, fullest=2).trades(1)
    assert list(zip(*(column.tolist() for column in trades), strict=True)) == [
        (BUYER, 0, 2, 0, 20),
        (SELLER, 0, 0, 2, -20),
        (BUYER, 4, 2, 0, 20),
        (SELLER, 4, 0, 2, -20),
    ]


def test_claims_that_cannot_be_are_noted() -> None:
    model = replay()
    args = {"number": 2, "buyer": BUYER, "seller": SELLER, "proposal": bytes(32)}
    terms = {"price": 10, "energy": 2, "firstPeriod": 0, "endPeriod": 30, "slots": 63, "weekdays": 127}
    wrong = terms | {"extra": 1, "ceiling": 14, "fullest": 5}
    assert model.apply("Concluded", args | {"terms": wrong}).differences == [
        "fullest day of contract 2: chain 5, model 6"
    ]
    assert model.apply("Ended", ended(1, 5)).differences == ["whether contract 1 ends earlier: chain True, model False"]
    assert model.apply("Ended", ended(9, 5)).differences == ["end of contract 9: chain day 5, model: over already"]
    assert not model.apply("PauseFollowed", {"until": 0}).differences
