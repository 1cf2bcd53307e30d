import pytest
from support.refusals import refused
from support.signed import report_of_words, wholesale_report
from support.village import PERIODS, STRIPS, Member, Village, events
from support.wholesale import CLOSED, admit_desk, offers, plug_in, report
from web3.contract import Contract

from dem.strips import pack
from dem.wholesale import MAX_EXCHANGE, Offer, report_words

SOME = {7: Offer(15_000, 0, 100, 0)}
EMPTY = report_words(1, [CLOSED] * PERIODS)


def test_takes_what_a_desk_offers(village: Village, residual: Contract, desk: Member, left_over: None) -> None:
    receipt = report(village, desk, SOME)
    [event] = events(receipt, residual, "Reported")
    assert (event["id"], event["day"], event["margin"]) == (desk.id, 1, 0)
    words = report_words(1, offers(SOME))
    assert [event[name] for name in ("prices", "imports", "exports")] == [
        [word.to_bytes(32, "big") for word in row] for row in words
    ]
    # Only strips in which anything may be exchanged wait to be cleared.
    assert residual.functions.reportOf(1).call() == [desk.id, 0b10]
    assert residual.functions.reportOf(9).call() == [0, 0]


def test_takes_it_before_the_auction_is_cleared(village: Village, residual: Contract, desk: Member) -> None:
    village.wait_until(village.calendar.gate_closes_at(1))
    report(village, desk, SOME)
    assert not residual.functions.isCleared(1).call()


def test_reverts_before_the_gate(village: Village, desk: Member) -> None:
    village.open_auction()
    gate = village.calendar.gate_closes_at(1)
    with refused("TooEarlyToReport", day=1, **{"from": gate}, time=village.now):
        report(village, desk, SOME)


def test_reverts_after_the_deadline(village: Village, residual: Contract, desk: Member) -> None:
    due = residual.functions.reportDueAt(1).call()
    assert due == village.calendar.gate_closes_at(1) + village.calendar.desk_lead
    village.wait_until(due)
    with refused("TooLateToReport", day=1, dueAt=due, time=village.now):
        report(village, desk, SOME)


def test_reverts_when_somebody_else_signed(village: Village, residual: Contract, desk: Member, buyer: Member) -> None:
    village.wait_until(village.calendar.gate_closes_at(1))
    signed = report_of_words(village.market, desk.wallet, *EMPTY, key=buyer.wallet.account_key)
    with refused("NotSignedByDesk", desk=desk.account, signer=buyer.account):
        village.relay(residual, "report", *signed)


def test_reverts_when_the_member_is_no_desk(village: Village, desk: Member, buyer: Member) -> None:
    village.wait_until(village.calendar.gate_closes_at(1))
    with refused("NotADesk", id=buyer.id):
        report(village, buyer, SOME)


def test_reverts_when_the_desk_is_suspended(village: Village, registry: Contract, desk: Member) -> None:
    village.wait_until(village.calendar.gate_closes_at(1))
    village.send("registrar", registry, "suspend", desk.id)
    with refused("WrongStatus", account=desk.account, status=3):
        report(village, desk, SOME)


def test_reverts_when_the_day_has_a_report(village: Village, desk: Member) -> None:
    another = admit_desk(village, "another desk")
    village.wait_until(village.calendar.gate_closes_at(1))
    report(village, desk, SOME)
    with refused("AlreadyReported", day=1, desk=desk.id):
        report(village, another, SOME)


def test_reverts_when_the_schedule_does_not_count_it(village: Village) -> None:
    plug_in(village, 2)
    desk = admit_desk(village)
    village.wait_until(village.calendar.gate_closes_at(1))
    with refused("NotInSchedule", day=1):
        report(village, desk, SOME)


def test_reverts_while_the_storage_is_in_use(village: Village, desk: Member) -> None:
    village.wait_until(village.calendar.gate_closes_at(9))
    with refused("DayStillOpen", day=1, lastFinal=0):
        report(village, desk, SOME, day=9)


@pytest.mark.parametrize("row", range(3))
def test_reverts_when_a_strip_is_missing(village: Village, residual: Contract, desk: Member, row: int) -> None:
    village.wait_until(village.calendar.gate_closes_at(1))
    words = [list(words) for words in EMPTY]
    words[row].pop()
    with refused("WrongReportLength", given=STRIPS - 1, expected=STRIPS):
        village.relay(residual, "report", *report_of_words(village.market, desk.wallet, *words))


@pytest.mark.parametrize("row", range(3))
def test_reverts_when_a_word_is_of_another_day(village: Village, residual: Contract, desk: Member, row: int) -> None:
    village.wait_until(village.calendar.gate_closes_at(1))
    words = [list(words) for words in EMPTY]
    words[row][1] = pack(2, [0] * 6)
    with refused("WrongReportDay", strip=1, day=2, expected=1):
        village.relay(residual, "report", *report_of_words(village.market, desk.wallet, *words))


@pytest.mark.parametrize("row", [1, 2])
def test_reverts_when_the_capacity_is_more_than_an_area_has(
    village: Village, residual: Contract, desk: Member, row: int
) -> None:
    village.wait_until(village.calendar.gate_closes_at(1))
    words = [list(words) for words in EMPTY]
    words[row][1] = pack(1, [0, MAX_EXCHANGE + 1, 0, 0, 0, 0])
    with refused("ExchangeTooLarge", slot=7, energy=MAX_EXCHANGE + 1, limit=MAX_EXCHANGE):
        village.relay(residual, "report", *report_of_words(village.market, desk.wallet, *words))


def test_reverts_when_the_penalty_is_above_the_cap(village: Village, residual: Contract, desk: Member) -> None:
    village.wait_until(village.calendar.gate_closes_at(1))
    signed = wholesale_report(village.market, desk.wallet, offers({7: Offer(0, 1, 5, 5)}))
    with refused("PenaltyAboveCap", slot=7, rate=1, cap=0):
        village.relay(residual, "report", *signed)
