"""Small scenarios, written as the folders that `ape run day` takes."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

HISTORY_DAYS = 3
"""Days before day 1 that the tables hold: forecasts need two."""
FIRST_DAY = datetime.fromisoformat("2016-05-08T00:00+02:00")
DAY_SECONDS = 86_400

CONFIG = """\
name = "hamlet"
title = "A hamlet for tests"
currency = "EUR"
seed = 7

[calendar]
start = 2016-05-08
days = {days}
utc_offset_seconds = 7200
period_seconds = {period_seconds}
periods_per_day = {periods_per_day}
open_lead_seconds = 64800
gate_lead_seconds = 43200
metering_lag_seconds = 21600
correction_lag_seconds = 86400

[tables]
participants = "participants.csv"
load = "load.csv"
pv = "pv.csv"

[tariff]
kind = "spot"
prices = "prices.csv"
price_seconds = 3600
buy_adder = 0.25
sell_margin = 0.004

[[rules]]
first_day = 1
platform_fee = 0.002
network_fee = 0.01
deviation_rate = 0.002
standing_buy = 0.28
standing_sell = 0.0
max_buy = 0.4
tolerance_fixed_wh = 20
tolerance_share = 1000
min_order_energy_wh = 5
max_layers = 2
imbalance_pricing = "single"
charge_helpful = false
boundary_margin_wh = 100

[strategies]
default = "zero_intelligence"
parameters.truthful.max_gain_permille = 0
"""
"""Truthful members all name the same limit, the edge of the band, so that somebody has to be rationed."""

PARTICIPANTS = (
    "participant",
    "kind",
    "bus",
    "import_capacity_wh",
    "export_capacity_wh",
    "deposit",
    "credit_limit",
    "strategy",
)
OFFICES = (
    ("supplier", "fallback_supplier", "", 0, 0, 0, 2000, "none"),
    ("operator", "operator", "", 0, 0, 0, 0, "none"),
    ("grid", "grid_operator", "here", 5000, 0, 0, 200, "none"),
)
POOR = ("poor", "consumer", "", 900, 0, "0.05", 0, "")
"""Its deposit does not cover its orders."""
DEBTOR = ("debtor", "consumer", "", 900, 0, "0.5", 0, "none")
"""Does not trade, and cannot pay what it consumes."""


@dataclass(frozen=True)
class Village:
    """A generated community; the same for the same numbers. more: further rows of the participant table."""

    consumers: int = 5
    plants: int = 3
    days: int = 1
    periods_per_day: int = 24
    more: Sequence[tuple[object, ...]] = field(default=())

    def write(self, folder: Path) -> Path:
        """Write scenario.toml and its tables; returns the folder."""
        folder.mkdir(parents=True, exist_ok=True)
        seconds = DAY_SECONDS // self.periods_per_day
        config = CONFIG.format(days=self.days, period_seconds=seconds, periods_per_day=self.periods_per_day)
        (folder / "scenario.toml").write_text(config, encoding="utf-8")
        consumers = [f"home-{i}" for i in range(1, self.consumers + 1)]
        plants = [f"roof-{i}" for i in range(1, self.plants + 1)]
        strategies = ("", "truthful")
        members = [
            *OFFICES,
            *((name, "consumer", "", 900, 0, 30, 0, strategies[i % 2]) for i, name in enumerate(consumers)),
            *((name, "prosumer", "", 300, 3000, 30, 0, strategies[i % 2]) for i, name in enumerate(plants)),
            *self.more,
        ]
        write_table(folder / "participants.csv", PARTICIPANTS, members)
        metered = [*consumers, *(str(member[0]) for member in self.more)]
        random = Random(self.periods_per_day)
        periods = (HISTORY_DAYS + self.days) * self.periods_per_day

        def profile(name: str) -> list[int]:
            low, high = (0, 30) if name == "grid" else (0, 300) if name in plants else (50, 800)
            return [random.randint(low, high) for _ in range(periods)]

        def sun(period: int) -> int:
            hour = period % self.periods_per_day * 24 // self.periods_per_day
            return random.randint(100, 2200) if 6 <= hour < 20 else 0

        loads = {name: profile(name) for name in ("grid", *metered, *plants)}
        self._write_profiles(folder / "load.csv", loads)
        self._write_profiles(folder / "pv.csv", {name: [sun(period) for period in range(periods)] for name in plants})
        prices = ((f"{random.randint(-2000, 9000) / 100:.2f}",) for _ in range((HISTORY_DAYS + self.days) * 24))
        write_table(folder / "prices.csv", ("start", "price_per_mwh"), _in_time(3600, prices))
        return folder

    def _write_profiles(self, path: Path, columns: dict[str, list[int]]) -> None:
        rows = _in_time(DAY_SECONDS // self.periods_per_day, zip(*columns.values(), strict=True))
        write_table(path, ("start", *columns), rows)


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A CSV file with a header."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def read_table(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file by column."""
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def _in_time(seconds: int, rows: Iterable[Sequence[object]]) -> Iterable[tuple[object, ...]]:
    first = FIRST_DAY - timedelta(days=HISTORY_DAYS)
    for number, row in enumerate(rows):
        yield (first + timedelta(seconds=number * seconds)).isoformat(), *row
