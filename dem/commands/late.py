"""Prepare and bring late readings of final days."""

from pathlib import Path

import click

from dem.chain.options import on_chain
from dem.commands import ABOUT
from dem.console import console, fail_readably
from dem.errors import InputError


@on_chain(short_help=ABOUT["late"])
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("member", type=click.IntRange(1))
@click.argument("day", type=click.IntRange(1))
@click.option("--net", "table", type=click.Path(path_type=Path), help="Energies (CSV: slot,net_wh) that differ.")
@click.option("--out", type=click.Path(path_type=Path), help="Where what is to be signed goes; default late.json.")
@click.option("--meter-signature", help="Bring it, signed by the meter.")
@click.option("--operator-signature", help="Bring it, signed by the grid operator.")
@click.option("--member-signature", help="With the grid operator's; none if the council has allowed it.")
@click.option("--true-up", "is_true_up", is_flag=True, help="Settle the member's gaps up to DAY by its register.")
@click.option("--account", help="Ape account that sends it; on a development network not needed.")
@fail_readably
def cli(
    folder: Path,
    member: int,
    day: int,
    table: Path | None,
    out: Path | None,
    meter_signature: str | None,
    operator_signature: str | None,
    member_signature: str | None,
    is_true_up: bool,
    account: str | None,
) -> None:
    """Settle DAY of MEMBER (its number) late, in the market of FOLDER (rule 12.7).

    Recomputes the market from its events. Without a signature it writes what is to be signed, the records of the day
    and their proof. With one it brings them. With --true-up it settles by the register what the meter has shown of its
    gaps (rule 12.9).
    """
    from dem.chain.connection import Chain
    from dem.deployment.market import MANIFEST, connect, role_keys
    from dem.relay.history import of_market
    from dem.relay.late import LATE, bring, prepare, true_up, write_statement

    chain = Chain.connected()
    market = connect(chain, role_keys(chain, account), folder / MANIFEST)
    late = of_market(market)[0].late
    if is_true_up:
        days = true_up(market, late, member, day)
        named = ("days " if len(days) > 1 else "day ") + ", ".join(map(str, days))
        console.print(f"member {member}: the estimates of {named} are trued up", highlight=False)
        return
    message, record = prepare(late, member, day, table)
    if meter_signature is None and operator_signature is None:
        path = out or Path("late.json")
        write_statement(path, market.domain(LATE), message, record)
        console.print(f"late reconciliation {message.run} of member {member}, day {day}: {path}", highlight=False)
        return
    given = [meter_signature] if operator_signature is None else [operator_signature, member_signature or "0x"]
    bring(market, message, record, [_signature(signature or "") for signature in given])
    console.print(f"member {member}, day {day}: settled late", highlight=False)


def _signature(text: str) -> bytes:
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raise InputError("signature", text, "is not hexadecimal") from None
