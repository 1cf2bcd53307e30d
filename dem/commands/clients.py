"""Register institutions' software with a gateway."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dem.commands import ABOUT
from dem.console import console, fail_readably, print_table
from dem.errors import DemError, InputError

if TYPE_CHECKING:
    from dem.gateway.state import Store

_OFFICES = ("registrar", "operator", "grid", "metering", "treasurer", "council", "auditor")
_NAME = click.argument("name")
_CONFIG = click.option(
    "--config", type=click.Path(path_type=Path), required=True, help="The gateway's configuration, a TOML file."
)
_DAY = 86_400


@click.group(short_help=ABOUT["clients"])
def cli() -> None:
    """Software of institutions, which logs in to a gateway by a secret (OAuth2 client credentials).

    docs/guide/gateway.md says how it does.
    """


@cli.command()
@_NAME
@_CONFIG
@click.option("--office", "offices", type=click.Choice(_OFFICES), multiple=True, required=True, help="What it may do.")
@click.option("--days", type=click.IntRange(1, 800), default=365, show_default=True, help="That its secret is good.")
@fail_readably
def add(name: str, config: Path, offices: tuple[str, ...], days: int) -> None:
    """Register NAME, and print its secret, which is not kept. A secret that it had is no longer good."""
    from dem.gateway.oauth import NAME

    if not NAME.fullmatch(name):
        raise InputError("NAME", name, "must be 1 to 32 lower-case letters, digits or hyphens")
    store = _store(config)
    secret = store.register(name, sorted({*offices}), days * _DAY)
    store.close()
    click.echo(f"client_id:     {name}\nclient_secret: {secret}")


@cli.command("list")
@_CONFIG
@fail_readably
def list_(config: Path) -> None:
    """Print who is registered, with which offices, and until when."""
    store = _store(config)
    rows = [
        (
            one["name"],
            ", ".join(one["offices"]),
            *(f"{datetime.fromtimestamp(one[n], UTC):%Y-%m-%d}" for n in ("at", "expires")),
        )
        for one in store.clients()
    ]
    store.close()
    print_table("", ("client", "offices", "since", "until"), rows)


@cli.command()
@_NAME
@_CONFIG
@fail_readably
def revoke(name: str, config: Path) -> None:
    """End NAME. Its tokens end at once, too."""
    store = _store(config)
    was_there = store.revoke(name)
    store.close()
    if not was_there:
        raise InputError("NAME", name, "is no client: `clients list` prints them")
    console.print(f"{name} is revoked", highlight=False)


def _store(config: Path) -> "Store":
    try:
        from dem.gateway.config import load
        from dem.gateway.state import Store
    except ModuleNotFoundError as error:
        why = f"the gateway needs {error.name}, which is not installed: `make setup`, or pip install 'dem[gateway]'"
        raise DemError(why) from None
    return Store(load(config).state_url)
