import pytest
from ape.api import AccountAPI
from support.refusals import refused
from support.signed import bid
from support.village import PERIODS, Member, Village
from web3.contract import Contract


def test_nothing_is_known_of_a_day_without_orders(auction: Contract, reader: Contract, buyer: Member) -> None:
    assert not auction.functions.isCleared(1).call()
    assert auction.functions.clearedStrips(1).call() == 0
    assert auction.functions.sheetOf(buyer.id, 1).call() == [0, 0, 0]
    assert reader.functions.lineOf(buyer.id, 1, 0).call() == bytes(32)


def test_a_day_does_not_show_the_orders_of_the_day_that_used_its_storage_before(
    village: Village, auction: Contract, reader: Contract, buyer: Member, opened: None
) -> None:
    village.place(buyer, bid(0, 200, 1_000))
    assert reader.functions.lineOf(buyer.id, 1, 0).call() != bytes(32)
    assert reader.functions.lineOf(buyer.id, 9, 0).call() == bytes(32)
    assert auction.functions.sheetOf(buyer.id, 9).call() == [0, 0, 0]


def test_a_cleared_day_has_an_outcome_for_every_period(
    village: Village, auction: Contract, reader: Contract, rationed: None
) -> None:
    village.clear_day()
    assert auction.functions.clearedStrips(1).call() == 0b11
    assert len(reader.functions.outcomes(1).call()) == PERIODS
    assert auction.functions.clearedStrips(9).call() == 0


@pytest.mark.parametrize("day", [1, 9])
def test_outcomes_reverts_before_the_day_is_cleared(
    village: Village, reader: Contract, gate_closed: None, day: int
) -> None:
    village.clear_strip(0)
    with refused("NotCleared", day=day):
        village.relay(reader, "outcomes", day)


def test_a_day_is_forgotten_when_its_storage_is_taken(
    village: Village, auction: Contract, rules: Contract, buyer: Member, stranger: AccountAPI
) -> None:
    village.clear_day()
    village.grant("settlement", stranger)
    village.market.chain.send(stranger, rules, "markFinal", 1)
    village.open_auction(9)
    village.place(buyer, bid(0, 200, 1_000), day=9)
    assert not auction.functions.isCleared(1).call()


def test_the_book_is_read_line_by_line_and_member_by_member(
    village: Village, auction: Contract, reader: Contract, buyer: Member, rival: Member, rationed: None
) -> None:
    lines = {
        member.id: int.from_bytes(reader.functions.lineOf(member.id, 1, 1).call(), "big") for member in (buyer, rival)
    }
    assert auction.functions.bookOf(1).call() == [1, rival.id]
    assert [lines[id_] for id_ in (buyer.id, rival.id)] == [
        word for word in auction.functions.linesIn(1, 1, 0).call() if word in lines.values()
    ]
    assert len(auction.functions.linesIn(1, 1, 0).call()) == 3
    assert auction.functions.linesIn(1, 1, 1).call() == []
    own = auction.functions.linesOf(1, buyer.id - 1, 2).call()
    assert own[0] == []
    assert own[1][1] == lines[buyer.id]
    assert auction.functions.bookOf(9).call() == [0, 0]
    assert auction.functions.linesIn(9, 1, 0).call() == []
    assert auction.functions.linesOf(9, buyer.id, 1).call() == [[]]


def test_outcomes_are_read_as_they_are_packed(village: Village, auction: Contract, rationed: None) -> None:
    village.wait_until(village.calendar.gate_closes_at(1))
    assert auction.functions.outcomesIn(1, 6, 6).call() == [0] * 6
    village.clear_strip(1)
    packed = auction.functions.outcomesIn(1, 6, 6).call()
    assert [word != 0 for word in packed] == [False, True, False, False, False, False]
    # price, rationed side and volume
    assert (packed[1] & 0xFFFF, packed[1] >> 16 & 0xFF, packed[1] >> 24 & (1 << 64) - 1) == (150, 1, 600)
    assert auction.functions.outcomesIn(9, 0, 2).call() == [0, 0]
