"""Checks a market from outside: its events through the reference model against its balances, to the unit."""

from collections.abc import Sequence
from dataclasses import dataclass

from dem.history import Balances
from dem.ledger import CLEARING_HOUSE
from dem.replay import Replay, Totals


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
        _energy(totals),
        _limits(totals),
        _floors(actual),
        _released(replay, actual),
    ]


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
    transfers = sum(replay.deposited.values()) - sum(replay.withdrawn.values())
    ok = held == transfers and actual.supply == held + replay.to_wallets
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


def _floors(actual: Balances) -> Check:
    below = [id_ for id_, account in actual.accounts.items() if account.free < -account.credit_limit]
    house = actual.accounts[CLEARING_HOUSE].free
    detail = f"accounts below their floor: {below or 'none'}; clearing house {house}"
    return Check("no balance below its floor, clearing house at zero", not below and house == 0, detail)


def _released(replay: Replay, actual: Balances) -> Check:
    locked = sum(account.locked for account in actual.accounts.values())
    still_open = sum(replay.open_collateral().values())
    return Check(
        "locked money is the collateral of open days, nothing else",
        locked == still_open,
        f"locked {locked}, open collateral {still_open}",
    )
