"""Issue the bills of a run."""

from datetime import UTC, datetime
from pathlib import Path

import click

from dem.commands import ABOUT
from dem.console import console, fail_readably
from dem.gateway.pages.language import LANGUAGES, language


@click.command(short_help=ABOUT["bill"])
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--member", "members", multiple=True, help="Bill this member only; repeatable.")
@click.option("--by", type=click.Choice(["month", "day"]), default="month", show_default=True, help="Of local time.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the book of bills; FOLDER/bills if not given.")
@click.option("--language", "code", type=click.Choice(LANGUAGES), default="en", show_default=True)
@click.option("--pdf", is_flag=True, help="Also as tagged PDF: needs the extra pdf.")
@fail_readably
def cli(folder: Path, members: tuple[str, ...], by: str, out: Path | None, code: str, pdf: bool) -> None:
    """Bill the members of the run in FOLDER by calendar month or day, in its local time.

    Bills are numbered in a book and never change. Issue again after a correction, and a new bill names the old one;
    what has not changed gets no bill.
    """
    from dem.gateway.bills.book import Book
    from dem.gateway.bills.drawing import write
    from dem.results.bills import DAY, MONTH, bills_of
    from dem.results.reader import read_results

    results = read_results(folder)
    target = out or folder / "bills"
    book = Book(target)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    made = book.issue(bills_of(results, MONTH if by == "month" else DAY, members), results.run.scenario, by, now)
    write(target, book, language(code), pdf)
    corrected = sum(bool(document.corrects) for document in made)
    console.print(f"{len(made)} bills issued, {corrected} of them corrections, in {target}", highlight=False)
