"""Settlement against worked numbers and the invariants of the rules."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dem.clearing import clear
from dem.errors import InputError
from dem.settlement import (
    Delivery,
    ImbalancePricing,
    MarketRules,
    Position,
    Reading,
    Tariff,
    deviation_charge,
    estimate,
    imbalance_price,
    mid_price,
    order_collateral,
    positions_of,
    settle_day,
    settle_period,
    tolerance,
)

from .books import ask, bid, books

RULES = MarketRules(
    platform_fee=50,
    network_fee=200,
    deviation_rate=1_000,
    standing_buy=30_000,
    standing_sell=8_000,
    max_buy=60_000,
    tolerance_fixed=10,
    tolerance_share=500,
    min_order_energy=1,
    max_layers=4,
)
TARIFF = Tariff(buy=30_000, sell=8_000)

modes = st.sampled_from(ImbalancePricing)
prices = st.integers(0, 2**20 - 1)
tariffs = st.tuples(prices, prices).map(lambda pair: Tariff(buy=max(pair), sell=min(pair)))
rules = st.builds(
    replace,
    st.just(RULES),
    imbalance_pricing=modes,
    charge_helpful=st.booleans(),
    tolerance_fixed=st.integers(0, 300),
    tolerance_share=st.integers(0, 10_000),
)


@st.composite
def deliveries(draw):
    """A cleared book, and readings near or far from what it contracted."""
    orders = draw(books())
    clearing = clear(orders)
    positions = positions_of(orders, clearing)
    metered = {i: draw(st.integers(-3_000, 3_000)) for i in range(1, 8)}
    return Delivery(draw(tariffs), clearing.price, positions, metered)


# Invariants


@given(rules, deliveries())
def test_payments_of_a_period_sum_to_zero(rules, delivery):
    rows, area = settle_period(rules, 0, delivery)
    received = area.fallback + area.surplus + area.deviation
    received += area.platform_fees + area.network_fees
    assert sum(row.due for row in rows) == received


@given(rules, deliveries())
def test_the_fund_never_pays_for_imbalances(rules, delivery):
    _, area = settle_period(rules, 0, delivery)
    assert area.surplus >= 0
    assert area.deviation >= 0


@given(rules, deliveries())
def test_energy_balances(rules, delivery):
    rows, area = settle_period(rules, 0, delivery)
    assert all(row.contracted + row.imbalance == row.metered for row in rows)
    assert sum(row.contracted for row in rows) == 0
    assert area.imbalance == sum(delivery.metered.values()) == sum(row.imbalance for row in rows)


@given(rules, deliveries())
def test_a_row_for_everyone_with_a_meter(rules, delivery):
    rows, _ = settle_period(rules, 0, delivery)
    assert [row.participant for row in rows] == sorted(delivery.metered)


@given(modes, st.integers(-99, 99), st.integers(-99, 99), tariffs, st.integers(0, 4095))
def test_imbalance_never_beats_having_traded_against_the_area(mode, d, area, tariff, tick):
    """Unless the area is on the other side in single pricing, short pays at least the clamped
    clearing price and long receives at most that.
    """
    mid = mid_price(tariff, tick)
    price = imbalance_price(mode, d, area, tariff, mid)
    assert tariff.sell <= price <= tariff.buy
    helped = d * area < 0
    if mode != ImbalancePricing.SINGLE or not helped:
        assert d * price >= d * mid


@given(st.lists(deliveries(), max_size=4), rules)
def test_a_day_sums_to_zero_and_to_its_rows(deliveries, rules):
    day = settle_day(rules, deliveries)
    received = day.fallback() + day.fund() + day.operator() + day.grid_operator()
    assert sum(day.due().values()) == received
    assert [area.slot for area in day.areas] == list(range(len(deliveries)))
    for participant, due in day.due().items():
        assert due == sum(row.due for row in day.rows if row.participant == participant)


@given(books())
def test_positions_balance_and_respect_limits(orders):
    clearing = clear(orders)
    positions = positions_of(orders, clearing)
    assert sum(p.bought for p in positions) == sum(p.sold for p in positions) == clearing.volume
    assert sum(p.trade for p in positions) == 0
    assert all(p.bought or p.sold for p in positions)


@given(books(), rules, tariffs)
def test_collateral_covers_trade_fees_and_failed_delivery(orders, rules, tariff):
    """Invariant 6 for whoever takes what it bought and delivers nothing of what it sold."""
    tariff = Tariff(buy=min(tariff.buy, rules.max_buy), sell=min(tariff.sell, rules.max_buy))
    clearing = clear(orders)
    positions = positions_of(orders, clearing)
    metered = {p.participant: p.bought for p in positions}
    rows, _ = settle_period(rules, 0, Delivery(tariff, clearing.price, positions, metered))
    for row in rows:
        mine = [order for order in orders if order.participant == row.participant]
        assert row.due <= sum(order_collateral(order, rules) for order in mine)


# Worked numbers


@pytest.mark.parametrize(
    ("mode", "area", "short_price", "long_price"),
    [
        (ImbalancePricing.SINGLE, 1, 30_000, 30_000),
        (ImbalancePricing.SINGLE, -1, 8_000, 8_000),
        (ImbalancePricing.SINGLE, 0, 12_000, 12_000),
        (ImbalancePricing.TWO_PRICE, 1, 30_000, 12_000),
        (ImbalancePricing.TWO_PRICE, -1, 12_000, 8_000),
        (ImbalancePricing.TWO_PRICE, 0, 12_000, 12_000),
        (ImbalancePricing.TARIFF, 1, 30_000, 8_000),
        (ImbalancePricing.TARIFF, -1, 30_000, 8_000),
        (ImbalancePricing.TARIFF, 0, 30_000, 8_000),
    ],
)
def test_imbalance_prices_of_the_three_modes(mode, area, short_price, long_price):
    assert imbalance_price(mode, 5, area, TARIFF, mid=12_000) == short_price
    assert imbalance_price(mode, -5, area, TARIFF, mid=12_000) == long_price


def test_one_period_by_hand():
    """1 sells 2,000 Wh at tick 120 and delivers 1,700; 2 buys 1,200 and takes 1,150; 3 buys 800 and
    takes 800; 4 trades nothing and consumes 100. Area: 300 - 50 + 0 + 100 = 350 Wh short.
    """
    positions = [
        Position(1, 0, 2_000, -2_000 * 12_000),
        Position(2, 1_200, 0, 1_200 * 12_000),
        Position(3, 800, 0, 800 * 12_000),
    ]
    metered = {1: -1_700, 2: 1_150, 3: 800, 4: 100}
    rows, area = settle_period(RULES, 5, Delivery(TARIFF, 120, positions, metered))
    assert [row.slot for row in rows] == [5] * 4
    assert [row.imbalance for row in rows] == [300, -50, 0, 100]
    assert [row.imbalance_units for row in rows] == [300 * 30_000, -50 * 12_000, 0, 100 * 30_000]
    assert [row.fees for row in rows] == [2_000 * 250, 1_200 * 250, 800 * 250, 0]
    # Tolerances: 5 % of 2,000 = 100; 2 helped; 4 contracted nothing, so 10 Wh.
    assert [row.deviation for row in rows] == [200 * 1_000, 0, 0, 90 * 1_000]
    assert rows[0].due == -24_000_000 + 9_000_000 + 500_000 + 200_000
    assert area.imbalance == 350
    assert area.fallback == 350 * 30_000
    assert area.surplus == 50 * (30_000 - 12_000)
    assert area.deviation == 290_000
    assert (area.platform_fees, area.network_fees) == (4_000 * 50, 4_000 * 200)


def test_a_long_area_is_bought_from_at_the_sell_tariff():
    """The fallback supplier pays; nothing traded, so the short one pays the tariff's middle."""
    rows, area = settle_period(RULES, 0, Delivery(TARIFF, None, [], {1: -500, 2: 100}))
    assert [row.imbalance_units for row in rows] == [-500 * 8_000, 100 * 19_000]
    assert area.fallback == -400 * 8_000
    assert area.surplus == 100 * (19_000 - 8_000)


