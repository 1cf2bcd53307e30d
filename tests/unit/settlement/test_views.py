from support.village import RULES, Member, Village
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


def test_a_day_tells_what_the_fund_needs_once_it_is_settled(
    village: Village, settlement: Contract, buyer: Member, seller: Member, short: None
) -> None:
    assert settlement.functions.dayOf(1).call() == (0, 0, 0, 0)
    village.relay(settlement, "settle", 1, 6)
    assert settlement.functions.dayOf(1).call() == (0, 0, 0, 0)
    village.settle()
    # 500 of the seller's 1,000 Wh were delivered, 400 of the others charged as deviation.
    assert settlement.functions.dayOf(1).call() == (8, 400 * RULES.deviation_rate, 0, 1_500)
    assert settlement.functions.claimsOf(1, buyer.id, 3).call() == [[0, 0, 0], [1_000, 500, 0]]
    # day 9 will use the same storage
    assert settlement.functions.dayOf(9).call() == (0, 0, 0, 0)
    assert settlement.functions.claimsOf(9, buyer.id, 2).call() == [[0, 0], [0, 0]]
