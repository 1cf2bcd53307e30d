"""The intraday market's reference model: published examples, what must always be true, and the replay of events."""

from collections import Counter
from random import Random

import pytest
from support.rules import SMALL

from dem.errors import IntradayError
from dem.model.markets.intraday import MAX_FILLS, MAX_SKIPS, PLACES, Event, IntradayDay, Terms, order_number, place_of
from dem.model.orders import Side
from dem.model.units import FROM_ZERO, MAX_TICK
from dem.replay.intraday import IntradayReplay

BID, ASK = Side
FREE = Terms(extra=0, ceiling=0, smallest=1, prices=FROM_ZERO)
TERMS = Terms(extra=30, ceiling=40_080, smallest=10, prices=FROM_ZERO)
PLENTY = 10**15
SLOT = 7


def open_day(*members: int, terms: Terms = FREE, limit: int = 10**6) -> IntradayDay:
    day = IntradayDay(1, terms)
    for member in members:
        day.fund(member, PLENTY, limit)
    return day


def trades(events: list[Event]) -> list[tuple[int, int, int, int]]:
    """Maker, taker, tick and energy."""
    found = [event.args for event in events if event.name == "Traded"]
    return [(args["maker"], args["taker"], place_of(args["number"])[2], args["energy"]) for args in found]


def names(events: list[Event]) -> list[str]:
    return [event.name for event in events]


# Published examples


def test_the_continuous_auction_of_harris():
    """Harris, Trading and Exchanges (Oxford 2003), chapter 6: nine orders, price-time priority, each trade at the
    price of the standing order. Bif's is a market order: a bid at the highest tick."""
    bea, sam, ben, sol, stu, bif, bob, sue, bud = range(1, 10)
    day = open_day(*range(1, 10))
    orders = [
        (bea, BID, 200, 3, []),
        (sam, ASK, 201, 2, []),
        (ben, BID, 200, 2, []),
        (sol, ASK, 198, 1, [(bea, sol, 200, 1)]),
        (stu, ASK, 202, 5, []),
        (bif, BID, MAX_TICK, 4, [(sam, bif, 201, 2), (stu, bif, 202, 2)]),
        (bob, BID, 201, 2, []),
        (sue, ASK, 200, 6, [(bob, sue, 201, 2), (bea, sue, 200, 2), (ben, sue, 200, 2)]),
        (bud, BID, 198, 7, []),
    ]
    for trader, side, tick, energy, expected in orders:
        assert trades(day.place(trader, SLOT, side, tick, energy, 20)) == expected
    assert [(id_, energy) for _, id_, energy in day.orders_at(SLOT, BID, 198)] == [(bud, 7)]
    assert [(id_, energy) for _, id_, energy in day.orders_at(SLOT, ASK, 202)] == [(stu, 3)]
    assert sum(account.payment for account in day.accounts.values()) == 0


def test_zero_intelligence_traders_reach_nearly_the_whole_surplus():
    """Gode and Sunder, "Allocative Efficiency of Markets with Zero-Intelligence Traders", Journal of Political
    Economy 101 (1993): with a budget constraint, random bids and asks in a continuous double auction reach almost all
    of the surplus (98.7 % on average in their markets), however random the traders. As there, everybody trades single
    units, and a trade cancels all that stands."""
    random = Random(1993)
    # Demand and supply in steps: the surplus is that of the first six units.
    values, costs = range(190, 70, -10), range(20, 140, 10)
    limits = [(BID, value) for value in values] + [(ASK, cost) for cost in costs]
    possible = sum(max(0, value - cost) for value, cost in zip(values, costs, strict=True))
    reached = []
    for _ in range(5):
        day = open_day(*range(len(limits)))
        idle, surplus = set(range(len(limits))), 0
        for _ in range(1_500):
            trader = random.choice(sorted(idle))
            side, limit = limits[trader]
            for number, owner, _ in list(day.open_orders()):
                if owner == trader:
                    day.cancel(owner, number)
            tick = random.randint(1, limit) if side == BID else random.randint(limit, 200)
            for maker, taker, price, _ in trades(day.place(trader, SLOT, side, tick, 1, 1)):
                buyer, seller = (taker, maker) if side == BID else (maker, taker)
                assert limits[seller][1] <= price <= limits[buyer][1]
                surplus += limits[buyer][1] - limits[seller][1]
                idle -= {maker, taker}
                for number, owner, _ in list(day.open_orders()):
                    day.cancel(owner, number)
        reached.append(surplus / possible)
    assert max(reached) <= 1
    assert sum(reached) / len(reached) > 0.95, reached


