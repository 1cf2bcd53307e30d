"""What makes a function a command on a chain: ape's options, its networks, and its errors as one line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ape
import click
import yaml
from ape.api import ProviderAPI
from ape.cli import ConnectedProviderCommand, network_option
from ape.exceptions import ApeException
from ape_node.provider import NodeSoftwareNotInstalledError

from dem.chain.connection import nodes_of
from dem.chain.transport import first_answering
from dem.errors import ChainError

SETTINGS = Path(__file__).with_name("ape-config.yaml")
"""The project's own, which an installed package brings along."""
_NETWORKS = ("ethereum", "networks", "node", "test")
"""Those settings that a chain is connected by."""


class ChainCommand(ConnectedProviderCommand):
    """A command that is connected to the network of its option --network while it runs."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does, with the networks known that the option may name."""
        use_own_networks()
        for place, word in enumerate(args):
            option, _, value = word.partition("=")
            if option == "--network":
                _require_known(value or "".join(args[place + 1 : place + 2]))
        return list(super().parse_args(ctx, args))

    def invoke(self, ctx: click.Context) -> Any:
        """As ape does, unless the option --no-chain is given; a node that is away is no reason for a traceback."""
        if ctx.params.get("no_chain"):
            return self._invoke(ctx)
        try:
            return super().invoke(ctx)
        except NodeSoftwareNotInstalledError:
            raise click.ClickException(
                "no node answers there: start it, or name another one (--network ethereum:local:URL)"
            ) from None


def on_chain(
    name: str | None = None, short_help: str | None = None, any_node: bool = True
) -> Callable[[Callable[..., Any]], click.Command]:
    """Makes a function a command with the option --network. any_node: another node of the network will do as well."""

    def decorate(function: Callable[..., Any]) -> click.Command:
        connected = network_option(callback=reachable if any_node else None)(function)
        return click.command(name, cls=ChainCommand, short_help=short_help)(connected)

    return decorate


def use_own_networks() -> None:
    """Let ape know the package's networks, in a folder that describes none in an ape-config.yaml of its own."""
    if not any(Path.cwd().glob("ape-config.*")):
        settings = yaml.safe_load(SETTINGS.read_text(encoding="utf-8"))
        ape.project.reconfigure(**{key: settings[key] for key in _NETWORKS})


_connected_to: list[str] = []


def connect_to(choice: str) -> None:
    """Connect this process, for as long as it lives, to a network by its name as --network takes it.

    Raises:
        ChainError: nobody answers there, or the process is connected to another one.
    """
    if _connected_to:
        if _connected_to != [choice]:
            raise ChainError(f"{choice}: this process is connected to {_connected_to[0]}: use another one")
        return
    use_own_networks()
    _require_known(choice)
    context = ape.networks.parse_network_choice(choice)
    try:
        reachable(None, None, context._provider)
        context.__enter__()
    except (ApeException, NodeSoftwareNotInstalledError, OSError):
        raise ChainError(f"{choice}: no node answers there: start it, or name another one") from None
    _connected_to.append(choice)


def _require_known(choice: str) -> None:
    """Refuse a network that is nobody's of one's own, before anybody on it is asked."""
    if choice.startswith(("http://", "https://")):
        return
    ecosystem, network, *_ = [*choice.split(":", maxsplit=2), "", ""]
    described = [(one.ecosystem, one.name) for one in ape.project.config.networks.custom]
    known = [("ethereum", "local"), *described]
    if not any(ecosystem in ("", one) and network in ("", name) for one, name in known):
        raise click.UsageError(
            f"network {choice!r} is not known here, so nothing was asked of it; known are "
            f"{', '.join(':'.join(one) for one in known)}, and what ape-config.yaml describes"
        )


def in_one_line(error: Exception) -> str:
    """What ape says, without its traceback; empty if the error is none of ape's."""
    return f"({type(error).__name__}) {error}" if isinstance(error, ApeException) else ""


def reachable(_context: click.Context | None, _option: click.Parameter | None, provider: Any) -> Any:
    """Lets ape, which knows one node of a network, connect to one that answers; a callback of its `network_option`."""
    if isinstance(provider, ProviderAPI) and (urls := nodes_of(provider)):
        provider.provider_settings["uri"] = first_answering(urls)
    return provider
