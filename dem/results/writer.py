"""Writes the output folder of a run: CSV tables in Wh and money units, see docs/guide/outputs.md.

Everything comes from the replay of the chain's events; nothing is taken from what the driver meant to do, but for what
an island's meters would have shown with an upper grid. A day is written when it is final. Of days that were played
without a chain the reference model says the same.
"""

import csv
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, tzinfo
from itertools import count, islice, repeat
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from dem import formats
from dem.grid.programme import DEMAND, FEED_IN
from dem.model.ledger import Ledger
from dem.model.markets.auction import Column
from dem.model.mechanisms import label_of
from dem.model.orders import Side
from dem.model.positions import Trades
from dem.model.relief import Slots
from dem.model.rules import Tariff
from dem.model.settlement import DaySettlement
from dem.model.units import FROM_ZERO, PriceRange, Tick, UnitsPerWh, Wh, kwh, price_per_kwh
from dem.replay.book import Book
from dem.replay.members import Member
from dem.replay.payments import Payments
from dem.replay.readings import CORRECTED, ESTIMATED, MEASURED, MISSING, SUBSTITUTED, MeterValues
from dem.replay.transfers import Transfers
from dem.results.columns import (
    CHECKSUMS,
    CUTS,
    GUARANTEES,
    PRICES,
    RELIEF,
    RUN,
    TABLES,
    WITHOUT_TRADE,
    checksum,
    checksum_of,
    file_of,
)

_SIDES = {Side.BID: "bid", Side.ASK: "ask"}
_STATUS = {
    MISSING: "estimated",
    MEASURED: "measured",
    CORRECTED: "corrected",
    ESTIMATED: "estimated",
    SUBSTITUTED: "substituted",
}


@dataclass(frozen=True, slots=True)
class RejectedOrder:
    """An order of a sheet that the chain refused, which is why no event tells of it but its sender does."""

    participant: str
    side: Side
    slot: int
    tick: Tick
    energy: Wh
    reason: str


@dataclass(frozen=True, slots=True)
class Setting:
    """What the tables say of a run besides what its events tell.

    first_period: of day 1. days: delivery days. paid_without_trade: what members would pay for a day under the same
    rules if nobody traded, money units by name. timezone: the zone's name, if it has one. uncut: of an island, what its
    members' meters would have shown on a day with an upper grid, Wh by name and slot. bill: what bills add, as run.json
    has it. prices: those that orders can name. has_relief: whether relief of the network is bought.
    """

    scenario: str
    title: str
    currency: str
    period_seconds: int
    periods_per_day: int
    zone: tzinfo
    utc_offset_hours: float
    first_period: int
    days: range
    paid_without_trade: Callable[[int], Mapping[str, int]]
    timezone: str | None = None
    uncut: Callable[[int], Mapping[str, Sequence[int]]] | None = None
    bill: Mapping[str, Any] | None = None
    prices: PriceRange = FROM_ZERO
    has_relief: bool = False

    def periods(self, day: int) -> range:
        """Period numbers of a day, in slot order."""
        first = self.first_period + (day - 1) * self.periods_per_day
        return range(first, first + self.periods_per_day)


class Recomputed(Protocol):
    """A market as far as the tables tell of it. What is of a day is asked when that day is final.

    payments: those since they were emptied last.
    """

    @property
    def periods_per_day(self) -> int: ...
    @property
    def members(self) -> Mapping[int, Member]: ...
    @property
    def payments(self) -> Payments: ...
    @property
    def ledger(self) -> Ledger: ...
    @property
    def transfers(self) -> Transfers: ...
    def book(self, day: int) -> Book: ...
    def tariffs(self, day: int) -> Sequence[Tariff]: ...
    def readings(self, day: int) -> Mapping[int, MeterValues]: ...
    def source(self, id_: int, day: int) -> str | None: ...
    def settlement(self, day: int) -> DaySettlement: ...
    def trades(self, day: int) -> Mapping[str, Trades]: ...
    def contracted(self, day: int) -> Mapping[int, Sequence[int]]: ...
    def sold_relief(self, day: int) -> Mapping[int, Slots]: ...


