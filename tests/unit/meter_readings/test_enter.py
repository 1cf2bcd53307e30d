import pytest
from support.refusals import refused
from support.signed import NO_ENERGY, TOO_HIGH_S, readings_sheet, registers, signed_lanes
from support.village import CAPACITY, PERIOD, STRIPS, Member, Village, events
from web3.contract import Contract

from dem.community.keys import wallet
from dem.messages.readings import Register, pack_registers

DAY = [100, 0, -50, 0, 0, 7] + [0] * 5 + [10_000]
DAY_LANES = [signed_lanes(*DAY[:6]), signed_lanes(*DAY[6:])]


def test_records_net_energy_by_period(village: Village, readings: Contract, buyer: Member, delivered: None) -> None:
    receipt = village.read(buyer, DAY, sequence=4, imported=5_000, exported=300)
    assert events(receipt, readings, "ReadingsAccepted") == [
        {
            "id": buyer.id,
            "day": 1,
            "firstStrip": 0,
            "sequence": 4,
            "isCorrection": False,
            "registers": registers(DAY, 5_000, 300),
            "leftOut": 0,
            "substituted": 0,
        }
    ]
    assert readings.functions.netOf(1, buyer.id, 1).call() == [DAY_LANES]
    assert readings.functions.areaNet(1).call() == DAY


def test_takes_a_day_strip_by_strip_as_it_passes(village: Village, readings: Contract, buyer: Member) -> None:
    village.wait_until(village.calendar.start_of(1) + 6 * PERIOD)
    village.read(buyer, DAY[:6])
    village.wait_until(village.calendar.start_of(2))
    village.read(buyer, DAY[6:], first_strip=1, sequence=2, imported=107, exported=50)
    assert readings.functions.netOf(1, buyer.id, 1).call() == [DAY_LANES]


def test_a_correction_replaces_what_was_read(
    village: Village, readings: Contract, meters: Contract, buyer: Member, seller: Member, delivered: None
) -> None:
    village.read(buyer, DAY)
    village.read(seller, [-1] * 12)
    receipt = village.read(buyer, [10] * 6, sequence=2)
    assert events(receipt, readings, "ReadingsAccepted")[0]["isCorrection"]
    assert readings.functions.netOf(1, buyer.id, 1).call() == [[signed_lanes(*[10] * 6), DAY_LANES[1]]]
    assert readings.functions.areaNet(1).call() == [9] * 6 + [-1] * 5 + [9_999]
    # What it takes back is not billed until the next true-up.
    assert meters.functions.unbilledOf(buyer.id).call()[:2] == (47, 50)


def test_a_correction_takes_no_more_than_the_registers_show(village: Village, buyer: Member, delivered: None) -> None:
    village.read(buyer, DAY)
    with refused("MoreThanRegistersShow", id=buyer.id, importWh=-253, exportWh=50):
        village.read(buyer, [60] * 6, sequence=2)
    with refused("RegisterGap", id=buyer.id, register=10_108, last=10_107):
        village.read(buyer, [1_684] * 5 + [1_688], sequence=2)


def test_what_the_register_advances_by_over_a_gap_belongs_to_the_gap(
    village: Village, meters: Contract, buyer: Member, delivered: None
) -> None:
    village.read(buyer, [100] * 6)
    village.wait_until(village.calendar.start_of(3))
    receipt = village.read(buyer, [100] * 12, day=2, sequence=2, imported=1_800)
    unbilled = {"id": buyer.id, "importWh": 1_200, "exportWh": 0, "strips": 0}
    assert events(receipt, meters, "UnbilledChanged") == [unbilled]


def test_a_late_strip_before_the_latest_one_is_taken(
    village: Village, readings: Contract, buyer: Member, delivered: None
) -> None:
    village.read(buyer, [1] * 6, first_strip=1, imported=500)
    village.read(buyer, [2] * 6, first_strip=0, sequence=2, imported=488)
    lanes = [signed_lanes(*[2] * 6), signed_lanes(*[1] * 6)]
    assert readings.functions.netOf(1, buyer.id, 1).call() == [lanes]


