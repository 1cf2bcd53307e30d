"""Check what a network carries, and import one."""

import csv
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import click
from rich.markup import escape

from dem.commands import ABOUT
from dem.community.scenario import CONFIG, load_scenario
from dem.console import console, fail_readably, print_table
from dem.errors import InputError
from dem.grid.importing import from_pandapower, open_net
from dem.grid.limits import SHARES
from dem.grid.network import read_network
from dem.grid.record import FOLDER
from dem.grid.violations import Violation, percent
from dem.offchain.run import write_days
from dem.report.grid import save_drawing
from dem.results.grid import RISE_PPM, Course, GridCheck, check_grid
from dem.results.reader import Results, read_results
from dem.results.wording import kwh

VIOLATIONS, HELD, PICTURE = "violations.csv", "held.csv", "network.svg"
_MOST_ROWS = 20


@click.group(short_help=ABOUT["grid"])
def cli() -> None:
    """What a network carries: its lines, transformers and voltages.

    The contracts enforce no limits yet: the check says what rule 10 would. docs/guide/grid.md says more.
    """


@cli.command(name="import")
@click.argument("net")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the tables.")
@click.option("--open", "opened", multiple=True, help="Line that is open, so that no ring is left; repeatable.")
@fail_readably
def import_(net: str, out: Path, opened: tuple[str, ...]) -> None:
    """Write the tables of NET, a network of pandapower, into a folder.

    NET is a JSON file that pandapower has written, pandapower:NAME of its own networks, or simbench:CODE. The packages
    pandapower and simbench are needed for this and nothing else. Limits are those of EN 50160 (0.9 to 1.1 of nominal)
    and 100 % of the rating: change limits.csv as you need.
    """
    network, left = from_pandapower(open_net(net), opened)
    network.write(out)
    network = read_network(out)
    without = "".join(f"; {count} {what} left out" for what, count in sorted(left.items()))
    console.print(
        f"{out}: {len(network.buses)} buses, {len(network.lines)} lines, {len(network.transformers)} transformers, "
        f"{len(network.sources)} sources{without}\nhash {network.digest}",
        highlight=False,
        soft_wrap=True,
    )


@cli.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder for the days of a scenario; default out/<name>-grid."
)
@fail_readably
def check(folder: Path, out: Path | None) -> None:
    """Say what the network of a run or a scenario in FOLDER carried, and what was beyond a limit.

    Of a scenario, its days are played without a chain first. Three cases stand beside each other: the programme as
    known the day before (contracts, else forecasts), what the meters showed, and what they would have shown within
    limits that follow from the programme. Ends with exit code 1 if the meters' flows were beyond a limit.

    Writes violations.csv, held.csv (the limits) and network.svg into the folder grid of the run.
    """
    if (folder / CONFIG).exists():
        scenario = load_scenario(folder)
        if scenario.network is None:
            raise InputError(
                str(folder / CONFIG), None, "names no network: add [grid] with folder = a folder of tables"
            )
        folder = out or Path("out") / f"{scenario.config.name}-grid"
        write_days(scenario, folder)
    elif out is not None:
        raise InputError("--out", str(out), f"is for the days of a scenario, and {folder} holds no {CONFIG}")
    results = read_results(folder)
    found = check_grid(folder, results)
    if found is None:
        raise InputError(str(folder), None, "is of a scenario without a network: its scenario.toml has no [grid]")
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
    if found.metered.violations:
        raise SystemExit(1)


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
    for violation in found.metered.violations:
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
