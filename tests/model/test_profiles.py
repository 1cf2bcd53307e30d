"""Meters that follow shapes: exact energies, days of one's own, the shipped town, and every mistake named."""

import csv
import gzip
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from fractions import Fraction
from functools import cache
from pathlib import Path
from random import Random

import numpy as np
import pytest
from support.scenario_text import LEADS, TRUTHFUL, rules

from dem.community.profiles import Season, ShapedProfiles, day_type
from dem.community.scenario import Kind, Scenario, load_scenario
from dem.errors import InputError

ROOT = Path(__file__).resolve().parents[2]
TOML = (
    """
name = "test"
title = "A street"
currency = "EUR"
seed = 1

[calendar]
start = {start}
days = 2
utc_offset_seconds = 3600
period_seconds = 900
periods_per_day = 96
"""
    + LEADS
    + """
[tables]
participants = "participants.csv"

[profiles]
shapes = "shapes.csv.gz"
meters = "meters.csv"
resample = {resample}

[tariff]
kind = "table"
tariffs = "tariffs.csv"

"""
    + rules()
    + TRUTHFUL
)
PARTICIPANTS = """\
participant,kind,bus,import_capacity_wh,export_capacity_wh,deposit,credit_limit,strategy
supplier,fallback_supplier,,0,0,0,2000,none
operator,operator,,0,0,0,0,none
grid,grid_operator,,1000,0,0,200,none
{homes}"""
METERS = "participant,load_shape,load_kw,pv_shape,pv_kwp\n"
FIRST = datetime.fromisoformat("2015-12-31T23:00+01:00")  # an hour of a torn day before the first whole one
DAYS = 366
HOMES = [f"home-{i}" for i in range(1, 21)]
MAY = "2016-05-08"


def share(shape: str, row: int) -> str:
    """A course of the year in which hardly two values are alike; the sun shines by day only."""
    random = Random(f"{shape}{row}")
    dark = shape.startswith("sun") and not 32 <= (row - 4) % 96 < 64
    return "0" if dark else f"{random.randint(1, 10**9) / 10**9:.9f}"


SHAPES = {name: [share(name, row) for row in range(4 + DAYS * 96 + 40)] for name in ("home", "sun", "losses")}
SHAPES["losses"][:] = ["0.25"] * len(SHAPES["home"])


def table(columns: dict[str, list[str]], first: datetime) -> str:
    rows = zip(*columns.values(), strict=True)
    starts = ((first + timedelta(minutes=15 * i)).isoformat(timespec="minutes") for i in range(10**6))
    return "\n".join([",".join(["start", *columns]), *(",".join([next(starts), *row]) for row in rows)]) + "\n"


SHAPES_CSV = gzip.compress(table(SHAPES, FIRST).encode(), 1, mtime=0)


def write(folder: Path, start: str = MAY, resample: bool = True, homes: Sequence[str] = HOMES) -> Path:
    """A street where all homes follow one shape and have a plant."""
    members = "".join(f"{home},prosumer,,3000,3000,50,0,\n" for home in homes)
    (folder / "scenario.toml").write_text(TOML.format(start=start, resample=str(resample).lower()))
    (folder / "participants.csv").write_text(PARTICIPANTS.format(homes=members))
    (folder / "meters.csv").write_text(
        METERS + "grid,losses,0.4,,\n" + "".join(f"{home},home,3.2,sun,5.001\n" for home in homes)
    )
    (folder / "shapes.csv.gz").write_bytes(SHAPES_CSV)
    prices = {"buy_units_per_wh": ["30000"] * 192, "sell_units_per_wh": ["1000"] * 192}
    (folder / "tariffs.csv").write_text(table(prices, datetime.fromisoformat(f"{start}T00:00+01:00")))
    return folder


@pytest.fixture
def street(tmp_path: Path) -> Scenario:
    return load_scenario(write(tmp_path))


def shape_day(name: str, day: date) -> list[str]:
    """A day of a shape, as the file has it."""
    row = 4 + (day - date(2016, 1, 1)).days * 96
    return SHAPES[name][row : row + 96]


def energies(shares: Iterable[str], watts: int) -> list[int]:
    """The same in Wh; Python rounds a half to the even."""
    return [round(Fraction(share) * watts / 4) for share in shares]


def days(energy: Callable[[int], np.ndarray], numbers: Iterable[int], home: int) -> list[list[int]]:
    return [energy(day)[home].tolist() for day in numbers]


# as they are


def test_a_meter_shows_its_share_of_its_power(tmp_path: Path) -> None:
    scenario = load_scenario(write(tmp_path, resample=False))
    for day, on in ((1, date(2016, 5, 8)), (2, date(2016, 5, 9))):
        assert scenario.load(day)["home-7"] == energies(shape_day("home", on), 3_200)
        assert scenario.pv(day)["home-7"] == energies(shape_day("sun", on), 5_001)
        assert scenario.load(day)["grid"] == [25] * 96
        assert scenario.pv(day)["grid"] == [0] * 96
    assert type(scenario.metered(1)["home-7"][0]) is int


