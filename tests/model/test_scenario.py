"""Scenarios: the shipped ones, what a `Scenario` answers, and every mistake in a folder named."""

import re
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from functools import cache
from pathlib import Path

import pytest
from support.scenario_text import LEADS, TRUTHFUL, rules

from dem.community.flexibility import Battery
from dem.community.scenario import Kind, Scenario, load_scenario
from dem.errors import InputError
from dem.model.collateral import order_collateral
from dem.model.markets.auction import clear
from dem.model.orders import Side
from dem.model.rules import ImbalancePricing, Tariff
from dem.model.units import UnitsPerWh

SCENARIOS = Path(__file__).resolve().parents[2] / "scenarios"
SHIPPED = sorted(path.parent.name for path in SCENARIOS.glob("*/scenario.toml"))

TOML = (
    """
name = "test"
title = "Two neighbours"
currency = "EUR"
seed = 1

[calendar]
start = 2016-05-04
days = 2
utc_offset_seconds = 43200
period_seconds = 14400
periods_per_day = 6
"""
    + LEADS
    + """
[tables]
participants = "participants.csv"
load = "load_wh.csv"
pv = "pv_wh.csv"

[tariff]
kind = "spot"
prices = "prices.csv"
price_seconds = 43200
buy_adder = 0.25
sell_margin = 0.004

"""
    + rules()
    + TRUTHFUL
)
PARTICIPANTS = """\
participant,kind,bus,import_capacity_wh,export_capacity_wh,deposit,credit_limit,strategy
supplier,fallback_supplier,,0,0,0,2000,none
operator,operator,,0,0,0,0,none
grid,grid_operator,1,1000,0,0,200,none
home,consumer,2,1000,0,20.5,0,
roof,prosumer,3,500,2000,30,0,zero_intelligence
"""
ZONE = timezone(timedelta(hours=12))
FIRST = datetime(2016, 5, 1, tzinfo=ZONE)


def table(hours: int, header: str, row: Callable[[int], str], rows: int) -> str:
    """A table over time: `row(i)` is what follows the start of line i."""
    starts = (FIRST + timedelta(hours=hours * i) for i in range(rows))
    lines = [f"{start.isoformat()},{row(i)}" for i, start in enumerate(starts)]
    return "\n".join([f"start,{header}", *lines]) + "\n"


