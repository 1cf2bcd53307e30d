"""A whole market on this machine, every role a process of its own."""

from pathlib import Path

import click

from dem.commands import ABOUT
from dem.console import Terminal, console, fail_readably, print_table
from dem.errors import ChainError, RequestError

_MOST_SAID = 80
_DAYS = "SELECT day, coalesce(volume_kwh, 0) AS kwh, is_metered, is_settled, is_final FROM days ORDER BY day"
"""Of the index, which the public is not shown."""
_OUT = click.option(
    "--out", type=click.Path(path_type=Path), default=Path("out/live"), show_default=True, help="Folder of the market."
)
_PORT = click.option(
    "--port", type=click.IntRange(1_024, 65_000), default=8_650, show_default=True, help="The node's; others follow."
)


@click.group(short_help=ABOUT["live"])
def cli() -> None:
    """A whole market on this machine: node, gateway, offices, households and meters, each with its own key.

    docs/guide/live.md tells what runs, and how to look at it. It is for trying out: the node is anvil, and the people
    are simulated.
    """


@cli.command()
@click.argument("scenario", type=click.Path(path_type=Path), default=Path("scenarios/rural-year"))
@_OUT
@_PORT
@click.option("--day-minutes", type=click.FloatRange(0.5, 1_440), default=10, show_default=True, help="Of real time.")
@click.option("--setup-time", type=click.IntRange(30), default=120, show_default=True, help="Seconds to the first day.")
@click.option("--nodes", default="", help="Addresses of a network that runs already (make devnet), with commas.")
@click.option("--state", default="", help="URL of the database of what the gateway remembers.")
@fail_readably
def start(scenario: Path, out: Path, port: int, day_minutes: float, setup_time: int, nodes: str, state: str) -> None:
    """Start the market of SCENARIO, or what of it does not run. Called again, it starts what was killed."""
    from dem.community.scenario import load_scenario
    from dem.devnet.live.service import Live
    from dem.devnet.live.town import Town

    urls = tuple(url for url in nodes.split(",") if url)
    live = Live(Town(out.resolve(), port, urls, state), int(day_minutes * 60), setup_time)
    live.start(load_scenario(scenario), Terminal())
    console.print(
        f"{len(live.services) + (live.node is not None)} processes; gateway at {live.town.gateway}", highlight=False
    )
    console.print("`make live-status` shows them, `make live-stop` ends them", highlight=False)


@cli.command()
@_OUT
@_PORT
@fail_readably
def status(out: Path, port: int) -> None:
    """Show every process and how far the days are; exit code 1 if something is wrong."""
    from dem.devnet.live.service import Live
    from dem.devnet.live.town import Town
    from dem.gateway.reads import Index

    live = Live(Town.existing(_existing(out), port))
    troubles = live.troubles()
    rows = [
        (service.name, str(service.pid or ""), (trouble or "well")[:_MOST_SAID], service.health)
        for service, trouble in troubles
    ]
    print_table(f"Market in {out}", ("process", "pid", "state", "health"), rows)
    try:
        days = Index(live.town.index).rows(_DAYS)
    except RequestError as error:
        console.print(str(error), highlight=False, markup=False)
    else:
        marks = ("is_metered", "is_settled", "is_final")
        lines = [
            (str(day["day"]), f"{day['kwh']:.1f}", *("yes" if day[mark] else "" for mark in marks)) for day in days
        ]
        print_table("Days", ("day", "kWh traded", "metered", "settled", "final"), lines, figures=True)
    if any(trouble for _, trouble in troubles):
        raise SystemExit(1)


@cli.command()
@_OUT
@_PORT
@fail_readably
def stop(out: Path, port: int) -> None:
    """End all processes. The chain ends with its node; keys and the index stay in the folder."""
    from dem.devnet.live.service import Live
    from dem.devnet.live.town import Town

    Live(Town.existing(_existing(out), port)).stop()


def _existing(out: Path) -> Path:
    if not (out / "town.json").exists():
        raise ChainError(f"{out}: there is no live market; start one with `live start`")
    return out.resolve()
