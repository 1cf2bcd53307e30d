"""The command `meters`: what is in deliveries, and a scenario made from them."""

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dem.commands import cli
from dem.community.scenario import load_scenario

SAMPLES = Path(__file__).parent / "samples"
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 10


def dem(*words: object) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words])


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return [*csv.DictReader(file)]


def delivery(path: Path, days: range, factor: float, issued: datetime, meter: str = "home", skip: str = "") -> Path:
    lines = ["meter,direction,start,kwh,issued"]
    for n in range(days.start * 96, days.stop * 96):
        time = f"{FIRST + timedelta(minutes=15 * n):%Y-%m-%dT%H:%MZ}"
        if not (skip and time.startswith(skip)):
            lines.append(f"{meter},import,{time},{factor * (1 + n % 96) / 1000:.6f},{issued:%Y-%m-%dT%H:%MZ}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_show_tells_what_is_there_and_how_it_is_known() -> None:
    told = dem("meters", "show", SAMPLES / "course.edi", SAMPLES / "course-corrected.edi")
    assert told.exit_code == 0
    assert "course.edi: MSCONS, 24 new, 0 corrected" in told.output
    [home] = [line.split() for line in told.output.splitlines() if "01      import" in line]
    assert home[2:] == ["2026-03-28T23:00Z", "2026-03-29T01:45Z", "12", "1.6651", "12", "0", "0", "0", "0", "2"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("no.csv",), "no.csv: cannot be read: No such file or directory"),
        ((SAMPLES / "course.edi", "--timezone", "Mars"), "--timezone: 'Mars' is no time zone"),
        ((SAMPLES,), "cannot be read: Is a directory"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(words: tuple[object, ...], said: str) -> None:
    told = dem("meters", "show", *words)
    assert told.exit_code == 2
    assert said in told.output.replace("\n", "")


def test_a_scenario_is_made_from_what_operators_delivered(tmp_path: Path) -> None:
    at_noon = [FIRST + timedelta(days=day, hours=12) for day in range(DAYS + 5)]
    files = [
        delivery(tmp_path / f"{d}.csv", range(d, d + 1), 1.0, at_noon[d + 1]) for d in range(DAYS) if d not in (6, 7)
    ]
    files[5] = delivery(tmp_path / "5.csv", range(5, 6), 0.5, at_noon[6])
    files.append(delivery(tmp_path / "late.csv", range(6, 7), 1.0, at_noon[9]))
    files.append(delivery(tmp_path / "again.csv", range(5, 6), 1.0, at_noon[11]))
    files.append(delivery(tmp_path / "hole.csv", range(7, 8), 1.0, at_noon[8], skip="2026-01-08T05"))
    written = dem("meters", "write", *files, "--out", tmp_path / "t", "--start", "2026-01-05", "--days", 5)
    assert written.exit_code == 0, written.output
    assert "1 meters, 956 periods; 4 without a value have the day before's" in written.output
    assert rows(tmp_path / "t" / "readings.csv") == [
        {"participant": "home", "date": "2026-01-06", "reading": "corrected", "first_permille": "500"},
        {"participant": "home", "date": "2026-01-07", "reading": "late", "first_permille": ""},
        {"participant": "home", "date": "2026-01-08", "reading": "missing", "first_permille": ""},
    ]
    made = dem(
        *("scenario", "new", tmp_path / "street", "--meters", tmp_path / "t" / "meters.csv"),
        *("--timezone", "UTC", "--start", "2026-01-05", "--days", 5),
    )
    assert made.exit_code == 0, made.output
    (tmp_path / "t" / "readings.csv").rename(tmp_path / "street" / "readings.csv")
    toml = tmp_path / "street" / "scenario.toml"
    toml.write_text(
        toml.read_text(encoding="utf-8").replace("[tables]", '[tables]\nreadings = "readings.csv"'), "utf-8"
    )
    scenario = load_scenario(tmp_path / "street")
    # The quarter-hour n of every day is n Wh, the hole too.
    assert [*scenario.load(4)["home"]] == [*range(1, 97)]
    parts = [part for report in scenario.reports.values() for part in report.parts]
    assert [part.reporting for part in parts] == ["corrected", "late", "missing"]
    checked = dem("check", tmp_path / "street")
    assert checked.exit_code == 0, checked.output


def test_energy_is_written_as_exactly_as_it_came(tmp_path: Path) -> None:
    written = dem("meters", "write", SAMPLES / "a45-0.82.xml", "--out", tmp_path)
    assert written.exit_code == 0
    home = [row["value"] for row in rows(tmp_path / "meters.csv") if row["direction"] == "import"]
    assert home[4:6] == ["0.0055", "0.00525"]


def test_periods_of_different_lengths_make_no_scenario(tmp_path: Path) -> None:
    hourly = tmp_path / "hourly.csv"
    hourly.write_text("meter,direction,start,kwh,minutes\nb,import,2026-03-29T01:00Z,1,60\n", encoding="utf-8")
    told = dem("meters", "write", SAMPLES / "a45-0.82.xml", hourly, "--out", tmp_path / "t")
    assert told.exit_code == 2
    assert "[900, 3600] s are the lengths of periods" in told.output
    assert not (tmp_path / "t").exists()


def test_deliveries_that_are_years_apart_make_no_scenario(tmp_path: Path) -> None:
    old = tmp_path / "old.csv"
    old.write_text("meter,direction,start,kwh\nb,import,1970-01-01T01:00Z,1\n", encoding="utf-8")
    told = dem("meters", "write", SAMPLES / "a45-0.82.xml", old, "--out", tmp_path / "t")
    assert told.exit_code == 2
    assert "are more than 1098 days apart" in told.output
