"""`ape run index` and `ape run health` on a played day, on a chain that is reorganised, and killed in the middle."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from support.commands.database import dump, rows
from support.commands.hamlet import MIXED, Hamlet, read_table
from support.commands.here import command
from support.commands.node import Reply, anvil, wire_to
from support.commands.shell import EMBEDDED, TIMEOUT, Command, run, without_pictures
from support.databases import answers, contents, database

SIGKILL = -9
DEPTH = ("--depth", "5")


def rpc(url: str, method: str, *params: object) -> object:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    with urlopen(Request(url, body, {"Content-Type": "application/json"})) as answer:
        return json.loads(answer.read())["result"]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A node with a finished day of every market, and the folder of the run."""
    out = tmp_path_factory.mktemp("played")
    with anvil() as url:
        scenario = Hamlet(markets=MIXED, has_coins=True).write(out / "hamlet")
        day = run("day", scenario, "--out", out, "--network", local(url), prepare=without_pictures)
        assert day.code == 0, day
        yield url, out


def local(url: str) -> str:
    return f"ethereum:local:{url}"


def index(url: str, out: Path, path: Path | str, *more: str) -> None:
    done = run("index", out, "--out", path, *DEPTH, *more, "--network", local(url))
    assert done.code == 0, done


@pytest.fixture(scope="module")
def indexed(played, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("index") / "index.sqlite"
    index(*played, path)
    return path


def test_every_event_is_in_the_index(played, indexed):
    events = [json.loads(line) for line in (played[1] / "events.jsonl").read_text(encoding="utf-8").splitlines()]
    tables = [name for (name,) in rows(indexed, "SELECT name FROM sqlite_master WHERE type = 'table'")]
    found = []
    for table in tables:
        columns = [column for _, column, *_ in rows(indexed, f"PRAGMA table_info({table})")]
        if "transaction_hash" in columns:
            found += rows(indexed, f"SELECT block, log_index, transaction_hash, contract FROM {table}")
    expected = [(e["block"], e["log_index"], e["transaction"], e["contract"]) for e in events]
    assert sorted(found) == sorted(expected)


def test_the_index_knows_members_by_name(played, indexed):
    names = {row["account"] for row in read_table(played[1] / "accounts.csv")} - {"fund", "clearing_house"}
    found = rows(indexed, "SELECT participant, name FROM participants WHERE participant > 2")
    assert {name for _, name in found} == names
    for view in ("balances", "settlements"):
        assert set(rows(indexed, f"SELECT participant, name FROM {view} WHERE participant > 2")) <= set(found)


def test_the_index_of_a_chain_that_is_gone(day, indexed, tmp_path):
    """Of the record that a run on the embedded chain leaves; all it does not know is the time of blocks."""
    path = tmp_path / "record.sqlite"
    for _ in range(2):
        done = command("index", day, "--out", path, *EMBEDDED)
        assert done.exit_code == 0, done.output
    events = (day / "events.jsonl").read_text(encoding="utf-8").splitlines()
    assert f"{len(events)} events as recorded in" in done.output
    accounts = {row["account"]: row for row in read_table(day / "accounts.csv")}
    balances = rows(path, "SELECT name, balance_eur FROM balances WHERE name IS NOT NULL")
    assert balances
    assert {name: round(balance * 1e8) for name, balance in balances} == {
        name: int(accounts[name]["closing_units"]) for name, _ in balances
    }
    done = command("index", day, "--out", indexed, *EMBEDDED)
    assert done.exit_code == 2
    assert "is an index with" in done.output


def test_views_say_what_the_run_says(played, indexed):
    """Of every market: three views alone are empty; those that the run has tables of are the same to the last digit."""
    _, out = played
    record = json.loads((out / "balances.json").read_text(encoding="utf-8"))["accounts"]
    balances = rows(indexed, "SELECT participant, balance_eur, arrears_eur, credit_limit_eur FROM balances")
    assert {id_: (balance, arrears, limit) for id_, balance, arrears, limit in balances} == {
        int(id_): ((free + locked) / 1e8, arrears / 1e8, limit / 1e8)
        for id_, (free, locked, arrears, limit) in record.items()
    }
    views = [view for (view,) in rows(indexed, "SELECT name FROM sqlite_master WHERE type = 'view'")]
    # Every meter is read in time, so no register has shown anything that is not billed. Agreements are contracts, not
    # trades in escrow, and nobody gives coins away.
    empty = [view for view in views if rows(indexed, f"SELECT count(*) FROM {view}") == [(0,)]]
    assert empty == ["escrows", "coin_transfers", "unbilled"]
    trades = read_table(out / "trades.csv")
    bought = sum(int(row["bought_wh"]) for row in trades if row["market"] == "intraday")
    assert rows(indexed, "SELECT sum(energy_kwh) FROM intraday_trades")[0][0] == pytest.approx(bought / 1e3)
    bought = sum(int(row["bought_wh"]) for row in trades if row["market"] == "call auction")
    volume = rows(indexed, "SELECT sum(volume_kwh) FROM clearing WHERE market = 'CallAuction'")[0][0]
    assert volume == pytest.approx(bought / 1e3)


@pytest.mark.parametrize(("kind", "step"), [("sqlite", 1), ("postgresql", 4)])
def test_an_index_that_is_killed_again_and_again_ends_like_one_that_is_not(played, indexed, tmp_path, kind, step):
    """In each kind of database, by its URL. All tables and views tell the same of a day of every market."""
    url, out = played
    kills = 0
    with database(kind, tmp_path, tmp_path) as place:
        with wire_to(url) as (wire, near):
            for requests in range(1, 30, step):
                with Command("index", out, "--out", place, *DEPTH, "--network", local(near)) as command:
                    wire.disturb = cut_after(requests, command.process.kill)
                    code = command.result().code
                kills += code == SIGKILL
                if code == 0:
                    break
        assert kills > 5 // step
        index(url, out, place)
        assert contents(place) == contents(indexed)
        assert answers(place) == answers(indexed)


def test_an_index_that_follows_has_every_block_and_the_pool_that_came_later(tmp_path):
    scenario, path = Hamlet(markets=MIXED, has_coins=True).write(tmp_path / "hamlet"), tmp_path / "followed.sqlite"
    with anvil() as url:
        assert run("deploy", scenario, "--out", tmp_path, "--network", local(url)).code == 0
        with Command("index", tmp_path, "--out", path, *DEPTH, "--follow", "--network", local(url)) as follower:
            day = run("day", scenario, "--out", tmp_path, "--network", local(url), prepare=without_pictures)
            assert day.code == 0, day
            index(url, tmp_path, tmp_path / "fresh.sqlite")
            deadline = time.monotonic() + TIMEOUT
            while dump(path) != dump(tmp_path / "fresh.sqlite"):
                assert time.monotonic() < deadline, follower.process.exitcode
                time.sleep(0.5)
            rpc(url, "anvil_mine", "0x5")
            head = int(str(rpc(url, "eth_blockNumber")), 16)
            while rows(path, "SELECT max(number) FROM header") != [(head,)]:
                assert time.monotonic() < deadline, follower.process.exitcode
                time.sleep(0.2)
            follower.process.kill()
            said = follower.result().out
        assert "events in" in said
        assert " 0 events" not in said, "nothing is said of blocks in which nothing happens"
        assert rows(path, "SELECT count(*) FROM clearing WHERE market = 'CallAuction:roofs'") == [(24,)]


def cut_after(requests: int, kill: Callable[[], None]) -> Callable[..., Reply]:
    """Kill whoever asks for events or blocks the nth time."""
    asked = 0

    def disturb(body: bytes, pass_on: Callable[[bytes], bytes | None]) -> Reply:
        nonlocal asked
        asked += b"eth_getLogs" in body or b"eth_getBlockByNumber" in body
        if asked > requests:
            kill()
            return None
        answer = pass_on(body)
        return None if answer is None else (200, answer)

    return disturb


def test_the_index_follows_reorganisations_of_a_node(played, indexed, tmp_path):
    """Until one is too deep; the node is back to what it was at the end."""
    url, out = played
    path = tmp_path / "followed.sqlite"
    before = rpc(url, "evm_snapshot")
    index(url, out, path)
    for depth in (1, 3, 5):
        rpc(url, "anvil_mine", hex(depth))
        rpc(url, "anvil_reorg", depth, [])
        index(url, out, path)
        fresh = tmp_path / f"fresh-{depth}.sqlite"
        index(url, out, fresh)
        assert dump(path) == dump(fresh)
    rpc(url, "anvil_reorg", 6, [])
    done = run("index", out, "--out", path, *DEPTH, "--network", local(url))
    assert done.code == 2
    assert "was final" in done.err
    assert "larger --depth" in done.err
    assert rpc(url, "evm_revert", before)


def test_health_of_a_node_and_a_market(played):
    url, out = played
    done = run("health", out, "--node", url, "--json", "--grace", "10000000", "--network", local(url))
    record = json.loads(done.out.splitlines()[-1])
    assert (done.code, record["ok"], record["problems"]) == (0, True, []), done
    assert record["nodes"][0]["client"].startswith("anvil")
    assert record["market"]["last_final_day"] == 1
    assert record["market"]["clearing_house"] == 0


def test_health_names_what_is_due_and_who_is_away(played):
    url, out = played
    done = run("health", out, "--node", url, "--node", "http://127.0.0.1:9", "--network", local(url))
    assert done.code == 1, done
    assert "node http://127.0.0.1:9 is of no use" in done.out
    assert "day 2 is not cleared" in done.out
