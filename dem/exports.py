"""Writes the output folder of a run: CSV tables in Wh and money units, see docs/outputs.md.

Everything comes from the replay of the chain's events; nothing is taken from what the driver meant to do, but for what
an island's meters would have shown with an upper grid. A day is written when it is final.
"""

import csv
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count, islice, repeat
from pathlib import Path
from typing import Any

import numpy as np

from dem.clearing import Column
from dem.orders import Side
from dem.replay import CORRECTED, ESTIMATED, MEASURED, MISSING, Member, Replay
from dem.scenario import Scenario
from dem.settlement import Trades
from dem.units import Tick, Wh, kwh, price_of, price_per_kwh

RUN = "run.json"
COLUMNS = {
    "participants.csv": ("participant", "kind", "import_capacity_wh", "export_capacity_wh"),
    "orders.csv": (
        "order",
        "participant",
        "side",
        "period",
        "limit_ticks",
        "energy_wh",
        "start_local",
        "limit_per_kwh",
        "energy_kwh",
        "status",
        "reason",
    ),
    "clearing.csv": ("period", "price_ticks", "volume_wh", "start_local", "price_per_kwh", "volume_kwh"),
    "fills.csv": ("order", "filled_wh", "amount_units"),
    "trades.csv": ("market", "participant", "period", "bought_wh", "sold_wh", "amount_units"),
    "schedule.csv": ("participant", "period", "contracted_wh", "contracted_kwh"),
    "readings.csv": ("participant", "period", "metered_wh", "status", "metered_kwh"),
    "tariffs.csv": ("period", "buy_units_per_wh", "sell_units_per_wh", "start_local", "buy_per_kwh", "sell_per_kwh"),
    "settlement.csv": (
        "participant",
        "period",
        "contracted_wh",
        "metered_wh",
        "imbalance_wh",
        "trade_units",
        "imbalance_units",
        "fees_units",
        "deviation_units",
        "penalty_units",
    ),
    "area.csv": (
        "period",
        "imbalance_wh",
        "imbalance_price_units_per_wh",
        "fallback_wh",
        "fallback_units",
        "fund_units",
        "penalty_units",
    ),
    "payments.csv": ("participant", "first_period", "cause", "amount_units"),
    "accounts.csv": (
        "account",
        "kind",
        "opening_units",
        "deposited_units",
        "withdrawn_units",
        "closing_units",
        "arrears_units",
    ),
}
"""Columns of every table."""
CUTS = "cuts.csv"
CUT_COLUMNS = ("participant", "period", "shed_wh", "curtailed_wh", "contracted_wh")
"""What an island cut off; contracted_wh: the part of it that was contracted."""

MARKETS = {
    "CallAuction": "call auction",
    "ContinuousMarket": "intraday",
    "BilateralContracts": "bilateral",
    "WholesaleResidual": "wholesale",
}
"""Markets as people call them, by contract; all others are pools."""
_POOL = "pool"

_SIDES = {Side.BID: "bid", Side.ASK: "ask"}
_STATUS = {MISSING: "estimated", MEASURED: "measured", CORRECTED: "corrected", ESTIMATED: "estimated"}


@dataclass(frozen=True, slots=True)
class RejectedOrder:
    """An order of a sheet that the chain refused, which is why no event tells of it but its sender does."""

    participant: str
    side: Side
    slot: int
    tick: Tick
    energy: Wh
    reason: str


