import pytest
from support.once import once
from support.refusals import refused
from support.signed import intraday as signed
from support.signed import signed_lanes
from support.village import CAPACITY, CEILING, FEES, PERIOD, PERIODS, Member, Village, events
from web3.contract import Contract

from dem.messages.orders import IntradayFunding, IntradayOrder
from dem.model.markets.intraday import MAX_SKIPS, order_number
from dem.model.orders import Side

from .conftest import FUNDS, Send


def number(side: Side, tick: int, position: int = 0) -> int:
    return order_number(7, side, tick, position)


def test_an_order_rests_and_draws_collateral(
    village: Village, intraday: Contract, seller: Member, by: Send, funded: None
) -> None:
    receipt = by(seller, "place", 1, 7, True, 100, 1_000, 20)
    resting = number(Side.ASK, 100)
    assert events(receipt, intraday, "OrderRested") == [{"id": seller.id, "day": 1, "number": resting, "energy": 1_000}]
    assert intraday.functions.ordersAt(1, 7, True, 100).call() == [(resting, seller.id, 1_000)]
    assert intraday.functions.prices(1, 7, True).call() == [100]
    assert intraday.functions.accountOf(seller.id, 1).call()[1] == FUNDS - 1_000 * (CEILING - 100 * 100)


def test_trades_at_the_resting_orders_price_and_rests_with_what_is_left(
    village: Village, intraday: Contract, buyer: Member, seller: Member, by: Send, funded: None
) -> None:
    by(seller, "place", 1, 7, True, 100, 1_000, 0)
    receipt = by(buyer, "place", 1, 7, False, 120, 1_500, 20)
    crossed = {"id": buyer.id, "day": 1, "slot": 7, "isAsk": False, "tick": 120, "energy": 1_500, "maxFills": 20}
    assert events(receipt, intraday, "OrderCrossed") == [crossed]
    assert events(receipt, intraday, "Traded") == [
        {"maker": seller.id, "taker": buyer.id, "day": 1, "number": number(Side.ASK, 100), "energy": 1_000}
    ]
    rested = {"id": buyer.id, "day": 1, "number": number(Side.BID, 120), "energy": 500}
    assert events(receipt, intraday, "OrderRested") == [rested]
    assert intraday.functions.prices(1, 7, True).call() == []
    available = FUNDS - 1_000 * (100 * 100 + FEES) - 500 * (120 * 100 + FEES)
    account = (FUNDS, available, 10_000_000, 1_000, 2 * CAPACITY)
    assert intraday.functions.accountOf(buyer.id, 1).call() == account
    assert intraday.functions.netOf(buyer.id, 1, 1).call() == signed_lanes(0, 1_000, 0, 0, 0, 0)
    assert intraday.functions.netOf(seller.id, 1, 1).call() == signed_lanes(0, -1_000, 0, 0, 0, 0)


def test_at_the_bound_the_rest_is_returned(
    intraday: Contract, buyer: Member, seller: Member, by: Send, funded: None
) -> None:
    for _ in range(2):
        by(seller, "place", 1, 7, True, 100, 100, 0)
    receipt = by(buyer, "place", 1, 7, False, 100, 200, 1)
    assert events(receipt, intraday, "OrderReturned") == [{"id": buyer.id, "day": 1, "energy": 100}]
    assert intraday.functions.prices(1, 7, False).call() == []


def test_an_order_of_its_own_gives_way(intraday: Contract, buyer: Member, by: Send, funded: None) -> None:
    by(buyer, "place", 1, 7, True, 100, 100, 0)
    receipt = by(buyer, "place", 1, 7, False, 100, 50, 1)
    assert events(receipt, intraday, "OrderCancelled") == [
        {"id": buyer.id, "day": 1, "number": number(Side.ASK, 100), "energy": 100}
    ]
    assert events(receipt, intraday, "Traded") == []
    assert intraday.functions.prices(1, 7, True).call() == []


