"""Bilateral contracts: who delivers what to whom on which day, and what both sides have locked for it.

The reference model of rule 8, in plain integers and days counted one by one.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice

import numpy as np

from dem.errors import require_range
from dem.model.positions import Trades
from dem.model.units import Money, UnitsPerWh, Wh

DAYS_A_WEEK = 7
ALL_WEEKDAYS = (1 << DAYS_A_WEEK) - 1
WORKING_DAYS = (1 << 5) - 1
"""Monday to Friday."""

_NO_COLLATERAL = (Money(0), Money(0))


@dataclass(frozen=True, slots=True)
class Profile:
    """When a contract delivers: bitmaps of a day's periods, and of weekdays from Monday on."""

    slots: int
    weekdays: int = ALL_WEEKDAYS

    @staticmethod
    def between(first_slot: int, end_slot: int, weekdays: int = ALL_WEEKDAYS) -> "Profile":
        """All periods from the first to the one before the end.

        Raises:
            InputError: the end is not after the first.
        """
        require_range("end slot", end_slot, first_slot + 1)
        return Profile((1 << end_slot) - (1 << first_slot), weekdays)

    @staticmethod
    def base(periods_per_day: int) -> "Profile":
        """Base load: every period of every day."""
        return Profile.between(0, periods_per_day)

    @staticmethod
    def peak(periods_per_day: int) -> "Profile":
        """Peak load: from 8 to 20 o'clock, Monday to Friday, holidays or not.

        Raises:
            InputError: periods that do not begin at the full hours.
        """
        require_range("periods of a day beyond whole hours", periods_per_day % 24, 0, 0)
        per_hour = periods_per_day // 24
        return Profile.between(8 * per_hour, 20 * per_hour, WORKING_DAYS)


@dataclass(frozen=True, slots=True)
class Contract:
    """One contract; price, extra and ceiling in units/Wh, energy in Wh per period.

    extra: what a buyer may have to pay besides the price. ceiling: what replacing energy may cost (rule 5.4).

    Periods count from the market's opening, end_period is the one after the last; `fullest` is how many the fullest day
    has of those it was concluded for.
    """

    buyer: int
    seller: int
    price: UnitsPerWh
    energy: Wh
    first_period: int
    end_period: int
    profile: Profile
    extra: UnitsPerWh
    ceiling: UnitsPerWh
    fullest: int = 0

    @property
    def per_day(self) -> tuple[Money, Money]:
        """What the fullest day may cost buyer and seller at worst.

        A seller who delivers nothing buys its energy back from the fallback supplier and pays the deviation charge and
        fees, less the price it is sure to get.
        """
        energy = self.energy * self.fullest
        return Money(energy * max(0, self.price + self.extra)), Money(energy * max(0, self.ceiling - self.price))


def window_of(day_length: int, gate_lead: int, metering_lag: int) -> int:
    """Days that collateral covers: those that can be committed and unpaid at once, one to see it, and one to forfeit.

    A day is committed from its gate until its readings are due, both included. Arguments in seconds.
    """
    return (gate_lead + day_length + metering_lag) // day_length + 3


def is_in_default(arrears: Money, since: int, now: int, day_length: int) -> bool:
    """Whether booking a member ends its contracts: it has been in arrears for half a day. Times in seconds."""
    return arrears > 0 and now >= since + day_length // 2