class Exporter:
    """Writes one run, begun anew: day by day, then what is known at the end.

    names: what people call an account, by its address. rejected: the orders that the chain refused, by day.
    """

    def __init__(
        self,
        setting: Setting,
        market: Recomputed,
        names: Mapping[str, str],
        rejected: Callable[[int], Iterable[RejectedOrder]],
        folder: Path,
    ) -> None:
        self.setting = setting
        self.market = market
        self.names = names
        self.rejected = rejected
        self.folder = folder
        self._numbers = count(1)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / RUN).unlink(missing_ok=True)  # a folder without it holds no finished run
        for table, columns in TABLES.items():
            if (table != CUTS or setting.uncut) and (table != RELIEF or setting.has_relief):
                (folder / file_of(table)).write_text(",".join(columns) + "\n", encoding="utf-8")

    def add(self, day: int) -> None:
        """Append a final day of the run, just before the replay forgets it."""
        periods = self.setting.periods(day)
        self._orders_and_fills(day, periods)
        self._clearing(day, periods)
        self._tariffs(day, periods)
        self._readings(day, periods)
        self._guarantees(day, periods)
        self._trades(day, periods)
        self._settlement(day, periods)
        paid = self.setting.paid_without_trade(day)
        self._append(WITHOUT_TRADE, ((name, periods.start, units) for name, units in paid.items()))
        if self.setting.uncut:
            self._cuts(day, periods, self.setting.uncut(day))
        if self.setting.has_relief:
            self._relief(day, periods)
        self._payments()

    def finish(self, run: Mapping[str, Any]) -> None:
        """Write participants, accounts, and run.json with the facts of the setting and `run`."""
        self._participants()
        self._payments()
        self._accounts()
        facts = {
            formats.KEY: formats.RUN,
            "scenario": self.setting.scenario,
            "title": self.setting.title,
            "currency": self.setting.currency,
            "period_seconds": self.setting.period_seconds,
            "periods_per_day": self.setting.periods_per_day,
            "utc_offset_hours": self.setting.utc_offset_hours,
            **({"timezone": self.setting.timezone} if self.setting.timezone else {}),
            "first_period": self.setting.first_period,
            "days": len(self.setting.days),
            **({"bill": self.setting.bill} if self.setting.bill else {}),
            PRICES: asdict(self.setting.prices),
            **run,
        }
        paths = [self.folder / file_of(table) for table in TABLES]
        facts[CHECKSUMS] = {path.name: checksum(path.read_bytes()) for path in paths if path.exists()} | {
            RUN: checksum_of(facts)
        }
        (self.folder / RUN).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")

    def _participants(self) -> None:
        self._append(
            "participants",
            (
                (self._name(m), m.kind, m.import_capacity or 0, m.export_capacity or 0)
                for m in self.market.members.values()
            ),
        )

    def _orders_and_fills(self, day: int, periods: range) -> None:
        book = self.market.book(day)
        sent = book.sent
        slots = sent.place % self.market.periods_per_day
        filled, amounts = np.zeros_like(slots), np.zeros_like(slots)
        filled[sent.stands], amounts[sent.stands] = book.fills, book.paid(self.setting.prices)
        numbers = list(islice(self._numbers, len(slots)))
        names, lanes = self._names(sent.participant), [column.tolist() for column in sent.lanes]
        status = np.where(sent.stands, "accepted", "replaced").tolist()
        orders = self._orders(periods, numbers, names, slots.tolist(), *lanes)
        self._append("orders", zip(*orders, status, repeat(""), strict=False))
        self._append("fills", zip(numbers, filled.tolist(), amounts.tolist(), strict=True))

        refused = list(self.rejected(day))
        numbers = list(islice(self._numbers, len(refused)))
        fields = ("participant", "slot", "side", "tick", "energy")
        columns = ([getattr(order, name) for order in refused] for name in fields)
        orders = self._orders(periods, numbers, *columns)
        self._append("orders", zip(*orders, repeat("rejected"), (order.reason for order in refused), strict=False))
        self._append("fills", zip(numbers, repeat(0), repeat(0), strict=False))

    def _orders(
        self,
        periods: range,
        numbers: list[int],
        names: list[str],
        slots: list[int],
        sides: list[Side],
        ticks: list[Tick],
        energy: list[Wh],
    ) -> tuple[Iterable[Any], ...]:
        """The columns of orders up to the energy for people."""
        local, prices = [self._local(period) for period in periods], self.setting.prices
        limits = {tick: price_per_kwh(UnitsPerWh(prices.price_of(tick))) for tick in set(ticks)}
        return (
            numbers,
            names,
            [_SIDES[side] for side in sides],
            [periods[slot] for slot in slots],
            [prices.steps(tick) for tick in ticks],
            energy,
            [local[slot] for slot in slots],
            [limits[tick] for tick in ticks],
            map(kwh, energy),
        )

    def _clearing(self, day: int, periods: range) -> None:
        rows, prices = [], self.setting.prices
        for period, clearing in zip(periods, self.market.book(day).clearing, strict=True):
            price = "" if clearing.price is None else price_per_kwh(UnitsPerWh(prices.price_of(clearing.price)))
            tick = "" if clearing.price is None else prices.steps(clearing.price)
            rows.append((period, tick, clearing.volume, self._local(period), price, kwh(clearing.volume)))
        self._append("clearing", rows)

    def _tariffs(self, day: int, periods: range) -> None:
        rows = []
        for period, tariff in zip(periods, self.market.tariffs(day), strict=True):
            people = (self._local(period), price_per_kwh(tariff.buy), price_per_kwh(tariff.sell))
            rows.append((period, tariff.buy, tariff.sell, *people))
        self._append("tariffs", rows)

    def _readings(self, day: int, periods: range) -> None:
        readings, delivery = self.market.readings(day), self.market.settlement(day).delivery
        ids = delivery.participants[delivery.has_meter]
        unread = np.full(len(periods), MISSING)
        status = [readings[id_].status if id_ in readings else unread for id_ in ids.tolist()]
        metered = delivery.metered[delivery.has_meter].ravel().tolist()
        self._append(
            "readings",
            zip(
                [name for name in self._names(ids) for _ in periods],
                [*periods] * len(ids),
                metered,
                [_STATUS[value] for value in np.concatenate(status).tolist()],
                map(kwh, metered),
                strict=True,
            ),
        )

    def _guarantees(self, day: int, periods: range) -> None:
        """What meters have shown to be fed in, of members whose source is on record (rule 12.6)."""
        rows = []
        for id_, values in sorted(self.market.readings(day).items()):
            source = self.market.source(id_, day)
            shown = np.isin(values.status, (MEASURED, CORRECTED))
            fed_in = int(np.maximum(-values.net, 0)[shown].sum())
            if source is not None and fed_in:
                rows.append((self._name(self.market.members[id_]), periods.start, source, fed_in))
        self._append(GUARANTEES, rows)

    def _trades(self, day: int, periods: range) -> None:
        """A row for each market, participant, period and side; those of all pools together."""
        found: dict[str, list[Trades]] = {}
        for contract, trades in self.market.trades(day).items():
            found.setdefault(label_of(contract), []).append(trades)
        for market, parts in found.items():
            own = Trades(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
            keys = np.stack([own.participant, own.slot, own.bought > 0])
            rows, where = np.unique(keys, axis=1, return_inverse=True)
            sums = np.zeros((3, rows.shape[1]), np.int64)
            for total, column in zip(sums, (own.bought, own.sold, own.payment), strict=True):
                np.add.at(total, where.ravel(), column)
            starts = [periods[slot] for slot in rows[1].tolist()]
            self._append(
                "trades",
                zip(repeat(market), self._names(rows[0]), starts, *(total.tolist() for total in sums), strict=False),
            )

    def _payments(self) -> None:
        """Premiums, rewards and commissions since the last time, with the first period of the day they are for."""
        payments, rows = self.market.payments, []
        for payment in payments:
            if payment.day in self.setting.days:
                first = self.setting.periods(payment.day).start
                rows.append((self._name(self.market.members[payment.member]), first, payment.what, payment.amount))
        payments.clear()
        self._append("payments", rows)

    def _settlement(self, day: int, periods: range) -> None:
        settled = self.market.settlement(day)
        members, slots = np.nonzero(settled.has_row)
        names = self._names(settled.delivery.participants[members])
        starts = [periods[slot] for slot in slots.tolist()]
        energy = [
            grid[members, slots].tolist() for grid in (settled.contracted, settled.delivery.metered, settled.imbalance)
        ]
        due = (settled.trade, settled.imbalance_units, settled.fees, settled.deviation, settled.penalty)
        money = [grid[members, slots].tolist() for grid in due]
        self._append("schedule", zip(names, starts, energy[0], map(kwh, energy[0]), strict=True))
        self._append("settlement", zip(names, starts, *energy, *money, strict=True))
        area = settled.area
        self._append(
            "area",
            zip(
                periods,
                area.imbalance.tolist(),
                area.price.tolist(),
                area.imbalance.tolist(),
                area.fallback.tolist(),
                (area.surplus + area.deviation + area.penalty_surplus).tolist(),
                area.penalty.tolist(),
                strict=True,
            ),
        )

    def _cuts(self, day: int, periods: range, wanted: Mapping[str, Sequence[int]]) -> None:
        """What members' meters show less than they would have, where they do."""
        delivery, contracted = self.market.settlement(day).delivery, self.market.contracted(day)
        rows = []
        for name, id_, shown in zip(
            self._names(delivery.participants), delivery.participants.tolist(), delivery.metered.tolist(), strict=True
        ):
            firm = contracted.get(id_, [0] * len(periods))
            for period, whole, left, had in zip(periods, wanted.get(name, shown), shown, firm, strict=True):
                if whole != left:
                    broken = max(0, min(abs(whole), had if whole > 0 else -had) - abs(left))
                    rows.append((name, period, max(0, whole - left), max(0, left - whole), broken))
        self._append(CUTS, rows)

    def _relief(self, day: int, periods: range) -> None:
        """What was bought of members, and what their meters say of it."""
        delivery, sold = self.market.settlement(day).delivery, self.market.sold_relief(day)
        rows = []
        for row, (name, id_) in enumerate(
            zip(self._names(delivery.participants), delivery.participants.tolist(), strict=True)
        ):
            metered, estimated = delivery.metered[row], delivery.estimates(row)
            for (slot, is_fed_in), own in sorted(sold.get(id_, {}).items()):
                delivered = 0 if estimated[slot] else own.delivered(int(metered[slot]), is_fed_in)
                direction = FEED_IN if is_fed_in else DEMAND
                rows.append((name, periods[slot], direction, *own, delivered))
        self._append(RELIEF, rows)

    def _accounts(self) -> None:
        rows = []
        for member in self.market.members.values():
            record = self.market.ledger.record(member.id)
            transfers = self.market.transfers
            deposited, withdrawn = transfers.deposited[member.id], transfers.withdrawn[member.id]
            closing = record.free + record.locked
            rows.append((self._name(member), member.kind, 0, deposited, withdrawn, closing, record.arrears))
        self._append("accounts", rows)

    def _names(self, ids: Column) -> list[str]:
        names = {id_: self._name(member) for id_, member in self.market.members.items()}
        return [names[id_] for id_ in ids.tolist()]

    def _name(self, member: Member) -> str:
        """The member's name; the market's own accounts, which have no key, go by their kind."""
        return self.names.get(member.account) or (member.kind if int(member.account, 16) == 0 else member.account)

    def _local(self, period: int) -> str:
        """Local time; with its offset where an hour can occur twice."""
        start = datetime.fromtimestamp(period * self.setting.period_seconds, self.setting.zone)
        return start.isoformat(" ", "minutes") if self.setting.timezone else f"{start:%Y-%m-%d %H:%M}"

    def _append(self, table: str, rows: Iterable[Sequence[Any]]) -> None:
        with (self.folder / file_of(table)).open("a", newline="", encoding="utf-8") as stream:
            csv.writer(stream, lineterminator="\n").writerows(rows)
