"""Intermediaries (rule 9) as an outsider follows them: mandates and commissions."""

from collections.abc import Callable, Mapping
from typing import Any

from dem.errors import require_range
from dem.model.ledger import Posting
from dem.model.markets.intermediaries import Intermediaries, Mandated, Payment, secured_commission
from dem.model.rules import MarketRules
from dem.model.units import Money, UnitsPerWh
from dem.replay.market import differences


class IntermediariesReplay:
    """Follows the events of Intermediaries.sol; it is no market, so it has payments instead of trades.

    owed: Wh by member on which the market at an address secures a commission of a day, by the model; nothing that is
        collected.
    rules: the rules of a day.
    """

    def __init__(
        self,
        periods_per_day: int,
        owed: Callable[[str, int], Mapping[int, int]],
        rules: Callable[[int], MarketRules],
    ) -> None:
        require_range("periods per day", periods_per_day, 1)
        self.model = Intermediaries()
        self._owed = owed
        self._rules = rules

    def apply(self, name: str, args: Mapping[str, Any]) -> list[str]:
        """Take an event; what the chain says otherwise than the model."""
        match name:
            case "MandateGiven":
                mandated = Mandated(args["intermediary"], args["share"])
                self.model.choose(args["client"], mandated, args["firstDay"], args["replacedFrom"])
            case "CommissionPublished":
                per_wh = UnitsPerWh(args["perWh"])
                self.model.publish(args["intermediary"], per_wh, args["firstDay"], args["replacedFrom"])
            case "CommissionPaid":
                return self._pay(args)
        return []

    def _pay(self, args: Mapping[str, Any]) -> list[str]:
        day, client = args["day"], args["client"]
        chain = tuple(args[name] for name in ("intermediary", "energy", "amount"))
        payment = next((own for own in self.due(args["market"], day) if own.client == client), None)
        model = payment and (payment.intermediary, payment.energy, payment.amount)
        return differences(f"commission of member {client} on day {day} in {args['market']}", chain, model)

    def due(self, market: str, day: int) -> list[Payment]:
        """Commissions of a booked day that have not been collected."""
        return self.model.payments(day, self._rules(day), self._owed(market, day))

    def postings(self, args: Mapping[str, Any]) -> list[Posting]:
        """What a CommissionPaid posts once its transaction has worked out all of them."""
        amount, secured = args["amount"], secured_commission(args["energy"], self._rules(args["day"]))
        return [Posting(args["client"], Money(-amount), secured), Posting(args["intermediary"], Money(amount))]
