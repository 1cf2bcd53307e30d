"""Deploy a market for a scenario."""

from pathlib import Path

import click
from ape.cli import ConnectedProviderCommand, network_option

from dem.chain import Chain, reachable
from dem.cli import console, fail_readably, pace_options, print_table
from dem.day import Community
from dem.plan import Pace
from dem.run import MANIFEST, deploy_for
from dem.scenario import load_scenario


@click.command(cls=ConnectedProviderCommand, short_help="deploy the contracts for a scenario")
@network_option(callback=reachable)
@click.argument("scenario", type=click.Path(path_type=Path), default="scenarios/rural-sunday")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the manifest; default out/<scenario>.")
@click.option("--account", help="Ape account that acts for the market's offices; on a development network not needed.")
@pace_options
@fail_readably
def cli(scenario: Path, out: Path | None, account: str | None, pace: Pace) -> None:
    """Deploy the market for SCENARIO and write manifest.json; `ape run day` with the same --out goes on from there.

    Called again after an interruption it deploys only what is missing.
    """
    loaded = load_scenario(scenario)
    folder = out or Path("out") / loaded.config.name
    chain = Chain.connected()
    market = deploy_for(chain, Community(loaded), folder, account, pace)
    rows = [(name, address) for name, address in market.addresses.items()]
    print_table(f"Market on {chain.network}, chain {chain.id}", ("contract", "address"), rows)
    console.print(f"manifest in {folder / MANIFEST}", highlight=False)
    if chain.is_embedded:
        console.print("The embedded chain ends with this command; use a node to keep the market.", highlight=False)
