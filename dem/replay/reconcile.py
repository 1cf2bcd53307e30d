"""Checks a market from outside: its events through the reference model against its balances, to the unit."""

from collections.abc import Sequence
from dataclasses import dataclass

from dem.model.ledger import CLEARING_HOUSE, Ledger
from dem.replay.record import Balances
from dem.replay.replay import Replay
from dem.replay.totals import Totals
from dem.replay.transfers import Transfers


@dataclass(frozen=True, slots=True)
class Check:
    """One invariant: whether it holds, and the numbers."""

    name: str
    ok: bool
    detail: str


def reconcile(replay: Replay, actual: Balances) -> list[Check]:
    """The invariants of the rules that can be told from a finished replay and the chain's balances."""
    totals = replay.totals()
    return [
        _no_differences("every price, fill, schedule and payment equals the reference model's", replay.differences),
        _balances(replay, actual),
        _supply(replay, actual),
        *check_totals(totals),
        _floors(replay, actual),
        _released(replay, actual),
    ]


def check_totals(totals: Totals) -> list[Check]:
    """The invariants of energy and of limits."""
    return [_energy(totals), _limits(totals)]


def check_money(ledger: Ledger, transfers: Transfers) -> Check:
    """Nothing else changes what all accounts hold together; without a chain there is no token to compare with."""
    held, moved = ledger.supply(), sum(transfers.deposited.values()) - sum(transfers.withdrawn.values())
    return Check("deposits - withdrawals = sum of all accounts", held == moved, f"accounts {held}, transfers {moved}")


def _no_differences(name: str, differences: Sequence[str]) -> Check:
    if not differences:
        return Check(name, True, "no difference")
    return Check(name, False, f"{len(differences)} differences, first: {differences[0]}")


def _balances(replay: Replay, actual: Balances) -> Check:
    wrong = [
        f"account {id_}: chain {account}, model {replay.ledger.record(id_)}"
        for id_, account in actual.accounts.items()
        if account != replay.ledger.record(id_)
    ]
    name = "every balance follows from the events alone"
    if wrong:
        return Check(name, False, f"{len(wrong)} accounts differ, first: {wrong[0]}")
    return Check(name, True, f"{len(actual.accounts)} accounts equal to the unit")


def _supply(replay: Replay, actual: Balances) -> Check:
    held = sum(account.free + account.locked for account in actual.accounts.values())
    transfers = sum(replay.transfers.deposited.values()) - sum(replay.transfers.withdrawn.values())
    ok = held == transfers and actual.supply == held + replay.transfers.to_wallets
    detail = f"supply {actual.supply}, accounts {held}, deposits - withdrawals {transfers}"
    return Check("token supply = deposits - withdrawals = sum of all accounts", ok, detail)


def _energy(totals: Totals) -> Check:
    """Sold = bought, contracted + imbalance = metered, and the fallback supplier covers the rest, per period."""
    detail = f"{totals.lost} Wh lost in {totals.periods} periods"
    return Check("sold = bought and contracted + imbalance = metered", totals.lost == 0, detail)


def _limits(totals: Totals) -> Check:
    """No order is filled beyond its size or at a price worse than its limit."""
    detail = f"{totals.wrong_fills} of {totals.orders} orders"
    return Check("no order is filled beyond its size or its limit", totals.wrong_fills == 0, detail)


def _floors(replay: Replay, actual: Balances) -> Check:
    """What was taken back of a day's payment and is not made good may take an account lower."""
    shortfalls, house = replay.shortfalls, actual.accounts[CLEARING_HOUSE].free
    below = [
        id_
        for id_, account in actual.accounts.items()
        if account.free + shortfalls.claim_of(id_) < -account.credit_limit
    ]
    detail = f"accounts below their floor: {below or 'none'}; clearing house {house}, set aside {shortfalls.set_aside}"
    name = "no balance below its floor, with the clearing house nothing but what is set aside"
    return Check(name, not below and house == shortfalls.set_aside, detail)


def _released(replay: Replay, actual: Balances) -> Check:
    locked = sum(account.locked for account in actual.accounts.values())
    still_open = sum(replay.open_collateral().values())
    return Check(
        "locked money is the collateral of open days, nothing else",
        locked == still_open,
        f"locked {locked}, open collateral {still_open}",
    )
