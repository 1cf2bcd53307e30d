from support.refusals import refused
from support.village import Member, Village
from web3.contract import Contract

from .conftest import FUNDS


def test_funds_and_places_in_one_transaction(village: Village, intraday: Contract, buyer: Member, opened: None) -> None:
    calls = [("fund", (1, FUNDS)), ("place", (1, 7, False, 100, 100, 0))]
    village.market.chain.send_many(buyer.sender, intraday, calls)
    assert intraday.functions.prices(1, 7, False).call() == [100]


def test_opens_nothing_to_strangers(village: Village, intraday: Contract) -> None:
    with refused("AccessManagedUnauthorized", caller=village.stranger.address):
        village.market.chain.send_many(village.stranger, intraday, [("bar", (village.buyer.account, True))])
