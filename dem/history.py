"""The chain's record of a market as a file: its events and final balances, for whoever checks it elsewhere."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dem.errors import InputError
from dem.ledger import Account
from dem.units import Money

FILE = "events.jsonl"


@dataclass(frozen=True, slots=True)
class Event:
    """One event of one of the market's contracts, with its arguments by name."""

    contract: str
    name: str
    args: Mapping[str, Any]
    block: int
    transaction: str
    log_index: int


@dataclass(frozen=True, slots=True)
class Balances:
    """What the chain says: every account by member's number, and the token supply, money units."""

    accounts: Mapping[int, Account]
    supply: int


@dataclass(frozen=True, slots=True)
class History:
    """Everything an outsider needs to recompute a market and compare."""

    periods_per_day: int
    events: tuple[Event, ...]
    balances: Balances


def write_history(folder: Path, history: History) -> None:
    """One JSON object a line: first the balances, then the events in the chain's order."""
    folder.mkdir(parents=True, exist_ok=True)
    accounts = {
        id_: [account.free, account.locked, account.arrears, account.credit_limit]
        for id_, account in history.balances.accounts.items()
    }
    head = {"periods_per_day": history.periods_per_day, "supply": history.balances.supply, "accounts": accounts}
    with (folder / FILE).open("w", encoding="utf-8") as stream:
        stream.write(json.dumps(head) + "\n")
        stream.writelines(_line(event) for event in history.events)


def read_history(folder: Path) -> History:
    """Read what write_history wrote.

    Raises:
        InputError: the file is missing or is no such record; naming the line.
    """
    path = folder / FILE
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise InputError(
            "record of a run", str(path), f"cannot be read ({error.strerror}); run the day first"
        ) from None
    number = 1
    try:
        head = json.loads(lines[0])
        accounts = {int(id_): Account(*map(Money, values)) for id_, values in head["accounts"].items()}
        events = []
        for line in lines[1:]:
            number += 1
            events.append(Event(**json.loads(line, object_hook=_decode)))
        return History(head["periods_per_day"], tuple(events), Balances(accounts, head["supply"]))
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}, line {number}", type(error).__name__, f"is no record of a market: {error}") from None


def _line(event: Event) -> str:
    record = {name: getattr(event, name) for name in Event.__slots__}
    return json.dumps(record, default=_encode) + "\n"


def _encode(value: Any) -> dict[str, str]:
    """Bytes, which JSON does not know."""
    return {"bytes": bytes(value).hex()}


def _decode(record: dict[str, Any]) -> Any:
    return bytes.fromhex(record["bytes"]) if record.keys() == {"bytes"} else record


def in_order(events: Iterable[Event]) -> list[Event]:
    """Events in the order in which the chain emitted them."""
    return sorted(events, key=lambda event: (event.block, event.log_index))
