"""Make one's own node vote for the sealers that the council has announced."""

from pathlib import Path

import click

from dem.chain.options import on_chain
from dem.commands import ABOUT
from dem.console import console, fail_readably, print_table


@on_chain(short_help=ABOUT["sealers"], any_node=False)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--apply", "is_applied", is_flag=True, help="Do it; without it the requests are only shown.")
@fail_readably
def cli(folder: Path, is_applied: bool) -> None:
    """Compare the sealers that the seats of the council have announced with those of the connected node, one's own.

    What is shown, and with --apply done, are the node's own votes (Clique or QBFT): a sealer changes when more than
    half of the sealers' operators have done the same. FOLDER holds the manifest of the deployed market.
    """
    from dem.chain.connection import Chain
    from dem.deployment.market import MANIFEST, connect
    from dem.governance.sealers import apply, requests

    chain = Chain.connected()
    market = connect(chain, {}, folder / MANIFEST)
    announced = {seat[-1] for seat in market.contract("Council").functions.seats().call() if int(seat[-1], 16)}
    consensus, sealers, asked = requests(chain.ask_node, announced)
    console.print(f"{consensus.name}: {len(sealers)} seal blocks, {len(announced)} are announced", highlight=False)
    rows = [(r.method, " ".join(map(str, r.parameters)), r.why) for r in asked]
    print_table("Asked of the node" if is_applied else "To ask of the node (--apply)", ("method", "", "why"), rows)
    if is_applied:
        apply(chain.ask_node, asked)