# Rules


def test_a_better_price_goes_before_an_earlier_order():
    day = open_day(1, 2, 3)
    day.place(1, SLOT, ASK, 110, 10, 0)
    day.place(2, SLOT, ASK, 100, 10, 0)
    assert trades(day.place(3, SLOT, BID, 120, 15, 5)) == [(2, 3, 100, 10), (1, 3, 110, 5)]


def test_what_is_filled_in_part_keeps_its_turn():
    day = open_day(1, 2, 3)
    day.place(1, SLOT, ASK, 100, 10, 0)
    day.place(2, SLOT, ASK, 100, 10, 0)
    day.place(3, SLOT, BID, 100, 4, 5)
    assert trades(day.place(3, SLOT, BID, 100, 8, 5)) == [(1, 3, 100, 6), (2, 3, 100, 2)]


def test_the_rest_of_an_order_rests_at_its_own_limit():
    day = open_day(1, 2)
    day.place(1, SLOT, ASK, 100, 10, 0)
    assert names(day.place(2, SLOT, BID, 105, 12, 5)) == ["OrderCrossed", "Traded", "OrderRested"]
    assert day.orders_at(SLOT, BID, 105) == [(order_number(SLOT, BID, 105, 0), 2, 2)]


def test_at_the_bound_the_rest_is_returned_and_can_be_sent_again():
    day = open_day(1, 2)
    for _ in range(3):
        day.place(1, SLOT, ASK, 100, 10, 0)
    events = day.place(2, SLOT, BID, 100, 30, 2)
    assert names(events) == ["OrderCrossed", "Traded", "Traded", "OrderReturned"]
    assert events[-1].args["energy"] == 10
    assert day.prices(SLOT, BID) == []
    assert trades(day.place(2, SLOT, BID, 100, 10, 2)) == [(1, 2, 100, 10)]


def test_an_order_that_meets_nothing_rests_or_is_returned():
    day = open_day(1, 2)
    day.place(1, SLOT, ASK, 100, 10, 0)
    assert names(day.place(2, SLOT, BID, 100, 10, 0)) == ["OrderCrossed", "OrderReturned"]
    assert names(day.place(2, SLOT, BID, 99, 10, 0)) == ["OrderRested"]


def test_fills_are_capped():
    day = open_day(1, 2)
    for _ in range(MAX_FILLS + 1):
        day.place(1, SLOT, ASK, 100, 1, 0)
    events = day.place(2, SLOT, BID, 100, 1_000, 65_535)
    assert len(trades(events)) == MAX_FILLS
    assert names(events)[-1] == "OrderReturned"


def test_an_order_of_its_own_that_it_meets_is_cancelled():
    day = open_day(1, 2, terms=TERMS)
    day.place(1, SLOT, ASK, 100, 50, 0)
    day.place(2, SLOT, ASK, 100, 50, 0)
    events = day.place(1, SLOT, BID, 100, 60, 9)
    assert names(events) == ["OrderCrossed", "OrderCancelled", "Traded", "OrderRested"]
    assert trades(events) == [(2, 1, 100, 50)]
    assert day.accounts[1].available == PLENTY - 60 * (100 * 100 + 30)


