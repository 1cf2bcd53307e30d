"""The pictures of the report, each drawn twice: wide for paper and desktop, narrow for a phone."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeAlias
from urllib.parse import quote

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from dem.report.sankey import money_drawing
from dem.report.style import (
    BAND,
    CHARGE,
    DEEP,
    EXPORTED,
    FEE,
    IMPORTED,
    INK,
    LOCAL,
    MUTED,
    NEARBY,
    PAPER,
    WHOLESALE,
    Picture,
    legend,
    render,
)
from dem.results.reader import Results
from dem.results.summary import Summary
from dem.results.wording import UNITS_PER_CURRENCY, WH_PER_KWH, per_kwh, plural

Array = NDArray[np.float64]
Side: TypeAlias = "pd.Series[int]"
"""Energy of one side of a book, Wh, by limit tick in the order in which it is filled."""

KIND_COLOURS = {"consumer": IMPORTED, "prosumer": EXPORTED}
"""Of households."""
_OFFICE_COLOURS = {"grid operator": MUTED, "intermediary": DEEP}
WINDOWS = (
    (6, 9),
    (11, 14),
    (17, 21),
)  # local hours in which a morning, a midday and an evening auction is looked for
MAX_NAMED = 60  # participants; beyond, their distribution is shown
OUTERMOST = 0.005  # share of the participants who are drawn in the outermost bars, wherever they are
MOST_DAYS_BY_PERIOD = 14  # beyond, each step is a day


@dataclass(frozen=True, slots=True)
class Course:
    """The run over time, by period, or by day where these would be too many to see; energy in kWh, prices in
    currency/kWh (NaN where there is none): means, weighted by what they are the prices of."""

    step: str
    edges: Array
    """Hours since midnight of the first day, as they pass: one more than there are steps."""
    price: Array
    buy: Array
    sell: Array
    volume: Array
    consumed: Array
    generated: Array
    delivered: Array
    shared: Array
    bought: Array
    short: Array
    """What the area lacked, period by period; `long` what it had too much."""
    long: Array
    imbalance_price: Array
    deviation: Array
    shed: Array
    """By an island, of load that was not contracted; `shed_contracted` of load that was; likewise generation."""
    shed_contracted: Array
    curtailed: Array
    curtailed_contracted: Array


def read_course(results: Results) -> Course:
    run, periods = results.run, results.periods
    by_day = run.days > MOST_DAYS_BY_PERIOD
    firsts = results.firsts(by_day)
    lengths = np.diff([*firsts, len(periods)])
    first = run.local_start(periods[0])
    midnight = first.replace(hour=0, minute=0, second=0)
    start = (first - midnight) / timedelta(hours=1)

    def total(values: Array) -> Array:
        sums: Array = np.add.reduceat(values, firsts)
        return sums

    def mean(prices: Array, weights: Array) -> Array:
        """NaN where nothing has a price; where nothing has weight, all weigh the same."""
        weights = np.where(np.isnan(prices), 0, weights)
        weights = np.where(np.repeat(total(weights) == 0, lengths) & ~np.isnan(prices), 1, weights)
        with np.errstate(invalid="ignore"):
            return total(np.nan_to_num(prices) * weights) / total(weights)

    def prices_of(column: "pd.Series[Any]", unit: int = 1) -> Array:
        units: Array = column.reindex(periods).astype("Float64").to_numpy(float, na_value=np.nan) * unit
        prices: Array = units * WH_PER_KWH / UNITS_PER_CURRENCY
        return prices

    def energy(column: "pd.Series[Any]") -> Array:
        kwh: Array = column.reindex(periods, fill_value=0).to_numpy() / WH_PER_KWH
        return kwh

    balance, area, tariffs = results.balance, results.area.set_index("period"), results.tariffs
    volume, imbalance = energy(results.traded["volume_wh"]), energy(balance["imbalance_wh"])
    every = np.ones(len(periods))
    cuts = results.cuts
    contracted = cuts["contracted_wh"]

    def cut(what: str, firm: bool) -> Array:
        part = contracted.where(cuts[what] > 0, 0)
        return total(energy((part if firm else cuts[what] - part).groupby(cuts["period"]).sum()))

    return Course(
        step="day" if by_day else f"{run.period_seconds / 60:g} min",
        edges=start + np.array([*firsts, len(periods)]) * run.period_seconds / 3600,
        price=mean(prices_of(results.traded["price_ticks"], run.prices.tick), volume),
        buy=mean(prices_of(tariffs["buy_units_per_wh"]), every),
        sell=mean(prices_of(tariffs["sell_units_per_wh"]), every),
        volume=total(volume),
        consumed=total(energy(balance["consumed_wh"])),
        generated=total(energy(balance["generated_wh"])),
        delivered=total(energy(balance["delivered_wh"])),
        shared=total(energy(balance["shared_wh"])),
        bought=total(energy(balance["bought_wh"])),
        short=total(np.maximum(imbalance, 0)),
        long=total(np.minimum(imbalance, 0)),
        imbalance_price=mean(prices_of(area["imbalance_price_units_per_wh"]), abs(imbalance)),
        deviation=total(balance["deviation_units"].to_numpy() / UNITS_PER_CURRENCY),
        shed=cut("shed_wh", firm=False),
        shed_contracted=cut("shed_wh", firm=True),
        curtailed=cut("curtailed_wh", firm=False),
        curtailed_contracted=cut("curtailed_wh", firm=True),
    )


# 1 ------------------------------------------------------------------------------------------ merit order


def interesting_periods(results: Results) -> list[int]:
    """The period with the largest volume in each window of the day; the largest others where a window is empty."""
    volume = results.traded["volume_wh"].sort_values(ascending=False, kind="stable")
    hours = volume.index.map(lambda period: results.run.local_start(period).hour)
    chosen: list[int] = []
    for first, last in WINDOWS:
        chosen += volume.index[(first <= hours) & (hours < last)][:1].tolist()
    others = [period for period in volume.index.tolist() if period not in chosen]
    return sorted(chosen + others[: max(0, len(WINDOWS) - len(chosen))])


def book(results: Results, period: int) -> tuple[Side, Side]:
    """Energy by limit of the orders of a period that stood at the gate: bids from the highest, asks from the lowest."""
    orders = results.orders
    stood = orders[(orders["period"] == period) & (orders["status"] == "accepted")]
    bids, asks = (
        stood[stood["side"] == side].groupby("limit_ticks")["energy_wh"].sum().sort_index(ascending=ascending)
        for side, ascending in (("bid", False), ("ask", True))
    )
    return bids, asks


def _gain(bids: Side, asks: Side, volume: float, tick: int) -> tuple[Array, Array, Array]:
    """What buyers were ready to pay and sellers ready to take, energy unit by energy unit, up to the volume."""
    steps = [_curve(side, tick) for side in (bids, asks)]
    points = np.unique(np.concatenate([np.append(energy[energy < volume], volume) for energy, _ in steps]))
    high, low = (
        limits[np.minimum(np.searchsorted(energy, points, side="right"), len(limits) - 1)] for energy, limits in steps
    )
    return points, high, low


def _curve(orders: Side, tick: int) -> tuple[Array, Array]:
    energy = np.concatenate([[0.0], orders.cumsum().to_numpy() / WH_PER_KWH])
    limits = np.array([per_kwh(steps * tick) for steps in orders.index])
    return np.repeat(energy, 2)[1:-1], np.repeat(limits, 2)


def merit_order(results: Results, wide: bool) -> Figure:
    periods = interesting_periods(results)
    count = max(1, len(periods))
    figure = Figure(figsize=(9.6, 3.7) if wide else (4.2, 2.75 * count + 0.5), layout="constrained")
    grid = figure.subplots(*((1, count) if wide else (count, 1)), squeeze=False, sharey=True)
    axes: list[Axes] = list(grid.flat)
    top = 1.2 * per_kwh(int(results.tariffs["buy_units_per_wh"].max()))
    bottom = min(0.0, 1.2 * per_kwh(int(results.tariffs["sell_units_per_wh"].min())))
    for axis, period in zip(axes, periods, strict=False):
        bids, asks = book(results, period)
        volume = results.traded["volume_wh"][period] / WH_PER_KWH
        value = per_kwh(int(results.traded["price_ticks"][period]) * results.run.prices.tick)
        demand, supply = bids.sum() / WH_PER_KWH, asks.sum() / WH_PER_KWH
        right = min(max(demand, supply), max(2.2 * volume, 1.25 * min(demand, supply))) * 1.06
        buy, sell = (int(results.tariffs[f"{side}_units_per_wh"][period]) for side in ("buy", "sell"))
        axis.axhspan(per_kwh(sell), per_kwh(buy), color=BAND, lw=0)
        points, high, low = _gain(bids, asks, volume, results.run.prices.tick)
        axis.fill_between(points, np.minimum(high, 2 * top), low, step="post", color=LOCAL, alpha=0.22, lw=0)
        for orders, colour in ((bids, IMPORTED), (asks, EXPORTED)):
            energy, limits = _curve(orders, results.run.prices.tick)
            axis.plot(energy, np.minimum(limits, 2 * top), color=colour, lw=1.8, solid_joinstyle="miter")
            if energy[-1] > right:
                goes_on = limits[np.searchsorted(energy, right)]
                axis.plot([right], [goes_on], ">", color=colour, ms=6, clip_on=False, zorder=5)
        axis.plot([0, volume, volume], [value, value, 0], color=MUTED, lw=0.8, ls=(0, (3, 2)))
        axis.plot([volume], [value], "o", color=LOCAL, ms=7, mec=PAPER, mew=1.2, zorder=5)
        axis.set_title(results.run.clock(period))
        axis.set_title(f"{volume:,.1f} kWh at {value:.3f}", loc="right", fontweight="normal", color=LOCAL)
        axis.set(xlim=(0, right), ylim=(bottom, top), xlabel=f"kWh   (bids {demand:,.1f}, asks {supply:,.1f})")
        axis.grid(axis="x", visible=False)
    for axis in axes[:1] if wide else axes:
        axis.set_ylabel(f"{results.run.currency}/kWh")
    legend(
        figure,
        [
            Line2D([], [], color=IMPORTED, lw=1.8, label="demand"),
            Line2D([], [], color=EXPORTED, lw=1.8, label="supply"),
            Line2D([], [], color=LOCAL, marker="o", ls="", label="price, volume"),
            Patch(color=LOCAL, alpha=0.35, label="gain from trade"),
            Patch(color=BAND, label="between the tariffs"),
        ],
        5 if wide else 2,
    )
    return figure


# 2 ------------------------------------------------------------------------------------------------ price


def price_over_time(results: Results, summary: Summary, course: Course, wide: bool) -> Figure:
    figure = Figure(figsize=(9.6, 4.2) if wide else (4.2, 4.4), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    tariff_band(upper, course)
    upper.stairs(course.price, course.edges, color=LOCAL, lw=2, baseline=None)
    handles: list[Any] = [
        Line2D([], [], color=IMPORTED, lw=1.2, label="fallback sells at"),
        Line2D([], [], color=EXPORTED, lw=1.2, label="fallback buys at"),
        Line2D([], [], color=LOCAL, lw=2, label="market price"),
    ]
    if summary.mean_price is not None:
        upper.axhline(per_kwh(summary.mean_price), color=INK, lw=0.9, ls=(0, (4, 3)))
        handles.append(Line2D([], [], color=INK, lw=0.9, ls=(0, (4, 3)), label="volume-weighted mean"))
    lowest, highest = floor(course.sell, course.price), 1.1 * top(course.buy, course.price)
    upper.set(ylim=(lowest, highest), ylabel=f"{results.run.currency}/kWh")
    lower.stairs(course.volume, course.edges, fill=True, color=LOCAL, alpha=0.55, lw=0)
    lower.set(ylabel=per_step("kWh", course), ylim=(0, None))
    time_axis(lower, results, course, wide)
    legend(figure, handles, 4 if wide else 2)
    figure.align_ylabels()
    return figure


# 3 ------------------------------------------------------------------------------------------------ energy


def energy_balance(results: Results, course: Course, wide: bool) -> Figure:
    figure = Figure(figsize=(9.6, 4.6) if wide else (4.2, 4.9), layout="constrained")
    axis = figure.subplots()
    parts = (
        (course.delivered, LOCAL, "traded locally and delivered"),
        (course.shared - course.delivered, NEARBY, "shared without contract"),
    )
    shared = [(values, colour) for values, colour, _ in parts]
    up = [*shared, (course.consumed - course.shared, IMPORTED)]
    _up_and_down(axis, course, up, [*shared, (course.generated - course.shared, EXPORTED)])
    time_axis(axis, results, course, wide)
    legend(
        figure,
        [
            *(Patch(color=colour, label=label) for _, colour, label in parts),
            Patch(color=IMPORTED, label="imported"),
            Patch(color=EXPORTED, label="exported"),
            Line2D([], [], color=INK, lw=1, label="contracted in the auction"),
        ],
        5 if wide else 2,
    )
    return figure


def cut_over_time(results: Results, course: Course, wide: bool) -> Figure:
    figure = Figure(figsize=(9.6, 4.6) if wide else (4.2, 4.9), layout="constrained")
    axis = figure.subplots()
    up = [(course.consumed, LOCAL), (course.shed_contracted, CHARGE), (course.shed, WHOLESALE)]
    down = [(course.generated, LOCAL), (course.curtailed_contracted, CHARGE), (course.curtailed, EXPORTED)]
    _up_and_down(axis, course, up, down)
    time_axis(axis, results, course, wide)
    handles = [
        Patch(color=LOCAL, label="served"),
        Patch(color=CHARGE, label="cut though contracted"),
        Patch(color=WHOLESALE, label="shed"),
        Patch(color=EXPORTED, label="curtailed"),
        Line2D([], [], color=INK, lw=1, label="contracted in the auction"),
    ]
    legend(figure, handles, 5 if wide else 2)
    return figure


Parts: TypeAlias = Sequence[tuple[Array, str]]
"""Energies and their colours, from zero outwards."""


def _up_and_down(axis: Axes, course: Course, up: Parts, down: Parts) -> None:
    """Consumption above zero, generation below, and on either side what was contracted."""
    for sign, parts in ((1, up), (-1, down)):
        base = np.zeros_like(course.consumed)
        for values, colour in parts:
            axis.stairs(
                sign * (base + values),
                course.edges,
                baseline=sign * base,
                fill=True,
                color=colour,
                lw=0,
            )
            base = base + values
        contracted = np.where(course.bought > 0, course.bought, np.nan)
        axis.stairs(sign * contracted, course.edges, baseline=None, color=INK, lw=1)
    axis.axhline(0, color=MUTED, lw=0.8)
    axis.set_ylabel(
        "generation  \N{LEFTWARDS ARROW}  " + per_step("kWh", course) + "  \N{RIGHTWARDS ARROW}  consumption"
    )
    axis.yaxis.set_major_formatter(lambda value, _: f"{abs(value):g}")


# 4 --------------------------------------------------------------------------------------------- imbalance


def imbalance_over_time(results: Results, course: Course, wide: bool) -> Figure:
    figure = Figure(figsize=(9.6, 5.4) if wide else (4.2, 6.2), layout="constrained")
    energy, prices, charges = figure.subplots(3, 1, sharex=True, height_ratios=(2.2, 2, 1))
    energy.stairs(course.short, course.edges, fill=True, color=IMPORTED, lw=0)
    energy.stairs(course.long, course.edges, fill=True, color=EXPORTED, lw=0)
    energy.axhline(0, color=MUTED, lw=0.8)
    energy.set_ylabel(per_step("kWh", course))
    tariff_band(prices, course, lines=False)
    prices.stairs(course.price, course.edges, baseline=None, color=LOCAL, lw=1.4)
    prices.stairs(course.imbalance_price, course.edges, baseline=None, color=INK, lw=1.4)
    prices.set(
        ylim=(
            floor(course.sell, course.price, course.imbalance_price),
            1.1 * top(course.buy, course.price, course.imbalance_price),
        ),
        ylabel=f"{results.run.currency}/kWh",
    )
    charges.stairs(course.deviation, course.edges, fill=True, color=CHARGE, lw=0)
    charges.set(ylim=(0, None), ylabel=per_step(results.run.currency, course))
    time_axis(charges, results, course, wide)
    legend(
        figure,
        [
            Patch(color=IMPORTED, label="area short, imports"),
            Patch(color=EXPORTED, label="area long, exports"),
            Line2D([], [], color=INK, lw=1.4, label="imbalance price"),
            Line2D([], [], color=LOCAL, lw=1.4, label="market price"),
            Patch(color=BAND, label="between the tariffs"),
            Patch(color=CHARGE, label="deviation charges"),
        ],
        6 if wide else 2,
    )
    figure.align_ylabels()
    return figure


# 5 ------------------------------------------------------------------------------------------ participants


def results_of_participants(summary: Summary, pages: Mapping[str, str], wide: bool) -> Figure:
    is_named = len(summary.participants) <= MAX_NAMED
    figure = _one_by_one(summary, pages, wide) if is_named else _distribution(summary, wide)
    kinds = dict.fromkeys(result.kind for result in summary.participants)
    handles = [Patch(color=colour_of(kind), label=plural(kind)) for kind in kinds]
    legend(figure, handles, 4 if wide else 2)
    return figure


def _one_by_one(summary: Summary, pages: Mapping[str, str], wide: bool) -> Figure:
    """A bar for each, which leads to its page."""
    results = summary.participants
    saved = np.array([result.bill.saved_units / UNITS_PER_CURRENCY for result in results])
    colours = [colour_of(result.kind) for result in results]
    names = [_short(result.participant) for result in results]
    places = np.arange(len(results))
    height = 4.0 if wide else max(3.0, 0.75 + 0.15 * len(results))
    figure = Figure(figsize=(9.6 if wide else 4.2, height), layout="constrained")
    axis = figure.subplots()
    if wide:
        bars = axis.bar(places, saved, color=colours, width=0.78)
        axis.axhline(0, color=MUTED, lw=0.8)
        axis.set(
            ylabel=f"{summary.currency} better than tariffs only", xlabel="participant", xlim=(-0.7, len(results) - 0.3)
        )
        axis.set_xticks(places, names, rotation=90, fontsize=7.5)
        axis.grid(axis="x", visible=False)
    else:
        bars = axis.barh(places, saved, color=colours, height=0.78)
        axis.axvline(0, color=MUTED, lw=0.8)
        axis.set(
            xlabel=f"{summary.currency} better than tariffs only", ylabel="participant", ylim=(len(results) - 0.3, -0.7)
        )
        axis.set_yticks(places, names, fontsize=7.5)
        axis.grid(axis="y", visible=False)
    axis.tick_params(length=0)
    labels = axis.get_xticklabels() if wide else axis.get_yticklabels()
    for result, bar, label in zip(results, bars, labels, strict=True):
        if page := pages.get(result.participant):
            bar.set_url(quote(page))
            label.set_url(quote(page))
    return figure


def _distribution(summary: Summary, wide: bool) -> Figure:
    """How many participants did how well, by kind; the few at either end stand in the outermost bars."""
    saved: dict[str, list[float]] = {}
    for result in summary.participants:
        saved.setdefault(result.kind, []).append(result.bill.saved_units / UNITS_PER_CURRENCY)
    every = np.concatenate(list(saved.values()))
    low, high = np.quantile(every, (OUTERMOST, 1 - OUTERMOST))
    bins = np.linspace(low, max(high, low + 1e-8), (60 if wide else 30) + 1)
    figure = Figure(figsize=(9.6, 4.0) if wide else (4.2, 4.0), layout="constrained")
    axis = figure.subplots()
    axis.hist(
        [np.clip(values, low, high) for values in saved.values()],
        bins,
        stacked=True,
        color=[colour_of(kind) for kind in saved],
    )
    axis.axvline(0, color=MUTED, lw=0.8)
    axis.axvline(float(np.median(every)), color=INK, lw=0.9, ls=(0, (4, 3)))
    axis.set(xlabel=f"{summary.currency} better than tariffs only; dashed: the median", ylabel="participants")
    return figure


# shared ------------------------------------------------------------------------------------------------


def _short(name: str) -> str:
    return name if len(name) <= 14 else f"{name[:8]}\N{HORIZONTAL ELLIPSIS}{name[-4:]}"


def colour_of(kind: str) -> str:
    """Of a group."""
    return (KIND_COLOURS | _OFFICE_COLOURS).get(kind.replace("_", " "), FEE)


def floor(*series: Array) -> float:
    """Where an axis of prices begins: at zero, or below the lowest price."""
    lowest = min((float(np.nanmin(one)) for one in series if np.isfinite(one).any()), default=0.0)
    return min(0.0, 1.2 * lowest)


def top(*series: Array) -> float:
    values = np.concatenate(series)
    values = values[~np.isnan(values)]
    return float(values.max()) if values.size and values.max() > 0 else 0.1


def per_step(what: str, course: Course) -> str:
    return f"{what} / {course.step}"


def tariff_band(axis: Axes, course: Course, lines: bool = True) -> None:
    low, high = (np.append(values, values[-1:]) for values in (course.sell, course.buy))
    axis.fill_between(course.edges, low, high, step="post", color=BAND, lw=0)
    if lines:
        axis.stairs(course.buy, course.edges, baseline=None, color=IMPORTED, lw=1.2)
        axis.stairs(course.sell, course.edges, baseline=None, color=EXPORTED, lw=1.2)


def time_axis(axis: Axes, results: Results, course: Course, wide: bool, ends: bool = True) -> None:
    """ends: label the first and the last mark, too."""
    axis.set_xlim(float(course.edges[0]), float(course.edges[-1]))
    ticks = time_marks(results, course.edges, wide)
    shown = slice(None) if ends else slice(1, -1)
    axis.set_xticks(list(ticks)[shown], list(ticks.values())[shown])


def time_marks(results: Results, edges: Array, wide: bool) -> dict[float, str]:
    """What to write under an axis of time, by its place there."""
    first, last, run = float(edges[0]), float(edges[-1]), results.run
    begin = run.local_start(results.periods[0])
    midnight = begin.replace(hour=0, minute=0, second=0)
    passed = (begin - midnight) / timedelta(hours=1) - results.periods[0] * run.period_seconds / 3600

    def at(local: datetime) -> float:
        """Where a local time is on the axis: days of 23 and 25 hours are as long as they are."""
        return local.replace(tzinfo=run.zone).timestamp() / 3600 + passed

    if last - first <= 36:
        step = 3 if wide else 6
        marks = [midnight + timedelta(hours=hour) for hour in range(0, 73, step)]
        labels = {mark: "24:00" if mark.hour == 0 and mark > midnight else f"{mark:%H}:00" for mark in marks}
    elif last - first <= 24 * 62:
        step = max(1, round((last - first) / 24 / (10 if wide else 5)))
        marks = [midnight + timedelta(days=day) for day in range(0, int(last) // 24 + 1, step)]
        labels = {mark: f"{mark:%d %b}" for mark in marks if at(mark) < last}
    else:
        marks = [midnight + timedelta(days=day) for day in range(int(last) // 24)]
        months = [mark for mark in marks if mark.day == 1 and (wide or mark.month % 3 == 1)]
        labels = {mark: f"{mark:%b}" if mark.month > 1 else f"{mark:%b %Y}" for mark in months}
    return {at(mark): label for mark, label in labels.items() if first <= at(mark) <= last}


def draw_all(results: Results, summary: Summary, pages: Mapping[str, str]) -> dict[str, Picture]:
    """Every picture that has something to show, by name. pages: where that of a member is."""
    course = read_course(results)
    drawings: dict[str, Callable[[bool], Figure]] = {}
    if summary.traded_wh:
        drawings["merit"] = lambda wide: merit_order(results, wide)
        drawings["price"] = lambda wide: price_over_time(results, summary, course, wide)
    if summary.participants:
        drawings["energy"] = lambda wide: energy_balance(results, course, wide)
        if summary.cuts:
            drawings["cut"] = lambda wide: cut_over_time(results, course, wide)
        drawings["money"] = lambda wide: money_drawing(results, wide)
        drawings["imbalance"] = lambda wide: imbalance_over_time(results, course, wide)
    if any(result.bill.saved_units for result in summary.participants):
        drawings["participants"] = lambda wide: results_of_participants(summary, pages, wide)
    return {name: render(name, draw) for name, draw in drawings.items()}