@pytest.mark.parametrize(("kilowatts", "energy"), [("0.008", 0), ("0.024", 2), ("0.04", 2), ("0.056", 4)])
def test_half_a_watt_hour_goes_to_the_even_one(tmp_path: Path, kilowatts: str, energy: int) -> None:
    meters = write(tmp_path, resample=False) / "meters.csv"
    meters.write_text(meters.read_text().replace("losses,0.4", f"losses,{kilowatts}"))
    assert load_scenario(tmp_path).load(1)["grid"] == [energy] * 96


def test_generation_can_be_scaled(tmp_path: Path) -> None:
    folder = write(tmp_path, resample=False)
    toml = (folder / "scenario.toml").read_text()
    (folder / "scenario.toml").write_text(toml.replace("resample = false", "resample = false\npv_permille = 1500"))
    assert load_scenario(folder).pv(1)["home-1"] == [
        round(Fraction(s) * 5_001 * Fraction(3, 8)) for s in shape_day("sun", date(2016, 5, 8))
    ]


@pytest.mark.parametrize(("start", "stored"), [("2017-01-04", "2016-01-06"), ("2015-12-30", "2016-12-28")])
def test_days_that_the_shapes_lack_are_those_52_weeks_away(tmp_path: Path, start: str, stored: str) -> None:
    scenario = load_scenario(write(tmp_path, start, resample=False))
    assert scenario.load(1)["home-1"] == energies(shape_day("home", date.fromisoformat(stored)), 3_200)


def test_the_past_goes_back_four_weeks(street: Scenario) -> None:
    past = street.history(1).load
    assert past.days == range(-27, 0)
    assert len(street.history(2).load) == 28


# days of one's own


def test_every_day_is_one_of_its_type_shifted_by_half_an_hour_at_most(street: Scenario) -> None:
    candidates: dict[object, dict[tuple[int, ...], int]] = {}
    for i in range(DAYS):
        day = date(2016, 1, 1) + timedelta(days=i)
        wh = energies(shape_day("home", day), 3_200)
        turned = {(*wh[-shift:], *wh[:-shift]) if shift else tuple(wh): shift for shift in range(-2, 3)}
        candidates.setdefault(day_type(day), {}).update(turned)
    shifts = set()
    for number in range(-27, 3):
        possible = candidates[day_type(street.calendar.date_of(number))]
        for wh in street.profiles.load(number)[1:].tolist():
            shifts.add(possible[tuple(wh)])
    assert shifts == {-2, -1, 0, 1, 2}


def test_homes_of_one_shape_and_size_differ(street: Scenario) -> None:
    past = np.concatenate([street.profiles.load(day)[1:] for day in range(-27, 3)], axis=1)
    assert len(np.unique(past, axis=0)) == len(HOMES)


def test_losses_are_nobodys_habit(street: Scenario) -> None:
    assert street.load(1)["grid"] == [25] * 96


def test_the_sun_shines_on_all_alike(street: Scenario) -> None:
    roofs = set()
    for home in range(1, len(HOMES) + 1):
        turned = days(street.profiles.pv, (0, 1, 2), home)
        plain = [energies(shape_day("sun", date(2016, 5, day)), 5_001) for day in (7, 8, 9)]
        (shift,) = {
            shift
            for shift in range(-2, 3)
            if all(np.roll(a, shift).tolist() == b for a, b in zip(plain, turned, strict=True))
        }
        roofs.add(shift)
    assert roofs == {-2, -1, 0, 1, 2}


def test_draws_depend_on_seed_name_and_date_alone(tmp_path: Path, street: Scenario) -> None:
    (tmp_path / "later").mkdir()
    later = load_scenario(write(tmp_path / "later", start="2016-05-09", homes=["new", *reversed(HOMES)]))
    assert later.metered(1)["home-7"] == street.metered(2)["home-7"]
    toml = (tmp_path / "scenario.toml").read_text()
    (tmp_path / "scenario.toml").write_text(toml.replace("seed = 1", "seed = 2"))
    assert load_scenario(tmp_path).load(1)["home-7"] != street.load(1)["home-7"]


def test_draws_are_the_same_on_every_machine(street: Scenario) -> None:
    assert [street.load(1)[home][48] for home in HOMES[:5]] == [242, 569, 322, 114, 412]
    assert [street.pv(1)[home][48] for home in HOMES[:5]] == [549, 549, 549, 506, 549]


