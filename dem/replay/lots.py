"""The lots of days (rule 15.3) as an outsider follows them."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from eth_utils.crypto import keccak

from dem.model.markets.pairs import lot_of
from dem.replay.events import Args
from dem.replay.market import differences

_WORD = 32


@dataclass(slots=True)
class _DayLot:
    """Of one day: hashes by seat, and secrets that are open."""

    pledged: dict[str, bytes] = field(default_factory=dict)
    secrets: list[bytes] = field(default_factory=list)


class Lots:
    """Follows the events of the contract of that name."""

    def __init__(self) -> None:
        self._days: dict[int, _DayLot] = defaultdict(_DayLot)

    def pledge(self, args: Args) -> None:
        """A Pledged."""
        self._days[args["day"]].pledged[args["seat"]] = args["hash"]

    def open(self, args: Args) -> list[str]:
        """An Opened; returns where it is not what the seat was bound to."""
        day, seat, secret = args["day"], args["seat"], args["secret"]
        own = self._days[day]
        own.secrets.append(secret)
        what = f"pledge of {seat} for day {day}"
        return differences(what, own.pledged.get(seat), pledge_of(day, seat, secret))

    def take(self, day: int, secrets: Sequence[bytes]) -> None:
        """Take the open secrets of a day from who knows them without events."""
        self._days[day].secrets = list(secrets)

    def of(self, day: int) -> bytes:
        """The lot of a day, as far as its secrets are open."""
        return lot_of(day, self._days[day].secrets)

    def forget(self, day: int) -> None:
        """The day is final."""
        self._days.pop(day, None)


def pledge_of(day: int, seat: str, secret: bytes) -> bytes:
    """What binds a seat to a secret. seat: address of its holder."""
    words = day.to_bytes(_WORD), bytes.fromhex(seat.removeprefix("0x")).rjust(_WORD, bytes(1)), secret
    return keccak(b"".join(words))
