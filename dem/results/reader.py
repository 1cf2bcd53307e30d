"""The output folder of a run, read back: a frame per CSV table, checked on the way in.

`docs/guide/outputs.md` describes every file. Columns that are only a convenience for people (prices per kWh, local
times) are ignored here; everything below is an exact integer, and small enough that no sum of a column overflows.
"""

import csv
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo
from functools import cached_property
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from dem import formats
from dem.errors import DemError
from dem.grid.record import KEY
from dem.model.mechanisms import MECHANISMS
from dem.model.units import FROM_ZERO, PriceRange, UnitsPerWh
from dem.replay.reconcile import Check
from dem.results.columns import (
    CHECKSUMS,
    OPTIONAL,
    OPTIONAL_TABLES,
    PRICES,
    RUN,
    TABLES,
    TEXT,
    TRADES,
    WITHOUT,
    WITHOUT_CHAIN,
    Kind,
    checksum,
    checksum_of,
    file_of,
    read_columns,
)

SIDES = ("bid", "ask")
ORDER_STATUS = ("accepted", "replaced", "rejected")

OUTSIDERS = ("wholesale_desk", "wholesale desk")
"""Kinds that trade with the community and are no part of it: what they sell is imported."""
CALL_AUCTION = MECHANISMS["call_auction"].label
WHOLESALE = MECHANISMS["wholesale"].label
BILL = "bill"
"""Key of run.json: what bills add, if they add anything."""

_LARGEST_PRICE = 1 << 20
_LARGEST_LEVY = 10**12
"""Units per Wh, and a day."""
_LARGEST_SUMS = {"_wh": 1 << 42, "_units": 1 << 62}
"""Of the magnitudes in a column, by its ending: energy times price stays below 2^62 then."""


class ResultsError(DemError, ValueError):
    """An output folder that cannot be read; the message names the file, the line and the column."""


@dataclass(frozen=True, slots=True)
class Levy:
    """Something that a bill adds and no account is charged for: by the energy drawn, or by the day."""

    name: str
    units_per_wh: int
    units_per_day: int


@dataclass(frozen=True, slots=True)
class BillTerms:
    """What a bill adds. vat: 1/10,000."""

    vat: int = 0
    levies: tuple[Levy, ...] = ()


@dataclass(frozen=True)
class Run:
    scenario: str
    title: str
    currency: str
    period_seconds: int
    periods_per_day: int
    utc_offset_hours: float
    first_period: int
    days: int
    without_chain: bool
    """Whether the reference model alone has played it."""
    invariants: tuple[Check, ...]
    facts: tuple[tuple[str, str], ...]
    """Whatever else run.json says (network, blocks, gas, seconds), as readable text."""
    timezone: str | None = None
    prices: PriceRange = FROM_ZERO
    """Those that orders could name; from zero on in runs of older versions."""
    bill: BillTerms = BillTerms()
    checksums: tuple[tuple[str, str], ...] = ()
    """Of its files as the run wrote them, by name; none of an older version."""
    checksum: str = ""
    """Of run.json as it is."""
    grid: tuple[tuple[str, str], ...] = ()
    """Hashes of the network, if the run has one, and of what belongs to it."""

    @cached_property
    def zone(self) -> tzinfo:
        """Of local time."""
        return ZoneInfo(self.timezone) if self.timezone else timezone(timedelta(hours=self.utc_offset_hours))

    def local_start(self, period: int) -> datetime:
        """By the clock on the wall."""
        return datetime.fromtimestamp(period * self.period_seconds, self.zone).replace(tzinfo=None)

    def clock(self, period: int) -> str:
        """Start of a period for people: the local time, with the date where the run has several days."""
        start = self.local_start(period)
        return f"{start:%H:%M}" if self.days == 1 else f"{start.day} {start:%b}, {start:%H:%M}"


