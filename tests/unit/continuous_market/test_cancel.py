import pytest
from support.once import once
from support.refusals import refused
from support.village import PERIOD, Member, Village, events
from web3.contract import Contract

from dem.model.markets.intraday import order_number
from dem.model.orders import Side

from .conftest import FUNDS, Send

NUMBER = order_number(7, Side.ASK, 100, 0)


@once
def resting(seller: Member, by: Send, funded: None) -> None:
    by(seller, "place", 1, 7, True, 100, 1_000, 0)


def test_frees_collateral_and_empties_the_price(intraday: Contract, seller: Member, by: Send, resting: None) -> None:
    receipt = by(seller, "cancel", 1, NUMBER)
    assert events(receipt, intraday, "OrderCancelled") == [
        {"id": seller.id, "day": 1, "number": NUMBER, "energy": 1_000}
    ]
    assert intraday.functions.accountOf(seller.id, 1).call()[1] == FUNDS
    assert intraday.functions.prices(1, 7, True).call() == []
    assert intraday.functions.ordersAt(1, 7, True, 100).call() == []


def test_frees_what_is_left_of_an_order(
    intraday: Contract, buyer: Member, seller: Member, by: Send, resting: None
) -> None:
    by(buyer, "place", 1, 7, False, 100, 400, 1)
    receipt = by(seller, "cancel", 1, NUMBER)
    assert events(receipt, intraday, "OrderCancelled")[0]["energy"] == 600


def test_a_suspended_member_cancels(
    village: Village, registry: Contract, seller: Member, by: Send, resting: None
) -> None:
    village.send("registrar", registry, "suspend", seller.id)
    by(seller, "cancel", 1, NUMBER)


def test_an_expired_orders_collateral_serves_again(
    village: Village, intraday: Contract, seller: Member, by: Send, resting: None
) -> None:
    village.wait_until(village.calendar.start_of(1) + 8 * PERIOD)
    by(seller, "cancel", 1, NUMBER)
    assert intraday.functions.accountOf(seller.id, 1).call()[1] == FUNDS


@pytest.mark.parametrize("number", [0, NUMBER + 1, NUMBER + 3, NUMBER + (1 << 32), NUMBER | 1 << 63])
def test_reverts_when_there_is_no_such_order(seller: Member, by: Send, resting: None, number: int) -> None:
    with refused("NoSuchOrder", day=1, number=number):
        by(seller, "cancel", 1, number)


def test_reverts_when_the_order_is_gone(buyer: Member, seller: Member, by: Send, resting: None) -> None:
    by(buyer, "place", 1, 7, False, 100, 1_000, 1)
    with refused("NoSuchOrder", day=1, number=NUMBER):
        by(seller, "cancel", 1, NUMBER)


def test_reverts_when_the_order_is_somebody_elses(buyer: Member, seller: Member, by: Send, resting: None) -> None:
    with refused("NotOwner", id=buyer.id, owner=seller.id):
        by(buyer, "cancel", 1, NUMBER)


def test_reverts_when_the_member_has_funded_nothing(seller: Member, by: Send, opened: None) -> None:
    with refused("NotFunded", account=seller.account, day=1):
        by(seller, "cancel", 1, NUMBER)
