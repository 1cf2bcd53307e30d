import pytest
from ape.api import AccountAPI
from support.refusals import refused
from support.signed import application
from support.village import CONSUMER, PERIODS, Member, Village, events
from web3.contract import Contract

from dem.community.keys import Wallet


def test_the_member_has_a_further_meter_from_a_period_on(
    village: Village, registry: Contract, meters: Contract, buyer: Member, applicant: Wallet
) -> None:
    receipt = village.send("registrar", meters, "install", buyer.id, applicant.meter, 1, 8, 500, 20)
    assert events(receipt, meters, "MeterInstalled") == [
        {"id": buyer.id, "meter": applicant.meter, "day": 1, "slot": 8, "importWh": 500, "exportWh": 20}
    ]
    for meter in (buyer.meter, applicant.meter):
        assert registry.functions.metered(meter, 1).call()[::3] == (buyer.id, True)
    assert meters.functions.metersOf(buyer.id).call() == [buyer.meter, applicant.meter]
    life = meters.functions.lifeOf(applicant.meter).call()
    assert life[:2] == (buyer.id, village.calendar.start_of(1) + 8 * village.calendar.period_length)


def test_reverts_when_the_key_is_somebodys(village: Village, meters: Contract, buyer: Member, seller: Member) -> None:
    with refused("KeyUnusable", key=seller.meter):
        village.send("registrar", meters, "install", buyer.id, seller.meter, 1, 0, 0, 0)


def test_reverts_when_there_is_no_such_period(
    village: Village, meters: Contract, buyer: Member, applicant: Wallet
) -> None:
    with refused("MomentUnusable", day=1, slot=PERIODS):
        village.send("registrar", meters, "install", buyer.id, applicant.meter, 1, PERIODS, 0, 0)


def test_reverts_when_its_day_is_corrected_no_more(
    village: Village, meters: Contract, buyer: Member, applicant: Wallet
) -> None:
    village.wait_until(village.calendar.corrections_close_at(1))
    with refused("MomentUnusable", day=1, slot=3):
        village.send("registrar", meters, "install", buyer.id, applicant.meter, 1, 3, 0, 0)


def test_reverts_while_the_last_tenant_of_the_first_one_is_still_read(
    village: Village, registry: Contract, meters: Contract, buyer: Member, applicant: Wallet, stranger: AccountAPI
) -> None:
    village.open_auction()
    village.send("registrar", registry, "exit", buyer.id)
    signed = application(village.market, applicant, CONSUMER, meter=buyer.meter)
    village.relay(registry, "applyFor", *signed)
    village.admit(applicant.account)
    with refused("KeyUnusable", key=stranger.address):
        village.send("registrar", meters, "install", 9, stranger.address, 2, 0, 0, 0)
    village.wait_until(village.calendar.corrections_close_at(1))
    village.send("registrar", meters, "install", 9, stranger.address, 4, 0, 0, 0)


@pytest.mark.parametrize("function", ["install", "remove"])
def test_reverts_when_the_caller_is_no_registrar(
    village: Village, meters: Contract, buyer: Member, applicant: Wallet, stranger: AccountAPI, function: str
) -> None:
    with refused("AccessManagedUnauthorized", caller=stranger.address):
        village.market.chain.send(stranger, meters, function, buyer.id, applicant.meter, 1, 0, 0, 0)
