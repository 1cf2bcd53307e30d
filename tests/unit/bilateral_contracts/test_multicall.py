from support.contracts import Contracts
from support.refusals import refused
from support.village import Village


def test_concludes_several_contracts_at_once(village: Village, contracts: Contracts) -> None:
    calls = [("conclude", contracts.signed(contracts.offer(salt=bytes([n] * 32)))) for n in range(3)]
    village.market.chain.send_many(village.market.keys["relayer"], contracts.contract, calls)
    assert contracts.functions.contractCount().call() == 3


def test_opens_nothing_to_strangers(village: Village, contracts: Contracts) -> None:
    with refused("AccessManagedUnauthorized", caller=village.stranger.address):
        village.market.chain.send_many(village.stranger, contracts.contract, [("book", (1, 1, 1))])
