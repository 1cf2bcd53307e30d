"""The days of a scenario under every set-up of the market that it describes."""

from collections.abc import Callable
from pathlib import Path

from dem.community.scenario import Scenario, load_scenario
from dem.drive.screen import NOBODY, Screen
from dem.drive.without_chain import NO_CHAIN, Draw, write_without_chain
from dem.model.mechanisms import SETUPS
from dem.results.columns import RUN
from dem.results.compare import NOBODY_LIMITED, NOBODY_TRADES
from dem.results.reader import Results, read_results


def run_set_ups(
    scenario_folder: Path,
    out: Path,
    draw: Draw,
    on_chain: Callable[[Scenario, Path], object] | None,
    screen: Screen = NOBODY,
) -> tuple[dict[str, Results], bool]:
    """Run a scenario under every set-up that it describes, each on a market of its own; what is finished is read only.

    And, without a chain, as if nobody traded under the scenario's own rules: what a market has to beat. With a
    dispatcher also as if nobody were limited.
    on_chain: plays a set-up on a chain, into a folder; None: the reference model plays all of them.

    Returns the results by set-up, the plainest first, and whether all invariants hold.

    Raises:
        InputError: the scenario is faulty.
        ChainError: the chain refuses.
    """
    scenario = load_scenario(scenario_folder)
    known = set(scenario.config.possible.names)
    plays = {
        name: (scenario.with_markets(markets), on_chain)
        for name, markets in SETUPS.items()
        if known.issuperset(markets.names)
    }
    plainest, *others = plays
    plays[NOBODY_TRADES] = scenario.without_trade(), None
    beside = [NOBODY_TRADES]
    if scenario.dispatch is not None:
        plays[NOBODY_LIMITED] = scenario.without_limits(), on_chain
        beside.append(NOBODY_LIMITED)
    runs: dict[str, Results] = {}
    for name in (plainest, *beside, *others):
        played, play = plays[name]
        folder = out / name.replace(" + ", "-").replace(" ", "-")
        screen.note(f"\n{name}" if play else f"\n{name}, {NO_CHAIN}")
        if not (folder / RUN).exists():
            if play:
                play(played, folder)
            else:
                write_without_chain(played, folder, draw, screen)
        runs[name] = read_results(folder)
    return runs, all(invariant.ok for results in runs.values() for invariant in results.run.invariants)
