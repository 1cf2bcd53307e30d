"""How fast studies are: days by the model, a whole study of 43,800 day-runs, Dask, and days of assume-framework beside.

python bench/study.py       writes bench/study.json and bench/study.md, in ten minutes or so

assume-framework has an environment of its own, as locked beside its script in bench/peers.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from clearing import environment
from distributed import LocalCluster
from host import machine

from dem.community.scenario import Kind, load_scenario
from dem.lab.study import Study, read_study, run_study
from dem.lab.study.playing import play_stretch

HERE = Path(__file__).resolve().parent
SCENARIOS = HERE.parent / "scenarios"
ARMS = [(pricing, strategy) for strategy in ("quantile", "truthful") for pricing in ("tariff", "single", "two_price")]
SHORT = {"days": 112, "seeds": 2}
"""Of rural-year, from its first day on, with all arms: 48 tasks of 28 days."""
WHOLE = {"days": 365, "seeds": 20}
WANTED_MINUTES, WANTED_SPEEDUP = 10, 1.8
LIMITS = {"rural-year": 0.02, "rural-markets": 1.0}
"""Seconds of the processor that a day may take."""
ROUNDS, PEER_DAYS, PEER_FIRST = 5, 28, 120
STUDY = """\
name = "bench"
scenario = "{scenario}"
seeds = {seeds}
[days]
last = {days}
"""
ARM = """\
[[arms]]
name = "{pricing}, {strategy}"
strategy = "{strategy}"
set.rules.imbalance_pricing = "{pricing}"
"""

INTRODUCTION = """# A study

Written by `make bench-study` on {machine}. {load}

## Days

Seconds of the processor for a day that `dem.lab.study` plays, the scenario being read. Of the village and the homes it
is the median of {rounds} times 28 days, of the village with every market that of its one day. assume-framework plays
{peer_days} days of the village from May on: the same loads and plants, one day-ahead market of 96 quarter-hours, naive
orders, no database. It has no meters, settlement or accounts; dem's days have.

| a day of | s | at most |
|---|--:|--:|
"""
STUDIES = """
## Studies

Wall-clock seconds from the plan to the tables, with {arms} arms of the village of 36 in the call auction. Reading the
scenario in each process, and starting the processes, is part of it. A Dask cluster is started before, with one thread
a worker.

| played by | day-runs | s | day-runs a minute | against one worker |
|---|--:|--:|--:|--:|
"""


def study_in(folder: Path, days: int, seeds: int) -> Study:
    """The study, written and read."""
    arms = "".join(ARM.format(pricing=pricing, strategy=strategy) for pricing, strategy in ARMS)
    path = folder / "study.toml"
    text = STUDY.format(scenario=SCENARIOS / "rural-year", seeds=seeds, days=days)
    path.write_text(text + arms, encoding="utf-8")
    return read_study(path)


def runs(days: int, seeds: int) -> int:
    """Day-runs of a study."""
    return days * seeds * len(ARMS)


def seconds(play: Callable[[], object]) -> float:
    """Of the wall clock, to play all of it."""
    began = time.monotonic()
    play()
    return time.monotonic() - began


def on_dask(study: Study, folder: Path, workers: int) -> float:
    """By so many workers of this machine."""
    with LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None) as cluster:
        return seconds(lambda: run_study(study, folder, cluster=cluster.scheduler_address))


def day_seconds(name: str, days: int) -> float:
    """Of the processor, for a day of a scenario that is read, the median of some rounds after the first."""
    scenario = load_scenario(SCENARIOS / name)
    taken = []
    for _ in range(ROUNDS + 1):
        began = time.process_time()
        for day in range(1, days + 1):
            play_stretch(scenario.cut(day, 1))
        taken.append((time.process_time() - began) / days)
    return median(taken[1:])


def peer_seconds() -> dict[str, float | str]:
    """What a day of assume-framework takes, with the village's meters."""
    scenario, script = load_scenario(SCENARIOS / "rural-year"), HERE / "peers" / "market_day.py"
    days = [scenario.metered(day) for day in range(PEER_FIRST, PEER_FIRST + PEER_DAYS)]
    members = [
        {"name": member.name, "net": [wh for shown in days for wh in shown[member.name]]}
        for member in scenario.of_kind(Kind.CONSUMER, Kind.PROSUMER)
    ]
    given = json.dumps({"days": PEER_DAYS, "members": members})
    with TemporaryDirectory() as folder:  # assume-framework leaves a log where it runs
        command = [environment(script), script]
        done = subprocess.run(command, cwd=folder, input=given, capture_output=True, text=True, check=True)
    found: dict[str, float | str] = json.loads(done.stdout)
    return found


