"""A newcomer's household: keys, settings and what its meter shows, made from nothing but a gateway's address."""

import csv
import json
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from dem.chain.accounts import PASSPHRASE, KeyAccount, make_keystore, write_secret
from dem.gateway.client import Client
from dem.roles.step import Day

_HOURS = (2, 2, 2, 2, 2, 3, 5, 6, 5, 4, 4, 5, 6, 5, 4, 4, 5, 7, 8, 8, 7, 5, 4, 3)
"""How much of a day's consumption falls into each hour; an invented household."""
_DAYS_A_YEAR = 365
_DAYS_BACK = 4
"""A day is settled two days after its orders at most."""


@dataclass(frozen=True)
class Newcomer:
    """The files of one household. gateway: address."""

    folder: Path
    gateway: str

    @property
    def household(self) -> Path:
        """Settings of its autopilot."""
        return self.folder / "household.toml"

    @property
    def meter(self) -> Path:
        """Settings of its meter."""
        return self.folder / "meter.toml"

    def make(self, annual_kwh: int, periods_per_day: int) -> None:
        """Write what is not there. annual_kwh: what the household draws, as its meter will show."""
        if self.household.exists() and self.meter.exists():
            return
        readings = self.folder / "readings.csv"
        if not readings.exists():
            self._write_readings(readings, annual_kwh, periods_per_day)
        meter = self._key("meter")
        self._key("account")
        peak = annual_kwh * 1_000 // _DAYS_A_YEAR
        about = {"import_capacity_wh": peak, "expected": readings.name, "meter": meter.address}
        self._write(self.meter, {"keystore": "keys/meter.json", "readings": readings.name})
        self._write(self.household, {"keystore": "keys/account.json", **about})

    @property
    def _passphrase(self) -> Path | None:
        """The environment's, if there is one."""
        return None if PASSPHRASE in os.environ else self.folder / "passphrase"

    def _key(self, name: str) -> KeyAccount:
        if self._passphrase is not None and not self._passphrase.exists():
            write_secret(self._passphrase, secrets.token_hex(32) + "\n")
        return make_keystore(self.folder / "keys" / f"{name}.json", self._passphrase)

    def _write(self, path: Path, record: dict[str, Any]) -> None:
        known = {} if self._passphrase is None else {"passphrase_file": self._passphrase.name}
        own = {"gateway": self.gateway, **known, **record}
        path.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in own.items()), encoding="utf-8")

    @staticmethod
    def _write_readings(path: Path, annual_kwh: int, periods_per_day: int) -> None:
        """One day, which is every day. Each period is rounded down."""
        path.parent.mkdir(parents=True, exist_ok=True)
        day_wh, all_hours = annual_kwh * 1_000 // _DAYS_A_YEAR, sum(_HOURS)
        with path.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(("day", "slot", "net_wh"))
            for slot in range(periods_per_day):
                hour = slot * len(_HOURS) // periods_per_day
                wh = day_wh * _HOURS[hour] * len(_HOURS) // (all_hours * periods_per_day)
                writer.writerow((1, slot, wh))


class Story:
    """What becomes of a newcomer, told once each. client: with its key."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._told: set[str] = set()
        self.settled: Day = 0
        """The last day that was settled on what its meter said."""

    def news(self) -> Iterator[str]:
        """Sentences about what has happened since the last time.

        Raises:
            RequestError: the gateway refuses.
        """
        self._client.log_in()
        number = self._client.participant
        if not number:
            yield from self._once("applied; the registrar has not admitted it yet")
            return
        own = self._client.get(f"/v1/members/{number}")
        yield from self._once(f"admitted as member {number}, from day {own['first_day']} on")
        if (balance := Decimal(own["balance"] or 0)) > 0:
            yield from self._once(f"has money: {balance:.2f}", "money")
        for day in self._days(int(own["first_day"])):
            if orders := self._client.get(f"/v1/members/{number}/orders", day=day):
                yield from self._once(f"day {day}: {len(orders)} orders in the book")
            rows = self._client.get(f"/v1/members/{number}/energy", first_day=day, last_day=day)
            is_measured = any(row["metered_wh"] and not row["is_estimated"] for row in rows)
            if is_measured:
                yield from self._once(f"day {day}: metered {sum(row['metered_wh'] for row in rows) / 1_000:.3f} kWh")
            for bill in self._client.get(f"/v1/members/{number}/settlements", first_day=day, last_day=day):
                self.settled = max(self.settled, day if is_measured else 0)
                paid, trade = Decimal(bill["paid"]), Decimal(bill["trade"])
                yield from self._once(f"day {day}: settled, to pay {paid:.2f} (trade {trade:.2f})")

    def _days(self, first: Day) -> range:
        newest = max((day["day"] for day in self._client.get("/v1/days")), default=0)
        return range(max(first, newest - _DAYS_BACK), newest + 2)

    def _once(self, sentence: str, mark: str = "") -> Iterator[str]:
        if (mark or sentence) not in self._told:
            self._told.add(mark or sentence)
            yield sentence
