"""Make the shipped data of `scenarios/` that come from SimBench anew: shapes, and the village 1-LV-rural1--2.

SimBench and pandapower are needed for this and nothing else, so they stay out of the project's environment:

    .venv/bin/uv run --isolated --locked --only-group extract tools/extract_simbench.py

writes, byte for byte as shipped,

- `scenarios/data/simbench/shapes.csv.gz`: profiles of 2016 as SimBench publishes them, shares of a power, and the
  losses of the village as shares of their highest quarter-hour;
- `scenarios/data/simbench-lv-rural1/`: `participants.csv`, and `meters.csv`, who follows which shape;
- `scenarios/rural-year/participants.csv`: the same with deposits that last a year.

Wholesale prices are no part of SimBench: `--prices DE.csv` makes `scenarios/data/epex-de-at-lu/prices.csv` of a file
whose first two columns are wall-clock hour and EUR/MWh, such as the data set "DE" of the epftoolbox.

What is taken and what is not:

- every load element is one consumer with its own meter, every PV element (`sgen`) one prosumer with its own meter and
  no load behind it: SimBench meters them apart too. The five storage units of the grid stand still;
- SimBench labels its rows with German wall-clock time, which leaves 02:00 out on 2016-03-27 and has it twice on
  2016-10-30: they follow one another in real time from 2016-01-01T00:00+01:00 on;
- the prices are labelled so, too, but every day has 24 hours: the hour that was not is left out, and the one that was
  twice is written twice;
- losses are what an AC power flow finds between the transformer's 20 kV side and the meters. They are the grid
  operator's meter, so all meters together are the boundary meter to the Wh.
"""

import argparse
import csv
import gzip
import math
import warnings
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

GRID = "1-LV-rural1--2-no_sw"
FUTURE = 2  # SimBench's scenario of that grid
LOADS = ("H0-A", "H0-B", "H0-C", "H0-G", "H0-H", "H0-L", "L1-A", "L2-A")
LOADS += ("HLS_A_3.7", "HLS_B_3.7", "HLS_A_11.0", "HLS_A_22.0")
LOADS += ("Air_Alternative_2", "Air_Parallel_2", "Air_Semi-Parallel_2", "Soil_Alternative_2")
PLANTS = ("PV1", "PV2", "PV3", "PV4", "PV5", "PV6", "PV7", "PV8")
LOSSES = "losses-rural1"
START = datetime(2016, 1, 1, tzinfo=timezone(timedelta(hours=1)))
PERIOD = timedelta(minutes=15)
BILLIONTHS = 10**9
WH_PER_PERIOD = 1_000_000 // 4  # one MW over a quarter of an hour
GERMANY = ZoneInfo("Europe/Berlin")
PRICES_FROM, PRICES_TO = date(2016, 1, 4), date(2017, 1, 2)
YEAR_PRICE = Decimal("0.36")  # currency/kWh, the highest tariff of rural-year: a deposit for a year covers it

SCENARIOS = Path(__file__).resolve().parent.parent / "scenarios"
SHAPES = SCENARIOS / "data" / "simbench" / "shapes.csv.gz"
VILLAGE = SCENARIOS / "data" / "simbench-lv-rural1"
YEAR = SCENARIOS / "rural-year"
PRICES = SCENARIOS / "data" / "epex-de-at-lu" / "prices.csv"

# What a SimBench load profile stands for, by the beginning of its name.
TRADES = {
    "H0": "home",  # households
    "L1": "dairy",  # farms with dairy cattle
    "L2": "farm",  # other farms
    "Air": "heatpump",
    "Soil": "heatpump",
    "HLS": "charger",  # a car charger at home
}
PARTICIPANTS_HEADER = (
    "participant",
    "kind",
    "bus",
    "import_capacity_wh",
    "export_capacity_wh",
    "deposit",
    "credit_limit",
    "strategy",
)
METERS_HEADER = ("participant", "load_shape", "load_kw", "pv_shape", "pv_kwp")
# Ledger accounts that come with every market. The grid operator's meter shows the losses.
SUPPLIER = ("supplier", "fallback_supplier", "", 0, 0, "0", "2000", "none")
OPERATOR = ("operator", "operator", "", 0, 0, "0", "0", "none")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--prices", type=Path, help="only make the shipped prices of this file")
    arguments = parser.parse_args()
    if arguments.prices:
        write_prices(arguments.prices)
    else:
        extract()