def cancelled(day: IntradayDay, ticks: list[int]) -> None:
    """Asks that rest and are cancelled."""
    for number in [day.place(1, SLOT, ASK, tick, 1, 0)[0].args["number"] for tick in ticks]:
        day.cancel(1, number)


def test_empty_places_use_up_no_fill():
    day = open_day(1, 2, 3)
    cancelled(day, [100] * PLACES * 10 + list(range(101, 110)))
    day.place(2, SLOT, ASK, 110, 1, 0)
    assert names(day.place(3, SLOT, BID, 110, 1, 1)) == ["OrderCrossed", "Traded"]


@pytest.mark.parametrize(("ticks", "each"), [([100] * PLACES, 1), (list(range(100, 103)), 3)])
def test_a_long_row_of_empty_places_is_passed_in_several_orders(ticks, each):
    """A word of one level or a level each, it is the same."""
    day = open_day(1, 2, 3)
    rounds = 2 * MAX_SKIPS // each + 1
    cancelled(day, [tick if each == 1 else 3 * n + tick for n in range(rounds) for tick in ticks])
    day.place(2, SLOT, ASK, MAX_TICK, 1, 0)
    left = [names(day.place(3, SLOT, BID, MAX_TICK, 1, 4)) for _ in range(3)]
    assert left == [["OrderCrossed", "OrderReturned"]] * 2 + [["OrderCrossed", "Traded"]]


def test_an_order_that_must_not_trade_passes_empty_prices_and_rests():
    day = open_day(1, 2)
    cancelled(day, [100, 100, 100, 100, 101])
    assert names(day.place(2, SLOT, BID, 101, 1, 0)) == ["OrderCrossed", "OrderRested"]
    day = open_day(1, 2)
    cancelled(day, [100])
    day.place(1, SLOT, ASK, 101, 1, 0)
    assert names(day.place(2, SLOT, BID, 101, 1, 0)) == ["OrderCrossed", "OrderReturned"]
    assert names(day.place(2, SLOT, BID, 100, 1, 0)) == ["OrderRested"], "what was skipped stays skipped"


def test_an_empty_price_that_is_used_again_stands_where_it_stood():
    day = open_day(1, 2, 3)
    cancelled(day, [100] * 4)
    day.place(2, SLOT, ASK, 100, 5, 0)
    assert day.prices(SLOT, ASK) == [100]
    assert trades(day.place(3, SLOT, BID, 100, 5, 1)) == [(2, 3, 100, 5)]
    day.place(2, SLOT, ASK, 100, 5, 0)
    assert trades(day.place(3, SLOT, BID, 100, 5, 1)) == [(2, 3, 100, 5)]


def test_a_traders_better_price_is_its_own():
    """It paid 100, not its limit of 150: the collateral of the difference is available again."""
    day = open_day(1, 2, terms=TERMS)
    day.place(1, SLOT, ASK, 100, 50, 0)
    assert day.accounts[1].available == PLENTY - 50 * (40_080 - 10_000)
    day.place(2, SLOT, BID, 150, 50, 9)
    assert day.accounts[2].available == PLENTY - 50 * (10_000 + 30)
    assert (day.accounts[1].payment, day.accounts[2].payment) == (-500_000, 500_000)


def test_nobody_is_traded_beyond_its_limit():
    day = IntradayDay(1, FREE)
    day.fund(1, PLENTY, 100)
    day.fund(2, PLENTY, 1_000)
    for tick in (100, 101, 102):
        day.place(1, SLOT, ASK, tick, 60, 0)
    events = day.place(2, SLOT, BID, 110, 150, 9)
    assert trades(events) == [(1, 2, 100, 60), (1, 2, 101, 40)]
    assert names(events) == ["OrderCrossed", "Traded", "Traded", "OrderCancelled", "OrderCancelled", "OrderRested"]
    assert day.accounts[1].net == {SLOT: -100}
    with pytest.raises(IntradayError, match="ExceedsPosition"):
        day.place(1, SLOT, ASK, 110, 50, 9)
    day.place(2, SLOT, ASK, 120, 50, 9)
    assert trades(day.place(1, SLOT, BID, 120, 50, 9)) == [(2, 1, 120, 50)], "what was sold may be bought back"


