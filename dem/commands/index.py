"""Put a market's events into a database."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dem.chain.options import on_chain
from dem.commands import ABOUT
from dem.console import console, fail_readably
from dem.index import DEPTH

if TYPE_CHECKING:
    from dem.index.follow import Progress


@on_chain(short_help=ABOUT["index"])
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--out", help="The database, a file or a URL of PostgreSQL; default FOLDER/index.sqlite.")
@click.option(
    "--depth",
    type=click.IntRange(1),
    help=f"Blocks behind the newest one from which a block is final; default {DEPTH}, or what the database has.",
)
@click.option("--follow", is_flag=True, help="Go on with every new block until interrupted.")
@click.option("--recorded", is_flag=True, help="Take the events the run recorded in FOLDER instead of the chain's.")
@fail_readably
def cli(folder: Path, out: str | None, depth: int | None, follow: bool, recorded: bool) -> None:
    """Bring the database of the market in FOLDER (with its manifest.json) to the chain's newest block.

    One table for each event of each contract, and views in kWh and EUR. May be interrupted and started again at any
    time; blocks that the chain replaces are replaced in the database too.

    An embedded chain is gone when its run is over, and then the events that the run recorded are put in, all at once;
    they know the numbers of blocks, not their times.
    """
    from dem.chain.connection import Chain
    from dem.deployment.market import MANIFEST
    from dem.drive.run import names_of
    from dem.index.database import shown, url_of
    from dem.index.service import index, index_record
    from dem.replay.record import read_events

    place = out or folder / "index.sqlite"
    chain, members = Chain.connected(), names_of(folder)
    if recorded or chain.is_embedded:
        count = index_record(chain, folder / MANIFEST, place, read_events(folder), members)
        console.print(f"{count} events as recorded in {folder}", highlight=False)
    else:
        for progress in index(chain, folder / MANIFEST, place, depth, follow, members):
            if not follow or progress.events or progress.replaced:
                _print(progress)
    console.print(f"database in {shown(url_of('--out', place))}", highlight=False, soft_wrap=True)


def _print(progress: "Progress") -> None:
    replaced = f", {progress.replaced} blocks were replaced" if progress.replaced else ""
    console.print(
        f"block {progress.head}: {progress.events} events in {progress.blocks} new blocks{replaced}", highlight=False
    )
