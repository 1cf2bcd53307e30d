"""Put a market's events into a database."""

from pathlib import Path

import click

from dem.chain.connection import Chain
from dem.chain.options import on_chain
from dem.commands import ABOUT
from dem.console import console, fail_readably
from dem.drive.run import MANIFEST
from dem.index.service import index
from dem.index.store import DEPTH


@on_chain(short_help=ABOUT["index"])
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="The database; default FOLDER/index.sqlite.")
@click.option(
    "--depth",
    type=click.IntRange(1),
    help=f"Blocks behind the newest one from which a block is final; default {DEPTH}, or what the database has.",
)
@click.option("--follow", is_flag=True, help="Go on with every new block until interrupted.")
@fail_readably
def cli(folder: Path, out: Path | None, depth: int | None, follow: bool) -> None:
    """Bring the database of the market in FOLDER (with its manifest.json) to the chain's newest block.

    One table for each event of each contract, and views in kWh and EUR. May be interrupted and started again at any
    time; blocks that the chain replaces are replaced in the database too.
    """
    path = out or folder / "index.sqlite"
    for progress in index(Chain.connected(), folder / MANIFEST, path, depth, follow):
        if follow and not progress.events and not progress.replaced:
            continue
        replaced = f", {progress.replaced} blocks were replaced" if progress.replaced else ""
        console.print(
            f"block {progress.head}: {progress.events} events in {progress.blocks} new blocks{replaced}",
            highlight=False,
        )
    console.print(f"database in {path}", highlight=False)