def test_a_self_trader_pays_itself_and_two_fees():
    orders = [bid(1, 150, 400), ask(1, 100, 400, layer=1)]
    (position,) = positions_of(orders, clear(orders))
    assert position == Position(1, 400, 400, 0)
    delivery = Delivery(TARIFF, 125, [position], {1: 0})
    (row,), _ = settle_period(RULES, 0, delivery)
    assert (row.contracted, row.imbalance, row.due) == (0, 0, 800 * 250)


@pytest.mark.parametrize(
    ("tariff", "price", "mid"),
    [
        (TARIFF, 120, 12_000),
        (TARIFF, 500, 30_000),
        (TARIFF, 10, 8_000),
        (TARIFF, 0, 8_000),
        (TARIFF, None, 19_000),
        (Tariff(3, 2), None, 2),
    ],
)
def test_mid_price_is_held_within_the_tariff(tariff, price, mid):
    assert mid_price(tariff, price) == mid


@pytest.mark.parametrize(
    ("contracted", "expected"), [(0, 10), (200, 10), (219, 10), (220, 11), (-220, 11), (2_000, 100)]
)
def test_tolerance_is_the_larger_of_share_and_fixed(contracted, expected):
    assert tolerance(contracted, RULES) == expected


@pytest.mark.parametrize(
    ("imbalance", "area", "charge_helpful", "expected"),
    [
        (10, 1, False, 0),
        (11, 1, False, 1_000),
        (-11, -1, False, 1_000),
        (11, 0, False, 1_000),
        (-11, 1, False, 0),
        (11, -1, False, 0),
        (-11, 1, True, 1_000),
        (0, 5, True, 0),
    ],
)
def test_deviation_charge(imbalance, area, charge_helpful, expected):
    rules = replace(RULES, charge_helpful=charge_helpful)
    assert deviation_charge(imbalance, area, 0, rules) == expected


