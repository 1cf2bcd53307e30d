"""Clearing off chain, beside its peers and the optimum: time and outcome for books of 100 to 100,000 orders.

python bench/clearing.py      writes bench/clearing.json and bench/clearing.md

The peers are the scripts in bench/peers. uv gives each an environment of its own, as locked beside it, in uv's cache.
"""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from host import machine
from peers.peer import Outcome, Row, measure

from dem.model.markets.auction import Clearing, Column, OrderBook, clear, clear_day, fills, fills_of_day
from dem.model.orders import Order, Side
from dem.model.units import Tick, Wh

HERE = Path(__file__).resolve().parent
UV = HERE.parent / ".venv" / "bin" / "uv"

SIZES = (100, 1_000, 10_000, 100_000)
PERIODS = 96
DAY_SIZE = 10_000
LIMIT = 60
"""Seconds a single clearing may take."""
TICKS = (50, 350)
ENERGY = (50, 4_000)
TOLERANCE = 1e-9
"""Of the linear programme's floating-point optimum, relative."""

DEM = "dem"
OBJECTS = "dem, from a list of orders"
OPTIMUM = "scipy linprog (HiGHS)"
PEERS = {
    OPTIMUM: "linear_programme",
    "assume-framework pay_as_clear": "pay_as_clear",
    "pymarket huang": "huang_auction",
}

INTRODUCTION = """# Clearing off chain

One book of one period is cleared, every order's fill included. Bids and asks are equally likely; limits are uniform
from {ticks[0]} to {ticks[1]} ticks, energies from {energy[0]:,} to {energy[1]:,} Wh; one order a participant, in random
order; the seed is the size. Times are medians of up to 15 runs, of the clearing alone: the orders are there in the form
each takes (dem: columns of integers, or a list of `Order`; assume-framework: dictionaries; pymarket: its `Market`;
scipy: matrices). In brackets the multiple of dem's time. A clearing of more than {limit} s is ended. The last
column sets the largest book that was cleared against the one a tenth of it.

Written by `make bench-clearing` on {machine}.

## Time
"""

OUTCOMES = """
## Outcome

A price is right if the welfare that the orders would have at it (the dual of the linear programme) equals what the
trades achieve; where a peer's is not, the ticks that are stand beside it. At every size dem's welfare equals the dual's
at its price to the unit, and the optimum that HiGHS finds to 1e-9 of it; the benchmark fails otherwise.
"""

DIFFERENCES = """
## How they differ

- **dem**: whole Wh and ticks throughout. The price is the middle of the right ones; orders at the price share what is
  left pro rata, and the fills follow from the set of orders alone.
- **scipy linprog**: the same problem in floating point. Its price is the dual of "bought = sold", any of the right
  ones; its fills are those of one optimal vertex, and trades without gain may be missing.
- **assume-framework pay_as_clear**: the price is the limit of the dearest ask accepted, which is too low where a bid is
  marginal: a bid for 10 Wh at 10 ticks and an ask of 4 Wh at 5 trade at 5, where all 10 Wh want to be had. Equal limits
  come in random order, the first in full. Each order is searched for in the list of the rejected ones, so the time
  grows with the square of the book.
- **pymarket huang**: of the package's three mechanisms the nearest, with one price a side. It gives up the marginal bid
  and ask for truthfulness, cuts the long side by equal amounts, and fills are fractions. It finds no price if a bid
  equals an ask at the crossing, so it is given asks half a tick lower. Orders of one price are merged first: its time
  follows the number of prices and of trades. (muda splits the book at random and prices each half by the other; p2p
  pairs orders one by one.)
"""


def random_book(size: int, periods: int = 1) -> OrderBook:
    """A book of the distribution the introduction states, with `size` orders in each period."""
    random = np.random.default_rng(size)
    participant, slot = np.divmod(random.permutation(size * periods), periods)
    return OrderBook(
        participant=1 + participant,
        layer=np.zeros_like(slot),
        slot=slot,
        side=random.integers(0, 1, len(slot), endpoint=True),
        tick=random.integers(*TICKS, len(slot), endpoint=True),
        energy=random.integers(*ENERGY, len(slot), endpoint=True),
    )


