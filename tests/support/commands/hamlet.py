"""Small scenarios, written as the folders that `ape run day` takes."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

from dem.community.scenario import PARTICIPANT_COLUMNS
from support.scenario_text import LEADS, rules

HISTORY_DAYS = 3
"""Days before day 1 that the tables hold: forecasts need two."""
FIRST_DAY = datetime.fromisoformat("2016-05-08T00:00+02:00")
DAY_SECONDS = 86_400

CONFIG = (
    """\
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
"""
    + LEADS
    + """
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

"""
    + rules(max_buy="0.4", max_layers=2, tolerance_fixed_wh=20)
    + """
[strategies]
default = "zero_intelligence"
parameters.truthful.max_gain_permille = 0
"""
)
"""Truthful members all name the same limit, the edge of the band, so that somebody has to be rationed."""

SECTIONS = {
    "bilateral": """
[bilateral]
contracts = "contracts.csv"
""",
    "pools": """
[[pools]]
name = "roofs"
intermediary = "agency"
preset = "virtual_power_plant"
commission = 0.002
margin = 0.004
gate_lead_seconds = 50400
""",
    "wholesale": """
[wholesale]
desk = "desk"
prices = "prices.csv"
price_seconds = 3600
margin = 0.17
import_capacity_wh = 3000
export_capacity_wh = 3000
penalty = 0.01
""",
    "intraday": """
[intraday]
gate_lead_seconds = 3600
sessions = [-4, 9, 15]
""",
}
"""How a mechanism works, by its name."""
MIXED = ("call_auction", "intraday", "bilateral", "pools", "wholesale")
"""Every mechanism."""
_RULES_OF_ALL = """commission_cap = 0.005
wholesale_margin = 0.17
penalty_cap = 0.02
premium_rate = 0.03
reward_share = 5000