FILES = {
    "scenario.toml": TOML,
    "participants.csv": PARTICIPANTS,
    # Five days, 1 to 5 May; a day's values are its own: 100 on the first, 200 on the second ...
    "load_wh.csv": table(4, "home,roof,grid", lambda i: f"{i // 6 * 100 + 100},{i % 6},7", 30),
    "pv_wh.csv": table(4, "roof", lambda i: f"{i // 6 * 10 + 10}", 30),
    "prices.csv": table(12, "price_per_mwh", lambda i: f"{10 * i}.25", 10),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def edit(folder: Path, name: str, old: str, new: str) -> None:
    """Replace text in a file of the scenario."""
    text = (folder / name).read_text()
    assert old in text
    (folder / name).write_text(text.replace(old, new, 1))


# what it answers


def test_days_and_periods(folder: Path) -> None:
    scenario = load_scenario(folder)
    assert list(scenario.days) == [1, 2]
    assert scenario.calendar.date_of(2) == date(2016, 5, 5)
    opening = int(datetime(2016, 5, 3, 12, tzinfo=UTC).timestamp())
    assert scenario.calendar.opening == opening
    assert scenario.period0 * 14400 == opening
    assert scenario.periods(2) == range(scenario.period0 + 6, scenario.period0 + 12)


def test_meters_show_load_less_generation(folder: Path) -> None:
    scenario = load_scenario(folder)
    assert scenario.load(1)["home"] == [400] * 6
    assert scenario.pv(1)["roof"] == [40] * 6
    assert scenario.metered(2) == {
        "grid": [7] * 6,
        "home": [500] * 6,
        "roof": [slot - 50 for slot in range(6)],
    }
    assert type(scenario.metered(2)["home"][0]) is int


def test_history_ends_with_the_last_day_whose_readings_are_due_at_the_gate(folder: Path) -> None:
    def known(scenario: Scenario, day: int) -> list[int]:
        return [int(home[0]) for _, home, _ in scenario.history(day).load]

    scenario = load_scenario(folder)
    assert known(scenario, 1) == [100, 200]
    assert known(scenario, 2) == [100, 200, 300]
    # readings due only after noon: one day less
    edit(folder, "scenario.toml", "metering_lag_seconds = 21600", "metering_lag_seconds = 43201")
    late = load_scenario(folder)
    assert known(late, 2) == [100, 200]
    assert late.history(2).lead == 3


def test_forecasts_do_not_depend_on_what_comes_after_the_gate(folder: Path) -> None:
    before = load_scenario(folder).forecasts(1)
    for name, text in FILES.items():
        if name.endswith("_wh.csv"):
            changed = re.sub(
                r"(?m)^(2016-05-0[345][^,]*),.*$",
                r"\1" + ",0" * (text.split("\n")[0].count(",")),
                text,
            )
            assert changed != text
            (folder / name).write_text(changed)
    assert load_scenario(folder).forecasts(1) == before


def test_whoever_trades_has_a_forecast(folder: Path) -> None:
    assert list(load_scenario(folder).forecasts(1)) == ["home", "roof"]


def test_spot_tariff(folder: Path) -> None:
    tariffs = load_scenario(folder).tariffs(1)
    # 4 May begins with the seventh half-day: 60.25 currency/MWh, then 70.25
    assert tariffs[:3] == [Tariff(UnitsPerWh(31025), UnitsPerWh(5625))] * 3
    assert tariffs[3:] == [Tariff(UnitsPerWh(32025), UnitsPerWh(6625))] * 3


def test_spot_tariff_passes_prices_below_zero_on(folder: Path) -> None:
    edit(folder, "prices.csv", "60.25", "-130.09")
    scenario = load_scenario(folder)
    assert scenario.tariffs(1)[0] == Tariff(UnitsPerWh(11991), UnitsPerWh(-13409))
    assert scenario.rules(1).min_sell == -13409


def test_the_lowest_tariff_may_be_said(folder: Path) -> None:
    edit(folder, "prices.csv", "60.25", "-130.09")
    edit(folder, "scenario.toml", "max_buy = 0.35", "max_buy = 0.35\nmin_sell = -0.14")
    assert load_scenario(folder).rules(1).min_sell == -14_000
    edit(folder, "scenario.toml", "min_sell = -0.14", "min_sell = -0.13")
    with pytest.raises(
        InputError, match=r"line 8.*'buy 0.11991, sell -0.13409' must be min_sell -0.130 <= sell <= buy"
    ):
        load_scenario(folder)


def test_feed_in_tariff(folder: Path) -> None:
    edit(folder, "scenario.toml", 'kind = "spot"', 'kind = "feed_in"')
    edit(folder, "scenario.toml", "sell_margin = 0.004", "feed_in = 0.0821")
    assert load_scenario(folder).tariffs(1)[0] == Tariff(UnitsPerWh(31025), UnitsPerWh(8210))


def tariff_table(folder: Path, row: str = "30000,8000") -> None:
    """Give the tariffs period by period."""
    text = re.sub(r"(?s)\[tariff\].*?\n\n", '[tariff]\nkind = "table"\ntariffs = "t.csv"\n\n', TOML)
    (folder / "scenario.toml").write_text(text)
    columns = "buy_units_per_wh,sell_units_per_wh"
    (folder / "t.csv").write_text(table(4, columns, lambda _: row, 30))


def test_tariff_table(folder: Path) -> None:
    tariff_table(folder)
    assert load_scenario(folder).tariffs(2) == [Tariff(UnitsPerWh(30000), UnitsPerWh(8000))] * 6


def test_rules_apply_from_their_first_day(folder: Path) -> None:
    second = TOML[TOML.index("[[rules]]") : TOML.index("[strategies]")]
    second = second.replace("first_day = 1", "first_day = 2").replace('"single"', '"two_price"')
    edit(folder, "scenario.toml", "[strategies]", second + "[strategies]")
    scenario = load_scenario(folder)
    assert scenario.rules(1).imbalance_pricing is ImbalancePricing.SINGLE
    assert scenario.rules(2).imbalance_pricing is ImbalancePricing.TWO_PRICE
    assert (scenario.rules(1).platform_fee, scenario.rules(1).network_fee) == (200, 1000)


def test_participants(folder: Path) -> None:
    scenario = load_scenario(folder)
    home = scenario.participant("home")
    assert (home.kind, home.bus, home.deposit, home.metered) == (
        Kind.CONSUMER,
        "2",
        2_050_000_000,
        True,
    )
    assert home.strategy == "truthful"
    assert not scenario.participant("supplier").metered
    assert [m.name for m in scenario.of_kind(Kind.PROSUMER, Kind.CONSUMER)] == ["home", "roof"]
    with pytest.raises(InputError, match="'nobody' is unknown"):
        scenario.participant("nobody")


def test_orders_carry_the_numbers_they_are_given(folder: Path) -> None:
    orders = load_scenario(folder).orders(1, {"home": 17, "roof": 4})
    assert {(order.participant, order.side) for order in orders} == {(17, Side.BID), (4, Side.ASK)}


@pytest.mark.parametrize("day", [0, 3])
def test_rejects_days_that_are_not_in_it(folder: Path, day: int) -> None:
    scenario = load_scenario(folder)
    for ask in (scenario.metered, scenario.tariffs, scenario.rules, scenario.forecasts):
        with pytest.raises(InputError, match=f"test, day: {day} must be 1..2"):
            ask(day)


def test_history_needs_a_past(folder: Path) -> None:
    edit(folder, "scenario.toml", "start = 2016-05-04", "start = 2016-05-02")
    with pytest.raises(InputError, match="begin the tables of load and pv at least 2 days before 2016-05-02"):
        load_scenario(folder)


# what it refuses

MISTAKES = [
    # file, text, replaced by, words of the error
    ("scenario.toml", "seed = 1", "seed = ", ["scenario.toml", "is not TOML"]),
    ("scenario.toml", "seed = 1", "seed = 1\ncolour = 3", ["colour: 3", "is no key that is known"]),
    ("scenario.toml", "seed = 1", 'seed = "1"', ["scenario.toml, seed: '1'", "valid integer"]),
    ("scenario.toml", 'currency = "EUR"\n', "", ["scenario.toml, currency", "must be given"]),
    ("scenario.toml", "days = 2", "days = 0", ["calendar.days: 0", "greater than or equal to 1"]),
    ("scenario.toml", "= 14400", "= 7000", ["calendar", "must be 86400"]),
    ("scenario.toml", "= 64800", "= 43200", ["calendar", "gate_lead < open_lead"]),
    ("scenario.toml", "= 86400", "= 21600", ["calendar", "metering_lag < correction_lag"]),
    ("scenario.toml", "seconds = 43200", "seconds = 43201", ["calendar", "whole period"]),
    ("scenario.toml", "0.002", "0.0000001", ["rules.0.platform_fee", "whole number of units/Wh"]),
    ("scenario.toml", "0.002", "-0.002", ["rules.0.platform_fee", "greater than or equal to 0"]),
    ("scenario.toml", "0.002", "true", ["rules.0.platform_fee: True", "must be a number"]),
    ("scenario.toml", "0.28", "0.36", ["rules.0", "standing_buy: 36000 must be 0..35000"]),
    ("scenario.toml", '"single"', '"double"', ["rules.0.imbalance_pricing: 'double'", "'tariff'"]),
    ("scenario.toml", "first_day = 1", "first_day = 2", ["rules must begin with first_day 1"]),
    ("scenario.toml", '"spot"', '"free"', ["tariff", "'free'", "'feed_in'"]),
    ("scenario.toml", "= 43200\nbuy", "= 0\nbuy", ["price_seconds: 0", "greater than or equal to 1"]),
    ("scenario.toml", "utc_offset_seconds = 43200", 'timezone = "Mars/Phobos"', ["timezone: 'Mars/Phobos' is no time"]),
    ("scenario.toml", "utc_offset_seconds = 43200", 'timezone = "../x"', ["timezone: '../x' is no time zone"]),
    ("scenario.toml", "utc_offset_seconds = 43200", "", ["calendar", "needs timezone, such as Europe/Berlin"]),
    ("scenario.toml", 'title = "Two', 'title = 5 # "Two', ["title: 5", "valid string"]),
    ("scenario.toml", '"truthful"', '"greedy"', ["'greedy' is no strategy", "zero_intelligence"]),
    (
        "scenario.toml",
        '"truthful"',
        '"truthful"\nparameters.truthful.greed = 1',
        ["strategies.parameters.truthful, greed: 1"],
    ),
    ("scenario.toml", '"load_wh.csv"', '"no.csv"', ["no.csv", "cannot be read"]),
    ("scenario.toml", 'load = "load_wh.csv"\n', "", ["scenario.toml", "either tables.load, with tables.pv"]),
    ("participants.csv", ",deposit", ",money", ["participants.csv, line 1", "column deposit"]),
    ("participants.csv", "strategy\n", "strategy,age\n", ["line 1: 'age' is none of"]),
    ("participants.csv", ",bus", ",bus,bus", ["line 1: 'bus' is there twice"]),
    ("participants.csv", "roof,pro", "home,pro", ["line 6, column participant: 'home'", "twice"]),
    ("participants.csv", "home,", "my home,", ["line 5, column participant: 'my home'"]),
    ("participants.csv", "consumer", "eater", ["line 5, column kind: 'eater'", "prosumer"]),
    (
        "participants.csv",
        "operator,operator",
        "o,grid_operator",
        ["'grid_operator' is there twice"],
    ),
    ("participants.csv", "operator,operator,,0,0,0,0,none\n", "", ["'operator' is missing"]),
    ("participants.csv", "20.5", "-1", ["line 5, column deposit: '-1'", "plain decimal"]),
    ("participants.csv", "2,1000,0,", "2,1e3,0,", ["import_capacity_wh: '1e3'", "whole number"]),
    ("participants.csv", "zero_int", "no_int", ["line 6, column strategy: 'no_intelligence'"]),
    ("participants.csv", "30,0,zero", "30,zero", ["line 6", "has 7 values for 8 columns"]),
    ("participants.csv", "roof,prosumer", "shed,prosumer", ["'roof' is not in the participant"]),
    ("load_wh.csv", "home,roof", "home,supplier", ["column: 'supplier' has no meter"]),
    ("load_wh.csv", "home,roof", "home,home", ["load_wh.csv, line 1: 'home' is there twice"]),
    ("load_wh.csv", "start,", "begin,", ["load_wh.csv, line 1", "lacks the column start"]),
    ("load_wh.csv", ",100,3,", ",-1,3,", ["line 5, column home: '-1' must be at least 0"]),
    ("load_wh.csv", ",100,3,", ",nan,3,", ["line 5, column home: 'nan' must be a number"]),
    ("load_wh.csv", ",100,3,", ",,3,", ["line 5, column home: '' must be a number: it is missing"]),
    ("load_wh.csv", ",100,3,", ",1e12,3,", ["line 5, column home: '1e12' is too large"]),
    (
        "load_wh.csv",
        ",100,3,",
        ',"1,5",3,',
        ["line 5, column home: '1,5' must be a number: write a decimal point for the comma"],
    ),
    ("load_wh.csv", "-01T12:00", "-01T16:00", ["line 5, column start", "by 14400 s"]),
    ("load_wh.csv", "-01T12:00", "-01T12:01", ["line 5, column start", "by 14400 s"]),
    (
        "load_wh.csv",
        "2016-05-01T12:00:00+12:00",
        "noon",
        ["line 5, column start: 'noon'", "ISO time"],
    ),
    ("load_wh.csv", "-01T12:00:00+12:00", "-01T12:00:00", ["line 5", "offset from UTC"]),
    ("load_wh.csv", "400,3", "1001,3", ["1001 net Wh is beyond", "2016-05-04 12:00", "home"]),
    ("load_wh.csv", "100,3", "1001,3", ["1001 net Wh is beyond", "2016-05-01 12:00", "home"]),
    (
        "load_wh.csv",
        "2016-05-05T20:00:00+12:00,500,5,7\n",
        "",
        ["load_wh.csv", "must cover 2016-05-04 to 2016-05-05"],
    ),
    ("pv_wh.csv", "roof", "grid", ["generation, 2016-05-01", "grid: -3 net Wh", "0 out"]),
    ("prices.csv", "60.25", "cheap", ["prices.csv, line 8, column price_per_mwh: 'cheap'"]),
    ("prices.csv", "60.25", "60.255", ["line 8", "whole number of 0.01 currency/MWh"]),
    ("prices.csv", "60.25", "160.25", ["prices.csv, line 8", "buy 0.41025", "max_buy 0.350"]),
    ("prices.csv", "60.25", "-1260.25", ["prices.csv, line 8", "buy -1.01025", "prices.lowest -1.000 <= sell <= buy"]),
    ("prices.csv", "-01T12", "-01T13", ["prices.csv, line 3, column start", "43200 s"]),
]


MARKETS = """
[markets]
intraday = true
bilateral = true
pools = true
wholesale = true

[bilateral]
contracts = "contracts.csv"

[[pools]]
name = "pool"
intermediary = "agent"
preset = "microgrid"
commission = 0.001
gate_lead_seconds = 50400

[wholesale]
desk = "desk"
prices = "prices.csv"
price_seconds = 43200
margin = 0.02
import_capacity_wh = 1000
export_capacity_wh = 500
penalty = 0.01

[intraday]
gate_lead_seconds = 14400
sessions = [-6, 7.5]
"""


@pytest.fixture
def markets(folder: Path) -> Path:
    """A folder with all markets."""
    rules = (
        "wholesale_margin = 0.02\npenalty_cap = 0.01\ncommission_cap = 0.001\npremium_rate = 0.03\nreward_share = 500\n"
    )
    edit(folder, "scenario.toml", "boundary_margin_wh = 100\n", "boundary_margin_wh = 100\n" + rules)
    (folder / "scenario.toml").write_text((folder / "scenario.toml").read_text() + MARKETS)
    header, *rows = PARTICIPANTS.splitlines()
    extra = {"home": "agent,400,2000,1000,", "roof": "agent,,,,250"}
    rows = [f"{row},{extra.get(row.split(',')[0], ',,,,')}" for row in rows]
    rows += ["agent,intermediary,,1000,1000,5,0,,,,,,", "desk,wholesale_desk,,0,0,0,100,none,,,,,"]
    header += ",intermediary,share_permille,battery_wh,battery_w,shiftable_permille"
    (folder / "participants.csv").write_text("\n".join([header, *rows]) + "\n")
    (folder / "contracts.csv").write_text(
        "seller,buyer,price,energy_wh,first,last,weekdays,hours\n"
        "roof,home,0.08,20,2016-05-04,2016-05-05,Mo-Su,08:00-16:00\n"
    )
    return folder


def test_all_markets(markets: Path) -> None:
    scenario = load_scenario(markets)
    assert set(scenario.markets.names) == {"call_auction", "intraday", "bilateral", "pools", "wholesale"}
    home, roof = scenario.participant("home"), scenario.participant("roof")
    assert (home.intermediary, home.share, roof.share) == ("agent", 400, 1000)
    assert home.battery == Battery(capacity=2_000, most=4_000, efficiency=900, start=1_000)
    assert (home.shiftable, roof.shiftable, roof.battery) == (0, 250, None)
    assert [agreement.price for agreement in scenario.agreements] == [8_000]
    assert scenario.wholesale_prices(1) == [6_025] * 3 + [7_025] * 3
    assert scenario.config.intraday is not None
    assert scenario.config.intraday.sessions == [-21_600, 27_000]
    rules = scenario.rules(1)
    assert (rules.commission_cap, rules.wholesale_margin, rules.penalty_cap) == (100, 2_000, 1_000)
    assert (rules.premium_rate, rules.reward_share) == (3_000, 500)


def test_prices_of_the_exchange_need_a_desk(folder: Path) -> None:
    with pytest.raises(InputError, match="wholesale: is not described"):
        load_scenario(folder).wholesale_prices(1)


MARKET_MISTAKES = [
    ("scenario.toml", "[bilateral]\ncontracts = ", "[other]\ncontracts = ", ["other", "is no key that is known"]),
    ("scenario.toml", '[bilateral]\ncontracts = "contracts.csv"\n', "", ["markets.bilateral needs a section"]),
    ("scenario.toml", "pools = true", "pools = 1", ["markets.pools: 1", "valid boolean"]),
    ("scenario.toml", '"microgrid"', '"peer_to_peer"', ["pools.0.preset: 'peer_to_peer'", "retailer"]),
    ("scenario.toml", "commission = 0.001", "commission = 0.002", ["pool pool: commission", "200 within 100"]),
    ("scenario.toml", "= 50400", "= 43200", ["pool pool: its gate", "43200 between 43200 and 64800"]),
    ("scenario.toml", "\nmargin = 0.02", "\nmargin = 0.03", ["within wholesale_margin", "(3000, 1000)"]),
    ("scenario.toml", "[-6, 7.5]", "[7.5, -6]", ["sessions must ascend"]),
    ("scenario.toml", "[-6, 7.5]", "[-12, 7.5]", ["intraday.sessions: -12 h must come after", "-12 h"]),
    ("scenario.toml", "[-6, 7.5]", "[24]", ["intraday.sessions: 24 h"]),
    ("scenario.toml", "[-6, 7.5]", "[0.00001]", ["whole number of seconds"]),
    ("scenario.toml", '"agent"', '"home"', ["pools.intermediary: 'home' is no intermediary"]),
    ("scenario.toml", 'desk = "desk"', 'desk = "roof"', ["wholesale.desk: 'roof' is no wholesale_desk"]),
    ("scenario.toml", "reward_share = 500", "reward_share = 10001", ["rules.0.reward_share: 10001"]),
    ("scenario.toml", "max_layers = 4", "max_layers = 256", ["max_layers must be at most", "one transaction"]),
    ("participants.csv", "agent,400", "roof,400", ["intermediary of home: 'roof' is the intermediary of no pool"]),
    ("participants.csv", "agent,400", ",400", ["share_permille: '400' is a share through no intermediary"]),
    ("participants.csv", "agent,400", "agent,1001", ["share_permille: '1001' must be 0 to 1000"]),
    ("participants.csv", "2000,1000", "2000,", ["battery_wh: '2000' must be given with"]),
    ("participants.csv", "2000,1000", "0,1000", ["battery_wh: '0' must be 1 to"]),
    ("participants.csv", ",,,,250", ",,,,1001", ["shiftable_permille: '1001' must be 0 to 1000"]),
    ("participants.csv", "0,100,none,,,,,", "0,100,none,,,,,5", ["shiftable_permille: '5' must be empty or 0"]),
    ("participants.csv", "0,100,none,", "0,100,none,agent", ["intermediary: 'agent' must be empty"]),
    ("contracts.csv", "roof,home", "roof,grid", ["contracts.csv, line 2, column buyer: 'grid' does not trade"]),
]


@pytest.mark.parametrize(("name", "old", "new", "words"), MARKET_MISTAKES)
def test_names_the_mistake_about_a_market(markets: Path, name: str, old: str, new: str, words: list[str]) -> None:
    edit(markets, name, old, new)
    with pytest.raises(InputError) as caught:
        load_scenario(markets)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(("name", "old", "new", "words"), MISTAKES)
def test_names_the_mistake(folder: Path, name: str, old: str, new: str, words: list[str]) -> None:
    edit(folder, name, old, new)
    with pytest.raises(InputError) as caught:
        load_scenario(folder)
    for word in words:
        assert word in str(caught.value)


def test_rejects_a_folder_without_a_scenario(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"scenario.toml: does not exist"):
        load_scenario(tmp_path)


def test_rejects_a_table_without_rows(folder: Path) -> None:
    (folder / "prices.csv").write_text("start,price_per_mwh\n")
    with pytest.raises(InputError, match=r"prices.csv: has no rows"):
        load_scenario(folder)


def test_rejects_a_meter_without_readings(folder: Path) -> None:
    (folder / "pv_wh.csv").write_text(table(4, "grid", lambda _: "0", 30))
    (folder / "load_wh.csv").write_text(table(4, "home,grid", lambda _: "1,1", 30))
    with pytest.raises(InputError, match=r"'roof' has a meter but no column in load_wh.csv or pv_wh"):
        load_scenario(folder)


@pytest.mark.parametrize("row", ["8000,30000", "35001,0"])
def test_rejects_tariffs_beyond_the_rules(folder: Path, row: str) -> None:
    tariff_table(folder, row)
    with pytest.raises(InputError, match=r"t.csv, line 20: tariff: 'buy 0"):
        load_scenario(folder)


# islands


@pytest.fixture
def island(folder: Path) -> Path:
    edit(folder, "scenario.toml", "seed = 1\n", "seed = 1\nislanded = true\n")
    edit(folder, "scenario.toml", "deviation_rate = 0.002", "deviation_rate = 0")
    (folder / "load_wh.csv").write_text(FILES["load_wh.csv"].replace(",7\n", ",0\n"))
    return folder


def test_an_island_has_no_upper_grid(island: Path) -> None:
    assert load_scenario(island).islanded


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("scenario.toml", "deviation_rate = 0\n", "deviation_rate = 0.002\n", "deviation_rate must be 0"),
        ("scenario.toml", '"single"', '"tariff"', "imbalance_pricing single or two_price"),
        ("scenario.toml", "[strategies]", "[markets]\ncall_auction = false\n[strategies]", "call auction alone"),
        ("load_wh.csv", "500,0,0\n", "500,0,7\n", "meter: 'grid' has losses on day 2"),
    ],
)
def test_names_the_mistake_about_an_island(island: Path, name: str, old: str, new: str, words: str) -> None:
    edit(island, name, old, new)
    with pytest.raises(InputError, match=words):
        load_scenario(island)


