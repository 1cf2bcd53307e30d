"""The index follows a chain through its reorganisations and ends as one that is made anew, or says why it cannot."""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import inspect, text
from support import databases
from support.databases import KINDS, contents, emptied, opened, rows

from dem.chain.abi import EventCodec
from dem.chain.artifacts import current
from dem.chain.blocks import BlockReader
from dem.chain.ranges import Ranges
from dem.deployment.plan import STEPS
from dem.deployment.roles import TOKEN
from dem.errors import BlocksLostError, ChainError, IndexMovedError, InputError
from dem.index import Place, dialects, follow, service
from dem.index.follow import Follower, Progress
from dem.index.store import Origin, Store
from dem.index.tables import tables_of
from dem.model.calendar import CalendarParameters
from dem.model.orders import Order, Side, lines_of
from dem.model.units import Tick, Wh

CALENDAR = CalendarParameters(1_700_000_000, 900, 96, 64_800, 43_200, 21_600, 86_400)
DEPTH = 4
ACCOUNTS, AUCTION, SCHEDULE, POOL = (f"0x{n:040x}" for n in (1, 2, 3, 4))
CONTRACTS = {"Accounts": ACCOUNTS, "CallAuction": AUCTION, "Schedule": SCHEDULE}
ROOFS = {"CallAuction:roofs": POOL}
LARGE = (1 << 128) - 1
T0 = 1_700_000_000


@cache
def codecs_of(contract: str) -> list[EventCodec]:
    return [EventCodec(contract, entry) for entry in current()[contract].abi if entry["type"] == "event"]


TABLES = tables_of(codec for name in [*(step.contract for step in STEPS), TOKEN] for codec in codecs_of(name))


def log(address: str, name: str, topics: Sequence[int], data: bytes) -> dict[str, Any]:
    """One log without its block; `name`: contract and event."""
    contract, event = name.split(".")
    [codec] = (codec for codec in codecs_of(contract) if codec.name == event)
    words = [codec.topic, *(topic.to_bytes(32, "big") for topic in topics)]
    return {"address": address, "topics": [f"0x{word.hex()}" for word in words], "data": f"0x{data.hex()}"}


def deposit(id_: int, amount: int) -> dict[str, Any]:
    return log(ACCOUNTS, "Accounts.Deposited", (id_, id_), encode(["uint128"], [amount]))


def sheet(id_: int, energy: int, address: str = AUCTION) -> dict[str, Any]:
    words = lines_of([Order(id_, 0, 2, Side.ASK, Tick(85), Wh(energy))], 1, 96).values()
    data = encode(["uint40", "uint16", "bytes32[]"], [1, 0, [word.to_bytes(32, "big") for word in words]])
    return log(address, "CallAuction.SheetAccepted", (id_, 1), data)


