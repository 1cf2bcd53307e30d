from support.refusals import refused
from support.signed import Signed, application
from support.village import APPLIED, CONSUMER, Village
from web3.contract import Contract

from dem.community.keys import Wallet, wallet


def test_takes_several_applications_at_once(
    village: Village, registry: Contract, applicant: Wallet, signed_application: Signed
) -> None:
    second = wallet("village", 1, "second applicant")
    calls = [("applyFor", signed_application), ("applyFor", application(village.market, second, CONSUMER))]
    village.market.chain.send_many(village.market.keys["relayer"], registry, calls)
    assert registry.functions.statusOf(applicant.account).call() == APPLIED
    assert registry.functions.statusOf(second.account).call() == APPLIED


def test_does_nothing_when_one_of_them_reverts(
    village: Village, registry: Contract, applicant: Wallet, signed_application: Signed
) -> None:
    calls = [("applyFor", signed_application), ("applyFor", signed_application)]
    with refused("WrongStatus", account=applicant.account, status=APPLIED):
        village.market.chain.send_many(village.market.keys["relayer"], registry, calls)
    assert registry.functions.statusOf(applicant.account).call() == 0


def test_opens_nothing_to_strangers(village: Village, registry: Contract, applicant: Wallet, applied: None) -> None:
    with refused("AccessManagedUnauthorized", caller=village.stranger.address):
        village.market.chain.send_many(village.stranger, registry, [("admit", village.waiting(applicant.account))])
