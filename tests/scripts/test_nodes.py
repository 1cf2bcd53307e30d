"""`day`, `index`, `reconcile`, `health` on nodes that limit, prune or delay what they tell, or whose clock is wrong."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from support.commands.database import dump, rows
from support.commands.hamlet import Hamlet
from support.commands.here import command
from support.commands.limits import Limits
from support.commands.node import Wire, restartable, wire_to
from support.commands.shell import no_picture

CHAIN_ID = 20482
"""Of the network that ape-config.yaml describes, whose blocks come by the clock."""


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Wire, str, Path]]:
    """A day played through a wire to a node, and the folder of the run."""
    folder = tmp_path_factory.mktemp("played")
    scenario = Hamlet(consumers=3, plants=2).write(folder / "hamlet")
    with restartable("--chain-id", str(CHAIN_ID)) as node, wire_to(node.url) as (wire, url):
        wire.disturb = Limits(results=150, rate=9)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("dem.report.charts.render", no_picture)
            day = command("day", scenario, "--out", folder, "--network", f"ethereum:local:{url}")
        assert day.exit_code == 0, day.output
        wire.disturb = None
        yield wire, url, folder


@pytest.fixture(scope="module")
def indexed(played, tmp_path_factory) -> Path:
    """What an index of a good node has."""
    _, url, folder = played
    path = tmp_path_factory.mktemp("index") / "index.sqlite"
    assert index(url, folder, path).exit_code == 0
    return path


def index(url: str, folder: Path, path: Path) -> Result:
    return command("index", folder, "--out", path, "--depth", 2, "--network", f"ethereum:local:{url}")


@pytest.mark.parametrize(
    "limits",
    [
        Limits(blocks=5),
        Limits(blocks=20, state=413),
        Limits(results=5),
        Limits(results=2, state=413),
        Limits(blocks=30, state=429),
        Limits(rate=2, seconds=0.02),
    ],
    ids=["5 blocks", "20 blocks, 413", "5 results", "2 results, 413", "30 blocks, 429", "slow, every second 429"],
)
def test_limits_of_a_node_change_nothing(played, indexed, tmp_path, limits):
    wire, url, folder = played
    wire.disturb = limits
    done = index(url, folder, tmp_path / "index.sqlite")
    assert done.exit_code == 0, done.output
    assert limits.refused
    assert dump(tmp_path / "index.sqlite") == dump(indexed)
    reconciled = command("reconcile", folder, "--network", f"ethereum:local:{url}")
    assert reconciled.exit_code == 0, reconciled.output


def test_a_pruned_node_is_named(played, indexed, tmp_path):
    wire, url, folder = played
    [(last,)] = rows(indexed, "SELECT max(number) FROM block")
    wire.disturb = Limits(pruned=last // 2)
    network = ("--network", f"ethereum:local:{url}")
    for words in (
        ("day", folder / "hamlet", "--out", folder, *network),
        ("reconcile", folder, *network),
        ("index", folder, "--out", tmp_path / "index.sqlite", *network),
        ("health", folder, "--node", url, *network),
    ):
        done = command(*words)
        assert done.exit_code == (1 if words[0] == "health" else 2), done.output
        assert "has pruned events: it has none from block" in " ".join(done.output.split())


def test_a_clock_that_is_ahead_is_named(played, tmp_path, caplog, monkeypatch):
    """The chain of a finished day is days ahead of this machine."""
    wire, url, folder = played
    wire.disturb = None
    monkeypatch.setenv("DEM_NODES", url)
    network = ("--network", "ethereum:devnet:node")
    done = command("index", folder, "--out", tmp_path / "index.sqlite", *network)
    assert done.exit_code == 0, done.output
    assert "ahead of this machine's clock" in caplog.text
    done = command("health", folder, "--node", url, *network)
    assert "ahead of this machine's clock" in " ".join(done.output.split())
