"""Files of a run carry the number of their format; a newer one is refused with words."""

import json
from pathlib import Path

import pytest

from dem import formats
from dem.deployment.market import Manifest
from dem.errors import FormatError
from dem.model.calendar import CalendarParameters
from dem.replay.record import Balances, read_addresses, read_balances, write_balances
from dem.results.reader import read_results

CALENDAR = CalendarParameters(1_700_000_000, 900, 96, 64_800, 43_200, 21_600, 86_400)


def edited(path: Path, number: object) -> Path:
    """The file with another number of its format; none for None."""
    record = json.loads(path.read_text(encoding="utf-8"))
    record.pop(formats.KEY, None)
    path.write_text(json.dumps(record if number is None else {formats.KEY: number, **record}), encoding="utf-8")
    return path


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    Manifest(tmp_path / "manifest.json", 1337, "0x00", 1, CALENDAR).save()
    return tmp_path / "manifest.json"


@pytest.fixture
def record(tmp_path: Path) -> Path:
    write_balances(tmp_path, 96, Balances({}, 0), {"Accounts": "0x01"})
    return tmp_path / "balances.json"


def test_the_manifest_is_written_with_its_number(manifest: Path) -> None:
    assert json.loads(manifest.read_text(encoding="utf-8"))["format"] == formats.MANIFEST
    assert Manifest.load(manifest).chain_id == 1337


def test_the_record_is_written_with_its_number(record: Path) -> None:
    assert json.loads(record.read_text(encoding="utf-8"))["format"] == formats.RECORD
    assert read_balances(record.parent) == (96, Balances({}, 0))


def test_a_file_without_a_number_is_of_the_first_format(manifest: Path, record: Path) -> None:
    assert Manifest.load(edited(manifest, None)).chain_id == 1337
    assert read_addresses(edited(record, None).parent) == {"Accounts": "0x01"}


NEWER = r"{}: format: 99 is newer than this version of dem reads \(up to {}\): use a newer version"


def test_a_newer_manifest_is_refused(manifest: Path) -> None:
    with pytest.raises(FormatError, match=NEWER.format("manifest.json", formats.MANIFEST)):
        Manifest.load(edited(manifest, 99))


def test_a_newer_record_is_refused(record: Path) -> None:
    edited(record, 99)
    for read in (read_balances, read_addresses):
        with pytest.raises(FormatError, match=NEWER.format("balances.json", formats.RECORD)):
            read(record.parent)


def test_a_newer_run_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps({"format": 99, "money": "beans"}), encoding="utf-8")
    with pytest.raises(FormatError, match=NEWER.format("run.json", formats.RUN)):
        read_results(tmp_path)


@pytest.mark.parametrize("number", ["2", 0, -1, 1.5, True, None])
def test_a_number_that_is_none_is_refused(number: object) -> None:
    with pytest.raises(FormatError, match="is no number of a format"):
        formats.require_format(Path("run.json"), {"format": number}, 1)
