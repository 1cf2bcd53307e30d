from ape.api import AccountAPI
from support.refusals import refused
from support.village import Village, events
from web3.contract import Contract


def test_stops_the_taking_of_orders(village: Village, auction: Contract) -> None:
    receipt = village.send("node", auction, "pause")
    assert events(receipt, auction, "Paused") == [{"account": village.market.keys["node"].address}]
    assert auction.functions.paused().call()


def test_reverts_when_paused_already(village: Village, auction: Contract) -> None:
    village.send("node", auction, "pause")
    with refused("EnforcedPause"):
        village.send("node", auction, "pause")


def test_reverts_when_the_caller_is_no_node(village: Village, auction: Contract, stranger: AccountAPI) -> None:
    with refused("AccessManagedUnauthorized", caller=stranger.address):
        village.market.chain.send(stranger, auction, "pause")