@dataclass
class Node:
    """A chain whose blocks can be replaced, also while somebody reads it."""

    blocks: list[dict[str, Any]] = field(default_factory=list)
    requests: int = 0
    interrupt: dict[int, Callable[[], None]] = field(default_factory=dict)
    """What happens before a request, by its number."""
    wrong: Callable[[str, Any, Any], Any] = lambda _method, _params, answer: answer
    """What it answers instead."""
    _made: int = 0

    def __post_init__(self) -> None:
        self.grow([[]])

    def grow(self, blocks: Sequence[Sequence[dict[str, Any]]]) -> None:
        """New blocks with these logs."""
        for logs in blocks:
            self._made += 1
            number = len(self.blocks)
            hash_ = f"0x{keccak(self._made.to_bytes(8, 'big')).hex()}"
            origin = {"blockNumber": hex(number), "blockHash": hash_, "transactionHash": hash_}
            self.blocks.append(
                {
                    "number": hex(number),
                    "hash": hash_,
                    "parentHash": self.blocks[-1]["hash"] if self.blocks else f"0x{0:064x}",
                    "timestamp": hex(T0 + self._made),
                    "transactions": [hash_],
                    "logs": [{**own, **origin, "logIndex": hex(index)} for index, own in enumerate(logs)],
                }
            )

    def replace(self, depth: int, blocks: Sequence[Sequence[dict[str, Any]]]) -> None:
        """Another end of the chain."""
        del self.blocks[max(1, len(self.blocks) - depth) :]
        self.grow(blocks)

    def ask(self, requests: Sequence[tuple[str, Any]]) -> list[Any]:
        self.requests += 1
        self.interrupt.pop(self.requests, lambda: None)()
        return [{"result": self.wrong(method, params, self._answer(method, params))} for method, params in requests]

    def _answer(self, method: str, params: Any) -> Any:
        if method == "eth_getBlockByHash":
            return next((block for block in self.blocks if block["hash"] == params[0]), None)
        if method == "eth_getBlockByNumber":
            number = len(self.blocks) - 1 if params[0] == "latest" else int(params[0], 16)
            return self.blocks[number] if number < len(self.blocks) else None
        if method == "eth_getTransactionReceipt":
            return next(block for block in self.blocks if block["hash"] == params[0])
        [question] = params
        if "blockHash" in question:
            found = [block for block in self.blocks if block["hash"] == question["blockHash"]]
            return self._logs(found, question) if found else None
        first, last = (int(question[end], 16) for end in ("fromBlock", "toBlock"))
        return self._logs(self.blocks[first : last + 1], question)

    def _logs(self, blocks: Sequence[dict[str, Any]], question: Any) -> list[Any]:
        return [own for block in blocks for own in block["logs"] if own["address"] in question["address"]]


class Index:
    """An index of a node."""

    def __init__(self, node: Node, place: Place, depth: int = DEPTH) -> None:
        self.node, self.place, self.ranges = node, place, Ranges()
        self.store = Store(place, TABLES, Origin(1, "0x0", ACCOUNTS, CALENDAR), depth)
        self.follower = Follower(self.store, self.reader, 0)
        self.contracts = {**CONTRACTS, **self.store.contracts()}

    def reader(self, contracts: Mapping[str, str]) -> BlockReader:
        known = {name: (at, codecs_of(name)) for name, at in contracts.items()}
        return BlockReader(self.node.ask, known, self.ranges)

    def advance(self) -> Progress:
        return self.follower.advance(self.contracts)

    def dump(self) -> dict[str, list[tuple[str, ...]]]:
        """Everything but the headers, which an index whose chain got shorter has fewer of."""
        return contents(self.place, without="header")

    def rows(self, question: str) -> list[tuple[Any, ...]]:
        return rows(self.place, question)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "_PAUSE_SECONDS", 0)


@pytest.fixture
def node() -> Node:
    return Node()


@pytest.fixture
def index(node: Node, tmp_path: Path) -> Iterator[Index]:
    """In SQLite."""
    made = Index(node, tmp_path / "index.sqlite")
    yield made
    made.store.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a PostgreSQL."""
    return tmp_path_factory.mktemp("server")


@pytest.fixture(scope="module")
def in_postgresql(server: Path) -> Iterator[str]:
    """An index that is made once, for it has many tables."""
    with databases.database("postgresql", server, server) as url:
        Index(Node(), url).store.close()
        yield url


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Of an index without blocks, in each kind of database."""
    if request.param == "sqlite":
        return tmp_path / "index.sqlite"
    return emptied(request.getfixturevalue("in_postgresql"))


@pytest.fixture
def either(node: Node, place: Place) -> Iterator[Index]:
    """In each kind of database."""
    made = Index(node, place)
    yield made
    made.store.close()


def assert_like_a_fresh_one(index: Index) -> None:
    """Of SQLite, whatever the other is of."""
    with TemporaryDirectory() as folder:
        fresh = Index(index.node, Path(folder) / "fresh.sqlite")
        fresh.contracts = index.contracts
        fresh.advance()
        assert index.dump() == fresh.dump()
        theirs, ours = fresh.store.headers(), index.store.headers()
        assert [h for h in theirs if h.number >= ours[0].number] == ours
        fresh.store.close()


