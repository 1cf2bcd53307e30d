"""Draw the report of a run."""

from pathlib import Path

import click

from dem.commands import ABOUT
from dem.console import console, fail_readably, print_summary


@click.command(short_help=ABOUT["report"])
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--member", "members", multiple=True, help="Write this member's page only; repeatable.")
@fail_readably
def cli(folder: Path, members: tuple[str, ...]) -> None:
    """Print the summary of the run in FOLDER and write its report.html from the CSV tables there.

    Beside it, the folder members gets a page for every member: what it paid, and why. Of more than 200 members those
    get one who are named with --member.
    """
    from dem.results.reader import read_results

    results = read_results(folder)

    # What draws takes a second to load: a folder that does not fit together is refused before.
    from dem.report import write_members, write_report
    from dem.results.summary import summarise

    if members:
        for page in write_members(folder, results, members):
            console.print(f"page in {page}", highlight=False)
        return
    summary = summarise(results)
    print_summary(summary)
    console.print(f"pictures in {write_report(folder, results, summary)}", highlight=False)
