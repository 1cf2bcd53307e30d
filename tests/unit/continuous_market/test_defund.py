from support.refusals import refused
from support.village import DEPOSIT, FEES, PERIOD, PERIODS, Member, Village, events
from web3.contract import Contract

from .conftest import FUNDS, Send


def test_gives_back_what_is_available(
    village: Village, intraday: Contract, buyer: Member, by: Send, funded: None
) -> None:
    receipt = by(buyer, "defund", 1, FUNDS)
    assert village.account(buyer) == (DEPOSIT, 0, 0, 0)
    assert events(receipt, intraday, "Defunded") == [{"id": buyer.id, "day": 1, "amount": FUNDS}]


def test_a_suspended_member_takes_its_money_back(
    village: Village, registry: Contract, buyer: Member, by: Send, funded: None
) -> None:
    village.send("registrar", registry, "suspend", buyer.id)
    by(buyer, "defund", 1, FUNDS)
    assert village.locked(buyer) == 0


def test_reverts_when_orders_need_it(village: Village, buyer: Member, by: Send, funded: None) -> None:
    by(buyer, "place", 1, 7, False, 100, 1_000, 0)
    available = FUNDS - 1_000 * (100 * 100 + FEES)
    with refused("InsufficientCollateral", id=buyer.id, needed=available + 1, available=available):
        by(buyer, "defund", 1, available + 1)


def test_reverts_when_nothing_was_funded(buyer: Member, by: Send, opened: None) -> None:
    with refused("NotFunded", account=buyer.account, day=1):
        by(buyer, "defund", 1, 0)


def test_reverts_after_the_last_gate(village: Village, buyer: Member, by: Send, funded: None) -> None:
    closed_at = village.calendar.start_of(1) + (PERIODS - 1) * PERIOD
    village.wait_until(closed_at)
    with refused("GateClosed", day=1, slot=PERIODS - 1, closedAt=closed_at, time=village.now):
        by(buyer, "defund", 1, 5)