def main() -> None:
    """Measure and write."""
    busy = os.getloadavg()[0]
    with TemporaryDirectory() as place, redirect_stdout(sys.stderr):
        folder = Path(place)
        (folder / "whole").mkdir()
        short, whole = study_in(folder, **SHORT), study_in(folder / "whole", **WHOLE)
        days = {name: day_seconds(name, days) for name, days in (("rural-year", 28), ("homes-year", 28))}
        days["rural-markets"] = day_seconds("rural-markets", 1)
        peer = peer_seconds()
        taken = {
            "one process": seconds(lambda: run_study(short, folder / "one")),
            "two processes": seconds(lambda: run_study(short, folder / "two", workers=2)),
            "Dask, one worker": on_dask(short, folder / "dask-one", 1),
            "Dask, two workers": on_dask(short, folder / "dask-two", 2),
        }
        minutes = seconds(lambda: run_study(whole, folder / "all", workers=2)) / 60
    host, speedup = machine(), taken["Dask, one worker"] / taken["Dask, two workers"]
    record = {"machine": host, "load": busy, "day_seconds": days, "assume": peer, "seconds": taken}
    record |= {"runs": runs(**SHORT), "whole_runs": runs(**WHOLE), "whole_minutes": minutes, "dask_speedup": speedup}
    (HERE / "study.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    titles = {
        "rural-year": "village of 36, call auction",
        "homes-year": "17 metered homes, call auction",
        "rural-markets": "village of 36, every market, 14 batteries or moved loads",
    }
    load = f"The machine had a load of {busy:.1f} from others when it began."
    lines = [INTRODUCTION.format(machine=host, load=load, rounds=ROUNDS, peer_days=PEER_DAYS).rstrip("\n")]
    lines += [f"| {title} | {days[name]:.4f} | {LIMITS.get(name, '')} |" for name, title in titles.items()]
    lines.append(f"| assume-framework {peer['version']}: the village's market alone | {peer['seconds']:.4f} | |")
    lines.append(STUDIES.format(arms=len(ARMS)).rstrip("\n"))
    for name, value in taken.items():
        against = taken["Dask, one worker" if "Dask" in name else "one process"] / value
        rate = runs(**SHORT) * 60 / value
        lines.append(f"| {name} | {runs(**SHORT):,} | {value:.1f} | {rate:,.0f} | {against:.2f} |")
    all_runs = runs(**WHOLE)
    lines.append(f"| two processes | {all_runs:,} | {60 * minutes:.1f} | {all_runs / minutes:,.0f} | |")
    lines.append(
        f"\nWanted on two quiet cores: {all_runs:,} day-runs in less than {WANTED_MINUTES} minutes, here "
        f"{minutes:.1f}; two Dask workers at least {WANTED_SPEEDUP} times one, here {speedup:.2f}."
    )
    text = "\n".join(lines) + "\n"
    (HERE / "study.md").write_text(text, encoding="utf-8")
    print(text)
    missed = [name for name, limit in LIMITS.items() if days[name] > limit]
    missed += ["the whole study"] * (minutes >= WANTED_MINUTES) + ["Dask"] * (speedup < WANTED_SPEEDUP)
    if missed:
        raise SystemExit(f"slower than wanted: {', '.join(missed)}")


if __name__ == "__main__":
    main()
