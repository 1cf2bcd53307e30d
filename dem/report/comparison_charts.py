"""The pictures of a comparison: the same figure for every set-up of the market, one below the other."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from dem.report.charts import (
    MOST_DAYS_BY_PERIOD,
    Array,
    colour_of,
    read_course,
    tariff_band,
    time_axis,
    top,
)
from dem.report.style import (
    BAND,
    CHARGE,
    DEEP,
    EXPORTED,
    FEE,
    GRID,
    IMPORTED,
    INK,
    LOCAL,
    MUTED,
    NEARBY,
    OLIVE,
    PAPER,
    Picture,
    legend,
    render,
)
from dem.report.style import WHOLESALE as WHOLESALE_COLOUR
from dem.results.compare import FALLBACK, UNCONTRACTED, WHOLESALE, Comparison, Member, SetUp
from dem.results.reader import CALL_AUCTION
from dem.results.wording import UNITS_PER_CURRENCY, WH_PER_KWH, plural

MARKET_COLOURS = (LOCAL, DEEP, OLIVE, FEE, CHARGE)
"""Of the call auction, and of the other markets in the order in which they appear; more share them."""
UPPER_COLOURS = {UNCONTRACTED: NEARBY, WHOLESALE: WHOLESALE_COLOUR, FALLBACK: IMPORTED}
MOST_DOTS = 150
"""Participants of a group drawn one by one in a set-up; of more, so many evenly chosen from the worst to the best."""
LEAST_NAMED = 0.25
"""Who is less than this share of the largest amount of a panel from zero goes without a name."""
NARROWEST_LABEL = 0.06
"""Share of a bar that has room for its figure."""

THIN = "\N{THIN SPACE}"


def draw_comparison(comparison: Comparison) -> dict[str, Picture]:
    """Every picture that has something to show, by name."""
    drawings: dict[str, Callable[[bool], Figure]] = {
        "cost": lambda wide: cost_by_group(comparison, wide),
        "participants": lambda wide: savings(comparison, wide),
        "sources": lambda wide: energy_by_source(comparison, wide),
        "imbalance": lambda wide: coverage_and_imbalance(comparison, wide),
    }
    if comparison.markets:
        drawings["price"] = lambda wide: prices(comparison, wide)
    return {name: render(name, draw) for name, draw in drawings.items()}


# Cost ---------------------------------------------------------------------------------------------------------


def cost_by_group(comparison: Comparison, wide: bool) -> Figure:
    """What every group paid, beside what it would have paid by the tariffs."""
    kinds = {
        kind: count
        for kind, count in comparison.kinds.items()
        if any(
            g.bill.paid_units or g.bill.tariff_only_units
            for s in comparison.set_ups
            for g in s.groups
            if g.kind == kind
        )
    }
    axes, figure = _panels(len(kinds), comparison, wide)
    for axis, (kind, count) in zip(axes, kinds.items(), strict=True):
        bills = [next((g.bill for g in s.groups if g.kind == kind), None) for s in comparison.set_ups]
        paid = [bill.paid_units / UNITS_PER_CURRENCY if bill else 0.0 for bill in bills]
        alone = [bill.tariff_only_units / UNITS_PER_CURRENCY if bill else 0.0 for bill in bills]
        bars(axis, paid, colour_of(kind), [f"{value:,.2f}" for value in paid], also=alone)
        for row, value in enumerate(alone):
            axis.plot([value, value], [row - 0.42, row + 0.42], color=INK, lw=1.6, solid_capstyle="butt")
        axis.set_title(f"{_group(kind, count)}, {comparison.currency}")
    legend(
        figure, [Line2D([], [], color=INK, lw=0, marker="|", ms=10, mew=1.6, label="by the fallback tariffs alone")], 1
    )
    return figure


# Participants -------------------------------------------------------------------------------------------------


def savings(comparison: Comparison, wide: bool) -> Figure:
    """The result of every participant against the tariffs, and the parts it is the sum of."""
    parts: tuple[tuple[str, Callable[[Member], int]], ...] = (
        ("gained by trade", lambda m: m.split.trade),
        ("without a contract", lambda m: m.split.uncontracted - m.split.charge),
        ("own forecast error", lambda m: -m.split.error),
        ("result", lambda m: m.saved_units),
    )
    axes, figure = _panels(len(parts), comparison, wide, columns=4, row=0.68)
    kinds = comparison.kinds
    lanes = _lanes(kinds)
    for axis, (title, part) in zip(axes, parts, strict=True):
        axis.axvline(0, color=MUTED, lw=0.8)
        widest = max(abs(part(m)) / UNITS_PER_CURRENCY for s in comparison.set_ups for m in s.members)
        for row, set_up in enumerate(comparison.set_ups):
            for kind, (middle, height) in lanes.items():
                own = sorted((part(m) / UNITS_PER_CURRENCY, m.participant) for m in set_up.members if m.kind == kind)
                if own:
                    _dots(axis, np.array([value for value, _ in own]), row + middle, height, colour_of(kind))
                    if max(abs(value) for value, _ in own) > LEAST_NAMED * widest:
                        _name_the_furthest(axis, own, row + middle, height)
        axis.set_title(f"{title}, {comparison.currency}")
        axis.margins(x=0.06)
        axis.locator_params(axis="x", nbins=5)
        for edge in range(1, len(comparison.set_ups)):
            axis.axhline(edge - 0.5, color=GRID, lw=0.8, zorder=0)
    handles = [
        Line2D([], [], lw=0, marker="o", ms=4.5, color=colour_of(kind), label=_group(kind, count))
        for kind, count in kinds.items()
    ]
    handles.append(Line2D([], [], lw=0, marker="|", ms=11, mew=1.4, color=INK, label="median of the group"))
    legend(figure, handles, 4 if wide else 2)
    return figure


def _lanes(kinds: Mapping[str, int]) -> dict[str, tuple[float, float]]:
    """Middle and height of each group's strip in the row of a set-up; one alone needs less."""
    weights = [2.0 if count > 1 else 1.0 for count in kinds.values()]
    edges = np.cumsum([0.0, *weights]) / sum(weights) * 0.86 - 0.43
    return {
        kind: (float(low + high) / 2, 0.72 * float(high - low))
        for kind, low, high in zip(kinds, edges[:-1], edges[1:], strict=True)
    }


