"""The pictures of the report, each drawn twice: wide for paper and desktop, narrow for a phone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from dem.report.sankey import money_drawing
from dem.report.style import (
    BAND,
    CHARGE,
    EXPORTED,
    FEE,
    IMPORTED,
    INK,
    LOCAL,
    MUTED,
    NEARBY,
    PAPER,
    Picture,
    legend,
    render,
)
from dem.results import Order, Results, Settlement
from dem.summary import (
    UNITS_PER_CURRENCY,
    WH_PER_KWH,
    Summary,
    delivered_wh,
    per_kwh,
    plural,
    shared_wh,
)
from dem.units import TICK_UNITS

Array = NDArray[np.float64]

KIND_COLOURS = {"consumer": IMPORTED, "prosumer": EXPORTED}
WINDOWS = (
    (6, 9),
    (11, 14),
    (17, 21),
)  # local hours in which a morning, a midday and an evening auction is looked for
MAX_NAMED = 60  # participants; beyond, bars carry no names


@dataclass(frozen=True, slots=True)
class Day:
    """The run as arrays over its periods; energy in kWh, prices in currency/kWh (NaN where there is none)."""

    edges: Array
    """Hours since midnight of the first day, one more than there are periods."""
    price: Array
    buy: Array
    sell: Array
    volume: Array
    consumed: Array
    generated: Array
    delivered: Array
    shared: Array
    bought: Array
    imbalance: Array
    imbalance_price: Array
    deviation: Array


def read_day(results: Results) -> Day:
    run, periods = results.run, results.periods
    first = run.local_start(periods[0])
    midnight = first.replace(hour=0, minute=0, second=0)
    start = (first - midnight) / timedelta(hours=1)
    rows: dict[int, list[Settlement]] = {period: [] for period in periods}
    for row in results.settlement:
        rows.setdefault(row.period, []).append(row)
    area = {row.period: row for row in results.area}
    ticks = results.prices
    volume = {row.period: row.volume_wh for row in results.clearing}

    def energy(measure: Callable[[list[Settlement]], int]) -> Array:
        return np.array([measure(rows[period]) / WH_PER_KWH for period in periods])

    def tariff(name: str) -> Array:
        values = (results.tariffs.get(period) for period in periods)
        return np.array([np.nan if value is None else per_kwh(getattr(value, name)) for value in values])

    def imbalance_price(period: int) -> float:
        value = area[period].imbalance_price_units_per_wh if period in area else None
        return np.nan if value is None else per_kwh(value)

    return Day(
        edges=start + np.arange(len(periods) + 1) * run.period_seconds / 3600,
        price=np.array([per_kwh(ticks[p] * TICK_UNITS) if p in ticks else np.nan for p in periods]),
        buy=tariff("buy_units_per_wh"),
        sell=tariff("sell_units_per_wh"),
        volume=np.array([volume.get(period, 0) / WH_PER_KWH for period in periods]),
        consumed=energy(lambda them: sum(max(row.metered_wh, 0) for row in them)),
        generated=energy(lambda them: sum(max(-row.metered_wh, 0) for row in them)),
        delivered=energy(delivered_wh),
        shared=energy(shared_wh),
        bought=energy(lambda them: sum(max(row.contracted_wh, 0) for row in them)),
        imbalance=energy(lambda them: sum(row.imbalance_wh for row in them)),
        imbalance_price=np.array([imbalance_price(period) for period in periods]),
        deviation=np.array(
            [sum(row.deviation_units for row in rows[period]) / UNITS_PER_CURRENCY for period in periods]
        ),
    )


# 1 ------------------------------------------------------------------------------------------ merit order


def interesting_periods(results: Results) -> list[int]:
    """The period with the largest volume in each window of the day; the largest others where a window is empty."""
    volume = {row.period: row.volume_wh for row in results.clearing if row.volume_wh}
    chosen: list[int] = []
    for first, last in WINDOWS:
        inside = [p for p in volume if first <= results.run.local_start(p).hour < last]
        if inside:
            chosen.append(max(inside, key=lambda period: volume[period]))
    others = sorted(volume.keys() - set(chosen), key=lambda period: -volume[period])
    return sorted(chosen + others[: max(0, len(WINDOWS) - len(chosen))])


def book(results: Results, period: int) -> tuple[list[Order], list[Order]]:
    """The orders of a period that stood at the gate: bids from the highest limit, asks from the lowest."""
    orders = [order for order in results.orders if order.period == period and order.status == "accepted"]
    bids = sorted((o for o in orders if o.side == "bid"), key=lambda order: -order.limit_ticks)
    asks = sorted((o for o in orders if o.side == "ask"), key=lambda order: order.limit_ticks)
    return bids, asks


def _gain(bids: Sequence[Order], asks: Sequence[Order], volume: float) -> tuple[Array, Array, Array]:
    """What buyers were ready to pay and sellers ready to take, energy unit by energy unit, up to the volume."""
    steps = [_curve(side) for side in (bids, asks)]
    points = np.unique(np.concatenate([np.append(energy[energy < volume], volume) for energy, _ in steps]))
    high, low = (
        limits[np.minimum(np.searchsorted(energy, points, side="right"), len(limits) - 1)] for energy, limits in steps
    )
    return points, high, low


def _curve(orders: Sequence[Order]) -> tuple[Array, Array]:
    energy = np.concatenate([[0.0], np.cumsum([order.energy_wh / WH_PER_KWH for order in orders])])
    limits = np.array([per_kwh(order.limit_ticks * TICK_UNITS) for order in orders])
    return np.repeat(energy, 2)[1:-1], np.repeat(limits, 2)


def merit_order(results: Results, wide: bool) -> Figure:
    periods = interesting_periods(results)
    count = max(1, len(periods))
    figure = Figure(figsize=(9.6, 3.7) if wide else (4.2, 2.75 * count + 0.5), layout="constrained")
    grid = figure.subplots(*((1, count) if wide else (count, 1)), squeeze=False, sharey=True)
    axes: list[Axes] = list(grid.flat)
    volumes = {row.period: row.volume_wh / WH_PER_KWH for row in results.clearing}
    top = 1.2 * max((per_kwh(tariff.buy_units_per_wh) for tariff in results.tariffs.values()), default=0.1)
    for axis, period in zip(axes, periods, strict=False):
        bids, asks = book(results, period)
        volume = volumes[period]
        value = per_kwh(results.prices[period] * TICK_UNITS)
        demand, supply = (sum(o.energy_wh for o in side) / WH_PER_KWH for side in (bids, asks))
        right = min(max(demand, supply), max(2.2 * volume, 1.25 * min(demand, supply))) * 1.06
        tariff = results.tariffs[period]
        axis.axhspan(per_kwh(tariff.sell_units_per_wh), per_kwh(tariff.buy_units_per_wh), color=BAND, lw=0)
        points, high, low = _gain(bids, asks, volume)
        axis.fill_between(points, np.minimum(high, 2 * top), low, step="post", color=LOCAL, alpha=0.22, lw=0)
        for orders, colour in ((bids, IMPORTED), (asks, EXPORTED)):
            energy, limits = _curve(orders)
            axis.plot(energy, np.minimum(limits, 2 * top), color=colour, lw=1.8, solid_joinstyle="miter")
        axis.plot([0, volume, volume], [value, value, 0], color=MUTED, lw=0.8, ls=(0, (3, 2)))
        axis.plot([volume], [value], "o", color=LOCAL, ms=7, mec=PAPER, mew=1.2, zorder=5)
        axis.set_title(results.run.clock(period))
        axis.set_title(f"{volume:,.1f} kWh at {value:.3f}", loc="right", fontweight="normal", color=LOCAL)
        axis.set(xlim=(0, right), ylim=(0, top), xlabel=f"kWh   (bids {demand:,.1f}, asks {supply:,.1f})")
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


def price_of_day(results: Results, summary: Summary, day: Day, wide: bool) -> Figure:
    figure = Figure(figsize=(9.6, 4.2) if wide else (4.2, 4.4), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    _tariff_band(upper, day)
    upper.stairs(day.price, day.edges, color=LOCAL, lw=2, baseline=None)
    handles: list[Any] = [
        Line2D([], [], color=IMPORTED, lw=1.2, label="fallback sells at"),
        Line2D([], [], color=EXPORTED, lw=1.2, label="fallback buys at"),
        Line2D([], [], color=LOCAL, lw=2, label="market price"),
    ]
    if summary.mean_price is not None:
        upper.axhline(per_kwh(summary.mean_price), color=INK, lw=0.9, ls=(0, (4, 3)))
        handles.append(Line2D([], [], color=INK, lw=0.9, ls=(0, (4, 3)), label="volume-weighted mean"))
    upper.set(ylim=(0, 1.1 * _top(day.buy, day.price)), ylabel=f"{results.run.currency}/kWh")
    lower.stairs(day.volume, day.edges, fill=True, color=LOCAL, alpha=0.55, lw=0)
    lower.set(ylabel=_per_period("kWh", results, wide), ylim=(0, None))
    _time_axis(lower, results, day, wide)
    legend(figure, handles, 4 if wide else 2)
    figure.align_ylabels()
    return figure


# 3 ------------------------------------------------------------------------------------------------ energy


def energy_balance(results: Results, day: Day, wide: bool) -> Figure:
    figure = Figure(figsize=(9.6, 4.6) if wide else (4.2, 4.9), layout="constrained")
    axis = figure.subplots()
    parts = (
        (day.delivered, LOCAL, "traded locally and delivered"),
        (day.shared - day.delivered, NEARBY, "shared without contract"),
    )
    for sign in (1, -1):
        base = np.zeros_like(day.consumed)
        outside = (day.consumed, IMPORTED) if sign > 0 else (day.generated, EXPORTED)
        for values, colour in (
            *((v, c) for v, c, _ in parts),
            (outside[0] - day.shared, outside[1]),
        ):
            axis.stairs(
                sign * (base + values),
                day.edges,
                baseline=sign * base,
                fill=True,
                color=colour,
                lw=0,
            )
            base = base + values
        contracted = np.where(day.bought > 0, day.bought, np.nan)
        axis.stairs(sign * contracted, day.edges, baseline=None, color=INK, lw=1)
    axis.axhline(0, color=MUTED, lw=0.8)
    axis.set_ylabel(
        "generation  \N{LEFTWARDS ARROW}  " + _per_period("kWh", results, wide) + "  \N{RIGHTWARDS ARROW}  consumption"
    )
    axis.yaxis.set_major_formatter(lambda value, _: f"{abs(value):g}")
    _time_axis(axis, results, day, wide)
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


# 4 --------------------------------------------------------------------------------------------- imbalance


def imbalance_of_day(results: Results, day: Day, wide: bool) -> Figure:
    figure = Figure(figsize=(9.6, 5.4) if wide else (4.2, 6.2), layout="constrained")
    energy, prices, charges = figure.subplots(3, 1, sharex=True, height_ratios=(2.2, 2, 1))
    energy.stairs(np.maximum(day.imbalance, 0), day.edges, fill=True, color=IMPORTED, lw=0)
    energy.stairs(np.minimum(day.imbalance, 0), day.edges, fill=True, color=EXPORTED, lw=0)
    energy.axhline(0, color=MUTED, lw=0.8)
    energy.set_ylabel(_per_period("kWh", results, wide))
    _tariff_band(prices, day, lines=False)
    prices.stairs(day.price, day.edges, baseline=None, color=LOCAL, lw=1.4)
    prices.stairs(day.imbalance_price, day.edges, baseline=None, color=INK, lw=1.4)
    prices.set(
        ylim=(0, 1.1 * _top(day.buy, day.price, day.imbalance_price)),
        ylabel=f"{results.run.currency}/kWh",
    )
    charges.stairs(day.deviation, day.edges, fill=True, color=CHARGE, lw=0)
    charges.set(ylim=(0, None), ylabel=_per_period(results.run.currency, results, wide))
    _time_axis(charges, results, day, wide)
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


def results_of_participants(summary: Summary, wide: bool) -> Figure:
    results = summary.participants
    named = len(results) <= MAX_NAMED
    saved = np.array([result.bill.saved_units / UNITS_PER_CURRENCY for result in results])
    colours = [KIND_COLOURS.get(result.kind, FEE) for result in results]
    names = [_short(result.participant) for result in results]
    places = np.arange(len(results))
    height = 4.0 if wide else max(3.0, 0.75 + 0.15 * len(results)) if named else 4.0
    figure = Figure(figsize=(9.6 if wide else 4.2, height), layout="constrained")
    axis = figure.subplots()
    if wide:
        axis.bar(places, saved, color=colours, width=0.78 if named else 1.0)
        axis.axhline(0, color=MUTED, lw=0.8)
        axis.set(
            ylabel=f"{summary.currency} better than tariffs only", xlabel="participant", xlim=(-0.7, len(results) - 0.3)
        )
        axis.set_xticks(places if named else [], names if named else [], rotation=90, fontsize=7.5)
        axis.grid(axis="x", visible=False)
    else:
        axis.barh(places, saved, color=colours, height=0.78 if named else 1.0)
        axis.axvline(0, color=MUTED, lw=0.8)
        axis.set(
            xlabel=f"{summary.currency} better than tariffs only", ylabel="participant", ylim=(len(results) - 0.3, -0.7)
        )
        axis.set_yticks(places if named else [], names if named else [], fontsize=7.5)
        axis.grid(axis="y", visible=False)
    axis.tick_params(length=0)
    kinds = dict.fromkeys(result.kind for result in results)
    handles = [Patch(color=KIND_COLOURS.get(kind, FEE), label=plural(kind)) for kind in kinds]
    legend(figure, handles, 4 if wide else 2)
    return figure


# shared ------------------------------------------------------------------------------------------------


def _short(name: str) -> str:
    return name if len(name) <= 14 else f"{name[:8]}\N{HORIZONTAL ELLIPSIS}{name[-4:]}"


def _top(*series: Array) -> float:
    values = np.concatenate(series)
    values = values[~np.isnan(values)]
    return float(values.max()) if values.size and values.max() > 0 else 0.1


def _per_period(what: str, results: Results, wide: bool) -> str:
    minutes = results.run.period_seconds / 60
    return f"{what} / {minutes:g} min" if wide else what


def _tariff_band(axis: Axes, day: Day, lines: bool = True) -> None:
    low, high = (np.append(values, values[-1:]) for values in (day.sell, day.buy))
    axis.fill_between(day.edges, low, high, step="post", color=BAND, lw=0)
    if lines:
        axis.stairs(day.buy, day.edges, baseline=None, color=IMPORTED, lw=1.2)
        axis.stairs(day.sell, day.edges, baseline=None, color=EXPORTED, lw=1.2)


def _time_axis(axis: Axes, results: Results, day: Day, wide: bool) -> None:
    first, last = float(day.edges[0]), float(day.edges[-1])
    axis.set_xlim(first, last)
    midnight = results.run.local_start(results.periods[0]).replace(hour=0, minute=0, second=0)
    if last - first <= 36:
        step = 3 if wide else 6
        ticks = [hour for hour in range(0, 73, step) if first <= hour <= last]
        labels = [f"{hour % 24 or (24 if hour else 0):02d}:00" for hour in ticks]
    else:
        step = 24 * max(1, round((last - first) / 24 / (10 if wide else 5)))
        ticks = [hour for hour in range(0, int(last) + 1, step) if first <= hour < last]
        labels = [f"{midnight + timedelta(hours=hour):%d %b}" for hour in ticks]
    axis.set_xticks(ticks, labels)


def draw_all(results: Results, summary: Summary) -> dict[str, Picture]:
    """Every picture that has something to show, by name."""
    day = read_day(results)
    drawings: dict[str, Callable[[bool], Figure]] = {}
    if summary.traded_wh:
        drawings["merit"] = lambda wide: merit_order(results, wide)
        drawings["price"] = lambda wide: price_of_day(results, summary, day, wide)
    if summary.participants:
        drawings["energy"] = lambda wide: energy_balance(results, day, wide)
        drawings["money"] = lambda wide: money_drawing(results, wide)
        drawings["imbalance"] = lambda wide: imbalance_of_day(results, day, wide)
    if any(result.bill.saved_units for result in summary.participants):
        drawings["participants"] = lambda wide: results_of_participants(summary, wide)
    return {name: render(name, draw) for name, draw in drawings.items()}
