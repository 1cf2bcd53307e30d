"""The relayer: every sheet ends up in the book, or refused with a reason."""

from collections.abc import Callable

import pytest
from support.signed import ask, bid, domain, empty_line
from support.village import Member, Village

from dem.chain import Chain
from dem.deployment import Market
from dem.errors import RefusedError
from dem.operations import Operations
from dem.orders import Order, lines_of
from dem.signing import OrderSheet, sign

TICK = 100


@pytest.fixture
def operations(village: Village, market: Market) -> Operations:
    village.wait_until(village.calendar.opens_at(1))
    return Operations(market)


@pytest.fixture
def signature(market: Market, village: Village) -> Callable[[OrderSheet], bytes]:
    keys = {member.account: member.wallet.account_key for member in village.members}
    return lambda sheet: sign(domain(market, "CallAuction"), sheet, keys[sheet.participant])


def sheet(market: Market, member: Member, order: Order, sequence: int = 1) -> OrderSheet:
    """One order."""
    [(line, word)] = lines_of([order], 1, market.calendar.periods_per_day).items()
    return OrderSheet(member.account, 1, line, sequence, (word,))


def bad(member: Member) -> OrderSheet:
    """A sheet beyond the lines that the rules allow."""
    return OrderSheet(member.account, 1, 200, 1, (empty_line(),))


@pytest.mark.parametrize("alone", [False, True])
def test_sheets_of_one_participant_come_in_their_order(operations, market, buyer, seller, signature, alone):
    sheets = [sheet(market, buyer, bid(0, TICK + n, 1_000), sequence=n) for n in range(1, 4)]
    operations.relay(1, [*sheets, sheet(market, seller, ask(0, TICK, 500))], signature, alone)
    standing = operations.book(1).standing
    assert sorted(zip(standing.participant.tolist(), standing.tick.tolist(), strict=True)) == [
        (buyer.id, TICK + 3),
        (seller.id, TICK),
    ]


@pytest.mark.parametrize("alone", [False, True])
def test_what_is_in_the_book_is_not_brought_again(operations, market, buyer, signature, alone):
    sheets = [sheet(market, buyer, bid(0, TICK, 1_000))]
    operations.relay(1, sheets, signature, alone)
    chain: Chain = market.chain
    sent = chain.transactions
    operations.relay(1, sheets, signature, alone)
    assert chain.transactions == sent


def test_a_refused_sheet_is_on_record_and_does_not_keep_up_the_others(operations, market, buyer, seller, signature):
    operations.relay(1, [bad(buyer), sheet(market, seller, ask(0, TICK, 500))], signature)
    [(key, reason)] = operations.refused_sheets(1).items()
    assert key == (buyer.account, 1)
    assert market.chain.artifacts.error_name(reason) == "LineOutOfRange"
    assert operations.book(1).standing.participant.tolist() == [seller.id]


def test_a_refused_sheet_that_is_brought_alone_is_an_error(operations, market, buyer, seller, signature):
    with pytest.raises(RefusedError, match="enter: LineOutOfRange"):
        operations.relay(1, [bad(buyer), sheet(market, seller, ask(0, TICK, 500))], signature, alone=True)
    assert operations.book(1).standing.participant.tolist() == [seller.id]


def test_an_auction_that_takes_nothing_is_an_error(operations, village, market, buyer, signature):
    village.send("node", market.accounts, "pause", market.auction.address)
    with pytest.raises(RefusedError, match="submit: MarketIsPaused"):
        operations.relay(1, [sheet(market, buyer, bid(0, TICK, 1_000))], signature)
