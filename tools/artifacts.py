"""The compiled contracts that come with the package (dem/chain/contracts.json.gz).

    python tools/artifacts.py current exit code 1 if the contracts have changed since they were compiled
    python tools/artifacts.py renew   compile and write them anew, if the contracts have changed since
    python tools/artifacts.py unpack  write each into .forge/contracts, as forge's tests read one
    python tools/artifacts.py check   compare them with what forge has compiled into .forge/out

The check is a part of `make check`. It finds that

- the file was made of the sources and settings as they are;
- its ABIs are forge's, and its bytecode too, metadata apart: what is deployed is what forge's tests exercised;
- no contract is above the limit of EIP-170.
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT)]

from dem.chain.artifacts import SHIPPED, Artifact, Artifacts, is_current, packed, shipped  # noqa: E402

UNPACKED = ROOT / ".forge" / "contracts"
BUILD = ROOT / ".build" / "__local__.json"
FRESH = ROOT / ".forge" / "out"
LIMIT = 24_576
METADATA = re.compile(rb"\xa2\x64ipfs\x58\x22\x12\x20.{32}\x64solc\x43.{3}\x00\x33", re.DOTALL)


def renew() -> int:
    if is_current():
        return 0
    print("the contracts have changed: ape compile, a minute or two", flush=True)
    subprocess.run(["ape", "compile", "--force", "--verbosity", "WARNING"], cwd=ROOT, check=True)
    SHIPPED.write_bytes(packed(compiled()))
    print(f"{SHIPPED.relative_to(ROOT)}: {SHIPPED.stat().st_size:,} bytes")
    return 0


def unpack() -> int:
    UNPACKED.mkdir(parents=True, exist_ok=True)
    for name, contract in shipped().items():
        (UNPACKED / f"{name}.json").write_text(
            json.dumps({"bytecode": {"object": contract.bytecode}}), encoding="utf-8"
        )
    return 0


def compiled() -> Artifacts:
    """What ape has compiled."""
    record = json.loads(BUILD.read_text(encoding="utf-8"))["contractTypes"]
    contracts = {}
    for name, contract in sorted(record.items()):
        code = bytecode((contract.get("deploymentBytecode") or {}).get("bytecode"))
        contracts[name] = Artifact(name, contract["sourceId"], contract["abi"], f"0x{code.hex()}" if code else "")
    return Artifacts(contracts)


def bytecode(text: str | None) -> bytes:
    return bytes.fromhex((text or "").removeprefix("0x"))


def without_metadata(code: bytes) -> bytes:
    """The compiler appends CBOR with a hash of sources and settings; also to code that a contract deploys."""
    return METADATA.sub(b"", code)


def entries(abi: list[Any]) -> list[str]:
    return sorted(json.dumps(entry, sort_keys=True) for entry in abi)


def check() -> int:
    problems, sizes = [], []
    if not is_current():
        problems.append(f"{SHIPPED.relative_to(ROOT)} was not made of the contracts as they are: run `make artifacts`")
    fresh = {}
    for path in FRESH.glob("*.sol/*.json"):
        record = json.loads(path.read_text(encoding="utf-8"))
        # A source with nothing but types gives an artifact without any contract.
        if record["ast"]["absolutePath"].startswith("contracts/") and "metadata" in record:
            fresh[path.stem] = record
    if missing := fresh.keys() ^ shipped().keys():
        problems.append(f"{', '.join(sorted(missing))}: in one of the file and the fresh compilation only")
    for name in sorted(fresh.keys() & shipped().keys()):
        artifact, record = shipped()[name], fresh[name]
        code = bytecode(record["deployedBytecode"]["object"])
        sizes.append((len(code), name))
        if len(code) > LIMIT:
            problems.append(f"{name}: {len(code):,} bytes, {LIMIT:,} allowed")
        if entries(artifact.abi) != entries(record["abi"]):
            problems.append(f"{name}: another ABI than that of a fresh compilation")
        if without_metadata(bytecode(artifact.bytecode)) != without_metadata(bytecode(record["bytecode"]["object"])):
            problems.append(f"{name}: other code than that of a fresh compilation (ape-config.yaml, foundry.toml)")
    sizes = [(size, name) for size, name in sizes if size]
    largest = ", ".join(f"{name} {size:,}" for size, name in sorted(sizes, reverse=True)[:3])
    print("\n".join(problems) or f"{len(sizes)} contracts as freshly compiled; largest in bytes: {largest}")
    return 1 if problems else 0


if __name__ == "__main__":
    commands = {"current": lambda: not is_current(), "renew": renew, "unpack": unpack, "check": check}
    if sys.argv[1:] not in [[name] for name in commands]:
        sys.exit(__doc__)
    sys.exit(commands[sys.argv[1]]())
