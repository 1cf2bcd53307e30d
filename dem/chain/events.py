"""An event of a contract, by name."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Event:
    """One event of one of the market's contracts, with its arguments by name."""

    contract: str
    name: str
    args: Mapping[str, Any]
    block: int
    transaction: str
    log_index: int


def in_order(events: Iterable[Event]) -> list[Event]:
    """Events in the order in which the chain emitted them."""
    return sorted(events, key=lambda event: (event.block, event.log_index))
