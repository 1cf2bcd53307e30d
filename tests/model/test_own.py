"""What members of a scenario bring themselves: what is wrong with it is said with file, line, column and value."""

from pathlib import Path

import numpy as np
import pytest
from support.commands.hamlet import Hamlet, read_table
from support.commands.own import OwnHamlet

from dem.community.crowd import Crowd
from dem.community.meters import runs_of
from dem.community.own import Part, Report, Reporting
from dem.community.scenario import examine, load_scenario
from dem.errors import Mistakes
from dem.model.orders import Side
from dem.offchain.run import write_days


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return OwnHamlet().write(tmp_path / "hamlet")


def mistakes_of(folder: Path) -> list[str]:
    mistakes = Mistakes(is_patient=True)
    examine(folder, mistakes)
    return [str(mistake).replace(f"{folder}/", "") for mistake in mistakes.found]


def add(folder: Path, table: str, *lines: str) -> None:
    with (folder / table).open("a", encoding="utf-8") as stream:
        stream.writelines(f"{line}\n" for line in lines)


def test_who_brings_orders_orders_nothing_else(folder: Path) -> None:
    scenario = load_scenario(folder)
    ids = {member.name: number for number, member in enumerate(scenario.participants, start=1)}
    for day in scenario.days:
        own = [o for o in Crowd(scenario, day).orders(ids) if o.participant in (ids["home-1"], ids["roof-1"])]
        if day > 2:
            assert own == []
        else:
            brought = {(o.participant, o.slot, o.side, o.tick, o.energy, o.layer) for o in scenario.own_orders(day)}
            names = {number: name for name, number in ids.items()}
            assert {(names[o.participant], o.slot, o.side, o.tick, o.energy, o.layer) for o in own} == brought
    assert [(o.slot, o.side, o.tick, o.layer) for o in scenario.own_orders(1)[:2]] == [
        (10, Side.BID, 1_200, 0),
        (10, Side.BID, 1_100, 1),
    ]


def test_who_brings_a_forecast_expects_it(folder: Path) -> None:
    scenario = load_scenario(folder)
    assert scenario.forecasts(2)["home-2"] == list(range(124, 148))
    assert scenario.forecasts(1)["roof-3"] == [-n for n in range(24)]
    load, pv = scenario.expected(1)
    assert np.array_equal(np.subtract(load["roof-3"], pv["roof-3"]), scenario.forecasts(1)["roof-3"])


