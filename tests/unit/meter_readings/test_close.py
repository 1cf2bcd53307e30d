import pytest
from ape.api import AccountAPI
from support.refusals import refused
from support.signed import ESTIMATED, signed_lanes
from support.village import CAPACITY, GRID_OPERATOR, RULES, Member, Village, events
from web3.contract import Contract

FLAGS = sum(ESTIMATED << 40 * k for k in range(6))


def flagged(*energies: int) -> int:
    return signed_lanes(*energies) | FLAGS


ALL = flagged(*[CAPACITY] * 6)


def test_estimates_all_that_the_connection_takes_in(
    village: Village, readings: Contract, buyer: Member, seller: Member, rival: Member, delivered: None
) -> None:
    village.read(buyer, [1] * 12)
    village.read(seller, [-1] * 6)
    receipt = village.close_unread()
    assert events(receipt, readings, "Estimated") == [
        {"id": seller.id, "day": 1, "strip": 1, "word": ALL},
        {"id": rival.id, "day": 1, "strip": 0, "word": ALL},
        {"id": rival.id, "day": 1, "strip": 1, "word": ALL},
    ]
    assert events(receipt, readings, "MeteringClosed") == [{"day": 1, "members": 8}]
    assert readings.functions.isClosed(1).call()
    assert readings.functions.membersOf(1).call() == 8


def test_an_estimate_follows_from_no_other_reading(
    village: Village, readings: Contract, meters: Contract, buyer: Member, delivered: None
) -> None:
    village.read(buyer, [0] * 12)
    village.close_unread()
    village.close_unread(2)
    assert readings.functions.netOf(2, buyer.id, 1).call() == [[ALL, ALL]]
    assert meters.functions.unbilledOf(buyer.id).call()[2] == 2


def test_who_is_silent_for_three_days_orders_no_more_until_its_meter_reads_again(
    village: Village, readings: Contract, registry: Contract, buyer: Member, delivered: None
) -> None:
    village.read(buyer, [1] * 12)
    for day in (1, 2, 3):
        village.close_unread(day)
    assert not registry.functions.isSilent(buyer.id).call()
    receipt = village.close_unread(4)
    assert {"id": buyer.id, "isSilent": True} in events(receipt, registry, "SilenceChanged")
    with refused("MeterSilent", id=buyer.id):
        village.relay(registry, "requireTrader", buyer.account, 5)
    village.wait_until(village.calendar.start_of(6))
    village.read(buyer, [1] * 12, day=5, sequence=2, imported=112)
    assert not registry.functions.isSilent(buyer.id).call()


def test_an_estimate_can_be_corrected(village: Village, readings: Contract, buyer: Member, delivered: None) -> None:
    village.close_unread()
    receipt = village.read(buyer, [5] * 12)
    assert events(receipt, readings, "ReadingsAccepted")[0]["isCorrection"]
    # Two others are estimated still.
    assert readings.functions.areaNet(1).call() == [5 + 2 * CAPACITY] * 12


def test_does_not_estimate_a_boundary_that_nobody_has_read(
    village: Village, readings: Contract, delivered: None
) -> None:
    receipt = village.close_unread()
    assert GRID_OPERATOR not in [event["id"] for event in events(receipt, readings, "Estimated")]
    assert readings.functions.netOf(1, GRID_OPERATOR, 1).call() == [[]]


def test_estimates_the_boundary_by_the_most_that_was_ever_lost(
    village: Village, readings: Contract, buyer: Member, seller: Member, rival: Member, delivered: None
) -> None:
    for member in (buyer, seller, rival):
        village.read(member, [10] * 12)
    village.read(village.grid_operator, [30] * 4 + [37] + [32] * 7)
    village.close_unread()
    receipt = village.close_unread(2)
    own = [event["word"] for event in events(receipt, readings, "Estimated") if event["id"] == GRID_OPERATOR]
    assert own == [flagged(*[7] * 6)] * 2
    assert readings.functions.netOf(2, GRID_OPERATOR, 1).call() == [own]
    assert readings.functions.areaNet(2).call() == [3 * CAPACITY + 7] * 12
    assert readings.functions.boundaryOf(1).call() == [0b11, 0]
    assert readings.functions.boundaryOf(2).call() == [0, 0b11]


def test_goes_on_where_it_stopped(village: Village, readings: Contract) -> None:
    village.wait_until(village.calendar.metering_deadline(1))
    village.relay(readings, "close", 1, 7)
    assert not readings.functions.isClosed(1).call()
    receipt = village.relay(readings, "close", 1, 1)
    assert events(receipt, readings, "MeteringClosed") == [{"day": 1, "members": 8}]


@pytest.mark.parametrize(
    ("beyond", "flags"), [(RULES.boundary_margin, 0), (RULES.boundary_margin + 1, 1), (-RULES.boundary_margin - 1, 1)]
)
def test_flags_periods_whose_boundary_differs_by_more_than_the_margin(
    village: Village, readings: Contract, buyer: Member, delivered: None, beyond: int, flags: int
) -> None:
    village.read(buyer, [1_000] * 12)
    village.read(village.grid_operator, [1_000] * 7 + [1_000 + beyond] + [1_000] * 4)
    receipt = village.close_metering()
    expected = {"day": 1, "slot": 7, "boundary": 1_000 + beyond, "sum": 1_000}
    assert events(receipt, readings, "BoundaryMismatch") == [expected] * flags


def test_reverts_before_the_deadline(village: Village, readings: Contract, delivered: None) -> None:
    deadline = village.calendar.metering_deadline(1)
    with refused("DeadlineNotReached", day=1, deadline=deadline, time=village.now):
        village.relay(readings, "close", 1, 8)


def test_reverts_when_no_members_are_asked_for(village: Village, readings: Contract) -> None:
    village.wait_until(village.calendar.metering_deadline(1))
    with refused("NoMembersAsked"):
        village.relay(readings, "close", 1, 0)


def test_reverts_when_closed_already(village: Village, readings: Contract) -> None:
    village.close_unread()
    with refused("AlreadyClosed", day=1):
        village.relay(readings, "close", 1, 8)


def test_reverts_when_there_is_no_such_day(village: Village, readings: Contract) -> None:
    with refused("NoSuchDay", day=0):
        village.relay(readings, "close", 0, 8)


def test_reverts_when_the_day_before_is_not_closed(village: Village, readings: Contract) -> None:
    village.wait_until(village.calendar.metering_deadline(2))
    with refused("ReadingsNotClosed", day=1):
        village.relay(readings, "close", 2, 8)


def test_reverts_when_the_storage_is_still_in_use(village: Village, readings: Contract) -> None:
    for day in range(1, 8):
        village.close_unread(day)
    # closing day 8 has to leave room for day 9, which is estimated from it
    with refused("DayStillOpen", day=1, lastFinal=0):
        village.close_unread(8)


def test_reverts_when_the_day_has_made_room_for_another(
    village: Village, readings: Contract, rules: Contract, stranger: AccountAPI
) -> None:
    village.grant("settlement", stranger)
    for day in range(1, 9):
        village.market.chain.send(stranger, rules, "markFinal", day)
    village.close_unread(9)
    with refused("ReadingDayIsOver", day=1):
        village.relay(readings, "close", 1, 8)
