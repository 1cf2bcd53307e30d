from support.village import Village
from web3.contract import Contract


def test_settling_begins_with_the_first_member(settlement: Contract) -> None:
    assert settlement.functions.nextMember(1).call() == 1
    assert not settlement.functions.isSettled(1).call()


def test_a_settled_day_ends_behind_its_last_member(village: Village, settlement: Contract, short: None) -> None:
    village.settle()
    assert settlement.functions.nextMember(1).call() == 9
    assert settlement.functions.isSettled(1).call()
    # day 9 will use the same storage
    assert settlement.functions.nextMember(9).call() == 1
    assert not settlement.functions.isSettled(9).call()
