"""The network on the page: its loading and voltages over the run, and a drawing at the worst period."""

from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from dem.grid.limits import SHARES
from dem.grid.network import PPM, Network
from dem.grid.violations import percent
from dem.report.charts import read_course, time_axis
from dem.report.style import (
    BAND,
    CHARGE,
    DEEP,
    EXPORTED,
    IMPORTED,
    INK,
    LOCAL,
    MUTED,
    NEARBY,
    PAPER,
    STYLE,
    Picture,
    legend,
    render,
)
from dem.results.grid import Course, GridCheck
from dem.results.reader import Results
from dem.results.summary import relief_of_members
from dem.results.wording import kwh, listed, money

_STEPS = (0, 25, 50, 75, 100)
_COLOURS = (NEARBY, LOCAL, DEEP, EXPORTED)
_MOST_NAMED = 30
"""Buses; of more, only transformers have their loading written beside them."""


def finding(check: GridCheck, results: Results) -> str:
    """What the pictures show, in words."""
    if check.is_dispatched:
        return _with_dispatcher(check, results)
    metered, run = check.metered, results.run
    top, low, high = max(metered.transformer), min(metered.low), max(metered.high)
    first = (
        f"By the meters a transformer was loaded up to {percent(top)} and a line up to {percent(max(metered.line))}; "
        f"voltages were between {percent(low)} and {percent(high)} of nominal."
    )
    if not metered.violations:
        return f"{first} Nothing was beyond a limit."
    worst = run.clock(results.periods[metered.worst])
    within = (
        f"{kwh(check.cut_metered)} would have been held back by limits known the day before; "
        f"{check.limited.periods} of {metered.periods} periods would still be beyond a limit."
    )
    return f"{first} In {metered.periods} periods something was beyond its limit, most of all at {worst}. {within}"


def _with_dispatcher(check: GridCheck, results: Results) -> str:
    before, after = check.metered, check.limited
    held = results.cuts.groupby("participant", observed=True)[["shed_wh", "curtailed_wh"]].sum().sum(axis=1)
    top = max(after.transformer), max(before.transformer)
    sold = relief_of_members(results)
    bought = (
        f" Of that {kwh(int(sold['delivered_wh'].sum()))} of {len(sold)} members was relief, bought before for "
        f"{money(int(sold['units'].sum()), results.run.currency)}."
        if len(sold)
        else ""
    )
    return (
        f"Within the dispatcher's limits a transformer was loaded up to {percent(top[0])}; without them it would have "
        f"been {percent(top[1])}. {kwh(check.cut_metered)} of {int((held > 0).sum())} members were held back in "
        f"{results.cuts['period'].nunique()} periods.{bought} Something was beyond its limit in {after.periods} "
        f"periods, and would have been in {before.periods}: limits go by forecasts."
    )


class Held(NamedTuple):
    """What limits held back of a member. share: the lowest that it was left of its connection. why: elements.

    relief_wh: what it delivered of relief that it had sold, for relief_units.
    """

    name: str
    wh: int
    contracted_wh: int
    periods: int
    share: str
    why: str
    relief_wh: int
    relief_units: int


