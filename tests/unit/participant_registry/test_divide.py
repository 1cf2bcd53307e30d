from ape.api import AccountAPI
from support.refusals import refused
from support.village import Member, Village
from web3.contract import Contract


def test_reverts_when_there_is_no_such_member(village: Village, registry: Contract, stranger: AccountAPI) -> None:
    village.grant("mandates", stranger)
    with refused("UnknownMember", id=99):
        village.market.chain.send(stranger, registry, "divide", 99, 1)


def test_reverts_when_the_caller_does_not_keep_the_mandates(
    village: Village, registry: Contract, buyer: Member, stranger: AccountAPI
) -> None:
    with refused("AccessManagedUnauthorized", caller=stranger.address):
        village.market.chain.send(stranger, registry, "divide", buyer.id, 1)
