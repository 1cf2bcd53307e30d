"""The compiled contracts that come with the package: nobody compiles who has not changed a contract.

They are one compressed file with the ABI and the bytecode of every contract, and a fingerprint of the sources and the
compiler's settings. `make artifacts` renews it. In a checkout whose contracts have changed since, it does not count.
"""

import gzip
import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from eth_abi.abi import decode
from eth_utils.abi import function_abi_to_4byte_selector

from dem.chain.abi import canonical
from dem.errors import ChainError

ROOT = Path(__file__).resolve().parents[2]
"""Where ape-config.yaml and contracts/ are, in a checkout."""
SHIPPED = Path(__file__).with_name("contracts.json.gz")

_LIBRARY = "node_modules/@openzeppelin/contracts"
_MESSAGE = bytes.fromhex("08c379a0")
"""Selector of Error(string), which solc's own `require` gives."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """A compiled contract; its bytecode is empty if it cannot be deployed."""

    name: str
    source: str
    abi: list[Any]
    bytecode: str


class Artifacts(Mapping[str, Artifact]):
    """Compiled contracts by name, and the errors and events they declare."""

    def __init__(self, contracts: Mapping[str, Artifact]) -> None:
        self._contracts = contracts

    def __getitem__(self, name: str) -> Artifact:
        plain = name.partition(":")[0]  # "CallAuction:<pool>" is one more CallAuction
        if plain not in self._contracts:
            raise ChainError(f"the project has no contract {plain}")
        return self._contracts[plain]

    def __contains__(self, name: object) -> bool:
        return name in self._contracts

    def __iter__(self) -> Iterator[str]:
        return iter(self._contracts)

    def __len__(self) -> int:
        return len(self._contracts)

    @cached_property
    def errors(self) -> dict[bytes, Any]:
        """ABI of every custom error by its selector."""
        entries = (entry for artifact in self.values() for entry in artifact.abi if entry["type"] == "error")
        return {bytes(function_abi_to_4byte_selector(entry)): entry for entry in entries}

    def error_name(self, data: bytes) -> str:
        """Name of an ABI-encoded error, empty if the project knows none such."""
        entry = self.errors.get(data[:4])
        return str(entry["name"]) if entry else ""

    def describe(self, data: bytes) -> str:
        """An ABI-encoded error in words: name and arguments."""
        if not data:
            return "no reason given"
        entry = self.errors.get(data[:4])
        if entry is None:
            if data[:4] == _MESSAGE:
                return str(decode(["string"], data[4:])[0])
            return f"error 0x{data.hex()}"
        inputs = entry.get("inputs", [])
        values = decode([canonical(i) for i in inputs], data[4:])
        arguments = ", ".join(f"{i['name']}={_readable(v)}" for i, v in zip(inputs, values, strict=True))
        return f"{entry['name']}({arguments})"


@cache
def shipped() -> Artifacts:
    """The contracts of the file, which are those of the sources unless somebody has changed them."""
    contracts = _record()["contracts"]
    return Artifacts({name: Artifact(name, **contract) for name, contract in contracts.items()})


def is_current() -> bool:
    """Whether the file is that of the sources as they are; an installed package has no sources beside it."""
    return not (ROOT / "contracts").is_dir() or (SHIPPED.exists() and _record()["fingerprint"] == fingerprint())


def current() -> Artifacts:
    """The contracts of the file.

    Raises:
        ChainError: the sources have changed since it was made.
    """
    if not is_current():
        raise ChainError("the contracts have changed since they were compiled: run `make artifacts`")
    return shipped()


def fingerprint() -> str:
    """Of everything that the bytecode depends on: sources, compiler settings and the library's version."""
    whole = hashlib.sha256()
    for path in sorted((ROOT / "contracts").rglob("*.sol")):
        whole.update(f"{path.relative_to(ROOT)}\n".encode() + path.read_bytes())
    settings = (ROOT / "ape-config.yaml").read_text(encoding="utf-8")
    whole.update(settings[settings.index("\nsolidity:") :].partition("\n\n")[0].encode())
    lock = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))
    whole.update(json.dumps(lock["packages"][_LIBRARY], sort_keys=True).encode())
    return whole.hexdigest()


def packed(contracts: Artifacts) -> bytes:
    """The file: the same bytes for the same contracts, sources and settings."""
    record = {
        "fingerprint": fingerprint(),
        "contracts": {name: {k: v for k, v in asdict(contracts[name]).items() if k != "name"} for name in contracts},
    }
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", fileobj=packed, mode="wb", compresslevel=9, mtime=0) as file:
        file.write(json.dumps(record, sort_keys=True, separators=(",", ":")).encode())
    return packed.getvalue()


@cache
def _record() -> dict[str, Any]:
    record: dict[str, Any] = json.loads(gzip.decompress(SHIPPED.read_bytes()))
    return record


def _readable(value: Any) -> str:
    return f"0x{value.hex()}" if isinstance(value, bytes) else str(value)
