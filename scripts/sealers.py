"""Make one's own node vote for the sealers that the council has announced."""

from pathlib import Path
from typing import Any

import click
from ape.cli import ConnectedProviderCommand, network_option
from web3.types import RPCEndpoint

from dem.chain import Chain
from dem.cli import console, fail_readably, print_table
from dem.deployment import connect, role_keys
from dem.run import MANIFEST
from dem.sealers import apply, requests


@click.command(cls=ConnectedProviderCommand, short_help="let the own node vote for the council's sealers")
@network_option()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--account", help="Ape account; only needed to connect to a live network.")
@click.option("--apply", "is_applied", is_flag=True, help="Do it; without it the requests are only shown.")
@fail_readably
def cli(folder: Path, account: str | None, is_applied: bool) -> None:
    """Compare the sealers that the seats of the council have announced with those of the connected node, one's own.

    What is shown, and with --apply done, are the node's own votes (Clique or QBFT): a sealer changes when more than
    half of the sealers' operators have done the same. FOLDER holds the manifest of the deployed market.
    """
    chain = Chain.connected()
    market = connect(chain, role_keys(chain, account), folder / MANIFEST)
    announced = {seat[-1] for seat in market.contract("Council").functions.seats().call() if int(seat[-1], 16)}

    def ask(method: str, parameters: list[Any]) -> Any:
        return chain.web3.provider.make_request(RPCEndpoint(method), parameters)

    consensus, sealers, asked = requests(ask, announced)
    console.print(f"{consensus.name}: {len(sealers)} seal blocks, {len(announced)} are announced", highlight=False)
    rows = [(r.method, " ".join(map(str, r.parameters)), r.why) for r in asked]
    print_table("Asked of the node" if is_applied else "To ask of the node (--apply)", ("method", "", "why"), rows)
    if is_applied:
        apply(ask, asked)
