"""Print who may call what."""

from pathlib import Path

import click

from dem.chain.options import on_chain
from dem.commands import ABOUT
from dem.console import DEMO, console, fail_readably, print_table
from dem.drive.pace import Pace


@on_chain(short_help=ABOUT["access"])
@click.option("--out", type=click.Path(path_type=Path), help="Folder with the manifest of a deployed market.")
@click.option("--account", help="Ape account; only needed to connect to a live network.")
@fail_readably
def cli(out: Path | None, account: str | None) -> None:
    """Print every function that changes state and who may call it, read from the authority on the chain.

    Without --out a market is deployed on the connected network to be asked.
    """
    from dem.chain.connection import Chain
    from dem.community.scenario import load_scenario
    from dem.deployment.access import COLUMNS, matrix
    from dem.deployment.market import MANIFEST, connect, role_keys
    from dem.drive.members import Community
    from dem.drive.run import deploy_for

    chain = Chain.connected()
    if out is None:
        community = Community(load_scenario(DEMO))
        market = deploy_for(chain, community, Path("out") / "access", account, Pace())
    else:
        market = connect(chain, role_keys(chain, account), out / MANIFEST)
    rows = [
        (contract, function, *("x" if column == who else "" for column in COLUMNS))
        for contract, function, who in matrix(market)
    ]
    print_table("Who may call what (deny by default)", ("contract", "function", *(c[:4] for c in COLUMNS)), rows)
    console.print(", ".join(COLUMNS), highlight=False)
