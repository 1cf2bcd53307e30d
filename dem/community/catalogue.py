"""All strategies by the name a scenario calls them, and those that somebody brings: `my_module:Clever`.

What is brought is not trusted: whatever goes wrong in it, and every order that the market would not take, is said in
one sentence that names the class, the member and the day. It runs as part of this program, so read a scenario's module
as you would read any program before you start it.
"""

import importlib
import importlib.util
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from traceback import extract_tb
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
from pydantic import ValidationError

from dem.community.adaptive import AdaptiveAggressive, ErevRoth, Zip
from dem.community.strategies import (
    Ended,
    Inattentive,
    NoOrders,
    OrderColumns,
    Quantile,
    Ramp,
    Situation,
    Strategy,
    Truthful,
    UnconstrainedZeroIntelligence,
    ZeroIntelligence,
)
from dem.errors import InputError
from dem.formats import first_mistake
from dem.model.orders import MAX_ENERGY, Side
from dem.model.units import MAX_TICK

STRATEGIES: Mapping[str, type[Strategy]] = {
    strategy.name: strategy
    for strategy in (
        NoOrders,
        Truthful,
        Quantile,
        ZeroIntelligence,
        UnconstrainedZeroIntelligence,
        Ramp,
        Inattentive,
        Zip,
        AdaptiveAggressive,
        ErevRoth,
    )
}
"""Those that are shipped."""


def strategy_named(
    name: str, parameters: Mapping[str, Any], where: str = "strategy", folders: Sequence[Path] = ()
) -> Strategy:
    """The strategy of that name with these parameters.

    folders: where a module of somebody's own may lie, before those that are installed.

    Raises:
        InputError: there is none, or a parameter is wrong.
    """
    try:
        strategy = strategy_kind(name, where, folders).model_validate(dict(parameters))
    except ValidationError as error:
        raise first_mistake(f"{where}.parameters.{name}", error) from error
    return strategy if name in STRATEGIES else Brought(strategy=strategy, called=name)


def strategy_kind(name: str, where: str, folders: Sequence[Path] = ()) -> type[Strategy]:
    """The class of the strategy of that name.

    Raises:
        InputError: there is none.
    """
    if ":" in name:
        return _own(name, where, tuple(folders))
    if name not in STRATEGIES:
        known = ", ".join(STRATEGIES)
        raise InputError(where, name, f"is no strategy; known are {known}, and module:Class for one of your own")
    return STRATEGIES[name]


class Brought(Strategy):
    """A strategy from a module of somebody's own, held to what the market takes."""

    name: ClassVar[str] = "brought"

    strategy: Strategy
    called: str

    def wanted(self, situation: Situation) -> Any:
        """As it says."""
        return self.strategy.wanted(situation)

    def columns(self, situation: Situation) -> OrderColumns:
        """Its orders, which are checked."""
        where = f"strategy {self.called} of {situation.name}, day {situation.day}"
        try:
            columns = self.strategy.columns(situation)
        except Exception as error:
            raise self._failed(where, error) from error
        return _checked(where, situation, columns)

    def begin(self, name: str, seed: int, slots: int) -> Any:
        """As it says."""
        try:
            return self.strategy.begin(name, seed, slots)
        except Exception as error:
            raise self._failed(f"strategy {self.called} of {name}, before day 1", error) from error

    def learn(self, memory: Any, ended: Ended) -> Any:
        """As it says."""
        try:
            return self.strategy.learn(memory, ended)
        except Exception as error:
            raise self._failed(f"strategy {self.called} of {ended.name}, after day {ended.day}", error) from error

    @property
    def learns(self) -> bool:
        """Whether the one that is brought does."""
        return self.strategy.learns

    def _failed(self, where: str, error: Exception) -> InputError:
        """What is wrong in one sentence, with the line of the module in which it came up."""
        if isinstance(error, InputError):
            return InputError(f"{where}, {error.where}", error.value, error.why)
        source = sys.modules[type(self.strategy).__module__].__file__
        lines = [frame.lineno for frame in extract_tb(error.__traceback__) if frame.filename == source]
        at = f" in line {lines[-1]}" if lines else ""
        return InputError(where, None, f"failed{at} with {type(error).__name__}: {error}")


