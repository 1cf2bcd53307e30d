from ape.api import AccountAPI
from support.refusals import refused
from support.village import Village, events
from web3.contract import Contract

STAYS = 2**32 - 1


def test_plugs_in_another_market(village: Village, schedule: Contract, auction: Contract, second_auction: str) -> None:
    receipt = village.send("council", schedule, "addMarket", second_auction, 3)
    assert events(receipt, schedule, "MarketAdded") == [{"market": second_auction, "firstDay": 3}]
    # From when the first day is open and the gate of the day before is closed.
    calendar = village.market.calendar
    from_ = max(calendar.opens_at(3), calendar.gate_closes_at(2))
    accounts = village.market.accounts
    assert events(receipt, accounts, "MarketAdmitted") == [{"market": second_auction, "from": from_}]
    assert schedule.functions.markets().call() == [(auction.address, 1, STAYS), (second_auction, 3, STAYS)]
    assert accounts.functions.lockableFrom(second_auction).call() == from_


def test_reverts_when_the_market_is_known(village: Village, schedule: Contract, auction: Contract) -> None:
    with refused("MarketKnown", market=auction.address):
        village.send("council", schedule, "addMarket", auction.address, 3)


def test_reverts_when_the_first_day_has_opened(village: Village, schedule: Contract, second_auction: str) -> None:
    village.open_auction()
    with refused("TooLateToAdd", firstDay=1, earliest=2):
        village.send("council", schedule, "addMarket", second_auction, 1)


def test_reverts_when_the_caller_is_not_the_council(village: Village, schedule: Contract, stranger: AccountAPI) -> None:
    with refused("AccessManagedUnauthorized", caller=stranger.address):
        village.market.chain.send(stranger, schedule, "addMarket", stranger.address, 3)