@once
def emptied(buyer: Member, seller: Member, by: Send, funded: None) -> None:
    """The seller's best asks are gone: five at one price, one at another."""
    for _ in range(5):
        by(seller, "place", 1, 7, True, 100, 10, 0)
    by(seller, "place", 1, 7, True, 101, 10, 0)
    by(seller, "place", 1, 7, True, 103, 10, 0)
    for n in range(5):
        by(seller, "cancel", 1, number(Side.ASK, 100, n))
    by(seller, "cancel", 1, number(Side.ASK, 101))


def test_an_order_that_must_not_trade_rests_where_only_empty_prices_are_in_its_way(
    intraday: Contract, buyer: Member, by: Send, emptied: None
) -> None:
    assert intraday.functions.prices(1, 7, True).call() == [103]
    receipt = by(buyer, "place", 1, 7, False, 102, 10, 0)
    assert len(events(receipt, intraday, "OrderRested")) == 1
    assert events(receipt, intraday, "OrderReturned") == []
    assert intraday.functions.prices(1, 7, False).call() == [102]


def test_empty_prices_use_up_no_fill(intraday: Contract, buyer: Member, by: Send, emptied: None) -> None:
    receipt = by(buyer, "place", 1, 7, False, 103, 10, 1)
    assert [event["number"] for event in events(receipt, intraday, "Traded")] == [number(Side.ASK, 103)]


def test_an_order_that_must_not_trade_is_returned_where_it_would(
    intraday: Contract, buyer: Member, by: Send, emptied: None
) -> None:
    receipt = by(buyer, "place", 1, 7, False, 103, 10, 0)
    assert events(receipt, intraday, "OrderReturned") == [{"id": buyer.id, "day": 1, "energy": 10}]
    assert intraday.functions.prices(1, 7, True).call() == [103]


def test_after_so_many_empty_prices_the_rest_is_returned_and_the_next_order_goes_on(
    village: Village, intraday: Contract, buyer: Member, seller: Member, by: Send, funded: None
) -> None:
    send_many, ticks = village.market.chain.send_many, range(4_000 - MAX_SKIPS, 4_001)
    send_many(seller.sender, intraday, [("place", (1, 7, True, tick, 10, 0)) for tick in ticks])
    send_many(seller.sender, intraday, [("cancel", (1, number(Side.ASK, tick))) for tick in ticks])
    assert intraday.functions.prices(1, 7, True).call() == []
    receipt = by(buyer, "place", 1, 7, False, 4_000, 10, 1)
    assert events(receipt, intraday, "OrderReturned") == [{"id": buyer.id, "day": 1, "energy": 10}]
    receipt = by(buyer, "place", 1, 7, False, 4_000, 10, 0)
    assert len(events(receipt, intraday, "OrderRested")) == 1


def test_reverts_when_the_periods_gate_has_closed(village: Village, buyer: Member, by: Send, funded: None) -> None:
    closed_at = village.calendar.start_of(1) + 7 * PERIOD
    village.wait_until(closed_at)
    with refused("GateClosed", day=1, slot=7, closedAt=closed_at, time=village.now):
        by(buyer, "place", 1, 7, False, 100, 100, 0)
    by(buyer, "place", 1, 8, False, 100, 100, 0)


def test_reverts_before_the_day_ahead_gate(village: Village, buyer: Member, by: Send, plugged: None) -> None:
    with refused("NotOpenYet", day=1, opensAt=village.calendar.gate_closes_at(1), time=village.now):
        by(buyer, "place", 1, 7, False, 100, 100, 0)


@pytest.mark.parametrize("day", [0, 65_536])
def test_reverts_when_there_is_no_such_day(buyer: Member, by: Send, day: int) -> None:
    with refused("NoSuchDay", day=day):
        by(buyer, "place", day, 7, False, 100, 100, 0)