def test_an_island_has_no_stores(island: Path) -> None:
    header, *rows = PARTICIPANTS.splitlines()
    rows = [f"{row},{250 if row.startswith('home') else ''}" for row in rows]
    (island / "participants.csv").write_text("\n".join([f"{header},shiftable_permille", *rows]) + "\n")
    with pytest.raises(InputError, match="'home' has a battery or load that moves"):
        load_scenario(island)


# what is shipped


LIMITED = ["rural-sunday-limits", "rural-sunny"]
VILLAGES = ["rural-island", "rural-markets", "rural-sunday", "rural-weekday", "rural-year"]

load_shipped = cache(lambda name: load_scenario(SCENARIOS / name))


@pytest.fixture(params=SHIPPED)
def shipped(request: pytest.FixtureRequest) -> Scenario:
    return load_shipped(request.param)


def test_there_are_those_of_a_village_of_a_town_and_of_metered_homes() -> None:
    assert sorted(["homes-year", *VILLAGES, *LIMITED, "town", "town-evening"]) == SHIPPED


def test_metered_homes_are_as_their_source_says() -> None:
    """All that was metered on the scenario's days, and an error of the forecast of about half of the load."""
    homes = load_shipped("homes-year")
    load, generation, wrong = 0, 0, 0
    for day in homes.days:
        load += sum(map(sum, homes.load(day).values()))
        generation += sum(map(sum, homes.pv(day).values()))
        metered = homes.metered(day)
        expected = homes.forecasts(day)
        wrong += sum(abs(a - b) for name in expected for a, b in zip(expected[name], metered[name], strict=True))
    assert (load, generation) == (152_374_539, 93_802_725)
    assert wrong / load == pytest.approx(0.541, abs=0.001)


