"""Checks that every event and every error of the contracts says what it means, and every parameter of an event that
its name does not explain.

    python tools/natspec.py

A line of documentation (///) stands right above the declaration. A parameter is described by @param, or named in
backquotes by that text, or it is one of OBVIOUS.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OBVIOUS = {
    "id": "number of a member in the registry",
    "account": "address of a member's account",
    "day": "delivery day, from 1",
    "firstDay": "the delivery day from which it holds",
    "lastDay": "the last delivery day for which it holds",
    "slot": "number of a period inside its day, from 0",
    "strip": "number of six consecutive slots, from 0",
    "sequence": "number of a signed message; each is higher than that of the message before",
    "meter": "address of a meter's key",
    "market": "address of a market's contract",
    "amount": "money units, 10^-8 currency",
    "energy": "Wh",
    "participant": "address of a member's account",
    "client": "number of an intermediary's client in the registry",
    "intermediary": "number of an intermediary in the registry",
    "reason": "ABI-encoded error",
    "number": "number of a contract or an order",
    "holder": "address of a seat's holder",
    "election": "number of an election, from 1",
}
DECLARATION = re.compile(r"^[ \t]*(event|error)\s+(\w+)\s*\(([^)]*)\)", re.M)


def documentation(text: str, start: int) -> str:
    """The lines of documentation right above a place."""
    lines: list[str] = []
    for line in reversed(text[:start].splitlines()):
        if not line.strip().startswith("///"):
            break
        lines.append(line.strip()[3:])
    return " ".join(reversed(lines)).strip()


def problems_of(name: str, text: str) -> tuple[int, int, list[str]]:
    """Declarations and parameters of a file, and what is missing."""
    declared, parameters, missing = 0, 0, []
    for found in DECLARATION.finditer(text):
        kind, what, arguments = found.groups()
        told = documentation(text, found.start())
        declared += 1
        if not told:
            missing.append(f"{name}: {kind} {what} has no line that says what it means")
        names = [argument.split()[-1] for argument in arguments.split(",") if len(argument.split()) > 1]
        missing += [f"{name}: {kind} {what}: @param {own} names no parameter" for own in params(told) - set(names)]
        if kind == "error":
            continue
        parameters += len(names)
        unknown = set(names) - OBVIOUS.keys() - params(told) - set(re.findall(r"`(\w+)`", told))
        missing += [f"{name}: event {what}: parameter {own} is not described" for own in sorted(unknown)]
    return declared, parameters, missing


def params(told: str) -> set[str]:
    return set(re.findall(r"@param (\w+)", told))


def main() -> int:
    declared, parameters, missing = 0, 0, []
    for path in sorted((ROOT / "contracts").rglob("*.sol")):
        found = problems_of(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8"))
        declared, parameters, missing = declared + found[0], parameters + found[1], missing + found[2]
    print(
        "\n".join(
            [*missing, f"{declared} events and errors, {parameters} parameters of events: {len(missing)} missing"]
        )
    )
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
