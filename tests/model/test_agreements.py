"""Bilateral contracts of a scenario: which periods they cover, and every mistake named."""

from datetime import date
from pathlib import Path

import pytest

from dem.community.agreements import COLUMNS, Agreement, positions_of, read_agreements
from dem.community.config import Calendar
from dem.errors import InputError

CALENDAR = Calendar(
    start=date(2016, 5, 6),  # a Friday
    days=4,
    utc_offset_seconds=7_200,
    period_seconds=3_600,
    periods_per_day=24,
    open_lead_seconds=64_800,
    gate_lead_seconds=43_200,
    metering_lag_seconds=21_600,
    correction_lag_seconds=86_400,
)
TRADERS = {"roof": True, "home": True, "supplier": False}
ROW = ["roof", "home", "0.07", "250", "2016-05-06", "2016-05-09", "Mo-Su", "08:00-10:00"]


def read(tmp_path: Path, **changes: str) -> list[Agreement]:
    row = dict(zip(COLUMNS, ROW, strict=True)) | changes
    path = tmp_path / "contracts.csv"
    path.write_text(",".join(COLUMNS) + "\n" + ",".join(f'"{row[column]}"' for column in COLUMNS) + "\n")
    return list(read_agreements(path, CALENDAR, TRADERS, (0, 35_000)))


def slots(agreement: Agreement, day: int) -> list[int]:
    return [slot for slot, energy in enumerate(agreement.energy_of(CALENDAR, day)) if energy]


def test_price_energy_and_hours(tmp_path: Path) -> None:
    (agreement,) = read(tmp_path)
    assert (agreement.seller, agreement.buyer, agreement.price, agreement.energy) == ("roof", "home", 7_000, 250)
    assert [slots(agreement, day) for day in (1, 2, 3, 4)] == [[8, 9]] * 4
    assert agreement.energy_of(CALENDAR, 1)[8] == 250


@pytest.mark.parametrize(
    ("weekdays", "days"), [("Mo-Su", [1, 2, 3, 4]), ("Sa,Su", [2, 3]), ("Su-Mo", [3, 4]), ("Tu", []), ("Fr-Fr", [1])]
)
def test_weekdays(tmp_path: Path, weekdays: str, days: list[int]) -> None:
    (agreement,) = read(tmp_path, weekdays=weekdays)
    assert [day for day in (1, 2, 3, 4) if slots(agreement, day)] == days


def test_several_times_of_day(tmp_path: Path) -> None:
    (agreement,) = read(tmp_path, hours="00:00-02:00,23:00-24:00")
    assert slots(agreement, 1) == [0, 1, 23]


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        ("2016-05-07", "2016-05-08", [[], [8, 9], [8, 9], []]),
        ("2016-05-07T09:00", "2016-05-08", [[], [9], [8, 9], []]),
        ("2016-05-07T09:00+02:00", "2016-05-08T08:00", [[], [9], [8], []]),
        ("2016-01-01", "2016-12-31", [[8, 9]] * 4),
    ],
)
def test_first_and_last_period(tmp_path: Path, first: str, last: str, expected: list[list[int]]) -> None:
    (agreement,) = read(tmp_path, first=first, last=last)
    assert [slots(agreement, day) for day in (1, 2, 3, 4)] == expected


def test_positions_of_both_sides_add_up(tmp_path: Path) -> None:
    agreements = [*read(tmp_path), *read(tmp_path, seller="home", buyer="roof", energy_wh="100", hours="09:00-11:00")]
    positions = positions_of(agreements, CALENDAR, 1)
    assert positions["home"][8:11] == [250, 150, -100]
    assert positions["roof"] == [-wh for wh in positions["home"]]


@pytest.mark.parametrize(
    ("column", "value", "why"),
    [
        ("seller", "nobody", "is not in the participant table"),
        ("buyer", "supplier", "does not trade"),
        ("buyer", "roof", "is the seller, too"),
        ("price", "0.36", "highest tariff"),
        ("price", "-0.01", "highest tariff"),
        ("price", "cheap", "plain decimal"),
        ("price", "0.000001", "0.00001 currency/kWh"),
        ("energy_wh", "0", "must be 1 to"),
        ("first", "2016-05-32", "is no date"),
        ("first", "May", "local date or time"),
        ("first", "2016-05-07T09:30", "start of a period of 3600 s"),
        ("last", "2016-05-05", "must not be before 2016-05-06"),
        ("weekdays", "Mo-Xx", "days or ranges"),
        ("weekdays", "Mo-Tu-We", "days or ranges"),
        ("hours", "8-20", "times of day"),
        ("hours", "08:30-10:00", "periods of 3600 s"),
        ("hours", "22:00-06:00", "end after it begins"),
        ("hours", "22:00-24:30", "at 24:00 at the latest"),
    ],
)
def test_names_the_mistake(tmp_path: Path, column: str, value: str, why: str) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, **{column: value})
    assert f"line 2, column {column}: '{value}'" in str(caught.value)
    assert why in str(caught.value)
