"""A run of a scenario by the reference model alone, from its tables to pictures."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dem.community.scenario import Scenario, load_scenario
from dem.drive.screen import NOBODY, Screen
from dem.offchain.run import write_days
from dem.replay.reconcile import Check

if TYPE_CHECKING:
    from dem.results.reader import Results
    from dem.results.summary import Summary

Draw = Callable[[Path, "Results", "Summary"], object]
"""Draws the pictures of a run into its folder."""
NO_CHAIN = "without a chain, by the reference model alone"


def run_without_chain(
    scenario_folder: Path, out: Path | None, draw: Draw, screen: Screen = NOBODY
) -> tuple[Path, "Summary", Sequence[Check]]:
    """As `run_scenario`, by the reference model alone.

    Raises:
        InputError: the scenario is faulty, or the folder holds a run on a chain.
    """
    scenario = load_scenario(scenario_folder)
    folder = out or Path("out") / f"{scenario.config.name}-without-chain"
    screen.title(scenario.config.title, NO_CHAIN)
    summary, checks = write_without_chain(scenario, folder, draw, screen)
    return folder, summary, checks


def write_without_chain(
    scenario: Scenario, folder: Path, draw: Draw, screen: Screen
) -> tuple["Summary", Sequence[Check]]:
    """Play a scenario into a folder, and draw it.

    Raises:
        InputError: the folder holds a run on a chain.
    """
    with screen.busy("playing the days"):
        checks = write_days(scenario, folder)
    with screen.busy("drawing pictures"):
        # Reading tables takes libraries that take a second to load: whatever is wrong with a scenario is said before.
        from dem.results.reader import read_results
        from dem.results.summary import summarise

        results = read_results(folder)
        summary = summarise(results)
        draw(folder, results, summary)
    return summary, checks
