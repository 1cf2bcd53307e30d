from support.refusals import refused
from support.village import (
    CAPACITY,
    CEILING,
    DEPOSIT,
    FEES,
    PERIOD,
    PERIODS,
    RULES,
    SUSPENDED,
    Member,
    Village,
    events,
)
from web3.contract import Contract

from .conftest import FUNDS, Send


def test_locks_money_for_a_day(village: Village, intraday: Contract, buyer: Member, by: Send, opened: None) -> None:
    receipt = by(buyer, "fund", 1, FUNDS)
    assert village.account(buyer) == (DEPOSIT - FUNDS, FUNDS, 0, 0)
    assert intraday.functions.accountOf(buyer.id, 1).call() == (FUNDS, FUNDS, 0, 0, 2 * CAPACITY)
    assert events(receipt, intraday, "DayOpened") == [
        {"day": 1, "extra": FEES, "ceiling": CEILING, "smallest": RULES.min_order_energy}
    ]
    assert events(receipt, intraday, "Funded") == [{"id": buyer.id, "day": 1, "amount": FUNDS, "limit": 2 * CAPACITY}]


def test_adds_to_what_is_there(village: Village, intraday: Contract, buyer: Member, by: Send, funded: None) -> None:
    by(buyer, "fund", 1, 5)
    assert intraday.functions.accountOf(buyer.id, 1).call()[:2] == (FUNDS + 5, FUNDS + 5)


def test_reverts_before_the_day_ahead_gate(village: Village, buyer: Member, by: Send, plugged: None) -> None:
    opens_at = village.calendar.gate_closes_at(1)
    with refused("NotOpenYet", day=1, opensAt=opens_at, time=village.now):
        by(buyer, "fund", 1, 5)


def test_reverts_after_the_last_gate(village: Village, buyer: Member, by: Send, plugged: None) -> None:
    closed_at = village.calendar.start_of(1) + (PERIODS - 1) * PERIOD
    village.wait_until(closed_at)
    with refused("GateClosed", day=1, slot=PERIODS - 1, closedAt=closed_at, time=village.now):
        by(buyer, "fund", 1, 5)


def test_reverts_when_the_market_is_not_plugged_in(
    village: Village, intraday: Contract, buyer: Member, by: Send
) -> None:
    village.wait_until(village.calendar.gate_closes_at(1))
    with refused("DayDoesNotCount", market=intraday.address, day=1):
        by(buyer, "fund", 1, 5)


def test_reverts_for_a_day_that_trades_before_the_market_counts(
    village: Village, intraday: Contract, buyer: Member, by: Send
) -> None:
    """Nothing would release what is locked for it."""
    village.send("council", village.market.contract("Schedule"), "addMarket", intraday.address, 2)
    start = max(village.calendar.opens_at(2), village.calendar.gate_closes_at(1))
    village.wait_until(start)
    with refused("DayDoesNotCount", market=intraday.address, day=1):
        by(buyer, "fund", 1, 5)
    village.wait_until(village.calendar.gate_closes_at(2))
    by(buyer, "fund", 2, 5)


def test_reverts_when_the_member_is_suspended(
    village: Village, registry: Contract, buyer: Member, by: Send, opened: None
) -> None:
    village.send("registrar", registry, "suspend", buyer.id)
    with refused("WrongStatus", account=buyer.account, status=SUSPENDED):
        by(buyer, "fund", 1, 5)


def test_reverts_without_enough_money(village: Village, buyer: Member, by: Send, opened: None) -> None:
    with refused("InsufficientFunds", id=buyer.id, needed=DEPOSIT + 1, available=DEPOSIT):
        by(buyer, "fund", 1, DEPOSIT + 1)


def test_reverts_when_the_storage_is_still_in_use(village: Village, buyer: Member, by: Send, plugged: None) -> None:
    village.wait_until(village.calendar.gate_closes_at(9))
    with refused("DayStillOpen", day=1, lastFinal=0):
        by(buyer, "fund", 9, 5)
