"""Make the town of `scenarios/town/`, or one of any size like it.

    python tools/town.py --customers 10000 --out /tmp/city
    .venv/bin/uv run --isolated --locked --only-group extract tools/town.py

The first writes a scenario of 10,000 from the shipped town and needs nothing but Python. The second makes the shipped
town anew from pandapower's network.

The network is lv_schutterwald: 1,506 customers behind 14 transformers, of which it says no more than the bus and the
power to plan with, 2.1 kW for all but 17. The rest is drawn, once:

- consumption: log-normal around a median of 3,000 kWh a year, in proportion to the power to plan with;
- its course: one of SimBench's six household shapes, which the scenario then resamples;
- photovoltaics: two customers in five, 3.0 to 9.9 kWp evenly, on one of SimBench's eight shapes.

A town of another size repeats the shipped customers under new names. As days are drawn by name, nobody shows the
readings of anybody else.
"""

import argparse
import csv
import gzip
import math
import re
import warnings
from pathlib import Path
from random import Random

SEED = 2016
MEDIAN_KWH, SIGMA = 3_000, 0.5
WITH_PV = 0.4
KWP_TENTHS = (30, 99)
USUAL_KW = 2.1
CONNECTION_KW = 30  # of a customer planned with USUAL_KW, others in proportion
HOUSEHOLDS = ("H0-A", "H0-B", "H0-C", "H0-G", "H0-H", "H0-L")
PLANTS = ("PV1", "PV2", "PV3", "PV4", "PV5", "PV6", "PV7", "PV8")
PERIODS_PER_HOUR = 4

SCENARIOS = Path(__file__).resolve().parent.parent / "scenarios"
SHAPES = SCENARIOS / "data" / "simbench" / "shapes.csv.gz"
TOWN = SCENARIOS / "town"
FILES = ("participants.csv", "meters.csv")

PARTICIPANTS = [
    ["participant", "kind", "bus", "import_capacity_wh", "export_capacity_wh", "deposit", "credit_limit", "strategy"],
    ["supplier", "fallback_supplier", "", "0", "0", "0", "20000", "none"],
    ["operator", "operator", "", "0", "0", "0", "0", "none"],
    ["grid", "grid_operator", "", "10000", "0", "0", "200", "none"],
]
METERS = [["participant", "load_shape", "load_kw", "pv_shape", "pv_kwp"], ["grid", "", "", "", ""]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--customers", type=int, help="how many; without it the shipped town is made anew")
    parser.add_argument("--out", type=Path, help="folder of the scenario")
    arguments = parser.parse_args()
    if (arguments.customers is None) != (arguments.out is None):
        parser.error("--customers and --out go together")
    if arguments.customers is not None and arguments.customers < 1:
        parser.error(f"--customers {arguments.customers}: must be at least 1")
    if arguments.out:
        resize(arguments.customers, arguments.out)
    else:
        draw()


def resize(customers: int, folder: Path) -> None:
    """Write a scenario of that many customers, named after its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        header, *rows = csv.reader((TOWN / name).read_text(encoding="utf-8").splitlines())
        first = next(i for i, row in enumerate(rows) if row[0].startswith("home-"))
        residents = [rows[first + i % (len(rows) - first)] for i in range(customers)]
        renamed = [[f"home-{i:05d}", *row[1:]] for i, row in enumerate(residents, start=1)]
        write_table(folder / name, [header, *rows[:first], *renamed])
    text = (TOWN / "scenario.toml").read_text(encoding="utf-8")
    text = text.replace('"../data/', f'"{SCENARIOS}/data/')
    text = re.sub(r"(?m)^name = .*", f'name = "{folder.resolve().name}"', text)
    # The shipped network was built for the shipped customers.
    text = re.sub(r"(?ms)^\[grid\].*?\n\n", "", text)
    text = re.sub(r'(?m)^title = "A town of [0-9,]+', f'title = "A town of {customers:,}', text)
    (folder / "scenario.toml").write_text(text, encoding="utf-8")


def draw() -> None:
    """Write the shipped town's tables."""
    warnings.simplefilter("ignore")
    import pandapower.networks

    net = pandapower.networks.lv_schutterwald()
    random = Random(SEED)
    hours = full_load_hours()
    plants = set(random.sample(range(len(net.load)), round(len(net.load) * WITH_PV)))
    participants, meters = list(PARTICIPANTS), list(METERS)
    for i, customer in enumerate(net.load.itertuples()):
        size = customer.p_mw * 1_000 / USUAL_KW
        kwh = random.lognormvariate(math.log(MEDIAN_KWH), SIGMA) * size
        shape = random.choice(HOUSEHOLDS)
        kwp = random.randint(*KWP_TENTHS) / 10 if i in plants else 0
        name = f"home-{i + 1:04d}"
        participants.append(
            [
                name,
                "prosumer" if kwp else "consumer",
                net.bus.name[customer.bus],
                str(math.ceil(CONNECTION_KW * max(1, size) * 1_000 / PERIODS_PER_HOUR)),
                str(round(kwp * 1_000 / PERIODS_PER_HOUR)),
                str(20 + 10 * math.ceil((kwh * 0.003 + kwp * 4) / 10)),
                "0",
                "",
            ]
        )
        plant = [random.choice(PLANTS), f"{kwp:.1f}"] if kwp else ["", ""]
        meters.append([name, shape, f"{kwh / hours[shape]:.3f}", *plant])
    write_table(TOWN / "participants.csv", participants)
    write_table(TOWN / "meters.csv", meters)


def full_load_hours() -> dict[str, float]:
    """A year's energy of each shape as hours of its power."""
    with gzip.open(SHAPES, "rt", newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    columns = zip(*rows, strict=True)
    return {
        name: sum(map(float, column)) / PERIODS_PER_HOUR
        for name, column in zip(header, columns, strict=True)
        if name != "start"
    }


def write_table(path: Path, rows: list[list[str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
    print(f"{len(rows) - 1} lines -> {path}")


if __name__ == "__main__":
    main()
