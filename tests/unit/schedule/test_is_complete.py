from support.village import Village
from web3.contract import Contract

from dem.deployment import ADMIN


def test_is_complete_once_every_strip_is_cleared(village: Village, schedule: Contract) -> None:
    village.wait_until(village.calendar.gate_closes_at(1))
    assert not schedule.functions.isComplete(1).call()
    village.clear_strip(0)
    assert not schedule.functions.isComplete(1).call()
    village.clear_strip(1)
    assert schedule.functions.isComplete(1).call()


def test_waits_for_every_market(village: Village, schedule: Contract, second_auction: str) -> None:
    village.send("council", schedule, "addMarket", second_auction, 1)
    village.clear_day()
    assert not schedule.functions.isComplete(1).call()


def test_waits_for_a_market_from_its_first_day_on(village: Village, schedule: Contract, second_auction: str) -> None:
    village.send("council", schedule, "addMarket", second_auction, 2)
    village.clear_day(1)
    village.clear_day(2)
    assert schedule.functions.isComplete(1).call()
    assert not schedule.functions.isComplete(2).call()


def test_is_never_complete_without_a_market(village: Village) -> None:
    market = village.market
    arguments = (market.authority.address, market.calendar.as_tuple(), market.accounts.address)
    address = market.chain.deploy(market.keys[ADMIN], "Schedule", arguments)
    assert not market.chain.contract("Schedule", address).functions.isComplete(1).call()