def _name_the_furthest(axis: Axes, own: Sequence[tuple[float, str]], middle: float, height: float) -> None:
    """The name of whom a part changed most in a group, above its dot."""
    value, name = max(own, key=lambda one: abs(one[0]))
    place = (value, middle - 0.5 * height)
    axis.annotate(name, place, (0, 1.5), textcoords="offset points", ha="center", va="bottom", fontsize=6.5)


def _dots(axis: Axes, values: Array, middle: float, height: float, colour: str) -> None:
    """One dot each, spread evenly over the height in an order that has nothing to do with the value."""
    if len(values) > 1:
        median = float(np.median(values))
        axis.plot([median, median], [middle - 0.65 * height, middle + 0.65 * height], color=INK, lw=1.3)
    if len(values) > MOST_DOTS:
        values = values[np.linspace(0, len(values) - 1, MOST_DOTS).round().astype(int)]
    steps = (np.arange(len(values)) * 0.618_034 + 0.5) % 1 - 0.5
    axis.plot(values, middle + height * steps, "o", ms=3.8, color=colour, alpha=0.75, mew=0)


# Prices -------------------------------------------------------------------------------------------------------


def prices(comparison: Comparison, wide: bool) -> Figure:
    """The mean price of each market by period, a panel for each set-up that traded."""
    traded = [set_up for set_up in comparison.set_ups if set_up.traded_wh]
    columns = (2 if len(traded) in (2, 4) else min(len(traded), 3)) if wide else 1
    rows = -(-len(traded) // columns)
    figure = Figure(figsize=(9.6, 2.5 * rows + 0.6) if wide else (4.2, 2.0 * rows + 0.8), layout="constrained")
    axes = list(figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).flat)
    courses = [read_course(set_up.results) for set_up in traded]
    found = [_prices_of(set_up) for set_up in traded]
    highest = top(*(course.buy for course in courses), *(line for lines in found for line in lines.values()))
    for axis, set_up, course, lines in zip(axes, traded, courses, found, strict=False):
        tariff_band(axis, course, lines=False)
        for market, line in lines.items():
            axis.stairs(line, course.edges, baseline=None, color=_colour(comparison, market), lw=1.5)
        axis.set_title(set_up.name)
        axis.set(ylim=(0, 1.08 * highest))
        time_axis(axis, set_up.results, course, wide and columns == 1, ends=columns == 1)
    for axis in axes[len(traded) :]:
        axis.set_visible(False)
    for number, axis in enumerate(axes):
        if number % columns == 0:
            axis.set_ylabel(f"{comparison.currency}/kWh")
        if number + columns >= len(traded):
            axis.tick_params(labelbottom=True)
    handles = [Line2D([], [], color=_colour(comparison, name), lw=1.5, label=name) for name in comparison.markets]
    legend(figure, [*handles, Patch(color=BAND, label="between the tariffs")], 4 if wide else 2)
    return figure


