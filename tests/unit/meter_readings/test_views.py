import pytest
from support.refusals import refused
from support.signed import NO_ENERGY, signed_lanes
from support.village import GRID_OPERATOR, Member, Village
from web3.contract import Contract


@pytest.mark.parametrize("view", ["membersOf", "versionOf"])
def test_reverts_before_the_day_is_closed(village: Village, readings: Contract, view: str) -> None:
    with refused("ReadingsNotClosed", day=1):
        village.relay(readings, view, 1)


def test_nothing_is_known_of_a_day_without_readings(readings: Contract) -> None:
    assert not readings.functions.isClosed(1).call()
    assert readings.functions.netOf(1, 1, 8).call() == [[]] * 8
    assert readings.functions.areaNet(1).call() == [0] * 12


def test_strips_that_were_not_read_are_zero(
    village: Village, readings: Contract, buyer: Member, delivered: None
) -> None:
    village.read(buyer, [4] * 6, first_strip=1)
    assert readings.functions.netOf(1, buyer.id, 1).call() == [[NO_ENERGY, signed_lanes(*[4] * 6)]]


def test_the_grid_operators_energy_is_the_losses(
    village: Village, readings: Contract, buyer: Member, seller: Member, delivered: None
) -> None:
    village.read(buyer, [1_000] * 12)
    village.read(seller, [-400] * 12)
    village.read(village.grid_operator, [630] * 6)
    losses, elsewhere = readings.functions.netOf(1, GRID_OPERATOR, 1).call()[0]
    assert losses == signed_lanes(*[30] * 6)
    assert elsewhere == NO_ENERGY


def test_the_area_takes_what_its_boundary_meter_shows_where_there_is_one(
    village: Village, readings: Contract, buyer: Member, delivered: None
) -> None:
    village.read(buyer, [1_000] * 12)
    village.read(village.grid_operator, [1_030] * 6)
    assert readings.functions.areaNet(1).call() == [1_030] * 6 + [1_000] * 6


def test_a_day_does_not_show_the_readings_of_the_day_that_used_its_storage_before(
    village: Village, readings: Contract, buyer: Member, delivered: None
) -> None:
    village.read(buyer, [1_000] * 12)
    village.close_unread()
    assert readings.functions.netOf(9, buyer.id, 1).call() == [[]]
    assert readings.functions.areaNet(9).call() == [0] * 12
    assert not readings.functions.isClosed(9).call()
