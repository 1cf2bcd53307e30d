from support.refusals import refused
from support.signed import bid
from support.village import Village, events
from web3.contract import Contract


def test_orders_are_taken_again(village: Village, ledger: Contract, auction: Contract) -> None:
    village.open_auction()
    village.send("node", ledger, "pauseAll")
    receipt = village.unpause(ledger, auction.address)
    by = village.spare.address
    assert events(receipt, ledger, "MarketUnpaused") == [{"market": auction.address, "by": by}]
    village.place(village.buyer, bid(0, 200, 1_000))


def test_reverts_when_not_paused(village: Village, ledger: Contract, auction: Contract) -> None:
    with refused("MarketIsNotPaused", market=auction.address):
        village.unpause(ledger, auction.address)


def test_reverts_when_the_pause_has_lapsed(village: Village, ledger: Contract, auction: Contract) -> None:
    village.send("node", ledger, "pause", auction.address)
    village.wait_until(village.calendar.gate_closes_at(1) - 1)
    with refused("MarketIsNotPaused", market=auction.address):
        village.unpause(ledger, auction.address)


def test_reverts_for_the_node_that_paused(village: Village, ledger: Contract, auction: Contract) -> None:
    village.send("node", ledger, "pause", auction.address)
    with refused("AccessManagedUnauthorized", caller=village.market.keys["node"].address):
        village.send("node", ledger, "unpause", auction.address)
