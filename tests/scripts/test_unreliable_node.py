"""A node that refuses, delays, answers rubbish or is restarted in the middle changes nothing about how a run ends."""

import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from threading import Thread

import pytest
from _pytest.mark import ParameterSet
from support.commands.hamlet import Hamlet
from support.commands.node import Cut, Node, Reply, Wire, anvil, restartable, wire_to
from support.commands.shell import run, without_pictures

SEED = 3
TROUBLED = 0.2
"""Share of the requests that something happens to."""
MINING_SECONDS = 0.3
AWAY_SECONDS = 1.5
SAVING = ("--state-interval", "1")
"""A node that is killed has been told to save what it knows every second."""
SAVING_SECONDS = 2.5
RESTARTS = (
    Cut("ParticipantRegistry.applyFor", 0, heard=True),
    Cut("ParticipantRegistry.admit", 0, heard=False),
    Cut("CallAuction.submit", 0, heard=True),
    Cut("CallAuction.clear", 0, heard=False),
    Cut("MeterReadings.submit", 0, heard=True),
    Cut("Settlement.settle", 0, heard=True),
)
"""When the node goes away: having taken the transaction, or not."""
TOO_EARLY = ("SheetRejected", "ReadingsRejected")
"""Messages that came before their time by a clock that had gone back, and came again."""


@pytest.fixture(scope="module")
def village(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Hamlet().write(tmp_path_factory.mktemp("scenarios") / "hamlet")


@pytest.fixture(scope="module")
def undisturbed(village: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a run on a good node leaves."""
    out = tmp_path_factory.mktemp("undisturbed")
    with anvil() as url:
        result = run("day", village, "--out", out, "--network", f"ethereum:local:{url}", prepare=without_pictures)
    assert result.code == 0, str(result)
    return out


def assert_same(out: Path, undisturbed: Path) -> None:
    """The same tables, and the same events: no sheet lost, none taken twice, nothing booked twice."""
    tables, expected = ({path.name: path.read_bytes() for path in f.glob("*.csv")} for f in (out, undisturbed))
    assert tables == expected
    assert events(out) == events(undisturbed)


def events(out: Path) -> Counter[str]:
    """Events by content, the contracts by name: one that was lost and deployed again has another address.

    Times count from the market's opening. That is when a period begins by the clock, so of two runs the later one may
    open a period later.
    """
    text = (out / "events.jsonl").read_text(encoding="utf-8")
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    for name, entry in manifest["contracts"].items():
        text = text.replace(entry["address"], name)
    records = [json.loads(line) for line in text.splitlines()]
    for record in records:
        if record["name"] == "MarketAdmitted":
            record["args"]["from"] -= manifest["calendar"]["opening"]
    return Counter(
        json.dumps([record["contract"], record["name"], record["args"]], sort_keys=True)
        for record in records
        if record["contract"] != "Authority" and record["name"] not in TOO_EARLY
    )


class Troubles:
    """Something happens to some of the requests, once the driver has said its first."""

    def __init__(self) -> None:
        self.random = Random(SEED)
        self.met: Counter[str] = Counter()
        self.has_begun = False

    def __call__(self, body: bytes, pass_on: Callable[[bytes], bytes | None]) -> Reply:
        self.has_begun |= body.startswith(b"[")  # what comes before is ape's, not the driver's
        trouble = "none"
        if self.has_begun and self.random.random() < TROUBLED:
            trouble = self.random.choice(("refused", "unheard", "late", "bad gateway", "busy", "rubbish", "half"))
        self.met[trouble] += 1
        if trouble == "refused":
            return None
        if trouble == "busy":
            return 503, b"try again later"
        answer = pass_on(body)
        assert answer is not None
        if trouble == "late":
            time.sleep(0.3)
        replies: dict[str, Reply] = {
            "unheard": None,
            "bad gateway": (502, b"<html>bad gateway</html>"),
            "rubbish": (200, b"<html>welcome</html>"),
            "half": (200, answer[: len(answer) // 2]),
        }
        return replies.get(trouble, (200, answer))


def test_a_node_that_answers_badly(village, undisturbed, tmp_path):
    troubles = Troubles()
    with anvil() as node, wire_to(node) as (wire, url):
        wire.disturb = troubles
        network = "--network", f"ethereum:local:{url}"
        result = run("day", village, "--out", tmp_path, *network, prepare=without_pictures)
    assert result.code == 0, str(result)
    assert "waiting for it" in result.err
    assert len(troubles.met) == 8, troubles.met
    assert_same(tmp_path, undisturbed)


def restart_at(cuts: Sequence[Cut], wire: Wire, node: Node, stop: Callable[[Node], None]) -> None:
    """Stop the node at each of these points and start it again a little later."""

    def come_back() -> None:
        time.sleep(AWAY_SECONDS)
        node.start()
        restart_at(cuts[1:], wire, node, stop)

    def go_away() -> None:
        # anvil that is ended while it mines may keep what a block did, and not the block.
        time.sleep(MINING_SECONDS)
        stop(node)
        Thread(target=come_back).start()

    if cuts:
        wire.arm(cuts[0], go_away)


def alone(name: str, *values: object) -> ParameterSet:
    """A case on a worker of its own: it waits for a node most of its time."""
    return pytest.param(*values, id=name, marks=pytest.mark.xdist_group(name))


@pytest.mark.parametrize(
    ("stop", "cuts", "flags"),
    [
        alone("killed while it seals by the clock", Node.kill, RESTARTS[::2], (*SAVING, "--block-time", "1")),
        alone("killed", Node.kill, RESTARTS, SAVING),
        alone("ended", Node.end, RESTARTS, ()),
    ],
)
def test_a_node_that_is_restarted(village, undisturbed, tmp_path, stop, cuts, flags):
    with restartable(*flags, state=tmp_path / "state.json") as node, wire_to(node.url) as (wire, url):
        network = "--network", f"ethereum:local:{url}"
        # A node that forgets the end of a deployment is none to deploy on: it is on its disk before anything happens.
        assert run("deploy", village, "--out", tmp_path / "out", *network).code == 0
        time.sleep(SAVING_SECONDS)
        restart_at(cuts, wire, node, stop)
        result = run("day", village, "--out", tmp_path / "out", *network, prepare=without_pictures)
        assert result.code == 0, str(result)
        assert wire.cut is None
    assert_same(tmp_path / "out", undisturbed)
