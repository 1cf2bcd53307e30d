"""Join a market as a household, by a gateway's address alone."""

import threading
from pathlib import Path

import click

from dem.commands import ABOUT
from dem.console import console, fail_readably
from dem.errors import DemError, RequestError

_LOOK_SECONDS = 3.0


@click.command(short_help=ABOUT["join"])
@click.option("--gateway", required=True, help="Its address, such as http://127.0.0.1:8651.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("out/home"), show_default=True, help="Its files.")
@click.option("--annual-kwh", type=click.IntRange(100, 100_000), default=3_500, show_default=True, help="It consumes.")
@click.option("--once", is_flag=True, help="End when the first day is settled.")
@fail_readably
def cli(gateway: str, out: Path, annual_kwh: int, once: bool) -> None:
    """Make a household's keys, apply, and trade and be metered day after day, until interrupted.

    Everything else it learns from the gateway. The folder --out has its keys, its settings and what its meter shows;
    called again, it goes on. `role household` and `role meter` with these settings do the same apart from each other.
    """
    try:
        from requests import RequestException

        from dem.chain.accounts import open_keystore
        from dem.gateway.client import Client
        from dem.roles.joining import Newcomer, Story
        from dem.roles.logs import log_as_json
        from dem.roles.service import Service
        from dem.roles.settings import Household
        from dem.roles.table import open_role
    except ModuleNotFoundError as error:
        why = f"joining needs {error.name}, which is not installed: `make setup`, or pip install 'dem[gateway]'"
        raise DemError(why) from None
    newcomer = Newcomer(out, gateway.rstrip("/"))
    newcomer.make(annual_kwh, Client(newcomer.gateway).market["calendar"]["periods_per_day"])
    log_as_json(out / "log.jsonl")
    settings, autopilot = open_role("household", newcomer.household)
    assert isinstance(settings, Household)
    _, meter = open_role("meter", newcomer.meter)
    services = [Service("household", "household", autopilot.make), Service("meter", "meter", meter.make)]
    for service in services:
        threading.Thread(target=service.run, daemon=True).start()
    key = open_keystore(settings.keystore, settings.passphrase_file)
    story, end = Story(Client(newcomer.gateway, key.key)), threading.Event()
    console.print(f"household {key.address}, its files in {out}", highlight=False)
    try:
        while not (once and story.settled):
            try:
                for sentence in story.news():
                    console.print(sentence, highlight=False)
            except (RequestError, RequestException) as error:
                console.print(f"the gateway does not answer now ({error}); trying again", highlight=False, markup=False)
            end.wait(_LOOK_SECONDS)
    finally:
        for service in services:
            service.stop()
