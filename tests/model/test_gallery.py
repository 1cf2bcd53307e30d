"""Every market design on one community: the six indices, the designs, the page and the command."""

import csv
from fractions import Fraction
from functools import cache
from pathlib import Path

import pytest
from click.testing import CliRunner
from support import PROJECT

from dem.commands.compare import cli
from dem.community.scenario import load_scenario
from dem.lab.gallery import ISLAND, MARKETS, POOLS, SHARING, SUPPLIER, Gallery, gallery
from dem.lab.indices import Indices, Use, equality, indices
from dem.lab.sharing import bill_sharing, mid_market_rate, shared_bills, supply_demand_ratio
from dem.lab.study.playing import play_stretch
from dem.model.rules import Tariff
from dem.report.gallery import ABOUT, answers, write_gallery

from .test_report import Page

TARIFF, RESIDUALS = Tariff(28_000, 8_000), [3_000, 7_000, -1_000, -5_000]
"""A slot of four members, whose sharing tests/published has by hand."""
TOGETHER = Use(drawn=10_000, fed=6_000, shared=6_000, peak=4_000, slots=1)
AREA = 4_000 * 28_000
SUNDAY = PROJECT / "scenarios" / "rural-sunday"


@cache
def sunday() -> Gallery:
    return gallery(load_scenario(SUNDAY))


def of_slot(bills: list[int]) -> Indices:
    alone = [wh * (TARIFF.buy if wh > 0 else TARIFF.sell) for wh in RESIDUALS]
    return indices(dict(zip("abcd", alone, strict=True)), dict(zip("abcd", bills, strict=True)), AREA, TOGETHER)


def test_the_six_indices_by_hand() -> None:
    """Saved at the mid-market rate: 18, 42, 10 and 50 million; by bill sharing 50.4 and 117.6, and 8 and 40 lost.

    By the supply-demand ratio, at 11,200: 30.24, 70.56, 3.2 and 16.
    """
    of_meters = (Fraction(3, 4), Fraction(1), Fraction(3, 5))
    middle = of_slot(shared_bills(RESIDUALS, TARIFF, mid_market_rate))
    assert middle == (1, 1, Fraction(7, 10), *of_meters)
    ratio = of_slot(shared_bills(RESIDUALS, TARIFF, supply_demand_ratio))
    assert ratio == (1, 1, Fraction(206, 375), *of_meters)
    together = of_slot(shared_bills(RESIDUALS, TARIFF, bill_sharing))
    assert together == (1, Fraction(1, 2), Fraction(2, 5), *of_meters)


def test_an_index_of_nothing_is_none() -> None:
    nothing = indices({"a": 0}, {"a": 0}, 0, Use(0, 0, 0, 0, 96))
    assert nothing == (None, 0, None, None, None, None)


@pytest.mark.parametrize(
    ("saved", "found"), [([5, 5, 5], 1), ([0, 0, 9], Fraction(1, 3)), ([-7, 0, 9], Fraction(1, 3))]
)
def test_equality_is_one_less_ginis_coefficient(saved: list[int], found: Fraction) -> None:
    assert equality(saved) == found


def test_every_design_is_played_or_said_to_be_impossible() -> None:
    found = sunday()
    played = [one.name for one in found.results]
    assert {*played, *found.left_out} == {SUPPLIER, *POOLS.values(), *MARKETS, *SHARING, ISLAND}
    assert len(played) == len(set(played))
    assert {*POOLS.values()} <= {*found.left_out}
    assert {*ABOUT} == {*played, *found.left_out}


def test_sharing_costs_the_bill_of_the_area_and_nothing_else() -> None:
    shared = [one for one in sunday().results if one.name in SHARING]
    assert len(shared) == len(SHARING)
    for one in shared:
        assert sum(one.paid.values()) == one.area
        assert one.indices.value_tapping == 1


def test_the_island_is_that_of_the_shipped_scenario() -> None:
    """Same rules, same homes, of which the shipped one has a table of its own."""
    shipped = play_stretch(load_scenario(PROJECT / "scenarios" / "rural-island"))[0]
    island = next(one for one in sunday().results if one.name == ISLAND)
    assert (island.use.drawn, island.use.fed) == (shipped["consumed_wh"], shipped["generated_wh"])
    assert dict(island.paid) == {name: paid for name, (_, paid, _) in shipped["members"].items()}


def test_pools_are_played_in_each_of_their_modes() -> None:
    """On the scenario with every market; batteries follow prices, so meters differ."""
    found = gallery(load_scenario(PROJECT / "scenarios" / "rural-markets"))
    assert not found.left_out
    modes = [next(one for one in found.results if one.name == name) for name in POOLS.values()]
    assert len({one.saved() for one in modes}) == len(modes)


def test_the_page_answers_for_whom_which_design_is_best(tmp_path: Path) -> None:
    found = sunday()
    page = write_gallery(tmp_path, found).read_text(encoding="utf-8")
    told = answers(found)
    assert [line.split(" save")[0] for line in told[:3]] == ["All together", "The 28 consumers", "The 8 prosumers"]
    assert all(line.replace(" EUR", "\N{NO-BREAK SPACE}EUR") in page for line in told)
    assert {"link", "script", "img", "iframe"}.isdisjoint(Page(page).tags)
    rows = list(csv.DictReader((tmp_path / "gallery.csv").open(encoding="utf-8")))
    assert [row["design"] for row in rows] == [one.name for one in found.results]
    assert [int(row["saved_units"]) for row in rows] == [one.saved() for one in found.results]
    for row, one in zip(rows, found.results, strict=True):
        assert sum(int(row[f"saved_{kind}_units"]) for kind in found.kinds) == one.saved()


def test_the_command_needs_no_chain(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, [str(SUNDAY), "--gallery", "--out", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    assert "The 28 consumers save most with" in result.output
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"gallery.csv", "gallery.html"}
