import pytest
from ape.api import AccountAPI
from support.refusals import refused
from support.village import ADMITTED, EXITED, NOBODY, Member, Village, events
from web3.contract import Contract

from dem.community.keys import Wallet


def test_the_new_key_reads_for_the_member_and_the_old_one_no_more(
    village: Village, registry: Contract, buyer: Member, applicant: Wallet
) -> None:
    receipt = village.send("registrar", registry, "replaceMeter", buyer.id, applicant.meter)
    assert events(receipt, registry, "MeterReplaced") == [{"id": buyer.id, "meter": applicant.meter}]
    assert registry.functions.metered(applicant.meter, 1).call()[0] == buyer.id
    with refused("UnknownMeter", meter=buyer.meter):
        village.relay(registry, "metered", buyer.meter, 1)


def test_the_new_meters_registers_may_begin_anew(
    village: Village, registry: Contract, readings: Contract, buyer: Member, applicant: Wallet
) -> None:
    village.wait_until(village.calendar.start_of(2))
    village.read(buyer, [1] * 6, imported=500)
    village.send("registrar", registry, "replaceMeter", buyer.id, applicant.meter)
    village.read(Member(buyer.id, applicant), [1] * 6, first_strip=1, sequence=2)
    assert readings.functions.areaNet(1).call() == [1] * 12


def test_reverts_when_the_key_is_somebodys(village: Village, registry: Contract, buyer: Member, seller: Member) -> None:
    with refused("KeyUnusable", key=seller.meter):
        village.send("registrar", registry, "replaceMeter", buyer.id, seller.meter)


def test_reverts_when_the_key_is_missing(village: Village, registry: Contract, buyer: Member) -> None:
    with refused("KeyUnusable", key=NOBODY):
        village.send("registrar", registry, "replaceMeter", buyer.id, NOBODY)


def test_reverts_when_the_member_has_no_meter(village: Village, registry: Contract, applicant: Wallet) -> None:
    with refused("WrongStatus", account=village.operator.account, status=ADMITTED):
        village.send("registrar", registry, "replaceMeter", village.operator.id, applicant.meter)


def test_reverts_when_the_member_has_left(
    village: Village, registry: Contract, buyer: Member, applicant: Wallet
) -> None:
    village.send("registrar", registry, "exit", buyer.id)
    with refused("WrongStatus", account=buyer.account, status=EXITED):
        village.send("registrar", registry, "replaceMeter", buyer.id, applicant.meter)


@pytest.mark.parametrize("number", [0, 9])
def test_reverts_when_there_is_no_such_member(
    village: Village, registry: Contract, applicant: Wallet, number: int
) -> None:
    with refused("UnknownMember", id=number):
        village.send("registrar", registry, "replaceMeter", number, applicant.meter)


def test_reverts_when_the_caller_is_no_registrar(
    village: Village, registry: Contract, buyer: Member, applicant: Wallet, stranger: AccountAPI
) -> None:
    with refused("AccessManagedUnauthorized", caller=stranger.address):
        village.market.chain.send(stranger, registry, "replaceMeter", buyer.id, applicant.meter)
