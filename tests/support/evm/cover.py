"""Rule 14.10, transaction by transaction: balances are covered, and what a settlement pays is there until it ends."""

from collections import Counter
from collections.abc import Sequence

from dem.model.ledger import CLEARING_HOUSE, FALLBACK_SUPPLIER, Account

from .chain import Event
from .market import Market


class Cover:
    """Listens to a market's transactions, and asserts."""

    def __init__(self, market: Market) -> None:
        self._replay = market.replay
        self._before: dict[int, int] = {}
        """By how much accounts were below their floors before the settlement under way, money units."""
        self._gave: Counter[int] = Counter()
        """What members have paid since it began, of arrears too."""
        self._arrears: Counter[int] = Counter()
        self._is_settling = False
        market.listeners.append(self._check)

    def _check(self, events: Sequence[Event]) -> None:
        accounts = self._replay.ledger.accounts
        for event in events:
            if event.name == "SettlementBegun":
                # A walk that begins anew, because a market is void, goes on with the settlement.
                if not self._is_settling:
                    self._gave.clear()
                self._is_settling = True
            self._note(event)
            if event.name == "DaySettled":
                self._is_settling = False
                for id_, account in accounts.items():
                    lacking, known = _missing(id_, account), self._before.get(id_, 0) + self._gave[id_]
                    assert lacking <= known, f"{id_} had spent what was taken back: {lacking} of {known}"
        if not self._is_settling:
            self._before = {id_: _missing(id_, account) for id_, account in accounts.items()}
            self._check_sums()

    def _note(self, event: Event) -> None:
        if event.name == "Posted":
            self._gave[event.args["id"]] += max(0, -event.args["amount"])
        if event.name == "ArrearsChanged":
            id_, arrears = event.args["id"], event.args["arrears"]
            self._gave[id_] += max(0, self._arrears[id_] - arrears)
            self._arrears[id_] = arrears

    def _check_sums(self) -> None:
        ledger, shortfalls = self._replay.ledger, self._replay.shortfalls
        owned = sum(max(0, account.free) + account.locked for account in ledger.accounts.values())
        credit = sum(min(account.credit_limit, max(0, -account.free)) for account in ledger.accounts.values())
        covered = ledger.supply() + credit + shortfalls.open_claims + shortfalls.set_aside
        assert owned <= covered, f"accounts have {owned}, covered are {covered}"


def _missing(id_: int, account: Account) -> int:
    is_house = id_ in (CLEARING_HOUSE, FALLBACK_SUPPLIER)
    return 0 if is_house else max(0, -account.credit_limit - account.free)