def objects(book: OrderBook) -> list[Order]:
    columns = (book.participant, book.layer, book.slot, book.side, book.tick, book.energy)
    return [
        Order(participant, layer, slot, Side(side), Tick(tick), Wh(energy))
        for participant, layer, slot, side, tick, energy in zip(*(c.tolist() for c in columns), strict=True)
    ]


def by_columns(book: OrderBook, periods: int = 1) -> tuple[list[Clearing], Column]:
    """dem's clearing, the check of the columns included."""
    checked = replace(book)
    clearings = clear_day(checked, periods)
    return clearings, fills_of_day(checked, clearings)


def by_objects(orders: list[Order]) -> tuple[Clearing, list[Wh]]:
    clearing = clear(orders)
    return clearing, fills(orders, clearing)


def outcome(book: OrderBook, clearing: Clearing, filled: Column) -> Outcome:
    signs = np.where(book.side == Side.BID, 1, -1)
    price = clearing.price
    return Outcome(None if price is None else (price, price), clearing.volume, int((signs * filled * book.tick).sum()))


def welfare_at(book: OrderBook, price: float) -> float:
    """What all orders together would gain if each traded as much as it likes at a price, ticks x Wh."""
    gains = np.where(book.side == Side.BID, book.tick - price, price - book.tick)
    return float((gains.clip(0) * book.energy).sum())


def interval(book: OrderBook, welfare: float) -> tuple[int, int]:
    """The lowest and the highest tick whose dual value is the welfare."""
    ticks = [tick for tick in range(TICKS[0], TICKS[1] + 1) if welfare_at(book, tick) == welfare]
    if not ticks:
        sys.exit(f"no price supports the welfare of {welfare}: it is not the optimum")
    return ticks[0], ticks[-1]


def run_dem(size: int, book: OrderBook) -> Iterator[tuple[str, dict]]:
    timing, ((clearing,), filled) = measure(lambda: book, by_columns, LIMIT)
    found = outcome(book, clearing, filled)
    yield DEM, timing | found._asdict() | {"interval": interval(book, found.welfare)}
    orders = objects(book)
    timing, (again, listed) = measure(lambda: orders, by_objects, LIMIT)
    if (again, listed) != (clearing, filled.tolist()):
        sys.exit(f"the book of {size} orders clears differently from columns and from a list")
    yield OBJECTS, timing | found._asdict()


def environment(script: Path) -> str:
    """The python of a peer's environment, which uv makes as its lock says."""
    options = ("--no-python-downloads", "--script", str(script))
    subprocess.run([UV, "sync", "--quiet", "--locked", "--python", sys.executable, *options], check=True)
    found = subprocess.run([UV, "python", "find", *options], check=True, capture_output=True, text=True)
    return found.stdout.strip()


def run_peer(script: Path, python: str, rows: list[Row]) -> dict | None:
    """A peer's result, None if it takes longer than the limit."""
    given = json.dumps({"rows": rows, "limit": LIMIT})
    with TemporaryDirectory() as folder:  # assume-framework leaves a log where it runs
        done = subprocess.run([python, script], cwd=folder, input=given, stdout=subprocess.PIPE, text=True)
    if done.returncode == -signal.SIGALRM:
        return None
    done.check_returncode()
    return json.loads(done.stdout)


def check_optimum(book: OrderBook, welfare: float, optimum: dict) -> None:
    """Refuse a difference between dem's welfare and the linear programme's, or its dual price off the interval."""
    for name, value in (("value", optimum["welfare"]), ("dual", welfare_at(book, optimum["prices"][0]))):
        if abs(value - welfare) > TOLERANCE * welfare:
            sys.exit(f"{len(book.energy)} orders: the linear programme's {name} is {value}, dem's welfare {welfare}")