# ------------------------------------------------------------------------------------------- reorganisations

LOGS = st.one_of(
    st.builds(deposit, st.integers(1, 5), st.one_of(st.integers(1, 100), st.integers(1 << 62, LARGE))),
    st.builds(sheet, st.integers(6, 8), st.integers(1, 9), st.sampled_from([AUCTION, POOL])),
)
BLOCKS = st.lists(st.lists(LOGS, max_size=3), min_size=1, max_size=6)
STEPS_OF_A_CHAIN = st.one_of(
    st.tuples(st.just("grow"), BLOCKS, st.integers(0, 9)),
    st.tuples(st.just("replace"), BLOCKS, st.integers(0, 9)),
    st.tuples(st.just("fail"), st.just([]), st.integers(1, 9)),
    st.tuples(st.just("add pool"), st.just([]), st.just(0)),
)


@settings(max_examples=60)
@given(st.lists(STEPS_OF_A_CHAIN, max_size=12))
def test_ends_like_an_index_made_anew_whatever_the_chain_does(steps: list[tuple[str, Any, int]]) -> None:
    """Blocks come and are replaced between the readings and within them; readings are cut off; a pool is added."""
    with TemporaryDirectory() as folder:
        assert_follows(Path(folder) / "index.sqlite", steps)


@settings(max_examples=6, deadline=None)
@given(st.lists(STEPS_OF_A_CHAIN, min_size=4, max_size=12))
def test_so_does_one_in_postgresql(in_postgresql: str, steps: list[tuple[str, Any, int]]) -> None:
    assert_follows(emptied(in_postgresql), steps)


def assert_follows(place: Place, steps: list[tuple[str, Any, int]]) -> None:
    node = Node()
    index = Index(node, place)
    highest = 0

    def replace(depth: int, blocks: Any) -> None:
        nonlocal highest
        highest = max(highest, len(node.blocks))
        node.replace(min(depth, len(node.blocks) - (highest - DEPTH)), blocks)

    def fail() -> None:
        raise ConnectionError

    for what, blocks, number in steps:
        acts = {
            "grow": lambda b=blocks: node.grow(b),
            "replace": lambda b=blocks: replace(3, b),
            "fail": fail,
            "add pool": lambda at=index: at.contracts.update(ROOFS),
        }
        if number:
            node.interrupt[node.requests + number] = acts[what]
        else:
            acts[what]()
        try:
            index.advance()
        except (ConnectionError, BlocksLostError):
            contracts = index.contracts
            index.store.close()
            index = Index(node, place)
            index.contracts = contracts
    node.interrupt.clear()
    index.advance()
    assert_like_a_fresh_one(index)
    index.store.close()


@pytest.mark.parametrize("depth", range(1, DEPTH + 1))
def test_blocks_that_were_replaced_are_replaced(either: Index, node: Node, depth: int) -> None:
    index = either
    node.grow([[deposit(n, n)] for n in range(1, 11)])
    assert index.advance() == Progress(10, T0 + 11, blocks=10, events=10)
    node.replace(depth, [[deposit(99, n)] for n in range(depth + 1)])
    assert index.advance() == Progress(11, T0 + 12 + depth, blocks=depth + 1, events=depth + 1, replaced=depth)
    assert index.rows("SELECT count(*) FROM accounts_deposited WHERE id = 99") == [(depth + 1,)]
    assert_like_a_fresh_one(index)


def test_a_chain_that_has_become_shorter(index: Index, node: Node) -> None:
    node.grow([[deposit(n, n)] for n in range(1, 11)])
    index.advance()
    node.replace(3, [])
    assert index.advance() == Progress(7, T0 + 8, replaced=3)
    assert index.advance().is_none
    assert_like_a_fresh_one(index)


