"""What makes a function a command on a chain: the option --network, and a connection while it runs.

A command's help needs no connection, nor does one with --no-chain: what connects is loaded where a command runs on one.
"""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import click


class ChainCommand(click.Command):
    """A command that is connected to the network of its option --network while it runs."""

    any_node = True
    """Whether another node of the network will do as well."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run it, connected unless the option --no-chain is given."""
        network = ctx.params.pop("network")
        with nullcontext() if ctx.params.get("no_chain") else self._connection(network):
            return super().invoke(ctx)

    def _connection(self, network: str | None) -> Any:
        from dem.chain.networks import connection

        return connection(network, self.any_node)


def _known(_context: click.Context, _option: click.Parameter, choice: str | None) -> str | None:
    """The network, refused before anything else if nobody here knows it."""
    if choice is not None:
        from dem.chain.networks import require_known

        require_known(choice)
    return choice


def on_chain(
    name: str | None = None, short_help: str | None = None, any_node: bool = True
) -> Callable[[Callable[..., Any]], click.Command]:
    """Makes a function a command with the option --network. any_node: another node of the network will do as well."""
    option = click.option(
        "--network",
        callback=_known,
        is_eager=True,
        metavar="ECOSYSTEM[:NETWORK[:PROVIDER]]",
        help="Connect to this one, such as ethereum:local:http://127.0.0.1:8545; default a chain in this process.",
    )

    def decorate(function: Callable[..., Any]) -> click.Command:
        command: ChainCommand = click.command(name, cls=ChainCommand, short_help=short_help)(option(function))
        command.any_node = any_node
        return command

    return decorate
