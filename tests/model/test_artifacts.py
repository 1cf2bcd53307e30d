"""The compiled contracts that come with the package."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

from dem.chain import artifacts
from dem.chain.artifacts import SHIPPED, current, fingerprint, is_current, packed, shipped
from dem.errors import ChainError


def test_the_file_is_that_of_the_sources() -> None:
    assert is_current()
    assert current() is shipped()
    assert json.loads(gzip.decompress(SHIPPED.read_bytes()))["fingerprint"] == fingerprint()


def test_the_same_contracts_give_the_same_bytes() -> None:
    assert packed(shipped()) == packed(shipped())
    assert gzip.decompress(packed(shipped())) == gzip.decompress(SHIPPED.read_bytes())


def test_a_pool_is_one_more_call_auction() -> None:
    assert shipped()["CallAuction:roofs"] is shipped()["CallAuction"]
    assert bytes.fromhex(shipped()["CallAuction"].bytecode.removeprefix("0x"))
    assert not shipped()["ICallAuction"].bytecode


def test_an_unknown_contract_is_named() -> None:
    with pytest.raises(ChainError, match="no contract Casino"):
        shipped()["Casino"]


def test_changed_sources_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ape-config.yaml", "package-lock.json"):
        (tmp_path / name).write_bytes((artifacts.ROOT / name).read_bytes())
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts" / "Changed.sol").write_text("contract Changed {}\n", encoding="utf-8")
    monkeypatch.setattr(artifacts, "ROOT", tmp_path)
    assert not is_current()
    with pytest.raises(ChainError, match="run `make artifacts`"):
        current()


def test_an_installed_package_has_no_sources_to_compare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifacts, "ROOT", tmp_path)
    assert current() is shipped()


def test_they_are_read_without_ape() -> None:
    code = "import sys; from dem.chain.artifacts import current; current()['Accounts']; print('ape' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
