from ape.api import AccountAPI
from support.refusals import refused
from support.village import Village, events
from web3.contract import Contract


def test_stops_the_orders_of_every_market(
    village: Village, ledger: Contract, auction: Contract, bookkeeper: AccountAPI
) -> None:
    receipt = village.send("node", ledger, "pauseAll")
    paused = [event["market"] for event in events(receipt, ledger, "MarketPaused")]
    assert paused == [auction.address, bookkeeper.address]
    assert all(ledger.functions.isPaused(market).call() for market in paused)


def test_leaves_those_that_are_paused_as_they_are(
    village: Village, ledger: Contract, auction: Contract, bookkeeper: AccountAPI
) -> None:
    village.send("node", ledger, "pause", auction.address)
    receipt = village.send("node", ledger, "pauseAll")
    assert [event["market"] for event in events(receipt, ledger, "MarketPaused")] == [bookkeeper.address]


def test_leaves_out_what_the_node_paused_lately(
    village: Village, ledger: Contract, auction: Contract, bookkeeper: AccountAPI
) -> None:
    """It pauses those that it may: an earlier pause of one market is no reason to leave all others open."""
    village.send("node", ledger, "pause", auction.address)
    village.unpause(ledger, auction.address)
    receipt = village.send("node", ledger, "pauseAll")
    assert [event["market"] for event in events(receipt, ledger, "MarketPaused")] == [bookkeeper.address]
    assert not ledger.functions.isPaused(auction.address).call()


def test_reverts_when_nothing_is_left_to_pause(
    village: Village, ledger: Contract, auction: Contract, bookkeeper: AccountAPI
) -> None:
    village.send("node", ledger, "pauseAll")
    village.unpause(ledger, auction.address)
    with refused("NothingToPause"):
        village.send("node", ledger, "pauseAll")


def test_a_market_admitted_anew_stays_paused(
    village: Village, ledger: Contract, auction: Contract, bookkeeper: AccountAPI
) -> None:
    village.send("node", ledger, "pauseAll")
    village.market.chain.send(bookkeeper, ledger, "admitMarket", bookkeeper.address, 2)
    assert ledger.functions.isPaused(bookkeeper.address).call()


def test_reverts_when_the_caller_is_no_node(village: Village, ledger: Contract, stranger: AccountAPI) -> None:
    with refused("AccessManagedUnauthorized", caller=stranger.address):
        village.market.chain.send(stranger, ledger, "pauseAll")
