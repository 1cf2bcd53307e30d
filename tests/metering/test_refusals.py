"""Files that are broken or hostile: refused with their place and a reason, and nothing of them is taken."""

import io
import zipfile
from datetime import UTC
from pathlib import Path
from zoneinfo import ZoneInfo

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dem.errors import InputError
from dem.metering.files import parse_delivery, read_delivery
from dem.metering.record import MOST_BYTES

SAMPLES = Path(__file__).parent / "samples"
VIENNA = ZoneInfo("Europe/Vienna")
BOMB = """<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
<ConsumptionRecord>&b;</ConsumptionRecord>"""
OUTSIDE = """<?xml version="1.0"?>
<!DOCTYPE a SYSTEM "file:///etc/passwd">
<ConsumptionRecord/>"""


def refusal(content: bytes, zone: object = VIENNA) -> str:
    with pytest.raises(InputError) as caught:
        parse_delivery(Path("d"), content, zone)  # type: ignore[arg-type]
    return str(caught.value)


EDITS = [
    # the template
    ("template.csv", "kwh", "kw", "begins no format that is read"),
    ("template.csv", "quality", "colour", "d, line 1: 'colour' is none of meter, direction"),
    ("template.csv", "quality", "kwh", "d, line 1: 'kwh' is there twice"),
    ("template.csv", ";import;", ";inport;", "d, line 2, column direction: 'inport' is none of import, export"),
    ("template.csv", "0,063", "0,0,63", "d, line 2, column kwh: '0.0.63' must be a plain decimal number"),
    ("template.csv", "0,063", "-0,063", "d, line 2: -0.063 kWh is negative"),
    ("template.csv", "0,063", "NaN", "column kwh: 'NaN' must be a plain decimal number"),
    ("template.csv", "0,063", "1e999", "column kwh: '1e999' is too large"),
    ("template.csv", "0,063", "0,0630000001", "must be a whole number of millionths of a Wh"),
    ("template.csv", "0,063", "=1+1", "column kwh: '=1+1' must be a plain decimal number"),
    ("template.csv", "2026-03-29 00:00", "2026-03-29 00:07", "is no beginning of a period of 15 minutes"),
    ("template.csv", "2026-03-29 00:00", "2026-03-29 02:15", "is no time in Europe/Vienna"),
    ("template.csv", "2026-03-29 00:00", "yesterday", "d, line 2, column start: 'yesterday' must be a time such as"),
    ("template.csv", "measured", "guessed", "d, line 2, column quality: 'guessed' is none of"),
    ("template.csv", "AT003", "../AT003", "'../AT003"),
    ("template.csv", ";measured", "", "has 5 values for 6 columns"),
    # Austrian energy data
    ("energy-data.csv", "Energy direction", "Direction", "lacks the row energy direction"),
    ("energy-data.csv", "CONSUMPTION;", "BOTH;", "column 2: 'BOTH' is none of CONSUMPTION, GENERATION"),
    ("energy-data.csv", "Gesamtverbrauch", "Gesamte gemeinschaftliche Erzeugung", "is no CONSUMPTION"),
    ("energy-data.csv", "[KWH];Qualität;Gesamte", "[MWH];Qualität;Gesamte", "'MWH' is not kWh"),
    ("energy-data.csv", "Interval;QH", "Interval;D", "'D' is none of QH, H"),
    ("energy-data.csv", ";L2;", ";L9;", "has the quality 'L9'"),
    ("energy-data.csv", "29.03.2026 01:00:00", "Zwischensumme", "'Zwischensumme' is no time, nor a row of the head"),
    ("energy-message.xml", "KWH", "KW", "has the unit KW"),
    ("energy-message.xml", ">L2<", ">L7<", "MM: 'L7' is none of L1, L2, L3"),
    ("energy-message.xml", "<cr:BQ>0.063</cr:BQ>", "", "d, line 18, EP: must have one BQ, and has 0"),
    ("energy-message.xml", "T00:15:00+01:00</cr:DTT>", "T00:16:00+01:00</cr:DTT>", "960 s is no length of a period"),
    # CIM
    ("a45-0.82.xml", ">A45<", ">A44<", "type: 'A44' must be A45"),
    ("a45-0.82.xml", ">KWH<", ">KWT<", "energy_Measurement_Unit.name: 'KWT' is none of"),
    ("a45-0.82.xml", ">PT15M<", ">PT15S<", "resolution: 'PT15S' is no length of a period"),
    ("a45-0.82.xml", ">PT15M<", ">P1D<", "resolution: 'P1D' is no length of a period"),
    ("a45-0.82.xml", "<c:position>2<", "<c:position>1<", "position: '1' is there twice"),
    ("a45-0.82.xml", "<c:position>12<", "<c:position>13<", "position: '13' is no position"),
    ("a45-0.82.xml", "<c:position>1<", "<c:position>1762<", "position: '1762' is no position"),
    ("a45-0.82.xml", "direction>A02<", "direction>A01<", "businessType: 'A04' is no export"),
    ("a45-0.82.xml", "02:00Z</c:end>\n        ", "02:07Z</c:end>\n        ", "must be whole periods of 15"),
    ("a45-0.82.xml", "</c:TimeSeriesList>", "", "is no XML: mismatched tag"),
    ("a45-0.82.xml", "UTF-8", "utf-9", "is in no encoding that can be read"),
    # MSCONS
    ("course.edi", "QTY+67:0.0055:KWH'", "QTY+67:0.0055:KWT'", "QTY' has the unit 'KWT'"),
    ("course.edi", "QTY+67:", "QTY+99:", "has the state '99'"),
    ("course.edi", ".29.0:SRW", ".8.0:SRW", "holds no readings of energy"),
    ("course.edi", "1-1?:1.29.0", "gas", "PIA' has 'gas', which is no OBIS code"),
    ("course.edi", "MSCONS", "UTILMD", "must be of type MSCONS, not UTILMD"),
    ("course.edi", "DTM+163:202603282300?+00:303'\nDTM+164:202603282315?+00:303'\n", "", "UNT"),
    ("course.edi", "DTM+163:202603282315?+00:303'", "FTX+AAI'", "must have its beginning"),
    ("course.edi", "DTM+164:202603282315?+00:303'", "DTM+164:20260328:102'", "must tell a time as"),
    ("course.edi", "DTM+164:202603282315?+00:303'", "DTM+164:202613282315?+00:303'", "tells no time of the calendar"),
    ("course.edi", "UNZ+2+REF1'", "", "is no whole interchange"),
    ("course.edi", "UNZ+2", "UNZ+3", "messages are missing or too many"),
    ("course.edi", "BGM+7+REF1-1+9", "BGM+7+REF1-1+3", "must be an original (9) or a cancellation (1)"),
    ("course.edi", "UNZ+2+REF1'", "UNZ+2+REF1", "is no EDIFACT"),
    ("course.edi", "NAD+DP'", "UNA:+.? 'NAD+DP'", "UN"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "old", "new", "said"), EDITS)