[strategies]"""
INTERMEDIARIES = (
    ("agency", "intermediary", "", 9000, 9000, 100, 0, "truthful"),
    ("desk", "wholesale_desk", "", 0, 0, 2000, 0, "none"),
)
AGREEMENTS = (
    ("roof-3", "home-1", "0.07", 100, "2016-05-08", "2016-12-31", "Mo-Su", "09:00-17:00"),
    ("roof-2", "home-2", "0.065", 50, "2016-05-01", "2016-05-08", "Mo-Su", "08:00-18:00"),
)

EXTREME = (-50_000, 500_000)
"""What an exchange of Europe has had: -500 to 5,000 EUR/MWh, cents."""
FAR_PRICES = """
[prices]
lowest = -0.999
tick = 0.0015
"""

FLEXIBLE = ("intermediary", "share_permille", "battery_wh", "battery_w")
OFFICES = (
    ("operator", "operator", "", 0, 0, 0, 0, "none"),
    ("grid", "grid_operator", "here", 5000, 0, 0, 200, "none"),
)
DEBTORS = tuple((f"debtor-{number}", "consumer", "", 900, 0, "0.5", 0, "none") for number in range(6))
"""Whom a supplier with little credit can advance nothing."""
POOR = ("poor", "consumer", "", 900, 0, "0.05", 0, "")
"""Its deposit does not cover its orders."""
DEBTOR = ("debtor", "consumer", "", 900, 0, "0.5", 0, "none")
"""Does not trade, and cannot pay what it consumes."""


LONG_AUCTIONS = {
    "open_lead_seconds = 64800": "open_lead_seconds = 72000",
    "gate_lead_seconds = 43200": "gate_lead_seconds = 7200",
    "metering_lag_seconds = 21600": "metering_lag_seconds = 43200",
    "correction_lag_seconds = 86400": "correction_lag_seconds = 50400",
}


@dataclass(frozen=True)
class Hamlet:
    """A generated community; the same for the same numbers. more: further rows of the participant table.
    markets: mechanisms it uses, of MIXED or others; without any, the call auction as scenarios have it that name
    none. described: mechanisms it does not use but says how they work. islanded: there is no upper grid, nor losses.
    has_coins: NRGcoins are credited."""

    consumers: int = 5
    plants: int = 3
    days: int = 1
    periods_per_day: int = 24
    more: Sequence[tuple[object, ...]] = field(default=())
    markets: Sequence[str] = field(default=())
    described: Sequence[str] = field(default=())
    islanded: bool = False
    has_coins: bool = False
    credit: object = 2000
    """Of the fallback supplier."""
    wholesale: tuple[int, int] = (-2000, 9000)
    """Lowest and highest price of the exchange, cents/MWh."""
    deposit: int = 30

    def write(self, folder: Path) -> Path:
        """Write scenario.toml and its tables; returns the folder."""
        folder.mkdir(parents=True, exist_ok=True)
        seconds = DAY_SECONDS // self.periods_per_day
        config = CONFIG.format(days=self.days, period_seconds=seconds, periods_per_day=self.periods_per_day)
        if self.islanded:
            config = config.replace("seed = 7", "seed = 7\nislanded = true").replace("_rate = 0.002", "_rate = 0")
        if self.has_coins:
            config = config.replace("seed = 7", "seed = 7\ncoins = true")
        if self.wholesale == EXTREME:
            config += FAR_PRICES
            config = config.replace("max_buy = 0.4", "max_buy = 5.24")
        (folder / "scenario.toml").write_text(config, encoding="utf-8")
        consumers = [f"home-{i}" for i in range(1, self.consumers + 1)]
        plants = [f"roof-{i}" for i in range(1, self.plants + 1)]
        strategies = ("", "truthful")
        members = [
            ("supplier", "fallback_supplier", "", 0, 0, 0, self.credit, "none"),
            *OFFICES,
            *((name, "consumer", "", 900, 0, self.deposit, 0, strategies[i % 2]) for i, name in enumerate(consumers)),
            *((name, "prosumer", "", 300, 3000, self.deposit, 0, strategies[i % 2]) for i, name in enumerate(plants)),
            *self.more,
        ]
        if self.markets:
            has_pool = "pools" in (*self.markets, *self.described)
            members = [(*member, *_extras(str(member[0]), has_pool)) for member in (*members, *INTERMEDIARIES)]
            self._describe_markets(folder)
        columns = (*PARTICIPANT_COLUMNS, *FLEXIBLE) if self.markets else PARTICIPANT_COLUMNS
        write_table(folder / "participants.csv", columns, members)
        metered = [*consumers, *(str(member[0]) for member in self.more)]
        random = Random(self.periods_per_day)
        periods = (HISTORY_DAYS + self.days) * self.periods_per_day

        def profile(name: str) -> list[int]:
            losses = (0, 0) if self.islanded else (0, 30)
            low, high = losses if name == "grid" else (0, 300) if name in plants else (50, 800)
            return [random.randint(low, high) for _ in range(periods)]

        def sun(period: int) -> int:
            hour = period % self.periods_per_day * 24 // self.periods_per_day
            return random.randint(100, 2200) if 6 <= hour < 20 else 0

        loads = {name: profile(name) for name in ("grid", *metered, *plants)}
        suns = {name: [sun(period) for period in range(periods)] for name in plants}
        self._write_profiles(folder / "load.csv", loads)
        self._write_profiles(folder / "pv.csv", suns or {"grid": [0] * periods})
        prices = ((f"{random.randint(*self.wholesale) / 100:.2f}",) for _ in range((HISTORY_DAYS + self.days) * 24))
        write_table(folder / "prices.csv", ("start", "price_per_mwh"), _in_time(3600, prices))
        return folder

    def _describe_markets(self, folder: Path) -> None:
        switches = "\n".join(
            f"{name} = {str(name in self.markets).lower()}" for name in dict.fromkeys((*MIXED, *self.markets))
        )
        sections = "".join(SECTIONS[name] for name in SECTIONS if name in (*self.markets, *self.described))
        config = (folder / "scenario.toml").read_text(encoding="utf-8").replace("[strategies]", _RULES_OF_ALL)
        (folder / "scenario.toml").write_text(f"{config}\n[markets]\n{switches}\n{sections}", encoding="utf-8")
        columns = ("seller", "buyer", "price", "energy_wh", "first", "last", "weekdays", "hours")
        write_table(folder / "contracts.csv", columns, AGREEMENTS)

    def _write_profiles(self, path: Path, columns: dict[str, list[int]]) -> None:
        rows = _in_time(DAY_SECONDS // self.periods_per_day, zip(*columns.values(), strict=True))
        write_table(path, ("start", *columns), rows)


def long_auctions(folder: Path) -> Path:
    """Gives a written hamlet long time for orders and readings, so that a failure of half a minute fits into a day of
    minutes; returns its folder."""
    config = (folder / "scenario.toml").read_text(encoding="utf-8")
    for old, new in LONG_AUCTIONS.items():
        assert old in config
        config = config.replace(old, new)
    (folder / "scenario.toml").write_text(config, encoding="utf-8")
    return folder


def _extras(name: str, has_pool: bool) -> tuple[object, ...]:
    """Intermediary, share and battery of a member."""
    clients = {"roof-1": 1000, "roof-2": 500, "home-3": 1000, "home-4": 400}
    mandate = ("agency", clients[name]) if has_pool and name in clients else ("", "")
    return (*mandate, *((4000, 2000) if name in ("home-2", "roof-3") else ("", "")))


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
