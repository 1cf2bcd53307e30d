"""Gas of a market day: what forge's GasTest measured (.forge/gas), against what bench/ has on record.

python tools/gas.py write     make bench/gas.json and bench/gas.md of the measurement
python tools/gas.py compare   fail where the measurement is more than 2 % above the record
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MEASURED = ROOT / ".forge" / "gas"
RECORD = ROOT / "bench" / "gas.json"
TABLE = ROOT / "bench" / "gas.md"

MEMBERS = (10, 100, 1_000)
PERIODS = 96
ALLOWED_RISE = 0.02

PER_MEMBER_AND_PERIOD = (
    ("sheets", "order sheet, per order", 2_500),
    ("clearing", "clearing, per order", 1_100),
    ("readings", "readings", 2_500),
    ("settlement", "settlement", 2_500),
    ("day", "once a day: tariffs, boundary meter, closing of the readings", None),
)
ALL = "all together"
ALL_TARGET = 8_000
CHANGES = (
    ("ownChange", "one order changed alone, sent by the participant (a transaction)"),
    ("change", "one order changed alone, signed and relayed (a transaction)"),
)
CHANGE_TARGET = 65_000
CLEARING = "clearing-10000"
CLEARING_ORDERS = 60_000
DAYS = (
    ("9", "Steady state (day 9: storage of day 1 used again)"),
    ("2", "Second day (new storage, known participants)"),
    ("1", "First day ever"),
)

INTRODUCTION = """# Gas of a market day

Every participant has one order and one deviation in each of 96 periods: whole-day order sheets, 30 to 80 a
transaction; whole-day reading sheets, 25 to 65 a transaction; one clearing transaction a strip; 60 participants a
settlement transaction. Numbers are those of whole transactions, base cost and calldata included, divided by
participants and periods. Measured on the contracts as deployed, in the EVM version of `foundry.toml`.

Written by `make bench-gas` from `tests/forge/Gas.t.sol`; totals are in `gas.json`. `make test` fails where 10 or 100
participants cost more than 2 % above this record.
"""


def load(members: int) -> dict:
    return json.loads((MEASURED / f"{members}.json").read_text())["days"]


def per_unit(total: int, members: int) -> int:
    return round(total / (members * PERIODS))


def table(record: dict, day: str) -> list[str]:
    """Rows of gas per participant and period, by number of participants."""
    header = " | ".join(f"{members:,}" for members in MEMBERS)
    lines = [f"| gas per participant and period | {header} | target |", "|---|" + "--:|" * (len(MEMBERS) + 1)]

    def row(name: str, values: list[int], target: int | None) -> None:
        cells = " | ".join(f"{value:,}" for value in values)
        lines.append(f"| {name} | {cells} | {'' if target is None else f'{target:,}'} |")

    days = [(members, record[str(members)][day]) for members in MEMBERS]
    for key, name, target in PER_MEMBER_AND_PERIOD:
        row(name, [per_unit(costs[key], members) for members, costs in days], target)
    totals = [sum(costs[key] for key, _, _ in PER_MEMBER_AND_PERIOD) for _, costs in days]
    row(f"**{ALL}**", [per_unit(total, n) for total, n in zip(totals, MEMBERS, strict=True)], ALL_TARGET)
    for key, name in CHANGES:
        row(name, [costs[key] for _, costs in days], CHANGE_TARGET)
    row("largest transaction", [costs["largest"] for _, costs in days], None)
    row("transactions", [costs["transactions"] for _, costs in days], None)
    return lines


def write() -> int:
    record = {str(members): load(members) for members in MEMBERS}
    clearing = json.loads((MEASURED / f"{CLEARING}.json").read_text())
    record[CLEARING] = clearing
    RECORD.parent.mkdir(exist_ok=True)
    RECORD.write_text(json.dumps(record, indent=1) + "\n")
    text = [INTRODUCTION]
    for day, title in DAYS:
        text += [f"## {title}", "", *table(record, day), ""]
    text += [
        "## Clearing 10,000 participants",
        "",
        f"One strip (six periods, {CLEARING_ORDERS:,} orders) on storage never used before, 20 groups of 240 members a",
        f"transaction: {round(clearing['clearing'] / CLEARING_ORDERS):,} gas per order (target 1,500),",
        f"{clearing['transactions']} transactions, the largest {clearing['largest']:,}.",
        "",
    ]
    TABLE.write_text("\n".join(text))
    print("\n".join(table(record, "9")))
    return 0


def compare() -> int:
    record = json.loads(RECORD.read_text())
    measured = {str(members): load(members) for members in MEMBERS if (MEASURED / f"{members}.json").exists()}
    rises, changes = [], []
    for members, days in measured.items():
        for day, costs in days.items():
            for name, gas in costs.items():
                before = record[members][day][name]
                if name == "transactions" or gas == before:
                    continue
                note = f"{members} participants, day {day}, {name}: {before:,} -> {gas:,} ({gas / before - 1:+.1%})"
                (rises if gas > before * (1 + ALLOWED_RISE) else changes).append(note)
    if rises:
        print("\n".join(["dearer than on record (accept with `make bench-gas`):", *rises]))
        return 1
    print(f"gas with {' and '.join(measured)} participants: {len(changes)} changes of at most 2 % up, or down")
    print("".join(f"  {note}\n" for note in changes), end="")
    return 0


if __name__ == "__main__":
    commands = {"write": write, "compare": compare}
    if sys.argv[1:] not in [[name] for name in commands]:
        sys.exit(__doc__)
    sys.exit(commands[sys.argv[1]]())
