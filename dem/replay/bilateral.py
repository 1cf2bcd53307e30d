"""Bilateral contracts (rule 8) as an outsider follows them."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dem.model.markets.bilateral import Contract, Contracts, Profile
from dem.model.positions import Trades
from dem.model.units import Money, UnitsPerWh, Wh
from dem.replay.events import OFFICE
from dem.replay.market import NOTHING, ROLLING, Forfeits, MarketReplay, Moved, differences

_EVERYBODY = 1 << 32
"""Above every member's number."""


class BilateralReplay(MarketReplay):
    """Follows the events of BilateralContracts; `contracts` is what it makes of them."""

    EVENTS = frozenset({"MarketOpened", "Concluded", "Ended", "Forfeited", "Booked"})
    IGNORED = OFFICE | {"Revoked"}  # what was signed and will never have an effect

    def __init__(self, periods_per_day: int) -> None:
        self.contracts = Contracts(periods_per_day)
        self._released: dict[int, dict[int, int]] = defaultdict(dict)
        self._forfeits: dict[int, tuple[int, int, Money]] = {}
        """By contract, what an ending takes from whom, for whom. All endings of a member's default come first, then
        what each of the others receives: all is given up at once."""
        self._received: list[int] = []
        """What the chain says that they receive; those that came."""

    def apply(self, name: str, args: Mapping[str, Any]) -> Moved:
        """Take an event of the contract."""
        match name:
            case "MarketOpened":
                self.contracts.first_weekday = args["firstWeekday"]
                self.contracts.window = args["window"]
            case "Concluded":
                return self._conclude(args)
            case "Ended":
                return self._end(args)
            case "Forfeited":
                return self._forfeit(args["number"], args["received"])
            case "Booked":
                self._released[args["day"]] |= self.contracts.book(args["day"], args["through"])
        return NOTHING

    def trades(self, day: int) -> Trades:
        """What the contracts deliver on a day that is not final."""
        return self.contracts.trades(day)

    def release(self, day: int) -> dict[int, int]:
        """Collateral by member that the first settlement of a day releases, or released; of who has any there."""
        contracts = self.contracts
        to_come = replace(contracts, booked=dict(contracts.booked)).book(day, _EVERYBODY)
        return self._released.get(day, {}) | to_come

    def held(self, day: int) -> dict[int, int]:
        """Collateral by member that is locked for contracts now: it goes from day to day."""
        return self.contracts.locked() if day == ROLLING else {}

    def forget(self, day: int) -> None:
        """The day is final."""
        self._released.pop(day, None)
        self.contracts.forget(day)

    def _forfeit(self, number: int, received: int) -> Moved:
        expected = [*self._forfeits][len(self._received) : len(self._received) + 1]
        if expected != [number]:
            return Moved([f"forfeit of contract {number}: the model has {expected or 'none'}"])
        self._received.append(received)
        if len(self._received) < len(self._forfeits):
            return NOTHING
        defaulters, others, amounts = zip(*self._forfeits.values(), strict=True)
        forfeits = Forfeits(defaulters[0], list(zip(others, amounts, strict=True)), self._received)
        self._forfeits, self._received = {}, []
        return Moved(forfeits=forfeits)

    def _conclude(self, args: Mapping[str, Any]) -> Moved:
        terms = args["terms"]
        contract = Contract(
            buyer=args["buyer"],
            seller=args["seller"],
            price=UnitsPerWh(terms["price"]),
            energy=Wh(terms["energy"]),
            first_period=terms["firstPeriod"],
            end_period=terms["endPeriod"],
            profile=Profile(terms["slots"], terms["weekdays"]),
            extra=UnitsPerWh(terms["extra"]),
            ceiling=UnitsPerWh(terms["ceiling"]),
        )
        model = self.contracts.conclude(args["number"], contract)
        sides = (args["buyer"], args["seller"])
        return Moved(
            differences(f"fullest day of contract {args['number']}", terms["fullest"], model.fullest),
            list(zip(sides, self.contracts.collateral(args["number"]), strict=True)),
        )

    def _end(self, args: Mapping[str, Any]) -> Moved:
        number, last_day, defaulter = args["number"], args["lastDay"], args["defaulter"]
        contract = self.contracts.standing.get(number)
        if contract is None:
            return Moved([f"end of contract {number}: chain day {last_day}, model: over already"])
        before = self.contracts.collateral(number)
        is_earlier = last_day * self.contracts.periods_per_day < contract.end_period
        forfeited = self.contracts.end(number, last_day, defaulter)
        freed = dict(
            zip((contract.buyer, contract.seller), _less(before, self.contracts.collateral(number)), strict=True)
        )
        if forfeited:
            other = contract.seller if defaulter == contract.buyer else contract.buyer
            freed[defaulter] -= forfeited
            self._forfeits[number] = defaulter, other, forfeited
        return Moved(
            [
                *differences(f"whether contract {number} ends earlier", True, is_earlier),
                *differences(f"what is forfeited of contract {number}", args["forfeited"], forfeited),
            ],
            [(id_, -money) for id_, money in freed.items() if money],
        )


def _less(before: tuple[int, int], after: tuple[int, int]) -> list[int]:
    return [had - has for had, has in zip(before, after, strict=True)]
