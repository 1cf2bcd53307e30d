import pytest
from ape.api import AccountAPI
from support.refusals import refused
from support.village import EXITED, FOREVER, SUSPENDED, Member, Village, events
from web3.contract import Contract


def test_bars_the_member_from_trading(village: Village, registry: Contract, buyer: Member) -> None:
    receipt = village.send("registrar", registry, "suspend", buyer.id)
    assert events(receipt, registry, "StatusChanged") == [{"id": buyer.id, "status": SUSPENDED, "lastDay": FOREVER}]
    assert registry.functions.statusOf(buyer.account).call() == SUSPENDED
    assert registry.functions.isRegistered(buyer.account).call()


def test_reverts_when_suspended_already(village: Village, registry: Contract, buyer: Member) -> None:
    village.send("registrar", registry, "suspend", buyer.id)
    with refused("WrongStatus", account=buyer.account, status=SUSPENDED):
        village.send("registrar", registry, "suspend", buyer.id)


def test_reverts_when_exited(village: Village, registry: Contract, buyer: Member) -> None:
    village.send("registrar", registry, "exit", buyer.id)
    with refused("WrongStatus", account=buyer.account, status=EXITED):
        village.send("registrar", registry, "suspend", buyer.id)


@pytest.mark.parametrize("number", [0, 9])
def test_reverts_when_there_is_no_such_member(village: Village, registry: Contract, number: int) -> None:
    with refused("UnknownMember", id=number):
        village.send("registrar", registry, "suspend", number)


def test_reverts_when_the_caller_is_no_registrar(
    village: Village, registry: Contract, buyer: Member, stranger: AccountAPI
) -> None:
    with refused("AccessManagedUnauthorized", caller=stranger.address):
        village.market.chain.send(stranger, registry, "suspend", buyer.id)
