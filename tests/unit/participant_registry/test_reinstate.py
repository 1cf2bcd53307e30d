from ape.api import AccountAPI
from support.refusals import refused
from support.village import ADMITTED, FOREVER, Member, Village, events
from web3.contract import Contract


def test_lets_a_suspended_member_trade_again(village: Village, registry: Contract, buyer: Member) -> None:
    village.send("registrar", registry, "suspend", buyer.id)
    receipt = village.send("registrar", registry, "reinstate", buyer.id)
    assert events(receipt, registry, "StatusChanged") == [{"id": buyer.id, "status": ADMITTED, "lastDay": FOREVER}]
    assert registry.functions.requireTrader(buyer.account, 1).call()[0] == buyer.id


def test_reverts_when_not_suspended(village: Village, registry: Contract, buyer: Member) -> None:
    with refused("WrongStatus", account=buyer.account, status=ADMITTED):
        village.send("registrar", registry, "reinstate", buyer.id)


def test_reverts_when_there_is_no_such_member(village: Village, registry: Contract) -> None:
    with refused("UnknownMember", id=9):
        village.send("registrar", registry, "reinstate", 9)


def test_reverts_when_the_caller_is_no_registrar(
    village: Village, registry: Contract, buyer: Member, stranger: AccountAPI
) -> None:
    village.send("registrar", registry, "suspend", buyer.id)
    with refused("AccessManagedUnauthorized", caller=stranger.address):
        village.market.chain.send(stranger, registry, "reinstate", buyer.id)
