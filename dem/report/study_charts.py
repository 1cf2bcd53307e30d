"""The pictures of a study: effects with their intervals, curves over what is swept, distributions over members."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from dem.lab.study.findings import METRICS, Findings
from dem.lab.study.words import unit
from dem.report.style import CHARGE, DEEP, EXPORTED, FEE, IMPORTED, INK, LOCAL, MUTED, OLIVE, Picture, legend, render
from dem.results.wording import UNITS_PER_CURRENCY

ARM_COLOURS = (LOCAL, IMPORTED, EXPORTED, CHARGE, FEE, DEEP, OLIVE, MUTED)
"""Of the arms, in their order; more share them."""
_DRAWN = [metric for metric in METRICS if metric.name not in ("saved_consumer", "saved_prosumer", "matched")]
_SWEPT = ("saved", "traded", "price", "covered")


def draw_study(findings: Findings) -> dict[str, Picture]:
    """Every picture that has something to show, by name."""
    drawings: dict[str, Callable[[bool], Figure]] = {"members": lambda wide: members(findings, wide)}
    if findings.study.others:
        drawings["effects"] = lambda wide: effects(findings, wide)
    if findings.study.sweeps:
        drawings["sweeps"] = lambda wide: curves(findings, wide)
    return {name: render(f"study-{name}", draw) for name, draw in drawings.items()}


def colours(findings: Findings) -> dict[str, str]:
    """Of each arm."""
    return {arm.name: ARM_COLOURS[row % len(ARM_COLOURS)] for row, arm in enumerate(findings.study.arms)}


def effects(findings: Findings, wide: bool) -> Figure:
    """A panel for each metric: the difference of each arm, at each point, to the baseline, with its interval."""
    rows = [(arm, point.label) for point in findings.study.points for arm in findings.study.others]
    names = [f"{arm}, {point}" if point else arm for arm, point in rows]
    axes, figure = _panels(len(_DRAWN), 4 if wide else 1, len(rows), wide)
    of_arm = colours(findings)
    for number, (axis, metric) in enumerate(zip(axes, _DRAWN, strict=True)):
        frame = findings.effects[findings.effects["metric"] == metric.name]
        of_row = {(row["arm"], row["point"]): row for row in findings.rows(frame)}
        for place, key in enumerate(rows):
            row = of_row[key]
            colour = of_arm[key[0]]
            axis.plot([row["low"], row["high"]], [place, place], color=colour, lw=2.2, solid_capstyle="round")
            axis.plot(row["mean"], place, "o", color=colour, ms=4.5)
        axis.axvline(0, color=INK, lw=0.9)
        axis.set_title(f"{metric.short}, {unit(metric, findings.currency)}", fontsize=8.5)
        axis.set_ylim(len(rows) - 0.4, -0.6)
        axis.margins(x=0.12)
        axis.locator_params(axis="x", nbins=4)
        first_in_row = not wide or number % 4 == 0
        axis.set_yticks(range(len(rows)), names if first_in_row else [""] * len(rows), color=INK)
        axis.grid(axis="y", visible=False)
        axis.spines["left"].set_visible(False)
    return figure


def curves(findings: Findings, wide: bool) -> Figure:
    """A panel for each metric over the values of the first sweep; those of others are lines of their own."""
    sweep, *others = findings.study.sweeps
    metrics = [metric for metric in METRICS if metric.name in _SWEPT]
    axes, figure = _panels(len(metrics), 2 if wide else 1, 6, wide)
    places = {_text(value): place for place, value in enumerate(sweep.values)}
    styles = ("-", "--", ":", "-.")
    of_arm = colours(findings)
    for axis, metric in zip(axes, metrics, strict=True):
        frame = findings.means[findings.means["metric"] == metric.name]
        for arm, colour in of_arm.items():
            of = frame[frame["arm"] == arm]
            groups = of.groupby([other.key for other in others], sort=False) if others else [("", of)]
            for number, (_, rows) in enumerate(groups):
                x = [places[_text(value)] for value in rows[sweep.key]]
                axis.fill_between(x, rows["low"], rows["high"], color=colour, alpha=0.15, lw=0)
                axis.plot(x, rows["mean"], styles[number % len(styles)], color=colour, marker="o", ms=3.5)
        axis.set_title(f"{metric.short}, {unit(metric, findings.currency)}")
        axis.set_xticks(range(len(places)), places)
        axis.set_xlabel(sweep.key)
    legend(figure, [Line2D([], [], color=colour, marker="o", ms=3.5, label=arm) for arm, colour in of_arm.items()], 4)
    return figure


def members(findings: Findings, wide: bool) -> Figure:
    """What each member saved a day, in the order of what it saved, a line for each arm; at the first point."""
    first = findings.study.points[0].label
    frame = findings.members[findings.members["point"] == first]
    kinds = [kind for kind in ("consumer", "prosumer", "intermediary") if (frame["kind"] == kind).any()]
    axes, figure = _panels(len(kinds), len(kinds) if wide else 1, 7, wide)
    of_arm = colours(findings)
    for axis, kind in zip(axes, kinds, strict=True):
        for arm, colour in of_arm.items():
            saved = _saved(frame[(frame["kind"] == kind) & (frame["arm"] == arm)])
            share = (np.arange(len(saved)) + 0.5) / max(1, len(saved)) * 100
            axis.plot(share, saved, color=colour, lw=1.6, marker="o" if len(saved) <= 60 else "", ms=2.6)
        axis.axhline(0, color=INK, lw=0.9)
        axis.set_title(f"{kind}s")
        axis.set_xlabel("share of them, %, the least saving first")
        _first_label(axis, axes, f"saved, {findings.currency} a day")
    legend(figure, [Line2D([], [], color=colour, label=arm) for arm, colour in of_arm.items()], 4 if wide else 2)
    return figure


def _saved(rows: pd.DataFrame) -> list[float]:
    sums = rows.groupby("participant")[["saved_units", "days"]].sum()
    saved: list[float] = sorted((sums["saved_units"] / sums["days"] / UNITS_PER_CURRENCY).tolist())
    return saved


def _first_label(axis: Axes, axes: list[Axes], label: str) -> None:
    if axis is axes[0] or axis.get_subplotspec() is None:
        axis.set_ylabel(label)


def _text(value: object) -> str:
    return str(value)


def _panels(count: int, columns: int, rows: int, wide: bool) -> tuple[list[Axes], Figure]:
    columns = max(1, min(count, columns))
    lines = -(-count // columns)
    height = lines * (0.24 * rows + 0.95) + 0.5
    figure = Figure(figsize=(9.6 if wide else 4.2, height), layout="constrained")
    axes = list(figure.subplots(lines, columns, squeeze=False).flat)
    for axis in axes[count:]:
        axis.set_visible(False)
    return axes[:count], figure
