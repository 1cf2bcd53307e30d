from ape.api import AccountAPI
from support.refusals import refused
from support.village import Village, events
from web3.contract import Contract


def test_lets_a_market_lock_collateral_from_a_time_on(village: Village, ledger: Contract, stranger: AccountAPI) -> None:
    chain, market = village.market.chain, village.seller.sender
    village.grant("schedule", stranger)
    from_ = village.now + 1_000
    receipt = chain.send(stranger, ledger, "admitMarket", market.address, from_)
    assert events(receipt, ledger, "MarketAdmitted") == [{"market": market.address, "from": from_}]
    with refused("NotAMarket", caller=market.address, **{"from": from_}):
        chain.send(market, ledger, "lockCollateral", village.buyer.id, 1)
    village.wait_until(from_)
    chain.send(market, ledger, "lockCollateral", village.buyer.id, 1)


def test_knows_the_auction_from_the_deployment_on(village: Village, ledger: Contract) -> None:
    opens_at = village.market.calendar.opens_at(1)
    assert ledger.functions.lockableFrom(village.market.auction.address).call() == opens_at
    assert ledger.functions.lockableFrom(village.stranger.address).call() == 0


def test_reverts_when_the_caller_is_not_the_schedule(ledger: Contract, village: Village, stranger: AccountAPI) -> None:
    with refused("AccessManagedUnauthorized", caller=stranger.address):
        village.market.chain.send(stranger, ledger, "admitMarket", stranger.address, 1)
