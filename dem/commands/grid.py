"""Check what a network carries, and import one."""

from pathlib import Path

import click

from dem.commands import ABOUT
from dem.console import console, fail_readably
from dem.errors import InputError


@click.group(short_help=ABOUT["grid"])
def cli() -> None:
    """What a network carries: its lines, transformers and voltages; and what its dispatcher has limited.

    docs/guide/grid.md says more.
    """


@cli.command(name="import")
@click.argument("net")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the tables.")
@click.option("--open", "opened", multiple=True, help="Line that is open, so that no ring is left; repeatable.")
@fail_readably
def import_(net: str, out: Path, opened: tuple[str, ...]) -> None:
    """Write the tables of NET, a network of pandapower, into a folder.

    NET is a JSON file that pandapower has written, pandapower:NAME of its own networks, or simbench:CODE. The packages
    pandapower and simbench are needed for this and nothing else. Limits are those of EN 50160 (0.9 to 1.1 of nominal)
    and 100 % of the rating: change limits.csv as you need.
    """
    from dem.grid.importing import from_pandapower, open_net
    from dem.grid.network import read_network

    network, left = from_pandapower(open_net(net), opened)
    network.write(out)
    network = read_network(out)
    without = "".join(f"; {count} {what} left out" for what, count in sorted(left.items()))
    console.print(
        f"{out}: {len(network.buses)} buses, {len(network.lines)} lines, {len(network.transformers)} transformers, "
        f"{len(network.sources)} sources{without}\nhash {network.digest}",
        highlight=False,
        soft_wrap=True,
    )


@cli.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder for the days of a scenario; default out/<name>-grid."
)
@fail_readably
def check(folder: Path, out: Path | None) -> None:
    """Say what the network of a run or a scenario in FOLDER carried, and what was beyond a limit.

    Of a scenario, its days are played without a chain first. Three cases stand beside each other: the programme as
    known the day before (contracts, else forecasts), what the meters showed, and what they would have shown within
    limits that follow from the programme. Ends with exit code 1 if the meters' flows were beyond a limit.

    Writes violations.csv, held.csv (the limits) and network.svg into the folder grid of the run.
    """
    from dem.community.scenario import CONFIG, load_scenario
    from dem.offchain.run import write_days
    from dem.results.reader import read_results

    if (folder / CONFIG).exists():
        scenario = load_scenario(folder)
        if scenario.network is None:
            raise InputError(
                str(folder / CONFIG), None, "names no network: add [grid] with folder = a folder of tables"
            )
        folder = out or Path("out") / f"{scenario.config.name}-grid"
        write_days(scenario, folder)
    elif out is not None:
        raise InputError("--out", str(out), f"is for the days of a scenario, and {folder} holds no {CONFIG}")
    results = read_results(folder)

    # What draws takes a second to load: a folder that does not fit together is refused before.
    from dem.commands.grid_check import show_and_write
    from dem.results.grid import check_grid

    found = check_grid(folder, results)
    if found is None:
        raise InputError(str(folder), None, "is of a scenario without a network: its scenario.toml has no [grid]")
    show_and_write(found, results, folder)
    if found.shown.violations:
        raise SystemExit(1)


@cli.command()
@click.argument("folder", type=click.Path(path_type=Path))
@fail_readably
def recheck(folder: Path) -> None:
    """Work out anew every limit that the dispatcher of the run in FOLDER has published, and compare.

    Everything comes from the folder: the network, where members are connected, the forecasts, and the events that the
    chain has recorded. Ends with exit code 1 on any difference.
    """
    from dem.console import print_checks
    from dem.drive.run import names_of
    from dem.relay.history import of_run
    from dem.results.grid_recheck import recheck as compare
    from dem.results.reader import read_results

    results = read_results(folder)
    if results.run.without_chain:
        raise InputError(str(folder), None, "was played without a chain, so nothing was published: play it on one")
    replay, _ = of_run(folder)
    checks = compare(folder, results, replay, names_of(folder))
    print_checks(checks)
    if not all(check.ok for check in checks):
        raise SystemExit(1)
