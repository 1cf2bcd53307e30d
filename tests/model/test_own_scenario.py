"""Scenarios of one's own: made from exports of any kind, and checked, with all that is wrong or worth knowing."""

import random
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner, Result

from dem.commands import cli
from dem.community.scenario import Kind, load_scenario

BERLIN = ZoneInfo("Europe/Berlin")
DAYS = 34
SPRING = "time;home\n27.03.2016 00:00;1\n27.03.2016 01:00;1\n27.03.2016 02:00;1\n27.03.2016 03:00;1\n"
"""With an hour that clocks leave out."""
AUTUMN = "time;home\n30.10.2016 01:00;1\n30.10.2016 02:00;1\n30.10.2016 03:00;1\n"
"""With an hour once that clocks show twice."""
Label = Callable[[datetime], str]


def dem(*words: object) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words])


def times(seconds: int = 900) -> list[datetime]:
    """From 1 October 2025 on, over the end of summer time."""
    begin = int(datetime(2025, 10, 1, tzinfo=BERLIN).timestamp())
    return [datetime.fromtimestamp(begin + at, BERLIN) for at in range(0, DAYS * 86_400 + 3_600, seconds)]


def readings() -> list[tuple[datetime, dict[str, str]]]:
    """kWh of two homes and a plant."""
    numbers = random.Random(1)
    return [
        (
            time,
            {
                "home 1": f"{numbers.uniform(0.02, 0.4):.4f}",
                "home 2": f"{numbers.uniform(0.02, 0.4):.3f}",
                "home 2 export": f"{max(0, 6 - abs(13 - time.hour)) * 0.1:.3f}",
            },
        )
        for time in times()
    ]


def wide(
    label: Label, separator: str = ",", decimal: str = ".", newest_first: bool = False, first: str = "time"
) -> str:
    rows = [
        separator.join([label(time), *(value.replace(".", decimal) for value in values.values())])
        for time, values in readings()
    ]
    header = separator.join([first, "home 1", "home 2", "home 2 export"])
    return "\n".join([header, *(reversed(rows) if newest_first else rows)]) + "\n"


def long() -> str:
    rows = [
        f"{name.removesuffix(' export')},{time.isoformat()},{'export' if 'export' in name else 'import'},{value}"
        for time, values in readings()
        for name, value in values.items()
    ]
    random.Random(2).shuffle(rows)
    return "\n".join(["meter,timestamp,direction,value", *rows]) + "\n"


def prices(label: Label, seconds: int = 3600) -> str:
    numbers = random.Random(3)
    return "MTU (CET/CEST),Day-ahead Price [EUR/MWh]\n" + "".join(
        f"{label(time)},{numbers.uniform(-20, 200)}\n" for time in times(seconds)
    )


EXPORTS = {
    "ISO with offsets": wide(str),
    "local, without offsets": wide(lambda time: f"{time:%Y-%m-%d %H:%M}"),
    "German, newest first": wide(lambda time: f"{time:%d.%m.%Y %H:%M}", ";", ",", newest_first=True, first="Datum"),
    "UTC": wide(lambda time: time.astimezone(ZoneInfo("UTC")).strftime("%Y-%m-%dT%H:%M:%SZ")),
    "long": long(),
}


@pytest.mark.parametrize("export", EXPORTS)
def test_a_scenario_is_made_from_any_export(tmp_path: Path, export: str) -> None:
    (tmp_path / "meters.csv").write_text(EXPORTS[export], encoding="utf-8")
    (tmp_path / "prices.csv").write_text(prices(lambda time: f"{time:%d.%m.%Y %H:%M} - x"), encoding="utf-8")
    made = dem(
        *("scenario", "new", tmp_path / "own", "--meters", tmp_path / "meters.csv"),
        *("--prices", tmp_path / "prices.csv", "--timezone", "Europe/Berlin"),
    )
    assert made.exit_code == 0, made.output
    checked = dem("check", tmp_path / "own")
    assert checked.exit_code == 0
    assert "nothing is wrong" in checked.output
    assert "too small" not in checked.output
    scenario = load_scenario(tmp_path / "own")
    assert [member.name for member in scenario.of_kind(Kind.CONSUMER)] == ["home-1"]
    assert [member.name for member in scenario.of_kind(Kind.PROSUMER)] == ["home-2"]
    begin, end = scenario.calendar.opening, scenario.calendar.end
    kwh = sum(float(row["home 1"]) for time, row in readings() if begin <= time.timestamp() < end)
    assert sum(sum(scenario.load(day)["home-1"]) for day in scenario.days) == pytest.approx(1000 * kwh, abs=1)
    fed = sum(float(row["home 2 export"]) for time, row in readings() if begin <= time.timestamp() < end)
    assert sum(sum(scenario.pv(day)["home-2"]) for day in scenario.days) == pytest.approx(1000 * fed, abs=1)


