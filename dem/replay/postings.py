"""Postings in the ledger, batch by batch.

A settling transaction posts batches that each end with the clearing house: when a walk begins, that of the fallback
supplier, and of the wholesale desk if it is owed penalties; then its members'; after the last member those of the fund,
the operator and the grid operator. The balancing fund's own batches begin with the fund. Commissions, escrows and late
reconciliations are announced posting by posting.
"""

from collections.abc import Callable

from dem.model.ledger import BALANCING_FUND, CLEARING_HOUSE, Ledger, Posting
from dem.model.units import Money
from dem.replay.events import Args
from dem.replay.market import differences


class Postings:
    """Compares what is posted with what was announced, and posts it in the model's ledger.

    offices: what is posted when nothing else is to come. found: where differences are noted.
    """

    def __init__(self, ledger: Ledger, offices: Callable[[], list[Posting]], found: list[str]) -> None:
        self.settled: list[Posting] = []
        """Of a settlement, still to come."""
        self.rewarded: list[Posting] = []
        """Of the balancing fund, still to come."""
        self.announced: list[Posting] = []
        """Of commissions, of an escrow or of a late reconciliation, still to come."""
        self.day = 0
        """The one being settled."""
        self._ledger = ledger
        self._offices = offices
        self._found = found
        self._moved: list[tuple[int, int, int]] = []
        self._collected: list[Posting] = []
        """Those of the announced ones that came."""

    def post(self, args: Args) -> None:
        """A Posted."""
        if self.announced:
            self._post_announced(Posting(args["id"], args["amount"], args["release"]))
            return
        if not self.settled and not self.rewarded:
            self.settled = self._offices()
        self._moved.append((args["id"], args["amount"], args["release"]))
        paid = self.rewarded or self.settled
        if len(self._moved) <= len(paid):
            return
        other_side = Money(-sum(posting.amount for posting in paid))
        fund, house = Posting(BALANCING_FUND, other_side), Posting(CLEARING_HOUSE, other_side)
        batch = [fund, *paid] if self.rewarded else [*paid, house]
        expected = [(posting.account, posting.amount, posting.release) for posting in batch]
        what = "postings of the balancing fund" if self.rewarded else f"postings of day {self.day}"
        self._found += differences(what, self._moved, expected)
        if self.rewarded:
            self._ledger.post(batch)
        else:
            self._ledger.post_day(batch)
        self._moved, self.settled, self.rewarded = [], [], []

    def _post_announced(self, posting: Posting) -> None:
        expected = self.announced.pop(0)
        self._found += differences("posting of a commission, an escrow or a late reconciliation", posting, expected)
        self._collected.append(expected)
        if not self.announced:
            self._ledger.post(self._collected)
            self._collected = []