def test_order_collateral():
    ceiling = 60_000 + 1_000 + 250
    assert order_collateral(bid(1, 120, 100), RULES) == 100 * (12_000 + 250)
    assert order_collateral(ask(1, 120, 100), RULES) == 100 * (ceiling - 12_000)
    assert order_collateral(ask(1, 612, 100), RULES) == 100 * 50
    assert order_collateral(ask(1, 613, 100), RULES) == 0


def test_missing_readings_are_estimated_from_the_preceding_day():
    read = [Reading(5), None, None, None]
    before = [Reading(9), Reading(7), Reading(-3, estimated=True), None]
    assert estimate(read, before) == [
        Reading(5),
        Reading(7, estimated=True),
        Reading(-3, estimated=True),
        Reading(0, estimated=True),
    ]


# Lanes


def test_lanes_of_the_specification():
    assert Tariff(buy=30_000, sell=8_000).lane() == 30_000 << 20 | 8_000
    assert Reading(-5).lane() == 2**38 - 5
    assert Reading(0, estimated=True).lane() == 1 << 39 | 1 << 38


@given(tariffs, st.integers(-(2**38), 2**38 - 1), st.booleans())
def test_lanes_read_back(tariff, net, estimated):
    assert Tariff.of_lane(tariff.lane()) == tariff
    reading = Reading(net, estimated)
    assert Reading.of_lane(reading.lane()) == reading


# Refusals


@pytest.mark.parametrize("lane", [-1, 1 << 40])
def test_lanes_out_of_range_are_refused(lane):
    with pytest.raises(InputError):
        Tariff.of_lane(lane)
    with pytest.raises(InputError):
        Reading.of_lane(lane)


@pytest.mark.parametrize(("buy", "sell"), [(8_000, 8_001), (2**20, 0), (1, -1)])
def test_a_tariff_buys_no_dearer_than_it_sells(buy, sell):
    with pytest.raises(InputError):
        Tariff(buy, sell)


@pytest.mark.parametrize("net", [-(2**38) - 1, 2**38, 0.5])
def test_a_reading_out_of_range_is_refused(net):
    with pytest.raises(InputError):
        Reading(net)


@pytest.mark.parametrize(
    "change",
    [
        {"platform_fee": -1},
        {"platform_fee": 2**20},
        {"network_fee": -1},
        {"deviation_rate": -1},
        {"max_buy": 2**20},
        {"standing_buy": 60_001},
        {"standing_sell": 30_001},
        {"tolerance_fixed": -1},
        {"tolerance_fixed": 2**38 + 1},
        {"tolerance_share": 10_001},
        {"min_order_energy": 0},
        {"min_order_energy": 2**27},
        {"max_layers": 0},
        {"max_layers": 2**16},
        {"boundary_margin": -1},
        {"imbalance_pricing": 3},
    ],
)
def test_rules_out_of_range_are_refused_by_name(change):
    (field,) = change
    with pytest.raises(InputError, match=field):
        replace(RULES, **change)


def test_standing_tariff_and_fees_follow_from_the_rules():
    assert RULES.standing_tariff == TARIFF
    assert RULES.fees == 250


@pytest.mark.parametrize(
    ("positions", "why"),
    [
        ([Position(1, 5, 0, 0)], "bought beyond"),
        ([Position(1, 5, 0, 50), Position(2, 0, 5, -49)], "sum to zero"),
        ([Position(1, 5, 0, 0), Position(1, 0, 5, 0)], "one per participant"),
        ([Position(1, 5, 0, 0), Position(3, 0, 5, 0)], "without a reading"),
    ],
)
def test_positions_that_do_not_balance_are_refused(positions, why):
    with pytest.raises(InputError, match=why):
        settle_period(RULES, 0, Delivery(TARIFF, 100, positions, {1: 0, 2: 0}))
