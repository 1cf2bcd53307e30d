"""What others ask the registry; a question it must refuse is put as a transaction to learn its error."""

from support.refusals import refused
from support.village import ADMITTED, CAPACITY, CONSUMER, EXITED, FOREVER, NOBODY, SUSPENDED, Member, Village
from web3.contract import Contract

from dem.community.keys import Wallet


def test_member_is_told_as_registered(registry: Contract, buyer: Member) -> None:
    assert registry.functions.member(buyer.id).call() == (
        buyer.account,
        CAPACITY,
        CAPACITY,
        ADMITTED,
        buyer.meter,
        1,
        FOREVER,
        CONSUMER,
    )


def test_member_reverts_when_there_is_none(village: Village, registry: Contract) -> None:
    with refused("UnknownMember", id=0):
        village.relay(registry, "member", 0)


def test_an_unknown_account_has_no_number_and_no_status(registry: Contract, applicant: Wallet) -> None:
    assert registry.functions.idOf(applicant.account).call() == 0
    assert registry.functions.statusOf(applicant.account).call() == 0
    assert not registry.functions.isRegistered(applicant.account).call()


def test_trader_is_told_with_its_connection(registry: Contract, buyer: Member) -> None:
    assert registry.functions.requireTrader(buyer.account, 1).call() == [buyer.id, CAPACITY, CAPACITY]


def test_trader_reverts_when_unknown(village: Village, registry: Contract, applicant: Wallet) -> None:
    with refused("UnknownAccount", account=applicant.account):
        village.relay(registry, "requireTrader", applicant.account, 1)


def test_trader_reverts_when_suspended(village: Village, registry: Contract, buyer: Member) -> None:
    village.send("registrar", registry, "suspend", buyer.id)
    with refused("WrongStatus", account=buyer.account, status=SUSPENDED):
        village.relay(registry, "requireTrader", buyer.account, 1)


def test_trader_reverts_when_exited(village: Village, registry: Contract, buyer: Member) -> None:
    village.send("registrar", registry, "exit", buyer.id)
    with refused("WrongStatus", account=buyer.account, status=EXITED):
        village.relay(registry, "requireTrader", buyer.account, 1)


def test_trader_reverts_before_the_first_day(village: Village, registry: Contract, buyer: Member) -> None:
    with refused("NotTakingPart", id=buyer.id, day=0, firstDay=1, lastDay=FOREVER):
        village.relay(registry, "requireTrader", buyer.account, 0)


def test_meter_is_told_with_its_connection(registry: Contract, seller: Member) -> None:
    assert registry.functions.metered(seller.meter, 7).call() == (seller.id, CAPACITY, CAPACITY, False, 1)


def test_metered_reverts_when_unknown(village: Village, registry: Contract, applicant: Wallet) -> None:
    with refused("UnknownMeter", meter=applicant.meter):
        village.relay(registry, "metered", applicant.meter, 1)


def test_metered_reverts_after_the_last_day(village: Village, registry: Contract, buyer: Member) -> None:
    village.open_auction(1)
    village.send("registrar", registry, "exit", buyer.id)
    with refused("NotTakingPart", id=buyer.id, day=2, firstDay=1, lastDay=1):
        village.relay(registry, "metered", buyer.meter, 2)


def test_who_takes_part_has_a_meter_with_its_connection(village: Village, registry: Contract, rival: Member) -> None:
    village.open_auction(1)
    village.send("registrar", registry, "exit", rival.id)
    meter_on = registry.functions.meterOn
    assert meter_on(rival.id, 1).call() == [rival.meter, CAPACITY, CAPACITY]
    # fund, clearing house, supplier and operator have no meter; the rival's last day is 1; there is no member 9
    found = [[meter_on(id_, day).call() != [NOBODY, 0, 0] for id_ in range(1, 10)] for day in (1, 2)]
    assert found == [[False] * 4 + [True] * 4 + [False], [False] * 4 + [True] * 3 + [False] * 2]
