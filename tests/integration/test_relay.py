"""The relayer: every sheet ends up in the book, or refused with a reason."""

import pytest
from support.signed import ask, bid, domain, empty_line
from support.village import Member, Village

from dem.chain.connection import Chain
from dem.deployment.market import Market
from dem.errors import RefusedError
from dem.messages.orders import OrderSheet
from dem.messages.signed import Received
from dem.messages.signing import sign
from dem.model.orders import Order, lines_of
from dem.relay.batches import Relay
from dem.relay.orders import order_book, refused_sheets, submit_orders

TICK = 100


@pytest.fixture
def relay(village: Village, market: Market) -> Relay:
    village.wait_until(village.calendar.opens_at(1))
    return Relay(market)


def sheet(market: Market, member: Member, order: Order, sequence: int = 1) -> Received[OrderSheet]:
    """One order."""
    [(line, word)] = lines_of([order], 1, market.calendar.periods_per_day).items()
    return signed(market, member, OrderSheet(member.account, 1, line, sequence, (word,)))


def bad(market: Market, member: Member) -> Received[OrderSheet]:
    """A sheet beyond the lines that the rules allow."""
    return signed(market, member, OrderSheet(member.account, 1, 200, 1, (empty_line(),)))


def signed(market: Market, member: Member, message: OrderSheet) -> Received[OrderSheet]:
    return Received(message, sign(domain(market, "CallAuction"), message, member.wallet.account_key))


@pytest.mark.parametrize("alone", [False, True])
def test_sheets_of_one_participant_come_in_their_order(relay, market, buyer, seller, alone):
    sheets = [sheet(market, buyer, bid(0, TICK + n, 1_000), sequence=n) for n in range(1, 4)]
    submit_orders(relay, 1, [*sheets, sheet(market, seller, ask(0, TICK, 500))], alone)
    standing = order_book(relay, 1).standing
    assert sorted(zip(standing.participant.tolist(), standing.tick.tolist(), strict=True)) == [
        (buyer.id, TICK + 3),
        (seller.id, TICK),
    ]


@pytest.mark.parametrize("alone", [False, True])
def test_what_is_in_the_book_is_not_brought_again(relay, market, buyer, alone):
    sheets = [sheet(market, buyer, bid(0, TICK, 1_000))]
    submit_orders(relay, 1, sheets, alone)
    chain: Chain = market.chain
    sent = chain.transactions
    submit_orders(relay, 1, sheets, alone)
    assert chain.transactions == sent


def test_a_refused_sheet_is_on_record_and_does_not_keep_up_the_others(relay, market, buyer, seller):
    submit_orders(relay, 1, [bad(market, buyer), sheet(market, seller, ask(0, TICK, 500))])
    [(key, reason)] = refused_sheets(relay, 1).items()
    assert key == (buyer.account, 1)
    assert market.chain.artifacts.error_name(reason) == "LineOutOfRange"
    assert order_book(relay, 1).standing.participant.tolist() == [seller.id]


def test_a_refused_sheet_that_is_brought_alone_is_an_error(relay, market, buyer, seller):
    with pytest.raises(RefusedError, match="enter: LineOutOfRange"):
        submit_orders(relay, 1, [bad(market, buyer), sheet(market, seller, ask(0, TICK, 500))], alone=True)
    assert order_book(relay, 1).standing.participant.tolist() == [seller.id]


def test_an_auction_that_takes_nothing_is_an_error(relay, village, market, buyer):
    village.send("node", market.accounts, "pause", market.auction.address)
    with pytest.raises(RefusedError, match="submit: MarketIsPaused"):
        submit_orders(relay, 1, [sheet(market, buyer, bid(0, TICK, 1_000))])
