"""Tables as they come: local time with days of 23 and 25 hours, any resolution and order, kWh, floats, no Wh lost."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from support.scenario_text import LEADS, TRUTHFUL, rules

from dem.community.scenario import Scenario, load_scenario
from dem.errors import InputError
from dem.model.rules import Tariff
from dem.model.units import UnitsPerWh
from dem.results.reader import Results, Run

BERLIN = ZoneInfo("Europe/Berlin")
TOML = (
    """
name = "street"
title = "A street"
currency = "EUR"
seed = 1

[calendar]
start = {start}
days = {days}
timezone = "Europe/Berlin"
period_seconds = {seconds}
periods_per_day = {periods}
"""
    + LEADS
    + """
[tables]
participants = "participants.csv"
load = "load.csv"
pv = "pv.csv"
{tables}

[tariff]
{tariff}

"""
    + rules(max_buy="0.6", max_layers=2)
    + TRUTHFUL
)
PARTICIPANTS = """\
participant,kind,bus,import_capacity_wh,export_capacity_wh,deposit,credit_limit,strategy
supplier,fallback_supplier,,0,0,0,2000,none
operator,operator,,0,0,0,0,none
grid,grid_operator,,9000,9000,0,200,none
home,consumer,,9000,9000,20.5,0,
roof,prosumer,,9000,9000,30,0,
"""
SPOT = 'kind = "spot"\nprices = "prices.csv"\nbuy_adder = 0.25\nsell_margin = 0.004'
FLAT = 'kind = "flat"\nbuy = 0.3\nsell = 0.08'


def starts(first: str, last: str, seconds: int) -> list[datetime]:
    """Times one after another, from local midnight of a date to that of another."""
    begin, end = (int(datetime.fromisoformat(day).replace(tzinfo=BERLIN).timestamp()) for day in (first, last))
    return [datetime.fromtimestamp(start, BERLIN) for start in range(begin, end, seconds)]


def local(start: datetime) -> str:
    """As an export without offsets has it: an hour occurs twice in autumn."""
    return start.strftime("%Y-%m-%d %H:%M")


def lines(
    times: Iterable[datetime], value: Callable[[int], str], header: str, label: Callable[[datetime], str] = str
) -> list[str]:
    return [f"start,{header}", *(f"{label(start)},{value(i)}" for i, start in enumerate(times))]


def write(
    folder: Path,
    load: Sequence[str],
    pv: Sequence[str] | None = None,
    prices: Sequence[str] = (),
    *,
    start: str = "2025-03-30",
    days: int = 1,
    seconds: int = 900,
    tables: str = "",
    tariff: str = FLAT,
) -> Path:
    toml = TOML.format(start=start, days=days, seconds=seconds, periods=86_400 // seconds, tables=tables, tariff=tariff)
    dark = [load[0].partition(",")[0] + ",roof", *(f"{line.partition(',')[0]},0" for line in load[1:])]
    files = {
        "scenario.toml": toml,
        "participants.csv": PARTICIPANTS,
        "load.csv": "\n".join([*load, ""]),
        "pv.csv": "\n".join([*(pv or dark), ""]),
        "prices.csv": "\n".join([*prices, ""]),
    }
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def home(scenario: Scenario) -> list[int]:
    return [wh for day in scenario.days for wh in scenario.load(day)["home"]]


@pytest.mark.parametrize(
    ("first", "start", "last", "periods", "offsets"),
    [
        ("2025-03-27", "2025-03-30", "2025-04-01", 92, ("+01:00", "+02:00")),
        ("2025-10-23", "2025-10-26", "2025-10-28", 100, ("+02:00", "+01:00")),
    ],
)
def test_a_day_of_the_clock_change_is_read_without_offsets(
    tmp_path: Path, first: str, start: str, last: str, periods: int, offsets: tuple[str, str]
) -> None:
    times = starts(first, last, 900)
    day = [time for time in times if time.date().isoformat() == start]
    assert len(day) == periods
    assert {time.isoformat()[-6:] for time in day} == {*offsets}
    write(tmp_path, lines(times, lambda i: f"{i},7", "home,grid", local), start=start)
    scenario = load_scenario(tmp_path)
    place = times.index(day[0])
    assert home(scenario) == list(range(place, place + 96))
    assert scenario.calendar.opening == day[0].timestamp()
    newest_first = lines(times, lambda i: f"{i},7", "home,grid", local)
    write(tmp_path, [newest_first[0], *newest_first[:0:-1]], start=start)
    assert home(load_scenario(tmp_path)) == home(scenario)


def test_a_local_time_that_clocks_leave_out_is_named(tmp_path: Path) -> None:
    times = [datetime(2025, 3, 27) + timedelta(minutes=15 * i) for i in range(96 * 5)]  # noqa: DTZ001
    write(tmp_path, lines(times, lambda i: "1,7", "home,grid", local))
    with pytest.raises(InputError, match=r"column start: '2025-03-30 02:00' is no time in Europe/Berlin: .* to 03:00"):
        load_scenario(tmp_path)


def test_a_time_without_offset_needs_a_zone(tmp_path: Path) -> None:
    write(tmp_path, lines(starts("2025-03-27", "2025-04-01", 900), lambda i: "1,7", "home,grid", local))
    toml = (tmp_path / "scenario.toml").read_text(encoding="utf-8")
    (tmp_path / "scenario.toml").write_text(toml.replace('timezone = "Europe/Berlin"', "utc_offset_seconds = 3600"))
    with pytest.raises(InputError, match=r"must say its offset from UTC.*calendar.timezone"):
        load_scenario(tmp_path)


@pytest.mark.parametrize("seconds", [300, 900, 1800, 3600, 7200])
def test_no_wh_is_lost_between_resolutions(tmp_path: Path, seconds: int) -> None:
    times = starts("2025-05-01", "2025-05-05", seconds)
    values = [(i * 7919) % 1009 for i in range(len(times))]
    write(tmp_path, lines(times, lambda i: f"{values[i]},1", "home,grid"), start="2025-05-04")
    scenario = load_scenario(tmp_path)
    first = next(i for i, time in enumerate(times) if time.date().isoformat() == "2025-05-04")
    shown = home(scenario)
    assert sum(shown) == sum(values[first:])
    if seconds <= 900:
        each = 900 // seconds
        assert shown == [sum(values[first + i : first + i + each]) for i in range(0, 96 * each, each)]
    else:
        each = seconds // 900
        assert [sum(shown[i : i + each]) for i in range(0, 96, each)] == values[first:]
        assert all(abs(wh - values[first + i // each] / each) <= 1 for i, wh in enumerate(shown))


def test_a_resolution_may_change_in_the_middle(tmp_path: Path) -> None:
    times = [*starts("2025-09-27", "2025-10-01", 3600), *starts("2025-10-01", "2025-10-02", 900)]
    prices = lines(times, lambda i: f"{30 + i}.00", "price_per_mwh", local)
    load = lines(starts("2025-09-27", "2025-10-02", 900), lambda i: "1,7", "home,grid", local)
    write(tmp_path, load, prices=prices, start="2025-09-30", days=2, tariff=SPOT)
    buys = [tariff.buy for day in (1, 2) for tariff in load_scenario(tmp_path).tariffs(day)]
    spot = [30 + 72 + i // 4 for i in range(96)] + [30 + 96 + i for i in range(96)]
    assert buys == [100 * price + 25_000 for price in spot]
    write(tmp_path, load, prices=prices, start="2025-09-30", days=2, tariff=SPOT, seconds=3600)
    hourly = [tariff.buy for tariff in load_scenario(tmp_path).tariffs(2)]
    assert hourly == [100 * (30 + 96 + 4 * hour) + 150 + 25_000 for hour in range(24)]  # the mean of four


@pytest.mark.parametrize(("missing", "said"), [(1, "1 line is missing"), (3, "3 lines are missing")])
def test_lines_that_are_missing_are_no_change_of_resolution(tmp_path: Path, missing: int, said: str) -> None:
    load = lines(starts("2025-05-01", "2025-05-05", 900), lambda i: "1,7", "home,grid")
    del load[101 : 101 + missing]
    write(tmp_path, load, start="2025-05-04")
    with pytest.raises(InputError, match=f"line 102, column start: .*must follow the line before by 900 s: {said}"):
        load_scenario(tmp_path)


def test_kwh_with_decimals_are_read_to_the_wh(tmp_path: Path) -> None:
    times = starts("2025-05-01", "2025-05-05", 900)
    write(tmp_path, lines(times, lambda i: "0.5045,0.0003", "home,grid"), start="2025-05-04", tables='unit = "kWh"')
    scenario = load_scenario(tmp_path)
    shown, losses = home(scenario), scenario.load(1)["grid"]
    assert set(shown) == {504, 505}
    assert sum(shown) == 96 * 504 + 48
    assert sum(losses) == 29  # 28.8, of a register that showed 86.4 when the day began
    assert set(losses) == {0, 1}


@pytest.mark.parametrize("noise", ["53.790000000000006", "53.79", "53.789999999999996", "5.379e1", "+53.790"])
def test_what_floats_add_is_left_away(tmp_path: Path, noise: str) -> None:
    times = starts("2025-05-01", "2025-05-05", 900)
    prices = lines(times, lambda i: noise, "price_per_mwh")
    write(tmp_path, lines(times, lambda i: "0.30000000000000004,312.5", "home,grid"), prices=prices, start="2025-05-04",
          tables='unit = "Wh"', tariff=SPOT)  # fmt: skip
    scenario = load_scenario(tmp_path)
    assert {tariff.buy for tariff in scenario.tariffs(1)} == {5_379 + 25_000}
    assert sum(scenario.load(1)["grid"]) == 96 * 312.5
    assert sum(home(scenario)) in (28, 29)


@pytest.mark.parametrize(("how", "load", "pv"), [("zero", 0, 40), ("swap", 0, 40 + 25)])
def test_negative_readings_are_what_is_asked_for(tmp_path: Path, how: str, load: int, pv: int) -> None:
    times = starts("2025-05-01", "2025-05-05", 900)
    write(
        tmp_path,
        lines(times, lambda i: "-25,1", "roof,grid"),
        lines(times, lambda i: "40,-3", "roof,home"),
        start="2025-05-04",
        tables=f'negative = "{how}"',
    )
    scenario = load_scenario(tmp_path)
    assert (scenario.load(1)["roof"], scenario.pv(1)["roof"]) == ([load] * 96, [pv] * 96)
    assert (scenario.load(1)["home"], scenario.pv(1)["home"]) == ([3 if how == "swap" else 0] * 96, [0] * 96)


@pytest.mark.parametrize("ending", ["\n", "\n\n\n", "  \n", ",,\n", "\r\n\r\n"])
def test_a_blank_last_line_is_none(tmp_path: Path, ending: str) -> None:
    load = lines(starts("2025-05-01", "2025-05-05", 900), lambda i: "1,7", "home,grid")
    write(tmp_path, load, start="2025-05-04")
    for name in ("load.csv", "participants.csv"):
        path = tmp_path / name
        path.write_text(path.read_text(encoding="utf-8") + ending, encoding="utf-8", newline="")
    assert home(load_scenario(tmp_path)) == [1] * 96


def test_tariffs_by_the_hour_of_local_time(tmp_path: Path) -> None:
    tariff = """kind = "time_of_use"