def _prices_of(set_up: SetUp) -> Mapping[str, Array]:
    """Mean price by market and step of the course, currency/kWh; NaN without trade."""
    results = set_up.results
    firsts = results.firsts(results.run.days > MOST_DAYS_BY_PERIOD)
    buys = results.trades[results.trades["bought_wh"] > 0]
    step = np.searchsorted(firsts, buys["period"] - results.periods[0], side="right") - 1
    sums = buys.groupby([buys["market"].astype(str), step])[["amount_units", "bought_wh"]].sum()
    price = sums["amount_units"] / sums["bought_wh"] * WH_PER_KWH / UNITS_PER_CURRENCY
    steps = range(len(firsts))
    return {market: price[market].reindex(steps).to_numpy(float) for market in set_up.traded}


# Energy -------------------------------------------------------------------------------------------------------


def energy_by_source(comparison: Comparison, wide: bool) -> Figure:
    """Where the energy drawn came from, one bar for each set-up."""
    (axis,), figure = _panels(1, comparison, wide)
    sources = [
        name
        for name in (*comparison.markets, *UPPER_COLOURS)
        if any(set_up.sources.get(name) for set_up in comparison.set_ups)
    ]
    widest = max(set_up.community.consumed_wh for set_up in comparison.set_ups) or 1
    for row, set_up in enumerate(comparison.set_ups):
        start = 0.0
        for name in sources:
            energy = set_up.sources.get(name, 0)
            size = energy / WH_PER_KWH
            axis.barh(row, size, left=start, height=0.68, color=_source_colour(comparison, name), ec=PAPER, lw=0.8)
            if energy > NARROWEST_LABEL * widest * (1 if wide else 2):
                share = f"{energy / set_up.community.consumed_wh:.0%}".replace("%", f"{THIN}%")
                axis.text(start + size / 2, row, share, ha="center", va="center", color=_on(name, comparison))
            start += size
    axis.set(xlabel="kWh drawn at the meters", xlim=(0, widest / WH_PER_KWH))
    axis.grid(axis="y", visible=False)
    handles = [Patch(color=_source_colour(comparison, name), label=_source_label(comparison, name)) for name in sources]
    legend(figure, handles, 4 if wide else 1)
    return figure


def _source_label(comparison: Comparison, name: str) -> str:
    if name in comparison.markets:
        return f"neighbours, {name}"
    return name if name == UNCONTRACTED else f"upper grid, {name}"


def _source_colour(comparison: Comparison, name: str) -> str:
    return UPPER_COLOURS.get(name) or _colour(comparison, name)


def _on(name: str, comparison: Comparison) -> str:
    """A colour that can be read on that of a source, in the light and in the dark."""
    return INK if _source_colour(comparison, name) in (NEARBY, WHOLESALE_COLOUR) else PAPER


