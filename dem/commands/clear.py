"""Clear one order book from a CSV file with the contracts."""

from pathlib import Path

import click

from dem.chain.options import on_chain
from dem.commands import ABOUT
from dem.console import Terminal, console, fail_readably
from dem.model.units import kwh, price_per_kwh

_MANY = 2_000
"""Orders that the chain inside a process takes a minute for."""


@on_chain(short_help=ABOUT["clear"])
@click.argument("orders", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for clearing.csv and fills.csv.")
@click.option("--account", help="Ape account that acts for the market's offices; on a development network not needed.")
@click.option(
    "--window",
    type=click.IntRange(10),
    default=120,
    show_default=True,
    help="Seconds for bringing the orders on a live network.",
)
@click.option(
    "--no-chain", is_flag=True, help="Clear by the reference model alone, at once: no contracts, no --network."
)
@fail_readably
def cli(orders: Path, out: Path, account: str | None, window: int, no_chain: bool) -> None:
    """Clear the book in ORDERS, a CSV file with the columns participant, side, price, energy.

    side is bid or ask, price in currency/kWh (whole ticks of 0.001, at most 4.095;
    if any is below zero, -1.000 to 3.095), energy in kWh (whole Wh). Deploys a
    market for this one book, brings the orders as signed sheets, clears, and writes clearing.csv (price and volume)
    and fills.csv (one row per order, in the file's order) to --out. After an interruption, start it again with the same
    --out (and the same chain): it goes on where it was.
    """
    from dem.offchain.book import clear_without_chain, read_book, write_book

    rows = read_book(orders)
    screen = Terminal()
    if no_chain:
        result = clear_without_chain(rows)
    else:
        from dem.chain.connection import Chain
        from dem.drive.book import clear_book

        chain = Chain.connected()
        if chain.is_embedded and len(rows) > _MANY:
            screen.note(f"{len(rows):,} orders take a chain in this process long: name a node (anvil), or --no-chain")
        with screen.busy(f"clearing {len(rows):,} orders"):
            result = clear_book(chain, rows, out, account, window, screen.part)
    write_book(out, rows, result)
    if result.price is None:
        console.print(f"nothing trades among {len(rows)} orders")
    else:
        price, volume = price_per_kwh(result.price), kwh(result.volume)
        console.print(f"price {price} currency/kWh, volume {volume} kWh", highlight=False)
    console.print(f"written to {out / 'clearing.csv'} and {out / 'fills.csv'}", highlight=False)
