"""Readings and estimates, as their events tell, and what the registers show beside them."""

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from dem.messages.readings import net_of, registers_of
from dem.model.ledger import GRID_OPERATOR
from dem.model.readings import Reading
from dem.model.silence import Silence
from dem.model.strips import LANES, unpack
from dem.model.unbilled import MeterAccount, ReadStrip
from dem.replay.days import Days
from dem.replay.events import Args
from dem.replay.market import differences
from dem.replay.members import Membership
from dem.replay.readings import CORRECTED, ESTIMATED, MEASURED, MISSING, NOT_READ, SUBSTITUTED, MeterValues


class Metering:
    """What meters showed. found: where differences between chain and model are noted."""

    def __init__(self, periods_per_day: int, days: Days, membership: Membership, found: list[str]) -> None:
        self._periods_per_day = periods_per_day
        self._days = days
        self._membership = membership
        self._found = found
        self._accounts: dict[tuple[int, str], MeterAccount] = {}
        self._owners: dict[str, int] = {}
        """Member of the last sheet of a meter."""
        self._claims: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
        """What the chain says is unbilled of a member, until the event that explains it."""
        self._silence = Silence()
        self._last_closed = 0
        self.most_losses: int | None = None
        """Most that the boundary meter has shown to be lost in a period, Wh; None until it has read."""

    def account(self, id_: int) -> MeterAccount | None:
        """What is unbilled of a member's meter; None before its first reading."""
        if id_ not in self._membership.members:
            return None
        meter = self._membership.members[id_].meter
        return self._accounts.get((id_, meter)) if self._owners.get(meter) == id_ else None

    def first_strip(self, day: int) -> int:
        """Strips from the market's opening to a day."""
        return (day - 1) * self._periods_per_day // LANES

    def claim(self, args: Args) -> None:
        """An UnbilledChanged."""
        self._claims[args["id"]].append((args["importWh"], args["exportWh"], args["strips"]))

    def accept(self, args: Args) -> None:
        """A ReadingsAccepted."""
        id_, number, first = args["id"], args["day"], args["firstStrip"]
        registers = registers_of(args["registers"])
        own = self._values(id_, number)
        strips = range((len(registers) - 1) // LANES)
        left_out = frozenset(n for n in strips if args["leftOut"] >> n & 1)
        before = [self._before(own, first + n) for n in strips]
        if id_ != GRID_OPERATOR:
            self._account_for(id_, number, first, registers, left_out, before)
        net = net_of(registers)
        for n in strips:
            if n in left_out:
                continue
            sent = slice((first + n) * LANES, (first + n + 1) * LANES)
            own.net[sent] = net[n * LANES : (n + 1) * LANES]
            own.status[sent] = MEASURED if before[n] is None else CORRECTED
        for slot in range(first * LANES, (first + len(strips)) * LANES):
            if args["substituted"] >> slot & 1 and own.status[slot] not in NOT_READ:
                own.status[slot] = SUBSTITUTED
        if id_ == GRID_OPERATOR and number <= self._last_closed:
            self._note_losses(number, [first + n for n in strips if n not in left_out])

    def _account_for(
        self,
        id_: int,
        number: int,
        first: int,
        registers: NDArray[np.uint64],
        left_out: frozenset[int],
        before: list[ReadStrip | None],
    ) -> None:
        account = self.account(id_)
        at = self.first_strip(number) + first
        if account is None:
            is_estimated = number <= self._last_closed or (self._values(id_, number).status == ESTIMATED).any()
            if is_estimated or id_ not in self._membership.members:
                return
            meter = self._membership.members[id_].meter
            account = self._accounts[id_, meter] = MeterAccount.begun(registers, at)
            self._owners[meter] = id_
        if at + len(before) >= account.read_at:
            self._silence.read(id_)
        changes = account.take(registers, at, left_out, before)
        if any(changes):
            self._explain(id_, account)

    def _explain(self, id_: int, account: MeterAccount) -> None:
        model = (account.import_wh, account.export_wh, account.strips)
        claims = self._claims[id_]
        self._found += differences(f"unbilled energy of member {id_}", claims.pop(0) if claims else None, model)

    def note_stated(self, id_: int, strips: int, energy: tuple[int, int], *, is_ahead: bool) -> None:
        """Energy of estimated strips that was stated late, import and export; ahead of the register, or behind it."""
        account = self.account(id_)
        assert account is not None
        if is_ahead:
            account.ahead = (account.ahead[0] + energy[0], account.ahead[1] + energy[1])
            account.add(0, 0, -strips)
        else:
            account.add(-energy[0], -energy[1], -strips)
        self._explain(id_, account)

    def take_unbilled(self, id_: int) -> tuple[int, int]:
        """What a true-up bills."""
        account = self.account(id_)
        assert account is not None
        taken = (account.import_wh, account.export_wh)
        account.add(-taken[0], -taken[1], -account.strips)
        self._explain(id_, account)
        return taken

    def estimate(self, args: Args) -> None:
        """An Estimated: all that the connection takes in, or the most that was ever lost."""
        id_, number, strip = args["id"], args["day"], args["strip"]
        estimates = [Reading.of_lane(lane) for lane in unpack(args["word"])[1]]
        member = self._membership.members.get(id_)
        energy = self.most_losses if id_ == GRID_OPERATOR else member and member.import_capacity
        self._found += differences(
            f"estimates of member {id_}, day {number}, strip {strip}",
            [(value.net, value.estimated) for value in estimates],
            [(energy, True)] * LANES,
        )
        own = self._values(id_, number)
        if member is not None and id_ != GRID_OPERATOR and not (own.status == ESTIMATED).any():
            self._silence.estimate(id_, member.meter, number)
        sent = slice(strip * LANES, (strip + 1) * LANES)
        own.net[sent] = [value.net for value in estimates]
        own.status[sent] = ESTIMATED
        account = None if id_ == GRID_OPERATOR else self.account(id_)
        if account is not None and self.first_strip(number) + strip >= account.since:
            account.strips += 1

    def close(self, args: Args) -> None:
        """A MeteringClosed."""
        number = self._last_closed = args["day"]
        chain, model = sorted(self._membership.silent), sorted(self._silence.members)
        self._found += differences("silent members", chain, model)
        boundary = self._days.known(number).readings.get(GRID_OPERATOR)
        if boundary is None:
            return
        read = ~np.isin(boundary.status, NOT_READ).reshape(-1, LANES).any(axis=1)
        self._note_losses(number, np.flatnonzero(read).tolist())

    def _note_losses(self, number: int, strips: list[int]) -> None:
        readings = self._days.known(number).readings
        sums = sum((values.net for id_, values in readings.items() if id_ != GRID_OPERATOR), np.int64(0))
        losses = readings[GRID_OPERATOR].net - sums
        for strip in strips:
            most = int(losses[strip * LANES : (strip + 1) * LANES].max())
            self.most_losses = max(0, most, self.most_losses or 0)

    @staticmethod
    def _before(own: MeterValues, strip: int) -> ReadStrip | None:
        sent = slice(strip * LANES, (strip + 1) * LANES)
        status = own.status[sent][0]
        if status == MISSING:
            return None
        return ReadStrip(None if status == ESTIMATED else own.net[sent].copy())

    def _values(self, id_: int, number: int) -> MeterValues:
        """A member's readings of a day, about to change."""
        day, slots = self._days.changing(number), self._periods_per_day
        day.settlement = None
        if id_ not in day.readings:
            day.readings[id_] = MeterValues(np.zeros(slots, np.int64), np.full(slots, MISSING, np.int8))
        return day.readings[id_]