def test_registers_may_have_run_on_during_a_gap(village: Village, buyer: Member, delivered: None) -> None:
    village.read(buyer, [1] * 6)
    village.wait_until(village.calendar.start_of(3))
    village.read(buyer, [1] * 12, day=2, sequence=2, imported=900)


def test_a_correction_after_closing_raises_the_version(
    village: Village, readings: Contract, buyer: Member, delivered: None
) -> None:
    village.close_unread()
    assert readings.functions.versionOf(1).call() == 0
    village.read(buyer, DAY)
    assert readings.functions.versionOf(1).call() == 1


def test_the_same_values_again_do_not_raise_the_version(
    village: Village, readings: Contract, buyer: Member, delivered: None
) -> None:
    village.read(buyer, DAY)
    village.close_unread()
    village.read(buyer, DAY, sequence=2)
    assert readings.functions.versionOf(1).call() == 0


def test_the_boundary_meter_counts_from_its_first_reading_and_not_again_unchanged(
    village: Village, readings: Contract, delivered: None
) -> None:
    village.close_unread()
    village.read(village.grid_operator, [0] * 12)
    assert readings.functions.versionOf(1).call() == 1
    village.read(village.grid_operator, [0] * 12, sequence=2)
    assert readings.functions.versionOf(1).call() == 1
    village.read(village.grid_operator, [0] * 11 + [1], sequence=3)
    assert readings.functions.versionOf(1).call() == 2


@pytest.mark.parametrize("length", [0, 15, 16, 96, 111, 113, 128, 240])
def test_reverts_when_the_length_is_not_whole_strips(
    village: Village, readings: Contract, buyer: Member, delivered: None, length: int
) -> None:
    with refused("BadRegisters", bytesGiven=length):
        village.relay(readings, "enter", readings_sheet(village.market, buyer.wallet, bytes(length)))


@pytest.mark.parametrize(("first_strip", "strips"), [(1, 2), (2, 1), (255, 1)])
def test_reverts_beyond_the_days_strips(
    village: Village, readings: Contract, buyer: Member, delivered: None, first_strip: int, strips: int
) -> None:
    with refused("StripOutOfRange", firstStrip=first_strip, strips=strips, stripsPerDay=STRIPS):
        village.read(buyer, [0] * 6 * strips, first_strip=first_strip)


def test_reverts_when_a_strip_has_not_passed(village: Village, buyer: Member) -> None:
    end = village.calendar.start_of(2)
    village.wait_until(end - PERIOD)
    with refused("ReadingFromFuture", endsAt=end, time=village.now):
        village.read(buyer, DAY)


def test_reverts_when_the_correction_window_has_closed(village: Village, buyer: Member) -> None:
    closed_at = village.calendar.corrections_close_at(1)
    village.wait_until(closed_at)
    with refused("CorrectionWindowClosed", day=1, closedAt=closed_at, time=village.now):
        village.read(buyer, DAY)


def test_reverts_when_there_is_no_such_day(village: Village, buyer: Member, delivered: None) -> None:
    with refused("NoSuchDay", day=0):
        village.read(buyer, DAY, day=0)


def test_reverts_when_signed_by_somebody_else(
    village: Village, readings: Contract, buyer: Member, delivered: None
) -> None:
    signed = readings_sheet(village.market, buyer.wallet, registers(DAY), key=buyer.wallet.account_key)
    with refused("NotSignedByMeter", meter=buyer.meter, signer=buyer.account):
        village.relay(readings, "enter", signed)


def test_reverts_when_the_signatures_s_is_in_the_upper_half(
    village: Village, readings: Contract, buyer: Member, delivered: None
) -> None:
    sheet, r, _ = readings_sheet(village.market, buyer.wallet, registers(DAY))
    with refused("ECDSAInvalidSignatureS", s=TOO_HIGH_S):
        village.relay(readings, "enter", (sheet, r, TOO_HIGH_S))


def test_reverts_when_the_signature_is_nobodys(
    village: Village, readings: Contract, buyer: Member, delivered: None
) -> None:
    sheet, _, vs = readings_sheet(village.market, buyer.wallet, registers(DAY))
    with refused("ECDSAInvalidSignature"):
        village.relay(readings, "enter", (sheet, bytes(32), vs))