def test_a_reorganisation_deeper_than_the_depth_is_refused_with_advice(index: Index, node: Node) -> None:
    node.grow([[deposit(n, n)] for n in range(1, 11)])
    index.advance()
    before = index.dump()
    node.replace(DEPTH + 1, [[deposit(99, 1)]] * 9)
    with pytest.raises(ChainError, match=r"block 6 .* was final.*still catching up.*wrong fork.*larger --depth"):
        index.advance()
    assert index.dump() == before


def test_blocks_replaced_all_the_time_are_an_error_in_the_end(index: Index, node: Node) -> None:
    node.grow([[]] * 3)
    node.interrupt = {n: lambda: node.replace(1, [[]]) for n in range(1, 100)}
    with pytest.raises(BlocksLostError):
        index.advance()
    node.interrupt.clear()
    index.advance()
    assert_like_a_fresh_one(index)


# ------------------------------------------------------------------------------------- answers that do not fit


def null_block(method: str, params: Any, answer: Any) -> Any:
    return None if method == "eth_getBlockByNumber" and params[0] == "0x3" else answer


def other_block(method: str, params: Any, answer: Any) -> Any:
    return {**answer, "number": "0x4"} if method == "eth_getBlockByNumber" and params[0] == "0x3" else answer


def no_block(method: str, params: Any, answer: Any) -> Any:
    return {"number": "0x3"} if method == "eth_getBlockByNumber" and params[0] == "0x3" else answer


def wrong_parent(method: str, params: Any, answer: Any) -> Any:
    named = method == "eth_getBlockByNumber" and params[0] == "0xa"
    return {**answer, "parentHash": f"0x{7:064x}"} if named else answer


def null_logs(method: str, params: Any, answer: Any) -> Any:
    return None if method == "eth_getLogs" else answer


def nothing_of_the_past(method: str, params: Any, answer: Any) -> Any:
    return None if method in ("eth_getLogs", "eth_getTransactionReceipt") else answer


def logs_of_another_fork(method: str, params: Any, answer: Any) -> Any:
    return [{**own, "blockHash": f"0x{7:064x}"} for own in answer] if method == "eth_getLogs" else answer


def logs_of_another_block(method: str, params: Any, answer: Any) -> Any:
    return [{**own, "blockNumber": "0x63"} for own in answer] if method == "eth_getLogs" else answer


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (null_block, "the node has no block 3: its answer is null"),
        (other_block, "asked for block 3, the node tells of block 4"),
        (no_block, "tells of its block 3 what is no block"),
        (wrong_parent, "block 10 has the parent 0x0000.*7, which is not its block 9"),
        (nothing_of_the_past, "neither the events of block 1 .* nor their receipts .* pruned"),
        (logs_of_another_fork, "block 1 is 0x.*, but its events are of 0x0000.*7"),
        (logs_of_another_block, "events of blocks 1 to 6, the node tells of block 99"),
    ],
)
def test_answers_that_do_not_fit_together_are_named(
    index: Index, node: Node, wrong: Callable[[str, Any, Any], Any], said: str
) -> None:
    node.grow([[deposit(n, n)] for n in range(1, 11)])
    node.wrong = wrong
    with pytest.raises(ChainError, match=said):
        index.advance()
    node.wrong = lambda _method, _params, answer: answer
    index.advance()
    assert_like_a_fresh_one(index)


def test_receipts_tell_the_events_that_a_node_refuses(index: Index, node: Node) -> None:
    node.grow([[deposit(n, n), log(f"0x{99:040x}", "Accounts.Deposited", (n, n), bytes(32))] for n in range(1, 11)])
    node.wrong = null_logs
    assert index.advance().events == 10
    node.wrong = lambda _method, _params, answer: answer
    assert_like_a_fresh_one(index)


