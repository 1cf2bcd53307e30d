"""`ape run clear`: one order book from a CSV file, compared with the auction's definition."""

import csv
import gzip
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest
from support.commands.hamlet import read_table, write_table
from support.commands.here import command
from support.commands.node import Cut, anvil, wire_to
from support.commands.recompute import Order, auction, wrong_fills
from support.commands.shell import EMBEDDED, Command, Result, run

HEADER = "participant,side,price,energy"
GOOD_ROW = "anna,bid,0.250,1.5"


def write_orders(path: Path, orders: Sequence[Order]) -> Path:
    """The order book as a CSV file in currency/kWh and kWh."""
    rows = ((o.participant, o.side, f"{o.tick / 1000:.3f}", f"{o.energy / 1000:.3f}") for o in orders)
    write_table(path, HEADER.split(","), rows)
    return path


def clear(orders: Sequence[Order], folder: Path) -> tuple[int | None, int, list[int]]:
    """Price, ticks, volume, Wh, and each order's fill as the command reports them.

    On a node, which takes a third of the time of the chain inside a process.
    """
    folder.mkdir(exist_ok=True)
    book = write_orders(folder / "orders.csv", orders)
    with anvil() as url:
        result = run("clear", book, "--out", folder / "out", "--network", f"ethereum:local:{url}")
    assert result.code == 0, str(result)
    [row] = read_table(folder / "out" / "clearing.csv")
    fills = read_table(folder / "out" / "fills.csv")
    assert [int(fill["order"]) for fill in fills] == list(range(1, len(orders) + 1))
    assert all(float(fill["filled_kwh"]) * 1000 == pytest.approx(int(fill["filled_wh"])) for fill in fills)
    if row["price_ticks"]:
        assert f"price {row['price_per_kwh']} currency/kWh, volume" in result.out
    else:
        assert f"nothing trades among {len(orders)} orders" in result.out
    price = int(row["price_ticks"]) if row["price_ticks"] else None
    return price, int(row["volume_wh"]), [int(fill["filled_wh"]) for fill in fills]


def require_the_definition(orders: Sequence[Order], outcome: tuple[int | None, int, list[int]]) -> None:
    """Price and volume are the definition's, and so are the fills but for single Wh at the margin."""
    price, volume, filled = outcome
    found = auction(orders)
    assert (price, volume) == (found.price if found.volume else None, found.volume)
    assert not wrong_fills(orders, filled, found)


def random_orders(seed: int, count: int, participants: int, ticks: int) -> list[Order]:
    """Orders of few participants at few prices, so that many are equal."""
    random = Random(seed)
    return [
        Order(f"p{random.randrange(participants)}", random.choice(("bid", "ask")), random.randrange(ticks), energy)
        for energy in (random.choice((1, 2, 3, random.randint(1, 5000))) for _ in range(count))
    ]


@pytest.mark.parametrize(
    ("orders", "price", "volume", "filled"),
    [
        pytest.param(
            [Order("anna", "bid", 250, 1500), Order("bert", "ask", 120, 1500)], 185, 1500, [1500, 1500], id="one pair"
        ),
        pytest.param([Order("anna", "bid", 100, 1000), Order("bert", "ask", 101, 1000)], None, 0, [0, 0], id="apart"),
        pytest.param([Order("anna", "bid", 100, 7)], None, 0, [0], id="no asks"),
        pytest.param([Order("anna", "ask", 0, 7)], None, 0, [0], id="no bids"),
        pytest.param(
            [Order(name, "bid", 200, 100) for name in ("anna", "bert", "carl")] + [Order("dora", "ask", 100, 200)],
            200,
            200,
            [66, 67, 67, 200],
            id="equal bids share what there is",
        ),
        pytest.param(
            [Order("anna", "bid", 300, 100), Order("bert", "ask", 50, 60), Order("carl", "ask", 80, 100)],
            80,
            100,
            [100, 60, 40],
            id="the dearer ask gets the rest",
        ),
        pytest.param(
            [Order("anna", side, tick, 10) for side in ("bid", "ask") for tick in range(50)],
            24,
            250,
            [0] * 25 + [10] * 25 + [10] * 25 + [0] * 25,
            id="one participant with many orders on both sides",
        ),
        pytest.param(
            [Order("anna", "bid", 4095, 134_217_727), Order("bert", "ask", 0, 134_217_727)],
            2047,
            134_217_727,
            [134_217_727] * 2,
            id="largest energy at the outermost prices",
        ),
    ],
)
def test_small_books_clear_as_worked_out_by_hand(orders, price, volume, filled, tmp_path):
    outcome = clear(orders, tmp_path)
    assert outcome == (price, volume, filled)
    require_the_definition(orders, outcome)


