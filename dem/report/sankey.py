"""Who paid whom: payers on the left, receivers on the right, ribbons as wide as the money."""

from collections.abc import Iterable

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, PathPatch, Rectangle
from matplotlib.path import Path as Outline

from dem.report.flows import CAUSES, DEVIATION, FEES, IMBALANCE, TRADE, Flow, money_flows
from dem.report.style import CHARGE, FEE, IMPORTED, INK, LOCAL, MUTED, legend
from dem.results.reader import Results
from dem.results.wording import UNITS_PER_CURRENCY, plural

CAUSE_COLOURS = {TRADE: LOCAL, IMBALANCE: IMPORTED, FEES: FEE, DEVIATION: CHARGE}
GROUPS = ("consumer", "prosumer", "intermediary")  # nodes that stand for many
HALF_BAR = 0.012
_THINNEST = 0.006
"""Share of all money below which a flow gets an outline, so that it can be followed to its end."""
_OUTLINE = 0.9

Column = dict[str, tuple[float, float]]
"""Upper edge and size of each node, from the top."""


def money_drawing(results: Results, wide: bool) -> Figure:
    flows = money_flows(results)
    figure = Figure(figsize=(9.6, 4.8) if wide else (4.2, 5.2), layout="constrained")
    axis = figure.subplots()
    axis.axis("off")
    total = sum(flow.units for flow in flows) or 1.0
    distance = (0.062 if wide else 0.115) * total
    left = _column(flows, [flow.payer for flow in flows], distance)
    right = _column(flows, [flow.receiver for flow in flows], distance)
    for start, end, flow in _places(flows, left, right):
        is_thin = flow.units < _THINNEST * total
        axis.add_patch(_ribbon(start, end, flow.units, CAUSE_COLOURS[flow.cause], _OUTLINE if is_thin else 0))
    between = "\N{NO-BREAK SPACE}" * 3 if wide else "\n"
    _nodes(axis, left, 0.0, "right", between)
    _nodes(axis, right, 1.0, "left", between)
    ends = [edge + size for column in (left, right) for edge, size in column.values()]
    margin = 0.3 if wide else 0.62
    axis.set(xlim=(-margin, 1 + margin), ylim=(max(ends, default=1.0) + 0.04 * total, -0.09 * total))
    for x, align, text in ((-HALF_BAR, "left", "paid"), (1 + HALF_BAR, "right", "received")):
        axis.text(x, -0.04 * total, f"{text}, {results.run.currency}", ha=align, color=MUTED)
    causes = {flow.cause for flow in flows}
    shown = [Patch(color=CAUSE_COLOURS[cause], alpha=0.7, label=cause) for cause in CAUSES if cause in causes]
    legend(figure, shown, 4 if wide else 2)
    return figure


def _column(flows: Iterable[Flow], nodes: Iterable[str], distance: float) -> Column:
    """Nodes one below the other, largest first, their middles far enough apart for their labels."""
    sizes: dict[str, float] = {}
    for flow, node in zip(flows, nodes, strict=True):
        sizes[node] = sizes.get(node, 0.0) + flow.units
    column: Column = {}
    free, middle = 0.0, -distance
    for node, size in sorted(sizes.items(), key=lambda item: -item[1]):
        edge = max(free, middle + distance - size / 2)
        column[node] = (edge, size)
        free, middle = edge + size + distance / 3, edge + size / 2
    return column


def _places(flows: Iterable[Flow], left: Column, right: Column) -> list[tuple[float, float, Flow]]:
    """Where every ribbon starts and ends: at each node in the order of the other side, so that few cross."""
    down, up = list(left), list(right)

    def ends(column: Column, node: str, other: list[str]) -> dict[Flow, float]:
        here = column is left
        mine = [flow for flow in flows if (flow.payer if here else flow.receiver) == node]
        mine.sort(key=lambda f: (other.index(f.receiver if here else f.payer), CAUSES.index(f.cause)))
        edge, places = column[node][0], {}
        for flow in mine:
            places[flow] = edge
            edge += flow.units
        return places

    starts = {flow: place for node in left for flow, place in ends(left, node, up).items()}
    stops = {flow: place for node in right for flow, place in ends(right, node, down).items()}
    return sorted(((starts[f], stops[f], f) for f in flows), key=lambda item: -item[2].units)


def _nodes(axis: Axes, column: Column, x: float, align: str, between: str) -> None:
    shift = -0.03 if align == "right" else 0.03
    for node, (edge, size) in column.items():
        axis.add_patch(Rectangle((x - HALF_BAR, edge), 2 * HALF_BAR, size, color=INK, lw=_OUTLINE))
        name = (plural(node) if node in GROUPS else node).capitalize()
        label = f"{name}{between}{size / UNITS_PER_CURRENCY:,.2f}"
        axis.text(x + shift, edge + size / 2, label, ha=align, va="center", linespacing=1.3)


def _ribbon(start: float, end: float, size: float, colour: str, outline: float) -> PathPatch:
    near, far, middle = HALF_BAR, 1 - HALF_BAR, 0.5
    there = [(near, start), (middle, start), (middle, end), (far, end)]
    back = [(far, end + size), (middle, end + size), (middle, start + size), (near, start + size)]
    curve = [Outline.CURVE4] * 3
    codes = [Outline.MOVETO, *curve, Outline.LINETO, *curve]
    return PathPatch(Outline(there + back, codes), color=colour, alpha=0.62, lw=outline)