@pytest.mark.parametrize("limit", [1, 3, 100])
def test_ranges_become_smaller_than_what_a_node_refuses(index: Index, node: Node, limit: int) -> None:
    """And what works is remembered: a chain of 400 blocks is read with few refusals."""
    node.grow([[deposit(n, n)] for n in range(1, 400)])
    refused = 0

    def limited(method: str, params: Any, answer: Any) -> Any:
        nonlocal refused
        if method != "eth_getLogs" or "blockHash" in params[0]:
            return answer
        first, last = (int(params[0][end], 16) for end in ("fromBlock", "toBlock"))
        refused += last - first >= limit
        return None if last - first >= limit else answer

    node.wrong = limited
    assert index.advance().events == 399
    assert 1 <= refused <= 12
    node.wrong = lambda _method, _params, answer: answer
    assert_like_a_fresh_one(index)


def test_events_of_the_newest_blocks_are_those_of_their_hashes(index: Index, node: Node) -> None:
    node.grow([[deposit(n, n)] for n in range(1, 4)])
    node.wrong = logs_of_another_fork
    with pytest.raises(ChainError, match=r"events of block 1 \(0x.*\), the node tells of block 1 \(0x0000.*7\)"):
        index.advance()
    assert index.store.headers() == []


# ---------------------------------------------------------------------------------------------------- contents


def test_numbers_of_any_size_are_kept(either: Index, node: Node) -> None:
    amounts = [1, (1 << 63) - 1, 1 << 63, LARGE]
    node.grow([[deposit(n, amount) for n, amount in enumerate(amounts)]])
    either.advance()
    found = either.rows("SELECT amount FROM accounts_deposited ORDER BY id")
    assert [int(amount) for (amount,) in found] == amounts
    large = str if isinstance(either.place, Path) else int  # SQLite has none of more than 64 bits
    assert [type(amount) for (amount,) in found] == [int, int, large, large]


def test_sheets_are_unpacked_into_orders_and_the_last_one_stands(either: Index, node: Node) -> None:
    index = either
    node.grow([[sheet(6, 100)], [sheet(6, 250), sheet(7, 10)]])
    index.advance()
    order = "CallAuction", 6, 1, 2, 0, "ask", 0.085, 0.25
    assert index.rows("SELECT * FROM orders ORDER BY participant")[0] == order
    assert index.rows("SELECT count(*) FROM orders") == [(2,)]
    assert index.rows("SELECT count(*) FROM order_lane") == [(18,)]


def test_a_pool_added_later_has_its_events_from_the_beginning(either: Index, node: Node) -> None:
    index = either
    node.grow(
        [
            [sheet(6, n, POOL), log(SCHEDULE, "Schedule.MarketAdded", (4,), encode(["uint32"], [1]))]
            for n in range(1, 11)
        ]
    )
    index.advance()
    assert index.rows("SELECT count(*) FROM orders") == [(0,)]
    assert index.store.unknown_markets() == [POOL]
    index.contracts.update(ROOFS)
    index.advance()
    assert index.store.unknown_markets() == []
    assert index.rows("SELECT market, energy_kwh FROM orders") == [("CallAuction:roofs", 0.01)]
    assert_like_a_fresh_one(index)


# -------------------------------------------------------------------------------------------------------- file


def test_another_depth_is_refused(either: Index, node: Node) -> None:
    with pytest.raises(ChainError, match="is an index with depth 4, not 5"):
        Index(node, either.place, depth=5)


def test_an_index_of_another_market_is_refused(either: Index) -> None:
    with pytest.raises(ChainError, match="is an index with genesis 0x0, not 0x1"):
        Store(either.place, TABLES, Origin(1, "0x1", ACCOUNTS, CALENDAR))


def test_a_file_that_is_no_index_is_left_alone(tmp_path: Path) -> None:
    other = tmp_path / "notes.txt"
    other.write_text("not a database, but long enough to be taken for one\n" * 20)
    before = other.read_bytes()
    with pytest.raises(ChainError, match="cannot be used as an index"):
        Store(other, TABLES, Origin(1, "0x0", ACCOUNTS, CALENDAR))
    assert other.read_bytes() == before


