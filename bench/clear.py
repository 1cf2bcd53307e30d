"""One order book through the contracts and by the reference model alone: seconds, processor and memory by its size.

python bench/clear.py 1000 10000 50000      writes bench/clear.json and bench/clear.md
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from day import SEALING
from host import FLAGS, anvil, machine, memory_mb, processor_seconds

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent
TABLES = ("clearing.csv", "fills.csv")
INTRODUCTION = """# One order book

`dem clear` clears one book of random orders, each of another participant: by the contracts on a node, and with
`--no-chain` by the reference model alone. Both write the same tables, byte for byte. On the chain it deploys a market,
registers accounts, brings signed sheets, clears, and reads what each order trades. Start-up of the command is part of
all figures. The node is `{node}`; driver and node share the machine, on which the load was {load} when this began.

Written by `make bench-clear` on {machine}, anvil {version}.
"""


def write_book(path: Path, orders: int) -> None:
    """Orders at prices up to 0.40, of up to 5 kWh."""
    random = Random(orders)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(("participant", "side", "price", "energy"))
        for number in range(orders):
            price, energy = random.randrange(400) / 1000, random.randint(1, 5000) / 1000
            writer.writerow((f"member-{number}", random.choice(("bid", "ask")), f"{price:.3f}", f"{energy:.3f}"))


def timed(*words: str | Path) -> dict[str, float]:
    """The command: seconds, seconds of a processor, and the most memory it took, MB."""
    program = str(Path(sys.executable).with_name("dem"))
    started = time.monotonic()
    command = subprocess.Popen([program, "clear", *map(str, words)], cwd=PROJECT, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(command.pid, 0)
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"{words} failed")
    return {
        "seconds": round(time.monotonic() - started, 1),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 1),
        "mb": usage.ru_maxrss // 1024,
    }


def measure(orders: int, folder: Path) -> dict[str, Any]:
    """A book of so many orders, both ways."""
    book = folder / "orders.csv"
    write_book(book, orders)
    model = timed(book, "--out", folder / "model", "--no-chain")
    with anvil(*FLAGS, *SEALING) as node:
        chain = timed(book, "--out", folder / "chain", "--network", node.network)
        on_node = {"node_cpu_seconds": round(processor_seconds(node.pid), 1), "node_mb": memory_mb(node.pid, peak=True)}
    for table in TABLES:
        if (folder / "model" / table).read_bytes() != (folder / "chain" / table).read_bytes():
            raise SystemExit(f"{orders} orders: {table} of chain and model differ")
    return {"orders": orders, "model": model, "chain": chain | on_node, "node": node.command, "anvil": node.version}


def table(books: Sequence[dict[str, Any]]) -> Iterator[str]:
    """A row for each figure, a column for each size."""
    yield f"| orders | {' | '.join(format(book['orders'], ',') for book in books)} |"
    yield "|---|" + "--:|" * len(books)
    rows = [
        ("by the contracts, s", "chain", "seconds"),
        ("the driver's processor, s", "chain", "cpu_seconds"),
        ("the node's processor, s", "chain", "node_cpu_seconds"),
        ("peak memory of the driver, MB", "chain", "mb"),
        ("peak memory of the node, MB", "chain", "node_mb"),
        ("by the model alone, s", "model", "seconds"),
        ("its processor, s", "model", "cpu_seconds"),
        ("its peak memory, MB", "model", "mb"),
    ]
    for name, way, key in rows:
        yield f"| {name} | {' | '.join(format(book[way][key], ',') for book in books)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("orders", type=int, nargs="+", help="sizes of the books")
    parser.add_argument("--out", type=Path, default=HERE, help="folder for clear.json and clear.md")
    arguments = parser.parse_args()
    load, books = f"{os.getloadavg()[0]:.1f}", []
    for orders in arguments.orders:
        with TemporaryDirectory() as folder:
            books.append(measure(orders, Path(folder)))
        print(json.dumps(books[-1]), flush=True)
    text = INTRODUCTION.format(node=books[0]["node"], machine=machine(), version=books[0]["anvil"], load=load)
    record = {"machine": machine(), "load": load, "books": books}
    (arguments.out / "clear.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    (arguments.out / "clear.md").write_text("\n".join((text, *table(books))) + "\n", encoding="utf-8")
    print("\n".join(table(books)))


if __name__ == "__main__":
    main()
