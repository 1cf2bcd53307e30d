"""The network: its tables and what is wrong with them, power flow, programme, limits, and what a run leaves of it."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from support.pandapower_net import net_of, solve

from dem.commands.grid import cli
from dem.community.scenario import Scenario, examine, load_scenario
from dem.errors import InputError, Mistakes
from dem.grid.flow import PowerFlow
from dem.grid.importing import from_pandapower, open_net
from dem.grid.limits import SHARES, Dispatcher
from dem.grid.network import IMPOSSIBLE, PPM, read_network
from dem.grid.programme import connect, in_rows, programme
from dem.grid.violations import FEED_IN, NO_FLOW, OVERLOAD, TOO_HIGH, TOO_LOW, rises, violations
from dem.offchain.run import write_days
from dem.report import write_report
from dem.report.grid import told_apart
from dem.results.grid import check_grid
from dem.results.reader import read_results
from dem.results.summary import summarise

SCENARIOS = Path(__file__).resolve().parents[2] / "scenarios"
VILLAGE = SCENARIOS / "data" / "simbench-lv-rural1" / "grid"
TOWN = SCENARIOS / "town" / "grid"

SMALL = {
    "buses": "bus,voltage_v,x_m,y_m\ntop,20000,,\nbar,400,,\na,400,,\nb,400,,\nc,400,,\n",
    "lines": "line,from_bus,to_bus,r_uohm,x_uohm,b_ns,rating_ma\n"
    "one,bar,a,50000,20000,0,200000\ntwo,a,b,60000,20000,0,100000\nthree,c,bar,80000,20000,0,150000\n",
    "transformers": "transformer,high_bus,low_bus,rating_va,high_voltage_v,low_voltage_v,short_circuit_ppm,"
    "copper_loss_w,iron_loss_w,magnetising_ppm,tap_side,tap_position,tap_neutral,tap_lowest,tap_highest,tap_step_ppm\n"
    "T,top,bar,100000,20000,400,40000,1750,260,3000,high,0,0,-2,2,25000\n",
    "sources": "source,bus,voltage_ppm\ngrid,top,1000000\n",
    "limits": "lowest_voltage_ppm,highest_voltage_ppm,loading_ppm,load_reactive_permille,plant_reactive_permille\n"
    "900000,1100000,1000000,0,0\n",
}


def written(folder: Path, **changes: tuple[str, str]) -> Path:
    """The small network with a text of a table replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    for table, text in SMALL.items():
        old, new = changes.get(table, ("", ""))
        assert old in text
        (folder / f"{table}.csv").write_text(text.replace(old, new) if old else text, encoding="utf-8")
    return folder


@cache
def scenario(name: str) -> Scenario:
    return load_scenario(SCENARIOS / name)


@cache
def dispatcher(name: str, pv: int = 1) -> Dispatcher:
    """pv: so many times the plants' connections."""
    own = scenario(name)
    assert own.network is not None
    assert own.connections is not None
    connections = replace(own.connections, exports=own.connections.exports * pv)
    return Dispatcher(own.network, connections, own.calendar.period_seconds)


def metered(name: str, pv: int = 1) -> np.ndarray:
    own = dispatcher(name)
    net = in_rows(own.connections.names, scenario(name).metered(1), 96)
    return np.where(net < 0, pv * net, net)


# ----------------------------------------------------------------------------------------------------------- the tables


@pytest.mark.parametrize("folder", [VILLAGE, TOWN])
def test_a_network_is_written_as_it_was_read(folder: Path, tmp_path: Path):
    network = read_network(folder)
    network.write(tmp_path)
    assert all((tmp_path / path.name).read_bytes() == path.read_bytes() for path in folder.glob("*.csv"))
    assert read_network(tmp_path).digest == network.digest


def test_the_hash_names_one_network():
    assert read_network(VILLAGE).digest == "0xf3d3449383f66ce494a120dbcf07984aa05b019f935029fc5ddfab48c323d81f"


def test_any_change_of_a_table_changes_the_hash(tmp_path: Path):
    first = read_network(written(tmp_path / "first"))
    other = read_network(written(tmp_path / "other", lines=("50000,20000", "50001,20000")))
    assert first.digest != other.digest


