from ape.api import AccountAPI
from support.refusals import refused
from support.village import Village, events
from web3.contract import Contract


def test_stops_the_orders_of_a_market(village: Village, ledger: Contract, auction: Contract) -> None:
    receipt = village.send("node", ledger, "pause", auction.address)
    by = village.market.keys["node"].address
    assert events(receipt, ledger, "MarketPaused") == [{"market": auction.address, "by": by}]
    assert ledger.functions.isPaused(auction.address).call()
    with refused("MarketIsPaused", market=auction.address):
        village.relay(ledger, "requireUnpaused", auction.address)


def test_leaves_other_markets_alone(
    village: Village, ledger: Contract, auction: Contract, bookkeeper: AccountAPI
) -> None:
    village.send("node", ledger, "pause", auction.address)
    assert not ledger.functions.isPaused(bookkeeper.address).call()
    village.market.chain.send(bookkeeper, ledger, "lockCollateral", village.buyer.id, 300)


def test_reverts_when_paused_already(village: Village, ledger: Contract, auction: Contract) -> None:
    village.send("node", ledger, "pause", auction.address)
    with refused("MarketIsPaused", market=auction.address):
        village.send("node", ledger, "pause", auction.address)


def test_reverts_when_there_is_no_such_market(village: Village, ledger: Contract, stranger: AccountAPI) -> None:
    with refused("NotAMarket", caller=stranger.address, **{"from": 0}):
        village.send("node", ledger, "pause", stranger.address)


def test_reverts_when_the_caller_is_no_node(village: Village, ledger: Contract, stranger: AccountAPI) -> None:
    with refused("AccessManagedUnauthorized", caller=stranger.address):
        village.market.chain.send(stranger, ledger, "pause", village.market.auction.address)
