"""Deploy a market for a scenario."""

from pathlib import Path

import click

from dem.chain.options import on_chain
from dem.commands import ABOUT
from dem.console import DEMO, Terminal, console, fail_readably, pace_options, print_table
from dem.drive.pace import Pace
from dem.errors import InputError


@on_chain(short_help=ABOUT["deploy"])
@click.argument("scenario", type=click.Path(path_type=Path), default=DEMO)
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the manifest; default out/<scenario>.")
@click.option("--account", help="Ape account that acts for the market's offices; on a development network not needed.")
@click.option(
    "--seat", "seats", multiple=True, help="Account of an institution with a seat of the council; repeatable."
)
@click.option("--threshold", type=click.IntRange(1), default=1, help="Approvals a decision of the council takes.")
@click.option("--delay", type=click.IntRange(1, 30 * 86_400), help="Seconds before it is executed.")
@click.option("--clerks/--no-clerks", default=True, help="Let keys keep the offices of the council's roles.")
@pace_options
@fail_readably
def cli(
    scenario: Path,
    out: Path | None,
    account: str | None,
    seats: tuple[str, ...],
    threshold: int,
    delay: int | None,
    clerks: bool,
    pace: Pace,
) -> None:
    """Deploy the market for SCENARIO and write manifest.json; the command `day` with the same --out goes on from there.

    Called again after an interruption it deploys only what is missing. At the end the council is in power: the
    institutions named by --seat, by default the node's key alone, decide together with the elected representatives.
    Without SCENARIO it is the demo's.
    """
    from eth_utils.address import is_checksum_address

    from dem.chain.connection import Chain
    from dem.community.scenario import load_scenario
    from dem.deployment.market import MANIFEST
    from dem.deployment.plan import Government
    from dem.drive.members import Community
    from dem.drive.run import SIMULATED, deploy_for

    for seat in seats:
        if not is_checksum_address(seat):
            raise InputError("--seat", seat, "is no address with its checksum")
    government = Government(seats, threshold, delay or SIMULATED.delay, clerks)
    loaded = load_scenario(scenario)
    folder = out or Path("out") / loaded.config.name
    chain = Chain.connected()
    market = deploy_for(chain, Community(loaded), folder, account, pace, government, Terminal())
    rows = [(name, address) for name, address in market.addresses.items()]
    print_table(f"Market on {chain.network}, chain {chain.id}", ("contract", "address"), rows)
    console.print(f"manifest in {folder / MANIFEST}", highlight=False)
    if chain.is_embedded:
        console.print("The embedded chain ends with this command; use a node to keep the market.", highlight=False)
