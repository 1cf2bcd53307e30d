import pytest
from ape.api import AccountAPI
from support.refusals import refused
from support.signed import bid
from support.village import PERIODS, Member, Village
from web3.contract import Contract


def test_nothing_is_known_of_a_day_without_orders(auction: Contract, buyer: Member) -> None:
    assert not auction.functions.isCleared(1).call()
    assert auction.functions.clearedStrips(1).call() == 0
    assert auction.functions.sheetOf(buyer.id, 1).call() == [0, 0, 0]
    assert auction.functions.lineOf(buyer.id, 1, 0).call() == bytes(32)


def test_a_day_does_not_show_the_orders_of_the_day_that_used_its_storage_before(
    village: Village, auction: Contract, buyer: Member, opened: None
) -> None:
    village.place(buyer, bid(0, 200, 1_000))
    assert auction.functions.lineOf(buyer.id, 1, 0).call() != bytes(32)
    assert auction.functions.lineOf(buyer.id, 9, 0).call() == bytes(32)
    assert auction.functions.sheetOf(buyer.id, 9).call() == [0, 0, 0]


def test_a_cleared_day_has_an_outcome_for_every_period(village: Village, auction: Contract, rationed: None) -> None:
    village.clear_day()
    assert auction.functions.clearedStrips(1).call() == 0b11
    assert len(auction.functions.outcomes(1).call()) == PERIODS
    assert auction.functions.clearedStrips(9).call() == 0


@pytest.mark.parametrize("day", [1, 9])
def test_outcomes_reverts_before_the_day_is_cleared(
    village: Village, auction: Contract, gate_closed: None, day: int
) -> None:
    village.clear_strip(0)
    with refused("NotCleared", day=day):
        village.relay(auction, "outcomes", day)


def test_a_day_is_forgotten_when_its_storage_is_taken(
    village: Village, auction: Contract, rules: Contract, buyer: Member, stranger: AccountAPI
) -> None:
    village.clear_day()
    village.grant("settlement", stranger)
    village.market.chain.send(stranger, rules, "markFinal", 1)
    village.open_auction(9)
    village.place(buyer, bid(0, 200, 1_000), day=9)
    assert not auction.functions.isCleared(1).call()