@pytest.mark.parametrize("tables", ["notes (line TEXT)", "reading (id INTEGER)"])
def test_a_database_with_other_tables_is_left_alone(tmp_path: Path, tables: str) -> None:
    other = tmp_path / "other.sqlite"
    with opened(other).begin() as db:
        db.execute(text(f"CREATE TABLE {tables}"))
    with pytest.raises(ChainError, match="it has other tables"):
        Store(other, TABLES, Origin(1, "0x0", ACCOUNTS, CALENDAR))
    assert len(rows(other, "SELECT name FROM sqlite_master")) == 1


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://nobody:secret@127.0.0.1:1/x", "nobody:...@127.0.0.1:1/x: cannot be used as an index"),
        ("postgresql://127.0.0.1:1/x?user=nobody&password=secret", "1/x.user=nobody: cannot be used as an index"),
        ("postgresql://127.0.0.1/x?colour=blue", "cannot be used as an index .invalid connection option"),
        ("postgresql://nobody:secret/x", "index: is no URL of a database"),
        ("mysql://nobody:secret@127.0.0.1/x", "index: 'mysql' is no database that is known here"),
    ],
)
def test_a_database_that_cannot_be_opened_is_told_of_without_its_password(url: str, said: str) -> None:
    with pytest.raises((ChainError, InputError), match=said) as caught:
        Store(url, TABLES, Origin(1, "0x0", ACCOUNTS, CALENDAR))
    assert "secret" not in str(caught.value)


# ------------------------------------------------------------------------------------ several processes, failures


def test_two_that_keep_one_index_do_it_no_harm(node: Node, place: Place) -> None:
    """Others come while one has read blocks, and has not put them in yet; and the chain goes on."""

    def another(contracts: Mapping[str, str], depth: int) -> None:
        node.replace(depth, [[deposit(99, depth), sheet(6, 10, POOL)]] * (depth + 1))
        other = Index(node, place)
        other.contracts.update(contracts)
        other.advance()
        other.store.close()

    one = Index(node, place)
    node.grow([[deposit(n, n)] for n in range(1, 11)])
    for number, depth in ((2, 0), (4, 2), (5, 1), (9, 2), (13, 1), (14, 0)):
        node.interrupt[number] = lambda depth=depth: another({}, depth)
    while node.interrupt:
        one.advance()
    assert_like_a_fresh_one(one)
    one.contracts.update(ROOFS)
    another(ROOFS, 1)
    node.replace(1, [[deposit(98, 1)]] * 2)  # which is found before it is seen that the pool is followed already
    one.advance()
    assert_like_a_fresh_one(one)
    one.store.close()


def test_who_does_not_follow_what_an_index_follows_does_not_go_on(node: Node, place: Place) -> None:
    one, other = Index(node, place), Index(node, place)
    one.contracts.update(ROOFS)
    node.grow([[sheet(6, 10, POOL)]])
    one.advance()
    node.grow([[sheet(7, 10, POOL)]])
    with pytest.raises(ChainError, match="events of contracts that are not followed here: CallAuction:roofs"):
        other.advance()
    one.advance()
    assert_like_a_fresh_one(one)
    for index in (one, other):
        index.store.close()


def test_nothing_is_put_onto_an_index_that_another_has_changed(either: Index, node: Node) -> None:
    changes: list[Callable[[Store], None]] = [
        lambda store: store.append([], 0, [], []),
        lambda store: store.drop_above(0),
        lambda store: store.include(ROOFS, ()),
    ]
    for change in changes:
        other = Index(node, either.place)
        node.grow([[deposit(1, 1)]])
        either.store.headers()
        other.advance()
        before = either.dump()
        with pytest.raises(IndexMovedError):
            change(either.store)
        assert either.dump() == before
        other.store.close()


