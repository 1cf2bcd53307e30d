"""How the pictures look, and how they become part of a page."""

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
from matplotlib.figure import Figure

# Each colour becomes a CSS variable of the same name in the SVG, so that the page can be light or dark.
COLOURS = {
    "ink": "#22303c",
    "muted": "#66747f",
    "grid": "#dfe4e8",
    "band": "#efe8d8",
    "paper": "#fdfdfb",
    "local": "#2a8c7c",
    "nearby": "#9fd0c6",
    "imported": "#4a77b4",
    "exported": "#e3a02f",
    "fees": "#8b7fae",
    "charge": "#c4553f",
    "deep": "#124a42",
    "olive": "#8a7a1a",
    "wholesale": "#93b3dd",
}
INK, MUTED, GRID, BAND, PAPER, LOCAL, NEARBY, IMPORTED, EXPORTED, FEE, CHARGE, DEEP, OLIVE, WHOLESALE = COLOURS.values()

STYLE: Any = {
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 8.5,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "legend.handlelength": 1.3,
    "legend.columnspacing": 1.4,
}


@dataclass(frozen=True, slots=True)
class Picture:
    wide: str
    narrow: str


def render(name: str, draw: Callable[[bool], Figure]) -> Picture:
    with matplotlib.rc_context(STYLE):
        return Picture(wide=_svg(draw(True), f"{name}-wide"), narrow=_svg(draw(False), f"{name}-narrow"))


def _svg(figure: Figure, name: str) -> str:
    """Inline SVG: scalable, themable, with ids of its own."""
    file = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": name}):
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r' (?:width|height)="[\d.]+pt"', "", svg, count=2)
    svg = re.sub(r"font:[^;\"]*?([\d.]+)px[^;\"]*", r"font-size: \1px", svg)
    svg = re.sub(r"font-family:[^;\"]*;? ?", "", svg)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'(href="#|url\(#)', rf"\g<1>{name}-", svg)
    for colour, value in COLOURS.items():
        svg = svg.replace(value, f"var(--{colour})")
    # A picture is for eyes: whoever goes by keys finds its links in a table beside it.
    svg = svg.replace("<a ", '<a tabindex="-1" ')
    return svg.replace("<svg ", '<svg aria-hidden="true" focusable="false" ', 1)


def legend(figure: Figure, handles: Sequence[Any], columns: int) -> None:
    """One legend under the whole figure."""
    figure.legend(handles=list(handles), loc="outside lower center", ncols=columns)
