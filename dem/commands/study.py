"""Compare arms of scenarios over days and seeds, with statistics."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.markup import escape

from dem.chain.options import on_chain
from dem.commands import ABOUT
from dem.console import StudyProgress, console, fail_readably, print_checks, print_table

if TYPE_CHECKING:
    from dem.lab.study import Findings


@on_chain(short_help=ABOUT["study"])
@click.argument("study", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the results; default out/<study>.")
@click.option("--workers", type=click.IntRange(1), help="Processes that play; default one for each core.")
@click.option("--cluster", metavar="ADDRESS", help="A Dask scheduler that plays instead, such as tcp://host:8786.")
@click.option("--no-chain", is_flag=True, help="Replay nothing on contracts, whatever the study says.")
@fail_readably
def cli(study: Path, out: Path | None, workers: int | None, cluster: str | None, no_chain: bool) -> None:
    """Play STUDY, a study.toml that names arms, days and seeds, and say how the arms differ.

    The reference model plays all days. The share of them that the study says is played on contracts, too, and must come
    to the same, to the unit. What is finished is kept: after an interruption the same command goes on where it was.
    """
    from dem.lab.study import read_study, run_study
    from dem.lab.study.running import cores

    design = read_study(study)
    on_contracts = None
    if not no_chain:
        from dem.drive.contracts import play_on_contracts

        on_contracts = play_on_contracts
    folder = out or Path("out") / design.name
    with StudyProgress() as progress:
        findings = run_study(
            design,
            folder,
            workers=workers or cores(),
            cluster=cluster,
            on_contracts=on_contracts,
            told=progress.told,
        )
    from dem.report.study import write_study_page

    page = write_study_page(folder, findings)
    print_study(findings)
    console.print(f"\nTables in [bold]{folder}[/], pictures in [bold]{page}[/]")
    if not findings.replays["same"].all():
        raise SystemExit(1)


def print_study(findings: "Findings") -> None:
    """What each arm differs by from the baseline, and what was played on contracts, too."""
    from dem.lab.study.words import effect_tables, study_checks

    for title, columns, rows in effect_tables(findings):
        told = f"Means of {columns[1]}, then differences to it, ± half of a 95 % interval"
        heading = ", ".join(filter(None, (title, told)))
        print_table(heading, columns, [[escape(cell) for cell in row] for row in rows], figures=True)
    print_checks(study_checks(findings))