@dataclass(slots=True)
class Contracts:
    """All contracts that are not over, by number, and which days are booked for members up to which number."""

    periods_per_day: int
    first_weekday: int = 0
    window: int = 0
    standing: dict[int, Contract] = field(default_factory=dict)
    booked: dict[int, int] = field(default_factory=dict)
    last_final: int = 0

    def slots(self, contract: Contract, day: int) -> int:
        """The periods of a day in which a contract delivers, a bit each."""
        weekday = (self.first_weekday + day - 1) % DAYS_A_WEEK
        if not contract.profile.weekdays >> weekday & 1:
            return 0
        begin = (day - 1) * self.periods_per_day
        low, high = (min(max(0, p - begin), self.periods_per_day) for p in (contract.first_period, contract.end_period))
        return contract.profile.slots & (1 << high) - (1 << low) if low < high else 0

    def days(self, contract: Contract, first_day: int = 1) -> Iterator[int]:
        """The days on which a contract delivers, from a day on."""
        begin = max(first_day, contract.first_period // self.periods_per_day + 1)
        end = -(-contract.end_period // self.periods_per_day)
        return (day for day in range(begin, end + 1) if self.slots(contract, day))

    def conclude(self, number: int, contract: Contract) -> Contract:
        """Take a new contract; returns it with the periods of its fullest day."""
        # Only the first and the last day can be cut short: of three or more the second is whole.
        days = islice(self.days(contract), 2)
        fullest = max((self.slots(contract, day).bit_count() for day in days), default=0)
        self.standing[number] = replace(contract, fullest=fullest)
        return self.standing[number]

    def end(self, number: int, last_day: int, defaulter: int = 0) -> Money:
        """Let a contract deliver up to a day and no longer; returns what a defaulter forfeits to the other side.

        That is a day's worth of the collateral which the defaulter does not need any more, if there is any.
        """
        contract, before = self.standing[number], self.collateral(number)
        self.standing[number] = replace(contract, end_period=last_day * self.periods_per_day)
        sides = zip((contract.buyer, contract.seller), contract.per_day, before, self.collateral(number), strict=True)
        return Money(sum(min(per_day, had - has) for id_, per_day, had, has in sides if id_ == defaulter))

    def collateral(self, number: int) -> tuple[Money, Money]:
        """What is locked for a contract, of buyer and seller: a day's worth for each day to come, up to the window."""
        contract = self.standing.get(number)
        if contract is None:
            return _NO_COLLATERAL
        buyer, seller = contract.per_day
        buyers, sellers = self._covered(contract, contract.buyer), self._covered(contract, contract.seller)
        return Money(buyer * buyers), Money(seller * sellers)

    def locked(self) -> dict[int, int]:
        """Collateral by member, who has any."""
        found: dict[int, int] = defaultdict(int)
        for number, contract in self.standing.items():
            buyer, seller = self.collateral(number)
            found[contract.buyer] += buyer
            found[contract.seller] += seller
        return {id_: money for id_, money in found.items() if money}

    def book(self, day: int, through: int) -> dict[int, int]:
        """Book a day for members up to a number; returns the collateral that releases, by member."""
        fresh = range(self.booked.get(day, 0) + 1, through + 1)
        touched = [
            (id_, contract, per_day, self._covered(contract, id_))
            for contract in self.standing.values()
            if self.slots(contract, day)
            for id_, per_day in zip((contract.buyer, contract.seller), contract.per_day, strict=True)
            if id_ in fresh
        ]
        self.booked[day] = max(self.booked.get(day, 0), through)
        released: dict[int, int] = defaultdict(int)
        for id_, contract, per_day, before in touched:
            released[id_] += per_day * (before - self._covered(contract, id_))
        return {id_: money for id_, money in released.items() if money}

    def trades(self, day: int) -> Trades:
        """What all contracts deliver on a day."""
        rows: list[tuple[int, int, int, int, int]] = []
        for contract in self.standing.values():
            value = contract.energy * contract.price
            slots = self.slots(contract, day)
            for slot in (slot for slot in range(slots.bit_length()) if slots >> slot & 1):
                rows.append((contract.buyer, slot, contract.energy, 0, value))
                rows.append((contract.seller, slot, 0, contract.energy, -value))
        return Trades(*np.array(rows, np.int64).reshape(-1, len(Trades._fields)).T)

    def forget(self, day: int) -> None:
        """A day and those before are final: what ended with them is over."""
        self.last_final = max(self.last_final, day)
        for booked in [booked for booked in self.booked if booked <= day]:
            del self.booked[booked]
        end = day * self.periods_per_day
        self.standing = {number: contract for number, contract in self.standing.items() if contract.end_period > end}

    def _covered(self, contract: Contract, id_: int) -> int:
        """Days that a side's collateral covers now."""
        to_come = (day for day in self.days(contract, self.last_final + 1) if self.booked.get(day, 0) < id_)
        return len(list(islice(to_come, self.window)))
