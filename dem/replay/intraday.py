"""The intraday market (rule 7) as an outsider follows it."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from dem.errors import IntradayError
from dem.model.markets.intraday import Event, IntradayDay, Terms, place_of
from dem.model.orders import Side
from dem.model.positions import Flexible, Trades
from dem.model.rules import MarketRules
from dem.replay.events import OFFICE
from dem.replay.market import NOTHING, MarketReplay, Moved


class IntradayReplay(MarketReplay):
    """Follows the contract's events: inputs feed the model, what must come of them is compared event by event.

    rules: the rules of a day.
    """

    EVENTS = frozenset(
        {
            "DayOpened",
            "Funded",
            "Defunded",
            "OrderCancelled",
            "OrderCrossed",
            "OrderRested",
            "OrderReturned",
            "Traded",
        }
    )
    # A pause stops new orders and a revocation those not brought; they move nothing.
    IGNORED = OFFICE | {"PauseFollowed", "MessagesRevoked"}

    def __init__(self, periods_per_day: int, rules: Callable[[int], MarketRules]) -> None:
        self.periods_per_day = periods_per_day
        self._rules = rules
        self.days: dict[int, IntradayDay] = {}
        self._expected: list[Event] = []

    def apply(self, name: str, args: Mapping[str, Any]) -> Moved:
        """Take an event of the contract."""
        if name not in self.EVENTS:
            return NOTHING
        sign = {"Funded": 1, "Defunded": -1}.get(name)
        return Moved(self._compare(Event(name, dict(args))), [(args["id"], sign * args["amount"])] if sign else ())

    def _compare(self, event: Event) -> list[str]:
        """What the model says otherwise."""
        if self._expected:
            expected = self._expected.pop(0)
            if expected == event:
                return []
            self._expected.clear()
            return [f"intraday event: chain {event}, model {expected}"]
        name, args = event
        if name == "DayOpened":
            prices = self._rules(args["day"]).prices
            terms = Terms(args["extra"], args["ceiling"], args["smallest"], prices)
            self.days[args["day"]] = IntradayDay(args["day"], terms)
            return []
        try:
            outcome = self._outcome(event)
        except IntradayError as error:
            return [f"intraday event: chain {event}, model {error}"]
        if not outcome or outcome[0] != event:
            return [f"intraday event: chain {event}, model {outcome[0] if outcome else None}"]
        self._expected = outcome[1:]
        return []

    def trades(self, day: int) -> Trades:
        """What was traded on a day, a row per trade and side."""
        rows = self.days[day].trades if day in self.days else []
        return Trades(*np.array(rows, np.int64).reshape(-1, len(Trades._fields)).T)

    def flexible(self, day: int) -> Flexible:
        """Energy sold back on a day, which may earn the premium: what a member sold beyond what it bought in a slot."""
        accounts = self.days[day].accounts if day in self.days else {}
        rows = [(id_, slot, -net) for id_, own in accounts.items() for slot, net in own.net.items() if net < 0]
        return Flexible(*np.array(rows, np.int64).reshape(-1, len(Flexible._fields)).T)

    def release(self, day: int) -> dict[int, int]:
        """Collateral by member that settling the day releases."""
        accounts = self.days[day].accounts if day in self.days else {}
        return {id_: account.funded for id_, account in accounts.items() if account.funded}

    def forget(self, day: int) -> None:
        """The day is final."""
        self.days.pop(day, None)

    def _outcome(self, event: Event) -> list[Event]:
        """What the model makes of an input: the event itself, then what must follow it."""
        name, args = event
        day = self.days.get(args["day"])
        if day is None:
            raise IntradayError("NotFunded", (args.get("id", 0), args["day"]))
        if name == "Funded":
            return day.fund(args["id"], args["amount"], args["limit"])
        if name == "Defunded":
            return day.defund(args["id"], args["amount"])
        if name == "OrderCancelled":
            return day.cancel(args["id"], args["number"])
        if name == "OrderCrossed":
            side = Side(args["isAsk"])
            return day.place(args["id"], args["slot"], side, args["tick"], args["energy"], args["maxFills"])
        if name == "OrderRested":
            slot, side, tick, _ = place_of(args["number"])
            return day.place(args["id"], slot, side, tick, args["energy"], 0)
        return []
