"""The relayer settles, corrects and makes good whatever others have begun."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from support.shortfalls import SHORT, let_the_buyer_default, pay_in
from support.signed import ask, bid, domain, registers
from support.village import CLEARING_HOUSE, DEPOSIT, Member, Village

from dem.deployment.health import check_market
from dem.deployment.limits import Limits
from dem.deployment.market import ADMIN, Market
from dem.messages.orders import OrderSheet
from dem.messages.readings import ReadingSheet
from dem.messages.signed import Received, sheet_for_contract
from dem.messages.signing import sign
from dem.model.orders import lines_of
from dem.relay.batches import Relay
from dem.relay.orders import order_book, submit_orders
from dem.relay.pools import selector
from dem.relay.readings import push_readings
from dem.relay.settlement import finalize, make_good, settle

PATIENT = Limits(depth=0, age=None, grace=10**9)


@pytest.fixture
def relay(village: Village, market: Market, request: pytest.FixtureRequest) -> Relay:
    let_the_buyer_default(village, is_rival_read="late" not in request.function.__name__)
    return Relay(market)


def reading(market: Market, member: Member, net: Sequence[int]) -> Received[ReadingSheet]:
    message = ReadingSheet(member.meter, 1, 0, 2, registers(net))
    return Received(message, sign(domain(market, "MeterReadings"), message, member.wallet.meter_key))


def test_a_day_is_settled_shared_and_made_good(village: Village, market: Market, relay: Relay) -> None:
    settle(relay, 1)
    assert market.settlement.functions.isSettled(1).call()
    [problem] = check_market(market, PATIENT)[1]
    assert problem.startswith(f"members wait for {SHORT / 10**8:.2f} that the fallback supplier could not advance: ")
    pay_in(village, village.supplier, 3)
    pay_in(village, village.buyer, SHORT, reference=2)
    make_good(relay)
    assert market.accounts.functions.openClaims().call() == village.free(CLEARING_HOUSE) == 0
    sent = market.chain.transactions
    make_good(relay)
    assert market.chain.transactions == sent


def test_a_market_that_fails_is_left_out(village: Village, market: Market) -> None:
    village.open_auction()
    village.place(village.buyer, bid(7, 200, 1_000))
    village.place(village.seller, ask(7, 100, 1_000))
    village.clear_day()
    village.close_metering()
    book = [selector(market.auction, "book")]
    village.send(ADMIN, market.authority, "setTargetFunctionRole", market.auction.address, book, 0)
    settle(Relay(market), 1)
    assert market.settlement.functions.isSettled(1).call()
    assert market.contract("Schedule").functions.isVoid(market.auction.address, 1).call()
    assert [village.account(member)[0] for member in village.members] == [
        DEPOSIT - village.locked(member) for member in village.members
    ]


def test_a_day_that_others_have_begun_is_finished_first(village: Village, market: Market, relay: Relay) -> None:
    village.clear_day(2)
    village.close_metering(2)
    village.relay(market.settlement, "settle", 1, 2)
    assert "the settlement of day 1 was begun and not finished" in check_market(market, PATIENT)[1][0]
    settle(relay, 2)
    assert [market.settlement.functions.isSettled(day).call() for day in (1, 2)] == [True, True]


def test_late_readings_wait_for_the_settlement_and_are_settled_when_corrections_are_closed(
    village: Village, market: Market, relay: Relay
) -> None:
    village.relay(market.settlement, "settle", 1, 2)
    push_readings(relay, 1, [(village.rival.id, reading(market, village.rival, [0] * 7 + [-200] + [0] * 4))])
    assert market.readings.functions.versionOf(1).call() == 1
    assert market.settlement.functions.dayOf(1).call()[0] == 8
    settle(relay, 1)
    assert not market.settlement.functions.isSettled(1).call()
    problems = check_market(market, Limits(depth=0, age=None, grace=0))[1]
    assert not [problem for problem in problems if problem.startswith("day 1 ")]
    village.wait_until(village.calendar.corrections_close_at(1))
    finalize(relay, 1)
    assert market.rules.functions.lastFinalDay().call() == 1


def test_late_readings_are_brought_again_when_a_settlement_begins_on_their_way(
    village: Village, market: Market, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked before whether the day is being settled, the chain said no."""
    settled = iter((2,))

    def within_budget(*arguments: Any) -> Iterator[Any]:
        for members in settled:
            village.relay(market.settlement, "settle", 1, members)
        return Relay.within_budget(relay, *arguments)

    monkeypatch.setattr(relay, "within_budget", within_budget)
    push_readings(relay, 1, [(village.rival.id, reading(market, village.rival, [0] * 7 + [-200] + [0] * 4))])
    assert market.readings.functions.versionOf(1).call() == 1
    assert market.settlement.functions.dayOf(1).call()[0] == 8


def test_sheets_of_whom_a_settlement_has_paid_are_brought_again_when_it_is_through(
    village: Village, market: Market, relay: Relay
) -> None:
    """Somebody began it just before the batch: a reason that passes is none."""
    seller, day = village.seller, 3
    village.wait_until(village.calendar.opens_at(day))
    village.relay(market.settlement, "settle", 1, seller.id)
    [(line, word)] = lines_of([ask(7, 100, 500)], day, market.calendar.periods_per_day).items()
    message = OrderSheet(seller.account, day, line, 1, (word,))
    sheet = Received(message, sign(domain(market, "CallAuction"), message, seller.wallet.account_key))
    village.relay(market.auction, "submit", [sheet_for_contract(sheet)])
    [rejected] = relay.records.events("CallAuction", "SheetRejected", day)
    assert market.chain.artifacts.error_name(rejected.args["reason"]) == "PaidNow"
    submit_orders(relay, day, [sheet])
    assert order_book(relay, day).standing.participant.tolist() == [seller.id]
    assert market.settlement.functions.isSettled(1).call()
