"""Fixtures whose blocks are made once: a later test that begins where the first one did goes on from their end."""

import functools
from collections.abc import Callable
from typing import Any

import ape
import pytest

_Reached = tuple[Any, Any]
_REACHED: dict[tuple[str, str], _Reached] = {}
"""Snapshot at the end of a fixture, and what it gave, by its name and the hash of the block it began with."""


def once(fixture: Callable[..., Any]) -> Any:
    """A fixture that does nothing but bring transactions, and gives what does not change.

    The chain in the process keeps every block, so it can go on from one that was reverted.
    """
    name = f"{fixture.__module__}.{fixture.__qualname__}"

    @functools.wraps(fixture)
    def reach(**arguments: Any) -> Any:
        provider = ape.networks.active_provider
        if provider.name != "test":
            return fixture(**arguments)
        begin = name, provider.get_block("latest").hash.hex()
        if begin in _REACHED:
            snapshot, given = _REACHED[begin]
            provider.restore(snapshot)
            return given
        given = fixture(**arguments)
        _REACHED[begin] = provider.snapshot(), given
        return given

    return pytest.fixture(reach)
