"""What final days are committed to, and late reconciliations of them, as their events tell."""

import zlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dem.errors import InputError
from dem.messages.readings import LateReading
from dem.model.commitments import CommittedDay, day_prices, strips_of, words_hash
from dem.model.ledger import FALLBACK_SUPPLIER, GRID_OPERATOR, Posting
from dem.model.markets.auction import Column
from dem.model.meters import sides
from dem.model.readings import net_of_lanes
from dem.model.reconciliation import MAX_AGE, Difference, TrueUp, difference
from dem.model.settlement import Delivery
from dem.model.strips import LANES, unpack_all
from dem.model.units import Money
from dem.replay.days import Days
from dem.replay.delivery import at_boundary
from dem.replay.events import Args
from dem.replay.market import differences
from dem.replay.metering import Metering
from dem.replay.payments import Payments
from dem.replay.postings import Postings
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
    estimated: bytes


class Counted(NamedTuple):
    """What counts as metered of a member and a final day, Wh by slot, and where it is an estimate; and runs so far."""

    net: Column
    estimated: NDArray[np.bool_]
    runs: int = 0


_UNPACKED = np.zeros((0, 0), np.int64)
_NO_ESTIMATES = np.zeros((0, 0), np.bool_)


class LateReconciliations:
    """Compares commitments and late reconciliations with the model's. found: where differences are noted."""

    def __init__(
        self,
        days: Days,
        rules: Rules,
        settling: Settling,
        metering: Metering,
        postings: Postings,
        payments: Payments,
        found: list[str],
    ) -> None:
        self._days = days
        self._rules = rules
        self._settling = settling
        self._metering = metering
        self._postings = postings
        self._payments = payments
        self._found = found
        self._open: dict[int, CommittedDay] = {}
        """As the last walk left them, of days that are not final."""
        self._final: dict[int, _Kept] = {}
        self._latest: dict[tuple[int, int], Counted] = {}
        """Of a member and day that was settled late, or trued up."""
        self.true_ups: dict[tuple[int, int], TrueUp] = {}
        """Under way, by member and the strip since which it is accounted for."""
        self.trued_up: dict[tuple[int, int], NDArray[np.bool_]] = {}
        """Where a true-up has settled a member's day."""
        self._gaps: dict[int, list[int]] = defaultdict(list)
        """Final days that were settled with estimates, by member."""

    def commit(self, args: Args) -> None:
        """A DayCommitted."""
        number = args["day"]
        settlement, rules = self._settling.settlement(number), self._rules.on(number)
        delivery = settlement.delivery
        self._open[number] = CommittedDay(
            number=number,
            members=self._settling.last_settled,
            prices=day_prices(rules, settlement, at_boundary(self._days.known(number), settlement.area.imbalance.size)),
            rows={id_: row for row, id_ in enumerate(delivery.participants.tolist())},
            contracted=settlement.contracted,
            metered=delivery.metered,
            estimated=_estimates(delivery),
        )
        self._found += differences(
            f"commitment of day {number}", bytes(args["commitment"]).hex(), self._open[number].commitment.hex()
        )

    def keep(self, number: int) -> None:
        """The day is final; what is too old to be settled late is forgotten."""
        day = self._open.pop(number, None)
        if day is None:
            return
        for id_, row in day.rows.items():
            if day.estimated[row].any():
                self._gaps[id_].append(number)
        packed = (_packed(day.contracted), _packed(day.metered), _packed(day.estimated))
        bare = replace(day, contracted=_UNPACKED, metered=_UNPACKED, estimated=_NO_ESTIMATES)
        self._final[number] = _Kept(bare, (len(day.rows), len(day.prices.short)), *packed)
        self._final.pop(number - MAX_AGE, None)
        for known in (self._latest, self.trued_up):
            for key in [key for key in known if key[1] <= number - MAX_AGE]:
                del known[key]

    def day(self, number: int) -> CommittedDay:
        """What a final day is committed to.

        Raises:
            InputError: it is not final, or too long ago.
        """
        if number not in self._final:
            raise InputError("day", number, "is not final, or too long ago")
        kept = self._final[number]
        contracted, metered = (_unpacked(packed, kept.shape) for packed in (kept.contracted, kept.metered))
        estimated = _unpacked(kept.estimated, kept.shape, np.bool_)
        return replace(kept.day, contracted=contracted, metered=metered, estimated=estimated)

    def next_run(self, member: int, number: int) -> int:
        """The number of a member's next late reconciliation of a day."""
        return self._latest[member, number].runs + 1 if (member, number) in self._latest else 1

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
            metered=strips_of(*self._counted(member, number)[:2]),
            settled=words_hash(strips_of(settled, day.estimates(member))),
            prices=day.prices.words(),
            proof=day.proof(member),
        )

    def counted(self, member: int, number: int) -> Column:
        """What counts as metered of a member and a final day, Wh by slot."""
        return self._counted(member, number).net

    def energies(self, member: int, number: int) -> tuple[Column, Column, NDArray[np.bool_]]:
        """What a member contracted for a final day, what counts as metered, Wh by slot, and where it is an estimate."""
        counted = self._counted(member, number)
        return self.day(number).energies(member)[0], counted.net, counted.estimated

    @property
    def latest(self) -> Mapping[tuple[int, int], Counted]:
        """What counts as metered of members and final days that were settled late, or trued up."""
        return self._latest

    def gap_days(self, member: int) -> list[int]:
        """Final days with estimates of which a true-up of the member consists, ascending."""
        known = [number for number in self._gaps[member] if number in self._final]
        return [number for number in known if self.estimated(member, number).any()]

    def estimated(self, member: int, number: int) -> NDArray[np.bool_]:
        """Where that is an estimate that the member's meter will show, or has shown, in its registers."""
        account = self._metering.account(member)
        estimated = self._counted(member, number).estimated
        if account is None:
            return np.zeros_like(estimated)
        strips = self._metering.first_strip(number) + np.arange(len(estimated)) // LANES
        shown: NDArray[np.bool_] = estimated & (strips >= account.since)
        return shown

    def counts_estimates(self, member: int, number: int) -> bool:
        """Whether any of it is an estimate."""
        return bool(self._counted(member, number).estimated.any())

    def _counted(self, member: int, number: int) -> Counted:
        if (member, number) in self._latest:
            return self._latest[member, number]
        day = self.day(number)
        return Counted(day.energies(member)[1], day.estimates(member))

    def late_reading(self, member: int, number: int, net: Column) -> LateReading:
        """The message that is signed for a member's next late reconciliation of a day; net: Wh by slot."""
        return LateReading(member, number, self.next_run(member, number), tuple(strips_of(net)))

    def reconcile(self, args: Args) -> None:
        """A Reconciled."""
        id_, number = args["id"], args["day"]
        words = [bytes(word) for word in args["net"]]
        net = net_of_lanes(unpack_all(words)[1]).ravel()
        stated = self.estimated(id_, number)
        self._note_stated(id_, number, net, stated)
        due = self.change(id_, number, net)
        chain = (args["run"], args["toGrid"], args["toSupplier"])
        run = self.next_run(id_, number)
        self._found += differences(f"late reconciliation of member {id_}, day {number}", chain, (run, *due))
        self._latest[id_, number] = Counted(net, np.zeros_like(stated), run)
        self._post(id_, number, due, "late reconciliation")

    def _note_stated(self, id_: int, number: int, net: Column, stated: NDArray[np.bool_]) -> None:
        """What takes the place of estimates; the meter may not have read since."""
        account = self._metering.account(id_)
        if account is None:
            return
        ends = self._metering.first_strip(number) + np.arange(len(net)) // LANES + 1
        for is_ahead in (False, True):
            chosen = stated & ((ends >= self._metering.read_to(id_)) == is_ahead)
            if chosen.any():
                bought, sold = sides(net[chosen])
                strips = int(chosen.sum()) // LANES
                self._metering.note_stated(id_, strips, (bought, sold), is_ahead=is_ahead)

    def change(self, id_: int, number: int, net: Column, replaced: NDArray[np.bool_] | None = None) -> Difference:
        """What a member owes more for a final day if this is what counts as metered, Wh by slot.

        replaced: where that takes the place of an estimate; without it wherever there is one.
        """
        day, before = self.day(number), self._counted(id_, number)
        estimated = before.estimated if replaced is None else replaced
        return difference(self._rules.on(number), day.prices, day.energies(id_)[0], before.net, net, estimated)

    def take_back(self, args: Args) -> None:
        """An EstimatesTakenBack."""
        id_, number = args["id"], args["day"]
        taken, before = self.estimated(id_, number), self._counted(id_, number)
        net = np.where(taken, 0, before.net)
        due = self.change(id_, number, net, taken)
        chain = (args["strips"], args["toGrid"], args["toSupplier"])
        model = (int(taken.sum()) // LANES, *due)
        self._found += differences(f"estimates of member {id_}, day {number}, taken back", chain, model)
        self._latest[id_, number] = Counted(net, before.estimated & ~taken, before.runs)
        self.trued_up[id_, number] = self.trued_up.get((id_, number), np.zeros_like(taken)) | taken
        self.true_ups.setdefault(self._account_key(id_), TrueUp()).take_back(self.day(number).prices, taken, due)

    def true_up(self, args: Args) -> None:
        """A TruedUp."""
        id_, under_way = args["id"], self.true_ups.pop(self._account_key(args["id"]))
        unbilled = self._metering.take_unbilled(id_)
        due = under_way.due(*unbilled)
        names = ("importWh", "exportWh", "dearest", "lowest", "toGrid", "toSupplier")
        model = (*unbilled, under_way.dearest, under_way.lowest, *due)
        self._found += differences(f"true-up of member {id_}", tuple(args[name] for name in names), model)
        self._post(id_, args["day"], due, "true-up")

    def _account_key(self, id_: int) -> tuple[int, int]:
        account = self._metering.account(id_)
        assert account is not None
        return id_, account.since

    def _post(self, id_: int, number: int, due: Difference, what: str) -> None:
        postings = [
            Posting(id_, Money(-sum(due))),
            Posting(GRID_OPERATOR, due.to_grid),
            Posting(FALLBACK_SUPPLIER, due.to_supplier),
        ]
        self._postings.announced += postings
        for posting in postings:
            self._payments.add(posting.account, number, what, posting.amount)


def _estimates(delivery: Delivery) -> NDArray[np.bool_]:
    return np.zeros_like(delivery.metered, np.bool_) if delivery.estimated is None else delivery.estimated


def _packed(grid: NDArray[Any]) -> bytes:
    return zlib.compress(np.ascontiguousarray(grid).tobytes())


def _unpacked(packed: bytes, shape: tuple[int, int], of: type = np.int64) -> NDArray[Any]:
    return np.frombuffer(zlib.decompress(packed), of).reshape(shape)
