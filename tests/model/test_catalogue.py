"""Strategies of somebody's own: found, checked, and every mistake in one sentence."""

from pathlib import Path

import numpy as np
import pytest
from support import PROJECT
from support.commands.hamlet import Hamlet

from dem.community.catalogue import strategy_named
from dem.community.scenario import Scenario, load_scenario
from dem.errors import InputError
from dem.offchain.days import play
from dem.offchain.market import ModelMarket
from dem.offchain.trading import Trading

GUIDE = PROJECT / "docs" / "guide" / "strategies.md"
HEAD = "import numpy as np\nfrom dem.community.strategies import *\nfrom dem.model.orders import Side\n\n"


def hamlet(folder: Path, module: str, days: int = 1) -> Scenario:
    """A hamlet in which everybody is clever."""
    Hamlet(days=days).write(folder)
    path = folder / "scenario.toml"
    text = path.read_text().replace('default = "zero_intelligence"', 'default = "my_module:Clever"')
    path.write_text(text)
    (folder / "my_module.py").write_text(module)
    return load_scenario(folder)


def volumes(scenario: Scenario) -> list[int]:
    """Energy traded by day, Wh."""
    market = ModelMarket(scenario)
    return [int(market.settlement(day).delivery.bought.sum()) for day in play(Trading(market))]


def wanted(body: str) -> str:
    return f"{HEAD}class Clever(Strategy):\n    def wanted(self, situation):\n        {body}\n"


def test_the_example_of_the_guide_runs_and_learns(tmp_path: Path) -> None:
    example = GUIDE.read_text().split("```python\n")[1].split("```")[0]
    assert len(example.splitlines()) <= 31
    scenario = hamlet(tmp_path / "hamlet", example, days=6)
    assert (tmp_path / "hamlet" / "my_module.py").read_text() == example
    clever = volumes(scenario)
    assert volumes(scenario) == clever
    # What day 1 taught is known from day 4 on.
    assert clever[0] > 0
    market = ModelMarket(scenario)
    trading, ticks = Trading(market), {}
    for day in play(trading):
        ticks[day] = trading.crowd(day).order_columns(market.ids).tick.tolist()
    assert len({str(ticks[day]) for day in (3, 4, 5, 6)}) > 1


def ordering(orders: str) -> str:
    """A class with these orders; `whole` are bids and asks of the whole forecast."""
    lines = ["def columns(self, situation):", "    whole = in_band(situation, [0] * 24)", f"    return {orders}"]
    return "\n".join([wanted("pass"), *(f"    {line}" for line in lines)])


FORGETFUL = """
    def begin(self, name, seed, slots):
        return {}["x"]

    def learn(self, memory, ended):
        return memory
"""
WRONG = {
    "no number": (wanted("return ['much'] * len(situation.forecast)"), "wanted.*must be 24 whole numbers"),
    "floats": (wanted("return [0.5] * len(situation.forecast)"), "wanted.*must be 24 whole numbers"),
    "too few": (wanted("return [1]"), "must be 24 whole numbers, one for each slot"),
    "beyond the band": (wanted("return [1001] * len(situation.forecast)"), "must be 0 to 1000 in each slot"),
    "fails": (wanted("return 1 // 0"), "my_module:Clever of .*, day 1: failed in line 7 with ZeroDivisionError"),
    "no columns": (ordering("3"), "day 1: 'int' must be OrderColumns"),
    "columns of two lengths": (
        ordering("whole._replace(tick=np.full(99, 1))"),
        "whole numbers of one length",
    ),
    "a tick too high": (
        ordering("whole._replace(tick=whole.tick + 4096)"),
        "an order: [0-9]+ must be 0 to 4095",
    ),
    "of somebody else": (
        ordering("whole._replace(participant=whole.participant + 1)"),
        "participant of an order: [0-9]+ must be",
    ),
    "beyond the connection": (
        ordering("whole._replace(energy=whole.energy + 10**6)"),
        "energy of .*s in slot .* is beyond the connection: at most [0-9]+ Wh",
    ),
    "twice": (ordering("OrderColumns.together([whole, whole])"), "orders: must differ in slot or layer"),
    "forgetful": (wanted("return [0] * 24") + FORGETFUL, "before day 1: failed in line 10 with KeyError"),
}


@pytest.mark.parametrize(("module", "says"), WRONG.values(), ids=WRONG)
def test_what_the_market_would_not_take_is_one_sentence(module: str, says: str, tmp_path: Path) -> None:
    scenario = hamlet(tmp_path / "hamlet", module)
    with pytest.raises(InputError, match=says) as caught:
        volumes(scenario)
    assert "\n" not in str(caught.value)


def test_orders_may_be_unsorted(tmp_path: Path) -> None:
    backwards = ordering("OrderColumns(*(column[::-1] for column in whole))")
    assert volumes(hamlet(tmp_path / "a", backwards)) == volumes(hamlet(tmp_path / "b", wanted("return [0] * 24")))


MISSING = {
    "no module": ("nowhere:Clever", None, "is no strategy: neither .*nowhere.py nor a module of that name is there"),
    "no name": ("my_module:", "", "must be module:Class, such as my_module:Clever"),
    "a path": ("../my_module:Clever", "", "must be module:Class"),
    "no class": ("my_module:Clever", "", "my_module.py has no Clever"),
    "no strategy": ("my_module:Clever", "Clever = 3\n", "Clever must be a subclass of Strategy"),
    "not complete": ("my_module:Clever", f"{HEAD}class Clever(Strategy):\n    pass\n", "does not define wanted"),
    "no Python": ("my_module:Clever", "class (", "cannot be imported: SyntaxError"),
    "lacks a package": (
        "my_module:Clever",
        "import nothing_like_it\n",
        "needs a module that is not installed",
    ),
    "no shipped one": ("clever", "", "is no strategy; known are none, truthful"),
}


@pytest.mark.parametrize(("name", "module", "says"), MISSING.values(), ids=MISSING)
def test_what_is_no_strategy_is_one_sentence(name: str, module: str | None, says: str, tmp_path: Path) -> None:
    if module is not None:
        (tmp_path / "my_module.py").write_text(module)
    with pytest.raises(InputError, match=says) as caught:
        strategy_named(name, {}, "scenario.toml, strategies", (tmp_path,))
    assert str(caught.value).startswith("scenario.toml, strategies: ")
    assert "\n" not in str(caught.value)


def test_parameters_are_checked(tmp_path: Path) -> None:
    (tmp_path / "my_module.py").write_text(f"{HEAD}class Clever(Ramp):\n    step: int\n")
    with pytest.raises(InputError, match=r"strategy\.parameters\.my_module:Clever, step"):
        strategy_named("my_module:Clever", {"step": "much"}, folders=(tmp_path,))


def test_a_scenario_says_what_is_wrong_with_its_strategy(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"column strategy: 'my_module:Clever' is no strategy: .* has no Clever"):
        hamlet(tmp_path / "hamlet", "")


def test_all_days_of_a_strategy_are_whole_numbers(tmp_path: Path) -> None:
    scenario = hamlet(tmp_path / "hamlet", wanted("return np.arange(24) * 41"))
    market = ModelMarket(scenario)
    for day in play(trading := Trading(market)):
        orders = trading.crowd(day).order_columns(market.ids)
        assert all(column.dtype == np.int64 for column in orders)
