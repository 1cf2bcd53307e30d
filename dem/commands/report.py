"""Draw the report of a run."""

from pathlib import Path

import click

from dem.commands import ABOUT
from dem.console import console, fail_readably, print_summary
from dem.report import write_report
from dem.results.reader import read_results
from dem.results.summary import summarise


@click.command(short_help=ABOUT["report"])
@click.argument("folder", type=click.Path(path_type=Path))
@fail_readably
def cli(folder: Path) -> None:
    """Print the summary of the run in FOLDER and write its report.html from the CSV tables there."""
    results = read_results(folder)
    summary = summarise(results)
    print_summary(summary)
    console.print(f"pictures in {write_report(folder, results, summary)}", highlight=False)
