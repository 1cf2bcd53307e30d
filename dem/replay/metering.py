"""Readings and estimates, as their events tell, and what the registers show beside them."""

from collections import defaultdict
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dem.messages.readings import net_of, registers_of
from dem.model.ledger import GRID_OPERATOR
from dem.model.meters import Part
from dem.model.readings import Reading
from dem.model.silence import Silence
from dem.model.strips import LANES, unpack
from dem.model.unbilled import MemberAccount, MeterState, ReadStrip
from dem.replay.days import Days
from dem.replay.events import Args
from dem.replay.market import differences
from dem.replay.members import Membership
from dem.replay.readings import CORRECTED, ESTIMATED, MEASURED, MISSING, NOT_READ, SUBSTITUTED, MeterValues


class _Sheet(NamedTuple):
    """Of a member and day. at: its first strip since the opening. left_out: its strips that count as not read, from 0.

    before: what counted for each of its strips.
    """

    id: int
    day: int
    at: int
    registers: NDArray[np.uint64]
    left_out: frozenset[int]
    before: list[ReadStrip | None]


class Metering:
    """What meters showed. found: where differences between chain and model are noted."""

    def __init__(self, periods_per_day: int, days: Days, membership: Membership, found: list[str]) -> None:
        self._periods_per_day = periods_per_day
        self._days = days
        self._membership = membership
        self._found = found
        self._accounts: dict[int, MemberAccount] = {}
        self._meters: dict[tuple[int, str], MeterState] = {}
        """Since their first readings, by member and key: one stays when its member moves out."""
        self._named: str | None = None
        """Meter of the next sheet, of a member that has several."""
        self._claims: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
        """What the chain says is unbilled of a member, until the event that explains it."""
        self._silence = Silence()
        self._last_closed = 0
        self.most_losses: int | None = None
        """Most that the boundary meter has shown to be lost in a period, Wh; None until it has read."""

    def account(self, id_: int) -> MemberAccount | None:
        """What is unbilled of a member; None before the first reading of its meter."""
        if id_ not in self._membership.members:
            return None
        is_known = id_ in self._membership.meters or (id_, self._membership.members[id_].meter) in self._meters
        return self._accounts.get(id_) if is_known else None

    def read_to(self, id_: int) -> int:
        """Strip to which all meters of a member with an account have been read."""
        if id_ in self._membership.meters:
            return self._membership.meters[id_].read_to
        meter = self._meters.get((id_, self._membership.members[id_].meter))
        return meter.read_at if meter else 0

    def _meter(self, id_: int, key: str, number: int) -> MeterState | None:
        """A meter whose registers are accounted for, since the member takes part."""
        meter = self._meters.get((id_, key))
        is_since = meter is not None and meter.read_at > self.first_strip(self._membership.since(id_, number))
        return meter if is_since else None

    def name_meter(self, args: Args) -> None:
        """A PartRead."""
        self._named = args["meter"]

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
        sheet = _Sheet(id_, number, self.first_strip(number) + first, registers, left_out, before)
        parts, ended = self._take_part(sheet)
        if id_ != GRID_OPERATOR:
            self._account_for(sheet, parts)
            self._end(id_, ended)
        self._named = None
        net = net_of(registers)
        for n in strips:
            total = net[n * LANES : (n + 1) * LANES] if parts is None else parts[n].total
            if n in left_out or total is None:
                continue
            sent = slice((first + n) * LANES, (first + n + 1) * LANES)
            own.net[sent] = total
            own.status[sent] = MEASURED if before[n] is None else CORRECTED
        for slot in range(first * LANES, (first + len(strips)) * LANES):
            if args["substituted"] >> slot & 1 and own.status[slot] not in NOT_READ:
                own.status[slot] = SUBSTITUTED
        if id_ == GRID_OPERATOR and number <= self._last_closed:
            self._note_losses(number, [first + n for n in strips if n not in left_out])

    def _take_part(self, sheet: _Sheet) -> tuple[list[Part] | None, str | None]:
        """What a sheet of one of several meters makes of its strips, and one that has ended."""
        if self._named is None:
            return None, None
        read = [None if known is None else known.net for known in sheet.before]
        meter = self._meter(sheet.id, self._named, sheet.day)
        since: int | None = meter.since if meter else 0
        if meter is None and self._is_estimated(sheet.id, sheet.day):
            has_opening = self._opening(sheet.id, self._named) is not None
            since = 0 if has_opening and sheet.id in self._accounts else None
        meters = self._membership.meters[sheet.id]
        return meters.take(self._named, sheet.registers, sheet.at, sheet.left_out, read, since)

    def _is_estimated(self, id_: int, number: int) -> bool:
        """Whether anything of a member's day is, or the day is closed."""
        return bool(number <= self._last_closed or (self._values(id_, number).status == ESTIMATED).any())

    def _account_for(self, sheet: _Sheet, parts: list[Part] | None) -> None:
        id_, at, before = sheet.id, sheet.at, sheet.before
        if id_ not in self._membership.members:
            return
        key = self._named or self._membership.members[id_].meter
        meter = self._meter(id_, key, sheet.day) or self._begin(id_, key, sheet.day, sheet.registers, at)
        if meter is None:
            others = self._accounts.get(id_)
            if parts is not None and others is not None and any(others.bill_others(at, before, parts)):
                self._explain(id_, others)
            return
        if at + len(before) >= meter.read_at:
            self._silence.read(id_)
        account = self._accounts[id_]
        changes = account.take(meter, sheet.registers, at, sheet.left_out, before, parts)
        if any(changes):
            self._explain(id_, account)

    def _begin(self, id_: int, key: str, number: int, registers: NDArray[np.uint64], first: int) -> MeterState | None:
        """A meter's first reading. Without registers noted at its installation the account begins, or begins anew."""
        account = self._accounts.get(id_)
        opening = self._opening(id_, key) if self._named else None
        if account is not None and opening is not None:
            at = self._membership.meters[id_].lives[key].first // LANES
            begun = MeterState(*opening, at, at)
        else:
            if self._is_estimated(id_, number):
                return None
            begun = MeterState.begun(registers, first)
            kept = account if self._named and account is not None else MemberAccount(first)
            self._accounts[id_] = MemberAccount(first, kept.import_wh, kept.export_wh)
            self._end_former(id_, key, number, begun)
        self._meters[id_, key] = begun
        return begun

    def _opening(self, id_: int, key: str) -> tuple[int, int] | None:
        """Registers as noted of a further meter; of one that reads anew after a break that is not where it stands."""
        return None if (id_, key) in self._meters else self._membership.meters[id_].lives[key].opening

    def _end_former(self, id_: int, key: str, number: int, begun: MeterState) -> None:
        """What a meter shows when the next member takes it over is where it ended for the last one."""
        former, first_day = self._membership.former.get(key, (0, 0))
        last = self._meters.get((former, key))
        if last is None or begun.since != self.first_strip(first_day) or last.read_at >= begun.since:
            return
        limits = [wh or 0 for wh in self._membership.connection(id_, number)]
        most = 2 * max(limits) * (begun.since - last.read_at) * LANES
        imported, exported = begun.imported - last.imported, begun.exported - last.exported
        if not (0 <= imported <= most and 0 <= exported <= most):
            return
        account = self._accounts[former]
        imported, exported = imported - account.ahead[0], exported - account.ahead[1]
        account.ahead = (0, 0)
        account.add(imported, exported, 0)
        last.imported, last.exported, last.read_at = begun.imported, begun.exported, begun.since
        if imported or exported:
            self._explain(former, account)

    def _end(self, id_: int, ended: str | None) -> None:
        """What a meter showed when it was removed is accounted for like a reading."""
        meter = self._meters.get((id_, ended)) if ended else None
        if ended is None or meter is None:
            return
        life, account = self._membership.meters[id_].lives[ended], self._accounts[id_]
        assert life.last is not None
        assert life.closing is not None
        at = -(-life.last // LANES)
        if at <= meter.read_at or life.closing[0] < meter.imported or life.closing[1] < meter.exported:
            return
        advance = (life.closing[0] - meter.imported, life.closing[1] - meter.exported)
        account.add(*advance, 0)
        (meter.imported, meter.exported), meter.read_at = life.closing, at
        if any(advance):
            self._explain(id_, account)

    def forget(self, number: int) -> None:
        """The day is final: nothing of it can be read any more."""
        for meters in self._membership.meters.values():
            meters.forget(self.first_strip(number + 1))

    def _explain(self, id_: int, account: MemberAccount) -> None:
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
        energy = self.most_losses
        if member is not None and id_ != GRID_OPERATOR:
            energy = self._membership.connection(id_, number).imports
        self._found += differences(
            f"estimates of member {id_}, day {number}, strip {strip}",
            [(value.net, value.estimated) for value in estimates],
            [(energy, True)] * LANES,
        )
        own = self._values(id_, number)
        if member is not None and id_ != GRID_OPERATOR and not (own.status == ESTIMATED).any():
            self._silence.estimate(id_, number)
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