def test_members_have_no_meter_before_they_join_nor_after_they_leave(folder: Path, tmp_path: Path) -> None:
    write_days(load_scenario(folder), tmp_path / "out")
    rows = read_table(tmp_path / "out" / "readings.csv")
    first = min(int(row["period"]) for row in rows)
    days = {
        name: {(int(row["period"]) - first) // 24 + 1 for row in rows if row["participant"] == name}
        for name in ("home-4", "home-5", "roof-2")
    }
    assert days == {"home-4": {1, 4, 5}, "home-5": {2, 3, 4, 5}, "roof-2": {1, 2, 3, 4, 5}}


def test_all_that_the_connection_takes_in_stands_for_what_is_missing(folder: Path, tmp_path: Path) -> None:
    scenario = load_scenario(folder)
    write_days(scenario, tmp_path / "out")
    rows = read_table(tmp_path / "out" / "readings.csv")

    def metered(name: str, day: int) -> list[int]:
        periods = set(map(str, scenario.periods(day)))
        return [int(row["metered_wh"]) for row in rows if row["participant"] == name and row["period"] in periods]

    def most(name: str, day: int) -> list[int]:
        return [scenario.participant(name).on(day).import_capacity] * scenario.calendar.periods_per_day

    assert [most("home-2", day)[0] for day in scenario.days] == [900, 950, 1000, 1000, 1000]
    assert [metered("home-2", day) == most("home-2", day) for day in scenario.days] == [True, True, True, False, False]
    assert metered("home-4", 4) == most("home-4", 4) == [1100] * 24
    assert metered("home-3", 2) == scenario.metered(2)["home-3"]
    assert metered("roof-2", 2) == scenario.metered(2)["roof-2"]
    rejected = [row for row in read_table(tmp_path / "out" / "orders.csv") if row["status"] == "rejected"]
    assert {(row["participant"], row["reason"]) for row in rejected} == {("home-2", "MeterSilent(id=7)")}
    assert {int(row["period"]) for row in rejected} <= set(scenario.periods(5))


def test_what_a_meter_says_at_first_is_part_of_what_it_showed() -> None:
    assert Report((Part(Reporting.CORRECTED, range(3), 500),)).in_time([101, -101, 0]) == [50, -50, 0]


def test_a_part_of_a_day_is_late_or_missing_and_all_else_is_in_time() -> None:
    shown = [*range(100, 124)]
    report = Report((Part(Reporting.MISSING, range(6)), Part(Reporting.LATE, range(12, 18))))
    assert report.in_time(shown) == [*[None] * 6, *shown[6:12], *[None] * 6, *shown[18:]]
    assert report.after(shown) == [*[None] * 12, *shown[12:18], *[None] * 6]
    assert [*runs_of(report.in_time(shown))] == [range(1, 2), range(3, 4)]


def test_after_a_correction_every_register_of_the_day_is_said_once_more() -> None:
    shown = [*range(100, 112)]
    report = Report((Part(Reporting.CORRECTED, range(3, 4), 0), Part(Reporting.LATE, range(6, 12))))
    assert report.in_time(shown) == [100, 101, 102, 0, 104, 105, *[None] * 6]
    assert report.after(shown) == shown


def test_rows_of_periods_leave_the_rest_of_a_day_as_it_was_read(folder: Path, tmp_path: Path) -> None:
    write_days(load_scenario(folder), tmp_path / "out")
    rows = read_table(tmp_path / "out" / "readings.csv")
    first = min(int(row["period"]) for row in rows)
    status = {
        name: "".join(row["status"][0] for row in rows if row["participant"] == name) for name in ("home-1", "roof-1")
    }
    assert first == load_scenario(folder).period0
    assert status["home-1"][:48] == "mmmmmmccccccmmmmmmmmmmmm" + "eeeeeemmmmmmmmmmmmcccccc"
    assert status["roof-1"][:72] == "m" * 48 + "c" * 24


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("nobody,2016-05-08T10:00+02:00,bid,0.1,100", "column participant: 'nobody' is not in the participant table"),
        ("grid,2016-05-08T10:00+02:00,bid,0.1,100", "column participant: 'grid' is no consumer or prosumer"),
        ("home-2,2016-05-08T10:30+02:00,bid,0.1,100", "must be the start of a period of 3600 s"),
        ("home-2,2016-05-13T10:00+02:00,bid,0.1,100", "is no period of the scenario's 5 days from 2016-05-08 on"),
        ("home-2,8.5.2016 10:00,bid,0.1,100", "must be a local date or time such as 2016-05-08"),
        ("home-2,2016-05-08T10:00+02:00,BID,0.1,100", "column side: 'BID' must be bid or ask"),
        ('home-2,2016-05-08T10:00+02:00,bid,"0,1",100', "column price: '0,1' must be a plain decimal number"),
        ("home-2,2016-05-08T10:00+02:00,bid,0.1234,100", "must be a whole number of 0.001 currency/kWh"),
        ("home-2,2016-05-08T10:00+02:00,bid,3.096,100", "must be -1.000 to 3.095 currency/kWh"),
        ("home-2,2016-05-08T10:00+02:00,bid,-1.001,100", "must be -1.000 to 3.095 currency/kWh"),
        ("home-2,2016-05-08T10:00+02:00,bid,0.1,4", "must be 5 (min_order_energy_wh) to"),
        ("home-2,2016-05-08T10:00+02:00,bid,0.1,901", "beyond the connection: import_capacity_wh is 900"),
        ("home-1,2016-05-09T12:00+02:00,bid,0.1,201", "beyond the connection: import_capacity_wh is 900"),
        ("home-1,2016-05-08T10:00+02:00,bid,0.3,10", "has more orders of home-1 than the rules allow: max_layers is 2"),
        ("roof-1,2016-05-08T10:00+02:00,bid,0.06,10", "would trade with an order of roof-1 itself"),
    ],
)
def test_bad_orders(folder: Path, line: str, why: str) -> None:
    add(folder, "orders.csv", line)
    (mistake,) = mistakes_of(folder)
    assert mistake.startswith("orders.csv, line 7, column ")
    assert why in mistake


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("nobody,2016-05-08,missing,", "column participant: 'nobody' is not in the participant table"),
        ("grid,2016-05-08,missing,", "column participant: 'grid' is no consumer or prosumer"),
        ("home-1,2016-05-13,missing,", "must be the date, or the beginning, of a trading day"),
        ("home-1,2016-05-08T10:00,missing,", "must be the date, or the beginning, of a trading day"),
        ("home-1,soon,missing,", "must be a local date or time"),
        ("home-2,2016-05-08,late,", "column date: '2016-05-08' is there twice for home-2"),
        ("home-1,2016-05-08,gone,", "column reading: 'gone' is none of missing, late, corrected"),
        ("home-1,2016-05-08,late,500", "must be empty: only corrected readings are something else at first"),
        ("home-1,2016-05-08,corrected,", "must be a whole number"),
        ("home-1,2016-05-08,corrected,1001", "must be 0 to 1000"),
        ("home-1,2016-05-08,missing,", "is there twice for home-1, for the same periods"),
        (
            "home-1,2016-05-08,late,,2016-05-08T01:00,2016-05-08T06:00",
            "column first: '2016-05-08T01:00' must be whole rows of 6 periods from the day's beginning on",
        ),
        ("home-1,2016-05-08,late,,2016-05-08T00:00,", "has one of first and last: name both, or none"),
        ("home-1,2016-05-08,late,,2016-05-09T00:00,2016-05-09T05:00", "column first: '2016-05-09T00:00' is no period"),
        ("home-1,2016-05-08,late,,2016-05-08T18:00,2016-05-09T05:00", "must be a period of the row's date"),
        ("home-1,2016-05-08,late,,2016-05-08T18:00,2016-05-08T05:00", "must be a period of the row's date"),
        ("roof-1,2016-05-10,missing,,2016-05-10T00:00,2016-05-10T05:00", "has missing and corrected periods on a day"),
    ],
)
def test_bad_readings(folder: Path, line: str, why: str) -> None:
    add(folder, "readings.csv", line + "," * (5 - line.count(",")))
    (mistake,) = mistakes_of(folder)
    assert mistake.startswith("readings.csv, line 15, column ")
    assert why in mistake


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (
            "start,home-2",
            "start,nobody",
            "forecast.csv, line 1, column nobody: 'nobody' is not in the participant table",
        ),
        ("start,home-2", "start,grid", "'grid' is no consumer or prosumer"),
        ("2016-05-08T00:00:00+02:00,100,0", "2016-05-07T20:00:00+02:00,100,0", "must follow the line before by"),
        ("2016-05-08T05:00:00+02:00,105,-5", "2016-05-08T05:00:00+02:00,,-5", "must be a number: it is missing"),
    ],
)
def test_bad_forecasts(folder: Path, old: str, new: str, why: str) -> None:
    path = folder / "forecast.csv"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    assert any(why in mistake for mistake in mistakes_of(folder)), mistakes_of(folder)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("2016-05-09", "2016-05-13", "column joins: '2016-05-13' must be the date, or the beginning, of a trading day"),
        ("2016-05-09", "tomorrow", "column joins: 'tomorrow' must be a local date or time"),
        (",,,,2016-05-11", ",,,,2016-05-08", "column new_meter: '2016-05-08' must be a day after its first one"),
        (
            ",2016-05-08,2016-05-11,",
            ",2016-05-08,2016-05-10,",
            "'2016-05-10' is too early: it can be back on 2016-05-11",
        ),
        (",2016-05-08,2016-05-11,", ",,2016-05-11,", "column returns: '2016-05-11' must be empty: the member does not"),
        (",,,,2016-05-11", ",,,,2016-05-10", "cannot report late or correct the day before 2016-05-10"),
    ],
)
def test_bad_terms(folder: Path, old: str, new: str, why: str) -> None:
    path = folder / "participants.csv"
    path.write_text(path.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    assert any(why in mistake for mistake in mistakes_of(folder)), mistakes_of(folder)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("nobody,2016-05-10,900,0", "column participant: 'nobody' is not in the participant table"),
        ("grid,2016-05-10,900,0", "column participant: 'grid' is no consumer or prosumer"),
        ("home-1,2016-05-08,900,0", "column date: '2016-05-08' must be a day after home-1's first one, on which it"),
        ("home-4,2016-05-09,900,0", "must be a day after home-4's first one, on which it takes part"),
        ("home-2,2016-05-10,900,0", "must be after the one of the line before for the same member"),
        ("home-3,2016-05-13,900,0", "must be the date, or the beginning, of a trading day"),
        ("home-3,2016-05-10,-1,0", "column import_capacity_wh: '-1' must be a whole number"),
        ("home-3,2016-05-10,8589934592,0", "must be at most 8589934591 Wh, what the market can register"),
    ],
)
def test_bad_connections(folder: Path, line: str, why: str) -> None:
    add(folder, "connections.csv", line)
    (mistake,) = mistakes_of(folder)
    assert mistake.startswith("connections.csv, line 7, column ")
    assert why in mistake


