import pytest
from support.refusals import refused
from support.signed import SALT, report_of_words, wholesale_report
from support.village import FEES, PERIODS, RULES, STRIPS, Member, Village, events
from support.wholesale import CLOSED, admit_desk, appoint, appointed_desk, commit, offers, plug_in, report, reveal
from web3.contract import Contract

from dem.messages.orders import WholesaleReport
from dem.messages.signing import message_hash
from dem.model.markets.wholesale import MAX_EXCHANGE, Offer, report_collateral, report_words
from dem.model.strips import pack

SOME = {7: Offer(15_000, 0, 100, 0)}
EMPTY = report_words(1, [CLOSED] * PERIODS)
DEAR = {7: Offer(-15_000, 0, 100, 0), 8: Offer(20_000, 0, 100, 60)}
"""Who imports in period 7 is paid; in period 8 the desk may have to pay for exports."""
DEAR_LOCKS = 100 * (15_000 + FEES) + 60 * (20_000 + FEES)


def at_gate(village: Village, desk: Member, message: WholesaleReport) -> None:
    """Committed to while the auction is open; the gate has closed now."""
    village.open_auction()
    commit(village, desk, message)
    village.wait_until(village.calendar.gate_closes_at(1))


def test_takes_what_a_desk_offers(village: Village, residual: Contract, desk: Member, wanted: None) -> None:
    receipt = report(village, desk, SOME)
    [event] = events(receipt, residual, "Reported")
    assert (event["id"], event["day"], event["margin"], event["salt"]) == (desk.id, 1, 0, SALT)
    words = report_words(1, offers(SOME))
    assert [event[name] for name in ("prices", "imports", "exports")] == [
        [word.to_bytes(32, "big") for word in row] for row in words
    ]
    # Only strips in which anything may be exchanged wait to be cleared.
    assert residual.functions.reportOf(1).call() == [desk.id, 0b10]
    assert residual.functions.reportOf(9).call() == [0, 0]


def test_takes_it_before_the_auction_is_cleared(village: Village, residual: Contract, desk: Member) -> None:
    report(village, desk, SOME)
    assert not residual.functions.isCleared(1).call()


def test_locks_the_most_that_it_may_cost_the_desk(village: Village, desk: Member) -> None:
    report(village, desk, DEAR)
    assert report_collateral(offers(DEAR), RULES) == DEAR_LOCKS
    assert village.account(desk)[:2] == (-DEAR_LOCKS, DEAR_LOCKS)


def test_reverts_when_the_desk_cannot_cover_it(village: Village, ledger: Contract, desk: Member) -> None:
    village.send("council", ledger, "setCreditLimit", desk.id, DEAR_LOCKS - 1)
    with refused("InsufficientFunds", id=desk.id, needed=DEAR_LOCKS, available=DEAR_LOCKS - 1):
        report(village, desk, DEAR)


def test_reverts_when_the_desk_is_in_arrears(village: Village, ledger: Contract, desk: Member) -> None:
    village.send("council", ledger, "setCreditLimit", desk.id, 0)
    village.grant("cashier", village.stranger)
    village.market.chain.send(village.stranger, ledger, "post", [(desk.id, -5, 0), (4, 5, 0)])
    with refused("InArrears", id=desk.id, arrears=5):
        report(village, desk, SOME)


@pytest.mark.parametrize("sign", [-1, 1])
def test_reverts_when_the_price_is_beyond_the_dearest_tariff(village: Village, desk: Member, sign: int) -> None:
    bound = RULES.max_buy
    with refused("PriceOutOfBounds", slot=7, price=sign * (bound + 1), limit=bound):
        report(village, desk, {6: Offer(sign * bound, 0, 1, 1), 7: Offer(sign * (bound + 1), 0, 1, 0)})


def test_reverts_without_a_commitment(village: Village, desk: Member) -> None:
    village.wait_until(village.calendar.gate_closes_at(1))
    message = wholesale_report(desk.wallet, offers(SOME))
    with refused("NotCommitted", day=1, report=message_hash(message), committed=bytes(32)):
        reveal(village, message)


def test_reverts_when_it_is_not_what_the_desk_committed_to(village: Village, desk: Member) -> None:
    committed = wholesale_report(desk.wallet, offers(SOME))
    at_gate(village, desk, committed)
    better = wholesale_report(desk.wallet, offers({7: Offer(16_000, 0, 100, 0)}))
    with refused("NotCommitted", day=1, report=message_hash(better), committed=message_hash(committed)):
        reveal(village, better)


