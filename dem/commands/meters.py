"""Read what metering operators deliver, and carry what meters say."""

import logging
import signal
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from dem.commands import ABOUT
from dem.console import console, fail_readably, print_table
from dem.errors import DemError

if TYPE_CHECKING:
    from dem.metering.book import Book

F = TypeVar("F", bound=Callable[..., object])


@click.group(short_help=ABOUT["meters"])
def cli() -> None:
    """Meters: files of metering operators, and what a meter says at home.

    Files may be of the template, Austrian energy data, CIM A45, MSCONS.
    What format a file has is found out. Name files in the order in which they came: a later value takes the place of
    an earlier one, and an older issue never that of a newer one. docs/guide/meters.md says more.
    """


@cli.command()
@click.option("--config", type=click.Path(path_type=Path), required=True, help="Its configuration, a TOML file.")
@fail_readably
def agent(config: Path) -> None:
    """Take telegrams of meters from an MQTT broker, sign their registers, bring them to a gateway.

    Until interrupted. docs/guide/agent.md describes the configuration.
    """
    try:
        from dem.roles.meter_agent.agent import Agent
        from dem.roles.meter_agent.config import load
    except ModuleNotFoundError as error:
        why = f"the agent needs {error.name}, which is not installed: `make setup`, or pip install 'dem[meter]'"
        raise DemError(why) from None
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    made = Agent(load(config))
    signal.signal(signal.SIGTERM, lambda _number, _frame: made.stop())
    console.print(f"agent of {config}", highlight=False, markup=False)
    made.run()


def _with_files(command: F) -> F:
    files = click.argument("files", type=click.Path(path_type=Path), nargs=-1, required=True)
    zone = click.option("--timezone", help="Of times without offset, such as Europe/Vienna.")
    return files(zone(command))


@cli.command()
@_with_files
@fail_readably
def show(files: tuple[Path, ...], timezone: str | None) -> None:
    """Print what is in FILES: meters, periods, energy, and how it is known."""
    from dem.metering.record import Quality, kwh, shown

    book = _read(files, timezone)
    rows = []
    for place in sorted(book.periods):
        newest = [*book.newest(place)]
        known = Counter(version.quality for _, version in newest)
        corrected = sum(len(versions) > 1 for versions in book.periods[place].values())
        first, last = newest[0][0], newest[-1][0]
        gaps = (last - first) // book.seconds[place] + 1 - len(newest)
        energy = kwh(sum(version.energy for _, version in newest))
        figures = (len(newest), energy, *(known[quality] for quality in Quality), gaps, corrected)
        rows.append([*place, shown(first), shown(last), *map(str, figures)])
    columns = ("meter", "direction", "first", "last", "periods", "kWh", *Quality, "gaps", "corrected")
    print_table("", columns, rows, figures=True)


@cli.command()
@_with_files
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the tables.")
@click.option("--deadline", type=click.IntRange(0), default=24, show_default=True, help="Hours after a day's end.")
@click.option("--start", type=click.DateTime(["%Y-%m-%d"]), help="First day of readings.csv; default all.")
@click.option("--days", type=click.IntRange(1), help="How many days of readings.csv; default all from --start on.")
@fail_readably
def write(
    files: tuple[Path, ...],
    timezone: str | None,
    out: Path,
    deadline: int,
    start: datetime | None,
    days: int | None,
) -> None:
    """Write FILES as tables of a scenario: meters.csv for `scenario new`, and readings.csv.

    The file readings.csv has the days that were missing, late or corrected after the deadline. A scenario takes it
    where it names its own days only: --start and --days.
    """
    from dem.metering.files import zone_of
    from dem.metering.scenario import METERS, REPORTS, Span, write_tables

    book = _read(files, timezone)
    span = Span(zone_of("--timezone", timezone), 3_600 * deadline, start.date() if start else None, days)
    written = write_tables(book, out, span)
    filled = f"; {written.filled} without a value have the day before's, or zero" if written.filled else ""
    console.print(
        f"{out / METERS}: {written.meters} meters, {written.periods} periods{filled}\n"
        f"{out / REPORTS}: {written.reports} days missing, late or corrected",
        highlight=False,
        soft_wrap=True,
    )


def _read(files: Sequence[Path], timezone: str | None) -> "Book":
    from dem.metering.book import Book
    from dem.metering.files import read_delivery, zone_of

    zone, book = zone_of("--timezone", timezone), Book()
    for path in files:
        delivery = read_delivery(path, zone)
        taken = book.take(delivery)
        left = "".join(f", {count} x {what} left alone" for what, count in sorted(delivery.left_alone.items()))
        console.print(
            f"{path}: {delivery.format}, {taken.new} new, {taken.corrected} corrected{left}",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
    return book
