"""Make a scenario from meter exports."""

from datetime import datetime
from pathlib import Path

import click

from dem.commands import ABOUT
from dem.console import console, fail_readably


@click.group(short_help=ABOUT["scenario"])
def cli() -> None:
    """Scenarios of one's own; docs/guide/first-scenario.md goes through it step by step."""


@cli.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--meters", type=click.Path(path_type=Path), multiple=True, required=True, help="Readings; repeatable.")
@click.option("--prices", type=click.Path(path_type=Path), help="Wholesale prices per MWh; else one flat tariff.")
@click.option("--timezone", required=True, help="Such as Europe/Berlin.")
@click.option("--prices-timezone", help="Of the prices, if it is another one.")
@click.option("--unit", type=click.Choice(["kWh", "Wh"]), default="kWh", show_default=True, help="Of the readings.")
@click.option("--start", type=click.DateTime(["%Y-%m-%d"]), help="First day; default a month after the first reading.")
@click.option("--days", type=click.IntRange(1), help="How many; default up to a week.")
@click.option("--period", type=click.Choice(["5", "15", "30", "60"]), help="Minutes; default as the meters have them.")
@click.option("--currency", default="EUR", show_default=True, help="Three letters.")
@fail_readably
def new(
    folder: Path,
    meters: tuple[Path, ...],
    prices: Path | None,
    timezone: str,
    prices_timezone: str | None,
    unit: str,
    start: datetime | None,
    days: int | None,
    period: str | None,
    currency: str,
) -> None:
    """Make a scenario in FOLDER from exported meter readings.

    A file is wide (a column of times, a column for each meter) or long (columns time, meter, value, and direction where
    meters feed in). Generation is a column whose name ends in pv, solar, generation, export or feed-in. Separators,
    decimal commas and the order of lines are found out; times without an offset are local, and each is the beginning of
    its period. What was understood is printed: look whether it can be.
    """
    from dem.community.importing import Wanted, make_scenario, summary
    from dem.community.scenario import load_scenario

    wanted = Wanted(
        timezone=timezone,
        unit=unit,
        days=days,
        start=start.date() if start else None,
        currency=currency,
        seconds=60 * int(period) if period else None,
        prices_timezone=prices_timezone,
    )
    made = make_scenario(folder, meters, prices, wanted)
    for sentence in summary(load_scenario(made)):
        console.print(sentence, highlight=False, soft_wrap=True)
    console.print(f"{made} is ready: look through its scenario.toml, then check it and play its days", highlight=False)
