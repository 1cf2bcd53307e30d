"""The page of the gallery: every market design on one community, and which is best for whom."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

from matplotlib.figure import Figure

from dem.formats import write_whole
from dem.lab.gallery import ISLAND, Gallery, Result
from dem.report.charts import colour_of
from dem.report.comparison_charts import bars, panels
from dem.report.style import Picture, render
from dem.report.templates import as_markup, page_template, together
from dem.results.wording import UNITS_PER_CURRENCY, kwh, money, plural, price

PAGE, TABLE = "gallery.html", "gallery.csv"
ABOUT = {
    "supplier alone": "nobody trades, all pay and get the supplier's tariffs",
    "retailer's pool": "clients of an intermediary trade with it at its one price",
    "virtual power plant": "an intermediary trades what its clients have too much on in the market",
    "microgrid, connected": "clients of an intermediary have each other, the upper grid has the rest",
    "bilateral contracts": "two agree on price and energy",
    "trades in escrow": "the same, day by day, with the money set aside until it is released",
    "peer to peer: call auction": "all orders meet at one price",
    "peer to peer: order book": "the best orders meet two by two, each pair in the middle",
    "peer to peer: by lot": "orders meet two by two by lot, each pair in the middle",
    "call auction and intraday": "and a continuous auction until shortly before delivery",
    "all markets": "all that the scenario describes, at once",
    "sharing: mid-market rate": "nobody orders; what was shared is paid in the middle of the tariffs",
    "sharing: supply-demand ratio": "likewise, at a price between the tariffs that falls with supply",
    "sharing: bill sharing": "likewise, for nothing: consumers share the bill of all",
    "island": "no upper grid: what does not balance in the auction is shed or curtailed",
}
"""What each design is, for people."""
INDICES = {
    "value_tapping": "value tapping",
    "participation": "participation",
    "equality": "equality",
    "energy_balance": "energy balance",
    "flatness": "flatness",
    "self_sufficiency": "self-sufficiency",
}


def write_gallery(folder: Path, found: Gallery) -> Path:
    """Write gallery.html and gallery.csv into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    config, calendar = found.scenario.config, found.scenario.calendar
    columns, rows = figures(found)
    page = page_template("gallery.html.j2").render(
        title=config.title,
        first=calendar.date_of(1).isoformat(),
        last=calendar.date_of(calendar.days).isoformat(),
        members=sum(found.kinds.values()),
        count=len(found.results),
        currency=config.currency,
        answers=[together(answer) for answer in answers(found)],
        columns=columns,
        rows=rows,
        about={one.name: ABOUT[one.name] for one in found.results},
        indices=[*INDICES.values()],
        shares=[(one.name, [_share(index) for index in one.indices]) for one in found.results],
        left_out=found.left_out,
        says={"saved": together(_range(found))},
        pictures=as_markup({"saved": draw_saved(found)}),
    )
    write_whole(folder / TABLE, found.table())
    write_whole(folder / PAGE, page.encode())
    return folder / PAGE


def figures(found: Gallery) -> tuple[list[str], list[tuple[str, list[str]]]]:
    """Columns, and of each design its figures."""
    kinds = _groups(found)
    columns = [
        "saved by all",
        *(f"by {count} {plural(kind, count)}" for kind, count in kinds.items()),
        "better / worse off",
        "traded, kWh",
        "mean price",
        "drawn, kWh",
    ]

    def row(one: Result) -> list[str]:
        saved = (_amount(one.saved()), *(_amount(one.saved(kind)) for kind in kinds))
        energies = [kwh(energy).removesuffix(" kWh") for energy in (one.traded, one.use.drawn)]
        paid = price(one.price, "").removesuffix(" /kWh")
        return [*saved, f"{one.better_off} / {one.worse_off}", energies[0], paid, energies[1]]

    return columns, [(one.name, row(one)) for one in found.results]


def answers(found: Gallery) -> list[str]:
    """Which design is best for whom."""
    currency = found.scenario.config.currency

    def most(whom: str, saved: Callable[[Result], int]) -> str:
        best = found.best(saved)
        if saved(best) <= 0:
            return f"{whom} save with no design."
        return f"{whom} save most with {_quoted(best)}: {money(saved(best), currency)}."

    lines = [most("All together", lambda one: one.saved())]
    for kind, count in _groups(found).items():
        lines.append(most(f"The {count} {plural(kind, count)}", lambda one, kind=kind: one.saved(kind)))  # type: ignore[misc]
    better, equal = found.best(lambda one: one.better_off), found.best(lambda one: one.indices.equality or Fraction(0))
    if better.better_off:
        whole = sum(found.kinds.values())
        lines.append(f"Most are better off with {_quoted(better)}: {better.better_off} of {whole} members.")
        lines.append(
            f"What is saved is spread most evenly with {_quoted(equal)}: equality {_share(equal.indices.equality)}."
        )
    return lines


def _groups(found: Gallery) -> dict[str, int]:
    """Groups of more than one, if there are any."""
    return {kind: count for kind, count in found.kinds.items() if count > 1} or found.kinds


def _range(found: Gallery) -> str:
    low, high = (pick(found.with_a_grid[1:], key=lambda one: one.saved()) for pick in (min, max))
    currency = found.scenario.config.currency
    text = (
        f"From {money(low.saved(), currency)} with {_quoted(low)} to {money(high.saved(), currency)} with "
        f"{_quoted(high)}"
    )
    island = next((one for one in found.results if one.name == ISLAND), None)
    if island is None:
        return f"{text}."
    alone = found.results[0].use.drawn
    return f"{text}. The island leaves {kwh(max(0, alone - island.use.drawn))} of {kwh(alone)} undelivered."


def draw_saved(found: Gallery) -> Picture:
    """What each group saves in each design."""
    return render("gallery-saved", lambda wide: _saved(found, wide))


def _saved(found: Gallery, wide: bool) -> Figure:
    kinds, currency = _groups(found), found.scenario.config.currency
    axes, figure = panels(len(kinds), [one.name for one in found.results], wide, row=0.3)
    for axis, (kind, count) in zip(axes, kinds.items(), strict=True):
        saved = [one.saved(kind) / UNITS_PER_CURRENCY for one in found.results]
        bars(axis, saved, colour_of(kind), [f"{value:,.2f}" for value in saved])
        axis.set_title(f"{count} {plural(kind, count)}, {currency}")
    return figure


def _amount(units: int) -> str:
    return money(units, "").strip()


def _share(value: Fraction | None) -> str:
    return "none" if value is None else f"{float(value):.2f}"


def _quoted(one: Result) -> str:
    return f"\N{LEFT DOUBLE QUOTATION MARK}{one.name}\N{RIGHT DOUBLE QUOTATION MARK}"