@pytest.mark.parametrize(("count", "participants", "ticks"), [(300, 40, 4096), (300, 12, 8), (120, 1, 30)])
def test_random_books_clear_as_defined_whatever_the_order_of_the_rows(count, participants, ticks, tmp_path):
    orders = random_orders(count + ticks, count, participants, ticks)
    outcome = clear(orders, tmp_path / "first")
    require_the_definition(orders, outcome)
    assert outcome[1] > 0
    shuffled = orders.copy()
    Random(1).shuffle(shuffled)
    again = clear(shuffled, tmp_path / "second")
    assert again[:2] == outcome[:2]
    assert Counter(zip(shuffled, again[2], strict=True)) == Counter(zip(orders, outcome[2], strict=True))


def test_columns_may_stand_in_any_order_and_names_hold_commas(tmp_path):
    book = tmp_path / "orders.csv"
    with book.open("w", newline="", encoding="utf-8-sig") as stream:
        writer = csv.writer(stream)
        writer.writerow(("energy", "price", "side", "participant"))
        writer.writerow(("0.5", "0.2", "bid", "Müller, Jörg"))
        writer.writerow(("2", "0", "ask", "bert"))
    assert run("clear", book, "--out", tmp_path / "out", *EMBEDDED).code == 0
    assert [row["filled_wh"] for row in read_table(tmp_path / "out" / "fills.csv")] == ["500", "500"]


def test_fills_say_whose_order_at_which_limit_and_what_is_paid(tmp_path):
    orders = [Order("anna", "bid", 250, 1500), Order("bert", "ask", 120, 1000)]
    clear(orders, tmp_path)
    assert read_table(tmp_path / "out" / "fills.csv") == [
        {
            "order": "1",
            "participant": "anna",
            "side": "bid",
            "limit_per_kwh": "0.250",
            "energy_kwh": "1.500",
            "filled_wh": "1000",
            "filled_kwh": "1.000",
            "amount": "0.25",
        },
        {
            "order": "2",
            "participant": "bert",
            "side": "ask",
            "limit_per_kwh": "0.120",
            "energy_kwh": "1.000",
            "filled_wh": "1000",
            "filled_kwh": "1.000",
            "amount": "-0.25",
        },
    ]


@pytest.mark.parametrize("below", [0, 4])
def test_without_a_chain_the_tables_are_the_same(below, tmp_path):
    """Prices below zero too."""
    orders = [Order(o.participant, o.side, o.tick - below, o.energy) for o in random_orders(5, 300, 40, 8)]
    outcome = clear(orders, tmp_path)
    require_the_definition(orders, outcome)
    done = command("clear", tmp_path / "orders.csv", "--out", tmp_path / "model", "--no-chain")
    assert done.exit_code == 0, done.output
    for table in ("clearing.csv", "fills.csv"):
        assert (tmp_path / "model" / table).read_bytes() == (tmp_path / "out" / table).read_bytes()


def test_a_clearing_that_was_killed_goes_on_and_another_book_is_refused(tmp_path):
    """Killed when the first sheets are in: nothing is deployed or registered twice."""
    book = write_orders(tmp_path / "orders.csv", random_orders(6, 200, 200, 50))
    with anvil() as node, wire_to(node) as (wire, url):
        words = ("clear", book, "--out", tmp_path / "out", "--network", f"ethereum:local:{url}")
        with Command(*words) as killed:
            wire.arm(Cut("CallAuction.submit", 0, heard=True), killed.process.kill)
            assert killed.result().code == -9
        before = Counter(wire.changes)
        done = command(*words)
        assert done.exit_code == 0, done.output
        again = Counter(wire.changes) - before
        assert again.keys() - {"clock"} == {"CallAuction.submit", "CallAuction.clear"}
        other = write_orders(tmp_path / "other.csv", random_orders(7, 10, 5, 50))
        done = command("clear", other, *words[2:])
        assert done.exit_code == 2
        assert "holds the clearing of another book" in done.output
    assert command("clear", book, "--out", tmp_path / "model", "--no-chain").exit_code == 0
    assert (tmp_path / "model" / "fills.csv").read_bytes() == (tmp_path / "out" / "fills.csv").read_bytes()


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        (b"participant;side;price;energy\na;bid;0.3;1\n", "save it with commas for the semicolons"),
        (b'participant,side,price,energy\na,bid,"0,3",1\n', "write a decimal point for the comma"),
        (b'participant,side,price,energy\na,bid,0.3,"1,5"\n', "write a decimal point for the comma"),
        ("participant,side,price,energy\nMüller,bid,0.3,1\n".encode("latin-1"), "line 2: b'\\xfc' cannot be read"),
        ("participant,side,price,energy\na,bid,0.3,1\n".encode("utf-16"), "it is not UTF-8"),
        (gzip.compress(b"participant,side,price,energy\na,bid,0.3,1\n", mtime=0), "it is gzipped, unpack it first"),
        (b'participant,side,price,energy\n"a,bid,0.3,1\n', "cannot be read: unexpected end of data"),
    ],
    ids=[
        "semicolons",
        "decimal comma in a price",
        "decimal comma in an energy",
        "Latin 1",
        "UTF-16",
        "gzip",
        "open quote",
    ],
)
def test_a_file_of_another_programs_making_gets_a_hint(content, hint, tmp_path):
    book = tmp_path / "orders.csv"
    book.write_bytes(content)
    done = command("clear", book, "--out", tmp_path / "out", "--no-chain")
    assert done.exit_code == 2
    assert hint in " ".join(done.output.split())


