"""Every format says the same of the same meters, to the millionth of a Wh."""

import io
import re
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from zoneinfo import ZoneInfo

import openpyxl
import pytest

from dem.errors import InputError
from dem.metering.book import Book
from dem.metering.files import parse_delivery, read_delivery
from dem.metering.record import PER_KWH, Delivery, Direction, Quality

SAMPLES = Path(__file__).parent / "samples"
VIENNA = ZoneInfo("Europe/Vienna")
HOME, ROOF = "AT0030000000000000000000000000001", "AT0030000000000000000000000000002"
BEGIN = int(datetime(2026, 3, 28, 23, tzinfo=UTC).timestamp())
"""Midnight of the day on which clocks leave out the hour from two to three."""
USED = [".063", ".083", ".092", ".078", ".0055", ".00525", ".071", ".208", ".342", ".191", ".25", ".275"]
FED_IN = ["0", "0", "0", ".001", ".002", ".01", ".125", ".5", "1.25", "1.5", "1.75", "2"]
QUALITIES = [Quality.MEASURED] * 4 + [Quality.SUBSTITUTED, Quality.ESTIMATED] + [Quality.MEASURED] * 6


def millionths(texts: list[str]) -> list[int]:
    return [int(Fraction(text) * PER_KWH) for text in texts]


def read(name: str) -> Delivery:
    return read_delivery(SAMPLES / name, VIENNA)


def workbook(name: str) -> bytes:
    """A CSV sample as a workbook, with numbers and times that Excel knows as such."""
    book = openpyxl.Workbook()
    sheet = book.active
    for line in (SAMPLES / name).read_text(encoding="utf-8").splitlines():
        cells: list[object] = []
        for text in line.split(";"):
            number = text.replace(",", ".").replace(".", "", 1).isdigit()
            time = len(text) == 19 and text[2] == "."
            cells.append(
                datetime.strptime(text, "%d.%m.%Y %H:%M:%S")  # noqa: DTZ007 - Excel knows no zones
                if time
                else float(text.replace(",", "."))
                if number
                else text
            )
        sheet.append(cells)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


@pytest.mark.parametrize(
    ("name", "meters"),
    [
        ("template.csv", 2),
        ("energy-data.csv", 2),
        ("energy-message.xml", 1),
        ("a45-0.82.xml", 2),
        ("a45-1.04.xml", 1),
        ("course.edi", 2),
    ],
)
def test_every_format_says_the_same(name: str, meters: int) -> None:
    found = {(one.meter, one.direction): one for one in read(name).series}
    assert len(found) == meters
    home = found[HOME, Direction.IMPORT]
    assert home.seconds == 900
    assert [reading.start for reading in home.readings] == [BEGIN + 900 * n for n in range(12)]
    assert [reading.energy for reading in home.readings] == millionths(USED)
    assert [reading.quality for reading in home.readings] == QUALITIES
    if meters == 2:
        assert [reading.energy for reading in found[ROOF, Direction.EXPORT].readings] == millionths(FED_IN)
    if name != "energy-data.csv":
        assert home.issued == int(datetime(2026, 3, 30, 4, 15, tzinfo=UTC).timestamp())


@pytest.mark.parametrize("name", ["template.csv", "energy-data.csv"])
def test_a_workbook_says_what_its_table_says(name: str) -> None:
    assert told(parse_delivery(Path("x.xlsx"), workbook(name), VIENNA)) == told(read(name))


def told(delivery: Delivery) -> list[object]:
    """What it says, but for the places where."""
    return [(one.meter, one.direction, one.issued, [r[:3] for r in one.readings]) for one in delivery.series]


def test_what_no_meter_counted_is_left_alone() -> None:
    assert read("energy-data.csv").left_alone == {"Überschusserzeugung lt. Messung [KWH]": 1}
    text = (SAMPLES / "course.edi").read_bytes().replace(b"1-1?:2.29.0", b"1-1?:5.29.0")
    delivery = parse_delivery(Path("x"), text, UTC)
    assert delivery.left_alone == {"1-1:5.29.0": 1}
    assert {series.meter for series in delivery.series} == {HOME}


def test_the_hour_that_occurs_twice_is_first_the_one_before_clocks_go_back() -> None:
    times = ["01:45", "02:00", "02:15", "02:30", "02:45", "02:00", "02:15", "02:30", "02:45", "03:00"]
    rows = "".join(f"home,import,2026-10-25 {time},0.{n}\n" for n, time in enumerate(times))
    [series] = parse_delivery(Path("x"), f"meter,direction,start,kwh\n{rows}".encode(), VIENNA).series
    first = int(datetime(2026, 10, 24, 23, 45, tzinfo=UTC).timestamp())
    assert [reading.start for reading in series.readings] == [first + 900 * n for n in range(10)]
    assert [reading.energy for reading in series.readings] == [n * PER_KWH // 10 for n in range(10)]


def test_points_that_are_not_available_are_missing() -> None:
    text = (SAMPLES / "a45-1.04.xml").read_text(encoding="utf-8")
    point = re.compile(r"(<c:position>9</c:position>)\s*<c:energy_Quantity.quantity>342<.*?>(\s*.*?>)A04<")
    text, count = point.subn(r"\1\2A02<", text)
    assert count == 1
    [series] = parse_delivery(Path("x"), text.encode(), UTC).series
    assert [reading.quality for reading in series.readings] == [*QUALITIES[:8], Quality.MISSING, *QUALITIES[9:]]


def test_a_cancelled_message_takes_its_values_back_until_the_right_ones_come() -> None:
    book = Book()
    book.take(read("course.edi"))
    cancelled = (SAMPLES / "course-corrected.edi").read_bytes().replace(b"BGM+7+REF2-1+9", b"BGM+7+REF2-1+1")
    book.take(parse_delivery(Path("x"), cancelled, UTC))
    place = HOME, Direction.IMPORT
    assert [version.quality for _, version in book.newest(place)][4:6] == [Quality.MISSING] * 2
    book.take(read("course-corrected.edi"))
    assert [version.energy for _, version in book.newest(place)][4:6] == millionths([".006", ".0061"])


def test_a_correction_counts_and_an_older_issue_does_not() -> None:
    book = Book()
    assert (taken := book.take(read("course.edi"))).new == 24
    assert taken.corrected == 0
    assert book.take(read("course-corrected.edi")).corrected == 2
    for name in ("course.edi", "a45-0.82.xml", "course-corrected.edi"):
        assert book.take(read(name)).corrected == 0
    home = dict(book.newest((HOME, Direction.IMPORT)))
    assert [home[BEGIN + 900 * n].energy for n in (4, 5)] == millionths([".006", ".0061"])
    assert home[BEGIN + 3600].quality is Quality.MEASURED
    assert len(book.periods[HOME, Direction.IMPORT][BEGIN + 3600]) == 2


def test_two_values_of_one_issue_are_refused_and_nothing_is_taken() -> None:
    book = Book()
    book.take(read("course.edi"))
    text = (SAMPLES / "a45-0.82.xml").read_text(encoding="utf-8").replace(">0.275<", ">0.276<")
    before = {place: dict(periods) for place, periods in book.periods.items()}
    with pytest.raises(InputError, match=r"x, line \d+: '0.276' kWh .measured. for AT.*01 import at 2026-03-29T01:45Z"):
        book.take(
            parse_delivery(
                Path("x"), text.replace("<c:value>AT0", "<c:value>NEW0", 1).replace("NEW0", "AT0").encode(), UTC
            )
        )
    assert book.periods == before
