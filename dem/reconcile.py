"""Checks a market from outside: its events through the reference model against its balances, to the unit."""

from collections.abc import Sequence
from dataclasses import dataclass

from dem.history import Balances
from dem.ledger import CLEARING_HOUSE
from dem.orders import Side
from dem.replay import Replay


@dataclass(frozen=True, slots=True)
class Check:
    """One invariant: whether it holds, and the numbers."""

    name: str
    ok: bool
    detail: str


def reconcile(replay: Replay, actual: Balances) -> list[Check]:
    """The invariants of the rules that can be told from a finished replay and the chain's balances."""
    return [
        _no_differences("every price, fill, schedule and payment equals the reference model's", replay.differences),
        _balances(replay, actual),
        _supply(replay, actual),
        _energy(replay),
        _limits(replay),
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


def _energy(replay: Replay) -> Check:
    """Sold = bought, contracted + imbalance = metered, and the fallback supplier covers the rest, per period."""
    lost = 0
    periods = 0
    for day in replay.settled_days:
        result = replay.settlement(day)
        contracted = [0] * replay.periods_per_day
        imbalance = [0] * replay.periods_per_day
        for row in result.rows:
            contracted[row.slot] += row.contracted
            imbalance[row.slot] += row.imbalance
            lost += abs(row.contracted + row.imbalance - row.metered)
        lost += sum(map(abs, contracted))
        lost += sum(abs(area.imbalance - imbalance[area.slot]) for area in result.areas)
        periods += len(result.areas)
    return Check(
        "sold = bought and contracted + imbalance = metered", lost == 0, f"{lost} Wh lost in {periods} periods"
    )


def _limits(replay: Replay) -> Check:
    """No order is filled beyond its size or at a price worse than its limit."""
    orders = wrong = 0
    for day in replay.settled_days:
        prices = [clearing.price for clearing in replay.clearing(day)]
        for order, filled in replay.fills(day):
            orders += 1
            price = prices[order.slot]
            is_better = price is not None and (price <= order.tick if order.side == Side.BID else price >= order.tick)
            wrong += not (0 <= filled <= order.energy and (is_better or filled == 0))
    return Check("no order is filled beyond its size or its limit", wrong == 0, f"{wrong} of {orders} orders")


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
