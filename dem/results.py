"""The output folder of a run, read back: one typed record per CSV row, checked on the way in.

`docs/outputs.md` describes every file. Columns that are only a convenience for people (prices per kWh, local
times) are ignored here; everything below is an exact integer.
"""

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from dem.errors import DemError

SIDES = ("bid", "ask")
ORDER_STATUS = ("accepted", "replaced", "rejected")


Row = TypeVar("Row")


class ResultsError(DemError, ValueError):
    """An output folder that cannot be read; the message names the file, the line and the column."""


@dataclass(frozen=True, slots=True)
class Order:
    order: str
    participant: str
    side: str
    period: int
    limit_ticks: int
    energy_wh: int
    status: str
    reason: str


@dataclass(frozen=True, slots=True)
class Clearing:
    period: int
    price_ticks: int | None
    volume_wh: int


@dataclass(frozen=True, slots=True)
class Fill:
    order: str
    filled_wh: int
    amount_units: int


@dataclass(frozen=True, slots=True)
class Position:
    participant: str
    period: int
    contracted_wh: int


@dataclass(frozen=True, slots=True)
class Reading:
    participant: str
    period: int
    metered_wh: int
    status: str


@dataclass(frozen=True, slots=True)
class Settlement:
    participant: str
    period: int
    contracted_wh: int
    metered_wh: int
    imbalance_wh: int
    trade_units: int
    imbalance_units: int
    fees_units: int
    deviation_units: int

    @property
    def due_units(self) -> int:
        return self.trade_units + self.imbalance_units + self.fees_units + self.deviation_units


@dataclass(frozen=True, slots=True)
class Tariff:
    period: int
    buy_units_per_wh: int
    sell_units_per_wh: int


@dataclass(frozen=True, slots=True)
class Account:
    account: str
    kind: str
    opening_units: int
    deposited_units: int
    withdrawn_units: int
    closing_units: int

    @property
    def earned_units(self) -> int:
        """What the market itself added: the change of the balance that is no deposit and no withdrawal."""
        return self.closing_units - self.opening_units - self.deposited_units + self.withdrawn_units


@dataclass(frozen=True, slots=True)
class Area:
    period: int
    imbalance_wh: int
    imbalance_price_units_per_wh: int | None
    fallback_wh: int
    fallback_units: int
    fund_units: int


@dataclass(frozen=True, slots=True)
class Participant:
    participant: str
    kind: str
    import_capacity_wh: int
    export_capacity_wh: int


@dataclass(frozen=True, slots=True)
class Invariant:
    name: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Run:
    scenario: str
    title: str
    currency: str
    period_seconds: int
    periods_per_day: int
    utc_offset_hours: float
    first_period: int
    days: int
    invariants: tuple[Invariant, ...]
    facts: tuple[tuple[str, str], ...]
    """Whatever else run.json says (network, blocks, gas, seconds), as readable text."""

    def local_start(self, period: int) -> datetime:
        offset = timedelta(hours=self.utc_offset_hours)
        return datetime.fromtimestamp(period * self.period_seconds, UTC).replace(tzinfo=None) + offset

    def clock(self, period: int) -> str:
        """Start of a period for people: the local time, with the date where the run has several days."""
        start = self.local_start(period)
        return f"{start:%H:%M}" if self.days == 1 else f"{start.day} {start:%b}, {start:%H:%M}"


@dataclass(frozen=True, slots=True)
class Results:
    run: Run
    orders: tuple[Order, ...]
    clearing: tuple[Clearing, ...]
    fills: tuple[Fill, ...]
    schedule: tuple[Position, ...]
    readings: tuple[Reading, ...]
    settlement: tuple[Settlement, ...]
    tariffs: dict[int, Tariff]
    accounts: tuple[Account, ...]
    area: tuple[Area, ...]
    participants: dict[str, Participant]

    @property
    def periods(self) -> range:
        """All periods of the run, in order, traded or not."""
        first = self.run.first_period
        return range(first, first + self.run.days * self.run.periods_per_day)

    @property
    def prices(self) -> dict[int, int]:
        """Clearing price in ticks of every period in which something was traded."""
        return {row.period: row.price_ticks for row in self.clearing if row.price_ticks is not None}


def read_results(folder: Path) -> Results:
    """Read and check `folder`, written by a run. Raises `ResultsError`."""
    if not folder.is_dir():
        raise ResultsError(f"{folder}: no such folder; run the scenario first")
    results = Results(
        run=_read_run(folder / "run.json"),
        orders=_read(folder / "orders.csv", Order),
        clearing=_read(folder / "clearing.csv", Clearing),
        fills=_read(folder / "fills.csv", Fill),
        schedule=_read(folder / "schedule.csv", Position),
        readings=_read(folder / "readings.csv", Reading),
        settlement=_read(folder / "settlement.csv", Settlement),
        tariffs={row.period: row for row in _read(folder / "tariffs.csv", Tariff)},
        accounts=_read(folder / "accounts.csv", Account),
        area=_read(folder / "area.csv", Area),
        participants={row.participant: row for row in _read(folder / "participants.csv", Participant)},
    )
    _check(folder, results)
    return results