@pytest.mark.parametrize(
    ("words", "text", "said"),
    [
        ((), "", "is no table"),
        ((), "time\n2025-10-01\n", "must have a header"),
        ((), "time,home\nsoon,1\nlater,2\n", "is no time that is understood"),
        ((), wide(str).replace("0.3", "n/a", 1), "is no number (1 such in the column)"),
        (("--timezone", "Mars"), wide(str), "'Mars' is no time zone"),
        (("--timezone", "Los_Angls"), wide(str), "did you mean America/Los_Angeles?"),
        ((), wide(str, decimal=","), "decimal commas need ; between columns"),
        (
            (),
            SPRING,
            "line 4, column time: '27.03.2016 02:00' is no time in Europe/Berlin: clocks go from there to 03:00",
        ),
        ((), AUTUMN, "line 4, column time: '30.10.2016 03:00' follows an hour that is there once"),
        ((), AUTUMN, "Winter time all year is Etc/GMT-1"),
        (("--start", "2025-10-01"), wide(str), "must be days between 2025-10-03 and"),
        (("--days", "99"), wide(str), "must be days between"),
        ((), "time,home\n" + "".join(f"{time},1\n" for time in times()[:150]), "whole days are too few"),
        ((), wide(lambda time: f"{time:%Y-%m-%d %H:%M}").replace("10-02 05:00", "10-02 05:15"), "is there twice"),
    ],
)
def test_what_cannot_be_made_a_scenario(tmp_path: Path, words: tuple[str, ...], text: str, said: str) -> None:
    (tmp_path / "meters.csv").write_text(text, encoding="utf-8")
    made = dem(
        *("scenario", "new", tmp_path / "own", "--meters", tmp_path / "meters.csv", "--timezone", "Europe/Berlin"),
        *words,
    )
    assert made.exit_code == 2
    assert said in made.output
    assert [path.name for path in tmp_path.iterdir()] == ["meters.csv"], "nothing is left behind"


@pytest.mark.parametrize(
    ("prices", "words", "said"),
    [
        ("time,price\n" + SPRING.partition("\n")[2], (), "is no time in Europe/Berlin"),
        ("time,forecast,load\n2025-10-01,1,2\n", (), "'forecast, load' is no column of prices"),
        ("time,price\n2024-01-01T00:00Z,1\n2024-01-02T00:00Z,1\n", (), "has prices from 2024-01-01 to 2024-01-02"),
        ("time,price\n2024-01-01T00:00Z,1\n", ("--prices-timezone", "Berlin"), "did you mean Europe/Berlin?"),
    ],
)
def test_prices_that_do_not_fit(tmp_path: Path, prices: str, words: tuple[str, ...], said: str) -> None:
    (tmp_path / "meters.csv").write_text(wide(str), encoding="utf-8")
    (tmp_path / "prices.csv").write_text(prices.replace(";", ","), encoding="utf-8")
    made = dem(
        *("scenario", "new", tmp_path / "own", "--meters", tmp_path / "meters.csv", "--timezone", "Europe/Berlin"),
        *("--prices", tmp_path / "prices.csv", *words),
    )
    assert made.exit_code == 2, made.output
    assert said in " ".join(made.output.split())
    assert not (tmp_path / "own").exists()


def test_what_was_understood_is_told_and_what_can_hardly_be_is_noted(tmp_path: Path) -> None:
    (tmp_path / "meters.csv").write_text(wide(str).replace("home 2 export", "home 2 sun"), encoding="utf-8")
    words = ("--meters", tmp_path / "meters.csv", "--timezone", "Europe/Berlin")
    made = dem("scenario", "new", tmp_path / "own", *words)
    assert "3 consumers" in made.output
    assert "home-1 draws 20." in made.output
    assert "home-2-sun draws by daylight alone" in dem("check", tmp_path / "own").output
    made = dem("scenario", "new", tmp_path / "small", *words, "--unit", "Wh")
    assert made.exit_code == 0, made.output
    assert "is the unit of readings kWh or Wh?" in dem("check", tmp_path / "small").output


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    (folder / "meters.csv").write_text(EXPORTS["UTC"], encoding="utf-8")
    made = dem("scenario", "new", folder / "own", "--meters", folder / "meters.csv", "--timezone", "Europe/Berlin")
    assert made.exit_code == 0, made.output
    return folder / "own"


