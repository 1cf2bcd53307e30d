"""Check a run from its events alone."""

from pathlib import Path

import click

from dem.chain.options import on_chain
from dem.commands import ABOUT
from dem.console import console, fail_readably, print_checks


@on_chain(short_help=ABOUT["reconcile"])
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--account", help="Ape account; only needed to connect to a live network.")
@click.option("--recorded", is_flag=True, help="Check the events the run recorded in FOLDER instead of the chain's.")
@fail_readably
def cli(folder: Path, account: str | None, recorded: bool) -> None:
    """Recompute the run in FOLDER with the reference model and compare with the contracts.

    Reads the events and balances from the connected network; an embedded chain is gone when its run is over, and then
    those that the run recorded are used. The tables in FOLDER are written anew from the events, and compared.
    """
    from dem.chain.connection import Chain
    from dem.deployment.market import MANIFEST, connect, role_keys
    from dem.relay.history import market_again, of_market, of_run, run_again
    from dem.replay.reconcile import reconcile
    from dem.results.recheck import check_tables

    chain = Chain.connected()
    if recorded or chain.is_embedded:
        console.print(f"events and balances as recorded in {folder}", highlight=False)
        replay, balances = of_run(folder)
        again = run_again(folder)
    else:
        market = connect(chain, role_keys(chain, account), folder / MANIFEST)
        replay, balances = of_market(market)
        again = market_again(market)
    checks = [*reconcile(replay, balances), *check_tables(folder, replay, *again)]
    print_checks(checks)
    if not all(check.ok for check in checks):
        raise SystemExit(1)
