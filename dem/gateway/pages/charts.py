"""Pictures of a page, drawn as SVG without a script: steps over a day, and a bar that is divided."""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTHS = {"wide": 760, "narrow": 340}
HEIGHT = 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 10, 12, 24
_MARKS = 4


@dataclass(frozen=True, slots=True)
class Picture:
    """Of one width: lines as paths, marks as (place, text)."""

    width: int
    height: int
    left: int
    right: int
    zero: float
    paths: Sequence[tuple[str, str]]
    across: Sequence[tuple[float, str]]
    up: Sequence[tuple[float, float]]


def steps(lines: Sequence[tuple[str, Sequence[float | None]]], hours: Sequence[tuple[int, str]]) -> dict[str, Picture]:
    """Values by period, as steps. lines: a class and the values of each; hours: period and text of each mark below."""
    values = [value for _, line in lines for value in line if value is not None]
    low, high = min([0.0, *values]), max([0.0, *values]) or 1.0
    step = _round((high - low) / _MARKS)
    low, high = -step * -(low // step), step * -(-high // step)
    return {name: _steps(width, low, high, step, lines, hours) for name, width in WIDTHS.items()}


def _steps(
    width: int,
    low: float,
    high: float,
    step: float,
    lines: Sequence[tuple[str, Sequence[float | None]]],
    hours: Sequence[tuple[int, str]],
) -> Picture:
    count = max(len(line) for _, line in lines)
    across = (width - _LEFT - _RIGHT) / count
    up = (HEIGHT - _TOP - _BOTTOM) / (high - low)

    def y(value: float) -> float:
        return round(HEIGHT - _BOTTOM - (value - low) * up, 1)

    paths = []
    for css, line in lines:
        path, is_on = [], False
        for n, value in enumerate(line):
            if value is None:
                is_on = False
                continue
            left, right = round(_LEFT + n * across, 1), round(_LEFT + (n + 1) * across, 1)
            path.append(f"{'L' if is_on else 'M'}{left} {y(value)}H{right}")
            is_on = True
        paths.append((css, "".join(path)))
    every = 2 if width < WIDTHS["wide"] else 1
    marks = [(round(_LEFT + n * across, 1), text) for n, text in hours[::every]]
    levels = round((high - low) / step)
    return Picture(
        width,
        HEIGHT,
        _LEFT,
        width - _RIGHT,
        y(0),
        paths,
        marks,
        [(y(low + n * step), round(low + n * step, 6)) for n in range(levels + 1)],
    )


def _round(value: float) -> float:
    """The next larger 1, 2 or 5 times a power of ten."""
    if value <= 0:
        return 1.0
    size = 1.0
    while size > value:
        size /= 10
    while size * 10 < value:
        size *= 10
    return next(size * factor for factor in (1, 2, 5, 10) if size * factor >= value)
