"""What the command `grid check` prints and writes."""

import csv
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.markup import escape

from dem.console import console, print_table
from dem.grid.limits import SHARES
from dem.grid.record import FOLDER
from dem.grid.violations import Violation, percent
from dem.report.grid import save_drawing
from dem.results.grid import RISE_PPM, Course, GridCheck
from dem.results.reader import Results
from dem.results.wording import kwh

VIOLATIONS, HELD, PICTURE = "violations.csv", "held.csv", "network.svg"
_MOST_ROWS = 20


def show_and_write(found: GridCheck, results: Results, folder: Path) -> None:
    """Print what was found in a run, and write all of it into the folder grid of the run's folder."""
    _show(found, results)
    own = folder / FOLDER
    _write(own / VIOLATIONS, *_violations_table(found, results))
    _write(own / HELD, *_held_table(found, results))
    save_drawing(found, results, own / PICTURE)
    console.print(
        f"all of them in {own / VIOLATIONS}, limits in {own / HELD}, picture in {own / PICTURE}",
        highlight=False,
        soft_wrap=True,
    )


def _show(found: GridCheck, results: Results) -> None:
    network = found.network
    console.print(f"[bold]{escape(results.run.title)}[/]  network {network.digest}", highlight=False, soft_wrap=True)
    columns = (
        "",
        "transformer",
        "line",
        "lowest V",
        "highest V",
        "rise",
        "rise > 3 %",
        "losses kWh",
        "beyond",
        "cut kWh",
    )
    rows = [_row(name, course, cut) for name, course, cut in found.courses]
    print_table("", columns, rows, figures=True)
    console.print(
        "Highest loading by current, voltages of nominal, the rise of a voltage by feed-in (reported, not enforced); "
        f"beyond: periods of {len(results.periods)} in which something is beyond a limit.\n"
        f"With the day known before, limits would have cut {kwh(found.cut_after)}.\n",
        highlight=False,
        soft_wrap=True,
    )
    groups: dict[tuple[str, str, str], list[Violation]] = defaultdict(list)
    for violation in found.shown.violations:
        groups[violation.element, violation.what, violation.by].append(violation)
    listed = sorted(groups.items(), key=lambda group: -len(group[1]))
    shown = [
        [
            escape(element),
            what,
            f"{percent(_worst(own).value)} of at most {percent(own[0].limit)}"
            if what == "overload"
            else percent(_worst(own).value),
            str(len({violation.point for violation in own})),
            " to ".join(results.run.clock(results.periods[own[end].point]) for end in (0, -1)),
            by,
        ]
        for (element, what, by), own in listed[:_MOST_ROWS]
    ]
    if shown:
        print_table("By the meters", ("element", "cause", "worst", "periods", "first to last", "hold back"), shown)
    if len(listed) > _MOST_ROWS:
        console.print(f"and {len(listed) - _MOST_ROWS} more", highlight=False)


def _worst(own: Sequence[Violation]) -> Violation:
    return max(own, key=lambda violation: abs(violation.value - violation.limit))


def _row(name: str, course: Course, cut: int) -> list[str]:
    return [
        name,
        percent(max(course.transformer)),
        percent(max(course.line)),
        percent(min(course.low)),
        percent(max(course.high)),
        percent(max(course.rises)),
        str(int((course.rises > RISE_PPM).sum())),
        f"{sum(course.losses) / 1000:,.1f}",
        str(course.periods),
        f"{cut / 1000:,.1f}" if cut else "",
    ]


def _violations_table(found: GridCheck, results: Results) -> tuple[Sequence[str], Iterable[Sequence[object]]]:
    columns = ("case", "period", "start_local", "element", "cause", "value_ppm", "limit_ppm", "hold_back")
    return columns, (
        (name, results.periods[own.point], results.run.local_start(results.periods[own.point]), own.element, *own[2:])
        for name, course, _ in found.courses
        for own in course.violations
    )


def _held_table(found: GridCheck, results: Results) -> tuple[Sequence[str], Iterable[Sequence[object]]]:
    columns = ("period", "start_local", "zone", "because_of", "hold_back", f"share_per_{SHARES}", "enough")
    return columns, (
        (
            results.periods[hold.point],
            results.run.local_start(results.periods[hold.point]),
            hold.zone,
            hold.element,
            hold.by,
            hold.share,
            "yes" if hold.enough else "no",
        )
        for hold in found.holds
    )


def _write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
