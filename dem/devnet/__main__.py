"""Start, stop and look at the network of `devnet/network.toml`: `python -m dem.devnet --help`."""

import time
from pathlib import Path

import click

from dem.console import console, fail_readably, print_table
from dem.devnet.config import read_network
from dem.devnet.network import Network

_OLD_BLOCKS = 10
"""A newest block older than so many periods means that the network stands still."""


@click.group()
@click.option(
    "--config", type=click.Path(path_type=Path), default="devnet/network.toml", show_default=True, help="The network."
)
@click.option(
    "--folder", type=click.Path(path_type=Path), default=".devnet", show_default=True, help="Its keys and chain data."
)
@click.option(
    "--geth", type=click.Path(path_type=Path), default=".geth/geth", show_default=True, help="go-ethereum 1.13.15."
)
@click.pass_context
@fail_readably
def cli(context: click.Context, config: Path, folder: Path, geth: Path) -> None:
    """A permissioned chain on this machine: authority nodes of go-ethereum that seal blocks in turn."""
    context.obj = Network(read_network(config), folder, geth)


@cli.command()
@click.pass_obj
@fail_readably
def start(network: Network) -> None:
    """Start the nodes that do not run and wait until all have one new block."""
    network.start()
    _show(network)


@cli.command()
@click.pass_obj
@fail_readably
def stop(network: Network) -> None:
    """Stop all nodes; they keep their chain."""
    network.stop()


@cli.command()
@click.pass_obj
@fail_readably
def status(network: Network) -> None:
    """Show every node; fails if one is down or the network stands still."""
    if not _show(network):
        raise SystemExit(1)


def _show(network: Network) -> bool:
    """Print the state of every node; returns whether all is well."""
    heads, now = network.heads(), time.time()
    rows = []
    for node in network.nodes:
        head = heads.get(node)
        state = (
            (f"up, process {node.pid}", f"{head.number:,}", head.hash[:10], f"{now - head.time:.0f} s", str(head.peers))
            if head
            else ("[bold red]down[/]", "", "", "", "")
        )
        rows.append((str(node.number), *state, node.url))
    config = network.config
    title = f"chain {config.chain_id}, a block every {config.period_seconds} s, final {config.finality_depth} later"
    print_table(title, ("node", "state", "block", "hash", "age", "peers", "JSON-RPC"), rows)
    down = len(network.nodes) - len(heads)
    oldest = min((head.time for head in heads.values()), default=0)
    stands_still = bool(heads) and now - oldest > _OLD_BLOCKS * config.period_seconds
    if down:
        console.print(f"[bold red]{down} of {len(network.nodes)} nodes are down:[/] `make devnet` starts them")
    if stands_still:
        console.print("[bold red]a node has no new block:[/] if it stays so, `make devnet` brings the nodes together")
    return not down and not stands_still


if __name__ == "__main__":
    cli()