def test_reverts_when_there_is_no_such_slot(buyer: Member, by: Send, funded: None) -> None:
    with refused("NoSuchSlot", slot=PERIODS, slots=PERIODS):
        by(buyer, "place", 1, PERIODS, False, 100, 100, 0)


def test_reverts_when_there_is_no_such_tick(buyer: Member, by: Send, funded: None) -> None:
    with refused("NoSuchTick", tick=4_096, highest=4_095):
        by(buyer, "place", 1, 7, False, 4_096, 100, 0)


@pytest.mark.parametrize("change", ["suspend", "exit"])
def test_reverts_when_the_member_is_suspended_or_has_left(
    village: Village, registry: Contract, buyer: Member, by: Send, funded: None, change: str
) -> None:
    village.send("registrar", registry, change, buyer.id)
    with refused("MemberBarred", id=buyer.id):
        by(buyer, "place", 1, 7, False, 100, 100, 0)


def test_a_member_that_is_reinstated_orders_again(
    village: Village, registry: Contract, buyer: Member, by: Send, funded: None
) -> None:
    for change in ("suspend", "reinstate"):
        village.send("registrar", registry, change, buyer.id)
    by(buyer, "place", 1, 7, False, 100, 100, 0)


def test_reverts_when_the_day_is_not_funded(buyer: Member, by: Send, opened: None) -> None:
    with refused("NotFunded", account=buyer.account, day=1):
        by(buyer, "place", 1, 7, False, 100, 100, 0)


def test_reverts_when_the_order_is_too_small(buyer: Member, by: Send, funded: None) -> None:
    with refused("OrderTooSmall", energy=9, smallest=10):
        by(buyer, "place", 1, 7, False, 100, 9, 0)


def test_reverts_when_the_order_exceeds_the_connection(buyer: Member, by: Send, funded: None) -> None:
    with refused("ExceedsCapacity", id=buyer.id, slot=7, asked=2 * CAPACITY + 1, allowed=2 * CAPACITY):
        by(buyer, "place", 1, 7, True, 100, 2 * CAPACITY + 1, 0)


def test_what_a_resting_orders_owner_may_not_trade_any_more_is_cancelled(
    intraday: Contract, buyer: Member, seller: Member, by: Send, funded: None
) -> None:
    for _ in range(3):
        by(seller, "place", 1, 7, True, 401, CAPACITY, 0)
    for _ in range(2):
        by(buyer, "place", 1, 7, False, 401, CAPACITY, 1)
    receipt = by(buyer, "place", 1, 7, False, 401, 10, 1)
    assert events(receipt, intraday, "Traded") == []
    assert events(receipt, intraday, "OrderCancelled") == [
        {"id": seller.id, "day": 1, "number": number(Side.ASK, 401, 2), "energy": CAPACITY}
    ]


def test_reverts_when_the_trades_exceed_the_members_position(
    village: Village, intraday: Contract, buyer: Member, seller: Member, rival: Member, by: Send, funded: None
) -> None:
    for _ in range(2):
        by(seller, "place", 1, 7, True, 401, CAPACITY, 0)
        by(buyer, "place", 1, 7, False, 401, CAPACITY, 1)
    funding = IntradayFunding(rival.account, 1, 0, False, 1)
    village.relay(intraday, "fundSigned", *signed(village.market, rival.wallet, funding))
    order = IntradayOrder(rival.account, 1, 7, True, 401, 100, 0, 2**40, 2)
    village.relay(intraday, "placeSigned", *signed(village.market, rival.wallet, order))
    with refused("ExceedsPosition", id=buyer.id, slot=7, asked=10, allowed=0):
        by(buyer, "place", 1, 7, False, 401, 10, 1)


def test_reverts_without_enough_collateral(buyer: Member, by: Send, funded: None) -> None:
    needed = 10_000 * (4_095 * 100 + FEES)
    with refused("InsufficientCollateral", id=buyer.id, needed=needed, available=FUNDS):
        by(buyer, "place", 1, 7, False, 4_095, 10_000, 0)
