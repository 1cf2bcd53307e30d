"""Studies: what is wrong with one is one sentence, what is finished is kept, and the statistics are those of books."""

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support import PROJECT
from support.commands.hamlet import MIXED, Hamlet

from dem.community.scenario import Scenario, load_scenario
from dem.errors import InputError
from dem.lab.study import Findings, read_study, run_study
from dem.lab.study.design import Arm, Days, Study, Sweep
from dem.lab.study.playing import play_stretch
from dem.lab.study.running import Plan
from dem.lab.study.statistics import estimate, holm
from dem.lab.study.words import study_checks
from dem.offchain.days import play
from dem.offchain.market import ModelMarket
from dem.offchain.run import write_days
from dem.offchain.trading import Trading
from dem.report.study import write_study_page

DAYS = 9
STUDY = """\
name = "hamlets"
title = "A study <of> hamlets"
scenario = "hamlet"
seeds = 2

[[arms]]
name = "random"

[[arms]]
name = "truthful & calm"
strategy = "truthful"
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a hamlet of nine days."""
    place = tmp_path_factory.mktemp("studies")
    Hamlet(days=DAYS, consumers=3, plants=2).write(place / "hamlet")
    return place


@pytest.fixture(scope="module")
def found(folder: Path) -> tuple[Path, Findings]:
    """The study, played once."""
    return folder / "out", run_study(read_study(written(folder, STUDY)), folder / "out")


def written(folder: Path, text: str) -> Path:
    path = folder / f"study-{abs(hash(text))}.toml"
    path.write_text(text)
    return path


