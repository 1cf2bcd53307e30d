"""Writes the output folder of a run: CSV tables in Wh and money units, see docs/outputs.md.

Everything comes from the replay of the chain's events; nothing is taken from what the driver meant to do.
"""

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from dem.clearing import Clearing
from dem.orders import Side
from dem.replay import Member, Replay
from dem.scenario import Scenario
from dem.settlement import MarketRules, Tariff, imbalance_price, mid_price
from dem.units import Wh, kwh, price_of, price_per_kwh

_SIDES = {Side.BID: "bid", Side.ASK: "ask"}


@dataclass(frozen=True, slots=True)
class RejectedOrder:
    """An order of a sheet that the chain refused, which is why no event tells of it but its sender does."""

    participant: str
    side: Side
    day: int
    slot: int
    tick: int
    energy: Wh
    reason: str


@dataclass(frozen=True, slots=True)
class Exporter:
    """Writes one run. names: what people call an account, by its address."""

    scenario: Scenario
    replay: Replay
    names: Mapping[str, str]
    rejected: Sequence[RejectedOrder]
    folder: Path

    def write(self, run: Mapping[str, Any]) -> None:
        """Write every table, and run.json with the scenario's facts and `run`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._participants()
        self._orders_and_fills()
        self._clearing()
        self._tariffs()
        self._readings()
        self._settlement()
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
        (self.folder / "run.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")

    def _participants(self) -> None:
        self._write(
            "participants.csv",
            ("participant", "kind", "import_capacity_wh", "export_capacity_wh"),
            (
                (self._name(m), m.kind, m.import_capacity or 0, m.export_capacity or 0)
                for m in self.replay.members.values()
            ),
        )

    def _orders_and_fills(self) -> None:
        orders, filled_rows = [], []
        filled = {
            (day, order.participant, order.layer, order.slot): energy
            for day in self.scenario.days
            for order, energy in self.replay.fills(day)
        }
        for number, record in enumerate(self.replay.books.records, start=1):
            order = record.order
            owner = self._name(self.replay.members[order.participant])
            orders.append(
                (
                    *self._order(number, owner, order.side, record.day, order.slot, order.tick, order.energy),
                    record.status,
                    "",
                )
            )
            energy = Wh(0)
            if record.status == "accepted":
                energy = filled[record.day, order.participant, order.layer, order.slot]
            price = self.replay.clearing(record.day)[order.slot].price
            amount = energy * price_of(price) if price is not None else 0
            filled_rows.append((number, energy, amount if order.side == Side.BID else -amount))
        for number, order_ in enumerate(self.rejected, start=len(orders) + 1):
            row = self._order(
                number, order_.participant, order_.side, order_.day, order_.slot, order_.tick, order_.energy
            )
            orders.append((*row, "rejected", order_.reason))
            filled_rows.append((number, Wh(0), 0))
        self._write(
            "orders.csv",
            (
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
            orders,
        )
        self._write("fills.csv", ("order", "filled_wh", "amount_units"), filled_rows)

    def _order(
        self, number: int, owner: str, side: Side, day: int, slot: int, tick: int, energy: int
    ) -> tuple[Any, ...]:
        period = self.scenario.periods(day)[slot]
        limit = price_per_kwh(price_of(tick))  # type: ignore[arg-type]
        return number, owner, _SIDES[side], period, tick, energy, self._local(period), limit, kwh(Wh(energy))

    def _clearing(self) -> None:
        rows = []
        for day in self.scenario.days:
            for period, clearing in zip(self.scenario.periods(day), self.replay.clearing(day), strict=True):
                price = "" if clearing.price is None else price_per_kwh(price_of(clearing.price))
                tick = "" if clearing.price is None else clearing.price
                rows.append((period, tick, clearing.volume, self._local(period), price, kwh(clearing.volume)))
        self._write(
            "clearing.csv",
            ("period", "price_ticks", "volume_wh", "start_local", "price_per_kwh", "volume_kwh"),
            rows,
        )

    def _tariffs(self) -> None:
        rows = []
        for day in self.scenario.days:
            for period, tariff in zip(self.scenario.periods(day), self.replay.tariffs(day), strict=True):
                people = (self._local(period), price_per_kwh(tariff.buy), price_per_kwh(tariff.sell))
                rows.append((period, tariff.buy, tariff.sell, *people))
        self._write(
            "tariffs.csv",
            ("period", "buy_units_per_wh", "sell_units_per_wh", "start_local", "buy_per_kwh", "sell_per_kwh"),
            rows,
        )

    def _readings(self) -> None:
        rows = []
        for day in self.scenario.days:
            metered = self.replay.metered(day)
            values = self.replay.readings.get(day, {})
            for id_ in sorted(metered):
                for slot, period in enumerate(self.scenario.periods(day)):
                    value = values.get(id_, [None] * len(metered[id_]))[slot]
                    status = "estimated" if value is None else value.status
                    name = self._name(self.replay.members[id_])
                    rows.append((name, period, metered[id_][slot], status, kwh(metered[id_][slot])))
        self._write("readings.csv", ("participant", "period", "metered_wh", "status", "metered_kwh"), rows)

    def _settlement(self) -> None:
        schedule, settlement, area = [], [], []
        for day in sorted(self.replay.settled_days):
            periods, result = self.scenario.periods(day), self.replay.settlement(day)
            rules, tariffs = self.replay.rules(day), self.replay.tariffs(day)
            for row in sorted(result.rows, key=lambda row: (row.participant, row.slot)):
                name, period = self._name(self.replay.members[row.participant]), periods[row.slot]
                schedule.append((name, period, row.contracted, kwh(row.contracted)))
                money = (row.trade, row.imbalance_units, row.fees, row.deviation)
                settlement.append((name, period, row.contracted, row.metered, row.imbalance, *money))
            for total, clearing, tariff in zip(result.areas, self.replay.clearing(day), tariffs, strict=True):
                area.append(
                    (
                        periods[total.slot],
                        total.imbalance,
                        _area_price(rules, total.imbalance, tariff, clearing),
                        total.imbalance,
                        total.fallback,
                        total.surplus + total.deviation,
                    )
                )
        self._write("schedule.csv", ("participant", "period", "contracted_wh", "contracted_kwh"), schedule)
        self._write(
            "settlement.csv",
            (
                "participant",
                "period",
                "contracted_wh",
                "metered_wh",
                "imbalance_wh",
                "trade_units",
                "imbalance_units",
                "fees_units",
                "deviation_units",
            ),
            settlement,
        )
        self._write(
            "area.csv",
            (
                "period",
                "imbalance_wh",
                "imbalance_price_units_per_wh",
                "fallback_wh",
                "fallback_units",
                "fund_units",
            ),
            area,
        )

    def _accounts(self) -> None:
        rows = []
        for member in self.replay.members.values():
            record = self.replay.ledger.record(member.id)
            deposited, withdrawn = self.replay.deposited[member.id], self.replay.withdrawn[member.id]
            closing = record.free + record.locked
            rows.append((self._name(member), member.kind, 0, deposited, withdrawn, closing, record.arrears))
        self._write(
            "accounts.csv",
            (
                "account",
                "kind",
                "opening_units",
                "deposited_units",
                "withdrawn_units",
                "closing_units",
                "arrears_units",
            ),
            rows,
        )

    def _name(self, member: Member) -> str:
        """The member's name; the market's own accounts, which have no key, go by their kind."""
        return self.names.get(member.account) or (member.kind if int(member.account, 16) == 0 else member.account)

    def _local(self, period: int) -> str:
        calendar = self.scenario.calendar
        return datetime.fromtimestamp(period * calendar.period_seconds, calendar.zone).strftime("%Y-%m-%d %H:%M")

    def _write(self, file: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        with (self.folder / file).open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows(rows)


def _area_price(rules: MarketRules, imbalance: Wh, tariff: Tariff, clearing: Clearing) -> int | str:
    """Price of being short in a short area, or long in a long one, units/Wh."""
    mid = mid_price(tariff, clearing.price)
    return imbalance_price(rules.imbalance_pricing, imbalance, imbalance, tariff, mid)
