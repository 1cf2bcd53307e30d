"""Plays a study: here, on all cores, or on a cluster; goes on where it was, and puts together what came of it."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from math import ceil
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import dem
from dem.community.scenario import Scenario
from dem.errors import InputError
from dem.formats import write_whole
from dem.lab.study import files
from dem.lab.study.design import Study
from dem.lab.study.findings import Findings, put_together
from dem.lab.study.playing import Record, Task, do, play_stretch, scenario_of, tasks_of
from dem.model.rules import CONTRACT_PRICINGS
from dem.offchain.run import write_days
from dem.results.reader import Results, read_results

Told = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and how much there is: in days of arms."""
PlayOnContracts = Callable[[Scenario, Path], None]
"""Plays a scenario on a chain into a folder of tables."""


@dataclass(frozen=True)
class Plan:
    """The work of a study."""

    study: Study
    inputs: dict[tuple[str, str], dict[str, str]]
    tasks: list[Task]

    @staticmethod
    def of(study: Study) -> "Plan":
        """All tasks, arm by arm."""
        inputs = {key: files.inputs_of(*both) for key, both in study.conditions.items()}
        tasks = [
            task
            for (arm, point), (setting, _) in study.conditions.items()
            for seed in study.every_seed
            for task in tasks_of(arm, point, setting, seed, study.stretches, _hash(inputs[arm, point]))
        ]
        return Plan(study, inputs, tasks)

    @property
    def replayed(self) -> list[Task]:
        """Stretches to be played on contracts, too, each as a task: the share of each arm and point, drawn by hash."""
        found: list[Task] = []
        for (arm, point), (setting, scenario) in self.study.conditions.items():
            if any(version.pricing not in CONTRACT_PRICINGS for version in scenario.config.rules):
                continue
            possible = [
                Task(arm, point, setting, seed, (stretch,), _hash(self.inputs[arm, point]))
                for seed in self.study.every_seed
                for stretch in self.study.stretches
            ]
            number = ceil(Decimal(self.study.replay) * len(possible))
            found += sorted(sorted(possible, key=_drawn)[:number], key=lambda task: (task.seed, task.stretches))
        return found


def _drawn(task: Task) -> str:
    return sha256(f"replay/{task.arm}/{task.point}/{task.seed}/{task.stretches}".encode()).hexdigest()


def _hash(inputs: dict[str, str]) -> str:
    return sha256(files.encoded([files.code_hash(), inputs])).hexdigest()


def run_study(
    study: Study,
    out: Path | str,
    *,
    workers: int = 1,
    cluster: str | None = None,
    on_contracts: PlayOnContracts | None = None,
    told: Told = lambda _what, _done, _whole: None,
) -> Findings:
    """Play what is not finished yet, and write all tables into a folder.

    workers: processes on this machine; with 1 this one does all. cluster: address of a Dask scheduler, instead.
    on_contracts: plays a scenario on a chain; without it nothing is replayed, and the findings say so.

    Raises:
        InputError: the study, or a scenario, is wrong.
    """
    out, plan = Path(out), Plan.of(study)
    records = _play(plan.tasks, out / files.PARTS, workers, cluster, told)
    replays = _replay(plan.replayed, out / files.REPLAYS, on_contracts, told)
    findings = put_together(study, [(task, records[task.key]) for task in plan.tasks], replays)
    tables = findings.tables()
    for name, content in tables.items():
        write_whole(out / name, content)
    write_whole(out / files.MANIFEST, files.manifest(study, plan.inputs, tables))
    return findings


def _play(
    tasks: Sequence[Task], folder: Path, workers: int, cluster: str | None, told: Told
) -> dict[str, list[Record]]:
    """The records of all tasks by key; what is finished is read."""
    days = {task.key: sum(count for _, count in task.stretches) for task in tasks}
    whole = sum(days[task.key] for task in tasks)
    records = {task.key: part for task in tasks if (part := files.read_part(folder / f"{task.key}.json")) is not None}
    done = sum(days[task.key] for task in tasks if task.key in records)
    told("days", done, whole)
    left = list({task.key: task for task in tasks if task.key not in records}.values())
    for task, record in _results(left, workers, cluster):
        write_whole(folder / f"{task.key}.json", files.encoded(record))
        records[task.key] = record
        done += sum(days[other.key] for other in tasks if other.key == task.key)
        told("days", done, whole)
    return records


