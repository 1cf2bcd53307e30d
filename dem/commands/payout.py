"""Pay members out."""

import csv
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dem.chain.options import on_chain
from dem.commands import ABOUT
from dem.console import console, fail_readably
from dem.errors import DemError, InputError

if TYPE_CHECKING:
    from dem.deployment.market import Market
    from dem.relay.payouts import Payout


@on_chain(short_help=ABOUT["payout"])
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("signed", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("payments.csv"), show_default=True, help="A table."
)
@click.option("--account", help="Ape account that is the treasurer; on a development network not needed.")
@fail_readably
def cli(folder: Path, signed: Path, out: Path, account: str | None) -> None:
    """Take out of the market in FOLDER what members have SIGNED: envelopes of withdrawals to a bank, one a line.

    What is out is a row of the table --out, beside those that it has. The treasurer pays it at the bank; or it is the
    table of payments of the market's next epoch. Called again, it takes nothing out twice, and the table is the same.
    """
    from dem.chain.connection import Chain
    from dem.deployment.market import MANIFEST, connect, role_keys
    from dem.formats import write_whole
    from dem.relay.batches import Relay
    from dem.relay.payouts import COLUMNS, redeem

    chain = Chain.connected()
    market = connect(chain, role_keys(chain, account), folder / MANIFEST)
    payouts, rows, refused = _read(signed, market), _table(out), 0
    for payout, why in redeem(Relay(market), payouts):
        if why:
            refused += 1
            console.print(f"refused: {payout.signed.message.account}: {why}", highlight=False, markup=False)
        else:
            rows[payout.text] = payout.row
    text = StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows.values())
    # The rows of earlier calls stand nowhere else: whenever this one is killed, they are there.
    write_whole(out, text.getvalue().encode())
    console.print(f"{len(payouts) - refused} of {len(payouts)} are out, as {out} says", highlight=False)


def _read(path: Path, market: "Market") -> "list[Payout]":
    try:
        from pydantic import ValidationError

        from dem.gateway.protocol import Envelope, check
    except ModuleNotFoundError as error:
        raise DemError(f"this needs {error.name}: `make setup`, or pip install 'dem[gateway]'") from None
    from dem.errors import RequestError
    from dem.messages.members import Withdrawal
    from dem.messages.signed import Received
    from dem.relay.payouts import Payout

    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(str(path), None, f"cannot be read: {error}") from error
    found: dict[str, Payout] = {}
    for number, line in enumerate(lines, start=1):
        where = f"{path}, line {number}"
        if not line.strip():
            continue
        try:
            checked = check(Envelope.model_validate_json(line), market.chain.id, market.addresses)
        except ValidationError as error:
            raise InputError(where, None, str(error.errors()[0]["msg"])) from error
        except RequestError as error:
            raise InputError(where, None, error.why) from error
        message = checked.message
        if not isinstance(message, Withdrawal) or not message.to_bank:
            raise InputError(where, None, "is no withdrawal to a bank")
        found[checked.id] = Payout(checked.id, Received(message, checked.signature))
    return [*found.values()]


def _table(path: Path) -> dict[str, dict[str, str]]:
    """Rows that there are, by reference."""
    from dem.relay.payouts import COLUMNS
    from dem.tables import read_rows

    if not path.exists():
        return {}
    return {row["reference"].text: {name: row[name].text for name in COLUMNS} for row in read_rows(path, COLUMNS)}