def refused(book: Path) -> Result:
    """The command's end on a faulty book: code 2, one message, nothing written."""
    out = book.parent / "out"
    result = run("clear", book, "--out", out, *EMBEDDED)
    assert result.code == 2, result
    assert result.err.startswith("error: ")
    assert "Traceback" not in result.err + result.out
    assert str(book) in result.err
    assert not out.exists()
    return result


@pytest.mark.parametrize(
    ("row", "column", "value"),
    [
        ("anna,buy,0.25,1", "side", "'buy'"),
        ("anna,BID,0.25,1", "side", "'BID'"),
        ("anna,,0.25,1", "side", "''"),
        ("anna,bid,-1.25,1", "price", "'-1.25'"),
        ("anna,bid,nan,1", "price", "'nan'"),
        ("anna,bid,1e3,1", "price", "'1e3'"),
        ("anna,bid,0.2505,1", "price", "'0.2505'"),
        ("anna,bid,4.096,1", "price", "'4.096'"),
        ("anna,bid,,1", "price", "''"),
        ('anna,bid,"0,25",1', "price", "'0,25'"),
        ("anna,bid,0.25,-1", "energy", "'-1'"),
        ("anna,bid,0.25,NaN", "energy", "'NaN'"),
        ("anna,bid,0.25,inf", "energy", "'inf'"),
        ("anna,bid,0.25,1e3", "energy", "'1e3'"),
        ("anna,bid,0.25,0.0005", "energy", "'0.0005'"),
        ("anna,bid,0.25,0", "energy", "'0'"),
        ("anna,bid,0.25,134217.728", "energy", "'134217.728'"),
        (",bid,0.25,1", "participant", "''"),
        (" anna,bid,0.25,1", "participant", "' anna'"),
        (f"{'a' * 65},bid,0.25,1", "participant", "aaa'"),
        ("anna,bid,0.25", "energy", "the row is too short"),
    ],
)
def test_a_faulty_row_is_named_by_line_column_and_value(row, column, value, tmp_path):
    book = tmp_path / "orders.csv"
    book.write_text(f"{HEADER}\n{GOOD_ROW}\n{row}\n{GOOD_ROW}\n", encoding="utf-8")
    message = refused(book).err
    assert f"{book}, line 3, column {column}: " in message
    assert value in message


@pytest.mark.parametrize(
    ("content", "named"),
    [
        pytest.param(b"", "must be the columns participant,side,price,energy", id="empty"),
        pytest.param(HEADER.encode(), "has no orders", id="header only"),
        pytest.param(
            b"participant,side,price\nanna,bid,0.25\n", "line 1: 'participant,side,price'", id="column missing"
        ),
        pytest.param(
            f"{HEADER},note\n{GOOD_ROW},x\n".encode(), f"line 1: '{HEADER},note'", id="column that is not asked for"
        ),
        pytest.param(f"{HEADER},side\n{GOOD_ROW},bid\n".encode(), f"line 1: '{HEADER},side'", id="column twice"),
        pytest.param(
            f"{HEADER}\n{GOOD_ROW},x\n".encode(), "line 2: ['x'] stands beyond the last column", id="long row"
        ),
        pytest.param(bytes(range(256)), "cannot be read", id="binary"),
        pytest.param(f'{HEADER}\n"anna,bid,0.25,1\n'.encode(), "cannot be read", id="open quote"),
    ],
)
def test_a_file_that_is_no_order_book_is_refused(content, named, tmp_path):
    book = tmp_path / "orders.csv"
    book.write_bytes(content)
    assert named in refused(book).err


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    assert "does not exist" in refused(tmp_path / "absent.csv").err
    (tmp_path / "folder.csv").mkdir()
    assert "cannot be read" in refused(tmp_path / "folder.csv").err


def test_results_cannot_be_written_into_a_file(tmp_path):
    book = write_orders(tmp_path / "orders.csv", [Order("anna", "bid", 250, 1500)])
    result = run("clear", book, "--out", book, *EMBEDDED)
    assert result.code == 2
    assert result.err.startswith(f"error: {book}")
