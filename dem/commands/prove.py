"""Check a proof of one's own day."""

from pathlib import Path

import click

from dem.commands import ABOUT
from dem.console import console, fail_readably
from dem.errors import InputError


@click.command(short_help=ABOUT["prove"])
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--block", help="Hash of the block, as somebody else tells it.")
@click.option("--manifest", type=click.Path(path_type=Path), help="The market's manifest.json, for its contracts.")
@fail_readably
def cli(file: Path, block: str | None, manifest: Path | None) -> None:
    """Check FILE, the proof of a day that a member's page "Prove my bill" gives.

    It asks nobody: from the member's words to the day's commitment, and from there to the header of a block, everything
    is computed here. That the block is one of the chain is not in the file: ask another node or institution for the
    hash of that block, and name it by --block. --manifest says that the contracts are those of the market.
    """
    from datetime import UTC, datetime

    from dem.deployment.market import Manifest
    from dem.model.units import MONEY_DECIMALS
    from dem.replay.evidence import check, read

    evidence = read(file)
    shown = check(evidence)
    if block is not None and block.lower() != shown.hash:
        raise InputError("--block", block, f"is not the block of the proof, which is {shown.hash}")
    if manifest is not None:
        known = Manifest.load(manifest)
        for name, part in (("Settlement", evidence.settlement), ("Accounts", evidence.accounts)):
            if known.contracts[name]["address"].lower() != part.contract:
                raise InputError(name, part.contract, f"is not the contract of {manifest}")

    def money(units: int) -> str:
        sign = "-" if units < 0 else ""
        return f"{sign}{abs(units) // 10**MONEY_DECIMALS:,}.{abs(units) % 10**MONEY_DECIMALS:0{MONEY_DECIMALS}d}"

    def kwh(wh: int) -> str:
        return f"{wh / 1_000:,.3f} kWh"

    lines = {
        "drawn": kwh(shown.drawn),
        "fed in": kwh(shown.fed_in),
        "contracted, net": kwh(int(shown.contracted.sum())),
        "periods, of them estimated": f"{len(shown.metered)}, {int(shown.estimated.sum())}",
        "supply and surplus beyond contracts": money(shown.beyond),
        "free on the account": money(shown.free),
        "locked by the auction": money(shown.locked),
        "not paid yet": money(shown.arrears),
    }
    time = f"{datetime.fromtimestamp(shown.time, UTC):%Y-%m-%d %H:%M:%S} UTC"
    console.print(f"Day {evidence.day} of member {evidence.member}, by block {shown.block} of {time}", highlight=False)
    for what, value in lines.items():
        console.print(f"  {what:<36} {value:>18}", highlight=False)
    console.print("Proven: these energies and this account are in the state of the block", highlight=False)
    console.print(f"  {shown.hash}", highlight=False)
    said = [
        "that this block is one of the chain"
        if block is None
        else "that who told you the hash of the block told it right",
        "that the contracts in the file are the market's" if manifest is None else "",
        f"that prices count from {evidence.lowest / 1e5:.5f}",
    ]
    console.print(f"Not proven, but trusted: {'; '.join(filter(None, said))}.", highlight=False)
