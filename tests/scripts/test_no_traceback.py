"""Whatever is wrong with what a command is given, and with the machine it runs on, is a sentence, never a traceback.

Every command is driven, in this process and without a chain as far as it needs none; the damage is done by kind.
"""

import errno
import gzip
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
import requests
from ape.cli import ConnectedProviderCommand
from click.testing import CliRunner
from sqlalchemy.exc import OperationalError
from support.commands.hamlet import Hamlet
from support.commands.own import OwnHamlet
from support.commands.shell import EMBEDDED, no_picture, run

from dem.chain.connection import Chain
from dem.commands import ABOUT, cli
from dem.console import Terminal

DEAD = ("--network", "ethereum:local:http://127.0.0.1:9")

Damage = Callable[[Path], object]
DAMAGES: dict[str, Damage] = {
    "missing": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "binary": lambda path: path.write_bytes(bytes(range(256)) * 4),
    "Latin-1": lambda path: path.write_bytes(path.read_bytes() + "Müller,1,2\n".encode("latin-1")),
    "UTF-16": lambda path: path.write_bytes(path.read_text(encoding="utf-8").encode("utf-16")),
    "NUL": lambda path: path.write_bytes(path.read_bytes()[:200] + b"\0\0\0" + path.read_bytes()[200:]),
    "cut off": lambda path: path.write_bytes(path.read_bytes()[: len(path.read_bytes()) * 2 // 3]),
    "one line": lambda path: path.write_bytes(path.read_bytes().partition(b"\n")[0]),
    "semicolons": lambda path: path.write_bytes(path.read_bytes().replace(b",", b";")),
    "unterminated quote": lambda path: path.write_bytes(path.read_bytes() + b'"'),
    "another file": lambda path: path.write_text("start,never\n2016-05-08T00:00+02:00,1\n"),
    "gzipped": lambda path: path.write_bytes(gzip.compress(path.read_bytes())),
    "huge numbers": lambda path: path.write_bytes(path.read_bytes().replace(b"1", b"9" * 400)),
    "other numbers": lambda path: path.write_bytes(path.read_bytes().replace(b"1", b"-1e999")),
}
SCENARIO = ("scenario.toml", "participants.csv", "load.csv", "pv.csv", "prices.csv")
BOOKS = {
    "good": "participant,side,price,energy\na,bid,0.3,1\nb,ask,0.1,1\n",
    "empty": "",
    "header": "participant,side,price,energy\n",
    "semicolons": "participant;side;price;energy\na;bid;0,3;1\n",
    "decimal comma": 'participant,side,price,energy\na,bid,"0,3",1\n',
    "below the prices": "participant,side,price,energy\na,bid,-1.3,1\n",
    "huge": "participant,side,price,energy\na,bid,0.3,1e999\n",
    "no such side": "participant,side,price,energy\na,BID,0.3,1\n",
    "long name": f"participant,side,price,energy\n{'a' * 5000},bid,0.3,1\n",
    "short row": "participant,side,price,energy\na,bid\n",
    "long row": "participant,side,price,energy\na,bid,0.3,1,2,3\n",
    "quote": 'participant,side,price,energy\n"a,bid,0.3,1\n',
    "NaN": "participant,side,price,energy\na,bid,nan,nan\n",
}
UNKNOWN = ("ethereum:mainnet", "ethereum:sepolia:alchemy", "arbitrum:mainnet", "solana", "ethereum:locl", "::")
CHAIN = ("day", "compare", "deploy", "clear", "index", "health", "reconcile", "sealers", "access", "council show")


class Driven:
    """Commands driven, and what they had to say."""

    def __init__(self) -> None:
        self.failures: list[str] = []
        self.count = 0

    def __call__(self, what: str, *words: object) -> str:
        """Drive a command, which may end well; what it printed."""
        result = CliRunner().invoke(cli, [str(word) for word in words])
        self.count += 1
        wrong = result.exception is not None and not isinstance(result.exception, SystemExit)
        if wrong or "Traceback" in result.output or (result.exit_code and not result.output.strip()):
            self.failures.append(f"{what}: {' '.join(map(str, words))}: {result.exception!r} {result.output[-200:]}")
        return result.output


@pytest.fixture
def driven(monkeypatch: pytest.MonkeyPatch) -> Iterator[Driven]:
    """Commands on a chain are called as if connected; there is none, only what a chain is asked first."""
    chain = SimpleNamespace(id=1, genesis="0x00", is_embedded=False, is_development=True, network="none", nodes=[])
    monkeypatch.setattr(ConnectedProviderCommand, "invoke", lambda self, ctx: self._invoke(ctx))
    monkeypatch.setattr(Chain, "connected", staticmethod(lambda: chain))
    # Tables that can be drawn are not those that are wrong.
    monkeypatch.setattr("dem.report.charts.render", no_picture)
    drive = Driven()
    yield drive
    assert not drive.failures, "\n".join(drive.failures)


def damaged(folder: Path, name: str, damage: Damage, into: Path) -> Path:
    copy = into / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder, copy)
    damage(copy / name)
    return copy


def test_scenarios(driven: Driven, tmp_path: Path) -> None:
    hamlet = Hamlet(consumers=1, plants=1).write(tmp_path / "hamlet")
    for name in SCENARIO:
        for what, damage in DAMAGES.items():
            folder = damaged(hamlet, name, damage, tmp_path)
            said = driven(f"{name} {what}", "check", folder)
            assert "wrong" in said or "nothing is wrong" in said, (name, what, said)
            if "nothing is wrong" not in said:
                driven(f"{name} {what}", "day", folder, "--out", tmp_path / "out")
    for words in (["day", "nowhere"], ["compare", "nowhere", "--out", "x"], ["deploy", "nowhere", "--out", "x"]):
        driven("no such scenario", *words)
    assert driven.count >= 120


def test_what_members_bring(driven: Driven, tmp_path: Path) -> None:
    hamlet = OwnHamlet().write(tmp_path / "hamlet")
    for name in ("orders.csv", "forecast.csv", "readings.csv", "participants.csv"):
        for what, damage in DAMAGES.items():
            said = driven(f"{name} {what}", "check", damaged(hamlet, name, damage, tmp_path))
            assert "wrong" in said or "nothing is wrong" in said, (name, what, said)
    assert driven.count >= 60


def test_results(driven: Driven, day: Path, tmp_path: Path) -> None:
    for name in sorted(path.name for path in day.iterdir() if path.suffix in (".csv", ".json", ".jsonl")):
        for what, damage in DAMAGES.items():
            if what in ("semicolons", "one line", "unterminated quote", "another file") and name != "settlement.csv":
                continue
            folder = damaged(day, name, damage, tmp_path)
            if name in ("events.jsonl", "balances.json"):
                driven(f"{name} {what}", "reconcile", folder, "--recorded")
            elif name == "manifest.json":
                for command in ("index", "sealers"):
                    driven(f"{name} {what}", command, folder)
                driven(f"{name} {what}", "council", "show", folder)
            elif name == "run.json" or what not in ("other numbers", "gzipped", "NUL"):
                driven(f"{name} {what}", "report", folder)
    assert driven.count >= 120


def test_books_and_exports(driven: Driven, tmp_path: Path) -> None:
    for what, book in BOOKS.items():
        path = tmp_path / f"{what}.csv"
        path.write_text(book, encoding="utf-8")
        if what != "good":
            driven(what, "clear", path, "--out", tmp_path / "book")
    for what, damage in DAMAGES.items():
        path = tmp_path / "book.csv"
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
        path.write_text(BOOKS["good"], encoding="utf-8")
        damage(path)
        driven(what, "clear", path, "--out", tmp_path / "book")
        driven(what, "scenario", "new", tmp_path / f"new-{what}", "--meters", path, "--timezone", "Europe/Berlin")
        driven(what, "scenario", "new", tmp_path, "--meters", path, "--timezone", "Europe/Berlin")
    assert driven.count >= 40


@pytest.mark.parametrize("network", UNKNOWN[:5])
def test_networks_that_are_not_known_are_not_asked(driven: Driven, network: str) -> None:
    for command in CHAIN:
        words = [*command.split(), "folder", "--network", network]
        if command in ("compare", "deploy", "clear"):
            words += ["--out", "x"]
        assert "is not known here, so nothing was asked of it" in driven(network, *words)


def test_ctrl_c_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch, driven: Driven) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dem.commands.day.play", interrupted)
    assert "stopped: the same command with the same folder goes on where it was" in driven("Ctrl-C", "day", "folder")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "out/x.csv"),
            "out/x.csv: No space left on device: make room",
        ),
        (OSError(errno.EROFS, "Read-only file system", "out"), "out: Read-only file system: name a folder that can"),
        (sqlite3.OperationalError("unable to open database file"), "the database cannot be used: unable to open"),
        (OperationalError("SELECT 1", {}, Exception("no\nSELECT 1")), "the database cannot be used: no"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"), "a file is not UTF-8: save it as UTF-8"),
        (requests.ConnectionError("refused"), "no node answers: see whether it runs"),
    ],
)
def test_machines_that_fail(monkeypatch: pytest.MonkeyPatch, driven: Driven, error: Exception, said: str) -> None:
    def failing(*_: object) -> None:
        raise error

    monkeypatch.setattr("dem.commands.day.play", failing)
    assert said in driven("failing machine", "day", "folder")