def test_nobody_shows_more_than_the_connection_of_the_day(folder: Path) -> None:
    add(folder, "connections.csv", "home-3,2016-05-10,10,0")
    (mistake,) = mistakes_of(folder)
    assert "load and generation, 2016-05-10" in mistake
    assert "home-3: " in mistake
    assert "net Wh is beyond the connection: at most 10 in, 0 out" in mistake


def test_orders_of_ones_own_are_within_the_connection_of_the_day(folder: Path) -> None:
    (folder / "connections.csv").write_text(
        "participant,date,import_capacity_wh,export_capacity_wh\nhome-1,2016-05-09,850,0\nhome-1,2016-05-10,950,0\n"
    )
    add(folder, "orders.csv", "home-1,2016-05-09T13:00+02:00,bid,0.1,900")
    add(folder, "orders.csv", "home-1,2016-05-10T13:00+02:00,bid,0.1,950")
    (mistake,) = mistakes_of(folder)
    assert "orders.csv, line 7, column energy_wh: '900'" in mistake
    assert "beyond the connection: import_capacity_wh is 850" in mistake


def test_connections_of_a_described_network_stay(folder: Path) -> None:
    config = folder / "scenario.toml"
    config.write_text(config.read_text(encoding="utf-8") + '\n[grid]\nfolder = "grid"\n', encoding="utf-8")
    assert any("connections.csv: is not possible beside [grid]" in mistake for mistake in mistakes_of(folder))


