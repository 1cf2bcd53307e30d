"""Days of a scenario on contracts, for who compares: no pictures, nothing said."""

from pathlib import Path

from dem.community.scenario import Scenario
from dem.drive.pace import Pace
from dem.drive.run import run_loaded
from dem.errors import InputError


def play_on_contracts(scenario: Scenario, folder: Path) -> None:
    """Play a scenario on the connected chain, on a market of its own, into a folder of tables.

    Raises:
        InputError: an invariant does not hold.
        ChainError: the chain refuses.
    """
    _, _, checks = run_loaded(scenario, folder, None, Pace(), lambda _folder, _results, _summary: None)
    if broken := [check.name for check in checks if not check.ok]:
        raise InputError(scenario.config.name, None, f"on the contracts does not hold: {'; '.join(broken)}")
