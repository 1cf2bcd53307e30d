"""Gas of the market: what forge's GasTest and IntradayGasTest measured (.forge/gas), against what bench/ has on record.

python tools/gas.py write            make bench/gas.json and bench/gas.md of the measurement of a market day
python tools/gas.py write-intraday   make bench/intraday.json and bench/intraday.md of that of intraday orders
python tools/gas.py compare          fail where a measurement is more than 2 % above the record
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MEASURED = ROOT / ".forge" / "gas"
RECORD = ROOT / "bench" / "gas.json"
TABLE = ROOT / "bench" / "gas.md"
INTRADAY_RECORD = ROOT / "bench" / "intraday.json"
INTRADAY_TABLE = ROOT / "bench" / "intraday.md"

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

DEPTHS = (10, 1_000, 10_000)
"""Orders that rest in the period's book when the measuring begins."""
RESTS = ("existing level, mean of three", "existing level, dearest of three", "new level", "new best", "empty side")
CANCELS = ("cancel, newest of a level", "cancel, oldest of a level", "cancel, last of a level", "cancel, the best")
INTRADAY_TARGETS = {
    **{("9", name): 48_000 for name in RESTS},
    **{("1", name): 85_000 for name in RESTS},
    **{("9", name): 40_000 for name in CANCELS},
    ("9", "each further fill"): 25_000,
}
INTRADAY_DAYS = (
    ("9", "Steady state (day 9: storage of day 1 used again)"),
    ("1", "First day ever"),
)
INTRADAY_INTRODUCTION = """# Gas of intraday orders

One order a transaction, sent by the participant, base cost and calldata included, in a period's book that holds 10,
1,000 or 10,000 orders of 50 participants at up to 50 prices. A level's orders lie three to a word, so every third order
at a price moves a word besides. The buyers' fills are at as many prices in the book of 10, at one price in the others;
nobody had traded in the period before, so the first day's fills write the makers' positions on storage never used.

Written by `make bench-intraday` from `tests/forge/IntradayGas.t.sol`; the numbers are in `intraday.json`. `make test`
fails where books of 10 or 1,000 orders cost more than 2 % above this record.
"""

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


def intraday_name(what: int | str) -> str:
    return f"intraday-{what}"


def write_intraday() -> int:
    record = {str(depth): json.loads((MEASURED / f"{intraday_name(depth)}.json").read_text()) for depth in DEPTHS}
    INTRADAY_RECORD.write_text(json.dumps(record, indent=1) + "\n")
    text = [INTRADAY_INTRODUCTION]
    for day, title in INTRADAY_DAYS:
        header = " | ".join(f"{depth:,}" for depth in DEPTHS)
        text += [f"## {title}", "", f"| gas of a transaction, resting orders: | {header} | target |"]
        text += ["|---|" + "--:|" * (len(DEPTHS) + 1)]
        for name in record[str(DEPTHS[0])][day]:
            cells = " | ".join(f"{record[str(depth)][day][name]:,}" for depth in DEPTHS)
            target = INTRADAY_TARGETS.get((day, name))
            text.append(f"| {name} | {cells} | {'' if target is None else f'{target:,}'} |")
        text.append("")
    largest = json.loads((MEASURED / f"{intraday_name('largest')}.json").read_text())["gas"]
    text += [
        "## The largest order",
        "",
        "256 orders met, each at a price of its own and of a member who had not traded yet, and 256 empty prices",
        f"skipped, on storage never used before: {largest:,} gas; a transaction may have 16,777,216.",
        "",
    ]
    INTRADAY_TABLE.write_text("\n".join(text))
    print("\n".join(text))
    return 0


def measurements() -> dict[str, tuple[dict, dict]]:
    """What was measured and what is on record, by day and kind, by a name for people."""
    found = {}
    record = json.loads(RECORD.read_text())
    for members in MEMBERS:
        if (MEASURED / f"{members}.json").exists():
            found[f"{members} participants"] = (load(members), record[str(members)])
    intraday = json.loads(INTRADAY_RECORD.read_text())
    for depth in DEPTHS:
        path = MEASURED / f"{intraday_name(depth)}.json"
        if path.exists():
            found[f"{depth} intraday orders"] = (json.loads(path.read_text()), intraday[str(depth)])
    return found


def compare() -> int:
    found = measurements()
    rises, changes = [], []
    for what, (measured, record) in found.items():
        for day, costs in measured.items():
            for name, gas in costs.items():
                before = record[day][name]
                if name == "transactions" or gas == before:
                    continue
                note = f"{what}, day {day}, {name}: {before:,} -> {gas:,} ({gas / before - 1:+.1%})"
                (rises if gas > before * (1 + ALLOWED_RISE) else changes).append(note)
    if rises:
        print("\n".join(["dearer than on record (accept with `make bench-gas bench-intraday`):", *rises]))
        return 1
    print(f"gas with {', '.join(found)}: {len(changes)} changes of at most 2 % up, or down")
    print("".join(f"  {note}\n" for note in changes), end="")
    return 0


if __name__ == "__main__":
    commands = {"write": write, "write-intraday": write_intraday, "compare": compare}
    if sys.argv[1:] not in [[name] for name in commands]:
        sys.exit(__doc__)
    sys.exit(commands[sys.argv[1]]())
