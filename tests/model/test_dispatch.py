"""What a dispatcher publishes: zones, and limits of zones that are those of the envelopes, member by member."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dem.community.crowd import Crowd
from dem.community.scenario import load_scenario
from dem.grid.dispatch import Dispatch
from dem.grid.limits import Dispatcher
from dem.grid.network import Limits, Network
from dem.grid.programme import in_rows
from dem.grid.violations import violations
from dem.model.limits import Publication, Share, limits_down, shares_of
from dem.model.markets.auction import OrderBook
from dem.offchain.run import write_days
from dem.report import write_members, write_report
from dem.report.grid import finding, who_was_held
from dem.results.grid import check_grid
from dem.results.reader import read_results
from dem.results.summary import summarise
from dem.results.wording import kwh

SCENARIOS = Path(__file__).resolve().parents[2] / "scenarios"
LOCAL = Limits(highest_voltage=1_040_000, load_reactive=395)
"""With these and a large transformer it is lines and voltages that bind."""


def dispatch_of(name: str, plants: int, limits: Limits | None = None, rating: int = 0) -> tuple[Dispatch, dict]:
    """A community with so many times its plants, and what it would feed in and draw."""
    scenario = load_scenario(SCENARIOS / name)
    network, own = scenario.network, scenario.connections
    assert network is not None
    assert own is not None
    if limits:
        network = Network(
            network.buses,
            network.lines,
            tuple(one._replace(rating=rating) for one in network.transformers),
            network.sources,
            limits,
        )
    connections = replace(own, exports=own.exports * plants)
    net = {name: [wh * plants if wh < 0 else wh for wh in row] for name, row in scenario.metered(1).items()}
    return Dispatch(network, connections, scenario.calendar.period_seconds), net


CASES = {
    "village": ("rural-sunday", 1),
    "village, twice the plants": ("rural-sunday", 2),
    "village, three times, lines and voltages": ("rural-sunday", 3, LOCAL, 630_000),
    "town, twice the plants": ("town", 2),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_published_words_give_every_member_the_limits_of_the_envelopes(case):
    dispatch, net = dispatch_of(*case)
    own = dispatch.connections
    day = dispatch.day(1, lambda _day: net)
    envelopes = Dispatcher(dispatch.network, own, dispatch.seconds).limits(in_rows(own.names, net, 96))
    published = [Publication(False, tuple(day.words))]
    for row, name in enumerate(own.names):
        zone = day.zones[name]
        shares = shares_of(zone, Share(0, 0), published, 96)
        assert shares == list(day.of(name, 96))
        limits = limits_down(int(own.imports[row]), int(own.exports[row]), shares)
        assert (limits.imports == envelopes.imports[row]).all()
        assert (limits.exports == envelopes.exports[row]).all()
    assert day.holds == envelopes.holds


def test_members_are_in_the_zone_of_their_transformer_until_something_behind_it_binds():
    dispatch, net = dispatch_of("rural-sunday", 3, LOCAL, 630_000)
    before = dispatch.zones
    assert len({*before.values()}) == 1
    first = dispatch.day(1, lambda _day: net).zones
    assert len({*first.values()}) > 1
    quiet = dict.fromkeys(net, [0] * 96)
    second = dispatch.day(2, lambda _day: quiet)
    assert (second.zones, second.words) == (first, [])


def test_a_dispatcher_that_begins_later_goes_on_with_the_zones_there_are():
    dispatch, net = dispatch_of("rural-sunday", 3, LOCAL, 630_000)
    days = [dispatch.day(day, lambda _day: net) for day in (1, 2)]
    split = {zone - 1 for zone in days[0].zones.values()}
    again = Dispatch(dispatch.network, dispatch.connections, dispatch.seconds, 2, split)
    assert again.day(2, lambda _day: net) == days[1]


def test_standing_limits_are_safe_whoever_feeds_in_or_draws():
    dispatch, _ = dispatch_of("rural-sunday", 1)
    own = dispatch.connections
    shares = [dispatch.standing[zone] if (zone := dispatch.zones[name]) else Share() for name in own.names]
    most = [limits_down(int(i), int(e), [s]) for i, e, s in zip(own.imports, own.exports, shares, strict=True)]
    for net in ([-limit.exports for limit in most], [limit.imports for limit in most]):
        flow = dispatch.dispatcher.flow(np.array(net))
        assert [*violations(dispatch.network, flow)] == []


def test_orders_and_meters_keep_within_limits_and_the_report_says_who_was_held(tmp_path):
    scenario = load_scenario(SCENARIOS / "rural-sunday-limits")
    crowd = Crowd(scenario, 1)
    ids = {member.name: number for number, member in enumerate(scenario.participants, start=1)}
    names = {number: name for name, number in ids.items()}
    sold: dict[tuple[str, int], int] = {}
    for order in crowd.orders(ids):
        if order.side.name == "ASK":
            sold[names[order.participant], order.slot] = (
                sold.get((names[order.participant], order.slot), 0) + order.energy
            )
    assert all(
        energy <= crowd.limits[name].exports[slot] for (name, slot), energy in sold.items() if name in crowd.limits
    )
    shown = crowd.metered()
    assert all((-np.array(shown[name]) <= limits.exports).all() for name, limits in crowd.limits.items())

    write_days(scenario, tmp_path / "out")
    results = read_results(tmp_path / "out")
    found = check_grid(tmp_path / "out", results)
    assert found is not None
    assert [name for name, _, _ in found.courses] == ["programme, day ahead", "without limits", "meters, within limits"]
    assert [course.periods for _, course, _ in found.courses] == [4, 7, 2]
    held = who_was_held(found, results)
    assert [own.name for own in held] == ["pv-6", "pv-2", "pv-5", "pv-1", "pv-3"]
    assert sum(own.wh for own in held) == found.cut_metered
    assert {own.contracted_wh for own in held} == {0}
    assert "Within the dispatcher's limits" in finding(found, results)
    page = write_report(tmp_path / "out", results, summarise(results)).read_text(encoding="utf-8")
    assert "What limits held back" in page
    assert "no upper grid" not in page
    [most] = write_members(tmp_path / "out", results, [held[0].name])
    said = f"Held back were {kwh(held[0].wh)} that it would have fed in, in {held[0].periods} periods"
    assert said in " ".join(most.read_text(encoding="utf-8").replace("\N{NO-BREAK SPACE}", " ").split())


def test_on_an_island_limits_hold_as_well(tmp_path):
    """What does not balance is cut of what the limits leave."""
    config = (
        (SCENARIOS / "rural-island" / "scenario.toml").read_text(encoding="utf-8").replace('"../', f'"{SCENARIOS}/')
    )
    grid = f'[grid]\nfolder = "{SCENARIOS}/data/simbench-lv-rural1/grid"\ndispatcher = true\n'
    folder = tmp_path / "rural-island"
    folder.mkdir()
    shutil.copy(SCENARIOS / "rural-island" / "meters.csv", folder)
    (folder / "scenario.toml").write_text(f"{config}\n{grid}", encoding="utf-8")
    scenario = load_scenario(folder)
    crowd, ids = Crowd(scenario, 1), {member.name: n for n, member in enumerate(scenario.participants, start=1)}
    # Of nobody is anything shed here: loads have bought all they want.
    shown = crowd.cut(ids, scenario.metered(1), OrderBook.of(crowd.orders(ids)))
    assert crowd.limits
    assert all((-np.array(shown[name]) <= limits.exports).all() for name, limits in crowd.limits.items())
