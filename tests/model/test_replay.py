"""The replay on the events of an invented market, and its order book against one kept order by order."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.model.events import InventedMarket

from dem.chain.events import Event
from dem.errors import InputError
from dem.messages.readings import Register, pack_registers
from dem.model.orders import Order, Side, encode_lane, orders_of
from dem.model.readings import Reading
from dem.model.strips import LANES, pack
from dem.replay.book import Book
from dem.replay.readings import CORRECTED, ESTIMATED, MEASURED, MISSING, SUBSTITUTED
from dem.replay.reconcile import reconcile
from dem.replay.record import read_balances, read_events, write_balances, write_events
from dem.replay.replay import Replay

PERIODS = 12
DAY = 3


@pytest.fixture(scope="module")
def market():
    return InventedMarket(members=9, days=6, periods=PERIODS)


@pytest.fixture(scope="module")
def events(market):
    return list(market.events())


def failures(replay, market):
    return [check for check in reconcile(replay, market.balances()) if not check.ok]


def test_a_market_is_recomputed_to_the_unit(market, events):
    replay = Replay(PERIODS)
    replay.apply(events)
    assert not failures(replay, market)
    assert replay.totals().periods == 6 * PERIODS
    assert replay.totals().orders > 5 * PERIODS
    assert replay.final_days == set(range(1, 7))


def test_a_final_day_is_handed_on_and_forgotten(events):
    """Besides the day that ends only the next one is known: its auction comes before the end of the day before."""
    replay, held = Replay(PERIODS), []
    for day in replay.ended_days(iter(events)):
        held.append(replay.days_in_flight)
        assert len(replay.book(day).fills) > 0
        assert set(replay.readings(day)) == set(range(6, 15))
        assert replay.settlement(day).fallback() != 0
    assert held == [[1, 2], [2, 3], [3, 4], [4, 5], [5, 6], [6]]
    assert replay.days_in_flight == []
    assert len(replay.book(6).fills) == 0


def test_events_one_by_one_and_all_at_once_give_the_same(market, events):
    whole, steps = Replay(PERIODS), Replay(PERIODS)
    whole.apply(events)
    for event in events:
        steps.apply([event])
    assert steps.ledger == whole.ledger
    assert steps.totals() == whole.totals()
    assert not failures(steps, market)


@pytest.mark.parametrize(
    ("name", "argument", "other"),
    [
        ("Cleared", "price", lambda price: price + 1),
        ("Cleared", "volume", lambda volume: volume + 1),
        ("Scheduled", "net", lambda net: [net[0] ^ 1, *net[1:]]),
        ("Settled", "imbalance", lambda amount: amount - 1),
        ("Settled", "deviation", lambda amount: amount + 1),
        ("DaySettled", "fund", lambda amount: amount + 1),
        ("Posted", "amount", lambda amount: amount + 1),
        ("Posted", "release", lambda amount: amount + 1),
    ],
)
def test_a_claim_that_is_not_the_models_is_noted(market, events, name, argument, other):
    at = next(i for i, event in enumerate(events) if event.name == name)
    wrong = replace(events[at], args={**events[at].args, argument: other(events[at].args[argument])})
    replay = Replay(PERIODS)
    replay.apply([*events[:at], wrong, *events[at + 1 :]])
    assert len(replay.differences) == 1
    assert failures(replay, market)


def test_an_account_that_cannot_pay_is_noted(events):
    poor = [event for event in events if event.name != "Deposited"]
    replay = Replay(PERIODS)
    replay.apply(poor)
    assert "CallAuction SheetAccepted: account 6: asked for" in replay.differences[0]


# Readings


def reading(day, id_, first_strip, values):
    registers = [Register(0, 0)]
    for value in values:
        registers.append(Register(registers[-1].imported + value, 0))
    args = {
        "id": id_,
        "day": day,
        "firstStrip": first_strip,
        "registers": pack_registers(registers),
        "leftOut": 0,
        "substituted": 0,
    }
    return Event("MeterReadings", "ReadingsAccepted", args, 1, "", 0)


def estimate(day, id_, strip, values):
    word = pack(day, [Reading(value, estimated=True).lane() for value in values])
    return Event("MeterReadings", "Estimated", {"id": id_, "day": day, "strip": strip, "word": word}, 1, "", 0)


def admission(id_, capacity):
    application = {"account": f"account {id_}", "importCapacity": capacity, "exportCapacity": 0}
    admitted = {"id": id_, "account": f"account {id_}", "meter": f"meter {id_}", "kind": 6, "firstDay": 1}
    return [
        Event("ParticipantRegistry", name, args, 1, "", 0)
        for name, args in (("Applied", application), ("Admitted", admitted))
    ]


def test_readings_are_measured_estimated_corrected_and_substituted():
    replay = Replay(PERIODS)
    replay.apply([*admission(7, 9), reading(1, 7, 0, [5] * LANES), estimate(1, 7, 1, [9] * LANES)])
    assert replay.readings(1)[7].net.tolist() == [5] * LANES + [9] * LANES
    assert replay.readings(1)[7].status.tolist() == [MEASURED] * LANES + [ESTIMATED] * LANES
    late = reading(1, 7, 1, [4] * LANES)
    unbilled = {"id": 7, "importWh": -4 * LANES, "exportWh": 0, "strips": 0}
    late.args["substituted"] = 1 << LANES
    replay.apply([Event("Meters", "UnbilledChanged", unbilled, 1, "", 0), late])
    assert replay.readings(1)[7].net.tolist() == [5] * LANES + [4] * LANES
    assert replay.readings(1)[7].status.tolist() == [MEASURED] * LANES + [SUBSTITUTED] + [CORRECTED] * (LANES - 1)
    replay.apply([reading(2, 7, 0, [3] * LANES)])
    assert replay.readings(2)[7].status.tolist() == [MEASURED] * LANES + [MISSING] * LANES


def test_an_estimate_is_all_that_the_connection_takes_in():
    replay = Replay(PERIODS)
    replay.apply([*admission(7, 9), estimate(1, 7, 0, [9] * LANES)])
    assert not replay.differences
    replay.apply([estimate(1, 7, 1, [8] * LANES)])
    assert "estimates of member 7, day 1" in replay.differences[0]


# The book


def lane(order):
    return 0 if order is None else encode_lane(order)


limits = st.one_of(
    st.none(),
    st.builds(
        Order, st.just(1), st.just(0), st.just(0), st.sampled_from(Side), st.integers(0, 4095), st.integers(1, 9)
    ),
)
sheets = st.tuples(
    st.integers(1, 3),
    st.integers(0, 5),
    st.lists(st.lists(limits, min_size=LANES, max_size=LANES), min_size=1, max_size=3),
)


@given(st.lists(sheets, max_size=8))
def test_the_book_is_what_the_sheets_leave_order_by_order(every):
    book, standing, sent = Book(DAY, PERIODS), {}, []
    for id_, first, strips in every:
        words = [pack(DAY, [lane(order) for order in strip]) for strip in strips]
        lines = [word.to_bytes(32, "big") for word in words]
        gone, come = book.accept({"id": id_, "day": DAY, "firstLine": first, "lines": lines})
        before = [standing.pop((id_, first * LANES + k), None) for k in range(len(strips) * LANES)]
        assert gone.tolist() == [0 if number is None else lane(sent[number]) for number in before]
        assert come.tolist() == [lane(order) for strip in strips for order in strip]
        for line, word in enumerate(words, start=first):
            for order in orders_of(id_, DAY, line, word, PERIODS):
                standing[id_, order.layer * PERIODS + order.slot] = len(sent)
                sent.append(order)
    columns = (book.sent.participant, book.sent.place, *book.sent.lanes)
    rows = list(zip(*(column.tolist() for column in columns), strict=True))
    assert rows == [(o.participant, o.layer * PERIODS + o.slot, o.side, o.tick, o.energy) for o in sent]
    assert np.flatnonzero(book.sent.stands).tolist() == sorted(standing.values())
    assert len(book.fills) == len(standing)


def test_a_line_of_another_day_holds_nothing():
    book = Book(DAY, PERIODS)
    line = pack(DAY + 1, [lane(Order(1, 0, 0, Side.BID, 5, 5))] * LANES).to_bytes(32, "big")
    _, come = book.accept({"id": 1, "day": DAY, "firstLine": 0, "lines": [line]})
    assert not come.any()


def test_layers_are_counted_whatever_was_cancelled():
    book = Book(DAY, PERIODS)
    empty = pack(DAY, [0] * LANES).to_bytes(32, "big")
    book.accept({"id": 4, "day": DAY, "firstLine": 0, "lines": [empty]})
    book.accept({"id": 5, "day": DAY, "firstLine": 3, "lines": [empty, empty]})
    assert book.layers == {4: 1, 5: 3}


# The record


def test_a_record_is_read_as_it_was_written(market, events, tmp_path):
    assert list(write_events(tmp_path, iter(events[:50]), anew=True)) == events[:50]
    assert list(write_events(tmp_path, iter(events[50:]), anew=False)) == events[50:]
    write_balances(tmp_path, PERIODS, market.balances())
    assert list(read_events(tmp_path)) == events
    assert read_balances(tmp_path) == (PERIODS, market.balances())
    assert list(write_events(tmp_path, iter(events[:1]), anew=True)) == list(read_events(tmp_path))
    with pytest.raises(InputError, match=r"balances\.json"):
        read_balances(tmp_path)