def coverage_and_imbalance(comparison: Comparison, wide: bool) -> Figure:
    """Self-sufficiency, energy off contract, and what it cost."""
    axes, figure = _panels(3, comparison, wide)
    set_ups = comparison.set_ups
    covered, physical, off = axes[0], [float(s.physical or 0) * 100 for s in set_ups], axes[1]
    shares = [float(s.covered or 0) * 100 for s in set_ups]
    both = [f"{mine:.1f} of {whole:.1f}" for mine, whole in zip(shares, physical, strict=True)]
    bars(covered, physical, NEARBY, both)
    covered.barh(range(len(set_ups)), shares, height=0.68, color=LOCAL, lw=0)
    covered.set_title("Covered by neighbours, %")
    energy = [s.deviated_wh / WH_PER_KWH if s.has_contracts else 0 for s in set_ups]
    bars(off, energy, IMPORTED, [_or_none(s, f"{value:,.0f}") for s, value in zip(set_ups, energy, strict=True)])
    off.set_title("Energy off contract, kWh")
    cost = axes[2]
    above = [s.summary.imbalance_cost_units / UNITS_PER_CURRENCY if s.has_contracts else 0 for s in set_ups]
    charges = [s.community.deviation_units / UNITS_PER_CURRENCY for s in set_ups]
    whole = [a + b for a, b in zip(above, charges, strict=True)]
    bars(cost, whole, CHARGE, [_or_none(s, f"{value:,.2f}") for s, value in zip(set_ups, whole, strict=True)])
    cost.barh(range(len(set_ups)), above, height=0.68, color=EXPORTED, lw=0)
    cost.set_title(f"What it cost, {comparison.currency}")
    legend(
        figure,
        [
            Patch(color=LOCAL, label="bought from neighbours and delivered"),
            Patch(color=NEARBY, label="from neighbours without a contract"),
            Patch(color=EXPORTED, label="imbalance, above fallback supply"),
            Patch(color=CHARGE, label="deviation charges"),
        ],
        4 if wide else 1,
    )
    return figure


def _or_none(set_up: SetUp, figure: str) -> str:
    """Without contracts nothing is off contract: all is ordinary supply."""
    return figure if set_up.has_contracts else "none"


# shared -------------------------------------------------------------------------------------------------------


def _panels(
    count: int, comparison: Comparison, wide: bool, columns: int = 3, row: float = 0.36
) -> tuple[list[Axes], Figure]:
    """Panels with a row for each set-up."""
    return panels(count, [set_up.name for set_up in comparison.set_ups], wide, columns, row)


def panels(
    count: int, names: Sequence[str], wide: bool, columns: int = 3, row: float = 0.36
) -> tuple[list[Axes], Figure]:
    """Panels with a row for each name, the first on top: side by side, or below each other on a phone."""
    columns = min(count, columns) if wide else 1
    rows = -(-count // columns)
    height = rows * (row * len(names) + 0.55) + 0.75
    figure = Figure(figsize=(9.6 if wide else 4.2, height if wide else height + 0.35), layout="constrained")
    axes = list(figure.subplots(rows, columns, squeeze=False, sharey=True).flat)
    for axis in axes[count:]:
        axis.set_visible(False)
    for axis in axes[:count]:
        axis.set_yticks(range(len(names)), names, color=INK)
        axis.set_ylim(len(names) - 0.5, -0.5)
        axis.tick_params(axis="y", length=0)
        axis.spines["left"].set_visible(False)
        axis.grid(axis="y", visible=False)
    return axes[:count], figure


def bars(axis: Axes, values: Sequence[float], colour: str, labels: Iterable[str], also: Sequence[float] = ()) -> None:
    """Bars with their figures behind their ends; also: marks beside them, which figures do not cover."""
    axis.barh(range(len(values)), values, height=0.68, color=colour, lw=0)
    low, high = min(0.0, *values, *also), max(0.0, *values, *also)
    span = (high - low) or 1.0
    beside = [*also] or [*values]
    for row, (value, label, other) in enumerate(zip(values, labels, beside, strict=True)):
        text = label.replace("-", "\N{MINUS SIGN}")
        end: dict[str, Any] = {"ha": "right" if value < 0 else "left", "va": "center", "color": INK}
        outer = min(value, other) if value < 0 else max(value, other)
        axis.text(outer + (-0.02 if value < 0 else 0.02) * span, row, text, **end)
    axis.axvline(0, color=MUTED, lw=0.8)
    axis.set_xlim(low - (0.36 * span if low < 0 else 0), high + 0.26 * span)
    axis.locator_params(axis="x", nbins=4)


def _group(kind: str, count: int) -> str:
    return f"{count} {plural(kind, count)}" if count > 1 else plural(kind, count)


def _colour(comparison: Comparison, market: str) -> str:
    """The call auction's is that of its report."""
    others = [name for name in comparison.markets if name != CALL_AUCTION]
    return MARKET_COLOURS[[CALL_AUCTION, *others].index(market) % len(MARKET_COLOURS)]
