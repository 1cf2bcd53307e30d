"""The console command `dem`. Its subcommands, a file each, are those of `ape run` in a checkout.

Only the command that is asked for is imported, and of it no more than its help needs: what a command works with is
imported in its function. So help takes no time, and what needs no chain does not wait for the libraries of one.
"""

from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from typing import Any

import click
from click.shell_completion import CompletionItem

CONTENTS = {
    "Play trading days": {
        "demo": "play the demo: a Sunday in a village of 36",
        "day": "run the trading days of a scenario",
        "compare": "compare a scenario's days under every kind of market",
        "study": "compare arms over days and seeds, with statistics",
        "clear": "clear one order book from a CSV file",
    },
    "Bring your own community": {
        "meters": "read what metering operators deliver, carry what meters say",
        "scenario": "make a scenario from meter readings",
        "check": "say everything that is wrong with a scenario",
    },
    "Look at a run": {
        "grid": "check what a network carries, and import one",
        "report": "draw the report of a run from its tables",
        "prove": "check the proof of a day that a member's page gives",
        "bill": "issue bills to the members of a run",
        "reconcile": "recompute a run from its events and compare every balance",
    },
    "Keep a market on a node": {
        "deploy": "deploy the contracts for a scenario",
        "index": "put a market's events into an SQLite database",
        "gateway": "serve a market to people's software",
        "clients": "register institutions' software with a gateway",
        "erase": "erase what a gateway knows of a member who has left",
        "live": "run a whole market here, a process for every role",
        "join": "join a market as a household, by a gateway's address alone",
        "role": "run an office, a household or a meter as a service",
        "payout": "take out what members have signed, for a bank or the next epoch",
        "outbox": "look at money out to banks, note what was paid",
        "late": "settle a member's final day late, with its proof",
        "health": "say whether nodes and market are well, and what to do",
    },
    "Govern it": {
        "council": "list, propose, approve and execute the council's decisions",
        "access": "print the matrix role x function",
        "sealers": "let the own node vote for the council's sealers",
    },
}
"""Every command and what it does, by chapter."""
ABOUT = {name: about for chapter in CONTENTS.values() for name, about in chapter.items()}


class Contents(click.Group):
    """The commands as a table of contents, each loaded when it is called."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """All of them, in the order of the chapters."""
        return list(ABOUT)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        """The command of that name."""
        if name not in ABOUT:
            return None
        command: click.Command = import_module(f"dem.commands.{name}").cli
        return command

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The chapters."""
        for chapter, commands in CONTENTS.items():
            with formatter.section(chapter):
                formatter.write_dl([(name.ljust(max(map(len, ABOUT))), about) for name, about in commands.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what ape has to say of a network is one line."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            if message := import_module("dem.chain.networks").in_one_line(error):
                raise click.ClickException(message) from None
            raise

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """What a shell offers: the commands with what they do, and options."""
        found: Sequence[CompletionItem] = [
            CompletionItem(name, help=about) for name, about in ABOUT.items() if name.startswith(incomplete)
        ]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]


@click.command(cls=Contents, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("dem"), "-V", "--version", prog_name="dem")
def cli() -> None:
    """DEM, a decentralized electricity market.

    Start with `dem demo`. Each command has --help. Without --network, a command on a chain has one of its own, which
    lives inside the process and ends with it. In a checkout the same commands are called by `ape run`, too.
    """