def _optional_integer(text: str) -> int | None:
    return int(text) if text else None


_PARSERS: dict[Any, Callable[[str], Any]] = {
    int: int,
    int | None: _optional_integer,
    str: str.strip,
}


def _read(path: Path, row_type: type[Row]) -> tuple[Row, ...]:
    """Every row of a CSV file as `row_type`; columns the type does not name are ignored."""
    if not path.is_file():
        raise ResultsError(f"{path}: missing file")
    columns = [(field.name, _PARSERS[field.type]) for field in fields(row_type)]  # type: ignore[arg-type]
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        missing = [name for name, _ in columns if name not in (reader.fieldnames or ())]
        if missing:
            raise ResultsError(f"{path}: missing column {', '.join(missing)}")
        rows = []
        for record in reader:
            values = {}
            for name, parse in columns:
                try:
                    values[name] = parse(record[name])
                except (TypeError, ValueError, AttributeError):
                    raise ResultsError(
                        f"{path}, line {reader.line_num}: {name} is {record[name]!r}, not an integer"
                    ) from None
            rows.append(row_type(**values))
    return tuple(rows)


_RUN_KEYS = {
    "scenario": str,
    "title": str,
    "currency": str,
    "period_seconds": int,
    "periods_per_day": int,
    "utc_offset_hours": (int, float),
    "first_period": int,
    "days": int,
    "invariants": list,
}


def _read_run(path: Path) -> Run:
    if not path.is_file():
        raise ResultsError(f"{path}: missing file")
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ResultsError(f"{path}: not JSON ({error})") from None
    if not isinstance(record, dict):
        raise ResultsError(f"{path}: not a JSON object")
    for key, kind in _RUN_KEYS.items():
        if key not in record:
            raise ResultsError(f"{path}: missing key {key}")
        if not isinstance(record[key], kind):  # type: ignore[arg-type]
            raise ResultsError(f"{path}: {key} is {record[key]!r}")
    try:
        invariants = tuple(
            Invariant(str(entry["name"]), bool(entry["ok"]), str(entry.get("detail") or ""))
            for entry in record["invariants"]
        )
    except (KeyError, TypeError, AttributeError):
        raise ResultsError(f"{path}: an invariant is an object with name, ok and detail") from None
    known = {key: record[key] for key in _RUN_KEYS if key != "invariants"}
    others = {key: value for key, value in record.items() if key not in _RUN_KEYS}
    return Run(**known, invariants=invariants, facts=tuple(_facts(others)))


def _facts(record: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested objects as flat, readable pairs: {"gas": {"clear": 5}} -> ("gas, clear", "5")."""
    pairs: list[tuple[str, str]] = []
    for key, value in record.items():
        name = prefix + str(key).replace("_", " ")
        if isinstance(value, dict):
            pairs += _facts(value, name + ", ")
        elif isinstance(value, list):
            pairs.append((name, ", ".join(map(str, value))))
        elif isinstance(value, bool):
            pairs.append((name, "yes" if value else "no"))
        elif isinstance(value, int):
            pairs.append((name, f"{value:,}"))
        elif isinstance(value, float):
            pairs.append((name, f"{value:,.1f}"))
        elif value is not None:
            pairs.append((name, str(value)))
    return pairs


def _check(folder: Path, results: Results) -> None:
    """The tables must speak of the same participants, periods and money."""
    for order in results.orders:
        if order.side not in SIDES:
            raise ResultsError(f"{folder}/orders.csv: order {order.order} has side {order.side!r}")
        if order.status not in ORDER_STATUS:
            raise ResultsError(f"{folder}/orders.csv: order {order.order} has status {order.status!r}")
    due: dict[int, int] = {}
    imbalance: dict[int, int] = {}
    for row in results.settlement:
        where = f"{folder}/settlement.csv: participant {row.participant}, period {row.period}"
        if row.participant not in results.participants:
            raise ResultsError(f"{where}: not in participants.csv")
        if row.period not in results.tariffs:
            raise ResultsError(f"{where}: no tariff in tariffs.csv")
        if row.metered_wh - row.contracted_wh != row.imbalance_wh:
            raise ResultsError(
                f"{where}: imbalance {row.imbalance_wh} is not metered {row.metered_wh} "
                f"- contracted {row.contracted_wh}"
            )
        due[row.period] = due.get(row.period, 0) + row.imbalance_units + row.deviation_units
        imbalance[row.period] = imbalance.get(row.period, 0) + row.imbalance_wh
    for area in results.area:
        if imbalance.get(area.period, 0) != area.imbalance_wh:
            raise ResultsError(
                f"{folder}/area.csv: period {area.period}: imbalance_wh {area.imbalance_wh} is not the sum "
                f"of the participants' {imbalance.get(area.period, 0)}"
            )
        received = area.fallback_units + area.fund_units
        if due.get(area.period, 0) != received:
            raise ResultsError(
                f"{folder}/area.csv: period {area.period}: participants paid {due.get(area.period, 0)} for "
                f"imbalance and deviation, but fallback_units + fund_units = {received}"
            )