def test_shipped_scenarios_are_named_after_their_folder(shipped: Scenario) -> None:
    assert shipped.config.name == shipped.folder.name


def test_shipped_communities_begin_with_the_services(shipped: Scenario) -> None:
    assert [member.kind for member in shipped.participants[:3]] == [
        Kind.FALLBACK_SUPPLIER,
        Kind.OPERATOR,
        Kind.GRID_OPERATOR,
    ]
    assert all(m.credit_limit == 0 for m in shipped.participants[3:] if m.kind is not Kind.WHOLESALE_DESK)


@pytest.mark.parametrize(
    ("name", "consumers", "prosumers"), [*((v, 28, 8) for v in VILLAGES + LIMITED), ("town", 904, 602)]
)
def test_shipped_communities(name: str, consumers: int, prosumers: int) -> None:
    scenario = load_shipped(name)
    assert len(scenario.of_kind(Kind.CONSUMER)) == consumers
    assert len(scenario.of_kind(Kind.PROSUMER)) == prosumers


def test_shipped_forecasts_have_four_whole_weeks(shipped: Scenario) -> None:
    assert len(shipped.history(1).pv) >= 27


@pytest.mark.parametrize("name", VILLAGES[1:])
def test_losses_are_within_reason(name: str) -> None:
    losses = load_shipped(name).metered(1)["grid"]
    iron = 0.46 * 250  # the transformer's, 0.46 kW, in Wh per quarter-hour
    assert all(iron * 0.9 <= wh < 2_000 for wh in losses)