def test_what_is_wrong_is_said_with_its_place(name: str, old: str, new: str, said: str) -> None:
    text = (SAMPLES / name).read_text(encoding="utf-8")
    assert old in text
    assert parse_delivery(Path("d"), text.encode(), VIENNA).series
    assert said in refusal(text.replace(old, new, -1 if old.startswith(".") else 1).encode())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "is not UTF-8 (byte 0)"),
        (b"meter,direction,start,kwh\n\0\n", "it holds bytes of zero"),
        ("meter;Zähler\n".encode("latin-1"), "is not UTF-8 (byte 7): save it as CSV UTF-8"),
        (b"meter,direction,start,kwh\n", "holds no readings of energy"),
        (b'meter,direction,start,kwh\n"' + b"a" * 200_000 + b'",import,2026-01-01T00:00Z,1\n', "field larger than"),
        (b"<html><body>404</body></html>", "d, line 1: 'html' begins no format that is read"),
        (BOMB.encode(), "declares types or entities, as no delivery of readings does"),
        (OUTSIDE.encode(), "declares types or entities"),
        (OUTSIDE.encode("utf-16"), "declares types or entities"),
        (b"<a>" * 40 + b"</a>" * 40, "has more than 32 levels"),
        (b"<ConsumptionRecord><x>" + b"a" * 5_000 + b"</x></ConsumptionRecord>", "has a text longer than"),
        (b"<ConsumptionRecord/>", "must have one CreationDateTime, and has 0"),
        (b"UNB", "is no EDIFACT"),
        (b"UNA", "is no EDIFACT"),
        (b"UNA''''''UNB'", "is no"),
        (b"UNB+UNOC:3'" * 1000, "is no whole interchange"),
        (b"PK\x03\x04" + bytes(100), "is no Excel workbook that can be read"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_what_is_no_delivery(content: bytes, said: str) -> None:
    assert said in refusal(content)


def packed(**files: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name.replace("_", "/", 1), text)
    return content.getvalue()


def test_a_workbook_that_unpacks_to_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dem.metering.rows.MOST_UNPACKED", 4 << 20)
    bomb = packed(xl_workbook=bytes(5 << 20))
    assert len(bomb) < 20_000
    assert "unpacks to 5 MiB: at most 4" in refusal(bomb)


def test_a_workbook_with_entities() -> None:
    content = io.BytesIO()
    book = openpyxl.Workbook()
    book.active.append(["meter", "direction", "start", "kwh"])
    book.save(content)
    hostile = io.BytesIO()
    with zipfile.ZipFile(content) as source, zipfile.ZipFile(hostile, "w") as target:
        for entry in source.namelist():
            data = source.read(entry)
            if entry == "xl/worksheets/sheet1.xml":
                start = data.index(b"<worksheet")
                data = data[:start] + b'<!DOCTYPE w [<!ENTITY x "y">]>' + data[start:]
            target.writestr(entry, data)
    assert "is no Excel workbook that can be read" in refusal(hostile.getvalue())


def test_local_times_need_a_zone() -> None:
    content = (SAMPLES / "template.csv").read_bytes()
    assert "must say its offset from UTC, such as +02:00; or --timezone" in refusal(content, UTC)


def test_a_file_that_is_too_large_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "large.csv"
    with path.open("wb") as file:
        file.truncate(2 * MOST_BYTES)
    with pytest.raises(InputError, match="is larger than 64 MiB, so divide it"):
        read_delivery(path, UTC)


@pytest.mark.parametrize("name", sorted(path.name for path in SAMPLES.iterdir()))
def test_a_file_that_is_cut_off_anywhere_is_refused_or_whole_lines(name: str) -> None:
    """A table may end after any of its rows; messages have to be whole."""
    content = (SAMPLES / name).read_bytes().rstrip()
    for end in range(1, len(content) - 1, 97):
        if name.endswith(".csv"):
            rows = content[:end].count(b"\n")
            try:
                series = parse_delivery(Path("d"), content[:end], VIENNA).series
            except InputError:
                continue
            assert sum(len(one.readings) for one in series) <= 2 * rows
        else:
            refusal(content[:end])


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from([path.read_bytes() for path in sorted(SAMPLES.iterdir())]),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 40), st.binary(max_size=6)), min_size=1, max_size=4),
)
def test_whatever_is_changed_it_is_read_or_refused(content: bytes, edits: list[tuple[int, int, bytes]]) -> None:
    for at, length, new in edits:
        place = at % len(content)
        content = content[:place] + new + content[place + length :]
    refused = ""
    try:
        parse_delivery(Path("deliveries/d"), content, VIENNA)
    except InputError as error:
        refused = str(error)
    assert not refused or refused.startswith("deliveries/d")