def _results(tasks: Sequence[Task], workers: int, cluster: str | None) -> Iterator[tuple[Task, list[Record]]]:
    """Each task with what came of it, as they are finished."""
    if not tasks:
        return
    if cluster is None and workers == 1:
        for task in tasks:
            yield task, do(task)
        return
    with _executor(min(workers, len(tasks)), cluster) as executor:
        futures = {executor.submit(do, task): task for task in tasks}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        finally:
            for future in futures:
                future.cancel()


@contextmanager
def _executor(workers: int, cluster: str | None) -> Iterator[Executor]:
    if cluster is None:
        # The others search modules where this one does, and `ape run` takes the project out of that.
        home = str(Path(dem.__file__).parents[1])
        sys.path += [] if home in sys.path else [home]
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as executor:
            yield executor
        return
    try:
        from distributed import Client
    except ImportError as error:
        raise InputError("cluster", cluster, "needs Dask: pip install 'dem[cluster]'") from error
    try:
        client = Client(cluster, timeout=10)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise InputError("cluster", cluster, f"does not answer as a Dask scheduler: {error}") from error
    with client, client.get_executor() as executor:  # type: ignore[no-untyped-call]
        yield executor


def cores() -> int:
    """Of this machine, those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _replay(
    tasks: Sequence[Task], folder: Path, on_contracts: PlayOnContracts | None, told: Told
) -> list[tuple[Task, dict[str, object]]]:
    """Of each stretch that is played on contracts what was compared."""
    if on_contracts is None:
        return []
    found = []
    for number, task in enumerate(tasks):
        told("on the contracts", number, len(tasks))
        path = folder / f"{task.key}.json"
        record = files.read_part(path)
        if record is None:
            record = _compare(task, on_contracts)
            write_whole(path, files.encoded(record))
        found.append((task, record))
    if tasks:
        told("on the contracts", len(tasks), len(tasks))
    return found


def _compare(task: Task, on_contracts: PlayOnContracts) -> dict[str, object]:
    """Play a stretch on contracts and by the model: all tables must be the same, and so what each member paid."""
    (stretch,) = task.stretches
    scenario = scenario_of(task.setting).seeded(task.seed).cut(*stretch)
    with TemporaryDirectory() as place:
        chain, model = Path(place) / "chain", Path(place) / "model"
        on_contracts(scenario, chain)
        write_days(scenario, model)
        names = sorted({path.name for folder in (chain, model) for path in folder.glob("*.csv")})
        differ = [name for name in names if _content(chain / name) != _content(model / name)]
        lines = sum(_content(chain / name).count(b"\n") for name in names)
        # Bills are read from tables that are the same: others need not even fit each other.
        paid = {} if differ else _paid(read_results(chain))
    counted: dict[str, int] = {}
    for record in play_stretch(scenario):
        for name, (_, units, _) in record["members"].items():
            counted[name] = counted.get(name, 0) + units
    if not differ:
        differ = [f"bill of {name}" for name, units in counted.items() if paid.get(name, 0) != units]
    return {"tables": len(names), "lines": lines, "members": len(counted), "differ": differ}


def _paid(results: Results) -> dict[str, int]:
    """What each member paid in all, by a run's tables."""
    parts = ["trade_units", "imbalance_units", "fees_units", "deviation_units", "penalty_units"]
    bills = results.settlement.groupby("participant", observed=True)[parts].sum().sum(axis=1)
    found = {str(name): int(units) for name, units in bills.items()}
    payments = results.payments.groupby("participant", observed=True)["amount_units"].sum()
    for name, units in payments.items():
        found[str(name)] = found.get(str(name), 0) - int(units)
    return found


def _content(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""