def test_an_island_is_the_village_without_losses() -> None:
    island, village = (load_shipped(name).metered(1) for name in ("rural-island", "rural-sunday"))
    assert island.pop("grid") == [0] * 96
    assert village.pop("grid")
    assert island == village


@pytest.mark.parametrize("name", [name for name in SHIPPED if name != "town"])  # its evening's orders are larger
def test_deposits_cover_the_orders_of_two_days(name: str) -> None:
    shipped = load_shipped(name)
    ids = {member.name: i for i, member in enumerate(shipped.participants, start=3)}
    # Spring days are among the dearest for plants, winter days for heat pumps.
    for first in (day for day in (1, 125, 355) if day in shipped.days):
        locked = dict.fromkeys(ids.values(), 0)
        for day in {first, min(first + 1, shipped.days[-1])}:
            for order in shipped.orders(day, ids):
                locked[order.participant] += order_collateral(order, shipped.rules(day))
        for member in shipped.participants:
            assert locked[ids[member.name]] <= member.deposit


def test_the_year_holds_the_days_of_the_other_villages() -> None:
    year, day = load_shipped("rural-year"), load_shipped("rural-sunday")
    number = (day.calendar.start - year.calendar.start).days + 1
    earlier = year.metered(number - 1)  # by winter time, the day begins an hour later
    for name, energy in day.metered(1).items():
        assert earlier[name][-4:] + year.metered(number)[name][:-4] == energy
    assert year.tariffs(number)[:-4] == day.tariffs(1)[4:]


