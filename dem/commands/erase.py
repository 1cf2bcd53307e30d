"""Erase what a gateway knows of a member who has left."""

from pathlib import Path

import click

from dem.commands import ABOUT
from dem.console import console, fail_readably
from dem.errors import DemError, InputError


@click.command(short_help=ABOUT["erase"])
@click.argument("member", type=click.IntRange(1))
@click.option(
    "--config", type=click.Path(path_type=Path), required=True, help="The gateway's configuration, a TOML file."
)
@fail_readably
def cli(member: int, config: Path) -> None:
    """Erase what the gateway of --config remembers of MEMBER (its number), who has left the market.

    Messages, offers, readings that a metering operator brought, consents, logins and the log of who has read about it
    go. What is on the chain stays there, and so do bills, which the law wants kept: docs/guide/privacy.md says what is
    where.
    """
    try:
        from dem.gateway.config import load
        from dem.gateway.reads import Index
        from dem.gateway.state import Store
    except ModuleNotFoundError as error:
        why = f"the gateway needs {error.name}, which is not installed: `make setup`, or pip install 'dem[gateway]'"
        raise DemError(why) from None
    configuration = load(config)
    found = Index(configuration.index_place).participant(member)
    if found["status"] != "exited":
        raise InputError("MEMBER", member, f"is {found['status']}: only who has left is erased")
    meters = [name for name, owner in configuration.meters.items() if owner == member]
    store = Store(configuration.state_url)
    gone = store.erase(found["account"], member, meters)
    store.close()
    told = ", ".join(f"{count} of {name}" for name, count in gone.items() if count)
    console.print(f"member {member}: erased {told or 'nothing: there was nothing'}", highlight=False)
