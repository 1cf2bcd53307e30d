"""Every event of the contracts is followed or passed over on purpose, and a further market takes a few lines."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support import PROJECT

from dem.chain.artifacts import current
from dem.chain.events import Event
from dem.model.mechanisms import MECHANISMS
from dem.replay.events import IGNORED, OFFICE
from dem.replay.markets import MARKETS, Markets
from dem.replay.replay import HANDLERS, Replay

PERIODS = 12


def event(contract: str, name: str, **args: Any) -> Event:
    return Event(contract, name, args, 1, "0x00", 0)


def declared() -> dict[str, set[str]]:
    """The events of every compiled contract that can be deployed, by its name."""
    return {
        artifact.name: {entry["name"] for entry in artifact.abi if entry["type"] == "event"}
        for artifact in current().values()
        if artifact.bytecode
    }


def followed(contract: str) -> tuple[set[str], set[str]]:
    """Events of a contract that the replay takes, and those that it passes over."""
    handled = {name for own, name in HANDLERS if own == contract}
    return handled, set(IGNORED.get(contract, frozenset()) | OFFICE)


@pytest.mark.parametrize("contract", sorted(set(declared()) - {market.contract for market in MECHANISMS.values()}))
def test_every_event_is_followed_or_passed_over(contract: str) -> None:
    handled, ignored = followed(contract)
    assert handled | (ignored - OFFICE) <= declared()[contract]
    assert declared()[contract] <= handled | ignored
    assert not handled & ignored


@pytest.mark.parametrize("key", MECHANISMS)
def test_every_event_of_a_market_is_followed_or_passed_over(key: str) -> None:
    contract = MECHANISMS[key].contract
    market = Markets(PERIODS, Replay(PERIODS).rules, lambda _day: {}).of(contract)
    assert declared()[contract.removesuffix(":")] <= market.EVENTS | market.IGNORED
    assert not market.EVENTS & market.IGNORED


def test_an_event_that_no_rule_explains_is_a_difference() -> None:
    replay = Replay(PERIODS)
    replay.apply([event("Settlement", "Forgiven", id=1)])
    assert replay.differences == ["Settlement Forgiven: an event that no rule explains"]


def test_every_mechanism_is_followed() -> None:
    assert set(MARKETS) == set(MECHANISMS)


# A further market


FILES = {
    "model": "dem/model/markets/sharing.py",
    "replay": "dem/replay/sharing.py",
    "relay": "dem/relay/sharing.py",
}
"""Its own files, kept in tests/support/sharing."""
LINES = [
    (
        "dem/model/mechanisms.py",
        '    """Auctions of intermediaries among their clients."""',
        [
            '    sharing: Annotated[bool, Mechanism("FixedPriceSharing", "sharing")] = False',
            '    """At a price that never moves."""',
        ],
    ),
    (
        "dem/replay/markets.py",
        "from dem.replay.pools import PoolReplay",
        ["from dem.replay.sharing import SharingReplay"],
    ),
    (
        "dem/replay/markets.py",
        '    "pools": lambda markets: PoolReplay(markets.periods_per_day, markets.rules),',
        ['    "sharing": lambda _markets: SharingReplay(),'],
    ),
    (
        "dem/deployment/plan.py",
        '    Step("Accounts", lambda p, at: (at["Authority"], p.calendar.as_tuple(), at["ParticipantRegistry"])),',
        ['    Step("FixedPriceSharing", lambda _, at: (at["Authority"], at["Accounts"])),'],
    ),
    (
        "dem/deployment/roles.py",
        '    "BalancingFund": ("pay",),',
        ['    "FixedPriceSharing": ("share",),'],
    ),
    (
        "dem/drive/timeline.py",
        "from dem.drive.day import TradingDays",
        ["from dem.relay import sharing"],
    ),
    (
        "dem/drive/timeline.py",
        '        (True, "clear", gate, operator.clear),',
        ['        (markets.sharing, "share", gate, partial(sharing.share, days.relay)),'],
    ),
]
"""What it takes elsewhere: file, the line above, and the lines."""


@pytest.fixture
def extended(tmp_path: Path) -> Path:
    """A copy of the package with the market in it."""
    shutil.copytree(PROJECT / "dem", tmp_path / "dem", ignore=shutil.ignore_patterns("__pycache__"))
    for name, file in FILES.items():
        shutil.copy(PROJECT / "tests" / "support" / "sharing" / f"{name}.py", tmp_path / file)
    for file, above, lines in LINES:
        whole = (tmp_path / file).read_text(encoding="utf-8").splitlines()
        assert whole.count(above) == 1, (file, above)
        at = whole.index(above) + 1
        text = "\n".join([*whole[:at], *lines, *whole[at:]]) + "\n"
        (tmp_path / file).write_text(text, encoding="utf-8")
    return tmp_path


def test_a_further_market_is_three_files_and_at_most_ten_lines(extended: Path) -> None:
    """It is deployed, driven, followed and written down."""
    assert len(FILES) == 3
    assert sum(len(lines) for _, _, lines in LINES) <= 10
    environment = {**os.environ, "PYTHONPATH": f"{extended}{os.pathsep}{PROJECT / 'tests'}"}
    words = [sys.executable, "-m", "support.sharing.played", str(extended / "out")]
    done = subprocess.run(words, cwd=extended, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_recipe_names_every_file_of_a_further_market() -> None:
    recipe = (PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("## A further market")[2]
    for file in FILES.values():
        assert f"`{file.replace('sharing', 'x')}`" in recipe
    for file, _, _ in LINES:
        assert f"`{file}`" in recipe