@pytest.mark.parametrize(
    ("name", "load", "pv", "matchable", "traded"),
    [
        ("rural-sunday", 677_750, 1_597_270, 421_669, 354_495),
        ("rural-weekday", 551_429, 1_072_373, 303_704, 348_364),
        ("town", 13_061_765, 19_465_974, 4_290_636, 4_152_230),
    ],
)
def test_figures_of_the_documentation(name: str, load: int, pv: int, matchable: int, traded: int) -> None:
    scenario = load_shipped(name)
    assert sum(sum(wh) for n, wh in scenario.load(1).items() if n != "grid") == load
    assert sum(map(sum, scenario.pv(1).values())) == pv
    meters = [wh for n, wh in scenario.metered(1).items() if n != "grid"]
    slots = [
        (sum(wh for wh in slot if wh > 0), -sum(wh for wh in slot if wh < 0)) for slot in zip(*meters, strict=True)
    ]
    assert sum(map(min, slots)) == matchable
    books = defaultdict(list)
    for order in scenario.orders(1, {member.name: i for i, member in enumerate(scenario.participants, start=3)}):
        books[order.slot].append(order)
    assert sum(clear(book).volume for book in books.values()) == traded


@pytest.mark.parametrize(("percent", "times"), [(0, 0), (50, 1)])
def test_what_meters_will_show_is_asked_once_however_many_there_are(
    percent: int, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario = load_scenario(SCENARIOS / "rural-sunday").foreseen(percent)
    asked, metered = [], Scenario.metered

    def counted(self: Scenario, day: int) -> dict[str, list[int]]:
        asked.append(day)
        return metered(self, day)

    monkeypatch.setattr(Scenario, "metered", counted)
    for what in (scenario.past_net, scenario.forecasts):
        asked.clear()
        assert len(what(1)) > 30
        assert len(asked) == times
