"""How fast a study is played: day-runs by minute in one process, in two, and by Dask with one worker and with two.

python bench/study.py       writes bench/study.json and bench/study.md
"""

import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory

from distributed import LocalCluster
from host import machine

from dem.community.scenario import load_scenario
from dem.lab.study import Study, read_study, run_study
from dem.lab.study.playing import play_stretch

HERE = Path(__file__).resolve().parent
SCENARIOS = HERE.parent / "scenarios"
DAYS, SEEDS = 224, 2
"""Of rural-year, from its first day on: so each of the three arms has 16 tasks of 28 days."""
ARMS = ("tariff", "single", "two_price")
WANTED_DAYS, WANTED_MINUTES = 43_800, 10
STUDY = """\
name = "bench"
scenario = "{scenario}"
seeds = {seeds}
[days]
last = {days}
"""

INTRODUCTION = """# A study

`dem.lab.study` plays {runs:,} day-runs of the village of 36 in the call auction: {days} days of rural-year, {seeds}
seeds, {arms} arms. Wall-clock seconds from the plan to the tables. Reading the scenario in each process, and starting
the processes, is part of it. A Dask cluster is started before, with one thread a worker. {wanted:,} day-runs are 20
seeds x 365 days x 6 arms, reckoned from the rate.

Written by `make bench-study` on {machine}. {load}

| played by | s | day-runs a minute | against one worker | {wanted:,} day-runs, minutes |
|---|--:|--:|--:|--:|
"""
LATER = """
A day of the village takes {village:.4f} s of the processor in a study, one of the 17 metered homes {homes:.4f} s.

{verdict}
"""


def study_in(folder: Path) -> Study:
    """The study, written and read."""
    arms = "".join(f'[[arms]]\nname = "{name}"\nset.rules.imbalance_pricing = "{name}"\n' for name in ARMS)
    path = folder / "study.toml"
    path.write_text(STUDY.format(scenario=SCENARIOS / "rural-year", seeds=SEEDS, days=DAYS) + arms, encoding="utf-8")
    return read_study(path)


def seconds(folder: Path, play: Callable[[Path], object]) -> float:
    """Of the wall clock, to play all of it."""
    began = time.monotonic()
    play(folder)
    assert len(list((folder / "parts").iterdir())) == len(ARMS) * SEEDS * DAYS // 28
    return time.monotonic() - began


def on_dask(study: Study, folder: Path, workers: int) -> float:
    """By so many workers of this machine."""
    with LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None) as cluster:
        return seconds(folder, lambda out: run_study(study, out, cluster=cluster.scheduler_address))


def day_seconds(name: str) -> float:
    """Of the processor, for a day of a scenario that is read, the mean of 28."""
    scenario = load_scenario(SCENARIOS / name)
    for first in (1, 29):
        began = time.process_time()
        for day in range(first, first + 28):
            play_stretch(scenario.cut(day, 1))
    return (time.process_time() - began) / 28


def main() -> None:
    """Measure and write."""
    with TemporaryDirectory() as place, redirect_stdout(sys.stderr):
        folder = Path(place)
        study, busy = study_in(folder), os.getloadavg()[0]
        taken = {
            "one process": seconds(folder / "one", lambda out: run_study(study, out)),
            "two processes": seconds(folder / "two", lambda out: run_study(study, out, workers=2)),
            "Dask, one worker": on_dask(study, folder / "dask-one", 1),
            "Dask, two workers": on_dask(study, folder / "dask-two", 2),
        }
    days = {name: day_seconds(name) for name in ("rural-year", "homes-year")}
    runs, host = DAYS * SEEDS * len(ARMS), machine()
    minutes = {name: WANTED_DAYS / runs * value / 60 for name, value in taken.items()}
    speedup = taken["Dask, one worker"] / taken["Dask, two workers"]
    rows = []
    for name, value in taken.items():
        against = taken["Dask, one worker" if "Dask" in name else "one process"] / value
        rows.append(f"| {name} | {value:.1f} | {runs * 60 / value:,.0f} | {against:.2f} | {minutes[name]:.1f} |")
    fastest = min(minutes.values())
    verdict = (
        f"Wanted on two quiet cores: {WANTED_DAYS:,} day-runs in less than {WANTED_MINUTES} minutes, "
        f"here {fastest:.1f}; two Dask workers at least 1.8 times one, here {speedup:.2f}."
    )
    load = f"The machine had a load of {busy:.1f} from others when it began."
    told = {"runs": runs, "days": DAYS, "seeds": SEEDS, "arms": len(ARMS), "wanted": WANTED_DAYS}
    text = INTRODUCTION.format(**told, machine=host, load=load) + "\n".join(rows) + "\n"
    text += LATER.format(village=days["rural-year"], homes=days["homes-year"], verdict=verdict)
    (HERE / "study.md").write_text(text, encoding="utf-8")
    record = {"machine": host, "load": busy, **told, "seconds": taken, "day_seconds": days, "dask_speedup": speedup}
    (HERE / "study.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print("\n".join([*rows, verdict]))


if __name__ == "__main__":
    main()
