"""Play the demo's day, whose data come with the package."""

from pathlib import Path

import click

from dem.chain.options import on_chain
from dem.commands import ABOUT
from dem.commands.day import play
from dem.console import DEMO, fail_readably
from dem.drive.pace import Pace


@on_chain(short_help=ABOUT["demo"])
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the results; default out/rural-sunday.")
@fail_readably
def cli(out: Path | None) -> None:
    """Play a Sunday in May 2016 in a village of 28 consumers and 8 solar plants, on the connected network.

    The data come with the package. It is the command `day` with the scenario rural-sunday.
    """
    play(DEMO, out, None, Pace())