def test_nobody_leaves_before_it_joins(folder: Path) -> None:
    path = folder / "participants.csv"
    text = path.read_text(encoding="utf-8")
    assert ",2016-05-09,," in text
    path.write_text(text.replace(",2016-05-09,,", ",2016-05-09,2016-05-08,"), encoding="utf-8")
    assert any("column leaves: '2016-05-08' is before it joins" in mistake for mistake in mistakes_of(folder))


def test_only_households_come_and_go(folder: Path) -> None:
    path = folder / "participants.csv"
    text = path.read_text(encoding="utf-8")
    row = next(line for line in text.splitlines() if line.startswith("operator,"))
    path.write_text(text.replace(row, row.removesuffix(",,,") + ",2016-05-09,,"), encoding="utf-8")
    assert any("must be empty: only consumers and prosumers come, go" in mistake for mistake in mistakes_of(folder))


def test_islands_read_their_meters_in_time(tmp_path: Path) -> None:
    folder = Hamlet(islanded=True).write(tmp_path)
    config = folder / "scenario.toml"
    text = config.read_text(encoding="utf-8").replace('pv = "pv.csv"', 'pv = "pv.csv"\nreadings = "readings.csv"')
    config.write_text(text, encoding="utf-8")
    (folder / "readings.csv").write_text(
        "participant,date,reading,first_permille\nhome-1,2016-05-08,late,\n", encoding="utf-8"
    )
    assert any("'tables.readings' is not possible on an island" in mistake for mistake in mistakes_of(folder))


def test_where_nobody_generates_no_table_of_it_is_needed(tmp_path: Path) -> None:
    folder = Hamlet(consumers=2, plants=0).write(tmp_path)
    before = load_scenario(folder)
    (folder / "pv.csv").unlink()
    config = folder / "scenario.toml"
    config.write_text(config.read_text(encoding="utf-8").replace('pv = "pv.csv"\n', ""), encoding="utf-8")
    after = load_scenario(folder)
    assert after.metered(1) == before.metered(1)
    assert after.forecasts(1) == before.forecasts(1)


def test_what_names_a_member_whose_line_is_wrong_is_no_further_mistake(folder: Path) -> None:
    table = folder / "participants.csv"
    lines = table.read_text(encoding="utf-8").splitlines()
    [home] = [i for i, line in enumerate(lines) if line.startswith("home-1,")]
    [grid] = [i for i, line in enumerate(lines) if ",grid_operator," in line]
    lines[home] = lines[home].replace(",consumer,", ",consumr,")
    cells = lines[grid].split(",")
    cells[lines[0].split(",").index("import_capacity_wh")] = "much"
    lines[grid] = ",".join(cells)
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    add(folder, "forecast.csv", "nobody,2016-01-05 00:00,1")
    found = mistakes_of(folder)
    assert len(found) == 3, found
    assert all(where in " ".join(found) for where in (f"line {home + 1}, column kind", f"line {grid + 1},", "'nobody'"))
