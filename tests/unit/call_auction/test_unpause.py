from support.refusals import refused
from support.signed import bid
from support.village import Member, Village, events
from web3.contract import Contract


def test_orders_are_taken_again(village: Village, auction: Contract, buyer: Member, opened: None) -> None:
    village.send("node", auction, "pause")
    receipt = village.send("council", auction, "unpause")
    assert events(receipt, auction, "Unpaused") == [{"account": village.market.keys["council"].address}]
    village.place(buyer, bid(0, 200, 1_000))


def test_reverts_when_not_paused(village: Village, auction: Contract) -> None:
    with refused("ExpectedPause"):
        village.send("council", auction, "unpause")


def test_reverts_for_the_node_that_paused(village: Village, auction: Contract) -> None:
    village.send("node", auction, "pause")
    with refused("AccessManagedUnauthorized", caller=village.market.keys["node"].address):
        village.send("node", auction, "unpause")
