"""What a study has found, in words and figures, for console and page."""

from collections.abc import Iterator, Mapping
from math import isnan
from typing import Any

from dem.lab.study.findings import METRICS, Findings, Metric
from dem.replay.reconcile import Check

_NOTHING = "–"
_DECIMALS, _FINEST = ((100, 1), (1, 2), (0.1, 3)), 4
"""Of figures at least so large, and of others."""


def unit(metric: Metric, currency: str) -> str:
    """Of a metric, with the currency."""
    return metric.unit.replace("CUR", currency)


def figure(value: float, signed: bool = False, beside: float = 0.0) -> str:
    """A figure with the decimals that its size needs, or a larger one's beside it; a difference has its sign."""
    if isnan(value) or value == 0:
        return _NOTHING if isnan(value) else "0"
    size = max(abs(value), abs(beside))
    decimals = next((number for least, number in _DECIMALS if size >= least), _FINEST)
    text = f"{value:{'+' if signed else ''},.{decimals}f}"
    return text.replace("-", "\N{MINUS SIGN}")


def with_interval(row: Mapping[str, Any], signed: bool) -> str:
    """A mean and half of its interval."""
    if isnan(row["mean"]) or isnan(row["low"]):
        return figure(row["mean"], signed)
    half = (row["high"] - row["low"]) / 2
    if not half:
        return figure(row["mean"], signed)
    return f"{figure(row['mean'], signed, half)} ± {figure(half, beside=row['mean'])}"


def stars(p: float) -> str:
    """How sure a difference is, after Holm's correction."""
    return next((mark for most, mark in ((0.001, " ***"), (0.01, " **"), (0.05, " *")) if p < most), "")


def effect_tables(findings: Findings) -> Iterator[tuple[str, list[str], list[list[str]]]]:
    """A table for each point: metrics by arm, the baseline's mean first, then differences of the others to it."""
    base, others = findings.study.compared_with, findings.study.others
    means = {(row["arm"], row["point"], row["metric"]): row for row in findings.rows(findings.means)}
    effects = {(row["arm"], row["point"], row["metric"]): row for row in findings.rows(findings.effects)}
    for point in findings.study.points:
        rows = []
        for metric in METRICS:
            found = [effects[arm, point.label, metric.name] for arm in others]
            cells = [with_interval(row, signed=True) + stars(row["p_holm"]) for row in found]
            title = f"{metric.title}, {unit(metric, findings.currency)}"
            rows.append([title, with_interval(means[base, point.label, metric.name], signed=False), *cells])
        yield point.label, ["", base, *others], rows


def study_checks(findings: Findings) -> list[Check]:
    """Whether the contracts came to the same as the model, where both have played."""
    replays, share = findings.replays, findings.study.replay
    if not share:
        return []
    name = "days on the contracts equal the model's, every table byte for byte and every bill to the unit"
    if replays.empty:
        return [Check(name, True, "not looked at: played without a chain")]
    differ = replays[~replays["same"]]
    if len(differ):
        first = differ.iloc[0]
        where = f"{first['arm']} {first['point']}, seed {first['seed']}, day {first['first_day']}: {first['differ']}"
        return [Check(name, False, f"{len(differ)} of {len(replays)} differ, first {where}")]
    days, lines = int(replays["days"].sum()), int(replays["lines"].sum())
    return [Check(name, True, f"{days} of {len(findings.days):,} day-runs, {lines:,} lines of tables")]