def tables(folder: Path) -> dict[str, bytes]:
    """All that a study has written, but what it keeps of tasks."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


# ------------------------------------------------------------------------------------------------ what may be wrong

WRONG = {
    "unknown key": (STUDY + "colour = 3\n", "arms.1.colour: 3 is no key that is known"),
    "no TOML": ("name = ", "is not TOML"),
    "missing scenario": (STUDY.replace('"hamlet"', '"nowhere"'), "nowhere/scenario.toml: does not exist"),
    "no scenario": (STUDY.replace('scenario = "hamlet"', ""), "arm random needs a scenario, its own or the study's"),
    "zero seeds": (STUDY.replace("seeds = 2", "seeds = 0"), "seeds: 0 must be 1 to 100000"),
    "no seeds": (STUDY.replace("seeds = 2", "seeds = []"), "must be a list of different seeds"),
    "a seed twice": (STUDY.replace("seeds = 2", "seeds = [1, 1]"), "must be a list of different seeds"),
    "no arms": (STUDY.partition("[[arms]]")[0], "arms: .*must be given"),
    "arms of one name": (STUDY.replace("truthful & calm", "random"), "arms must not share a name: random, random"),
    "unknown baseline": (STUDY.replace("seeds", 'baseline = "calm"\nseeds'), "baseline must be the name of an arm"),
    "too much replayed": (STUDY.replace("seeds", "replay = 2\nseeds"), "replay.*less than or equal to 1"),
    "unknown strategy": (STUDY.replace('"truthful"', '"clever"'), "arm truthful & calm: .*'clever' is no strategy"),
    "a module that is not there": (
        STUDY.replace('"truthful"', '"my:Own"'),
        "nor a module of that name is there",
    ),
    "a pattern for nobody": (
        STUDY.replace('strategy = "truthful"', 'strategy = {"house-*" = "truthful"}'),
        "'house-\\*' fits nobody in .* who trades",
    ),
    "a rule that is none": (
        STUDY + "set.rules.fairness = 1\n",
        "calm: .*rules.0.fairness: 1 is no key",
    ),
    "a rule that will not do": (
        STUDY + 'set.rules.max_layers = "many"\n',
        "rules.0.max_layers: 'many' Input",
    ),
    "a sweep of nothing": (STUDY + '[[sweeps]]\nkey = "rules.max_layers"\nvalues = []\n', "sweeps.0.values"),
    "a sweep of the same": (STUDY + '[[sweeps]]\nkey = "foreseen"\nvalues = [1, 1]\n', "must differ"),
    "a sweep of no key": (
        STUDY + '[[sweeps]]\nkey = "colour"\nvalues = [1]\n',
        "at colour = 1: .*colour: 1 is no key",
    ),
    "a sweep of a wrong value": (
        STUDY + '[[sweeps]]\nkey = "foreseen"\nvalues = [101]\n',
        "foreseen: 101",
    ),
    "a day that is none": (STUDY + "[days]\nfirst = 2015-01-01\n", "is no day of hamlet: days 1 to 9"),
    "days backwards": (STUDY + "[days]\nfirst = 5\nlast = 3\n", "days.last of the study: '3' is before the first"),
    "too long a stretch": (STUDY + "[days]\nstretch = 10\n", "is longer than the 9 days"),
    "stretches that overlap": (STUDY + "[days]\nstretch = 3\nevery = 2\n", "must be at least the stretch, 3"),
    "too short to learn": (
        STUDY.replace('"truthful"', '"zip"') + "[days]\nstretch = 3\n",
        "days.stretch of the study: 3 is too short to learn in",
    ),
}


@pytest.mark.parametrize(("text", "says"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_with_a_study_is_one_sentence(text: str, says: str, folder: Path) -> None:
    with pytest.raises(InputError, match=says) as caught:
        read_study(written(folder, text))
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(folder))


def test_a_study_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.toml: does not exist: a study is a TOML file that names arms"):
        read_study(tmp_path / "none.toml")


def test_a_cluster_that_does_not_answer(folder: Path) -> None:
    pytest.importorskip("distributed")
    with pytest.raises(InputError, match="cluster: 'nonsense' does not answer as a Dask scheduler"):
        run_study(read_study(written(folder, STUDY)), folder / "nowhere", cluster="nonsense")


# ------------------------------------------------------------------------------------------------------------ playing


def test_a_day_cut_out_is_the_day_of_the_whole(folder: Path) -> None:
    """Where nobody has learnt: orders, meters, settlement, also what is drawn by the day."""
    whole = load_scenario(folder / "hamlet").trading_by("quantile", "home-0")
    market = ModelMarket(whole)
    for day in play(Trading(market)):
        own = ModelMarket(whole.cut(day, 1))
        for _ in play(Trading(own)):
            assert own.settlement(1).bills == market.settlement(day).bills
            assert (own.book(1).standing.tick == market.book(day).standing.tick).all()


def test_days_cut_out_of_every_market_are_played(tmp_path: Path) -> None:
    scenario = load_scenario(Hamlet(days=3, markets=MIXED).write(tmp_path / "hamlet"))
    records = play_stretch(scenario.cut(2, 2))
    assert [record["day"] for record in records] == [2, 3]
    assert [record["date"] for record in records] == ["2016-05-09", "2016-05-10"]


@pytest.mark.parametrize(("first", "count"), [(0, 1), (9, 2), (3, 0)])
def test_no_days_are_cut_that_are_not_there(first: int, count: int, folder: Path) -> None:
    with pytest.raises(InputError, match=r"must be within 1\.\.9"):
        load_scenario(folder / "hamlet").cut(first, count)


def test_who_comes_and_goes_is_not_cut(folder: Path) -> None:
    scenario = load_scenario(folder / "hamlet")
    later = dict(scenario._members)
    name = next(iter(later))
    object.__setattr__(later[name], "joins", 2)
    try:
        with pytest.raises(InputError, match="comes, goes or changes its meter or connection on the way"):
            scenario.cut(1, 3)
    finally:
        object.__setattr__(later[name], "joins", 1)


def test_a_days_figures_are_the_settlements(found: tuple[Path, Findings], folder: Path) -> None:
    """And what members paid is what they paid on all days."""
    _, findings = found
    days, members = findings.days, findings.members
    assert len(days) == 2 * 2 * DAYS
    sums = days.groupby(["arm", "seed"])[["paid_units", "alone_units"]].sum()
    assert (members.groupby(["arm", "seed"])[["paid_units", "alone_units"]].sum() == sums).all().all()
    market = ModelMarket(load_scenario(folder / "hamlet").trading_by("truthful").seeded(2))
    row = days[(days["arm"] == "truthful & calm") & (days["seed"] == 2)].iloc[0]
    for _ in zip(range(1), play(Trading(market)), strict=False):
        settled = market.settlement(1)
        assert int(settled.delivery.bought.sum()) == row["traded_wh"]
        assert settled.fund() == row["fund_units"]


def test_one_who_deviates_is_named_by_a_pattern(folder: Path) -> None:
    text = STUDY.replace('strategy = "truthful"', 'strategy = {"home-*" = "truthful", "home-1" = "none"}')
    _, scenario = read_study(written(folder, text)).conditions["truthful & calm", ""]
    strategies = {member.name: member.strategy for member in scenario.participants}
    assert strategies["home-1"] == "none"
    assert strategies["home-2"] == "truthful"
    assert strategies["roof-1"] == "zero_intelligence"


def test_learners_play_all_days_in_one_market(folder: Path) -> None:
    study = read_study(written(folder, STUDY.replace('"truthful"', '"zip"')))
    assert study.stretches == [(1, DAYS)]


def test_a_sweep_is_stronger_than_an_arm(folder: Path) -> None:
    text = f'{STUDY}set.rules.network_fee = 0.05\n[[sweeps]]\nkey = "rules.network_fee"\nvalues = [0.01, 0.02]\n'
    study = read_study(written(folder, text))
    fees = {key: scenario.rules(1).network_fee for key, (_, scenario) in study.conditions.items()}
    assert fees["truthful & calm", "rules.network_fee = 0.02"] == 2_000
    assert len(fees) == 4


# ------------------------------------------------------------------------------------------- kept, and the same again


class Killed(Exception):
    """In place of a kill."""


def killed_after(days: int) -> Callable[[str, int, int], None]:
    def told(_what: str, done: int, _whole: int) -> None:
        if done >= days:
            raise Killed

    return told


def test_a_study_that_was_killed_goes_on_and_ends_the_same(found: tuple[Path, Findings], folder: Path) -> None:
    study, out = read_study(written(folder, STUDY)), folder / "again"
    with pytest.raises(Killed):
        run_study(study, out, told=killed_after(DAYS))
    kept = {path.name: path.stat().st_mtime_ns for path in (out / "parts").iterdir()}
    assert len(kept) == 1
    assert tables(out) == {}
    run_study(study, out)
    assert {name: (out / "parts" / name).stat().st_mtime_ns for name in kept} == kept
    assert tables(out) == tables(found[0])


def test_a_part_that_is_not_whole_is_played_again(found: tuple[Path, Findings], folder: Path) -> None:
    study, out = read_study(written(folder, STUDY)), folder / "torn"
    run_study(study, out)
    for path in (out / "parts").iterdir():
        path.write_bytes(path.read_bytes()[:100])
    run_study(study, out)
    assert tables(out) == tables(found[0])


def test_a_changed_scenario_is_played_anew(tmp_path: Path) -> None:
    Hamlet(days=1, consumers=2, plants=1).write(tmp_path / "hamlet")
    run_study(read_study(written(tmp_path, STUDY)), tmp_path / "out")
    before = {path.name for path in (tmp_path / "out" / "parts").iterdir()}
    path = tmp_path / "hamlet" / "load.csv"
    path.write_text(path.read_text().replace(",1", ",2", 1))
    run_study(read_study(written(tmp_path, STUDY)), tmp_path / "out")
    assert not before & ({path.name for path in (tmp_path / "out" / "parts").iterdir()} - before)
    assert len([*(tmp_path / "out" / "parts").iterdir()]) == 2 * len(before)


def test_two_processes_come_to_the_same_as_one(found: tuple[Path, Findings], folder: Path) -> None:
    out = folder / "two"
    run_study(read_study(written(folder, STUDY)), out, workers=2)
    assert tables(out) == tables(found[0])


def test_a_dask_cluster_comes_to_the_same(found: tuple[Path, Findings], folder: Path) -> None:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster:
        run_study(read_study(written(folder, STUDY)), folder / "dask", cluster=cluster.scheduler_address)
    assert tables(folder / "dask") == tables(found[0])


def test_nothing_of_dask_is_imported_unless_it_is_asked_for() -> None:
    code = "import sys, dem.lab.study.running, dem.commands.study; assert not {'dask', 'distributed'} & {*sys.modules}"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_where_a_scenario_lies_does_not_matter(folder: Path, tmp_path: Path) -> None:
    Hamlet(days=DAYS, consumers=3, plants=2).write(tmp_path / "hamlet")
    keys = [[task.key for task in Plan.of(read_study(written(place, STUDY))).tasks] for place in (folder, tmp_path)]
    assert keys[0] == keys[1]


# ------------------------------------------------------------------------------------------------------- on contracts

REPLAYED = STUDY.replace("seeds", "replay = 0.1\nseeds")


def by_the_model(scenario: Scenario, folder: Path) -> None:
    """In place of a chain."""
    write_days(scenario, folder)


def test_a_share_of_each_arm_is_played_on_contracts_too(folder: Path) -> None:
    found = run_study(read_study(written(folder, REPLAYED)), folder / "replayed", on_contracts=by_the_model)
    assert found.replays["same"].all()
    assert found.replays.groupby("arm")["days"].sum().to_dict() == {"random": 2, "truthful & calm": 2}
    (check,) = study_checks(found)
    assert check.ok
    assert "4 of 36 day-runs" in check.detail


def test_a_difference_is_told(folder: Path) -> None:
    def wrongly(scenario: Scenario, place: Path) -> None:
        write_days(scenario, place)
        path = place / "settlement.csv"
        head, first, rest = path.read_text().split("\n", 2)
        cells = first.split(",")
        cells[-1] = str(int(cells[-1]) + 1)
        path.write_text("\n".join([head, ",".join(cells), rest]))

    found = run_study(read_study(written(folder, REPLAYED)), folder / "wrong", on_contracts=wrongly)
    assert not found.replays["same"].any()
    assert found.replays["differ"].str.contains("settlement.csv").all()
    (check,) = study_checks(found)
    assert not check.ok


def test_what_the_contracts_do_not_know_is_not_replayed(folder: Path) -> None:
    text = f'{REPLAYED}set.rules.imbalance_pricing = "shared"\n'
    plan = Plan.of(read_study(written(folder, text)))
    assert {task.arm for task in plan.replayed} == {"random"}


def test_without_a_chain_nothing_is_replayed_and_that_is_said(folder: Path) -> None:
    found = run_study(read_study(written(folder, REPLAYED)), folder / "unlooked")
    (check,) = study_checks(found)
    assert "not looked at" in check.detail


# --------------------------------------------------------------------------------------------------------- statistics


def test_a_day_a_week_gives_students_interval() -> None:
    stats = pytest.importorskip("scipy.stats")
    values = np.array([1.0, 2.5, -0.5, 3.0, 0.7, 1.9])
    found = estimate(values, [f"W{number}" for number in range(6)])
    book = stats.ttest_1samp(values, 0.0)
    assert found.p == pytest.approx(book.pvalue)
    assert (found.low, found.high) == pytest.approx(tuple(book.confidence_interval(0.95)))


def test_days_of_a_week_are_one_observation() -> None:
    """Seven times the same in each week says no more than once: the interval is that of the means, by hand."""
    once = estimate(np.array([1.0, 2.0, 4.0]), ["a", "b", "c"])
    seven = estimate(np.repeat([1.0, 2.0, 4.0], 7), [week for week in "abc" for _ in range(7)])
    assert (seven.mean, seven.low, seven.high, seven.p) == pytest.approx((once.mean, once.low, once.high, once.p))
    assert (seven.days, seven.weeks) == (21, 3)


def test_an_interval_covers_what_is_true_as_often_as_it_says() -> None:
    """With days that follow their week: of 2,000 studies of 20 weeks about 95 % hold it, not the 60 % of lone days."""
    draws, weeks = np.random.default_rng(1), [str(day // 7) for day in range(140)]
    held = 0
    for _ in range(2_000):
        values = np.repeat(draws.normal(size=20), 7) + draws.normal(size=140) * 0.5
        found = estimate(values, weeks)
        held += found.low <= 0 <= found.high
    assert held / 2_000 == pytest.approx(0.95, abs=0.015)


def test_one_week_has_no_interval_and_what_is_always_the_same_leaves_no_doubt() -> None:
    alone = estimate(np.array([1.0, 2.0]), ["a", "a"])
    assert alone.mean == 1.5
    assert np.isnan([alone.low, alone.high, alone.p]).all()
    assert estimate(np.array([3.0, 3.0]), ["a", "b"]).p == 0
    assert estimate(np.array([0.0, 0.0]), ["a", "b"]).p == 1
    nothing = estimate(np.array([np.nan]), ["a"])
    assert nothing.days == 0


def test_holms_correction_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, float("nan"), 0.8])[::2] == [1.0, 1.0]
    assert holm([]) == []


def test_differences_are_paired_by_day_and_seed(found: tuple[Path, Findings]) -> None:
    _, findings = found
    row = findings.effects[findings.effects["metric"] == "saved"].iloc[0]
    wide = findings.days.pivot(index=["seed", "day"], columns="arm", values="saved")
    assert row["mean"] == pytest.approx((wide["truthful & calm"] - wide["random"]).mean())
    assert (row["days"], row["weeks"]) == (2 * DAYS, 3)


# ------------------------------------------------------------------------------------------------------------- tables


def test_tables_say_the_same_in_every_format(found: tuple[Path, Findings]) -> None:
    out, _ = found
    for name in ("days", "members", "means", "effects"):
        # Without sweeps every point is the same, of no name.
        csv, parquet = pd.read_csv(out / f"{name}.csv"), pd.read_parquet(out / f"{name}.parquet")
        assert [*csv.columns] == [*parquet.columns]
        assert len(csv) == len(parquet)
        for column in csv.select_dtypes("number").drop(columns="point"):
            assert csv[column].tolist() == pytest.approx(parquet[column].tolist(), nan_ok=True)


def test_latex_and_page_escape_what_people_write(found: tuple[Path, Findings]) -> None:
    out, findings = found
    latex = (out / "effects.tex").read_text()
    assert r"truthful \& calm" in latex
    page = write_study_page(out, findings).read_text()
    assert "A study &lt;of&gt; hamlets" in page
    assert "<of>" not in page
    assert "How the arms differ" in page


def test_a_page_shows_what_is_swept(folder: Path) -> None:
    text = f'{STUDY}[[sweeps]]\nkey = "rules.network_fee"\nvalues = [0.01, 0.02]\n[days]\nlast = 2\n'
    found = run_study(read_study(written(folder, text)), folder / "swept")
    assert found.days["rules.network_fee"].unique().tolist() == ["0.01", "0.02"]
    assert "Over what is swept" in write_study_page(folder / "swept", found).read_text()


def test_a_study_of_one_arm_has_means_and_no_effects(folder: Path) -> None:
    found = run_study(read_study(written(folder, STUDY.rpartition("[[arms]]")[0])), folder / "one")
    assert found.effects.empty
    assert not found.means.empty
    assert "How the arms differ" not in write_study_page(folder / "one", found).read_text()


# -------------------------------------------------------------------------------------------------------- what is told


@pytest.mark.parametrize("path", sorted((PROJECT / "studies").glob("*.toml")), ids=lambda path: path.stem)
def test_studies_that_are_shipped_can_be_played(path: Path) -> None:
    study = read_study(path)
    assert study.name == path.stem
    assert study.others


def test_the_guide_shows_the_study_that_it_tells_of() -> None:
    guide = (PROJECT / "docs" / "guide" / "study.md").read_text()
    shown = tomllib.loads(guide.split("```toml\n")[1].split("```")[0])
    assert shown == tomllib.loads((PROJECT / "studies" / "pricing.toml").read_text())


def test_the_guide_describes_every_key() -> None:
    keys = "\n".join(re.findall(r"^\| (`.*?) \|", (PROJECT / "docs" / "guide" / "study.md").read_text(), re.MULTILINE))
    wanted = {"set" if name == "changes" else name for kind in (Study, Arm, Days, Sweep) for name in kind.model_fields}
    assert {name for name in wanted - {"arms", "days", "sweeps"} if f"{name}`" not in keys} == set()


def test_the_notebook_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its cells in their order, in the folder where it lies, as any kernel does."""
    monkeypatch.chdir(PROJECT / "studies")
    cells = json.loads(Path("october.ipynb").read_text())["cells"]
    names: dict[str, object] = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            assert not cell["outputs"]
            exec("".join(cell["source"]), names)
    found = names["found"]
    assert isinstance(found, Findings)
    assert set(found.days["arm"]) == {"quantile", "truthful"}
    assert len(names["saved"]) == 17  # type: ignore[arg-type]
