from ape.api import AccountAPI
from support.refusals import refused
from support.village import Village
from web3.contract import Contract


def test_reverts_when_the_caller_has_no_role(village: Village, registry: Contract, stranger: AccountAPI) -> None:
    with refused("AccessManagedUnauthorized", caller=stranger.address):
        village.market.chain.send(stranger, registry, "watch")
