import pytest
from support.contracts import BUYERS_DAY, DAYS, LATER, SELLERS_DAY, WINDOW, Contracts
from support.refusals import refused
from support.village import DEPOSIT, PERIODS, Member, Village, events

from dem.messages.contracts import Ending


@pytest.mark.parametrize(("last_day", "days"), [(4, WINDOW), (3, 3), (2, 2), (1, 1), (0, 0)])
def test_shortens_a_contract_and_releases_what_it_no_longer_needs(
    village: Village, contracts: Contracts, concluded: None, buyer: Member, seller: Member, last_day: int, days: int
) -> None:
    receipt = contracts.end(Ending(1, last_day, LATER))
    assert events(receipt, contracts.contract, "Ended") == [
        {"number": 1, "lastDay": last_day, "defaulter": 0, "forfeited": 0}
    ]
    assert contracts.functions.contractOf(1).call()[2][3] == last_day * PERIODS
    assert contracts.functions.collateralOf(1).call() == [days * BUYERS_DAY, days * SELLERS_DAY]
    assert village.account(buyer)[:2] == (DEPOSIT - days * BUYERS_DAY, days * BUYERS_DAY)
    assert village.locked(seller) == days * SELLERS_DAY


def test_days_whose_gate_has_closed_stay(
    village: Village, contracts: Contracts, concluded: None, buyer: Member
) -> None:
    closed_at = village.calendar.gate_closes_at(2)
    village.wait_until(closed_at)
    with refused("GateClosed", day=2, closedAt=closed_at, time=village.now):
        contracts.end(Ending(1, 1, LATER))
    contracts.end(Ending(1, 2, LATER))
    for day in (1, 2):
        contracts.settle(day)
    assert village.locked(buyer) == 0


def test_goes_on_while_paused(village: Village, contracts: Contracts, concluded: None) -> None:
    village.send("node", village.market.accounts, "pause", contracts.contract.address)
    contracts.end(Ending(1, 2, LATER))


@pytest.mark.parametrize("number", [0, 2])
def test_reverts_when_there_is_no_such_contract(contracts: Contracts, concluded: None, number: int) -> None:
    with refused("NoSuchContract", number=number):
        contracts.end(Ending(number, 2, LATER))


@pytest.mark.parametrize("side", ["buyer", "seller"])
def test_reverts_when_a_side_did_not_sign(
    village: Village, contracts: Contracts, concluded: None, rival: Member, side: str
) -> None:
    with refused("NotSignedBy", account=getattr(village, side).account, signer=rival.account):
        contracts.end(Ending(1, 2, LATER), **{side: rival})


def test_reverts_when_expired(village: Village, contracts: Contracts, concluded: None) -> None:
    expiry = village.now
    with refused("Expired", expiry=expiry, time=expiry):
        contracts.end(Ending(1, 2, expiry))


@pytest.mark.parametrize("last_day", [DAYS, DAYS + 1])
def test_reverts_when_it_ends_no_earlier(contracts: Contracts, concluded: None, last_day: int) -> None:
    with refused("NotEarlier", number=1, lastDay=last_day, present=DAYS):
        contracts.end(Ending(1, last_day, LATER))


def test_reverts_when_it_ended_then_already(contracts: Contracts, concluded: None) -> None:
    contracts.end(Ending(1, 2, LATER))
    with refused("NotEarlier", number=1, lastDay=2, present=2):
        contracts.end(Ending(1, 2, LATER))
