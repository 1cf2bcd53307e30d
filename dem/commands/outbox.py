"""What the treasurer's service has ordered, and what of it the bank has paid."""

from datetime import UTC, date, datetime
from pathlib import Path

import click

from dem.commands import ABOUT
from dem.console import console, fail_readably, print_table

_OUTBOX = click.argument("outbox", type=click.Path(path_type=Path, exists=True, file_okay=False))


@click.group(short_help=ABOUT["outbox"])
def cli() -> None:
    """Money out to banks: orders in the OUTBOX of a treasurer's service.

    Each has a file for the bank beside it (ISO 20022, pain.001). docs/guide/live.md goes through it.
    """


@cli.command("list")
@_OUTBOX
@fail_readably
def list_(outbox: Path) -> None:
    """Print all orders, the payments in each, and when it was paid."""
    from dem.model.units import currency
    from dem.roles.outbox import Outbox

    rows = [
        (f"{order.number:06}", order.made_at, str(len(order.payouts)), currency(order.amount), order.paid_on or "-")
        for order in Outbox(outbox).orders()
    ]
    print_table("", ("order", "made at", "payments", "amount", "paid on"), rows)


@cli.command()
@_OUTBOX
@click.argument("number", type=click.IntRange(1))
@click.option("--on", type=click.DateTime(["%Y-%m-%d"]), help="Day on which the bank paid; default today.")
@fail_readably
def paid(outbox: Path, number: int, on: datetime | None) -> None:
    """Note that the bank has paid order NUMBER, once and for good."""
    from dem.roles.outbox import Outbox

    day: date = (on or datetime.now(UTC)).date()
    Outbox(outbox).note_paid(number, day)
    console.print(f"order {number:06} is noted as paid on {day}", highlight=False)
