"""What a study has found, as tidy tables: day by day, member by member, and what can be said of the arms."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from io import BytesIO
from typing import Any

import pandas as pd

from dem.errors import InputError
from dem.lab.study.design import Study
from dem.lab.study.latex import effects_as_latex, means_as_latex
from dem.lab.study.playing import Record, Task
from dem.lab.study.statistics import estimate, holm, paired

_PER_CURRENCY, _PER_KWH, _PERCENT = 10**8, 1_000, 100
_PRICE = _PER_CURRENCY // _PER_KWH
"""Units/Wh of 1 currency/kWh."""

KEY = ["seed", "day"]
"""What makes a day of one arm comparable with that of another."""


@dataclass(frozen=True)
class Metric:
    """A figure of a day that arms are compared by. unit: CUR stands for the currency. short: its title where room is
    little."""

    name: str
    title: str
    unit: str
    short: str


METRICS = (
    Metric("saved", "Saved against the tariffs alone", "CUR a day", "Saved"),
    Metric("saved_consumer", "of it by consumers", "CUR a day", "Saved by consumers"),
    Metric("saved_prosumer", "of it by prosumers", "CUR a day", "Saved by prosumers"),
    Metric("traded", "Energy traded between members", "kWh a day", "Traded"),
    Metric("matched", "Traded, of what could be shared", "%", "Of what could be"),
    Metric("covered", "Consumption covered by contract", "%", "Covered"),
    Metric("price", "Mean price between members", "CUR/kWh", "Mean price"),
    Metric("off", "Energy off contract", "kWh a day", "Off contract"),
    Metric("fees", "Fees", "CUR a day", "Fees"),
    Metric("fund", "Kept by the balancing fund", "CUR a day", "Kept by the fund"),
    Metric("worse_off", "Members worse off than by the tariffs", "a day", "Worse off"),
)


@dataclass(frozen=True)
class Findings:
    """Tables of a study. points, sweeps: see the design.

    days: figures of each day, integers and metrics. members: sums over all days of each. replays: what was played on
    contracts, too; None if nothing was to be.
    """

    study: Study
    currency: str
    days: pd.DataFrame
    members: pd.DataFrame
    replays: pd.DataFrame

    @property
    def sweeps(self) -> list[str]:
        """The keys that are swept."""
        return [sweep.key for sweep in self.study.sweeps]

    @cached_property
    def means(self) -> pd.DataFrame:
        """Of each arm, point and metric the mean over days and seeds, with its interval."""
        rows = []
        for keys, frame in self._by(["arm", "point"]):
            for metric in METRICS:
                found = estimate(frame[metric.name].to_numpy(float), frame["week"].tolist())
                rows.append({**keys, "metric": metric.name, **_fields(found), "days": found.days, "weeks": found.weeks})
        return pd.DataFrame(rows)

    @cached_property
    def effects(self) -> pd.DataFrame:
        """Of each other arm, point and metric the difference to the baseline, day by day and seed by seed."""
        rows: list[dict[str, Any]] = []
        for keys, frame in self._by(["point"]):
            for metric in METRICS:
                found = [
                    (arm, estimate(*paired(frame, metric.name, arm, self.study.compared_with, KEY)))
                    for arm in self.study.others
                ]
                corrected = holm([one.p for _, one in found])
                for (arm, one), holms in zip(found, corrected, strict=True):
                    names = {"arm": arm, "baseline": self.study.compared_with, **keys, "metric": metric.name}
                    counts = {"days": one.days, "weeks": one.weeks}
                    rows.append({**names, **_fields(one), "p": one.p, "p_holm": holms, **counts})
        return pd.DataFrame(rows, columns=[*_EFFECTS[:3], *self.sweeps, *_EFFECTS[3:]])

    def _by(self, keys: list[str]) -> list[tuple[dict[str, Any], pd.DataFrame]]:
        found = []
        for values, frame in self.days.groupby(keys, sort=False):
            first = frame.iloc[0]
            named = dict(zip(keys, values, strict=True))
            found.append(({**named, **{key: first[key] for key in self.sweeps}}, frame))
        return found

    def rows(self, frame: pd.DataFrame) -> list[dict[str, Any]]:
        """Of means or effects, row by row."""
        return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]

    def tables(self) -> dict[str, bytes]:
        """All of it as files: CSV, Parquet if pyarrow is installed, LaTeX."""
        frames = {
            "days": self.days,
            "members": self.members,
            "means": self.means,
            "effects": self.effects,
            "replays": self.replays,
        }
        content = {
            f"{name}.csv": frame.to_csv(index=False, lineterminator="\n").encode() for name, frame in frames.items()
        }
        try:
            content |= {f"{name}.parquet": _parquet(frame) for name, frame in frames.items()}
        except ImportError as error:
            raise InputError("study", None, "needs pyarrow: pip install 'dem[study]'") from error
        content["means.tex"] = means_as_latex(self.means, METRICS, self.study, self.currency).encode()
        if self.study.others:
            content["effects.tex"] = effects_as_latex(self.effects, METRICS, self.study, self.currency).encode()
        return content


_EFFECTS = ["arm", "baseline", "point", "metric", "mean", "low", "high", "p", "p_holm", "days", "weeks"]


def _fields(found: Any) -> dict[str, float]:
    return {"mean": found.mean, "low": found.low, "high": found.high}


def _parquet(frame: pd.DataFrame) -> bytes:
    file = BytesIO()
    frame.to_parquet(file, index=False, engine="pyarrow")
    return file.getvalue()


def put_together(
    study: Study,
    records: Sequence[tuple[Task, list[Record]]],
    replays: Sequence[tuple[Task, Mapping[str, object]]],
) -> Findings:
    """The tables, in the order of the design, whoever has played what and when."""
    swept = {point.label: dict(point.values) for point in study.points}
    rows, sums = [], dict[tuple[str, str, int, str], dict[str, Any]]()
    for task, days in records:
        keys = {"arm": task.arm, "point": task.point, **{k: _plain(v) for k, v in swept[task.point].items()}}
        for record in days:
            figures = {name: value for name, value in record.items() if name != "members"}
            rows.append({**keys, "seed": task.seed, **figures})
            for name, (kind, paid, alone) in record["members"].items():
                key = (task.arm, task.point, task.seed, name)
                fresh = {**keys, "seed": task.seed, "participant": name, "kind": kind}
                member = sums.setdefault(key, {**fresh, "days": 0, "paid_units": 0, "alone_units": 0})
                member["days"] += 1
                member["paid_units"] += paid
                member["alone_units"] += alone
    frame = _with_metrics(pd.DataFrame(rows))
    members = pd.DataFrame([*sums.values()])
    members["saved_units"] = members["alone_units"] - members["paid_units"]
    compared = [
        {
            "arm": task.arm,
            "point": task.point,
            "seed": task.seed,
            "first_day": task.stretches[0][0],
            "days": task.stretches[0][1],
            "tables": record["tables"],
            "lines": record["lines"],
            "members": record["members"],
            "same": not record["differ"],
            "differ": "; ".join(map(str, record["differ"])),  # type: ignore[call-overload]
        }
        for task, record in replays
    ]
    currency = next(iter(study.conditions.values()))[1].config.currency
    return Findings(study, currency, frame, members, pd.DataFrame(compared, columns=_REPLAYS))


_REPLAYS = ["arm", "point", "seed", "first_day", "days", "tables", "lines", "members", "same", "differ"]


def _plain(value: Any) -> Any:
    """A value of a sweep as a table has it."""
    return value if isinstance(value, bool | int | str) else str(value)


def _with_metrics(frame: pd.DataFrame) -> pd.DataFrame:
    """The metrics of each day beside what they are made of."""
    week = [f"{year}-W{number:02}" for year, number, _ in (date.fromisoformat(d).isocalendar() for d in frame["date"])]
    at = frame.columns.get_loc("date")
    assert isinstance(at, int)
    frame.insert(at + 1, "week", week)

    def ratio(above: str, below: str, scale: float) -> "pd.Series[float]":
        return frame[above] * scale / frame[below].where(frame[below] != 0)

    return frame.assign(
        saved=(frame["alone_units"] - frame["paid_units"]) / _PER_CURRENCY,
        saved_consumer=(frame["alone_consumer_units"] - frame["paid_consumer_units"]) / _PER_CURRENCY,
        saved_prosumer=(frame["alone_prosumer_units"] - frame["paid_prosumer_units"]) / _PER_CURRENCY,
        traded=frame["traded_wh"] / _PER_KWH,
        matched=ratio("traded_wh", "shared_wh", _PERCENT),
        covered=ratio("delivered_wh", "consumed_wh", _PERCENT),
        price=ratio("traded_units", "traded_wh", 1 / _PRICE),
        off=frame["off_wh"] / _PER_KWH,
        fees=frame["fees_units"] / _PER_CURRENCY,
        fund=frame["fund_units"] / _PER_CURRENCY,
    )
