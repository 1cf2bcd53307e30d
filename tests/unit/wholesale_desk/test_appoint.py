from support.refusals import refused
from support.village import Member, Village, events
from support.wholesale import admit_desk, appoint
from web3.contract import Contract


def test_appoints_the_desk_from_a_day_on(village: Village, office: Contract, desk: Member) -> None:
    assert office.functions.deskOf(1).call() == 0
    receipt = appoint(village, desk, first_day=2)
    assert events(receipt, office, "DeskAppointed") == [{"firstDay": 2, "id": desk.id}]
    assert [office.functions.deskOf(day).call() for day in (1, 2, 9)] == [0, desk.id, desk.id]


def test_another_takes_its_place(village: Village, office: Contract, desk: Member) -> None:
    another = admit_desk(village, "another desk")
    appoint(village, desk, first_day=1)
    appoint(village, another, first_day=3)
    assert [office.functions.deskOf(day).call() for day in (1, 2, 3)] == [desk.id, desk.id, another.id]
    # Nobody, from the second day on, and so not the other one either.
    village.send("council", office, "appoint", 0, 2)
    assert [office.functions.deskOf(day).call() for day in (1, 2, 3)] == [desk.id, 0, 0]


def test_reverts_when_the_member_is_no_desk(village: Village, office: Contract, buyer: Member) -> None:
    with refused("NotADesk", id=buyer.id):
        village.send("council", office, "appoint", buyer.id, 1)


def test_reverts_once_the_auction_of_the_day_is_open(village: Village, desk: Member) -> None:
    village.open_auction()
    with refused("TooLateToAppoint", firstDay=1, earliest=2):
        appoint(village, desk, first_day=1)
    appoint(village, desk, first_day=2)


def test_reverts_when_there_is_no_such_day(village: Village, desk: Member) -> None:
    with refused("NoSuchDay", day=1 << 16):
        appoint(village, desk, first_day=1 << 16)


def test_reverts_when_the_caller_is_not_the_council(village: Village, office: Contract, desk: Member) -> None:
    with refused("AccessManagedUnauthorized", caller=village.stranger.address):
        village.market.chain.send(village.stranger, office, "appoint", desk.id, 1)
