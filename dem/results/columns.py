"""Every table of a run and its columns, once: what is written, and of what is read back, how."""

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final, Literal, TypeAlias

Kind: TypeAlias = Literal["int64", "Int64", "category"]

INTEGER: Final = "int64"
OPTIONAL: Final = "Int64"
TEXT: Final = "category"
WRITTEN: Final = None
"""Only written: for people, or for other programs."""

TABLES: Mapping[str, Mapping[str, Kind | None]] = {
    "participants": {
        "participant": TEXT,
        "kind": TEXT,
        "import_capacity_wh": INTEGER,
        "export_capacity_wh": INTEGER,
    },
    "orders": {
        "order": INTEGER,
        "participant": TEXT,
        "side": TEXT,
        "period": INTEGER,
        "limit_ticks": INTEGER,
        "energy_wh": INTEGER,
        "start_local": WRITTEN,
        "limit_per_kwh": WRITTEN,
        "energy_kwh": WRITTEN,
        "status": TEXT,
        "reason": TEXT,
    },
    "clearing": {
        "period": INTEGER,
        "price_ticks": OPTIONAL,
        "volume_wh": INTEGER,
        "start_local": WRITTEN,
        "price_per_kwh": WRITTEN,
        "volume_kwh": WRITTEN,
    },
    "fills": {"order": INTEGER, "filled_wh": INTEGER, "amount_units": INTEGER},
    "trades": {
        "market": TEXT,
        "participant": TEXT,
        "period": INTEGER,
        "bought_wh": INTEGER,
        "sold_wh": INTEGER,
        "amount_units": INTEGER,
    },
    "schedule": {"participant": TEXT, "period": INTEGER, "contracted_wh": INTEGER, "contracted_kwh": WRITTEN},
    "readings": {
        "participant": TEXT,
        "period": INTEGER,
        "metered_wh": INTEGER,
        "status": TEXT,
        "metered_kwh": WRITTEN,
    },
    "tariffs": {
        "period": INTEGER,
        "buy_units_per_wh": INTEGER,
        "sell_units_per_wh": INTEGER,
        "start_local": WRITTEN,
        "buy_per_kwh": WRITTEN,
        "sell_per_kwh": WRITTEN,
    },
    "settlement": {
        "participant": TEXT,
        "period": INTEGER,
        "contracted_wh": INTEGER,
        "metered_wh": INTEGER,
        "imbalance_wh": INTEGER,
        "trade_units": INTEGER,
        "imbalance_units": INTEGER,
        "fees_units": INTEGER,
        "deviation_units": INTEGER,
        "penalty_units": INTEGER,
    },
    "area": {
        "period": INTEGER,
        "imbalance_wh": INTEGER,
        "imbalance_price_units_per_wh": OPTIONAL,
        "fallback_wh": INTEGER,
        "fallback_units": INTEGER,
        "fund_units": INTEGER,
        "penalty_units": INTEGER,
    },
    "payments": {"participant": TEXT, "first_period": INTEGER, "cause": TEXT, "amount_units": INTEGER},
    "guarantees": {"participant": TEXT, "first_period": INTEGER, "source": TEXT, "fed_in_wh": INTEGER},
    "without_trade": {"participant": TEXT, "first_period": INTEGER, "paid_units": INTEGER},
    "accounts": {
        "account": TEXT,
        "kind": TEXT,
        "opening_units": INTEGER,
        "deposited_units": INTEGER,
        "withdrawn_units": INTEGER,
        "closing_units": INTEGER,
        "arrears_units": INTEGER,
    },
    "cuts": {
        "participant": TEXT,
        "period": INTEGER,
        "shed_wh": INTEGER,
        "curtailed_wh": INTEGER,
        "contracted_wh": INTEGER,
    },
    "relief": {
        "participant": TEXT,
        "period": INTEGER,
        "direction": TEXT,
        "bought_wh": INTEGER,
        "most_wh": INTEGER,
        "price_units_per_wh": INTEGER,
        "delivered_wh": INTEGER,
    },
}
"""Columns of every table, in their order in its file."""
TRADES = "trades"
"""Only a run with more than the call auction needs it: without it the fills say the same."""
CUTS = "cuts"
"""What an island cut off, and of it what was contracted; only an island has it."""
PAYMENTS = "payments"
GUARANTEES = "guarantees"
"""Guarantees of origin: what meters have shown to be fed in on a day, by what it comes from."""
WITHOUT_TRADE = "without_trade"
"""What members would pay under the same rules if nobody traded."""
RELIEF = "relief"
"""What the grid operator bought of members before limits were set; only a run in which it does has it."""
OPTIONAL_TABLES = frozenset({TRADES, CUTS, RELIEF, PAYMENTS, GUARANTEES, WITHOUT_TRADE})
"""A folder without one of these is read all the same."""
WITHOUT = {"penalty_units": 0, "arrears_units": 0}
"""Columns that a table may lack, and what stands for them: without a wholesale desk there are no penalties."""


def file_of(table: str) -> str:
    """Name of a table's file."""
    return f"{table}.csv"


def read_columns(table: str) -> dict[str, Kind]:
    """Columns of a table that are read back; none of one that is only written."""
    return {name: kind for name, kind in TABLES[table].items() if kind is not None}


RUN = "run.json"
"""What a run says of itself."""
PRICES = "prices"
"""Key of run.json: the lowest price that orders can name, and the tick between two, units/Wh."""
WITHOUT_CHAIN = "without_chain"
"""Key of run.json: whether the reference model alone has played the days."""
CHECKSUMS = "checksums"
"""Key of run.json: of its tables by file, and under the name of run.json of all else that it says."""


def checksum(content: bytes) -> str:
    """Tells whether a file, or what a run says of itself, was changed."""
    return sha256(content).hexdigest()


def checksum_of(record: Mapping[str, Any]) -> str:
    """Of what a run says of itself, but for the checksums."""
    facts = {key: value for key, value in record.items() if key != CHECKSUMS}
    return checksum(json.dumps(facts, sort_keys=True).encode())
