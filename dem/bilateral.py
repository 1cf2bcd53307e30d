"""Bilateral contracts: who delivers what to whom on which day, and what both sides have locked for it.

The reference model of rule 8, in plain integers and days counted one by one, and the outsider who follows the events of
the contracts with it.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

import numpy as np

from dem.errors import require_range
from dem.settlement import Trades
from dem.units import Money, UnitsPerWh, Wh

DAYS_A_WEEK = 7
ALL_WEEKDAYS = (1 << DAYS_A_WEEK) - 1
WORKING_DAYS = (1 << 5) - 1
"""Monday to Friday."""

_EVERYBODY = 1 << 32
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
    """One contract; price, fees and ceiling (what replacing energy may cost) in units/Wh, energy in Wh per period.

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
    fees: UnitsPerWh
    ceiling: UnitsPerWh
    fullest: int = 0

    @property
    def per_day(self) -> tuple[Money, Money]:
        """What the fullest day may cost buyer and seller at worst.

        A seller who delivers nothing buys its energy back from the fallback supplier and pays the deviation charge and
        fees, less the price it is sure to get.
        """
        energy = self.energy * self.fullest
        return Money(energy * (self.price + self.fees)), Money(energy * max(0, self.ceiling - self.price))


def window_of(day_length: int, gate_lead: int, metering_lag: int) -> int:
    """Days that collateral covers: those that can be committed and unpaid at once, and one to react.

    A day is committed from its gate until its readings are due. Arguments in seconds.
    """
    return -(-(gate_lead + day_length + metering_lag) // day_length) + 1


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

    def end(self, number: int, last_day: int) -> None:
        """Let a contract deliver up to a day and no longer."""
        self.standing[number] = replace(self.standing[number], end_period=last_day * self.periods_per_day)

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


class BilateralReplay:
    """Follows the events of BilateralContracts; `contracts` is what it makes of them."""

    def __init__(self, periods_per_day: int) -> None:
        self.contracts = Contracts(periods_per_day)
        self._released: dict[int, dict[int, int]] = defaultdict(dict)

    def apply(self, name: str, args: Mapping[str, Any]) -> list[str]:
        """Take an event; returns how what it claims differs from the model."""
        handler: Callable[[Mapping[str, Any]], list[str]] | None = getattr(self, f"_on_{name}", None)
        return handler(args) if handler else []

    def trades(self, day: int) -> Trades:
        """What the contracts deliver on a day that is not final."""
        return self.contracts.trades(day)

    def release(self, day: int) -> dict[int, int]:
        """Collateral by member that the first settlement of a day releases, or released; of who has any there."""
        contracts = self.contracts
        to_come = replace(contracts, booked=dict(contracts.booked)).book(day, _EVERYBODY)
        return self._released.get(day, {}) | to_come

    def locked(self) -> dict[int, int]:
        """Collateral by member that is locked for contracts now."""
        return self.contracts.locked()

    def forget(self, day: int) -> None:
        """The day is final."""
        self._released.pop(day, None)
        self.contracts.forget(day)

    def _on_MarketOpened(self, args: Mapping[str, Any]) -> list[str]:  # noqa: N802
        self.contracts.first_weekday = args["firstWeekday"]
        self.contracts.window = args["window"]
        return []

    def _on_Concluded(self, args: Mapping[str, Any]) -> list[str]:  # noqa: N802
        terms = args["terms"]
        contract = Contract(
            buyer=args["buyer"],
            seller=args["seller"],
            price=UnitsPerWh(terms["price"]),
            energy=Wh(terms["energy"]),
            first_period=terms["firstPeriod"],
            end_period=terms["endPeriod"],
            profile=Profile(terms["slots"], terms["weekdays"]),
            fees=UnitsPerWh(terms["fees"]),
            ceiling=UnitsPerWh(terms["ceiling"]),
        )
        model = self.contracts.conclude(args["number"], contract)
        return _differences(f"fullest day of contract {args['number']}", terms["fullest"], model.fullest)

    def _on_Ended(self, args: Mapping[str, Any]) -> list[str]:  # noqa: N802
        number, last_day = args["number"], args["lastDay"]
        contract = self.contracts.standing.get(number)
        if contract is None:
            return [f"end of contract {number}: chain day {last_day}, model: over already"]
        is_earlier = last_day * self.contracts.periods_per_day < contract.end_period
        self.contracts.end(number, last_day)
        return _differences(f"whether contract {number} ends earlier", True, is_earlier)

    def _on_Booked(self, args: Mapping[str, Any]) -> list[str]:  # noqa: N802
        self._released[args["day"]] |= self.contracts.book(args["day"], args["through"])
        return []


def _differences(what: str, chain: object, model: object) -> list[str]:
    return [] if chain == model else [f"{what}: chain {chain}, model {model}"]
