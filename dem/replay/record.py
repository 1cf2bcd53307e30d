"""The chain's record of a market as a file: its events and final balances, for whoever checks it elsewhere."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dem import formats
from dem.chain.events import Event
from dem.errors import FormatError, InputError
from dem.model.ledger import Account
from dem.model.units import Money

EVENTS = "events.jsonl"
BALANCES = "balances.json"


@dataclass(frozen=True, slots=True)
class Balances:
    """What the chain says: every account by member's number, and the token supply, money units."""

    accounts: Mapping[int, Account]
    supply: int


def write_events(folder: Path, events: Iterable[Event], anew: bool) -> Iterator[Event]:
    """Append events to the record as they are taken from the iterator; `anew` begins it with them."""
    folder.mkdir(parents=True, exist_ok=True)
    if anew:
        (folder / BALANCES).unlink(missing_ok=True)
    with (folder / EVENTS).open("w" if anew else "a", encoding="utf-8") as stream:
        for event in events:
            stream.write(_line(event))
            yield event


def write_balances(
    folder: Path, periods_per_day: int, balances: Balances, addresses: Mapping[str, str] | None = None
) -> None:
    """The end of a record: what the chain says after all events; addresses: of the contracts, by name."""
    accounts = {
        id_: [account.free, account.locked, account.arrears, account.credit_limit]
        for id_, account in balances.accounts.items()
    }
    record = {
        formats.KEY: formats.RECORD,
        "periods_per_day": periods_per_day,
        "supply": balances.supply,
        "accounts": accounts,
        "addresses": dict(addresses or {}),
    }
    (folder / BALANCES).write_text(json.dumps(record) + "\n", encoding="utf-8")


def read_events(folder: Path) -> Iterator[Event]:
    """The recorded events in the chain's order, one after the other.

    Raises:
        InputError: the file is missing or is no such record; naming the line.
    """
    path = folder / EVENTS
    number = 0
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):  # noqa: B007
                yield Event(**json.loads(line, object_hook=_decode))
    except OSError as error:
        raise _unreadable(path, error) from None
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}, line {number}", type(error).__name__, f"is no event of a market: {error}") from None


def read_balances(folder: Path) -> tuple[int, Balances]:
    """Periods a day, and the balances after the last recorded event.

    Raises:
        InputError: the file is missing, for instance of a run that was cut off, or is no such record.
    """
    path = folder / BALANCES
    try:
        record = _read_record(path)
        accounts = {int(id_): Account(*map(Money, values)) for id_, values in record["accounts"].items()}
        return record["periods_per_day"], Balances(accounts, record["supply"])
    except OSError as error:
        raise _unreadable(path, error) from None
    except FormatError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(str(path), type(error).__name__, f"is no record of balances: {error}") from None


def read_addresses(folder: Path) -> dict[str, str]:
    """Of the recorded market's contracts, by name; events name a market by its address.

    Raises:
        InputError: the file is missing or is no such record.
    """
    path = folder / BALANCES
    try:
        return dict(_read_record(path)["addresses"])
    except OSError as error:
        raise _unreadable(path, error) from None
    except FormatError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(str(path), type(error).__name__, f"is no record of balances: {error}") from None


def _read_record(path: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    formats.require_format(path, record, formats.RECORD)
    return record


def _unreadable(path: Path, error: OSError) -> InputError:
    return InputError("record of a run", str(path), f"cannot be read ({error.strerror}); run the day first")


def _line(event: Event) -> str:
    record = {name: getattr(event, name) for name in Event.__slots__}
    return json.dumps(record, default=_encode) + "\n"


def _encode(value: Any) -> dict[str, str]:
    """Bytes, which JSON does not know."""
    return {"bytes": bytes(value).hex()}


def _decode(record: dict[str, Any]) -> Any:
    return bytes.fromhex(record["bytes"]) if record.keys() == {"bytes"} else record