class Exporter:
    """Writes one run, begun anew: day by day, then what is known at the end.

    names: what people call an account, by its address. rejected: the orders that the chain refused, by day.
    """

    def __init__(
        self,
        scenario: Scenario,
        replay: Replay,
        names: Mapping[str, str],
        rejected: Callable[[int], Iterable[RejectedOrder]],
        folder: Path,
    ) -> None:
        self.scenario = scenario
        self.replay = replay
        self.names = names
        self.rejected = rejected
        self.folder = folder
        self._numbers = count(1)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / RUN).unlink(missing_ok=True)  # a folder without it holds no finished run
        for file, columns in COLUMNS.items():
            (folder / file).write_text(",".join(columns) + "\n", encoding="utf-8")
        if scenario.islanded:
            (folder / CUTS).write_text(",".join(CUT_COLUMNS) + "\n", encoding="utf-8")

    def add(self, day: int) -> None:
        """Append a final day of the scenario, just before the replay forgets it."""
        periods = self.scenario.periods(day)
        self._orders_and_fills(day, periods)
        self._clearing(day, periods)
        self._tariffs(day, periods)
        self._readings(day, periods)
        self._trades(day, periods)
        self._settlement(day, periods)
        if self.scenario.islanded:
            self._cuts(day, periods)
        self._payments()

    def finish(self, run: Mapping[str, Any]) -> None:
        """Write participants, accounts, and run.json with the scenario's facts and `run`."""
        self._participants()
        self._payments()
        self._accounts()
        calendar = self.scenario.calendar
        facts = {
            "scenario": self.scenario.config.name,
            "title": self.scenario.config.title,
            "currency": self.scenario.config.currency,
            "period_seconds": calendar.period_seconds,
            "periods_per_day": calendar.periods_per_day,
            "utc_offset_hours": calendar.utc_offset_seconds / 3600,
            "first_period": self.scenario.period0,
            "days": calendar.days,
            **run,
        }
        (self.folder / RUN).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")

    def _participants(self) -> None:
        self._append(
            "participants.csv",
            (
                (self._name(m), m.kind, m.import_capacity or 0, m.export_capacity or 0)
                for m in self.replay.members.values()
            ),
        )

    def _orders_and_fills(self, day: int, periods: range) -> None:
        book = self.replay.book(day)
        sent = book.sent
        slots = sent.place % self.replay.periods_per_day
        filled = np.zeros_like(slots)
        filled[sent.stands] = book.fills
        prices = np.array([0 if clearing.price is None else price_of(clearing.price) for clearing in book.clearing])
        amounts = filled * prices[slots] * np.where(sent.lanes.side == Side.BID, 1, -1)
        numbers = list(islice(self._numbers, len(slots)))
        names, lanes = self._names(sent.participant), [column.tolist() for column in sent.lanes]
        status = np.where(sent.stands, "accepted", "replaced").tolist()
        orders = self._orders(periods, numbers, names, slots.tolist(), *lanes)
        self._append("orders.csv", zip(*orders, status, repeat(""), strict=False))
        self._append("fills.csv", zip(numbers, filled.tolist(), amounts.tolist(), strict=True))

        refused = list(self.rejected(day))
        numbers = list(islice(self._numbers, len(refused)))
        fields = ("participant", "slot", "side", "tick", "energy")
        columns = ([getattr(order, name) for order in refused] for name in fields)
        orders = self._orders(periods, numbers, *columns)
        self._append("orders.csv", zip(*orders, repeat("rejected"), (order.reason for order in refused), strict=False))
        self._append("fills.csv", zip(numbers, repeat(0), repeat(0), strict=False))

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
        local = [self._local(period) for period in periods]
        limits = {tick: price_per_kwh(price_of(tick)) for tick in set(ticks)}
        return (
            numbers,
            names,
            [_SIDES[side] for side in sides],
            [periods[slot] for slot in slots],
            ticks,
            energy,
            [local[slot] for slot in slots],
            [limits[tick] for tick in ticks],
            map(kwh, energy),
        )

    def _clearing(self, day: int, periods: range) -> None:
        rows = []
        for period, clearing in zip(periods, self.replay.book(day).clearing, strict=True):
            price = "" if clearing.price is None else price_per_kwh(price_of(clearing.price))
            tick = "" if clearing.price is None else clearing.price
            rows.append((period, tick, clearing.volume, self._local(period), price, kwh(clearing.volume)))
        self._append("clearing.csv", rows)

    def _tariffs(self, day: int, periods: range) -> None:
        rows = []
        for period, tariff in zip(periods, self.replay.tariffs(day), strict=True):
            people = (self._local(period), price_per_kwh(tariff.buy), price_per_kwh(tariff.sell))
            rows.append((period, tariff.buy, tariff.sell, *people))
        self._append("tariffs.csv", rows)

    def _readings(self, day: int, periods: range) -> None:
        readings, delivery = self.replay.readings(day), self.replay.settlement(day).delivery
        ids = delivery.participants[delivery.has_meter]
        unread = np.full(len(periods), MISSING)
        status = [readings[id_].status if id_ in readings else unread for id_ in ids.tolist()]
        metered = delivery.metered[delivery.has_meter].ravel().tolist()
        self._append(
            "readings.csv",
            zip(
                [name for name in self._names(ids) for _ in periods],
                [*periods] * len(ids),
                metered,
                [_STATUS[value] for value in np.concatenate(status).tolist()],
                map(kwh, metered),
                strict=True,
            ),
        )

    def _trades(self, day: int, periods: range) -> None:
        """A row for each market, participant, period and side; those of all pools together."""
        found: dict[str, list[Trades]] = {}
        for contract, trades in self.replay.trades(day).items():
            found.setdefault(MARKETS.get(contract, _POOL), []).append(trades)
        for market, parts in found.items():
            own = Trades(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
            keys = np.stack([own.participant, own.slot, own.bought > 0])
            rows, where = np.unique(keys, axis=1, return_inverse=True)
            sums = np.zeros((3, rows.shape[1]), np.int64)
            for total, column in zip(sums, (own.bought, own.sold, own.payment), strict=True):
                np.add.at(total, where.ravel(), column)
            starts = [periods[slot] for slot in rows[1].tolist()]
            self._append(
                "trades.csv",
                zip(repeat(market), self._names(rows[0]), starts, *(total.tolist() for total in sums), strict=False),
            )

    def _payments(self) -> None:
        """Premiums, rewards and commissions since the last time, with the first period of the day they are for."""
        payments, rows = self.replay.payments, []
        for payment in payments:
            if payment.day in self.scenario.days:
                first = self.scenario.periods(payment.day).start
                rows.append((self._name(self.replay.members[payment.member]), first, payment.what, payment.amount))
        payments.clear()
        self._append("payments.csv", rows)

    def _settlement(self, day: int, periods: range) -> None:
        settled = self.replay.settlement(day)
        members, slots = np.nonzero(settled.has_row)
        names = self._names(settled.delivery.participants[members])
        starts = [periods[slot] for slot in slots.tolist()]
        energy = [
            grid[members, slots].tolist() for grid in (settled.contracted, settled.delivery.metered, settled.imbalance)
        ]
        due = (settled.trade, settled.imbalance_units, settled.fees, settled.deviation, settled.penalty)
        money = [grid[members, slots].tolist() for grid in due]
        self._append("schedule.csv", zip(names, starts, energy[0], map(kwh, energy[0]), strict=True))
        self._append("settlement.csv", zip(names, starts, *energy, *money, strict=True))
        area = settled.area
        self._append(
            "area.csv",
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

    def _cuts(self, day: int, periods: range) -> None:
        """What members' meters show less than they would have, where they do."""
        delivery, contracted = self.replay.settlement(day).delivery, self.replay.contracted(day)
        wanted, rows = self.scenario.metered(day), []
        for name, id_, shown in zip(
            self._names(delivery.participants), delivery.participants.tolist(), delivery.metered.tolist(), strict=True
        ):
            firm = contracted.get(id_, [0] * len(periods))
            for period, whole, left, had in zip(periods, wanted.get(name, shown), shown, firm, strict=True):
                if whole != left:
                    broken = max(0, min(abs(whole), had if whole > 0 else -had) - abs(left))
                    rows.append((name, period, max(0, whole - left), max(0, left - whole), broken))
        self._append(CUTS, rows)

    def _accounts(self) -> None:
        rows = []
        for member in self.replay.members.values():
            record = self.replay.ledger.record(member.id)
            deposited, withdrawn = self.replay.deposited[member.id], self.replay.withdrawn[member.id]
            closing = record.free + record.locked
            rows.append((self._name(member), member.kind, 0, deposited, withdrawn, closing, record.arrears))
        self._append("accounts.csv", rows)

    def _names(self, ids: Column) -> list[str]:
        names = {id_: self._name(member) for id_, member in self.replay.members.items()}
        return [names[id_] for id_ in ids.tolist()]

    def _name(self, member: Member) -> str:
        """The member's name; the market's own accounts, which have no key, go by their kind."""
        return self.names.get(member.account) or (member.kind if int(member.account, 16) == 0 else member.account)

    def _local(self, period: int) -> str:
        calendar = self.scenario.calendar
        return datetime.fromtimestamp(period * calendar.period_seconds, calendar.zone).strftime("%Y-%m-%d %H:%M")

    def _append(self, file: str, rows: Iterable[Sequence[Any]]) -> None:
        with (self.folder / file).open("a", newline="", encoding="utf-8") as stream:
            csv.writer(stream, lineterminator="\n").writerows(rows)
