import pytest
from support.contracts import BUYERS_DAY, DAYS, SELLERS_DAY, WINDOW, Contracts
from support.refusals import refused
from support.village import DEPOSIT, PERIODS, Member, Village, events


def leave(village: Village, member: Member) -> None:
    """Day 2 has opened, though its gate is still open."""
    village.wait_until(village.calendar.opens_at(2))
    village.send("registrar", village.market.registry, "exit", member.id)


def test_ends_the_contract_of_who_has_left_after_its_last_day(
    village: Village, contracts: Contracts, concluded: None, buyer: Member, seller: Member
) -> None:
    leave(village, seller)
    receipt = village.relay(contracts.contract, "terminate", 1)
    assert events(receipt, contracts.contract, "Ended") == [
        {"number": 1, "lastDay": 2, "defaulter": seller.id, "forfeited": SELLERS_DAY}
    ]
    assert contracts.functions.collateralOf(1).call() == [2 * BUYERS_DAY, 2 * SELLERS_DAY]
    assert village.account(seller)[:2] == (DEPOSIT - 3 * SELLERS_DAY, 2 * SELLERS_DAY)
    assert village.account(buyer)[:2] == (DEPOSIT - 2 * BUYERS_DAY + SELLERS_DAY, 2 * BUYERS_DAY)


def test_goes_on_while_paused(village: Village, contracts: Contracts, concluded: None, buyer: Member) -> None:
    leave(village, buyer)
    village.send("node", village.market.accounts, "pause", contracts.contract.address)
    village.relay(contracts.contract, "terminate", 1)
    assert contracts.functions.contractOf(1).call()[2][3] == 2 * PERIODS


def test_reverts_when_nobody_has_left(village: Village, contracts: Contracts, concluded: None) -> None:
    village.send("registrar", village.market.registry, "suspend", village.buyer.id)
    with refused("NobodyLeft", number=1):
        village.relay(contracts.contract, "terminate", 1)


def test_arrears_of_a_moment_are_nobodys_weapon(
    village: Village, contracts: Contracts, concluded: None, buyer: Member
) -> None:
    """Neither the buyer, who may want to be free, nor a stranger ends its contract."""
    contracts.take_out(buyer)
    contracts.settle(1)
    assert village.account(buyer)[2] > 0
    for caller in (buyer.sender, village.stranger):
        with refused("NobodyLeft", number=1):
            village.market.chain.send(caller, contracts.contract, "terminate", 1)
    assert contracts.functions.collateralOf(1).call() == [WINDOW * BUYERS_DAY, WINDOW * SELLERS_DAY]


@pytest.mark.parametrize("number", [0, 2])
def test_reverts_when_there_is_no_such_contract(
    village: Village, contracts: Contracts, concluded: None, number: int
) -> None:
    with refused("NoSuchContract", number=number):
        village.relay(contracts.contract, "terminate", number)


def test_reverts_when_it_is_over(village: Village, contracts: Contracts, concluded: None, buyer: Member) -> None:
    leave(village, buyer)
    village.wait_until(village.calendar.gate_closes_at(DAYS))
    with refused("NotEarlier", number=1, lastDay=DAYS, present=DAYS):
        village.relay(contracts.contract, "terminate", 1)
