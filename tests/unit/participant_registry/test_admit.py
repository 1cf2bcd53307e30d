from ape.api import AccountAPI
from support.refusals import refused
from support.signed import Signed, application
from support.village import (
    ADMITTED,
    APPLIED,
    CAPACITY,
    CONSUMER,
    EXITED,
    FOREVER,
    PROSUMER,
    Member,
    Village,
    events,
)
from web3.contract import Contract

from dem.community.keys import Wallet, wallet
from dem.messages.signing import Application, digest


def test_gives_the_next_number_from_the_day_after_the_one_in_delivery(
    village: Village, registry: Contract, applicant: Wallet, applied: None
) -> None:
    village.wait_until(village.calendar.start_of(3) + 1)
    receipt = village.admit(applicant.account)
    assert events(receipt, registry, "Admitted") == [
        {"id": 9, "account": applicant.account, "meter": applicant.meter, "kind": CONSUMER, "firstDay": 4}
    ]
    assert registry.functions.member(9).call() == (
        applicant.account,
        CAPACITY,
        CAPACITY,
        ADMITTED,
        applicant.meter,
        4,
        FOREVER,
        CONSUMER,
    )
    assert registry.functions.idOf(applicant.account).call() == registry.functions.memberCount().call() == 9


def test_reverts_when_the_account_has_not_applied(village: Village, registry: Contract, applicant: Wallet) -> None:
    with refused("UnknownAccount", account=applicant.account):
        village.admit(applicant.account)


def test_reverts_when_admitted_already(village: Village, registry: Contract, buyer: Member) -> None:
    with refused("UnknownAccount", account=buyer.account):
        village.admit(buyer.account)


def test_reverts_when_the_meter_was_given_to_somebody_else_meanwhile(
    village: Village, registry: Contract, applicant: Wallet, applied: None
) -> None:
    second = wallet("village", 1, "second applicant")
    signed: Signed = application(village.market, second, CONSUMER, meter=applicant.meter)
    village.relay(registry, "applyFor", *signed)
    village.admit(applicant.account)
    with refused("KeyUnusable", key=applicant.meter):
        village.admit(second.account)


def test_reverts_when_the_area_has_no_room(village: Village, registry: Contract) -> None:
    limit, connected, largest = (1 << 36) - 1, 3 * CAPACITY, (1 << 33) - 1
    *people, last = (wallet("village", n, "of a large town") for n in range(limit // largest))
    for person in (*people, last):
        village.relay(registry, "applyFor", *application(village.market, person, CONSUMER, export_capacity=largest))
        connected += largest
    for person in people:
        village.admit(person.account)
    with refused("AreaFull", connected=connected, limit=limit):
        village.admit(last.account)


def test_gives_a_departed_members_meter_to_its_successor_without_a_gap(
    village: Village, registry: Contract, applicant: Wallet, buyer: Member
) -> None:
    village.open_auction()
    village.send("registrar", registry, "exit", buyer.id)
    village.relay(registry, "applyFor", *application(village.market, applicant, CONSUMER, meter=buyer.meter))
    receipt = village.admit(applicant.account)
    assert events(receipt, registry, "MeterTakenOver") == [
        {"id": 9, "meter": buyer.meter, "former": buyer.id, "firstDay": 2}
    ]
    assert [registry.functions.metered(buyer.meter, day).call()[0] for day in (1, 2)] == [buyer.id, 9]
    assert registry.functions.formerOf(buyer.meter).call() == [buyer.id, 2]
    assert registry.functions.member(9).call()[5] == 2


def test_a_meter_changes_hands_once_until_the_first_can_be_read_no_more(
    village: Village, registry: Contract, applicant: Wallet, buyer: Member
) -> None:
    village.open_auction()
    village.send("registrar", registry, "exit", buyer.id)
    village.relay(registry, "applyFor", *application(village.market, applicant, CONSUMER, meter=buyer.meter))
    village.admit(applicant.account)
    village.send("registrar", registry, "exit", 9)
    second = wallet("village", 1, "second applicant")
    signed: Signed = application(village.market, second, CONSUMER, meter=buyer.meter)
    with refused("KeyUnusable", key=buyer.meter):
        village.relay(registry, "applyFor", *signed)
    village.wait_until(village.calendar.corrections_close_at(2))
    village.relay(registry, "applyFor", *signed)
    village.admit(second.account)
    assert registry.functions.metered(buyer.meter, 4).call()[0] == 10


def test_a_member_that_has_left_comes_back_under_its_number(
    village: Village, registry: Contract, applicant: Wallet, buyer: Member
) -> None:
    village.open_auction()
    village.send("registrar", registry, "exit", buyer.id)
    signed = application(village.market, buyer.wallet, CONSUMER, import_capacity=7, export_capacity=8)
    with refused("WrongStatus", account=buyer.account, status=EXITED):
        village.relay(registry, "applyFor", *signed)
    village.wait_until(village.calendar.corrections_close_at(1))
    with refused("KindNotOpen", kind=PROSUMER):
        village.relay(registry, "applyFor", *application(village.market, buyer.wallet, PROSUMER))
    village.relay(registry, "applyFor", *signed)
    assert registry.functions.statusOf(buyer.account).call() == APPLIED
    first = village.first_unopened
    receipt = village.admit(buyer.account)
    assert events(receipt, registry, "Returned") == [{"id": buyer.id, "firstDay": first}]
    assert registry.functions.requireTrader(buyer.account, first).call() == [buyer.id, 7, 8]
    assert registry.functions.metered(buyer.meter, first).call() == (buyer.id, 7, 8, False, first)
    assert registry.functions.metered(buyer.meter, 1).call() == (buyer.id, CAPACITY, CAPACITY, False, 1)
    for day in (2, first - 1):
        with refused("NotTakingPart", id=buyer.id, day=day, firstDay=1, lastDay=FOREVER):
            village.relay(registry, "metered", buyer.meter, day)
        with refused("NotTakingPart", id=buyer.id, day=day, firstDay=1, lastDay=FOREVER):
            village.relay(registry, "requireTrader", buyer.account, day)
    assert registry.functions.memberCount().call() == 8


def test_reverts_when_the_caller_is_no_registrar(
    village: Village, registry: Contract, applicant: Wallet, applied: None, stranger: AccountAPI
) -> None:
    with refused("AccessManagedUnauthorized", caller=stranger.address):
        village.market.chain.send(stranger, registry, "admit", *village.waiting(applicant.account))


def test_admits_the_application_that_was_decided_on_and_no_other(
    village: Village, registry: Contract, applicant: Wallet, signed_application: Signed, applied: None
) -> None:
    _, read = village.waiting(applicant.account)
    village.send("registrar", registry, "reject", *village.waiting(applicant.account))
    village.relay(registry, "applyFor", *application(village.market, applicant, CONSUMER, import_capacity=9_999))
    _, waiting = village.waiting(applicant.account)
    assert waiting != read
    with refused("AnotherApplication", account=applicant.account, digest=waiting):
        village.send("registrar", registry, "admit", applicant.account, read)
    village.admit(applicant.account)
    assert registry.functions.applicationOf(applicant.account).call() == bytes(32)


def test_an_application_is_named_by_its_signed_hash(
    village: Village, registry: Contract, applicant: Wallet, signed_application: Signed, applied: None
) -> None:
    fields, _ = signed_application
    contract = village.market.domain("ParticipantRegistry")
    assert registry.functions.applicationOf(applicant.account).call() == digest(contract, Application(*fields))
