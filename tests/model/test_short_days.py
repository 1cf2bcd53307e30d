"""Trading days that are a part of 24 hours, so that periods may be of 5 minutes: a day has at most 96."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.commands.hamlet import read_table
from support.commands.own import short_days

from dem.community.importing import Wanted, make_scenario
from dem.community.scenario import load_scenario
from dem.errors import InputError
from dem.offchain.run import write_days
from dem.report.templates import span, when
from dem.results.local_days import DAY, by_local_time
from dem.results.reader import read_results


def test_forecasts_look_at_the_same_hours_of_the_days_before(tmp_path: Path) -> None:
    scenario = load_scenario(short_days(tmp_path))
    calendar = scenario.calendar
    assert (calendar.parts, calendar.day_seconds, calendar.lead_days) == (3, 28_800, 2)
    assert [str(calendar.date_of(day)) for day in (1, 3, 4)] == ["2016-05-08", "2016-05-08", "2016-05-09"]
    for day in scenario.days:
        history = scenario.history(day)
        assert {(known - day) % 3 for known in history.load.days} == {0}
        assert max(history.load.days) <= day - calendar.lead_days
        assert history.lead == 1


def test_the_report_goes_by_local_days(tmp_path: Path) -> None:
    write_days(load_scenario(short_days(tmp_path / "hamlet")), tmp_path / "out")
    results = read_results(tmp_path / "out")
    assert [local.hours for local in by_local_time(results, DAY)] == [24, 24]
    assert (span(results), when(results)) == ("the 2 days", "8 May 2016 to 9 May 2016")


def test_a_market_of_five_minutes(tmp_path: Path) -> None:
    begin, rows = datetime(2026, 3, 1, tzinfo=UTC), ["time,home 1,home 2,home 2 pv"]
    for n in range(4 * 288):
        rows.append(f"{(begin + timedelta(minutes=5 * n)).isoformat()},0.02,0.01,{0.06 if 80 < n % 288 < 200 else 0}")
    (tmp_path / "meters.csv").write_text("\n".join(rows), encoding="utf-8")
    folder = make_scenario(tmp_path / "street", [tmp_path / "meters.csv"], None, Wanted("Etc/UTC", days=1))
    scenario = load_scenario(folder)
    calendar = scenario.calendar
    assert (calendar.period_seconds, calendar.periods_per_day, calendar.days) == (300, 96, 3)
    checks = write_days(scenario, tmp_path / "out")
    assert [check for check in checks if not check.ok] == []
    assert len(read_table(tmp_path / "out" / "tariffs.csv")) == 288
    traded = [row for row in read_table(tmp_path / "out" / "clearing.csv") if int(row["volume_wh"])]
    assert {int(row["volume_wh"]) for row in traded} == {20}


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("periods_per_day = 24", "periods_per_day = 30", "must be 86400, a day, or a whole part of it"),
        ("[strategies]", '[bilateral]\ncontracts = "c.csv"\n\n[strategies]', "need trading days of 24 hours"),
    ],
)
def test_what_such_days_cannot_have(old: str, new: str, why: str, tmp_path: Path) -> None:
    config = short_days(tmp_path) / "scenario.toml"
    config.write_text(config.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(InputError, match=why):
        load_scenario(tmp_path)
