import pytest
from support.refusals import refused
from support.signed import commitment, wholesale_report
from support.village import PERIODS, Member, Village, events
from support.wholesale import CLOSED, admit_desk, appoint, commit
from web3.contract import Contract

from dem.messages.orders import WholesaleReport
from dem.messages.signing import message_hash


@pytest.fixture
def appointed(village: Village, desk: Member) -> Member:
    appoint(village, desk)
    return desk


def empty_report(desk: Member, day: int = 1) -> WholesaleReport:
    return wholesale_report(desk.wallet, [CLOSED] * PERIODS, day)


def test_keeps_the_hash_of_the_report(village: Village, office: Contract, appointed: Member) -> None:
    village.open_auction()
    assert office.functions.commitmentOf(1).call() == bytes(32)
    message = empty_report(appointed)
    receipt = commit(village, appointed, message)
    hashed = message_hash(message)
    assert events(receipt, office, "Committed") == [{"id": appointed.id, "day": 1, "report": hashed}]
    assert office.functions.commitmentOf(1).call() == hashed
    assert office.functions.commitmentOf(9).call() == bytes(32)


def test_reverts_before_the_auction_opens(village: Village, appointed: Member) -> None:
    opens = village.calendar.opens_at(1)
    with refused("TooEarlyToCommit", day=1, **{"from": opens}, time=village.now):
        commit(village, appointed, empty_report(appointed))


def test_reverts_from_the_gate_on(village: Village, appointed: Member) -> None:
    gate = village.calendar.gate_closes_at(1)
    village.wait_until(gate)
    with refused("TooLateToCommit", day=1, gate=gate, time=village.now):
        commit(village, appointed, empty_report(appointed))


def test_reverts_when_the_desk_has_committed(village: Village, appointed: Member) -> None:
    village.open_auction()
    commit(village, appointed, empty_report(appointed))
    with refused("AlreadyCommitted", day=1):
        commit(village, appointed, empty_report(appointed))


def test_reverts_when_another_is_the_desk(village: Village, appointed: Member) -> None:
    another = admit_desk(village, "another desk")
    village.open_auction()
    with refused("NotTheDesk", day=1, id=another.id, appointed=appointed.id):
        commit(village, another, empty_report(another))


def test_reverts_when_nobody_is_the_desk(village: Village, desk: Member) -> None:
    village.open_auction()
    with refused("NotTheDesk", day=1, id=desk.id, appointed=0):
        commit(village, desk, empty_report(desk))


def test_reverts_when_somebody_else_signed(
    village: Village, office: Contract, appointed: Member, buyer: Member
) -> None:
    village.open_auction()
    signed = commitment(village.market, appointed.wallet, empty_report(appointed), key=buyer.wallet.account_key)
    with refused("NotSignedByDesk", desk=appointed.account, signer=buyer.account):
        village.relay(office, "commit", *signed)


def test_reverts_while_the_storage_is_in_use(village: Village, appointed: Member) -> None:
    village.wait_until(village.calendar.opens_at(9))
    with refused("DayStillOpen", day=1, lastFinal=0):
        commit(village, appointed, empty_report(appointed, day=9))
