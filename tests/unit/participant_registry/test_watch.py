from ape.api import AccountAPI
from support.refusals import refused
from support.village import Member, Village
from web3.contract import Contract


def test_reverts_when_somebody_else_watches(
    village: Village, registry: Contract, buyer: Member, stranger: AccountAPI
) -> None:
    for account in (buyer.sender, stranger):
        village.grant("watcher", account)
    village.market.chain.send(buyer.sender, registry, "watch")
    village.market.chain.send(buyer.sender, registry, "watch")
    with refused("WatchedAlready", watcher=buyer.account):
        village.market.chain.send(stranger, registry, "watch")


def test_reverts_when_the_caller_has_no_role(village: Village, registry: Contract, stranger: AccountAPI) -> None:
    with refused("AccessManagedUnauthorized", caller=stranger.address):
        village.market.chain.send(stranger, registry, "watch")
