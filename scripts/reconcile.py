"""Check a run from its events alone."""

from pathlib import Path

import click
from ape.cli import ConnectedProviderCommand, network_option

from dem.chain import Chain, reachable
from dem.cli import console, fail_readably, print_checks
from dem.deployment import connect, role_keys
from dem.history import read_addresses, read_balances, read_events
from dem.operations import Operations
from dem.reconcile import reconcile
from dem.replay import Replay
from dem.run import MANIFEST


@click.command(cls=ConnectedProviderCommand, short_help="recompute a run from its events and compare every balance")
@network_option(callback=reachable)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--account", help="Ape account; only needed to connect to a live network.")
@click.option("--recorded", is_flag=True, help="Check the events the run recorded in FOLDER instead of the chain's.")
@fail_readably
def cli(folder: Path, account: str | None, recorded: bool) -> None:
    """Recompute the run in FOLDER (of `ape run day`) with the reference model and compare with the contracts.

    Reads the events and balances from the connected network; an embedded chain is gone when its run is over, and then
    those that the run recorded are used.
    """
    chain = Chain.connected()
    if recorded or chain.is_embedded:
        console.print(f"events and balances as recorded in {folder}", highlight=False)
        periods_per_day, balances = read_balances(folder)
        events, addresses = read_events(folder), read_addresses(folder)
    else:
        market = connect(chain, role_keys(chain, account), folder / MANIFEST)
        operations = Operations(market)
        periods_per_day, balances = operations.periods_per_day, operations.balances()
        events = operations.events_between(market.manifest.first_block, chain.block)
        addresses = market.addresses
    replay = Replay(periods_per_day, addresses)
    replay.apply(events)
    checks = reconcile(replay, balances)
    print_checks(checks)
    if not all(check.ok for check in checks):
        raise SystemExit(1)
