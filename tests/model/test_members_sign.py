"""What a simulated community's members sign, and how a relayer gets it."""

from collections.abc import Sequence
from dataclasses import replace

from support.rules import SMALL

from dem.community.keys import wallet
from dem.community.sessions import SessionPlan, Standing
from dem.community.signing import SessionMessages, sign_orders
from dem.messages.members import Mandate
from dem.messages.orders import LINES_PER_SHEET, order_sheets
from dem.messages.signed import SignedOnDemand, for_contract, sheet_for_contract
from dem.messages.signing import Domain, recover
from dem.model.ledger import Ledger
from dem.model.markets.intraday import IntradayDay, Terms
from dem.model.orders import Order, Side
from dem.model.strips import unpack
from dem.model.units import FROM_ZERO, Money, Tick, Wh

DOMAIN = Domain(1, "0x" + "12" * 20)
WALLETS = {id_: wallet("test", 0, f"member {id_}") for id_ in (6, 7)}
PERIODS = 96
RULES = replace(
    SMALL, platform_fee=0, network_fee=0, deviation_rate=0, max_buy=4_000, standing_buy=3_000, standing_sell=0
)
DAY, SESSION = 2, 1
BASE = DAY << 24 | SESSION << 16
EXPIRY = 1_800_000_000
FUNDING, PLACING = BASE + (1 << 14), BASE + (1 << 15)


def bid(id_: int, layer: int, slot: int, tick: int = 100, energy: int = 1_000) -> Order:
    return Order(id_, layer, slot, Side.BID, Tick(tick), Wh(energy))


def test_orders_of_a_wide_range_go_into_several_sheets_of_consecutive_lines():
    """Layer 19 is 304 lines above layer 0 where a day has 16."""
    first, second = order_sheets("0x", 1, [bid(6, 0, 0), bid(6, 19, 0)], PERIODS)
    assert (first.first_line, first.sequence, len(first.lines)) == (0, 1, LINES_PER_SHEET)
    assert (second.first_line, second.sequence, len(second.lines)) == (LINES_PER_SHEET, 2, 5)
    assert {unpack(word)[0] for word in first.lines + second.lines} == {1}
    assert not any(any(unpack(word)[1]) for word in first.lines[1:])


def test_everybody_signs_its_own_sheets():
    sheets = sign_orders(DOMAIN, 1, [bid(7, 0, 3), bid(6, 0, 2), bid(7, 0, 5)], WALLETS, PERIODS)
    assert [sheet.message.participant for sheet in sheets] == [WALLETS[6].account, WALLETS[7].account]
    assert all(recover(DOMAIN, sheet.message, sheet.signature) == sheet.message.participant for sheet in sheets)
    (participant, *_, words), r, vs = sheet_for_contract(sheets[1])
    assert participant == WALLETS[7].account
    assert [len(word) for word in (*words, r, vs)] == [32] * (len(words) + 2)


def test_a_message_is_written_once_and_only_when_it_is_asked_for():
    written = []

    def write() -> Mandate:
        written.append(1)
        return Mandate(WALLETS[6].account, WALLETS[7].account, 10, 1, 1)

    on_demand = SignedOnDemand(DOMAIN, WALLETS[6].account_key, write)
    assert not written
    assert for_contract(on_demand) == for_contract(on_demand)
    assert len(written) == 1


# A session of the intraday market


def session(orders: Sequence[Order], known: IntradayDay | None, free: int, last: int = 0) -> SessionMessages:
    ledger = Ledger()
    ledger.deposit(6, Money(free))
    standing = Standing(known, ledger, RULES)
    asked = [last] * len(WALLETS)
    return SessionMessages(
        DOMAIN, (DAY, SESSION), SessionPlan(orders, standing), WALLETS, lambda some: asked[: len(some)], EXPIRY
    )


def day_with_an_order() -> tuple[IntradayDay, int]:
    """Its funds are 20,000,000, of which the order locks half."""
    known = IntradayDay(DAY, Terms(extra=0, ceiling=4_000, smallest=1, prices=FROM_ZERO))
    known.fund(6, 20_000_000, 10**6)
    known.place(6, 4, Side.BID, 100, 1_000, 24)
    [(number, _, _)] = known.open_orders()
    return known, number


def test_without_anything_from_before_a_session_is_funded_and_its_orders_are_placed():
    messages = session([bid(6, 0, 4), bid(6, 0, 5)], None, free=10**9)
    assert messages.cancellations() == []
    [funding] = messages.fundings()
    assert (funding.message.amount, funding.message.sequence) == (2 * 10_000_000, FUNDING)
    assert [placed.message.sequence for placed in messages.placements()] == [PLACING, PLACING + 1]
    assert {placed.message.expiry for placed in messages.placements()} == {EXPIRY}


def test_what_was_left_in_the_book_is_cancelled_and_its_collateral_used():
    known, number = day_with_an_order()
    messages = session([bid(6, 0, 4, energy=3_000)], known, free=10**9)
    [cancelled] = messages.cancellations()
    assert (cancelled.message.number, cancelled.message.sequence) == (number, BASE + 1)
    [funding] = messages.fundings()
    assert funding.message.amount == 10_000_000


def test_no_more_is_funded_than_there_is():
    [funding] = session([bid(6, 0, 4)], None, free=7).fundings()
    assert funding.message.amount == 7


def test_who_has_placed_orders_of_the_session_signs_nothing_more():
    known, _ = day_with_an_order()
    messages = session([bid(6, 0, 4)], known, free=10**9, last=PLACING)
    assert (messages.cancellations(), messages.fundings(), messages.placements()) == ([], [], [])