@pytest.mark.parametrize(
    ("day", "season", "weekday"),
    [
        ("2016-03-20", Season.WINTER, 2),
        ("2016-03-21", Season.TRANSITION, 0),
        ("2016-05-14", Season.TRANSITION, 1),
        ("2016-05-15", Season.SUMMER, 2),
        ("2016-09-14", Season.SUMMER, 0),
        ("2016-09-15", Season.TRANSITION, 0),
        ("2016-10-31", Season.TRANSITION, 0),
        ("2016-11-01", Season.WINTER, 0),
    ],
)
def test_types_of_days(day: str, season: Season, weekday: int) -> None:
    assert day_type(date.fromisoformat(day)) == (season, weekday)


# the shipped town


@cache
def town() -> Scenario:
    return load_scenario(ROOT / "scenarios" / "town")


def resized(customers: int, folder: Path) -> Scenario:
    """A town like it of another size."""
    tool = [sys.executable, str(ROOT / "tools" / "town.py")]
    subprocess.run([*tool, "--customers", str(customers), "--out", str(folder)], check=True, capture_output=True)
    return load_scenario(folder)


def year_by_hour(profiles: ShapedProfiles) -> np.ndarray:
    """Load of every home in Wh, shape (homes, hours): measured homes are known by the hour."""
    quarters = np.concatenate([profiles.load(day)[1:] for day in range(-127, 239)], axis=1)
    return quarters.reshape(len(quarters), -1, 4).sum(axis=2)


def coincidence(load: np.ndarray, homes: int) -> float:
    """Highest load of so many homes together over the sum of each one's highest, mean of sixty samples."""
    random = Random(1)
    samples = (load[random.sample(range(len(load)), homes)] for _ in range(60))
    return float(np.mean([some.sum(axis=0).max() / some.max(axis=1).sum() for some in samples]))


def test_the_town_peaks_like_real_homes(tmp_path: Path) -> None:
    """Seventeen metered homes: .46, any ten of them .52."""
    profiles = resized(100, tmp_path).profiles
    assert isinstance(profiles, ShapedProfiles)
    own_days = year_by_hour(profiles)
    assert coincidence(own_days, 10) == pytest.approx(0.52, abs=0.02)
    assert coincidence(own_days, 17) == pytest.approx(0.44, abs=0.02)
    copies = year_by_hour(replace(profiles, resampled=np.array([], dtype=np.int64)))
    assert coincidence(copies, 17) > 0.58


def test_no_two_homes_of_the_town_show_the_same() -> None:
    past = np.concatenate([town().profiles.load(day)[1:] for day in range(-5, 2)], axis=1)
    assert len(np.unique(past, axis=0)) == len(past) == 1506


def test_every_fourth_home_charges_a_car_in_the_evening() -> None:
    evening = load_scenario(ROOT / "scenarios" / "town-evening").profiles.load(1)
    more = evening - town().profiles.load(1)
    assert set(np.unique(more)) == {0, 2_750}
    drawn, slots = np.nonzero(more)
    assert len(np.unique(drawn)) == 376
    assert np.unique(slots).tolist() == list(range(68, 84)), "from 17:00 to 21:00"


def test_plants_of_the_town_work_950_hours_a_year() -> None:
    with (ROOT / "scenarios/town/meters.csv").open(newline="") as file:
        kwp = sum(float(row["pv_kwp"] or 0) for row in csv.DictReader(file))
    year = sum(int(town().profiles.pv(day).sum()) for day in range(-127, 239)) / 1000
    assert year / kwp == pytest.approx(950, rel=0.01)


def test_a_town_of_any_size(tmp_path: Path) -> None:
    city = resized(1510, tmp_path / "city")
    assert city.config.name == "city"
    assert city.config.title == "A town of 1,510 on Sunday, 8 May 2016"
    homes = city.of_kind(Kind.CONSUMER, Kind.PROSUMER)
    assert len(homes) == 1510
    twins = [homes[0].name, homes[1506].name]
    assert homes[0].import_capacity == homes[1506].import_capacity
    load = city.load(1)
    assert load[twins[0]] != load[twins[1]]


# what it refuses

