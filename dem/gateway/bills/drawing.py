"""A document of the book as people and programs read it: HTML, tagged PDF, CSV and XML."""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree

from dem.errors import DemError
from dem.gateway.bills.book import Book
from dem.gateway.pages.drawing import draw
from dem.gateway.pages.language import Language, digits_of
from dem.model.bills import Document, Line
from dem.model.units import KWH_DECIMALS, MONEY_DECIMALS

NAMESPACE = "urn:dem:bill:1"
SUMMARY = "bills.csv"
"""All documents of a book, a row each."""
_COLUMNS = (
    "number", "issued", "participant", "span", "corrects", "posted", "levies_and_vat", "total", "change", "due",
    "rest_carried", "currency",
)  # fmt: skip
_LINE_COLUMNS = ("number", "participant", "span", "part", "line", "detail", "energy_kwh", "amount", "currency")


class PdfError(DemError):
    """What draws PDF is not there."""


def write(folder: Path, book: Book, spoken: Language, with_pdf: bool) -> list[Path]:
    """Write the files of documents that have none yet, and the summary anew; returns the new ones.

    Raises:
        PdfError: PDF cannot be drawn here.
    """
    draws: dict[str, Callable[[Document], str]] = {
        "csv": as_csv,
        "xml": as_xml,
        "html": lambda document: as_html(document, spoken),
    }
    paths = []
    for document in book.documents:
        for kind in (*draws, *(["pdf"] if with_pdf else [])):
            path = folder / f"{document.number}.{kind}"
            if not path.exists():
                content = as_pdf(as_html(document, spoken)) if kind == "pdf" else draws[kind](document).encode()
                path.write_bytes(content)
                paths.append(path)
    (folder / SUMMARY).write_text(summary(book.documents), encoding="utf-8")
    return paths


def as_html(document: Document, spoken: Language) -> str:
    """A page of its own."""
    return draw("document.html.j2", spoken, document=document, **values(document))


def values(document: Document) -> dict[str, object]:
    """What the template of a bill asks for beside the document."""
    bill = document.bill
    begins, ends = datetime.fromisoformat(bill.begins), datetime.fromisoformat(bill.ends)
    return {
        "bill": bill,
        "begins": begins,
        "ends": ends,
        "issued": datetime.fromisoformat(document.issued),
        "is_month": len(bill.span) == len("2016-05"),
        "digits": digits_of([*(line.units for line in bill.lines), document.before_units, document.rest_units]),
        "cent": 10 ** (MONEY_DECIMALS - 2),
    }


def as_pdf(page: str) -> bytes:
    """The page as a PDF that screen readers can follow (PDF/UA-1).

    Raises:
        PdfError: weasyprint, or a library that it needs, is not installed.
    """
    try:
        from weasyprint import HTML
    except (ImportError, OSError) as error:
        why = f"bills as PDF need weasyprint ({error}): pip install 'dem[pdf]', and install the library pango"
        raise PdfError(why) from error
    made: bytes = HTML(string=page, url_fetcher=_fetch_nothing).write_pdf(pdf_variant="pdf/ua-1")
    return made


def _fetch_nothing(url: str) -> dict[str, object]:
    raise ValueError(f"{url}: a bill asks nobody for anything")


def as_csv(document: Document) -> str:
    """Its lines, exact."""
    bill, about = document.bill, (document.number, document.bill.participant, document.bill.span)
    rows = [
        (*about, part, line.what, line.detail, _kwh(line), _exact(line.units), bill.currency)
        for part, lines in _parts(document)
        for line in lines
    ]
    return _csv(_LINE_COLUMNS, rows)


def summary(documents: Sequence[Document]) -> str:
    """A row for each document."""
    rows = [
        (
            one.number, one.issued, one.bill.participant, one.bill.span, one.corrects, _exact(one.bill.posted_units),
            _exact(one.bill.total_units - one.bill.posted_units), _exact(one.bill.total_units),
            _exact(one.change_units), _cents(one.due_cents), _exact(one.rest_units), one.bill.currency,
        )
        for one in documents
    ]  # fmt: skip
    return _csv(_COLUMNS, rows)


def as_xml(document: Document) -> str:
    """The same as data, by the names of docs/guide/bills.md."""
    bill = document.bill
    root = ElementTree.Element("bill", xmlns=NAMESPACE, number=document.number, currency=bill.currency)
    for name, text in {
        "issued": document.issued,
        "corrects": document.corrects,
        "participant": bill.participant,
        "span": bill.span,
        "begins": bill.begins,
        "ends": bill.ends,
        "zone": bill.zone,
        "drawn-kwh": _decimal(bill.drawn_wh, KWH_DECIMALS),
        "fed-in-kwh": _decimal(bill.fed_in_wh, KWH_DECIMALS),
        "periods": str(bill.periods),
        "estimated": str(bill.estimated),
    }.items():
        if text:
            ElementTree.SubElement(root, name).text = text
    for part, lines in _parts(document):
        for line in lines:
            about = {"part": part, "what": line.what, "amount": _exact(line.units)}
            if line.energy_wh:
                about["kwh"] = _kwh(line)
            if line.detail:
                about["detail"] = line.detail
            ElementTree.SubElement(root, "line", about)
    for name, text in {
        "posted": _exact(bill.posted_units),
        "total": _exact(bill.total_units),
        "before": _exact(document.before_units) if document.corrects else "",
        "rest-before": _exact(document.rest_before_units),
        "due": _cents(document.due_cents),
        "rest": _exact(document.rest_units),
        "by-tariffs": _exact(bill.tariff_units),
        "without-trade": "" if bill.alone_units is None else _exact(bill.alone_units),
        "previous": document.previous,
        "hash": document.hash,
    }.items():
        if text:
            ElementTree.SubElement(root, name).text = text
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _parts(document: Document) -> Sequence[tuple[str, Sequence[Line]]]:
    bill = document.bill
    return ("energy", bill.energy), ("charge", bill.charges), ("payment", bill.payments), ("tax", bill.taxes)


def _csv(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()


def _kwh(line: Line) -> str:
    return _decimal(line.energy_wh, KWH_DECIMALS) if line.energy_wh else ""


def _exact(units: int) -> str:
    return _decimal(units, MONEY_DECIMALS)


def _cents(cents: int) -> str:
    return _decimal(cents, 2)


def _decimal(count: int, places: int) -> str:
    return f"{Decimal(count).scaleb(-places):f}"
