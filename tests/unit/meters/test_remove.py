from support.refusals import refused
from support.village import Member, Village, events
from web3.contract import Contract

from dem.community.keys import Wallet


def test_the_other_one_stands_for_the_member_from_now_on(
    village: Village, registry: Contract, meters: Contract, buyer: Member, applicant: Wallet
) -> None:
    village.send("registrar", meters, "install", buyer.id, applicant.meter, 1, 8, 500, 20)
    receipt = village.send("registrar", meters, "remove", buyer.id, buyer.meter, 1, 8, 77, 0)
    assert events(receipt, meters, "MeterRemoved") == [
        {"id": buyer.id, "meter": buyer.meter, "day": 1, "slot": 8, "importWh": 77, "exportWh": 0}
    ]
    assert events(receipt, registry, "MeterReplaced") == [{"id": buyer.id, "meter": applicant.meter}]
    assert registry.functions.member(buyer.id).call()[4] == applicant.meter


def test_reverts_when_no_other_one_lives_on(
    village: Village, meters: Contract, buyer: Member, applicant: Wallet
) -> None:
    with refused("MeterNotRemovable", meter=buyer.meter):
        village.send("registrar", meters, "remove", buyer.id, buyer.meter, 1, 8, 77, 0)
    village.send("registrar", meters, "install", buyer.id, applicant.meter, 1, 8, 500, 20)
    with refused("MeterNotRemovable", meter=buyer.meter):
        village.send("registrar", meters, "remove", buyer.id, buyer.meter, 1, 7, 77, 0)


def test_reverts_when_it_would_end_before_it_begins(
    village: Village, meters: Contract, buyer: Member, applicant: Wallet
) -> None:
    village.send("registrar", meters, "install", buyer.id, applicant.meter, 1, 8, 500, 20)
    with refused("MomentUnusable", day=1, slot=8):
        village.send("registrar", meters, "remove", buyer.id, applicant.meter, 1, 8, 500, 20)