def extract() -> None:
    """Write the shapes and the village."""
    warnings.simplefilter("ignore")
    import simbench

    net = simbench.get_simbench_net(GRID)
    published = simbench.get_all_simbench_profiles(FUTURE)
    shapes = {name: shares(published["load"][f"{name}_pload"]) for name in LOADS}
    shapes |= {name: shares(published["renewables"][name]) for name in PLANTS}
    consumers, plants = by_number(net.load), by_number(net.sgen)
    lost = losses(net, shapes)
    highest = int(lost.max())
    shapes[LOSSES] = np.rint(lost * (BILLIONTHS / highest)).astype(np.int64)
    write_shapes(shapes)

    members, meters, years = [], [("grid", LOSSES, kilo(highest * 4), "", "")], [int(lost.sum())]
    for row in consumers:
        name = f"{trade(row.profile)}-{number(row.name):02d}"
        members.append((name, "consumer", net.bus.name[row.bus], capacity(row.sn_mva), 0, deposit(row.sn_mva, 2000)))
        meters.append((name, row.profile, kilo(watts(row.p_mw)), "", ""))
        years.append(int(energy(shapes[row.profile], row.p_mw).sum()))
    for row in plants:
        name = f"pv-{number(row.name)}"
        members.append((name, "prosumer", net.bus.name[row.bus], 0, capacity(row.sn_mva), deposit(row.sn_mva, 3000)))
        meters.append((name, "", "", row.profile, kilo(watts(row.p_mw))))
        years.append(0)
    grid = ("grid", "grid_operator", "LV1.101 Bus 4", 10_000, 0)
    head = [PARTICIPANTS_HEADER, SUPPLIER, OPERATOR]
    write_table(VILLAGE / "participants.csv", [*head, (*grid, "0", "200", "none"), *((*m, "0", "") for m in members)])
    write_table(VILLAGE / "meters.csv", [METERS_HEADER, *meters])
    bills = [-(-int(Decimal(wh) / 1000 * YEAR_PRICE) // 10) * 10 for wh in years]
    write_table(
        YEAR / "participants.csv",
        [
            *head,
            (*grid, str(bills[0]), "200", "none"),
            *((*m[:-1], str(m[-1] + bill), "0", "") for m, bill in zip(members, bills[1:], strict=True)),
        ],
    )


def shares(published: Iterable[float]) -> np.ndarray:
    """A profile in billionths: SimBench publishes nine decimals at most."""
    billionths = np.rint(np.asarray(published) * BILLIONTHS).astype(np.int64)
    assert np.array_equal(billionths / BILLIONTHS, np.asarray(published)), "a profile has more than nine decimals"
    return billionths


def energy(share: np.ndarray, p_mw: float) -> np.ndarray:
    """Wh in each quarter-hour; the product is exact in a float, so halfway cases are, too."""
    return np.rint(share * watts(p_mw) / (4 * BILLIONTHS)).astype(np.int64)


def losses(net, shapes: dict[str, np.ndarray]) -> np.ndarray:  # type: ignore[no-untyped-def]
    """Wh lost in the village in each quarter-hour of the year; takes some minutes."""
    import pandapower
    import simbench

    profiles = simbench.get_absolute_values(net, profiles_instead_of_study_cases=True)
    load_mw, load_mvar = profiles["load", "p_mw"].to_numpy(), profiles["load", "q_mvar"].to_numpy()
    pv_mw = profiles["sgen", "p_mw"].to_numpy()
    used = sum(energy(shapes[row.profile], row.p_mw) for row in net.load.itertuples())
    made = sum(energy(shapes[row.profile], row.p_mw) for row in net.sgen.itertuples())
    # SimBench's transformers load without a tap changer type, and without one pandapower leaves
    # their tap out: 2.5 % of voltage.
    net.trafo["tap_changer_type"] = "Ratio"
    net.trafo["shift_degree"] = 0.0
    net.storage["in_service"] = False
    boundary_mw = np.empty(len(load_mw))
    for i in range(len(load_mw)):
        net.load["p_mw"], net.load["q_mvar"] = load_mw[i], load_mvar[i]
        net.sgen["p_mw"], net.sgen["q_mvar"] = pv_mw[i], 0.0
        pandapower.runpp(net, init="results" if i else "auto")
        boundary_mw[i] = float(net.res_ext_grid.p_mw.sum())
    boundary = np.rint(boundary_mw * WH_PER_PERIOD).astype(np.int64)
    return boundary - used + made


def write_shapes(shapes: dict[str, np.ndarray]) -> None:
    """One line per quarter-hour, one column per shape, decimals as short as they go; the same bytes at any time."""
    lines = [",".join(["start", *shapes])]
    for i, row in enumerate(np.column_stack(list(shapes.values())).tolist()):
        start = (START + i * PERIOD).isoformat(timespec="minutes")
        lines.append(",".join([start, *map(decimal, row)]))
    SHAPES.parent.mkdir(parents=True, exist_ok=True)
    SHAPES.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode(), mtime=0))
    print(f"{len(shapes)} shapes -> {SHAPES}")