def test_steps_are_lines_where_the_output_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    screen, when = Terminal(), datetime(2016, 5, 8, 12, 0, tzinfo=UTC)
    with screen.busy("deploying the contracts"), screen.days():
        screen.steps(3)
        for done, what in enumerate(["clear", "clear", "settle"]):
            screen.step(what, when, done)
    assert capsys.readouterr().out.splitlines() == [
        "deploying the contracts",
        "register",
        "2016-05-08 12:00 clear (0 of 3)",
        "2016-05-08 12:00 settle (2 of 3)",
    ]


def test_words_that_are_no_command(driven: Driven) -> None:
    for name in ABOUT:
        driven("help", name, "--help")
        driven("no such option", name, "--colour")
        driven("no arguments", name) if name not in ("demo", "access", "deploy", "health") else None
    assert driven.count >= 35


@pytest.mark.parametrize("out", ["/proc/nowhere", "/dev/full/x", "/sys/dem"])
def test_folders_that_cannot_be_written(scenario: Path, out: str) -> None:
    result = run("day", scenario, "--out", out, *EMBEDDED)
    assert result.code == 2
    assert out in result.err
    assert "Traceback" not in result.err + result.out


@pytest.mark.parametrize("command", ["day", "deploy", "clear", "index", "health", "reconcile", "sealers", "access"])
def test_a_node_that_is_away(scenario: Path, day: Path, tmp_path: Path, command: str) -> None:
    (tmp_path / "book.csv").write_text(BOOKS["good"], encoding="utf-8")
    subject = {"day": [scenario], "deploy": [scenario], "clear": [tmp_path / "book.csv"], "access": []}
    out = ["--out", tmp_path / "x"] if command in ("day", "deploy", "clear") else []
    result = run(command, *subject.get(command, [day]), *out, *DEAD)
    assert result.code in (1, 2)
    assert "no node answers" in result.err
    assert "Traceback" not in result.err + result.out


def test_a_folder_of_another_run_is_refused_before_a_transaction(day: Path, tmp_path: Path) -> None:
    other = Hamlet(consumers=2, plants=1).write(tmp_path / "other")
    toml = (other / "scenario.toml").read_text(encoding="utf-8")
    (other / "scenario.toml").write_text(toml.replace('name = "hamlet"', 'name = "other"'), encoding="utf-8")
    folder = tmp_path / "day"
    shutil.copytree(day, folder)
    before = _contents(folder)
    result = run("day", other, "--out", folder, *EMBEDDED)
    assert result.code == 2
    assert "holds another run (hamlet, 1 days from 2016-05-08)" in result.err
    assert _contents(folder) == before
    (folder / "scenario.json").unlink()  # of an older version
    assert "holds another run (hamlet" in run("day", other, "--out", folder, *EMBEDDED).err


def _contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
