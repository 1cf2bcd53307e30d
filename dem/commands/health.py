"""Say whether nodes and market are well."""

import json
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dem.chain.options import on_chain
from dem.commands import ABOUT
from dem.console import console, fail_readably, print_table
from dem.deployment.limits import Limits
from dem.model.units import Money, currency

if TYPE_CHECKING:
    from dem.deployment.health import Health, MarketState

STANDARD = Limits()


@on_chain(short_help=ABOUT["health"])
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@click.option(
    "--node",
    "urls",
    multiple=True,
    help="URL of a node, repeatable; by default the network's nodes, where they are told, else the connected one.",
)
@click.option(
    "--depth",
    type=click.IntRange(0),
    default=STANDARD.depth,
    show_default=True,
    help="Blocks behind the newest one from which nodes must agree.",
)
@click.option(
    "--lag", type=click.IntRange(0), default=STANDARD.lag, show_default=True, help="Blocks a node may be behind."
)
@click.option(
    "--age",
    type=click.IntRange(1),
    help=f"Seconds since the newest block; default {STANDARD.age}, on development networks any.",
)
@click.option(
    "--grace",
    type=click.IntRange(0),
    default=STANDARD.grace,
    show_default=True,
    help="Seconds that what is due may wait.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for monitoring.")
@fail_readably
def cli(
    folder: Path | None, urls: tuple[str, ...], depth: int, lag: int, age: int | None, grace: int, as_json: bool
) -> None:
    """Print the state of nodes and, with the FOLDER of its manifest.json, of a market.

    Ends with exit code 1 and a sentence what to do for everything that is wrong.
    """
    from dem.chain.connection import Chain
    from dem.deployment.health import check_histories, check_market, check_nodes, node_at
    from dem.deployment.market import MANIFEST, connect

    chain = Chain.connected()
    limits = Limits(depth, lag, age or (None if chain.is_development else STANDARD.age), grace)
    nodes = {url: node_at(url) for url in urls or chain.nodes} or {chain.network: partial(chain.ask, is_divisible=True)}
    health = check_nodes(nodes, limits, int(time.time()))
    if folder is not None:
        market = connect(chain, {}, folder / MANIFEST)
        health.problems += check_histories(health.nodes, nodes, market)
        health.market, problems = check_market(market, limits)
        health.problems += problems
    if as_json:
        click.echo(json.dumps(health.record()))
    else:
        _print(health)
    if health.problems:
        raise SystemExit(1)


def _print(health: "Health") -> None:
    columns = ("node", "client", "peers", "head", "lag", "age, s", "block compared", "hash")
    rows = [
        [
            *(_shown(value) for value in (n.name, n.client, n.peers, n.head, n.lag, n.age, n.compared_block)),
            _shown(n.compared_hash)[:14],
        ]
        for n in health.nodes
    ]
    print_table("Nodes", columns, rows)
    if health.market is not None:
        print_table("Market", ("", ""), _rows(health.market))
    for problem in health.problems:
        console.print("[bold red]WRONG[/] ", end="")
        console.print(problem, markup=False, highlight=False, soft_wrap=True)
    if not health.problems:
        console.print("[green]ok[/]    nothing is wrong", highlight=False)


def _rows(market: "MarketState") -> list[tuple[str, str]]:
    return [
        ("In delivery", f"day {market.day}, slot {market.slot}" if market.day else "not opened"),
        (
            "Last day cleared, settled, final",
            f"{market.last_cleared_day}, {market.last_settled_day}, {market.last_final_day}",
        ),
        ("Open days", ", ".join(map(str, market.open_days)) or "none"),
        ("Clearing house", currency(Money(market.clearing_house))),
        ("Collateral locked", currency(Money(market.locked))),
        ("Arrears", currency(Money(market.arrears))),
        ("Paused markets", ", ".join(market.paused) or "none"),
    ]


def _shown(value: object) -> str:
    return "-" if value is None else str(value)
