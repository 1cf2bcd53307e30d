"""What lasts: the tables as migrations make them, streams that go on where they were, and slow clients."""

import asyncio
import threading
from collections.abc import MutableMapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy.exc import OperationalError
from support.gateway import account_of, make_gateway

from dem.errors import InputError, RequestError
from dem.gateway import migrations, streams
from dem.gateway.config import Limits, load
from dem.gateway.guard import Guard
from dem.gateway.processes import Notice
from dem.gateway.state import METADATA, Store
from dem.gateway.streams import Streams


def test_the_migrations_make_the_tables_that_the_code_knows(state: str) -> None:
    Store(state).close()
    again = Store(state)
    with again.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    again.close()


def test_migrations_go_back_to_nothing_and_on_again(state: str) -> None:
    store = Store(state)
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    for direction, target in ((command.downgrade, "base"), (command.upgrade, "head")):
        with store.engine.begin() as connection:
            config.attributes["connection"] = connection
            direction(config, target)
    assert store.newest() == 0
    store.close()


def test_entries_of_the_journal_are_seen_in_their_order_however_many_write(state: str) -> None:
    """A stream that has seen entry n asks for what comes after n: no lower number may appear later."""
    store = Store(state)
    seen: list[int] = []
    writers = [threading.Thread(target=lambda: [store.tell("block", {}) for _ in range(10)]) for _ in range(4)]
    for writer in writers:
        writer.start()
    while len(seen) < 40:
        seen += [entry.number for entry in store.journal(seen[-1] if seen else 0, 100)]
    for writer in writers:
        writer.join()
    assert len({*seen}) == len(seen) == 40
    store.close()


