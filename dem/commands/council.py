"""Propose, approve and execute decisions of the council."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dem.chain.options import on_chain
from dem.commands import ABOUT
from dem.console import console, fail_readably, print_table

if TYPE_CHECKING:
    from dem.deployment.market import Market
    from dem.governance.council import Proposal

_STANDING = ("open", "decided")


@click.group(short_help=ABOUT["council"])
def cli() -> None:
    """Decisions of the council (rule 13). FOLDER holds the manifest of the deployed market.

    Whoever holds a seat proposes and approves; once a proposal has enough approvals its delay begins, and after it
    anybody executes it.
    """


def _command(function: Callable[..., None], acts: bool = True) -> click.Command:
    """A command on a deployed market, which is its first argument. acts: with an account."""

    def run(folder: Path, account: str | None = None, **further: Any) -> None:
        from dem.chain.connection import Chain
        from dem.deployment.market import MANIFEST, connect, role_keys

        chain = Chain.connected()
        keys = role_keys(chain, account) if acts else {}
        function(connect(chain, keys, folder / MANIFEST), **further)

    run.__doc__ = function.__doc__
    own: Any = fail_readably(run)
    own.__click_params__ = list(getattr(function, "__click_params__", []))
    if acts:
        own = click.option("--account", help="Ape account of the seat; on a development network not needed.")(own)
    own = click.argument("folder", type=click.Path(path_type=Path))(own)
    command = on_chain(function.__name__.replace("_", "-"))(own)
    cli.add_command(command)
    return command


def _send(market: "Market", function: str, *arguments: Any) -> None:
    market.chain.send(market.keys["node"], market.contract("Council"), function, *arguments)


def _print(market: "Market", some: "Iterable[Proposal]") -> None:
    """A line each, however long: the calls are what is decided."""
    from dem.governance.council import in_words

    for p in some:
        ready = f", ready {_time(p.ready_at)}" if p.ready_at else ""
        lacking = ((p.missing_institutions, "institutions"), (p.missing_representatives, "representatives"))
        lacks = "".join(f", {count} more of the {kind}" for count, kind in lacking if count and p.state in _STANDING)
        words = in_words(market.addresses, p.calls)
        line = f"{p.number} {p.state}, {p.approvals} of {p.needed} approvals{lacks}{ready}: {words}"
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def _print_one(market: "Market", number: int) -> None:
    from dem.governance.council import proposal

    _print(market, [proposal(market, number)])


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


@partial(_command, acts=False)
@click.option("--all", "is_all", is_flag=True, help="Executed and expired ones as well.")
def show(market: "Market", is_all: bool) -> None:
    """Print the seats, and the proposals that can still be approved or executed."""
    from dem.governance.council import proposals

    seats = market.contract("Council").functions.seats().call()
    rows = [
        (str(number), holder, "representative" if is_elected else "institution", sealer if int(sealer, 16) else "")
        for holder, is_elected, number, sealer in seats
    ]
    print_table("Seats", ("no", "holder", "kind", "sealer"), rows)
    _print(market, (p for p in proposals(market) if is_all or p.state in _STANDING))


@_command
@click.argument("words", nargs=-1, required=True)
def propose(market: "Market", words: tuple[str, ...]) -> None:
    """Propose WORDS: a function and its arguments, and after the word "and" further ones.

    Roles go by name. Of new rules say the first day and what changes: MarketRules.announce 12 platformFee=30. A
    mistyped function is answered with all that can be proposed.
    """
    from dem.governance.council import calls_in_words, proposals

    _send(market, "propose", calls_in_words(market, words))
    _print(market, [next(proposals(market))])


@_command
@click.argument("number", type=click.IntRange(1))
def approve(market: "Market", number: int) -> None:
    """Approve proposal NUMBER."""
    _send(market, "approve", number)
    _print_one(market, number)


@_command
@click.argument("number", type=click.IntRange(1))
def withdraw(market: "Market", number: int) -> None:
    """Take the approval of proposal NUMBER back."""
    _send(market, "withdrawApproval", number)
    _print_one(market, number)


@_command
@click.argument("number", type=click.IntRange(1))
def execute(market: "Market", number: int) -> None:
    """Execute proposal NUMBER, which is decided and has waited its delay."""
    _send(market, "execute", number)
    _print_one(market, number)


@_command
@click.argument("sealer")
def announce_sealer(market: "Market", sealer: str) -> None:
    """Announce SEALER, the address that the seat's own node seals blocks with; see the command `sealers`."""
    _send(market, "announceSealer", sealer)


@_command
def pause(market: "Market") -> None:
    """Stop the new orders of all markets, at once; nothing stops cancelling, settlement and withdrawals."""
    market.chain.send(market.keys["node"], market.accounts, "pauseAll")
    console.print(
        "all markets that this node may pause are paused until the next gate comes near; the council lifts it before "
        "(Accounts.unpause) or goes on with it (Accounts.keepPaused)"
    )