def test_reverts_when_the_meter_is_unknown(village: Village, delivered: None) -> None:
    unknown = Member(9, wallet("village", 1, "unknown"))
    with refused("UnknownMeter", meter=unknown.meter):
        village.read(unknown, DAY)


def test_reverts_when_the_member_takes_no_part_that_day(village: Village, registry: Contract, buyer: Member) -> None:
    village.open_auction()
    village.send("registrar", registry, "exit", buyer.id)
    village.wait_until(village.calendar.start_of(3))
    with refused("NotTakingPart", id=buyer.id, day=2, firstDay=1, lastDay=1):
        village.read(buyer, DAY, day=2)


@pytest.mark.parametrize("sequence", [4, 5])
def test_reverts_when_a_later_sheet_was_taken(village: Village, buyer: Member, delivered: None, sequence: int) -> None:
    village.read(buyer, DAY, sequence=5)
    with refused("StaleReading", id=buyer.id, strip=0, sequence=sequence, last=5):
        village.read(buyer, DAY, sequence=sequence)


@pytest.mark.parametrize("side", ["import", "export"])
def test_a_strip_that_cannot_be_is_left_out(
    village: Village, readings: Contract, buyer: Member, delivered: None, side: str
) -> None:
    values = [(500, 500)] * 7 + [(499, 500) if side == "import" else (500, 499)] + [(500, 500)] * 5
    data = pack_registers([Register(*value) for value in values])
    receipt = village.relay(readings, "enter", readings_sheet(village.market, buyer.wallet, data))
    assert events(receipt, readings, "ReadingsAccepted")[0]["leftOut"] == 0b10
    assert readings.functions.netOf(1, buyer.id, 1).call() == [[NO_ENERGY] * 2]
    village.close_unread()
    assert readings.functions.netOf(1, buyer.id, 1).call()[0][0] == NO_ENERGY
    assert readings.functions.netOf(1, buyer.id, 1).call()[0][1] != NO_ENERGY


def test_an_error_code_in_place_of_the_registers_is_refused(village: Village, buyer: Member, delivered: None) -> None:
    village.read(buyer, [1] * 6)
    village.wait_until(village.calendar.start_of(3))
    most = 2 * CAPACITY * 18
    with refused("ImplausibleAdvance", id=buyer.id, advance=4_294_967_289, most=most):
        village.read(buyer, [0] * 12, day=2, sequence=2, imported=4_294_967_295)
    village.read(buyer, [1] * 12, day=2, sequence=3, imported=12)


@pytest.mark.parametrize(("imported", "exported"), [(CAPACITY + 1, 0), (0, 2 * CAPACITY)])
def test_what_is_beyond_the_connection_counts_and_is_flagged(
    village: Village, readings: Contract, buyer: Member, delivered: None, imported: int, exported: int
) -> None:
    receipt = village.read(buyer, [0] * 8 + [imported - exported] + [0] * 3)
    assert events(receipt, readings, "BeyondConnection") == [
        {"id": buyer.id, "day": 1, "slot": 8, "imported": imported, "exported": exported}
    ]
    assert readings.functions.areaNet(1).call()[8] == imported - exported


@pytest.mark.parametrize("energy", [2 * CAPACITY + 1, -2 * CAPACITY - 1], ids=["import", "export"])
def test_reverts_when_nothing_of_it_can_be(village: Village, buyer: Member, delivered: None, energy: int) -> None:
    with refused("NothingPlausible", id=buyer.id, firstStrip=1):
        village.read(buyer, [0] * 2 + [energy] + [0] * 3, first_strip=1)


def test_leaves_out_what_is_beyond_what_the_area_may_exchange(
    village: Village, readings: Contract, delivered: None
) -> None:
    most = (1 << 37) - 1
    receipt = village.read(village.grid_operator, [most + 1] + [0] * 11)
    assert events(receipt, readings, "ReadingsAccepted")[0]["leftOut"] == 0b01
    village.read(village.grid_operator, [most, -most] + [0] * 10, sequence=2)


