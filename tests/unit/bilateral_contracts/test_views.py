import pytest
from support.contracts import WINDOW, Contracts
from support.refusals import refused
from support.village import Member, Village

from dem.model.markets.bilateral import window_of


def test_nothing_is_known_without_contracts(contracts: Contracts, buyer: Member) -> None:
    assert contracts.functions.contractCount().call() == 0
    assert contracts.functions.contractsOf(buyer.id).call() == []
    assert not contracts.functions.isUsed(bytes(32), buyer.account).call()


def test_the_window_follows_from_the_calendar(village: Village, contracts: Contracts) -> None:
    calendar = village.calendar
    model = window_of(calendar.day_length, calendar.gate_lead, calendar.metering_lag)
    assert contracts.functions.window().call() == model == WINDOW


def test_a_day_is_cleared_once_its_gate_has_passed(village: Village, contracts: Contracts) -> None:
    village.wait_until(village.calendar.gate_closes_at(2))
    is_cleared = contracts.functions.isCleared
    assert [is_cleared(day).call() for day in (0, 1, 2, 3, 65_536)] == [False, True, True, False, False]


def test_lists_more_contracts_than_fit_a_word(contracts: Contracts, seller: Member) -> None:
    for n in range(17):
        contracts.conclude(contracts.offer(energy=10, last_period=0, salt=bytes([n] * 32)))
    assert contracts.functions.contractsOf(seller.id).call() == list(range(1, 18))


@pytest.mark.parametrize("view", ["contractOf", "collateralOf"])
@pytest.mark.parametrize("number", [0, 2])
def test_reverts_when_there_is_no_such_contract(
    village: Village, contracts: Contracts, concluded: None, view: str, number: int
) -> None:
    with refused("NoSuchContract", number=number):
        village.relay(contracts.contract, view, number)
