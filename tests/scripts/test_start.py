"""What a command loads before it does anything: a library that it does not need costs everybody its seconds.

Which modules are there does not depend on the machine, as seconds do; those are in bench/start.md.
"""

import csv
import json
import subprocess
import sys

import pytest
from support.commands.hamlet import Hamlet
from support.commands.shell import PROJECT

from dem.commands import ABOUT

CHAIN = {"ape", "web3", "eth_account", "eth_abi", "eth_tester", "rlp"}
TABLES = {"pandas", "pyarrow"}
PICTURES = {"matplotlib", "jinja2", "weasyprint"}
SERVICES = {"fastapi", "starlette", "uvicorn", "sqlalchemy", "requests", "openpyxl", "scipy"}
ALL = CHAIN | TABLES | PICTURES | SERVICES | {"eth_utils", "numpy", "pydantic", "power_grid_model"}

TYPED = """
import json, sys
from dem.commands import cli
try:
    cli(sys.argv[1:])
finally:
    print("\\n" + json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def loaded(*words: object, code: int = 0) -> set[str]:
    """Packages that a process has in the end in which a command was typed, which ends with this code."""
    typed = [sys.executable, "-c", TYPED, *map(str, words)]
    done = subprocess.run(typed, cwd=PROJECT, capture_output=True, text=True, timeout=600)
    assert done.returncode == code, done.stdout + done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("name", ABOUT)
def test_help_loads_no_library_but_those_of_the_console(name):
    assert not loaded(name, "--help") & ALL


@pytest.fixture(scope="module")
def hamlet(tmp_path_factory):
    folder = tmp_path_factory.mktemp("start") / "hamlet"
    Hamlet().write(folder)
    return folder


@pytest.fixture(scope="module")
def played(hamlet):
    """The folder of its day, and what playing it without a chain has loaded."""
    folder = hamlet.with_name("out")
    return folder, loaded("day", hamlet, "--no-chain", "--out", folder)


def test_a_scenario_is_checked_without_tables_pictures_and_chain(hamlet):
    assert not loaded("check", hamlet) & (CHAIN | TABLES | PICTURES | SERVICES | {"eth_utils", "power_grid_model"})


def test_a_book_is_cleared_by_the_model_with_numpy_alone(tmp_path):
    book = tmp_path / "book.csv"
    book.write_text("participant,side,price,energy\nana,bid,0.2,1\nbo,ask,0.1,1\n")
    assert not loaded("clear", book, "--no-chain", "--out", tmp_path / "out") & (ALL - {"numpy"})


def test_a_day_without_a_chain_is_played_without_its_libraries(played):
    assert not played[1] & (CHAIN | SERVICES)


def test_a_faulty_scenario_is_refused_before_tables_and_pictures_are_loaded(tmp_path):
    assert not loaded("day", tmp_path / "none", "--no-chain", code=2) & (CHAIN | TABLES | PICTURES | SERVICES)


@pytest.mark.parametrize("command", ["grid check", "study", "compare"])
def test_without_a_chain_nothing_of_one_is_loaded(command, tmp_path):
    more = () if command == "grid check" else ("--no-chain", "--out", tmp_path / "out")
    pictures = set() if command == "grid check" else PICTURES
    assert not loaded(*command.split(), tmp_path / "none", *more, code=2) & ((CHAIN - {"eth_abi"}) | pictures)


@pytest.mark.parametrize("command", ["report", "bill"])
def test_what_a_run_left_is_read_without_a_chain(command, played):
    assert not loaded(command, played[0]) & (CHAIN | SERVICES)


def test_a_scenario_is_made_without_pictures_and_chain(tmp_path):
    meters = tmp_path / "meters.csv"
    with meters.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("time", "home-1", "home-2"))
        for day in range(1, 31):
            writer.writerows((f"2023-06-{day:02} {hour:02}:00", "0.25", "0.5") for hour in range(24))
    words = ("scenario", "new", tmp_path / "my", "--meters", meters, "--timezone", "Europe/Berlin", "--days", "1")
    assert not loaded(*words) & (CHAIN | PICTURES | SERVICES)