@pytest.mark.parametrize(
    ("imported", "exported", "register", "last"), [(5, 6, 5, 6), (7, 6, 7, 6), (6, 5, 5, 6), (6, 7, 7, 6)]
)
def test_reverts_when_the_next_strip_does_not_continue_the_registers(
    village: Village, buyer: Member, delivered: None, imported: int, exported: int, register: int, last: int
) -> None:
    village.read(buyer, [1] * 6, exported=6)
    with refused("RegisterGap", id=buyer.id, register=register, last=last):
        village.read(buyer, [1] * 6, first_strip=1, sequence=2, imported=imported, exported=exported)


def test_reverts_when_registers_ran_back_during_a_gap(village: Village, buyer: Member, delivered: None) -> None:
    village.read(buyer, [1] * 6)
    village.wait_until(village.calendar.start_of(3))
    with refused("RegisterGap", id=buyer.id, register=5, last=6):
        village.read(buyer, [1] * 12, day=2, sequence=2, imported=5)


def test_reverts_when_the_storage_is_still_in_use(village: Village, buyer: Member) -> None:
    village.wait_until(village.calendar.start_of(10))
    with refused("DayStillOpen", day=2, lastFinal=0):
        village.read(buyer, DAY, day=9)


def test_a_refused_sheet_leaves_nothing_behind(
    village: Village, readings: Contract, buyer: Member, delivered: None
) -> None:
    with refused("NothingPlausible", id=buyer.id, firstStrip=0):
        village.read(buyer, [2 * CAPACITY + 1] * 12)
    assert readings.functions.netOf(1, buyer.id, 1).call() == [[]]
    assert readings.functions.areaNet(1).call() == [0] * 12
    village.read(buyer, [0] * 12)
    assert readings.functions.netOf(1, buyer.id, 1).call() == [[NO_ENERGY] * 2]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_sheets_for_different_strips_are_taken_in_any_order(
    village: Village, readings: Contract, buyer: Member, delivered: None, order: tuple[int, int]
) -> None:
    sheets = [
        {"net": DAY[:6], "first_strip": 0, "sequence": 1},
        {"net": DAY[6:], "first_strip": 1, "sequence": 2, "imported": 107, "exported": 50},
    ]
    for n in order:
        village.read(buyer, **sheets[n])
    assert readings.functions.netOf(1, buyer.id, 1).call() == [DAY_LANES]
    assert readings.functions.areaNet(1).call() == DAY


def test_a_strip_counts_its_own_sheets(village: Village, readings: Contract, buyer: Member, delivered: None) -> None:
    village.read(buyer, DAY, sequence=5)
    village.read(buyer, [60] * 6, first_strip=1, sequence=9, imported=107, exported=50)
    with refused("StaleReading", id=buyer.id, strip=1, sequence=8, last=9):
        village.read(buyer, DAY, sequence=8)
    village.read(buyer, [2] * 6, sequence=6)
    assert readings.functions.netOf(1, buyer.id, 1).call() == [[signed_lanes(*[2] * 6), signed_lanes(*[60] * 6)]]


def test_a_sheet_replaces_an_estimate_whatever_its_sequence(
    village: Village, readings: Contract, buyer: Member, delivered: None
) -> None:
    village.read(buyer, DAY[:6], sequence=7)
    village.close_unread()
    receipt = village.read(buyer, DAY[6:], first_strip=1, sequence=1, imported=107, exported=50)
    assert events(receipt, readings, "ReadingsAccepted")[0]["isCorrection"]
    assert readings.functions.netOf(1, buyer.id, 1).call() == [DAY_LANES]


def test_reverts_without_a_sequence_or_with_too_high_a_one(village: Village, buyer: Member, delivered: None) -> None:
    with refused("StaleReading", id=buyer.id, strip=0, sequence=0, last=0):
        village.read(buyer, DAY, sequence=0)
    with refused("SequenceTooHigh", sequence=16_383, highest=16_382):
        village.read(buyer, DAY, sequence=16_383)
    village.read(buyer, DAY, sequence=16_382)