@dataclass(frozen=True, eq=False)
class Results:
    """The run and its tables; tariffs by period, participants by name; trades of the call auction alone if the folder
    has no table of them; no cuts unless it is an island's, or has limits; no relief unless it is bought. guarantees: of
    origin, none if no source is on record. without_trade: what members would have paid if nobody had traded, by first
    period of each day; empty if the folder does not say."""

    run: Run
    orders: pd.DataFrame
    clearing: pd.DataFrame
    fills: pd.DataFrame
    schedule: pd.DataFrame
    readings: pd.DataFrame
    settlement: pd.DataFrame
    tariffs: pd.DataFrame
    accounts: pd.DataFrame
    area: pd.DataFrame
    participants: pd.DataFrame
    trades: pd.DataFrame
    cuts: pd.DataFrame
    relief: pd.DataFrame
    payments: pd.DataFrame
    guarantees: pd.DataFrame
    without_trade: pd.DataFrame

    @property
    def periods(self) -> range:
        """All periods of the run, in order, traded or not."""
        first = self.run.first_period
        return range(first, first + self.run.days * self.run.periods_per_day)

    def kinds_of(self, rows: pd.DataFrame) -> "pd.Series[str]":
        """The kind of each row's participant, row by row."""
        kinds = self.participants["kind"].astype(str)
        # As text: pandas takes the codes of one category for those of another where it maps them one to one.
        return rows["participant"].astype(str).map(kinds.set_axis(kinds.index.astype(str)))

    def firsts(self, by_day: bool) -> list[int]:
        """Of all periods, counted from 0, those that begin a step: a local day, or each of them."""
        if not by_day:
            return list(range(len(self.periods)))
        dates = [self.run.local_start(period).date() for period in self.periods]
        return [i for i, date in enumerate(dates) if i == 0 or date != dates[i - 1]]

    @cached_property
    def paid_without_trade(self) -> dict[str, int] | None:
        """What each member with a meter would have paid if nobody had traded; None if the folder does not say."""
        if self.without_trade.empty:
            return None
        sums = self.without_trade.groupby("participant", observed=True)["paid_units"].sum()
        return {str(name): int(units) for name, units in sums.items()}

    @cached_property
    def traded(self) -> pd.DataFrame:
        """Price in ticks from zero and volume by period, of the periods in which something was traded."""
        rows = self.clearing[self.clearing["price_ticks"].notna() & (self.clearing["volume_wh"] > 0)]
        return rows.set_index("period").astype("int64")

    @cached_property
    def bills(self) -> pd.DataFrame:
        """The settlement with what each row consumed, generated, bought, sold and would cost by the tariffs."""
        rows = self.settlement
        metered, contracted = rows["metered_wh"], rows["contracted_wh"]
        tariffs = self.tariffs.reindex(rows["period"])
        tariff = tariffs["buy_units_per_wh"].where((metered > 0).to_numpy(), tariffs["sell_units_per_wh"])
        return rows.assign(
            consumed_wh=metered.clip(lower=0),
            generated_wh=-metered.clip(upper=0),
            bought_wh=contracted.clip(lower=0),
            sold_wh=-contracted.clip(upper=0),
            tariff_only_units=metered * tariff.to_numpy(),
            # Contracted energy that really was drawn by its buyer, or fed in by its seller.
            taken_wh=np.minimum(contracted, metered).clip(lower=0),
            given_wh=-np.maximum(contracted, metered).clip(upper=0),
        )

    @cached_property
    def balance(self) -> pd.DataFrame:
        """Everybody together, by period of the run.

        shared_wh: the smaller of all that was drawn and all that was fed in.
        delivered_wh: contracted energy that was drawn by its buyers and fed in by its sellers.
        """
        columns = [
            "consumed_wh",
            "generated_wh",
            "bought_wh",
            "taken_wh",
            "given_wh",
            "imbalance_wh",
            "deviation_units",
            "penalty_units",
        ]
        sums = (
            self.bills[~self.kinds_of(self.bills).isin(OUTSIDERS)]
            .groupby("period")[columns]
            .sum()
            .reindex(self.periods, fill_value=0)
        )
        return sums.assign(
            shared_wh=sums[["consumed_wh", "generated_wh"]].min(axis=1),
            delivered_wh=sums[["taken_wh", "given_wh"]].min(axis=1),
        )


def read_results(folder: Path) -> Results:
    """Read and check `folder`, written by a run.

    Raises:
        ResultsError: a file is missing, or faulty, or does not fit the others.
        FormatError: a newer version wrote it.
    """
    if not folder.is_dir():
        raise ResultsError(f"{folder}: no such folder; run the scenario first")
    run = read_run(folder)
    tables = {
        name: _read(folder / file_of(name), columns)
        for name in TABLES
        if name not in OPTIONAL_TABLES and (columns := read_columns(name))
    }
    for name, key in (("tariffs", "period"), ("participants", "participant")):
        tables[name] = tables[name].set_index(key)
        if not tables[name].index.is_unique:
            twice = tables[name].index[tables[name].index.duplicated()][0]
            raise ResultsError(f"{folder}/{name}.csv: {key} {twice} is there twice")
    accounts = tables["accounts"]
    # What the market itself added: the change of the balance that is no deposit and no withdrawal.
    change = accounts["closing_units"] - accounts["opening_units"]
    accounts["earned_units"] = change - accounts["deposited_units"] + accounts["withdrawn_units"]
    source = file_of(TRADES if (folder / file_of(TRADES)).exists() else "fills")
    tables |= {name: _read_if_any(folder / file_of(name), read_columns(name)) for name in OPTIONAL_TABLES}
    if source != file_of(TRADES):
        tables[TRADES] = _filled(tables["orders"], tables["fills"])
    results = Results(run, **tables)
    _check(folder, results)
    _check_trades(folder / source, results)
    _check_unchanged(folder, run)
    return results