def decimal(billionths: int) -> str:
    """`250000000` -> `0.25`"""
    whole, rest = divmod(billionths, BILLIONTHS)
    return f"{whole}.{rest:09d}".rstrip("0").rstrip(".")


def write_table(path: Path, rows: Sequence[Sequence[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
    print(f"{len(rows) - 1} participants -> {path}")


def by_number(table) -> list:  # type: ignore[no-untyped-def, type-arg]
    """The elements of a grid table, in the order of the numbers in their names."""
    return sorted(table.itertuples(), key=lambda row: number(row.name))


def number(name: str) -> int:
    """`LV1.101 Load 12` -> 12"""
    return int(name.rsplit(" ", 1)[1])


def trade(profile: str) -> str:
    return next(trade for start, trade in TRADES.items() if profile.startswith(start))


def watts(mw: float) -> int:
    return round(mw * 1_000_000)


def kilo(units: int) -> str:
    """`5900` -> `5.9`"""
    return format((Decimal(units) / 1000).normalize(), "f")


def capacity(sn_mva: float) -> int:
    """Wh a connection of this rating passes in a quarter-hour."""
    return math.ceil(round(sn_mva * WH_PER_PERIOD, 6))


def deposit(sn_mva: float, per_mva: float) -> int:
    """Opening deposit in currency, a multiple of ten: the collateral of a day's orders fits in."""
    return 10 + 10 * math.ceil(sn_mva * per_mva / 10)


def write_prices(source: Path) -> None:
    """Write the hours of the shipped days from a table of (wall-clock hour, EUR/MWh, ...)."""
    hour = timedelta(hours=1)
    rows: list[tuple[str, str]] = []
    with source.open(newline="", encoding="utf-8") as file:
        for label, price, *_ in list(csv.reader(file))[1:]:
            local = datetime.fromisoformat(label)
            if not PRICES_FROM <= local.date() <= PRICES_TO:
                continue
            # 02:00 is two hours on the last Sunday of October and none on the last of March.
            times = {local.replace(tzinfo=GERMANY, fold=fold).astimezone(UTC) for fold in (0, 1)}
            existing = sorted(time for time in times if time.astimezone(GERMANY).replace(tzinfo=None) == local)
            rows += [(t.astimezone(GERMANY).isoformat(timespec="minutes"), f"{float(price):.2f}") for t in existing]
    starts = [datetime.fromisoformat(start) for start, _ in rows]
    assert all(b - a == hour for a, b in pairwise(starts)), f"{source}: hours are missing"
    with PRICES.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([("start", "price_per_mwh"), *rows])
    print(f"{len(rows)} hours -> {PRICES}")


if __name__ == "__main__":
    main()
