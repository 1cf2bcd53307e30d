"""The dispatcher's page: flows that are those of the meters, limits and zones as the replay has them, and reasons."""

import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.gateway import BUSES, HOME, NOON, Gateway, account_of, dispatched, make_gateway, make_index, network

from dem.errors import InputError
from dem.gateway.network import Flows
from dem.gateway.pages import dispatch
from dem.grid.flow import PowerFlow
from dem.model.limits import Share
from dem.replay.grid import GridLimits

from .test_pages import logged_in

SLOTS = 96


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("network")
    made = make_gateway(folder, make_index(folder / "index.sqlite", dispatched()), tables=network(folder))
    yield made
    made.store.close()


def flows_of(gateway: Gateway) -> Flows:
    assert gateway.parts.flows is not None
    return gateway.parts.flows


def shown(gateway: Gateway, path: str, who: str = "grid") -> str:
    answer = logged_in(gateway, who).get(path)
    assert answer.status_code == 200, answer.text
    return re.sub(r"\s+", " ", answer.text.replace("\N{NO-BREAK SPACE}", " "))


def test_the_flows_of_a_day_are_those_of_its_meters(gateway: Gateway) -> None:
    flows = flows_of(gateway)
    own, grid = flows.day(1), flows.network
    power = np.zeros((SLOTS, len(grid.buses)))
    reactive = np.zeros_like(power)
    for bus in BUSES.values():  # both read 10 Wh in every quarter-hour
        power[:, grid.number[bus]] = 40.0
        reactive[:, grid.number[bus]] = 40.0 * grid.limits.load_reactive / 1_000
    alone = PowerFlow(grid).solve(power, reactive)
    assert (own.metered.flow.loading == alone.loading).all()
    assert (own.metered.flow.voltage == alone.voltage).all()
    assert own.metered.known == (True,) * SLOTS
    assert (own.metered.missing, own.members, own.elsewhere) == (0, 2, 0)


def test_what_is_expected_beyond_the_transformer_is_told_with_its_time_and_its_cause(gateway: Gateway) -> None:
    text = shown(gateway, "/network?day=1")
    carried = dispatch.carried(flows_of(gateway), flows_of(gateway).day(1).expected)  # type: ignore[arg-type]
    assert carried.worst == 0  # both slots are alike, and the first one is named
    [overload] = [one for one in carried.beyond if one.what == "overload" and "Trafo" in one.element]
    assert (overload.periods, overload.by) == (2, "feed-in")
    assert overload.worst > 1_100_000
    assert f"{overload.worst / 10_000:.1f} %" in text
    # Of what meters showed nothing was beyond a limit, and what flowed is what is listed.
    assert dispatch.carried(flows_of(gateway), flows_of(gateway).day(1).metered).beyond == []


def test_limits_their_reasons_and_whom_they_hold_are_told(gateway: Gateway) -> None:
    text = shown(gateway, "/network?day=1")
    for told in (
        "Limits of this day are published.",
        "What was contracted is approved.",
        "1: behind MV1.101-LV1.101-Trafo 1",
        "feed in 45.0 %",
        "The reason: a line is down &lt;b&gt;",
        "7 roof",
        "4.4 kWh",
        "€3.10",
        "€0.20",
        "Members who offer to feed in less: 1.",
        "The cheapest asks 0.020, at most 0.030 is paid",
        "1.0 kWh",
    ):
        assert told in text, told
    assert '6 home</th><td data-label="Because of"' not in text


def test_standing_limits_hold_where_none_are_published(gateway: Gateway) -> None:
    text = shown(gateway, "/network?day=2")
    assert "No limits are published for this day: the standing ones hold." in text
    assert "feed in 35.0 %" in text
    assert "no meter was read yet" in text


def test_reading_the_page_is_noted(gateway: Gateway) -> None:
    shown(gateway, "/network?day=1")
    newest = gateway.store.newest_accesses(None, 1)[0]
    assert (newest["role"], newest["resource"], newest["participant"]) == ("grid", "network", 0)
    assert newest["rows"] == 2


def test_a_gateway_without_tables_tells_limits_alone(tmp_path: Path) -> None:
    made = make_gateway(tmp_path, make_index(tmp_path / "index.sqlite", dispatched()))
    text = shown(made, "/network?day=1")
    assert "This gateway has no tables of the network" in text
    assert "feed in 45.0 %" in text
    made.store.close()


def test_another_network_than_the_one_limits_come_from_is_told(tmp_path: Path) -> None:
    tables = network(tmp_path)
    limits = tmp_path / "grid" / "limits.csv"
    limits.write_text(limits.read_text().replace("1100000", "1050000"))
    made = make_gateway(tmp_path, make_index(tmp_path / "index.sqlite", dispatched()), tables=tables)
    assert "their hashes differ" in shown(made, "/network?day=1")
    made.store.close()


def test_a_member_without_a_bus_is_counted_and_a_wrong_bus_is_refused_in_words(tmp_path: Path) -> None:
    tables = network(tmp_path)
    (tmp_path / "buses.csv").write_text(f"account,bus\n{account_of('home')},LV1.101 Bus 3\n")
    index = make_index(tmp_path / "index.sqlite", dispatched())
    made = make_gateway(tmp_path, index, tables=tables)
    assert "whose bus the table does not name: 1" in shown(made, "/network?day=1")
    (tmp_path / "buses.csv").write_text(f"account,bus\n{account_of('home')},nowhere\n")
    made.store.close()
    again = make_gateway(tmp_path, index, tables=tables)
    answer = logged_in(again, "grid").get("/network?day=1")
    assert answer.status_code == 503
    assert "nowhere" in answer.text
    again.store.close()
    (tmp_path / "grid" / "lines.csv").unlink()
    with pytest.raises(InputError, match=r"lines.csv"):
        make_gateway(tmp_path, index, tables=tables)


def test_zones_and_standing_limits_of_any_day_are_the_replays(tmp_path: Path) -> None:
    drawn = random.Random(5)
    nobody: Any = None
    replay = GridLimits(SLOTS, nobody, nobody, nobody, nobody, nobody, [])
    events = []
    for _ in range(60):
        first = drawn.randint(1, 9)
        ids = drawn.sample(range(HOME, HOME + 6), 3)
        assigned = {"firstDay": first, "ids": ids, "zones": [drawn.randint(0, 3) for _ in ids]}
        standing = {"zone": drawn.randint(1, 3), "firstDay": first}
        standing |= {name: drawn.randint(0, 10_000) for name in ("imports", "exports")}
        events += [("GridLimits", "ZonesAssigned", assigned), ("GridLimits", "StandingLimitSet", standing)]
        replay.assign(assigned)
        replay.set_standing(standing)
    made = make_gateway(tmp_path, make_index(tmp_path / "index.sqlite", events))
    for day in range(1, 11):
        zones, limits = dispatch.zones_on(made.parts, day), dispatch.standing_on(made.parts, day)
        for id_ in range(HOME, HOME + 6):
            assert zones.get(id_, 0) == replay.zone(id_, day)
        for zone in (1, 2, 3):
            assert limits.get(zone, Share()) == replay.standing(zone, day)
    made.store.close()


def test_the_drawing_has_every_branch_once(gateway: Gateway) -> None:
    flows = flows_of(gateway)
    drawn = dispatch.drawing(flows.network, flows.day(1).metered, NOON)
    paths = [css for css, path in drawn.lines for _ in re.findall("M", path)]
    assert len(paths) == len(flows.network.branches)
    assert {*paths} == {"l0"}
    assert len(drawn.squares) == len(flows.network.transformers)
    assert max(drawn.width, drawn.height) == 1_060