buy = 0.22
sell = 0.08
windows = [{ hours = "06:00-22:00", weekdays = "Mo-Fr", buy = 0.32, sell = 0.08 }]"""
    load = lines(starts("2025-03-24", "2025-04-01", 900), lambda i: "1,7", "home,grid", local)
    write(tmp_path, load, start="2025-03-30", days=1, tariff=tariff)
    assert {price.buy for price in load_scenario(tmp_path).tariffs(1)} == {22_000}  # a Sunday
    write(tmp_path, load, start="2025-03-28", days=3, tariff=tariff)
    scenario = load_scenario(tmp_path)
    assert [price.buy for price in scenario.tariffs(1)] == [22_000] * 24 + [32_000] * 64 + [22_000] * 8
    write(tmp_path, load, start="2025-03-30", days=1)
    assert set(load_scenario(tmp_path).tariffs(1)) == {Tariff(UnitsPerWh(30_000), UnitsPerWh(8_000))}


def test_tables_that_end_early_say_until_when_they_must_go_on(tmp_path: Path) -> None:
    write(tmp_path, lines(starts("2025-03-27", "2025-03-31", 900), lambda i: "1,7", "home,grid", local))
    with pytest.raises(InputError, match=r"to 2025-03-31 00:00' must cover .* 2025-03-30 00:00 to 2025-03-31 01:00"):
        load_scenario(tmp_path)


def test_reports_count_local_days() -> None:
    first = int(datetime(2025, 10, 24, tzinfo=BERLIN).timestamp()) // 900
    run = Run("s", "S", "EUR", 900, 96, 2.0, first, 5, False, (), (), "Europe/Berlin")
    results = Results(run, *[None] * 16)  # type: ignore[arg-type]
    firsts = results.firsts(by_day=True)
    assert np.diff([*firsts, 5 * 96]).tolist() == [96, 96, 100, 96, 92]
    assert [f"{run.local_start(first + place):%d %H:%M}" for place in firsts[:4]] == [
        f"{d} 00:00" for d in range(24, 28)
    ]
    assert datetime.fromtimestamp((first + firsts[3]) * 900, UTC).hour == 23