def who_was_held(check: GridCheck, results: Results) -> list[Held]:
    """Of a run with a dispatcher, the most first."""
    if not check.is_dispatched:
        return []
    behind = dict(zip((branch.name for branch in check.network.branches), check.network.behind, strict=True))
    bus = dict(zip(check.connections.names, check.connections.bus.tolist(), strict=True))
    sold, found = relief_of_members(results), []
    for name, own in results.cuts.groupby("participant", observed=True):
        points = {results.periods.index(period) for period in own["period"].tolist()}
        other_reason = "relief sold" if name in sold.index else "no upper grid"
        holds = [hold for hold in check.holds if hold.point in points and behind[hold.zone][bus[str(name)]]]
        found.append(
            Held(
                name=str(name),
                wh=int((own["shed_wh"] + own["curtailed_wh"]).sum()),
                contracted_wh=int(own["contracted_wh"].sum()),
                periods=len(points),
                share=percent(min(hold.share for hold in holds) * (PPM // SHARES)) if holds else "",
                why=listed(sorted({hold.element for hold in holds}) or [other_reason]),
                relief_wh=int(sold["delivered_wh"].get(name, 0)),
                relief_units=int(sold["units"].get(name, 0)),
            )
        )
    return sorted(found, key=lambda own: -own.wh)


def where_loaded(check: GridCheck) -> str:
    """The most loaded transformer and line of the drawing."""
    network, loading = check.network, check.shown.loading
    most: dict[bool, tuple[int, str]] = {}
    for branch, own in zip(network.branches, loading.tolist(), strict=True):
        most[branch.is_transformer] = max(most.get(branch.is_transformer, (-1, "")), (own, branch.name))
    parts = [
        f"{what} {most[key][1]} with {percent(most[key][0])}"
        for key, what in ((True, "transformer"), (False, "line"))
        if key in most
    ]
    return f"In that period the most loaded were {listed(parts)} of the rating."


def draw_grid(check: GridCheck, results: Results) -> dict[str, Picture]:
    """Both pictures."""
    return {
        "grid": render("grid", lambda wide: loading_over_time(check, results, wide)),
        "network": render("network", lambda wide: network_drawing(check, results, wide)),
    }


def loading_over_time(check: GridCheck, results: Results, wide: bool) -> Figure:
    """Loading of the transformer and the line that are loaded most, and the voltages furthest apart."""
    course = read_course(results)
    figure = Figure(figsize=(9.6, 4.8) if wide else (4.2, 5.4), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    metered, limit = check.shown, check.network.limits
    planned = check.metered if check.is_dispatched else check.programme
    steps = results.firsts(len(course.edges) - 1 < len(results.periods))

    def most(values: Any) -> Any:
        return np.maximum.reduceat(values, steps) * 100 / PPM

    def least(values: Any) -> Any:
        return np.minimum.reduceat(values, steps) * 100 / PPM

    upper.stairs(most(planned.transformer), course.edges, baseline=None, color=MUTED, lw=1.2, ls=(0, (3, 2)))
    upper.stairs(most(metered.line), course.edges, baseline=None, color=IMPORTED, lw=1.4)
    upper.stairs(most(metered.transformer), course.edges, baseline=None, color=INK, lw=1.8)
    allowed = limit.loading * 100 / PPM
    over = most(np.maximum(metered.transformer, metered.line))
    upper.stairs(np.maximum(over, allowed), course.edges, baseline=allowed, fill=True, color=CHARGE, alpha=0.5, lw=0)
    upper.axhline(allowed, color=CHARGE, lw=1)
    upper.set(ylabel="% of rating", ylim=(0, 1.12 * max(allowed, over.max())))
    highest, lowest = limit.highest_voltage * 100 / PPM, limit.lowest_voltage * 100 / PPM
    lower.axhspan(lowest, highest, color=BAND, lw=0)
    lower.axhline(highest, color=CHARGE, lw=1)
    lower.axhline(lowest, color=CHARGE, lw=1)
    lower.stairs(most(metered.high), course.edges, baseline=None, color=EXPORTED, lw=1.6)
    lower.stairs(least(metered.low), course.edges, baseline=None, color=IMPORTED, lw=1.6)
    low, high = (min(lowest, least(metered.low).min()), max(highest, most(metered.high).max()))
    lower.set(ylabel="% of nominal voltage", ylim=(low - 1, high + 1))
    time_axis(lower, results, course, wide)
    legend(
        figure,
        [
            Line2D([], [], color=INK, lw=1.8, label="transformer"),
            Line2D(
                [],
                [],
                color=MUTED,
                lw=1.2,
                ls=(0, (3, 2)),
                label=f"transformer, {'without limits' if check.is_dispatched else 'day ahead'}",
            ),
            Line2D([], [], color=IMPORTED, lw=1.4, label="line (above), lowest voltage (below)"),
            Line2D([], [], color=EXPORTED, lw=1.6, label="highest voltage"),
            Line2D([], [], color=CHARGE, lw=1, label="limit"),
        ],
        5 if wide else 1,
    )
    figure.align_ylabels()
    return figure


def network_drawing(check: GridCheck, results: Results, wide: bool) -> Figure:
    """Every line at the period of the highest loading, coloured by its loading; transformers are squares."""
    network, course = check.network, check.shown
    figure = Figure(figsize=(9.6, 6.2) if wide else (4.2, 4.6), layout="constrained")
    axis = figure.subplots()
    _draw(axis, network, course, wide)
    axis.set_title(f"{results.run.clock(results.periods[course.worst])}, the highest loading of the run")
    axis.set_aspect("equal", adjustable="datalim")
    axis.set_axis_off()
    handles: list[Any] = [
        Line2D([], [], color=colour, lw=3, label=f"{low} to {high} %")
        for low, high, colour in zip(_STEPS, _STEPS[1:], _COLOURS, strict=False)
    ]
    handles.append(Line2D([], [], color=CHARGE, lw=3, label="above 100 %"))
    handles.append(Line2D([], [], color=MUTED, marker="s", ls="", ms=7, label="transformer"))
    legend(figure, handles, 6 if wide else 2)
    return figure


def _scale() -> ScalarMappable:
    colours = ListedColormap([*_COLOURS, CHARGE])
    return ScalarMappable(BoundaryNorm([*_STEPS, 10**9], len(_COLOURS) + 1), colours)


def _draw(axis: Axes, network: Network, course: Course, wide: bool) -> None:
    places, scale = network.places, _scale()
    shares = course.loading * 100 / PPM
    colours = scale.to_rgba(np.maximum(0, shares - 1e-9))
    is_line = np.array([not branch.is_transformer for branch in network.branches], np.bool_)
    segments = np.array([[places[branch.upper], places[branch.lower]] for branch in network.branches])
    # What is loaded most lies on top, and is thicker.
    order = np.argsort(shares, kind="stable")
    drawn = order[is_line[order]]
    few = len(network.buses) <= _MOST_NAMED
    widths = (2.2 if few else 0.9) + np.minimum(shares[drawn], 100) * (0.03 if few else 0.02)
    axis.add_collection(LineCollection(segments[drawn], colors=colours[drawn], linewidths=widths, capstyle="round"))
    if few:
        axis.scatter(places[:, 0], places[:, 1], s=16, color=MUTED, zorder=3, linewidths=0)
        named = [branch.lower for branch in network.branches if not branch.is_transformer]
        for number, name in zip(named, told_apart([network.buses[number].name for number in named]), strict=True):
            axis.annotate(
                name,
                places[number],
                (7, -8),
                textcoords="offset points",
                fontsize=6.5,
                color=MUTED,
            )
    # A transformer stands where its lines begin: the upper grid is not drawn.
    for number in order[~is_line[order]].tolist():
        x, y = places[network.branches[number].lower]
        axis.scatter(x, y, s=170 if few else 50, marker="s", color=[colours[number]], zorder=4, ec=PAPER, lw=0.8)
        is_over = course.loading[number] > network.limits.loading
        if few or wide:
            share = f"{shares[number]:.0f} %"
            text = axis.annotate(share, (x, y), (0, 9), textcoords="offset points", ha="center", zorder=5)
            text.set(fontsize=9 if few else 7, fontweight="bold" if is_over else "normal", color=INK)
    axis.autoscale_view()
    axis.margins(0.06)


def told_apart(names: Sequence[str]) -> list[str]:
    """Names without the words that all of them begin with."""
    words = [name.split(" ") for name in names]
    shared = sum(1 for _ in takewhile(lambda column: len(set(column)) == 1, zip(*words, strict=False)))
    return [" ".join(own[shared:] or own) for own in words] if len(names) > 1 else list(names)


def save_drawing(check: GridCheck, results: Results, path: Path) -> None:
    """Write the drawing of the network into a file of its own, in the format of its name."""
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": "network"}):
        figure = network_drawing(check, results, wide=True)
        figure.savefig(path, facecolor=PAPER, metadata={"Date": None} if path.suffix == ".svg" else None, dpi=130)
