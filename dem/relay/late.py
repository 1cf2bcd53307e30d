"""Late readings of final days: what is signed, what proves them, and how they are brought."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dem.deployment.market import RELAYER, Market
from dem.errors import InputError
from dem.messages.readings import LateReading
from dem.messages.signing import Domain, struct, typed_data
from dem.model.markets.auction import Column
from dem.model.readings import READING_BIAS
from dem.replay.late import LateReconciliations, LateRecord

LATE = "LateReconciliation"
_COLUMNS = ["slot", "net_wh"]
_DAYS_AT_ONCE = 20
"""Days of a true-up in one transaction."""


def read_net(path: Path, counted: Column) -> Column:
    """Net energies by slot, Wh, of a table with the columns slot and net_wh; what it does not name stays as it counts.

    Raises:
        InputError: the file is missing, or a row is not of two numbers, or its slot is none of the day.
    """
    net = counted.copy()
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = csv.DictReader(stream)
            if rows.fieldnames != _COLUMNS:
                raise InputError(str(path), rows.fieldnames, f"must have the columns {', '.join(_COLUMNS)}")
            for row in rows:
                slot, energy = int(row["slot"]), int(row["net_wh"])
                if not 0 <= slot < len(net) or abs(energy) >= READING_BIAS:
                    raise InputError(f"{path}, line {rows.line_num}", row, "is no energy of a slot of the day")
                net[slot] = energy
    except InputError:
        raise
    except OSError as error:
        raise InputError("late reading", str(path), f"cannot be read ({error.strerror})") from None
    except (TypeError, ValueError) as error:
        raise InputError(str(path), type(error).__name__, f"is no table of energies: {error}") from None
    return net


def write_statement(path: Path, domain: Domain, message: LateReading, record: LateRecord) -> None:
    """What is to be signed (EIP-712), as wallets take it, and the records and the proof that go with it."""
    statement = {"typed_data": typed_data(domain, message), "record": record._asdict()}
    path.write_text(json.dumps(statement, indent=2, default=_text) + "\n", encoding="utf-8")


def prepare(late: LateReconciliations, member: int, day: int, table: Path | None) -> tuple[LateReading, LateRecord]:
    """The message for a member's next late reconciliation of a day, and its records. table: see `read_net`.

    Raises:
        InputError: the day is not final or too long ago, there is no such member, or the table is no table.
    """
    record, counted = late.record(member, day), late.counted(member, day)
    return late.late_reading(member, day, counted if table is None else read_net(table, counted)), record


def bring(market: Market, message: LateReading, record: LateRecord, signatures: Sequence[bytes]) -> None:
    """Settle a member's day late. signatures: the meter's alone, or the grid operator's and the member's.

    The member's is empty where the council has allowed the statement.
    """
    function = "reconcile" if len(signatures) == 1 else "reconcileStated"
    arguments = struct(message), tuple(record), *signatures
    market.chain.send(market.keys[RELAYER], market.contract(LATE), function, *arguments)


def true_up(market: Market, late: LateReconciliations, member: int, last: int) -> list[int]:
    """Settle by its register what a member's meter has shown of its gaps, up to a final day. Returns their days.

    Raises:
        InputError: there is no gap.
    """
    days = [day for day in late.gap_days(member) if day <= last]
    if not days:
        raise InputError("member", member, f"has no estimates on final days up to day {last} that its meter can show")
    for at in range(0, len(days), _DAYS_AT_ONCE):
        portion = days[at : at + _DAYS_AT_ONCE]
        records = [tuple(late.record(member, day)) for day in portion]
        market.chain.send(market.keys[RELAYER], market.contract(LATE), "trueUp", member, portion, records)
    return days


def _text(value: Any) -> str:
    return "0x" + bytes(value).hex()
