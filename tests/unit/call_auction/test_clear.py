import pytest
from ape.api import AccountAPI
from support.refusals import refused
from support.signed import ask, bid
from support.village import STRIPS, Member, Village, events
from web3.contract import Contract

NONE, BIDS, ASKS = range(3)
NO_ORDERS = [0] * 6
NO_PRICE = (0, NONE, 0, 0, 0)


def test_meets_orders_halfway_between_their_limits(
    village: Village, auction: Contract, buyer: Member, seller: Member, opened: None
) -> None:
    village.place(buyer, bid(7, 200, 1_000))
    village.place(seller, ask(7, 100, 1_000))
    village.wait_until(village.calendar.gate_closes_at(1))
    receipt = village.relay(auction, "clear", 1, 1, [0, 100, 0, 0, 0, 0], 1)
    cleared = events(receipt, auction, "Cleared")
    assert [event["slot"] for event in cleared] == [6, 7, 8, 9, 10, 11]
    assert cleared[1] == {
        "day": 1,
        "slot": 7,
        "price": 150,
        "volume": 1_000,
        "rationed": NONE,
        "share": 0,
        "marginal": 0,
    }
    assert all(event["volume"] == event["price"] == 0 for event in cleared if event["slot"] != 7)
    assert auction.functions.clearedStrips(1).call() == 0b10


def test_rations_the_side_that_wants_more(village: Village, reader: Contract, rationed: None) -> None:
    village.clear_day()
    outcomes = [tuple(outcome) for outcome in reader.functions.outcomes(1).call()]
    assert outcomes[7] == (150, BIDS, 600, 600, 900)
    assert outcomes[:7] + outcomes[8:] == [NO_PRICE] * 11


def test_rations_sellers_as_well(
    village: Village, reader: Contract, buyer: Member, seller: Member, opened: None
) -> None:
    village.place(buyer, bid(0, 200, 400))
    village.place(seller, ask(0, 100, 300), ask(0, 150, 300, layer=1))
    village.clear_day()
    assert tuple(reader.functions.outcomes(1).call()[0]) == (150, ASKS, 400, 100, 300)


def test_goes_on_where_it_stopped(
    village: Village, auction: Contract, buyer: Member, seller: Member, opened: None
) -> None:
    village.place(buyer, bid(0, 200, 400), bid(0, 180, 400, layer=1))
    village.place(seller, ask(0, 100, 800))
    village.wait_until(village.calendar.gate_closes_at(1))
    pivots = [100, 0, 0, 0, 0, 0]
    receipt = village.relay(auction, "clear", 1, 0, pivots, 1)
    assert events(receipt, auction, "ClearingProgress") == [{"day": 1, "strip": 0, "group": 0, "layer": 1}]
    assert auction.functions.clearedStrips(1).call() == 0
    receipt = village.relay(auction, "clear", 1, 0, pivots, 1)
    assert events(receipt, auction, "Cleared")[0]["price"] == 140
    assert events(receipt, auction, "Cleared")[0]["volume"] == 800
    assert auction.functions.clearedStrips(1).call() == 1


def test_attempts_with_wrong_pivots_do_not_get_in_the_way(
    village: Village, auction: Contract, buyer: Member, seller: Member, opened: None
) -> None:
    village.place(buyer, bid(0, 200, 400), bid(0, 180, 400, layer=1))
    village.place(seller, ask(0, 100, 800))
    village.wait_until(village.calendar.gate_closes_at(1))
    village.relay(auction, "clear", 1, 0, [180, 0, 0, 0, 0, 0], 1)
    village.relay(auction, "clear", 1, 0, [100, 0, 0, 0, 0, 0], 1)
    with refused("WrongPivot", slot=0, pivot=180):
        village.relay(auction, "clear", 1, 0, [180, 0, 0, 0, 0, 0], 1)
    village.relay(auction, "clear", 1, 0, [100, 0, 0, 0, 0, 0], 1)
    assert auction.functions.clearedStrips(1).call() == 1


def test_clears_a_day_without_orders(village: Village, auction: Contract, gate_closed: None) -> None:
    for strip in range(STRIPS):
        village.relay(auction, "clear", 1, strip, NO_ORDERS, 1)
    assert auction.functions.isCleared(1).call()


def test_clears_while_paused(village: Village, auction: Contract, rationed: None) -> None:
    village.send("node", village.market.accounts, "pause", auction.address)
    village.clear_day()
    assert auction.functions.isCleared(1).call()


def test_reverts_before_the_gate_closes(village: Village, auction: Contract, opened: None) -> None:
    closes_at = village.calendar.gate_closes_at(1)
    with refused("GateNotClosed", day=1, closesAt=closes_at, time=village.now):
        village.relay(auction, "clear", 1, 0, NO_ORDERS, 1)


def test_reverts_when_there_is_no_such_strip(village: Village, auction: Contract, gate_closed: None) -> None:
    with refused("NoSuchStrip", strip=STRIPS, strips=STRIPS):
        village.relay(auction, "clear", 1, STRIPS, NO_ORDERS, 1)


def test_reverts_when_there_is_no_such_day(village: Village, auction: Contract, gate_closed: None) -> None:
    with refused("NoSuchDay", day=0):
        village.relay(auction, "clear", 0, 0, NO_ORDERS, 1)


def test_reverts_when_nothing_may_be_done(village: Village, auction: Contract, gate_closed: None) -> None:
    with refused("NothingToDo"):
        village.relay(auction, "clear", 1, 0, NO_ORDERS, 0)


def test_reverts_when_cleared_already(village: Village, auction: Contract, gate_closed: None) -> None:
    village.relay(auction, "clear", 1, 0, NO_ORDERS, 1)
    with refused("AlreadyCleared", day=1, strip=0):
        village.relay(auction, "clear", 1, 0, NO_ORDERS, 1)


@pytest.mark.parametrize("pivot", [0, 149, 151, 4_095, 65_535])
def test_reverts_when_a_pivot_is_not_the_lowest_equilibrium_price(
    village: Village, auction: Contract, rationed: None, pivot: int
) -> None:
    village.wait_until(village.calendar.gate_closes_at(1))
    with refused("WrongPivot", slot=7, pivot=pivot):
        village.relay(auction, "clear", 1, 1, [0, pivot, 0, 0, 0, 0], 1)


def test_reverts_when_the_day_has_made_room_for_another(
    village: Village, auction: Contract, rules: Contract, buyer: Member, stranger: AccountAPI
) -> None:
    village.grant("settlement", stranger)
    village.market.chain.send(stranger, rules, "markFinal", 1)
    village.open_auction(9)
    village.place(buyer, bid(0, 200, 1_000), day=9)
    with refused("DayIsOver", day=1):
        village.relay(auction, "clear", 1, 0, NO_ORDERS, 1)


def test_reverts_when_the_storage_is_still_in_use(village: Village, auction: Contract) -> None:
    village.wait_until(village.calendar.gate_closes_at(9))
    with refused("DayStillOpen", day=1, lastFinal=0):
        village.relay(auction, "clear", 9, 0, NO_ORDERS, 1)