@lru_cache(maxsize=256)
def _own(name: str, where: str, folders: tuple[Path, ...]) -> type[Strategy]:
    module_name, _, class_name = name.partition(":")
    if not all(part.isidentifier() for part in (*module_name.split("."), class_name)):
        raise InputError(where, name, "must be module:Class, such as my_module:Clever")
    files = [folder.resolve() / f"{module_name.replace('.', '/')}.py" for folder in folders]
    file = next((file for file in files if file.is_file()), None)
    try:
        module = importlib.import_module(module_name) if file is None else _module_in(file)
    except ModuleNotFoundError as error:
        if file is not None or error.name != module_name.partition(".")[0]:
            raise InputError(where, name, f"needs a module that is not installed: {error.name}") from error
        looked = " nor ".join(str(one) for one in files) or "no file"
        raise InputError(where, name, f"is no strategy: neither {looked} nor a module of that name is there") from error
    except Exception as error:
        raise InputError(where, name, f"cannot be imported: {type(error).__name__}: {error}") from error
    found = getattr(module, class_name, None)
    if found is None:
        raise InputError(where, name, f"is no strategy: {module.__file__} has no {class_name}")
    if not (isinstance(found, type) and issubclass(found, Strategy)):
        raise InputError(where, name, f"is no strategy: {class_name} must be a subclass of {Strategy.__qualname__}")
    if found.__abstractmethods__:
        raise InputError(where, name, f"is not complete: {class_name} does not define wanted")
    return found


def _module_in(file: Path) -> ModuleType:
    """A file as a module, under a name that no other file has."""
    name = f"_brought_{sha256(str(file).encode()).hexdigest()[:12]}_{file.stem}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _checked(where: str, situation: Situation, columns: Any) -> OrderColumns:
    """Orders as integers, sorted by slot and layer.

    Raises:
        InputError: the auction would not take one of them.
    """
    if not isinstance(columns, OrderColumns):
        raise InputError(where, type(columns).__name__, "must be OrderColumns")
    arrays = [np.asarray(column) for column in columns]
    length = len(arrays[0]) if arrays[0].ndim == 1 else -1
    for name, column in zip(OrderColumns._fields, arrays, strict=True):
        if column.shape != (length,) or (length and column.dtype.kind not in "iu"):
            raise InputError(f"{where}, orders", None, f"must be columns of whole numbers of one length: {name} is not")
    orders, rules = OrderColumns(*(column.astype(np.int64) for column in arrays)), situation.rules
    bounds = {
        "participant": (situation.participant, situation.participant),
        "layer": (0, rules.max_layers - 1),
        "slot": (0, len(situation.forecast) - 1),
        "side": (int(Side.BID), int(Side.ASK)),
        "tick": (0, MAX_TICK),
        "energy": (rules.min_order_energy, MAX_ENERGY),
    }
    for name, (least, most) in bounds.items():
        column = getattr(orders, name)
        wrong = column[(column < least) | (column > most)]
        if len(wrong):
            raise InputError(f"{where}, {name} of an order", int(wrong[0]), f"must be {least} to {most}")
    places = orders.layer * len(situation.forecast) + orders.slot
    if len(np.unique(places)) < length:
        raise InputError(f"{where}, orders", None, "must differ in slot or layer")
    for side, capacity in ((Side.BID, situation.import_capacity), (Side.ASK, situation.export_capacity)):
        of_side = orders.side == side
        sums = np.bincount(orders.slot[of_side], weights=orders.energy[of_side], minlength=1)
        if sums.max() > capacity:
            what = f"{where}, energy of {side.name.lower()}s in slot {int(sums.argmax())}"
            raise InputError(what, int(sums.max()), f"is beyond the connection: at most {capacity} Wh")
    in_order = np.lexsort((orders.layer, orders.slot))
    return OrderColumns(*(column[in_order] for column in orders))
