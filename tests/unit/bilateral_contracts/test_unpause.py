from support.contracts import Contracts
from support.refusals import refused
from support.village import Village


def test_contracts_are_made_again(village: Village, contracts: Contracts) -> None:
    village.send("node", contracts.contract, "pause")
    village.send("council", contracts.contract, "unpause")
    contracts.conclude(contracts.offer())
    assert contracts.functions.contractCount().call() == 1


def test_reverts_when_the_caller_is_not_the_council(village: Village, contracts: Contracts) -> None:
    caller = village.market.keys["node"]
    village.send("node", contracts.contract, "pause")
    with refused("AccessManagedUnauthorized", caller=caller.address):
        village.send("node", contracts.contract, "unpause")
