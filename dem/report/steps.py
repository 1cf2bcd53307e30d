"""Steps over time as a picture of a page: areas and lines that stretch with it, with labels that do not.

Pages of members are many. Drawn like this one takes a thousandth of the time of a figure.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.ticker import MaxNLocator

from dem.report.charts import Array

WIDTH, HEIGHT = 1000, 100
_MARKS = 4


@dataclass(frozen=True, slots=True)
class Shape:
    """css: its class. path: in a box of WIDTH x HEIGHT."""

    css: str
    path: str


@dataclass(frozen=True, slots=True)
class Panel:
    """label: of the axis. marks: place from the bottom in percent, and text. shapes: the lowest first."""

    label: str
    marks: tuple[tuple[float, str], ...]
    shapes: tuple[Shape, ...]


def panel(
    label: str,
    edges: Array,
    areas: Sequence[tuple[str, Array, Array]],
    lines: Sequence[tuple[str, Array]],
    signed: bool = False,
) -> Panel:
    """areas: (css, from, to) by step. lines: (css, values), with gaps where they are NaN. signed: show minus signs."""
    values = np.concatenate([*(side for _, *both in areas for side in both), *(line for _, line in lines), [0.0]])
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    marks = MaxNLocator(_MARKS).tick_values(low, high if high > low else low + 0.1)
    bottom, top = min(float(marks[0]), low), max(float(marks[-1]), high)
    x = (edges - edges[0]) / (edges[-1] - edges[0]) * WIDTH

    def y(values: Array) -> Array:
        return (top - values) / (top - bottom) * HEIGHT

    zero = f"M0 {_short(float(y(np.zeros(1))[0]))}H{WIDTH}"
    return Panel(
        label,
        tuple(((float(mark) - bottom) / (top - bottom) * 100, _mark(float(mark), signed)) for mark in marks),
        (
            *(Shape(css, _area(x, y(low), y(high))) for css, low, high in areas),
            Shape("zero", zero),
            *(Shape(css, _line(x, y(values))) for css, values in lines),
        ),
    )


def _mark(value: float, signed: bool) -> str:
    text = f"{abs(value):.4g}"
    return f"\N{MINUS SIGN}{text}" if signed and value < 0 else text


def _area(x: Array, low: Array, high: Array) -> str:
    """Between two rows of steps, where they differ."""
    parts = []
    for place in np.flatnonzero(~np.isnan(low) & ~np.isnan(high) & (low != high)).tolist():
        left, right, top, bottom = (_short(v) for v in (x[place], x[place + 1], high[place], low[place]))
        parts.append(f"M{left} {bottom}V{top}H{right}V{bottom}Z")
    return "".join(parts)


def _line(x: Array, values: Array) -> str:
    parts, is_on = [], False
    for place, value in enumerate(values.tolist()):
        if np.isnan(value):
            is_on = False
            continue
        parts.append(f"{'V' if is_on else f'M{_short(x[place])} '}{_short(value)}H{_short(x[place + 1])}")
        is_on = True
    return "".join(parts)


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