@pytest.mark.parametrize(
    ("table", "old", "new", "line", "column", "why"),
    [
        ("buses", "c,400,,", "c,400,,\nd,400,,", 7, "bus", "has no path to a source"),
        ("buses", "c,400,,", "c,400,,\nc,400,,", 7, "bus", "is there twice"),
        ("buses", "c,400,,", "c,0,,", 6, "voltage_v", "a bus without a voltage"),
        ("lines", "60000,20000", "0,0", 3, "r_uohm", "zero"),
        ("lines", ",150000\n", ",\n", 4, "rating_ma", "the rating is missing"),
        ("lines", "two,a,b", "two,a,nowhere", 3, "to_bus", "is no bus of buses.csv"),
        ("lines", "two,a,b", "two,a,a", 3, "to_bus", "is its from_bus, too"),
        ("lines", "two,a,b", "two,top,b", 3, "to_bus", "a transformer must be between"),
        ("lines", "three,c,bar", "four,b,bar,80000,20000,0,1\nthree,c,bar", 4, "line", "closes a loop"),
        ("lines", "60000,", "60.5,", 3, "r_uohm", "must be a whole number"),
        ("transformers", "100000,20000", "0,20000", 2, "rating_va", "the rating is missing"),
        ("transformers", "40000,1750", "0,1750", 2, "short_circuit_ppm", "without impedance"),
        ("transformers", "40000,1750", "40000,5000", 2, "copper_loss_w", "more than short_circuit_ppm allows"),
        ("transformers", "high,0,0", "middle,0,0", 2, "tap_side", "must be high or low"),
        ("transformers", "high,0,0", "high,3,0", 2, "tap_position", "must be -2 to 2"),
        ("transformers", "20000,400,", "20000,230,", 2, "low_voltage_v", "too far from the 400 V of bar"),
        ("sources", "grid,top", "grid,moon", 2, "bus", "is no bus of buses.csv"),
        ("sources", "1000000\n", "1000000\nagain,top,1000000\n", 3, "source", "is at a bus that has a source"),
        ("limits", "900000,", "1000001,", 2, "lowest_voltage_ppm", "the nominal 1000000 between them"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, table: str, old: str, new: str, line: int, column: str, why: str):
    with pytest.raises(InputError) as caught:
        read_network(written(tmp_path, **{table: (old, new)}))
    assert caught.value.where == f"{tmp_path / table}.csv, line {line}, column {column}"
    assert why in caught.value.why


def test_all_mistakes_are_told_at_once(tmp_path: Path):
    mistakes = Mistakes(is_patient=True)
    folder = written(tmp_path, lines=("60000,20000", "0,0"), transformers=("100000,20000", "0,20000"))
    with pytest.raises(InputError, match="holds no network"):
        read_network(folder, mistakes)
    assert len(mistakes.found) >= 2


def test_a_member_without_a_bus_is_named(tmp_path: Path):
    text = (SCENARIOS / "rural-sunday" / "scenario.toml").read_text(encoding="utf-8")
    source = SCENARIOS / "data" / "simbench-lv-rural1" / "participants.csv"
    (tmp_path / "participants.csv").write_text(source.read_text().replace("LV1.101 Bus 10,1600", "Bus 10,1600"))
    text = text.replace("../data/simbench-lv-rural1/participants.csv", "participants.csv")
    (tmp_path / "scenario.toml").write_text(text.replace("../data", str(SCENARIOS / "data")), encoding="utf-8")
    mistakes = Mistakes(is_patient=True)
    examine(tmp_path, mistakes)
    assert f"{tmp_path / 'participants.csv'}, line 5, column bus: 'Bus 10' is no bus of" in str(mistakes.found[0])


# ----------------------------------------------------------------------------------------------------------- the import


def test_a_net_of_pandapower_is_imported():
    network = read_network(VILLAGE)
    again, left = from_pandapower(net_of(network))
    assert not left
    assert again.lines == network.lines
    assert again.transformers == network.transformers
    assert [bus[:2] for bus in again.buses] == [bus[:2] for bus in network.buses]


def test_the_towns_tables_are_those_of_its_net():
    again, left = from_pandapower(open_net("pandapower:lv_schutterwald"), ["L13417"])
    assert left == {"lines": 88}
    assert again.digest == read_network(TOWN).digest


@pytest.mark.parametrize(
    ("net", "why"),
    [
        ("nowhere.json", "is no file"),
        ("pandapower:nothing", "cannot be read"),
        ("pandapower:case9", "no line, transformer or source"),
    ],
)
def test_what_is_no_net_is_refused(net: str, why: str):
    result = CliRunner().invoke(cli, ["import", net, "--out", "never"])
    assert result.exit_code == 2
    assert why in " ".join(result.output.split())
    assert not Path("never").exists()


# ------------------------------------------------------------------------------------------------------- the power flow


@pytest.mark.parametrize(("folder", "points", "watts"), [(VILLAGE, 60, 8_000), (TOWN, 4, 500)])
def test_pandapower_finds_the_same_voltages(folder: Path, points: int, watts: int):
    network, random = read_network(folder), np.random.default_rng(1)
    power = random.normal(0, watts, (points, len(network.buses)))
    reactive = random.normal(0, watts / 3, power.shape)
    flow, net = PowerFlow(network).solve(power, reactive), net_of(network)
    place = {branch.name: number for number, branch in enumerate(network.branches)}
    for point in range(points):
        solve(net, power[point], reactive[point])
        assert np.abs(net.res_bus.vm_pu * PPM - flow.voltage[point]).max() <= 1
        for table, results in ((net.line, net.res_line), (net.trafo, net.res_trafo)):
            own = flow.loading[point, [place[name] for name in table.name]]
            assert np.abs(results.loading_percent * PPM / 100 - own).max() <= 30
        losses = (net.res_line.pl_mw.sum() + net.res_trafo.pl_mw.sum()) * 1e6
        assert flow.losses[point] == pytest.approx(losses, abs=2)


def test_the_order_of_points_does_not_matter():
    network, random = read_network(VILLAGE), np.random.default_rng(2)
    power = random.normal(0, 8_000, (20, len(network.buses)))
    together = PowerFlow(network).solve(power, power / 4)
    alone = [PowerFlow(network).solve(power[[i]], power[[i]] / 4) for i in reversed(range(20))][::-1]
    assert np.array_equal(together.loading, np.concatenate([flow.loading for flow in alone]))
    assert np.array_equal(together.voltage, np.concatenate([flow.voltage for flow in alone]))


def test_what_cannot_flow_is_said(tmp_path: Path):
    network = read_network(written(tmp_path))
    flow = PowerFlow(network).solve(np.array([[0, 0, 0, 9e6, 0.0], [0] * 5]), np.zeros((2, 5)))
    assert (flow.loading[0] == IMPOSSIBLE).all()
    assert [own.what for own in violations(network, flow)] == [NO_FLOW]


def test_causes_are_told_apart(tmp_path: Path):
    network = read_network(written(tmp_path))
    points = np.array([[0, 0, 0, 0, 80e3], [0, 0, 0, -190e3, 0], [0, 0, 0, 60e3, 60e3]], float)
    found = {
        (own.point, own.element, own.what) for own in violations(network, PowerFlow(network).solve(points, 0 * points))
    }
    assert (1, "two", OVERLOAD) in found
    assert (1, "b", TOO_HIGH) in found
    assert (2, "T", OVERLOAD) in found


# ---------------------------------------------------------------------------------------------------------- the village


def test_the_demo_day_overloads_the_transformer_in_seven_periods():
    own = dispatcher("rural-sunday")
    flow = own.flow(metered("rural-sunday"))
    found = [*violations(own.network, flow)]
    assert {violation.what for violation in found} == {OVERLOAD}
    assert len({violation.point for violation in found}) == 7
    assert flow.loading.max() == 1_147_364
    assert flow.losses.sum() // 4 == pytest.approx(32_124, abs=10)  # Wh that the shipped meter of losses shows
    assert rises(own.flow(np.maximum(0, metered("rural-sunday"))), flow).max() > 35_000


# --------------------------------------------------------------------------------------------------------------- limits


@pytest.mark.parametrize(("name", "pv"), [("rural-sunday", 1), ("rural-sunday", 3), ("town", 2)])
def test_limits_leave_nothing_beyond_its_limit(name: str, pv: int):
    own, net = dispatcher(name, pv), metered(name, pv)
    limits = own.limits(net)
    assert limits.holds
    assert all(hold.enough for hold in limits.holds)
    assert not [*violations(own.network, own.flow(limits.held(net)))]
    assert (limits.exports <= own.connections.exports[:, np.newaxis]).all()


def test_one_step_more_would_be_too_much():
    """What an auditor does: the share passes, the next one does not."""
    own, net = dispatcher("rural-sunday"), metered("rural-sunday")
    limits = own.limits(net)
    for hold in limits.holds:
        for share, passes in ((hold.share, True), (hold.share + 1, False)):
            most = own.connections.exports * share // SHARES
            held = np.maximum(net[:, [hold.point]], -most[:, np.newaxis])
            assert (not [*violations(own.network, own.flow(held))]) == passes


def test_periods_are_limited_each_for_itself():
    own, net = dispatcher("rural-sunday", 2), metered("rural-sunday", 2)
    together = own.limits(net)
    for point in (0, 52, 55):
        alone = own.limits(net[:, [point]])
        assert np.array_equal(alone.exports[:, 0], together.exports[:, point])


def test_the_deepest_element_is_looked_after_first(tmp_path: Path):
    """A line's zone is held for the line, and what is beside it is left alone."""
    network = read_network(written(tmp_path))
    members = {"far": ("b", 40_000, 40_000), "near": ("a", 40_000, 40_000), "beside": ("c", 40_000, 40_000)}
    own = Dispatcher(network, connect(network, members), 900)
    net = np.array([[-22_000], [0], [-3_000]])
    limits = own.limits(net)
    assert limits.holds[0].by == FEED_IN
    assert limits.holds[0].element == "two"
    assert limits.exports[0, 0] < 22_000
    assert limits.exports[2, 0] == 40_000
    assert not [*violations(network, own.flow(limits.held(net)))]


def test_low_voltage_holds_demand_back(tmp_path: Path):
    network = read_network(written(tmp_path, limits=("900000,", "980000,")))
    own = Dispatcher(network, connect(network, {"far": ("b", 20_000, 0), "beside": ("c", 20_000, 0)}), 900)
    net = np.array([[9_000], [1_000]])
    assert {violation.what for violation in violations(network, own.flow(net))} == {TOO_LOW}
    limits = own.limits(net)
    assert limits.imports[0, 0] < 9_000
    assert limits.imports[1, 0] == 20_000
    assert not [*violations(network, own.flow(limits.held(net)))]


def test_standing_limits_are_safe_whatever_the_rest_does():
    own = dispatcher("rural-sunday")
    standing, random = own.standing(), np.random.default_rng(3)
    share = random.random((len(own.connections.names), 50))
    net = np.rint(share * standing.imports - (1 - share) * standing.exports).astype(np.int64)
    cases = np.concatenate([net, -standing.exports, standing.imports], axis=1)
    assert not [*violations(own.network, own.flow(cases))]
    assert standing.exports.sum() == pytest.approx(163_156 / 4, abs=20)


@pytest.mark.parametrize(
    ("contracted", "expected", "result"),
    [
        (0, 300, 300),
        (0, -300, -300),
        (200, 300, 300),
        (400, 300, 400),
        (200, -300, 200),
        (-200, -300, -300),
        (-400, 5, -400),
    ],
)
def test_the_programme_is_the_contract_or_the_forecast_beyond_it(contracted: int, expected: int, result: int):
    assert programme(np.array([[contracted]]), np.array([[expected]])).tolist() == [[result]]


# ---------------------------------------------------------------------------------------------------------------- a run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "village"
    write_days(scenario("rural-sunday"), folder)
    return folder


def test_a_run_says_what_its_network_carried(run: Path):
    found = check_grid(run, read_results(run))
    assert found is not None
    assert [course.periods for _, course, _ in found.courses] == [4, 7, 3]
    assert max(found.metered.transformer) == 1_147_364
    assert found.cut_after < found.cut_metered


def test_a_changed_network_is_refused(run: Path):
    for name in ("lines.csv", "expected.csv"):
        path = run / "grid" / name
        before = path.read_text(encoding="utf-8")
        path.write_text(before.replace("0", "1", 1), encoding="utf-8")
        with pytest.raises(InputError, match=r"was changed after the run|whole number"):
            check_grid(run, read_results(run))
        path.write_text(before, encoding="utf-8")


def test_the_command_checks_a_run_and_ends_with_1(run: Path):
    result = CliRunner().invoke(cli, ["check", str(run)])
    assert result.exit_code == 1, result.output
    assert "114.7 %" in result.output
    assert len((run / "grid" / "violations.csv").read_text().splitlines()) == 1 + 4 + 7 + 3
    assert (run / "grid" / "held.csv").read_text().count(",feed-in,") == 4
    assert (run / "grid" / "network.svg").read_text().startswith("<?xml")


def test_a_run_without_a_network_says_so(run: Path, tmp_path: Path):
    write_days(replace(scenario("rural-sunday"), network=None), tmp_path)
    assert "grid" not in json.loads((tmp_path / "run.json").read_text())
    assert check_grid(tmp_path, read_results(tmp_path)) is None
    assert CliRunner().invoke(cli, ["check", str(tmp_path)]).exit_code == 2


def test_the_report_draws_the_network(run: Path):
    results = read_results(run)
    page = write_report(run, results, summarise(results)).read_text(encoding="utf-8")
    assert "What the network carried" in page
    assert "In that period the most loaded were transformer MV1.101-LV1.101-Trafo 1 with 114.7" in page
    assert 'id="network-wide' in page


def test_the_report_of_a_run_without_a_network_has_no_such_pictures(tmp_path: Path):
    write_days(replace(scenario("rural-sunday"), network=None), tmp_path)
    results = read_results(tmp_path)
    assert "What the network carried" not in write_report(tmp_path, results, summarise(results)).read_text("utf-8")


def test_names_in_a_drawing_lack_what_all_of_them_begin_with():
    assert told_apart(["LV1.101 Bus 8", "LV1.101 Bus 11"]) == ["8", "11"]
    assert told_apart(["north 1", "south 1"]) == ["north 1", "south 1"]
    assert told_apart(["bus", "bus 1"]) == ["bus", "1"]
    assert told_apart(["LV1.101 Bus 8"]) == ["LV1.101 Bus 8"]
