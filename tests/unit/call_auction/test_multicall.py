from support.refusals import refused
from support.village import STRIPS, Village
from web3.contract import Contract


def test_clears_several_strips_at_once(village: Village, auction: Contract, rationed: None) -> None:
    village.wait_until(village.calendar.gate_closes_at(1))
    calls = [("clear", (1, strip, village.pivots(strip), 1)) for strip in range(STRIPS)]
    village.market.chain.send_many(village.market.keys["relayer"], auction, calls)
    assert auction.functions.isCleared(1).call()


def test_opens_nothing_to_strangers(village: Village, auction: Contract) -> None:
    with refused("AccessManagedUnauthorized", caller=village.stranger.address):
        village.market.chain.send_many(village.stranger, auction, [("book", (1, 1, 1))])