def changed(own: Path, folder: Path, *edits: tuple[str, str, str]) -> Path:
    copy = folder / "own"
    copy.mkdir()
    for path in own.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    for name, old, new in edits:
        text = (copy / name).read_text(encoding="utf-8")
        assert old in text, (name, old)
        (copy / name).write_text(text.replace(old, new, 1), encoding="utf-8")
    return copy


def test_a_check_says_everything_that_is_wrong_at_once(own: Path, tmp_path: Path) -> None:
    first = (own / "load.csv").read_text(encoding="utf-8").splitlines()[5]
    folder = changed(
        own,
        tmp_path,
        ("scenario.toml", 'currency = "EUR"', 'currency = "euros"'),
        ("scenario.toml", "seed = 1", "seed = 1\ncolour = 3"),
        ("scenario.toml", "platform_fee = 0.002", "platform_fee = -1"),
        ("participants.csv", "home-1,consumer", "home-1,eater"),
        ("participants.csv", "operator,operator", "operator,operators"),
        ("load.csv", first, first.replace(",0.", ",-x.", 1)),
        ("pv.csv", "home-2", "home-9"),
    )
    told = dem("check", folder)
    assert told.exit_code == 2
    for word in (
        "scenario.toml, currency: 'euros'",
        "scenario.toml, colour: 3 is no key",
        "scenario.toml, rules.0.platform_fee: ",
        "participants.csv, line 5, column kind: 'eater' is none of",
        "participants.csv, line 3, column kind: 'operators' is none of",
        "participants.csv: 'operator' is missing",
        "load.csv, line 6, column home-1: '-x",
        "pv.csv, line 1, column: 'home-9' is not in the participant table",
        "to mend in",
    ):
        assert word in told.output
    assert "Traceback" not in told.output


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (("scenario.toml", 'name = "own"', 'name = "other"'), "its name is 'other', its folder's 'own'"),
        (("scenario.toml", 'load = "load.csv"', 'load = "../own/../load.csv"'), "../own/../load.csv lies outside"),
        (("scenario.toml", "start = 2025-10-28", "start = 2025-10-05"), "forecasts of day 1 see"),
    ],
)
def test_a_check_notes_what_had_better_be_otherwise(
    own: Path, tmp_path: Path, edit: tuple[str, str, str], said: str
) -> None:
    folder = changed(own, tmp_path, edit)
    (tmp_path / "load.csv").write_bytes((own / "load.csv").read_bytes())
    told = dem("check", folder)
    assert told.exit_code == 0
    assert said in told.output


def test_a_check_says_how_much_each_member_needs(own: Path, tmp_path: Path) -> None:
    row = next(
        line for line in (own / "participants.csv").read_text(encoding="utf-8").splitlines() if line[:6] == "home-1"
    )
    *front, _, credit, strategy = row.split(",")
    told = dem("check", changed(own, tmp_path, ("participants.csv", row, ",".join([*front, "0.5", credit, strategy]))))
    assert told.exit_code == 0
    [note] = [line for line in told.output.splitlines() if "too small" in line]
    assert note.startswith("note  home-1: the deposit of 0.50 is too small: its orders and bills of")


def test_histories_of_other_lengths_are_noted(own: Path, tmp_path: Path) -> None:
    folder = changed(own, tmp_path)
    header, *rows = (folder / "pv.csv").read_text(encoding="utf-8").splitlines()
    (folder / "pv.csv").write_text("\n".join([header, *rows[96 * 20 :], ""]), encoding="utf-8")
    assert "that of pv" in dem("check", folder).output


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (("scenario.toml", 'name = "own"', 'name = "../../pwned"'), "scenario.toml, name: '../../pwned'"),
        (("participants.csv", "home-1,consumer", "../home,consumer"), "line 5, column participant: '../home' must be"),
        (("participants.csv", ",0,10000,", ",0,99999999999999,"), "credit_limit: '99999999999999' must be"),
        (("participants.csv", "home-1,consumer,,", "home-1,consumer,,9999999999"), "must be at most 8589934591 Wh"),
    ],
)  # fmt: skip
def test_what_would_fail_on_the_chain_is_refused_before(
    own: Path, tmp_path: Path, edit: tuple[str, str, str], said: str
) -> None:
    told = dem("check", changed(own, tmp_path, edit))
    assert told.exit_code == 2
    assert said in told.output