def test_a_message_that_comes_twice_at_once_is_taken_once(state: str) -> None:
    store = Store(state)
    with ThreadPoolExecutor(4) as pool:
        found = [*pool.map(lambda _: store.accept("0x1", "OrderSheet", account_of("home"), {}), range(8))]
    assert {record.id for record in found} == {"0x1"}
    assert store.newest() == 3
    store.close()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://root@localhost/x", "state: 'mysql' is no database that is known here"),
        ("postgresql", "state: is no URL of a database"),
        ("postgresql://nobody:secret@127.0.0.1:1/x", "cannot be opened"),
        ("postgresql://127.0.0.1:1/x?user=nobody&password=secret", "cannot be opened"),
        ("postgresql://nobody:secret/x", "state: is no URL of a database"),
        ("postgresql://127.0.0.1/x?colour=blue", "cannot be opened: invalid connection option"),
        ("sqlite:////no/such/folder/state.sqlite", "cannot be opened"),
    ],
)
def test_a_database_that_cannot_be_opened(url: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        Store(url)
    assert said in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_stream_goes_on_where_it_was_and_tells_nobody_elses(state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_POLL_SECONDS", 0.01)
    store = Store(state)
    home = account_of("home")
    store.accept("0x1", "OrderSheet", home, {})
    store.accept("0x2", "OrderSheet", account_of("roof"), {})
    store.tell("block", {"number": 1})

    async def numbers(after: int | None, owner: str | None, count: int) -> list[str]:
        served = Streams(store, 2)
        running = asyncio.create_task(served.run())
        await asyncio.sleep(0.05)
        listening = served.listen(after, owner)
        found = [await anext(listening)]
        telling = asyncio.create_task(asyncio.to_thread(store.tell, "block", {"number": 2}))
        while len(found) <= count:
            async with asyncio.timeout(20):
                found.append(await anext(listening))
        await telling
        assert served.count == 1
        await listening.aclose()
        running.cancel()
        return [text.partition("\n")[0].removeprefix("id: ") for text in found[1:]]

    assert asyncio.run(numbers(0, home, 5)) == ["1", "2", "3", "7", "8"]
    assert asyncio.run(numbers(7, None, 2)) == ["8", "9"]
    assert asyncio.run(numbers(None, None, 1)) == ["10"]
    store.close()


def test_nobody_is_woken_by_what_concerns_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_POLL_SECONDS", 0.01)
    monkeypatch.setattr(streams, "_ENTRIES", 3)
    store = Store(f"sqlite:///{tmp_path / 'state.sqlite'}")

    async def heard() -> str:
        """By one who has been silent while far more was told to another than may wait for it."""
        served = Streams(store, 2)
        running = asyncio.create_task(served.run())
        await asyncio.sleep(0.05)
        listening = served.listen(None, account_of("home"))
        await anext(listening)
        first = asyncio.create_task(anext(listening))
        await asyncio.sleep(0)
        for number in range(5):
            store.accept(f"0x{number}", "OrderSheet", account_of("roof"), {})
        await asyncio.sleep(0.2)
        store.tell("block", {"number": 1})
        async with asyncio.timeout(20):
            text = await first
        await listening.aclose()
        assert served.count == 0
        running.cancel()
        return text

    assert "event: block" in asyncio.run(heard())
    store.close()


def test_a_stream_too_many_is_refused(tmp_path: Path) -> None:
    served = Streams(Store(f"sqlite:///{tmp_path / 'state.sqlite'}"), 0)
    with pytest.raises(RequestError, match="TooManyStreams"):
        served.require_room()


@pytest.mark.parametrize(
    ("chunks", "status"),
    [
        ([(0, b"x" * 600, True), (0, b"x" * 600, False)], 413),
        ([(0, b"x", True), (5, b"", False)], 408),
        ([(0, None, False)], 400),
    ],
)
def test_bodies_that_are_too_large_too_slow_or_cut_off(
    chunks: list[tuple[int, bytes | None, bool]], status: int
) -> None:
    sent: list[MutableMapping[str, Any]] = []
    waiting = iter(chunks)

    async def receive() -> MutableMapping[str, Any]:
        seconds, body, more = next(waiting)
        await asyncio.sleep(seconds)
        kind = "http.disconnect" if body is None else "http.request"
        return {"type": kind, "body": body or b"", "more_body": more}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    async def app(*_: Any) -> None:
        raise AssertionError("it must not be asked")

    limits = Limits(body_bytes=1_024, body_seconds=0.05)
    scope = {"type": "http", "method": "POST", "path": "/v1/messages", "headers": [], "client": ("10.0.0.1", 1)}
    asyncio.run(Guard(app, limits)(scope, receive, send))
    assert sent[0]["status"] == status


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "gateway.toml, folder: "),
        ('folder = "."\ncolour = 1', "gateway.toml, colour: 1 is no key that is known"),
        ('folder = "."\nport = 0', "gateway.toml, port: 0 "),
        (
            'folder = "."\n[offices]\nmember = []',
            "must be one of registrar, operator, grid, metering, treasurer, council, auditor",
        ),
        ('folder = "."\n[offices]\noperator = ["0xabc"]', "must be an address with its checksum"),
        ("folder = ", "is not TOML"),
    ],
)
def test_what_is_wrong_with_a_configuration(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load(path)
    assert said in str(caught.value)


def test_a_configuration_gives_offices_to_accounts(tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text(f'folder = "m"\n[offices]\noperator = ["{account_of("x")}"]\n', encoding="utf-8")
    found = load(path)
    assert found.folder == (tmp_path / "m").resolve()
    assert found.roles_of(account_of("x")) == {"operator"}
    assert found.roles_of(account_of("y")) == frozenset()
    assert (found.domain, found.public_url) == ("127.0.0.1:8040", "http://127.0.0.1:8040")


def test_a_database_that_is_away_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, index: Path) -> None:
    gateway = make_gateway(tmp_path, index)
    home = gateway.client("home")
    away = OperationalError("SELECT 1", {}, Exception("the database system is shutting down"))

    def fail(*_: object, **__: object) -> None:
        raise away

    with monkeypatch.context() as patch:
        patch.setattr(Store, "account_of", fail)
        answer = gateway.web.get("/v1/me", headers={"Authorization": f"Bearer {home._token}"})
        assert (answer.status_code, answer.json()["title"]) == (503, "NoState")
    assert home.get("/v1/me")["account"] == account_of("home")

    class EndedError(BaseException):
        pass

    looks: list[str] = []
    notice = Notice()

    def step() -> bool:
        looks.append(notice.trouble)
        if len(looks) == 1:
            raise away
        raise EndedError

    monkeypatch.setattr(gateway.relaying, "step", step)
    with pytest.raises(EndedError):
        gateway.relaying.run(notice)
    assert looks[0] == ""
    assert "shutting down" in looks[1]
    gateway.store.close()


def test_streams_go_on_when_the_database_is_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_POLL_SECONDS", 0.01)
    monkeypatch.setattr(streams, "_AWAY_SECONDS", 0.01)
    store = Store(f"sqlite:///{tmp_path / 'state.sqlite'}")
    real, failures = store.journal, [OperationalError("SELECT 1", {}, Exception("away"))] * 3

    def journal(*told: Any) -> Any:
        if failures:
            raise failures.pop()
        return real(*told)

    monkeypatch.setattr(store, "journal", journal)

    async def heard() -> str:
        served = Streams(store, 1)
        running = asyncio.create_task(served.run())
        listening = served.listen(None, None)
        await anext(listening)
        first = asyncio.create_task(anext(listening))
        await asyncio.sleep(0.1)
        store.tell("block", {"number": 1})
        async with asyncio.timeout(20):
            text = await first
        await listening.aclose()
        running.cancel()
        return text

    assert "event: block" in asyncio.run(heard())
    store.close()