def test_an_order_number_never_means_two_orders():
    day = open_day(1)
    seen = Counter[int]()
    for _ in range(20):
        (event,) = day.place(1, SLOT, ASK, 100, 1, 0)
        seen[event.args["number"]] += 1
        day.cancel(1, event.args["number"])
    assert set(seen.values()) == {1}
    assert day.prices(SLOT, ASK) == []


@pytest.mark.parametrize(
    ("error", "act"),
    [
        ("NotFunded", lambda day: day.place(9, SLOT, BID, 1, 10, 0)),
        ("NotFunded", lambda day: day.cancel(9, 1)),
        ("OrderTooSmall", lambda day: day.place(1, SLOT, BID, 1, 9, 0)),
        ("InsufficientCollateral", lambda day: day.place(1, SLOT, BID, MAX_TICK, 1 << 27, 0)),
        ("InsufficientCollateral", lambda day: day.defund(1, 10**9 + 1)),
        ("NoSuchOrder", lambda day: day.cancel(1, order_number(SLOT, BID, 5, 1))),
        ("NotOwner", lambda day: day.cancel(1, order_number(SLOT, BID, 5, 0))),
    ],
)
def test_what_is_refused_changes_nothing(error, act):
    day = IntradayDay(1, TERMS)
    for member in (1, 2):
        day.fund(member, 10**9, 1_000)
    day.place(2, SLOT, BID, 5, 10, 0)
    before = repr(day.accounts), list(day.open_orders())
    with pytest.raises(IntradayError, match=error):
        act(day)
    assert (repr(day.accounts), list(day.open_orders())) == before


# Replay


def story() -> list[Event]:
    opened = Event("DayOpened", {"day": 1, "extra": 30, "ceiling": 40_080, "smallest": 10})
    day = IntradayDay(1, TERMS)
    events = [opened]
    for member in (1, 2):
        events += day.fund(member, 10**9, 1_000)
    events += day.place(1, SLOT, ASK, 100, 50, 0)
    events += day.place(2, SLOT, BID, 120, 70, 9)
    events += day.cancel(2, order_number(SLOT, BID, 120, 0))
    return events + day.defund(2, 5)


def test_the_replay_follows_the_events():
    replay = IntradayReplay(96, lambda _: SMALL)
    assert [difference for event in story() for difference in replay.apply(*event).differences] == []
    trades = replay.trades(1)
    assert [column.tolist() for column in trades] == [[1, 2], [SLOT] * 2, [0, 50], [50, 0], [-500_000, 500_000]]
    assert replay.release(1) == {1: 10**9, 2: 10**9 - 5}
    replay.forget(1)
    assert replay.release(1) == {}
    assert replay.trades(1).participant.tolist() == []


@pytest.mark.parametrize(
    ("index", "changes"),
    [
        (3, {"energy": 49, "number": order_number(SLOT, ASK, 100, 1)}),
        (5, {"energy": 49}),
        (5, {"maker": 2}),
        (6, {"energy": 21}),
        (7, {"energy": 21}),
    ],
)
def test_the_replay_notes_what_the_model_says_otherwise(index, changes):
    replay = IntradayReplay(96, lambda _: SMALL)
    events = story()
    name, args = events[index]
    differences = [replay.apply(*event).differences for event in events[:index]]
    assert not any(differences)
    assert replay.apply(name, args | changes).differences != []


def test_the_replay_notes_trades_without_an_order():
    replay = IntradayReplay(96, lambda _: SMALL)
    events = story()
    for event in events[:4]:
        replay.apply(*event)
    assert replay.apply(*events[5]).differences != []
    assert replay.apply("OrderRested", {"day": 2, "id": 1, "number": 0, "energy": 10}).differences != []