def listed(versions: dict[str, str]) -> str:
    return ", ".join(f"{package} {number}" for package, number in versions.items())


def time_table(results: dict[str, dict[int, dict | None]]) -> Iterator[str]:
    yield f"| orders | {' | '.join(f'{size:,}' for size in SIZES)} | ten times the orders take |"
    yield "|---|" + "--:|" * (len(SIZES) + 1)
    for name, by_size in results.items():
        cells = []
        for size in SIZES:
            record, ours = by_size[size], results[DEM][size]
            if record is None:
                cells.append(f"over {LIMIT} s")
            else:
                multiple = record["seconds"] / ours["seconds"]
                cells.append(f"{1_000 * record['seconds']:,.2f} ms" + (f" ({multiple:,.1f})" if name != DEM else ""))
        done = [by_size[size]["seconds"] for size in SIZES if by_size[size]]
        yield f"| {name} | {' | '.join(cells)} | {done[-1] / done[-2]:.0f} times as long |"


def outcome_table(results: dict[str, dict[int, dict | None]]) -> Iterator[str]:
    yield "| orders | | price in ticks | traded, Wh | welfare, ticks x Wh | of the optimum |"
    yield "|--:|---|--:|--:|--:|--:|"
    for size in SIZES:
        ours = results[DEM][size]
        low, high = ours["interval"]
        for name, by_size in results.items():
            record = by_size[size]
            if record is None or name == OBJECTS:
                continue
            prices = record["prices"] or ()
            price = " and ".join(f"{price:g}" for price in dict.fromkeys(prices)) or "none"
            if not all(low <= price <= high for price in prices):
                price += f"; right is {low} to {high}" if low < high else f"; right is {low}"
            share = record["welfare"] / ours["welfare"]
            yield f"| {size:,} | {name} | {price} | {record['volume']:,.0f} | {record['welfare']:,.0f} | {share:.2%} |"


def main() -> None:
    results: dict[str, dict[int, dict | None]] = {name: {} for name in (DEM, OBJECTS, *PEERS)}
    scripts = {name: HERE / "peers" / f"{script}.py" for name, script in PEERS.items()}
    pythons = {name: environment(script) for name, script in scripts.items()}
    for size in SIZES:
        book = random_book(size)
        for name, record in run_dem(size, book):
            results[name][size] = record
        rows = [Row(o.side == Side.BID, o.tick, o.energy) for o in objects(book)]
        for name, script in scripts.items():
            results[name][size] = run_peer(script, pythons[name], rows)
        check_optimum(book, results[DEM][size]["welfare"], results[OPTIMUM][size])
        print(f"{size:,} orders done", flush=True)

    day = random_book(DAY_SIZE, PERIODS)
    whole_day, _ = measure(lambda: day, lambda book: by_columns(book, PERIODS), LIMIT)
    host = machine()
    versions = {DEM: {"numpy": version("numpy")}} | {name: results[name][SIZES[0]]["versions"] for name in PEERS}
    record = {"machine": host, "limit": LIMIT, "versions": versions, "results": results, "day": whole_day}
    (HERE / "clearing.json").write_text(json.dumps(record, indent=1) + "\n")
    text = [
        INTRODUCTION.format(ticks=TICKS, energy=ENERGY, limit=LIMIT, machine=host),
        *time_table(results),
        "",
        f"dem clears a day at once: {PERIODS} books of {DAY_SIZE:,} orders take {whole_day['seconds']:.2f} s.",
        "",
        "Versions: " + "; ".join(f"{name}: {listed(of)}" for name, of in versions.items()) + ".",
        OUTCOMES,
        *outcome_table(results),
        DIFFERENCES,
    ]
    (HERE / "clearing.md").write_text("\n".join(text))
    print("\n".join(time_table(results)))


if __name__ == "__main__":
    main()
