"""Checks what `make check` compiled, by ape into .build and by forge into .forge/check:

- both hold the same runtime bytecode, metadata apart: what is deployed is what forge's tests exercised;
- no contract is above the limit of EIP-170.
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIMIT = 24_576


def without_metadata(code: bytes) -> bytes:
    """The compiler appends CBOR with a hash of sources and settings, then its length in two bytes."""
    return code[: -2 - int.from_bytes(code[-2:], "big")]


def bytecode(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def main() -> int:
    contracts = json.loads((ROOT / ".build" / "__local__.json").read_text())["contractTypes"]
    problems, sizes = [], []
    for name, contract in sorted(contracts.items()):
        code = bytecode((contract.get("runtimeBytecode") or {}).get("bytecode") or "")
        if not code:
            continue  # an interface or an abstract contract
        sizes.append((len(code), name))
        if len(code) > LIMIT:
            problems.append(f"{name}: {len(code):,} bytes, {LIMIT:,} allowed")
        artifact = ROOT / ".forge" / "check" / "out" / Path(contract["sourceId"]).name / f"{name}.json"
        if not artifact.exists():
            problems.append(f"{name}: not built by forge")
        elif without_metadata(code) != without_metadata(
            bytecode(json.loads(artifact.read_text())["deployedBytecode"]["object"])
        ):
            problems.append(f"{name}: ape and forge built different code (ape-config.yaml, foundry.toml)")
    largest = ", ".join(f"{name} {size:,}" for size, name in sorted(sizes, reverse=True)[:3])
    print("\n".join(problems) or f"{len(sizes)} contracts, same code from ape and forge; largest in bytes: {largest}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
