"""Forecasts from past readings: the averages themselves, and that they see no future."""

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from dem.community.forecast import (
    Energy,
    History,
    Past,
    error_share,
    forecast,
    forecast_load,
    forecast_pv,
    revise_load,
    revise_pv,
)
from dem.community.scenario import load_scenario
from dem.errors import InputError

SCENARIOS = Path(__file__).resolve().parents[2] / "scenarios"


def days(*values: int) -> Past:
    """One slot per day."""
    return Past(lambda day: np.array([values[day]], dtype=np.int64), range(len(values)))


def test_load_is_half_last_week_and_half_same_weekdays() -> None:
    # 28 days; the day to be forecast follows the newest by two: its weekdays stand 6, 13, 20, 27
    # from the end.
    load = [0] * 28
    for rows in (6, 13, 20, 27):
        load[-rows] = 400
    # last week: one of its seven days is such a weekday
    assert forecast_load(days(*load), lead=2)[0] == round((400 / 7 + 400) / 2)


@pytest.mark.parametrize(("lead", "row"), [(1, 7), (2, 6), (7, 1), (8, 7)])
def test_same_weekday_is_found_from_any_lead(lead: int, row: int) -> None:
    load = [0] * 14
    load[-row] = 1400
    matches = sum(1 for week in range(1, 5) if 1 <= 7 * week - lead + 1 <= 14)
    assert forecast_load(days(*load), lead)[0] == (1400 // 7 + 1400 // matches) // 2


def test_with_few_days_it_takes_what_there_is() -> None:
    assert forecast_load(days(10, 20), lead=2)[0] == 15
    assert forecast_pv(days(7))[0] == 7


def test_pv_is_the_mean_of_seven_days() -> None:
    assert forecast_pv(days(10**6, 1, 2, 3, 4, 5, 6, 8))[0] == 4  # 29 / 7 = 4.14


def test_half_a_watt_hour_is_rounded_up() -> None:
    assert forecast_pv(days(1, 2))[0] == 2


def test_net_is_load_less_generation() -> None:
    net = forecast(History(load=days(100, 100), pv=days(30, 150), lead=2))
    assert net.tolist() == [10]


def test_every_meter_is_forecast_for_itself() -> None:
    both = Past(lambda day: np.array([[day, 2], [10 * day, 20]]), range(1, 4))
    assert forecast_pv(both).tolist() == [[2, 2], [20, 20]]
    assert forecast_load(both, lead=2).tolist() == [[2, 2], [20, 20]]


def test_no_day_is_looked_up_that_is_not_used() -> None:
    asked = []

    def look_up(day: int) -> Energy:
        asked.append(day)
        return np.array([day])

    forecast_load(Past(look_up, range(-99, 1)), lead=2)
    assert sorted(asked) == [-26, -19, -12, -6, -5, -5, -4, -3, -2, -1, 0]


def test_rejects_an_empty_history() -> None:
    with pytest.raises(InputError, match="at least one whole day"):
        History(load=days(), pv=days(), lead=2)


def test_rejects_load_and_generation_of_other_days() -> None:
    with pytest.raises(InputError, match="of the same days"):
        History(load=days(1, 2), pv=days(1), lead=2)


def test_rejects_a_forecast_of_the_past() -> None:
    with pytest.raises(InputError, match="lead in days: 0 must be at least 1"):
        History(load=days(1), pv=days(1), lead=0)


def test_error_share() -> None:
    assert error_share([10, 30], [20, 20]) == 0.5
    assert error_share([10, 30], [20, -20], reference=[100, 100]) == 0.3
    with pytest.raises(InputError, match="must not be zero"):
        error_share([1], [0])
    with pytest.raises(InputError, match="of one shape"):
        error_share([1], [1, 2])


def test_newest_day_known_at_noon_is_the_day_before_yesterday() -> None:
    scenario = load_scenario(SCENARIOS / "rural-sunday")
    assert scenario.calendar.start == date(2016, 5, 8)
    known = scenario.history(1)
    assert known.lead == 2
    assert known.load.days == known.pv.days == range(-27, 0)  # 10 April to 6 May


def test_measured_errors_of_the_demo_day() -> None:
    """The figures of docs/guide/scenarios.md."""
    scenario = load_scenario(SCENARIOS / "rural-sunday")
    expected, metered = scenario.forecasts(1), scenario.metered(1)
    plants = [name for name in expected if name.startswith("pv")]
    homes = [name for name in expected if name not in plants]

    def share(names: list[str]) -> float:
        return error_share([expected[n] for n in names], [metered[n] for n in names])

    assert share(homes) == pytest.approx(0.302, abs=5e-4)
    assert share(plants) == pytest.approx(0.155, abs=5e-4)


def grid(*values: int) -> Energy:
    """One meter."""
    return np.array([values], dtype=np.int64)


def test_the_recent_error_of_load_persists_and_halves_within_the_hour() -> None:
    expected = grid(*[100] * 9)
    assert revise_load(expected, grid(100, 180, 260), 900).tolist() == [[180, 167, 157, 148, 140, 134]]
    assert revise_load(expected, grid(0, 0, 0), 900)[0, 0] == 0


def test_the_recent_ratio_of_generation_persists_and_halves_in_four_hours() -> None:
    expected = grid(*[100] * 8, *[1_000] * 17)
    revised = revise_pv(expected, grid(*[100] * 4, *[50] * 4), 900)
    assert revised[0, 0] == 500
    assert revised[0, 16] == 750


def test_a_revision_stays_within_reason() -> None:
    expected = grid(10, 10, 10, 10, 1_000)
    assert revise_pv(expected, grid(500, 500, 500, 500), 900).tolist() == [[2_000]]
    assert revise_pv(grid(0, 0, 7), grid(0, 3), 900).tolist() == [[7]]  # nothing was expected yet
    assert revise_load(grid(5, 6), np.zeros((1, 0), np.int64), 900).tolist() == [[5, 6]]


def test_rejects_readings_of_another_day() -> None:
    with pytest.raises(InputError, match="first periods"):
        revise_load(grid(1, 2), grid(1, 2, 3), 900)
