"""Commissions, as their events tell: what is owed in which market, and what is posted."""

from collections.abc import Mapping

from dem.replay.events import Args
from dem.replay.intermediaries import IntermediariesReplay
from dem.replay.market import MarketReplay
from dem.replay.markets import Markets
from dem.replay.payments import Payments
from dem.replay.postings import Postings
from dem.replay.rules import Rules


class Commissions:
    """Compares commissions with the model's. found: where differences are noted."""

    def __init__(
        self,
        rules: Rules,
        markets: Markets,
        postings: Postings,
        payments: Payments,
        found: list[str],
    ) -> None:
        self.intermediaries = IntermediariesReplay(markets.periods_per_day, self.owed, rules.on)
        self._markets = markets
        self._postings = postings
        self._payments = payments
        self._found = found

    def owed(self, address: str, day: int) -> Mapping[int, int]:
        """Wh by member on which the market at an address secures a commission that is not collected."""
        market = self._market(address)
        return {} if market is None else market.owed(day)

    def _market(self, address: str) -> MarketReplay | None:
        return self._markets.by_contract.get(self._markets.at(address))

    def give_mandate(self, args: Args) -> None:
        """A MandateGiven."""
        self._found += self.intermediaries.apply("MandateGiven", args)

    def publish(self, args: Args) -> None:
        """A CommissionPublished."""
        self._found += self.intermediaries.apply("CommissionPublished", args)

    def pay(self, args: Args) -> None:
        """A CommissionPaid."""
        self._found += self.intermediaries.apply("CommissionPaid", args)
        market = self._market(args["market"])
        if market is not None:
            market.collect(args["day"], args["client"])
        self._postings.announced += self.intermediaries.postings(args)
        self._payments.add(args["client"], args["day"], "commission", -args["amount"])
        self._payments.add(args["intermediary"], args["day"], "commission", args["amount"])
