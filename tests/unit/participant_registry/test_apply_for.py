import pytest
from support.refusals import refused
from support.signed import Signed, application, high_s
from support.village import ADMITTED, APPLIED, CAPACITY, CONSUMER, NOBODY, Member, Village, events
from web3.contract import Contract

from dem.community.keys import Wallet


def test_records_the_application(
    village: Village, registry: Contract, applicant: Wallet, signed_application: Signed
) -> None:
    receipt = village.relay(registry, "applyFor", *signed_application)
    assert events(receipt, registry, "Applied") == [
        {
            "account": applicant.account,
            "meter": applicant.meter,
            "kind": CONSUMER,
            "importCapacity": CAPACITY,
            "exportCapacity": CAPACITY,
            "feeder": b"feeder 1".ljust(32, b"\0"),
            "documents": b"\x11" * 32,
        }
    ]
    assert registry.functions.statusOf(applicant.account).call() == APPLIED
    assert registry.functions.idOf(applicant.account).call() == 0
    assert registry.functions.memberCount().call() == 8


def test_takes_an_applicant_without_a_meter(village: Village, registry: Contract, applicant: Wallet) -> None:
    village.relay(registry, "applyFor", *application(village.market, applicant, CONSUMER, meter=NOBODY))
    assert registry.functions.statusOf(applicant.account).call() == APPLIED


@pytest.mark.parametrize("kind", range(6), ids=["none", "fund", "clearing house", "supplier", "operator", "grid"])
def test_reverts_when_the_kind_is_not_open(village: Village, registry: Contract, applicant: Wallet, kind: int) -> None:
    with refused("KindNotOpen", kind=kind):
        village.relay(registry, "applyFor", *application(village.market, applicant, kind))


def test_reverts_when_the_connection_is_larger_than_a_market_adds_up(
    village: Village, registry: Contract, applicant: Wallet
) -> None:
    limit = (1 << 33) - 1
    too_large = application(village.market, applicant, CONSUMER, export_capacity=limit + 1)
    with refused("ConnectionTooLarge", capacity=limit + 1, limit=limit):
        village.relay(registry, "applyFor", *too_large)
    village.relay(registry, "applyFor", *application(village.market, applicant, CONSUMER, export_capacity=limit))


def test_reverts_when_applied_already(
    village: Village, registry: Contract, applicant: Wallet, signed_application: Signed, applied: None
) -> None:
    with refused("WrongStatus", account=applicant.account, status=APPLIED):
        village.relay(registry, "applyFor", *signed_application)


def test_reverts_when_admitted_already(village: Village, registry: Contract, buyer: Member, applicant: Wallet) -> None:
    with refused("WrongStatus", account=buyer.account, status=ADMITTED):
        village.relay(registry, "applyFor", *application(village.market, buyer.wallet, CONSUMER, meter=applicant.meter))


def test_reverts_when_the_account_is_missing(village: Village, registry: Contract, signed_application: Signed) -> None:
    fields, signature = signed_application
    with refused("KeyUnusable", key=NOBODY):
        village.relay(registry, "applyFor", (NOBODY, *fields[1:]), signature)


def test_reverts_when_the_meter_key_is_the_account_key(village: Village, registry: Contract, applicant: Wallet) -> None:
    with refused("KeyUnusable", key=applicant.account):
        signed = application(village.market, applicant, CONSUMER, meter=applicant.account)
        village.relay(registry, "applyFor", *signed)


def test_reverts_when_the_meter_is_somebody_elses(
    village: Village, registry: Contract, applicant: Wallet, buyer: Member
) -> None:
    with refused("KeyUnusable", key=buyer.meter):
        village.relay(registry, "applyFor", *application(village.market, applicant, CONSUMER, meter=buyer.meter))


def test_reverts_when_signed_by_somebody_else(
    village: Village, registry: Contract, applicant: Wallet, buyer: Member
) -> None:
    signed = application(village.market, applicant, CONSUMER, key=buyer.wallet.account_key)
    with refused("NotSignedByApplicant", account=applicant.account, signer=buyer.account):
        village.relay(registry, "applyFor", *signed)


def test_reverts_when_the_signature_is_truncated(
    village: Village, registry: Contract, signed_application: Signed
) -> None:
    fields, signature = signed_application
    with refused("ECDSAInvalidSignatureLength", length=64):
        village.relay(registry, "applyFor", fields, signature[:-1])


def test_reverts_when_the_signature_is_the_malleable_one(
    village: Village, registry: Contract, signed_application: Signed
) -> None:
    fields, signature = signed_application
    with refused("ECDSAInvalidSignatureS", s=high_s(signature)[32:64]):
        village.relay(registry, "applyFor", fields, high_s(signature))


def test_reverts_when_the_signature_is_nobodys(
    village: Village, registry: Contract, signed_application: Signed
) -> None:
    fields, signature = signed_application
    with refused("ECDSAInvalidSignature"):
        village.relay(registry, "applyFor", fields, signature[:64] + b"\x00")
