import pytest
from ape.api import AccountAPI
from support.refusals import refused
from support.village import ADMITTED, BALANCING_FUND, CLEARING_HOUSE, EXITED, NOBODY, Member, Village, events
from web3.contract import Contract


def test_ends_the_membership_after_the_last_day_whose_auction_has_opened(
    village: Village, registry: Contract, buyer: Member
) -> None:
    village.open_auction(3)
    receipt = village.send("registrar", registry, "exit", buyer.id)
    assert events(receipt, registry, "StatusChanged") == [{"id": buyer.id, "status": EXITED, "lastDay": 3}]
    assert registry.functions.metered(buyer.meter, 3).call()[0] == buyer.id


def test_ends_a_suspended_members_membership(village: Village, registry: Contract, buyer: Member) -> None:
    village.send("registrar", registry, "suspend", buyer.id)
    village.send("registrar", registry, "exit", buyer.id)
    assert registry.functions.statusOf(buyer.account).call() == EXITED


def test_reverts_when_exited_already(village: Village, registry: Contract, buyer: Member) -> None:
    village.send("registrar", registry, "exit", buyer.id)
    with refused("WrongStatus", account=buyer.account, status=EXITED):
        village.send("registrar", registry, "exit", buyer.id)


@pytest.mark.parametrize("number", [BALANCING_FUND, CLEARING_HOUSE])
def test_reverts_for_the_accounts_without_a_key(village: Village, registry: Contract, number: int) -> None:
    with refused("WrongStatus", account=NOBODY, status=ADMITTED):
        village.send("registrar", registry, "exit", number)


def test_reverts_for_the_markets_own_members(village: Village, registry: Contract) -> None:
    for member in (village.supplier, village.operator, village.grid_operator):
        with refused("WrongStatus", account=member.account, status=ADMITTED):
            village.send("registrar", registry, "exit", member.id)


def test_reverts_when_there_is_no_such_member(village: Village, registry: Contract) -> None:
    with refused("UnknownMember", id=9):
        village.send("registrar", registry, "exit", 9)


def test_reverts_when_the_caller_is_no_registrar(
    village: Village, registry: Contract, buyer: Member, stranger: AccountAPI
) -> None:
    with refused("AccessManagedUnauthorized", caller=stranger.address):
        village.market.chain.send(stranger, registry, "exit", buyer.id)
