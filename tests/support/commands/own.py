"""A hamlet whose members bring orders and forecasts, come and go, and whose meters do not report as they should."""

import csv
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from support.commands.hamlet import DAY_SECONDS, FIRST_DAY, Hamlet, read_table, write_table

ORDERS = (
    # home-1 orders itself on two of the days, in two layers once
    ("home-1", "2016-05-08T10:00", "bid", "0.2", 300),
    ("home-1", "2016-05-08T10:00", "bid", "0.1", 200),
    ("home-1", "2016-05-09T12:00", "bid", "0.25", 700),
    ("roof-1", "2016-05-08T10:00", "ask", "0.05", 900),
    ("roof-1", "2016-05-09T12:00", "ask", "0.06", 2000),
)
READINGS = (
    # strips of a day: some late and some that never come, between those that are in time
    ("home-1", "2016-05-08", "late", "", "2016-05-08T06:00+02:00", "2016-05-08T11:00+02:00"),
    ("home-1", "2016-05-09", "missing", "", "2016-05-09T00:00+02:00", "2016-05-09T05:00+02:00"),
    ("home-1", "2016-05-09", "late", "", "2016-05-09T18:00+02:00", "2016-05-09T23:00+02:00"),
    # single periods that are corrected, with a strip that is late
    ("roof-1", "2016-05-10", "corrected", 200, "2016-05-10T09:00+02:00", "2016-05-10T10:00+02:00"),
    ("roof-1", "2016-05-10", "late", "", "2016-05-10T18:00+02:00", "2016-05-10T23:00+02:00"),
    ("home-2", "2016-05-08", "missing", ""),
    ("home-2", "2016-05-09", "missing", ""),
    ("home-3", "2016-05-09", "late", ""),
    ("roof-2", "2016-05-09", "corrected", 500),
    # after three days that are missing it orders no more, until its meter is read again
    ("home-2", "2016-05-10", "missing", ""),
    # on the day on which it is back
    ("home-4", "2016-05-11", "missing", ""),
    # between days on which it is read, so that its register shows what it took in
    ("home-5", "2016-05-10", "missing", ""),
    ("roof-3", "2016-05-10", "corrected", 0),
)
TERMS = {
    "home-5": {"joins": "2016-05-09"},
    "home-4": {"leaves": "2016-05-08", "returns": "2016-05-11"},
    "roof-1": {"leaves": "2016-05-11"},
    "roof-2": {"new_meter": "2016-05-11"},
}
CONNECTIONS = (
    # whose estimates of missing days it is, day by day
    ("home-2", "2016-05-09", 950, 10),
    ("home-2", "2016-05-10", 1000, 0),
    # orders within the new one that are beyond the old one
    ("home-5", "2016-05-11", 850, 0),
    ("roof-3", "2016-05-10", 350, 4000),
    # with which it is back
    ("home-4", "2016-05-11", 1100, 0),
)
DAYS = 5


@dataclass(frozen=True)
class OwnHamlet:
    """See above. markets, has_coins: as of a hamlet."""

    markets: tuple[str, ...] = ()
    has_coins: bool = False

    def write(self, folder: Path) -> Path:
        """Write the folder."""
        hamlet = Hamlet(days=DAYS, markets=self.markets, has_coins=self.has_coins)
        hamlet.write(folder)
        columns = ("joins", "leaves", "returns", "new_meter")
        members = [
            {**row, **dict.fromkeys(columns, ""), **TERMS.get(row["participant"], {})}
            for row in read_table(folder / "participants.csv")
        ]
        with (folder / "participants.csv").open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, members[0].keys(), lineterminator="\n")
            writer.writeheader()
            writer.writerows(members)
        write_table(folder / "orders.csv", ("participant", "start", "side", "price", "energy_wh"), _local(ORDERS))
        columns = ("participant", "date", "reading", "first_permille", "first", "last")
        write_table(folder / "readings.csv", columns, [(*row, "", "")[: len(columns)] for row in READINGS])
        columns = ("participant", "date", "import_capacity_wh", "export_capacity_wh")
        write_table(folder / "connections.csv", columns, CONNECTIONS)
        seconds = DAY_SECONDS // hamlet.periods_per_day
        rows = [
            ((FIRST_DAY + timedelta(seconds=n * seconds)).isoformat(), 100 + n, -n)
            for n in range(DAYS * hamlet.periods_per_day)
        ]
        write_table(folder / "forecast.csv", ("start", "home-2", "roof-3"), rows)
        config = folder / "scenario.toml"
        tables = 'pv = "pv.csv"\norders = "orders.csv"\nforecast = "forecast.csv"\nreadings = "readings.csv"\n'
        tables += 'connections = "connections.csv"'
        text = config.read_text(encoding="utf-8").replace('pv = "pv.csv"', tables)
        config.write_text(text, encoding="utf-8")
        return folder


def _local(rows: tuple[tuple[object, ...], ...]) -> list[tuple[object, ...]]:
    return [(name, f"{start}+02:00", *rest) for name, start, *rest in rows]


def short_days(folder: Path) -> Path:
    """A hamlet whose 24 hours are three trading days of 24 periods."""
    Hamlet(periods_per_day=72, days=2).write(folder)
    config = folder / "scenario.toml"
    text = config.read_text(encoding="utf-8")
    for old, new in (
        ("days = 2", "days = 6"),
        ("periods_per_day = 72", "periods_per_day = 24"),
        ("open_lead_seconds = 64800", "open_lead_seconds = 21600"),
        ("gate_lead_seconds = 43200", "gate_lead_seconds = 7200"),
        ("metering_lag_seconds = 21600", "metering_lag_seconds = 3600"),
        ("correction_lag_seconds = 86400", "correction_lag_seconds = 28800"),
    ):
        assert old in text
        text = text.replace(old, new)
    config.write_text(text, encoding="utf-8")
    return folder
