"""Make the shipped data of `scenarios/data/` anew from SimBench's grid 1-LV-rural1--2.

SimBench and pandapower are needed for this and nothing else, so they stay out of the project's
environment:

    python3.11 -m venv /tmp/extract
    /tmp/extract/bin/pip install -r tools/extract_simbench.requirements.txt
    /tmp/extract/bin/python tools/extract_simbench.py

writes `participants.csv`, `load_wh.csv` and `pv_wh.csv` of `scenarios/data/simbench-lv-rural1/`,
byte for byte as shipped. Wholesale prices are no part of SimBench: `--prices DE.csv` cuts
`scenarios/data/epex-de-at-lu/prices.csv` out of a file whose first two columns are wall-clock hour
and EUR/MWh, such as the data set "DE" of the epftoolbox.

What is taken and what is not:

- every load element is one consumer with its own meter, every PV element (`sgen`) one prosumer
  with its own meter and no load behind it: SimBench meters them apart too. The five storage units
  of the grid stand still;
- energy of a quarter-hour is mean power times 15 minutes, rounded to whole Wh. Nothing is rescaled
  unless `--pv-scale` says so;
- SimBench labels its rows with German wall-clock time (the hour 02:00 is missing on 2016-03-27 and
  there twice on 2016-10-30), and so do the prices. The days shipped all lie in summer time, UTC+2;
- losses are what an AC power flow finds between the transformer's 20 kV side and the meters. Their
  column is the grid operator's meter, so all columns together are the boundary meter to the Wh.
"""

import argparse
import csv
import math
import warnings
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import numpy as np

GRID = "1-LV-rural1--2-no_sw"
FIRST_DAY = date(2016, 4, 10)
LAST_DAY = date(2016, 5, 30)
SUMMER_TIME = timezone(timedelta(hours=2))
PERIOD = timedelta(minutes=15)
PERIODS_PER_DAY = 96
WH_PER_PERIOD = 1_000_000 / 4  # one MW over a quarter of an hour

ROOT = Path(__file__).resolve().parent.parent
COMMUNITY = ROOT / "scenarios" / "data" / "simbench-lv-rural1"
PRICES = ROOT / "scenarios" / "data" / "epex-de-at-lu" / "prices.csv"

