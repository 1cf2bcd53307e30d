from support.contracts import Contracts
from support.refusals import refused
from support.village import Village, events


def test_stops_the_making_of_contracts(village: Village, contracts: Contracts) -> None:
    receipt = village.send("node", contracts.contract, "pause")
    assert events(receipt, contracts.contract, "Paused") == [{"account": village.market.keys["node"].address}]
    assert contracts.functions.paused().call()


def test_reverts_when_the_caller_is_no_node(village: Village, contracts: Contracts) -> None:
    with refused("AccessManagedUnauthorized", caller=village.stranger.address):
        village.market.chain.send(village.stranger, contracts.contract, "pause")
