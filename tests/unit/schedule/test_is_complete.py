from support.signed import bid
from support.village import Village
from web3.contract import Contract

from dem.deployment.market import ADMIN

from .conftest import order_in


def test_is_complete_once_every_strip_is_cleared(village: Village, schedule: Contract) -> None:
    village.open_auction()
    village.place(village.buyer, bid(0, 200, 1_000))
    village.wait_until(village.calendar.gate_closes_at(1))
    assert not schedule.functions.isComplete(1).call()
    village.clear_strip(0)
    assert not schedule.functions.isComplete(1).call()
    village.clear_strip(1)
    assert schedule.functions.isComplete(1).call()


def test_a_market_without_orders_need_not_be_cleared(village: Village, schedule: Contract, second_auction: str) -> None:
    village.send("council", schedule, "addMarket", second_auction, 1)
    village.wait_until(village.calendar.gate_closes_at(1) - 1)
    assert not schedule.functions.isComplete(1).call()
    village.wait_until(village.calendar.gate_closes_at(1))
    assert schedule.functions.isComplete(1).call()


def test_waits_for_every_market_with_orders(village: Village, schedule: Contract, second_auction: str) -> None:
    village.send("council", schedule, "addMarket", second_auction, 1)
    village.open_auction()
    order_in(village, second_auction, village.buyer, bid(0, 200, 1_000))
    village.clear_day()
    assert not schedule.functions.isComplete(1).call()


def test_asks_for_each_day_by_itself(village: Village, schedule: Contract, second_auction: str) -> None:
    village.send("council", schedule, "addMarket", second_auction, 2)
    village.open_auction(2)
    order_in(village, second_auction, village.buyer, bid(0, 200, 1_000), day=2)
    village.wait_until(village.calendar.gate_closes_at(2))
    assert schedule.functions.isComplete(1).call()
    assert not schedule.functions.isComplete(2).call()


def test_without_a_market_a_day_is_complete_when_its_gate_is_closed(village: Village) -> None:
    market = village.market
    addresses = (market.rules.address, market.accounts.address)
    arguments = (market.authority.address, market.calendar.as_tuple(), *addresses)
    address = market.chain.deploy(market.keys[ADMIN], "Schedule", arguments)
    schedule = market.chain.contract("Schedule", address)
    village.wait_until(village.calendar.gate_closes_at(1) - 1)
    assert not schedule.functions.isComplete(1).call()
    village.wait_until(village.calendar.gate_closes_at(1))
    assert schedule.functions.isComplete(1).call()