MISTAKES = [
    # file, text, replaced by, words of the error
    ("scenario.toml", "resample = true", "", ["scenario.toml, profiles.resample", "must be given"]),
    ("scenario.toml", "resample = true", 'resample = "yes"', ["profiles.resample: 'yes'", "boolean"]),
    (
        "scenario.toml",
        "resample = true",
        "resample = true\nshift = 3",
        ["profiles.shift: 3", "is no key that is known"],
    ),
    ("scenario.toml", "resample = true", "resample = true\npv_permille = -1", ["profiles.pv_permille: -1"]),
    ("scenario.toml", '"participants.csv"', '"participants.csv"\nload = "l"', ["either tables.load, with tables.pv"]),
    ("scenario.toml", '"shapes.csv.gz"', '"no.csv"', ["no.csv", "No such file"]),
    ("scenario.toml", '"meters.csv"', '"no.csv"', ["no.csv", "No such file"]),
    ("meters.csv", "load_kw", "load_kwh", ["meters.csv, line 1", "lacks the column load_kw"]),
    ("meters.csv", "home-2,home", "home-2,house", ["shapes.csv.gz, line 1", "lacks the column house"]),
    ("meters.csv", "home-2,home", "home-2,start", ["shapes.csv.gz, line 1: 'start' is the column of times"]),
    ("meters.csv", "home-2,", "home-1,", ["line 4, column participant: 'home-1' is there twice"]),
    ("meters.csv", "home-2,", "home-99,", ["line 4, column participant: 'home-99' is not in the participant table"]),
    ("meters.csv", "home-2,", "operator,", ["line 4, column participant: 'operator' has no meter"]),
    ("meters.csv", "home-20,home,3.2,sun,5.001\n", "", ["meters.csv: 'home-20' has a meter but no line"]),
    ("meters.csv", "home-2,home,3.2", "home-2,home,", ["line 4, column load_kw: '' must be given with load_shape"]),
    ("meters.csv", "home-2,home,3.2", "home-2,,3.2", ["line 4, column load_kw: '3.2' must be given with load_shape"]),
    ("meters.csv", "home-2,home,3.2", "home-2,home,-3", ["line 4, column load_kw: '-3' must be 0 to 1000 kW"]),
    ("meters.csv", "home-2,home,3.2", "home-2,home,1001", ["line 4, column load_kw: '1001' must be 0 to 1000 kW"]),
    ("meters.csv", "home-2,home,3.2", "home-2,home,1f1", ["line 4, column load_kw: '1f1' must be a plain decimal"]),
    ("meters.csv", "home-2,home,3.2", "home-2,home,3.2001", ["load_kw: '3.2001' must be a whole number of W"]),
    ("meters.csv", "home-2,home,3.2", "home-2,home,100", ["net Wh is beyond the connection", "home-2"]),
    ("meters.csv", "home-2,home,3.2,sun,5.001", "home-2,home,3.2,sun,50", ["is beyond the connection", "3000 out"]),
]


@pytest.mark.parametrize(("name", "old", "new", "words"), MISTAKES)
def test_names_the_mistake(tmp_path: Path, name: str, old: str, new: str, words: list[str]) -> None:
    path = write(tmp_path) / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(InputError) as caught:
        load_scenario(tmp_path)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("T22:45+01:00,", "T22:45+01:00,1.1,", ["values for 4 columns"]),
        (f",{SHAPES['home'][0]},", ",1.000000001,", ["line 2, column home", "is above 1"]),
        (f",{SHAPES['home'][0]},", ",-0.1,", ["line 2, column home: '-0.1' must be at least 0"]),
        (f",{SHAPES['home'][0]},", ",nan,", ["line 2, column home: 'nan'"]),
        ("2015-12-31T23:15+01:00", "2015-12-31T23:30+01:00", ["line 3, column start", "must follow the line before"]),
    ],
)
def test_names_the_mistake_in_shapes(tmp_path: Path, old: str, new: str, words: list[str]) -> None:
    text = gzip.decompress(SHAPES_CSV).decode()
    assert old in text
    (write(tmp_path) / "shapes.csv.gz").write_bytes(gzip.compress(text.replace(old, new, 1).encode(), 1))
    with pytest.raises(InputError) as caught:
        load_scenario(tmp_path)
    for word in ["shapes.csv.gz", *words]:
        assert word in str(caught.value)


def test_rejects_meters_without_any_shape(tmp_path: Path) -> None:
    (write(tmp_path) / "meters.csv").write_text(METERS + "".join(f"{name},,,,\n" for name in ("grid", *HOMES)))
    with pytest.raises(InputError, match=r"meters.csv: names no shape"):
        load_scenario(tmp_path)


@pytest.mark.parametrize("content", [SHAPES_CSV[:-20_000], b"start,home\n", b""])
def test_rejects_a_damaged_archive(tmp_path: Path, content: bytes) -> None:
    (write(tmp_path) / "shapes.csv.gz").write_bytes(content)
    with pytest.raises(InputError, match=r"shapes.csv.gz"):
        load_scenario(tmp_path)


def test_rejects_shapes_of_less_than_a_year(tmp_path: Path) -> None:
    lines = gzip.decompress(SHAPES_CSV).decode().splitlines(keepends=True)
    (write(tmp_path) / "shapes.csv.gz").write_bytes(gzip.compress("".join(lines[: 1 + 4 + 363 * 96]).encode(), 1))
    with pytest.raises(InputError, match="363 whole days are too few: shapes must hold 364"):
        load_scenario(tmp_path)
