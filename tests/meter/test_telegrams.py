"""Telegrams and plain readings: exact to the Wh, or refused with the reason."""

from datetime import UTC, datetime

import pytest
from support.telegrams import SERIAL, telegram

from dem.errors import InputError
from dem.roles.meter_agent.telegrams import MOST_BYTES, crc16, read_plain, read_telegram

AT = int(datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp())
RIGHT = telegram(AT, (316_698, 2), (7, 999_999_999))


def edited(*edits: tuple[str, str]) -> bytes:
    """The telegram with other text, and a check sum that fits it."""
    text = RIGHT[: RIGHT.rindex(b"!") + 1].decode()
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    return text.encode() + f"{crc16(text.encode()):04X}\r\n".encode()


def test_the_check_sum_is_the_one_that_is_published() -> None:
    """The check value of CRC-16/ARC."""
    assert crc16(b"123456789") == 0xBB3D


def test_registers_of_all_tariffs_to_the_wh() -> None:
    assert read_telegram("t", RIGHT) == (SERIAL, AT, 316_700, 1_000_000_006)


def test_summer_time_says_so() -> None:
    july = int(datetime(2026, 7, 1, 12, tzinfo=UTC).timestamp())
    assert read_telegram("t", telegram(july, (1, 0))).at == july
    before, after = (int(datetime(2026, 10, 25, hour, 30, tzinfo=UTC).timestamp()) for hour in (0, 1))
    # The hour that the clock shows twice.
    assert read_telegram("t", telegram(before, (1, 0))).at == before
    assert read_telegram("t", telegram(after, (1, 0))).at == after


def test_a_total_stands_for_its_tariffs() -> None:
    made = edited(
        ("1-0:1.8.1(", "1-0:1.8.0(000400.000*kWh)\r\n1-0:1.8.1("),
        ("1-0:2.8.1", "0-9:2.8.1"),
        ("1-0:2.8.2", "0-9:2.8.2"),
    )
    assert read_telegram("t", made)[2:] == (400_000, 0)


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (RIGHT.replace(b"316.698", b"316.699"), "it was damaged on the way"),
        (RIGHT[:-7] + b"\r\n", "is no telegram from / to !"),
        (RIGHT[20:], "is no telegram"),
        (RIGHT + RIGHT, "is no telegram"),
        (b"", "is no telegram"),
        (b"/" + bytes(MOST_BYTES) + b"!0000", f"at most {MOST_BYTES}"),
        (edited(("0-0:96.1.1", "0-0:96.9.1")), "does not say whose it is"),
        (edited(("0-0:1.0.0", "0-0:1.0.1")), "t, 0-0:1.0.0: is no time such as"),
        (edited(("(260301130000W)", "(261301130000W)")), "is no time of the calendar"),
        (edited(("(260301130000W)", "(260301130000)")), "is no time such as"),
        (edited(("1-0:1.8.", "1-9:7.8.")), "has no register of import"),
        (edited(("000316.698*kWh", "000316.6985*kWh")), "is no whole number of Wh"),
        (edited(("000316.698*kWh", "-00316.698*kWh")), "is no energy such as"),
        (edited(("000316.698*kWh", "000316.698*MWh")), "is no energy such as"),
        (edited(("000316.698*kWh", "NaN*kWh")), "is no energy such as"),
        (edited(("1-0:1.8.2(000000.002", "1-0:1.8.1(000000.002")), "is there twice, with different values"),
    ],
)
def test_what_is_no_telegram(payload: bytes, said: str) -> None:
    with pytest.raises(InputError) as caught:
        read_telegram("t", payload)
    assert said in str(caught.value)


def test_a_plain_reading() -> None:
    text = b'{"meter": "m", "at": "2026-03-01T13:00:00+01:00", "import_wh": 5, "export_wh": 6}'
    assert read_plain("t", text) == ("m", AT, 5, 6)
    assert read_plain("t", text.replace(b', "export_wh": 6', b"")) == ("m", AT, 5, 0)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("5", "5.5", "t, import_wh: "),
        ("5", "-5", "t, import_wh: "),
        ("5", '"5"', "t, import_wh: "),
        ("5", "true", "t, import_wh: "),
        ("5", "9223372036854775808", "t, import_wh: "),
        ("+01:00", "", "t, at: "),
        ("00+01", "00.5+01", "must be a whole second"),
        ('"m"', '""', "t, meter: "),
        ("import_wh", "import_kwh", "t, import_wh: must be given"),
        ("{", "[", "t: Invalid JSON"),
        ("5", '5, "x": 1', "t, x: is no key that is known"),
    ],
)
def test_what_is_no_plain_reading(old: str, new: str, said: str) -> None:
    text = '{"meter": "m", "at": "2026-03-01T13:00:00+01:00", "import_wh": 5}'
    with pytest.raises(InputError) as caught:
        read_plain("t", text.replace(old, new, 1).encode())
    assert said in str(caught.value)
