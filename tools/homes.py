"""Make the tables of `scenarios/homes-year/`: 17 metered homes with plants, and the day-ahead prices of that year.

    python tools/homes.py --homes HOMES.csv.gz --prices PRICES.csv

writes, byte for byte as shipped, `load.csv.gz`, `pv.csv.gz`, `prices.csv.gz` and `participants.csv`. It needs nothing
but Python.

HOMES has a row for each home and hour, in order: `building`, `hour_index`, `hour` (1 to 24), `day_type` (1 is Monday),
`load_Wh` and `pv_Wh`, of 8,760 hours from 31 July 2016, 23:00, on. PRICES has the hour by the clock and EUR/MWh in its
first two columns.

- The homes' clock is kept: every day has 24 hours, so the scenario has one offset from UTC for all of its days, that
  of Germany in winter, whose prices these are. Where the homes stand, nine hours later, nothing of the market depends.
- Prices are by the clock as well, 24 for each day: the hour that summer time skips has a price in the source.
- The scenario begins after four weeks, which forecasts look back on.
"""

import argparse
import csv
import gzip
import math
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from pathlib import Path

from dem.community.scenario import PARTICIPANT_COLUMNS

START = datetime(2016, 7, 31, 23, tzinfo=timezone(timedelta(hours=1)))
FIRST_HOUR, LAST_HOUR = "2016-08-30T00:00", "2017-07-30T23:00"
HOUR = timedelta(hours=1)
HOURS, HOMES, MONDAY = 8_760, 17, 1
CONNECTION_KW, PLANT_KW = 14, 6  # of every home, in and out: above the most that any of them shows
HIGHEST = 0.42  # currency/kWh, the highest tariff: a deposit for a year covers it

SCENARIO = Path(__file__).resolve().parent.parent / "scenarios" / "homes-year"
OFFICES = [
    ["supplier", "fallback_supplier", "", "0", "0", "0", "2000", "none"],
    ["operator", "operator", "", "0", "0", "0", "0", "none"],
    ["grid", "grid_operator", "", "0", "0", "0", "0", "none"],
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--homes", type=Path, required=True)
    parser.add_argument("--prices", type=Path, required=True)
    arguments = parser.parse_args()
    load, pv = read_homes(arguments.homes)
    # Losses of the homes' network are not known: the grid operator's meter stands still.
    load["grid"] = [0] * HOURS
    starts = [(START + HOUR * number).isoformat(timespec="minutes") for number in range(HOURS)]
    for name, table in (("load", load), ("pv", pv)):
        rows = zip(starts, *table.values(), strict=True)
        write_compressed(SCENARIO / f"{name}.csv.gz", ["start", *table], rows)
    write_compressed(SCENARIO / "prices.csv.gz", ["start", "price_per_mwh"], read_prices(arguments.prices))
    homes = [
        [
            name,
            "prosumer",
            "",
            str(CONNECTION_KW * 1_000),
            str(PLANT_KW * 1_000),
            deposit(load[name], pv[name]),
            "0",
            "",
        ]
        for name in pv
    ]
    with (SCENARIO / "participants.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([PARTICIPANT_COLUMNS, *OFFICES, *homes])


def read_homes(source: Path) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
    """Load and generation of each home, Wh by hour."""
    load, pv = defaultdict[str, list[int]](list), defaultdict[str, list[int]](list)
    with gzip.open(source, "rt", newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            name = f"home-{int(row['building']):02d}"
            time = START + HOUR * len(load[name])
            weekday = (time.weekday() + MONDAY, int(row["day_type"]))
            assert int(row["hour_index"]) == len(load[name]), f"{source}: {name} lacks hour {len(load[name])}"
            assert int(row["hour"]) == time.hour + 1, f"{source}: {name}, {time} is hour {row['hour']}"
            assert weekday[0] == weekday[1] or weekday[1] > 7, f"{source}: {name}, {time} is of type {row['day_type']}"
            load[name].append(int(row["load_Wh"]))
            pv[name].append(int(row["pv_Wh"]))
    assert len(load) == HOMES
    assert all(len(values) == HOURS for values in load.values())
    return load, pv


def read_prices(source: Path) -> Iterable[tuple[str, str]]:
    """Hours of the scenario's days and EUR/MWh."""
    with source.open(newline="", encoding="utf-8") as file:
        for label, price, *_ in list(csv.reader(file))[1:]:
            start = label[:16].replace(" ", "T")
            if FIRST_HOUR <= start <= LAST_HOUR:
                yield f"{start}+01:00", f"{float(price):.2f}"


def deposit(load: list[int], pv: list[int]) -> str:
    """Currency for a year's net consumption at the highest tariff, and a day's orders on top."""
    kwh = sum(max(0, drawn - fed) for drawn, fed in zip(load, pv, strict=True)) / 1_000
    return str(50 + 10 * math.ceil(kwh * HIGHEST / 10))


def write_compressed(path: Path, header: list[str], rows: Iterable[Iterable[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [",".join(header), *(",".join(map(str, row)) for row in rows)]
    path.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode(), mtime=0))
    print(f"{len(lines) - 1} lines, {path.stat().st_size:,} bytes -> {path}")


if __name__ == "__main__":
    main()
