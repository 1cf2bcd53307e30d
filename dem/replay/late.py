"""What final days are committed to, and late reconciliations of them, as their events tell."""

import zlib
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from dem.errors import InputError
from dem.messages.readings import LateReading
from dem.model.commitments import CommittedDay, day_prices, strips_of, words_hash
from dem.model.ledger import FALLBACK_SUPPLIER, GRID_OPERATOR, Posting
from dem.model.markets.auction import Column
from dem.model.positions import Grid
from dem.model.readings import net_of_lanes
from dem.model.reconciliation import MAX_AGE, difference
from dem.model.strips import unpack_all
from dem.model.units import Money
from dem.replay.days import Days
from dem.replay.events import Args
from dem.replay.market import differences
from dem.replay.payments import Payments
from dem.replay.postings import Postings
from dem.replay.readings import MISSING
from dem.replay.rules import Rules
from dem.replay.settling import Settling


class LateRecord(NamedTuple):
    """What proves a member's day, in the order of the Solidity struct."""

    contracted: Sequence[int]
    metered: Sequence[int]
    settled: bytes
    prices: Sequence[int]
    proof: Sequence[bytes]


class _Kept(NamedTuple):
    """A day that is final: the energies are packed, as a day may be asked for in 28 months."""

    day: CommittedDay
    shape: tuple[int, int]
    contracted: bytes
    metered: bytes


_UNPACKED = np.zeros((0, 0), np.int64)


class LateReconciliations:
    """Compares commitments and late reconciliations with the model's. found: where differences are noted."""

    def __init__(
        self, days: Days, rules: Rules, settling: Settling, postings: Postings, payments: Payments, found: list[str]
    ) -> None:
        self._days = days
        self._rules = rules
        self._settling = settling
        self._postings = postings
        self._payments = payments
        self._found = found
        self._open: dict[int, CommittedDay] = {}
        """As the last walk left them, of days that are not final."""
        self._final: dict[int, _Kept] = {}
        self._latest: dict[tuple[int, int], tuple[int, Column]] = {}
        """Runs of a member and day, and what counts as metered."""

    def commit(self, args: Args) -> None:
        """A DayCommitted."""
        number = args["day"]
        settlement, rules = self._settling.settlement(number), self._rules.on(number)
        boundary = self._days.known(number).readings.get(GRID_OPERATOR)
        slots = len(settlement.area.imbalance)
        at_boundary = np.zeros(slots, np.bool_) if boundary is None else boundary.status != MISSING
        delivery = settlement.delivery
        self._open[number] = CommittedDay(
            number=number,
            members=self._settling.last_settled,
            prices=day_prices(rules, settlement, at_boundary),
            rows={id_: row for row, id_ in enumerate(delivery.participants.tolist())},
            contracted=settlement.contracted,
            metered=delivery.metered,
        )
        self._found += differences(
            f"commitment of day {number}", bytes(args["commitment"]).hex(), self._open[number].commitment.hex()
        )

    def keep(self, number: int) -> None:
        """The day is final; what is too old to be settled late is forgotten."""
        day = self._open.pop(number, None)
        if day is None:
            return
        packed = (_packed(day.contracted), _packed(day.metered))
        bare = replace(day, contracted=_UNPACKED, metered=_UNPACKED)
        self._final[number] = _Kept(bare, (len(day.rows), len(day.prices.short)), *packed)
        self._final.pop(number - MAX_AGE, None)
        for key in [key for key in self._latest if key[1] <= number - MAX_AGE]:
            del self._latest[key]

    def day(self, number: int) -> CommittedDay:
        """What a final day is committed to.

        Raises:
            InputError: it is not final, or too long ago.
        """
        if number not in self._final:
            raise InputError("day", number, "is not final, or too long ago")
        kept = self._final[number]
        contracted, metered = (_unpacked(packed, kept.shape) for packed in (kept.contracted, kept.metered))
        return replace(kept.day, contracted=contracted, metered=metered)

    def next_run(self, member: int, number: int) -> int:
        """The number of a member's next late reconciliation of a day."""
        return self._latest[member, number][0] + 1 if (member, number) in self._latest else 1

    def record(self, member: int, number: int) -> LateRecord:
        """What has to be brought with a member's next late reading of a final day.

        Raises:
            InputError: the day is not final, or too long ago, or has no such member.
        """
        day = self.day(number)
        if not 1 <= member <= day.members:
            raise InputError("member", member, f"is not one of the {day.members} of day {number}")
        contracted, settled = day.energies(member)
        return LateRecord(
            contracted=strips_of(contracted),
            metered=strips_of(self.counted(member, number)),
            settled=words_hash(strips_of(settled)),
            prices=day.prices.words(),
            proof=day.proof(member),
        )

    def counted(self, member: int, number: int) -> Column:
        """What counts as metered of a member and a final day, Wh by slot."""
        if (member, number) in self._latest:
            return self._latest[member, number][1]
        return self.day(number).energies(member)[1]

    def late_reading(self, member: int, number: int, net: Column) -> LateReading:
        """The message that is signed for a member's next late reconciliation of a day; net: Wh by slot."""
        return LateReading(member, number, self.next_run(member, number), tuple(strips_of(net)))

    def reconcile(self, args: Args) -> None:
        """A Reconciled."""
        id_, number = args["id"], args["day"]
        words = [bytes(word) for word in args["net"]]
        net = net_of_lanes(unpack_all(words)[1]).ravel()
        day, before = self.day(number), self.counted(id_, number)
        due = difference(self._rules.on(number), day.prices, day.energies(id_)[0], before, net)
        chain = (args["run"], args["toGrid"], args["toSupplier"])
        run = self.next_run(id_, number)
        self._found += differences(f"late reconciliation of member {id_}, day {number}", chain, (run, *due))
        self._latest[id_, number] = run, net
        postings = [
            Posting(id_, Money(-sum(due))),
            Posting(GRID_OPERATOR, due.to_grid),
            Posting(FALLBACK_SUPPLIER, due.to_supplier),
        ]
        self._postings.announced += postings
        for posting in postings:
            self._payments.add(posting.account, number, "late reconciliation", posting.amount)


def _packed(grid: Grid) -> bytes:
    return zlib.compress(np.ascontiguousarray(grid).tobytes())


def _unpacked(packed: bytes, shape: tuple[int, int]) -> Grid:
    return np.frombuffer(zlib.decompress(packed), np.int64).reshape(shape)