def _filled(orders: pd.DataFrame, fills: pd.DataFrame) -> pd.DataFrame:
    """What the call auction traded, a row for each participant, period and side."""
    filled = fills[fills["filled_wh"] > 0].merge(orders, on="order")
    keys = ["participant", "period", "side"]
    sums = filled.groupby(keys, observed=True)[["filled_wh", "amount_units"]].sum().reset_index()
    is_bid = sums["side"] == "bid"
    return sums.assign(
        market=CALL_AUCTION,
        bought_wh=sums["filled_wh"].where(is_bid, 0),
        sold_wh=sums["filled_wh"].where(~is_bid, 0),
    )[list(TABLES[TRADES])]


def _read_if_any(path: Path, columns: Mapping[str, Kind]) -> pd.DataFrame:
    """The same of a file that need not be there."""
    if path.exists():
        return _read(path, columns)
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in columns.items()})


def _read(path: Path, columns: Mapping[str, Kind]) -> pd.DataFrame:
    """The columns of a CSV file; others are ignored."""
    if not path.is_file():
        raise ResultsError(f"{path}: missing file")
    try:
        with path.open(newline="", encoding="utf-8") as file:
            header = next(csv.reader(file), [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise ResultsError(f"{path}: cannot be read as CSV in UTF-8: {error}") from None
    absent = [name for name in columns if name in WITHOUT and name not in header]
    columns = {name: kind for name, kind in columns.items() if name not in absent}
    missing = [name for name in columns if name not in header]
    if missing:
        raise ResultsError(f"{path}: missing column {', '.join(missing)}")
    empty = {name: [""] for name, kind in columns.items() if kind == OPTIONAL}
    try:
        frame = pd.read_csv(
            path,
            usecols=list(columns),
            dtype={name: kind for name, kind in columns.items()},  # noqa: C416
            keep_default_na=False,
            na_values=empty,
            encoding="utf-8",
        )
    except (ValueError, OverflowError) as error:
        raise _mistake(path, columns, error) from None
    for name in columns:
        _require_summable(path, frame[name])
    return frame.assign(**{name: WITHOUT[name] for name in absent})


def _mistake(path: Path, columns: Mapping[str, Kind], error: Exception) -> ResultsError:
    """Where a table could not be read."""
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        reader = csv.DictReader(file)
        for record in reader:
            for name, kind in columns.items():
                text = record[name]
                if kind != TEXT and not (kind == OPTIONAL and text == ""):
                    try:
                        np.int64(int(text))
                    except (TypeError, ValueError, OverflowError):
                        where = f"{path}, line {reader.line_num}: {name}"
                        return ResultsError(f"{where} is {text!r}, not an integer of 64 bits")
    return ResultsError(f"{path}: cannot be read: {error}")


def _require_summable(path: Path, column: "pd.Series[Any]") -> None:
    name = str(column.name)
    if name.endswith("_units_per_wh") and (column.abs() >= _LARGEST_PRICE).any():
        far = column[column.abs().idxmax()]
        raise ResultsError(f"{path}: {name} {far} is further from zero than any price of a market")
    for ending, largest in _LARGEST_SUMS.items():
        if name.endswith(ending) and column.astype(float).abs().sum() >= largest:
            raise ResultsError(f"{path}: {name} has values too large to be summed up exactly")


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


def read_run(folder: Path) -> Run:
    """What a run says of itself in its folder.

    Raises:
        ResultsError: the file is missing or faulty.
        FormatError: a newer version wrote it.
    """
    path = folder / RUN
    if not path.is_file():
        raise ResultsError(f"{path}: missing file; if the run was cut off, start it again with the same folder")
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ResultsError(f"{path}: not JSON ({error})") from None
    if not isinstance(record, dict):
        raise ResultsError(f"{path}: not a JSON object")
    formats.require_format(path, record, formats.RUN)
    for key, kind in _RUN_KEYS.items():
        if key not in record:
            raise ResultsError(f"{path}: missing key {key}")
        if not isinstance(record[key], kind):  # type: ignore[arg-type]
            raise ResultsError(f"{path}: {key} is {record[key]!r}")
    for key, wrong in (
        ("currency", not re.fullmatch("[A-Z]{3}", record["currency"])),
        *((key, record[key] < 1) for key in ("period_seconds", "periods_per_day", "days")),
    ):
        if wrong:
            raise ResultsError(f"{path}: {key} is {record[key]!r}")
    try:
        invariants = tuple(
            Check(str(entry["name"]), bool(entry["ok"]), str(entry.get("detail") or ""))
            for entry in record["invariants"]
        )
    except (KeyError, TypeError, AttributeError):
        raise ResultsError(f"{path}: an invariant is an object with name, ok and detail") from None
    known = {key: record[key] for key in _RUN_KEYS if key != "invariants"}
    known["timezone"] = record.get("timezone")
    try:
        _ = known["timezone"] and ZoneInfo(known["timezone"])
    except (KeyError, OSError, TypeError, ValueError):
        raise ResultsError(f"{path}: timezone is {known['timezone']!r}, which is no time zone") from None
    grid = record.get(KEY, {})
    if not isinstance(grid, dict):
        raise ResultsError(f"{path}: {KEY} is {grid!r}")
    known["grid"] = tuple((str(name), str(own)) for name, own in grid.items())
    known["prices"] = _prices(path, record.get(PRICES))
    known["bill"] = _bill_terms(path, record.get(BILL, {}))
    checksums = record.get(CHECKSUMS, {})
    if not isinstance(checksums, dict):
        raise ResultsError(f"{path}: {CHECKSUMS} is {checksums!r}")
    known |= {"checksums": tuple((str(name), str(own)) for name, own in checksums.items())}
    not_facts = {formats.KEY, WITHOUT_CHAIN, BILL, CHECKSUMS, PRICES, "timezone", *_RUN_KEYS}
    others = {key: value for key, value in record.items() if key not in not_facts}
    known["checksum"] = checksum_of(record)
    return Run(
        **known, without_chain=bool(record.get(WITHOUT_CHAIN)), invariants=invariants, facts=tuple(_facts(others))
    )


def _prices(path: Path, record: Any) -> PriceRange:
    if record is None:
        return FROM_ZERO
    try:
        return PriceRange(UnitsPerWh(int(record["lowest"])), int(record["tick"]))
    except (KeyError, TypeError, ValueError):
        raise ResultsError(f"{path}: {PRICES} must say lowest and tick, in units/Wh") from None


def _bill_terms(path: Path, record: Any) -> BillTerms:
    try:
        levies = [(own["name"], own["units_per_wh"], own["units_per_day"]) for own in record.get("levies", [])]
        numbers = [record.get("vat_per_10000", 0), *(number for _, *both in levies for number in both)]
        if all(type(number) is int and 0 <= number <= _LARGEST_LEVY for number in numbers):
            return BillTerms(numbers[0], tuple(Levy(str(name), *both) for name, *both in levies))
    except (KeyError, TypeError, AttributeError, ValueError):
        pass
    raise ResultsError(f"{path}: {BILL} must say vat_per_10000 and levies, each with whole numbers")


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
    for column, known in (("side", SIDES), ("status", ORDER_STATUS)):
        for row in _first(results.orders, ~results.orders[column].isin(known)):
            raise ResultsError(f"{folder}/orders.csv: order {row['order']} has {column} {row[column]!r}")
    orders, fills, tariffs = results.orders, results.fills, results.tariffs
    for name, frame, wrong, why in (
        ("orders", orders, orders["order"].duplicated(), "order {order} is there twice"),
        ("orders", orders, ~orders["participant"].isin(results.participants.index), "order {order} is of nobody"),
        ("fills", fills, fills["order"].duplicated(), "order {order} is there twice"),
        ("fills", fills, ~fills["order"].isin(orders["order"]), "order {order} is not in orders.csv"),
        (
            "tariffs",
            tariffs.reset_index(),
            tariffs["sell_units_per_wh"] > tariffs["buy_units_per_wh"],
            "period {period}: tariffs must be sell <= buy",
        ),
        ("fills", *_mispriced(results), "order {order}: {amount_units} units are not {filled_wh} Wh at {price_ticks}"),
    ):
        for row in _first(frame, wrong.to_numpy()):
            raise ResultsError(f"{folder}/{name}.csv: {why.format(**row)}")
    settlement = results.settlement
    differs = settlement["metered_wh"] - settlement["contracted_wh"] != settlement["imbalance_wh"]
    for wrong, why in (
        (~settlement["participant"].isin(results.participants.index), "not in participants.csv"),
        (~settlement["period"].isin(results.tariffs.index), "no tariff in tariffs.csv"),
        (~settlement["period"].isin(results.periods), "not a period of the run"),
        (differs, "imbalance {imbalance_wh} is not metered {metered_wh} - contracted {contracted_wh}"),
    ):
        for row in _first(settlement, wrong):
            where = f"{folder}/settlement.csv: participant {row['participant']}, period {row['period']}"
            raise ResultsError(f"{where}: {why.format(**row)}")
    sums = settlement.groupby("period")[["imbalance_wh", "imbalance_units", "deviation_units", "penalty_units"]].sum()
    sums = sums.reindex(results.area["period"], fill_value=0).reset_index(drop=True)
    area = results.area.assign(
        settled_wh=sums["imbalance_wh"],
        due_units=sums["imbalance_units"] + sums["deviation_units"] + sums["penalty_units"],
        received_units=results.area["fallback_units"] + results.area["fund_units"] + results.area["penalty_units"],
    )
    for wrong, why in (
        (
            area["settled_wh"] != area["imbalance_wh"],
            "imbalance_wh {imbalance_wh} is not the sum of the participants' {settled_wh}",
        ),
        (
            area["due_units"] != area["received_units"],
            "due {due_units}, but fallback_units + fund_units + penalty_units = {received_units}",
        ),
    ):
        for row in _first(area, wrong):
            raise ResultsError(f"{folder}/area.csv: period {row['period']}: {why.format(**row)}")


def _check_unchanged(folder: Path, run: Run) -> None:
    """The tables are those that the run has written."""
    for name, own in run.checksums:
        path = folder / Path(name).name
        if path.name != RUN and not path.is_file():
            raise ResultsError(f"{path}: missing file")
        if own != (run.checksum if path.name == RUN else checksum(path.read_bytes())):
            raise ResultsError(f"{path}: was changed after the run had written it; play the run again")


def _mispriced(results: Results) -> tuple[pd.DataFrame, "pd.Series[bool]"]:
    """Fills that are not at the price of their period; or worse than their limit, where each pair has its own."""
    filled = results.fills[results.fills["filled_wh"] > 0].merge(results.orders, on="order")
    of_period = results.clearing.set_index("period").reindex(filled["period"])
    sign, is_priced = np.where(filled["side"] == "bid", 1, -1), of_period["price_ticks"].notna().to_numpy()
    ticks = of_period["price_ticks"].fillna(-1).astype("int64").to_numpy()
    filled["price_ticks"] = np.where(is_priced, ticks, filled["limit_ticks"])
    more = filled["amount_units"] - filled["filled_wh"] * filled["price_ticks"] * results.run.prices.tick * sign
    is_traded = of_period["volume_wh"].to_numpy() > 0
    return filled, (more > 0) | (is_priced & (more != 0)) | ~(is_priced | is_traded)


def _check_trades(path: Path, results: Results) -> None:
    """Trades, side by side, must add up to what was settled."""
    trades = results.trades
    for row in _first(trades, (trades["bought_wh"] < 0) | (trades["sold_wh"] < 0)):
        raise ResultsError(f"{path}: participant {row['participant']}, period {row['period']}: negative energy")
    for row in _first(trades, (trades["bought_wh"] > 0) & (trades["sold_wh"] > 0)):
        where = f"{path}: participant {row['participant']}, period {row['period']}"
        raise ResultsError(f"{where}: bought and sold in one row; each side has a row of its own")
    keys = ["participant", "period"]
    amounts = pd.DataFrame(
        {
            "participant": trades["participant"].astype(str),
            "period": trades["period"],
            "contracted_wh": trades["bought_wh"] - trades["sold_wh"],
            "trade_units": trades["amount_units"],
        }
    )
    settled, traded = (
        rows.groupby(keys)[["contracted_wh", "trade_units"]].sum()
        for rows in (results.settlement.astype({"participant": str}), amounts)
    )
    every = settled.index.union(traded.index)
    rest = (settled.reindex(every, fill_value=0) - traded.reindex(every, fill_value=0)).reset_index()
    for row in _first(rest, (rest["contracted_wh"] != 0) | (rest["trade_units"] != 0)):
        raise ResultsError(
            f"{path}: participant {row['participant']}, period {row['period']}: settlement.csv has "
            f"{row['contracted_wh']} Wh and {row['trade_units']} units more than the trades add up to"
        )


def _first(frame: pd.DataFrame, wrong: Any) -> list[dict[str, Any]]:
    """The first row that is wrong, if any is."""
    return [{str(name): value for name, value in row.items()} for row in frame[wrong].head(1).to_dict("records")]
