from ape.api import AccountAPI
from support.refusals import refused
from support.signed import Signed, application, domain
from support.village import APPLIED, CAPACITY, CONSUMER, Village, events
from web3.contract import Contract

from dem.community.keys import Wallet
from dem.messages.members import Application
from dem.messages.signing import digest


def test_lets_the_account_apply_anew(village: Village, registry: Contract, applicant: Wallet, applied: None) -> None:
    receipt = village.send("registrar", registry, "reject", *village.waiting(applicant.account))
    assert events(receipt, registry, "Rejected") == [{"account": applicant.account}]
    assert registry.functions.statusOf(applicant.account).call() == 0
    better = application(village.market, applicant, CONSUMER, import_capacity=CAPACITY - 1)
    village.relay(registry, "applyFor", *better)
    assert registry.functions.statusOf(applicant.account).call() == APPLIED


def test_nobody_brings_a_rejected_application_again(
    village: Village, registry: Contract, applicant: Wallet, signed_application: Signed, applied: None
) -> None:
    village.send("registrar", registry, "reject", *village.waiting(applicant.account))
    brought = digest(domain(village.market, "ParticipantRegistry"), Application(*signed_application[0]))
    with refused("ApplicationUsed", digest=brought):
        village.relay(registry, "applyFor", *signed_application)


def test_rejects_the_application_that_was_decided_on_and_no_other(
    village: Village, registry: Contract, applicant: Wallet, applied: None
) -> None:
    """A decision that waits does not hit an application that came later."""
    decided = village.waiting(applicant.account)
    village.send("registrar", registry, "reject", *decided)
    better = application(village.market, applicant, CONSUMER, import_capacity=CAPACITY - 1)
    village.relay(registry, "applyFor", *better)
    _, waiting = village.waiting(applicant.account)
    with refused("AnotherApplication", account=applicant.account, digest=waiting):
        village.send("registrar", registry, "reject", *decided)
    assert registry.functions.statusOf(applicant.account).call() == APPLIED


def test_reverts_when_the_account_has_not_applied(village: Village, registry: Contract, applicant: Wallet) -> None:
    with refused("UnknownAccount", account=applicant.account):
        village.send("registrar", registry, "reject", *village.waiting(applicant.account))


def test_reverts_when_the_caller_is_no_registrar(
    village: Village, registry: Contract, applicant: Wallet, applied: None, stranger: AccountAPI
) -> None:
    with refused("AccessManagedUnauthorized", caller=stranger.address):
        village.market.chain.send(stranger, registry, "reject", *village.waiting(applicant.account))