# What a SimBench load profile stands for, by the beginning of its name.
TRADES = {
    "H0": "home",  # households
    "L1": "dairy",  # farms with dairy cattle
    "L2": "farm",  # other farms
    "Air": "heatpump",
    "Soil": "heatpump",
    "HLS": "charger",  # a car charger at home
}
HEADER = (
    "participant",
    "kind",
    "bus",
    "import_capacity_wh",
    "export_capacity_wh",
    "deposit",
    "credit_limit",
    "strategy",
)
# Ledger accounts that come with every market. The grid operator's meter shows the losses.
SERVICES = (
    ("supplier", "fallback_supplier", "", 0, 0, "0", "2000", "none"),
    ("operator", "operator", "", 0, 0, "0", "0", "none"),
    ("grid", "grid_operator", "LV1.101 Bus 4", 10_000, 0, "0", "200", "none"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pv-scale", type=float, default=1.0, help="multiply all PV generation")
    parser.add_argument("--prices", type=Path, help="only cut the shipped prices out of this file")
    parser.add_argument("--out", type=Path, help="folder (with --prices: file) to write instead")
    arguments = parser.parse_args()
    if arguments.prices:
        cut_prices(arguments.prices, arguments.out or PRICES)
    else:
        extract(arguments.out or COMMUNITY, arguments.pv_scale)


def extract(folder: Path, pv_scale: float) -> None:
    """Write the community's three tables into `folder`."""
    warnings.simplefilter("ignore")
    import pandapower
    import simbench

    net = simbench.get_simbench_net(GRID)
    profiles = simbench.get_absolute_values(net, profiles_instead_of_study_cases=True)
    rows = rows_of_days(list(net.profiles["load"]["time"]))
    load_mw = profiles["load", "p_mw"].to_numpy()[rows]
    load_mvar = profiles["load", "q_mvar"].to_numpy()[rows]
    pv_mw = profiles["sgen", "p_mw"].to_numpy()[rows] * pv_scale

    consumers = [f"{trade(row.profile)}-{number(row.name):02d}" for _, row in by_name(net.load)]
    plants = [f"pv-{number(row.name)}" for _, row in by_name(net.sgen)]
    load_wh = np.rint(load_mw * WH_PER_PERIOD).astype(int)
    pv_wh = np.rint(pv_mw * WH_PER_PERIOD).astype(int)

    # SimBench's transformers load without a tap changer type, and without one pandapower leaves
    # their tap out: 2.5 % of voltage.
    net.trafo["tap_changer_type"] = "Ratio"
    net.trafo["shift_degree"] = 0.0
    net.storage["in_service"] = False
    boundary_mw = np.empty(len(rows))
    for i in range(len(rows)):
        net.load["p_mw"], net.load["q_mvar"] = load_mw[i], load_mvar[i]
        net.sgen["p_mw"], net.sgen["q_mvar"] = pv_mw[i], 0.0
        pandapower.runpp(net, init="results" if i else "auto")
        boundary_mw[i] = float(net.res_ext_grid.p_mw.sum())
    boundary_wh = np.rint(boundary_mw * WH_PER_PERIOD).astype(int)
    losses_wh = boundary_wh - load_wh.sum(axis=1) + pv_wh.sum(axis=1)

    load_order = [i for i, _ in by_name(net.load)]
    pv_order = [i for i, _ in by_name(net.sgen)]
    folder.mkdir(parents=True, exist_ok=True)
    write_profiles(
        folder / "load_wh.csv",
        [*consumers, "grid"],
        np.column_stack([load_wh[:, load_order], losses_wh]),
    )
    write_profiles(folder / "pv_wh.csv", plants, pv_wh[:, pv_order])

    buses = net.bus.name
    members = []
    for name, (_, row) in zip(consumers, by_name(net.load), strict=True):
        inflow, money = capacity(row.sn_mva), deposit(row.sn_mva, 2000)
        members.append((name, "consumer", buses[row.bus], inflow, 0, money, "0", ""))
    for name, (_, row) in zip(plants, by_name(net.sgen), strict=True):
        outflow, money = capacity(row.sn_mva * pv_scale), deposit(row.sn_mva, 3000)
        members.append((name, "prosumer", buses[row.bus], 0, outflow, money, "0", ""))
    with (folder / "participants.csv").open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([HEADER, *SERVICES, *members])
    print(f"{len(members)} participants, {len(rows)} quarter-hours -> {folder}")


def rows_of_days(labels: list[str]) -> list[int]:
    """Row numbers of the shipped days, found by SimBench's wall-clock labels."""
    position: dict[datetime, int] = {}
    for i, label in enumerate(labels):
        clock = datetime.strptime(label, "%d.%m.%Y %H:%M").replace(tzinfo=SUMMER_TIME)
        position.setdefault(clock, i)
    rows = [position[start_of(i)] for i in range(PERIODS_PER_DAY * days_shipped())]
    assert rows == list(range(rows[0], rows[0] + len(rows))), "rows are not in order of time"
    return rows


def start_of(period: int) -> datetime:
    """When a shipped quarter-hour begins, counted from the first."""
    midnight = datetime(FIRST_DAY.year, FIRST_DAY.month, FIRST_DAY.day, tzinfo=SUMMER_TIME)
    return midnight + period * PERIOD


def days_shipped() -> int:
    return (LAST_DAY - FIRST_DAY).days + 1


def by_name(table):  # type: ignore[no-untyped-def]
    """(position, row) of a grid table's elements, in the order of the numbers in their names."""
    return sorted(enumerate(table.itertuples()), key=lambda item: number(item[1].name))


def number(name: str) -> int:
    """`LV1.101 Load 12` -> 12"""
    return int(name.rsplit(" ", 1)[1])


def trade(profile: str) -> str:
    return next(trade for start, trade in TRADES.items() if profile.startswith(start))


def capacity(sn_mva: float) -> int:
    """Wh a connection of this rating passes in a quarter-hour."""
    return math.ceil(round(sn_mva * WH_PER_PERIOD, 6))


def deposit(sn_mva: float, per_mva: float) -> str:
    """Opening deposit in currency, a multiple of ten: the collateral of a day's orders fits in."""
    return str(10 + 10 * math.ceil(sn_mva * per_mva / 10))


def write_profiles(path: Path, names: list[str], energy: np.ndarray) -> None:
    """One line per quarter-hour, one column per participant; energy[period, participant] in Wh."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["start", *names])
        for i, row in enumerate(energy.tolist()):
            writer.writerow([start_of(i).isoformat(timespec="minutes"), *row])


def cut_prices(source: Path, target: Path) -> None:
    """Copy the hours of the shipped days from a table of (wall-clock hour, EUR/MWh, ...)."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with source.open(newline="") as read, target.open("w", newline="") as write:
        writer = csv.writer(write, lineterminator="\n")
        writer.writerow(["start", "price_per_mwh"])
        hours = 0
        for row in list(csv.reader(read))[1:]:
            hour = datetime.fromisoformat(row[0]).replace(tzinfo=SUMMER_TIME)
            if FIRST_DAY <= hour.date() <= LAST_DAY:
                writer.writerow([hour.isoformat(timespec="minutes"), f"{float(row[1]):.2f}"])
                hours += 1
    assert hours == 24 * days_shipped(), f"{source}: {hours} hours instead of {24 * days_shipped()}"
    print(f"{hours} hours -> {target}")


if __name__ == "__main__":
    main()