def test_killed_at_any_moment_it_has_nothing_twice_and_lacks_nothing(node: Node, place: Place) -> None:
    """Amid a transaction and between two, while blocks come in and while others take their place."""
    node.grow([[deposit(n, n), sheet(6 + n % 3, 1 + n % 9)] for n in range(1, 30)])
    node.wrong = few_blocks
    fork = get_context("fork")
    for statements in (1, 2, 3, 5, 8, 13, 21):
        process = fork.Process(target=die_after, args=(statements, node, place))
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        node.replace(2, [[deposit(99, statements), sheet(6, statements)]] * 4)
    index = Index(node, place)
    index.advance()
    node.wrong = lambda _method, _params, answer: answer
    assert_like_a_fresh_one(index)
    index.store.close()


def few_blocks(method: str, params: Any, answer: Any) -> Any:
    """Of a node that tells of three at once."""
    is_range = method == "eth_getLogs" and "blockHash" not in params[0]
    return None if is_range and int(params[0]["toBlock"], 16) - int(params[0]["fromBlock"], 16) > 2 else answer


def die_after(statements: int, node: Node, place: Place) -> None:
    """Index in a process of its own, which is killed before it puts something in."""
    left = count(statements, -1)

    def put(*what: Any) -> None:
        if next(left) == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        real(*what)

    real, dialects.put = dialects.put, put
    Index(node, place).advance()


def test_an_index_waits_for_a_database_that_is_away(
    node: Node,
    in_postgresql: str,
    server: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(service, "_POLL_SECONDS", 0.05)
    index = Index(node, emptied(in_postgresql))
    manifest = tmp_path / "manifest.json"
    manifest.touch()
    market = SimpleNamespace(addresses=index.contracts, manifest=SimpleNamespace(first_block=0, path=manifest))
    monkeypatch.setattr(service, "connect", lambda *_: market)
    monkeypatch.setattr(service, "require_history", lambda _: None)
    monkeypatch.setattr(service, "_open", lambda *_: index.store)
    chain = SimpleNamespace(reader=index.reader, notice=lambda *_: None)
    following = service.index(chain, manifest, in_postgresql, None, True, {})  # type: ignore[arg-type]
    node.grow([[deposit(1, 1)]])
    assert next(following).events == 1
    running = databases.server(server)
    running.stop()
    back = threading.Timer(0.5, lambda: databases.started(server))
    back.start()
    node.grow([[deposit(2, 2)]])
    assert next(following).events == 1
    back.join()
    assert "cannot be reached" in caplog.text
    assert_like_a_fresh_one(index)
    following.close()


def test_a_connection_is_shown_from_its_first_day_on(index: Index) -> None:
    def put(db: Any, table: str, **values: Any) -> None:
        columns = [column["name"] for column in inspect(db).get_columns(table)]
        row = {name: values.get(name, 0) for name in columns}
        db.execute(text(f"INSERT INTO {table} VALUES ({', '.join(f':{name}' for name in row)})"), row)

    index.advance()
    with opened(index.place).begin() as db:
        put(db, "block", number=0)
        put(db, "header", number=99, hash="0x1", parent="0x0")
        put(db, "participant_registry_applied", account="a", import_capacity=1_000, export_capacity=0)
        put(db, "participant_registry_admitted", id=6, account="a", kind=6, first_day=1, log_index=1)
        for place, (first, imports) in enumerate([(2, 2_000), (5, 5_000), (4, 4_000)], start=2):
            change = {"id": 6, "first_day": first, "import_capacity": imports, "log_index": place}
            put(db, "participant_registry_connection_changed", **change)
    shown = {}
    for day in range(1, 7):
        with opened(index.place).begin() as db:
            db.execute(text("UPDATE header SET time = :time"), {"time": CALENDAR.start_of(day) + 1})
        [(shown[day],)] = index.rows("SELECT import_capacity_kwh FROM participants WHERE participant = 6")
    # What was to begin on day 5 was replaced by what begins on day 4.
    assert shown == {1: 1.0, 2: 2.0, 3: 2.0, 4: 4.0, 5: 4.0, 6: 4.0}
