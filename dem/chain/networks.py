"""The networks that ape knows and may ask: a connection to one of them, and its errors as one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import ape
import click
import yaml
from ape.api import ProviderAPI
from ape.exceptions import ApeException
from ape_node.provider import NodeSoftwareNotInstalledError

from dem.chain.connection import nodes_of
from dem.chain.transport import first_answering
from dem.errors import ChainError

SETTINGS = Path(__file__).with_name("ape-config.yaml")
"""The project's own, which an installed package brings along."""
_NETWORKS = ("ethereum", "networks", "node", "test")
"""Those settings that a chain is connected by."""


@contextmanager
def connection(choice: str | None, any_node: bool = True) -> Iterator[None]:
    """A connection to a network by its name as --network takes it; None for the default one.

    any_node: another node of the network will do as well. A node that is away is no reason for a traceback.

    Raises:
        click.ClickException: there is no such network, or no node of it answers.
    """
    try:
        provider = _provider(choice, any_node)
    except ApeException as error:
        raise click.BadOptionUsage("--network", str(error)) from None
    try:
        with provider.network.use_provider(provider):
            yield
    except NodeSoftwareNotInstalledError:
        raise click.ClickException(
            "no node answers there: start it, or name another one (--network ethereum:local:URL)"
        ) from None


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
    try:
        provider = _provider(choice, any_node=True)
        provider.network.use_provider(provider).__enter__()
    except (ApeException, NodeSoftwareNotInstalledError, OSError):
        raise ChainError(f"{choice}: no node answers there: start it, or name another one") from None
    _connected_to.append(choice)


def in_one_line(error: Exception) -> str:
    """What ape says, without its traceback; empty if the error is none of ape's."""
    return f"({type(error).__name__}) {error}" if isinstance(error, ApeException) else ""


def _provider(choice: str | None, any_node: bool) -> ProviderAPI:
    """Ape's way to a network, which knows one node of it: where several are told, one that answers."""
    if choice is None:
        use_own_networks()
    else:
        require_known(choice)
    provider = ape.networks.get_provider_from_choice(choice)
    if any_node and (urls := nodes_of(provider)):
        provider.provider_settings["uri"] = first_answering(urls)
    return provider


def require_known(choice: str) -> None:
    """Refuse a network that is nobody's of one's own, before anybody on it is asked.

    Raises:
        click.UsageError: it is not known.
    """
    use_own_networks()
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