def test_reverts_when_it_names_somebody_else(village: Village, desk: Member) -> None:
    another = admit_desk(village, "another desk")
    foreign = wholesale_report(another.wallet, offers(SOME))
    at_gate(village, desk, foreign)
    with refused("NotTheDesk", day=1, id=another.id, appointed=desk.id):
        reveal(village, foreign)


def test_reverts_before_the_gate(village: Village, desk: Member) -> None:
    village.open_auction()
    gate = village.calendar.gate_closes_at(1)
    with refused("TooEarlyToReport", day=1, **{"from": gate}, time=village.now):
        reveal(village, wholesale_report(desk.wallet, offers(SOME)))


def test_reverts_after_the_deadline(village: Village, residual: Contract, desk: Member) -> None:
    due = residual.functions.reportDueAt(1).call()
    assert due == village.calendar.gate_closes_at(1) + village.calendar.desk_lead
    village.wait_until(due)
    with refused("TooLateToReport", day=1, dueAt=due, time=village.now):
        reveal(village, wholesale_report(desk.wallet, offers(SOME)))


def test_reverts_when_the_desk_is_suspended(village: Village, registry: Contract, desk: Member) -> None:
    message = wholesale_report(desk.wallet, offers(SOME))
    at_gate(village, desk, message)
    village.send("registrar", registry, "suspend", desk.id)
    with refused("WrongStatus", account=desk.account, status=3):
        reveal(village, message)


def test_reverts_when_the_day_has_a_report(village: Village, desk: Member) -> None:
    report(village, desk, SOME)
    with refused("AlreadyReported", day=1, desk=desk.id):
        reveal(village, wholesale_report(desk.wallet, offers(SOME)))


def test_a_second_desk_cannot_take_the_day(village: Village, residual: Contract, desk: Member) -> None:
    another = admit_desk(village, "another desk")
    at_gate(village, desk, wholesale_report(desk.wallet, offers(SOME)))
    with refused("NotTheDesk", day=1, id=another.id, appointed=desk.id):
        reveal(village, wholesale_report(another.wallet, [CLOSED] * PERIODS))
    reveal(village, wholesale_report(desk.wallet, offers(SOME)))
    assert residual.functions.reportOf(1).call()[0] == desk.id


def test_reverts_when_the_schedule_does_not_count_it(village: Village, residual: Contract) -> None:
    plug_in(village, 2)
    desk = appointed_desk(village)
    with refused("DayDoesNotCount", market=residual.address, day=1):
        report(village, desk, SOME)


def test_reverts_while_the_storage_is_in_use(village: Village, desk: Member) -> None:
    village.wait_until(village.calendar.gate_closes_at(9))
    with refused("DayStillOpen", day=1, lastFinal=0):
        reveal(village, wholesale_report(desk.wallet, offers(SOME), day=9))


def test_the_next_desk_reports_for_the_days_that_it_is_appointed_for(village: Village, desk: Member) -> None:
    another = admit_desk(village, "another desk")
    appoint(village, another, first_day=2)
    report(village, desk, SOME)
    report(village, another, SOME, day=2)


@pytest.mark.parametrize("row", range(3))
def test_reverts_when_a_strip_is_missing(village: Village, desk: Member, row: int) -> None:
    words = [list(words) for words in EMPTY]
    words[row].pop()
    message = report_of_words(desk.wallet, *words)
    at_gate(village, desk, message)
    with refused("WrongReportLength", given=STRIPS - 1, expected=STRIPS):
        reveal(village, message)


@pytest.mark.parametrize("row", range(3))
def test_reverts_when_a_word_is_of_another_day(village: Village, desk: Member, row: int) -> None:
    words = [list(words) for words in EMPTY]
    words[row][1] = pack(2, [0] * 6)
    message = report_of_words(desk.wallet, *words)
    at_gate(village, desk, message)
    with refused("WrongReportDay", strip=1, day=2, expected=1):
        reveal(village, message)


@pytest.mark.parametrize("row", [1, 2])
def test_reverts_when_the_capacity_is_more_than_an_area_has(village: Village, desk: Member, row: int) -> None:
    words = [list(words) for words in EMPTY]
    words[row][1] = pack(1, [0, MAX_EXCHANGE + 1, 0, 0, 0, 0])
    message = report_of_words(desk.wallet, *words)
    at_gate(village, desk, message)
    with refused("ExchangeTooLarge", slot=7, energy=MAX_EXCHANGE + 1, limit=MAX_EXCHANGE):
        reveal(village, message)


def test_reverts_when_the_penalty_is_above_the_cap(village: Village, desk: Member) -> None:
    with refused("PenaltyAboveCap", slot=7, rate=1, cap=0):
        report(village, desk, {7: Offer(0, 1, 5, 5)})
