"""Settlement against worked numbers, the formulas one by one, and the invariants of the rules."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.model.books import ask, bid, books
from support.rules import SMALL

from dem.deployment.plan import rules_tuple
from dem.errors import InputError
from dem.model.collateral import order_collateral
from dem.model.imbalance import deviation_charges, imbalance_prices, mid_prices, tolerances
from dem.model.markets.auction import OrderBook, clear_day, fills_of_day
from dem.model.positions import Exchange, auction_trades, positions
from dem.model.readings import Reading, net_of_lanes
from dem.model.rules import CONTRACT_PRICINGS, ImbalancePricing, Tariff
from dem.model.settlement import MAX_PERIOD_ENERGY, Delivery, settle
from dem.model.units import FROM_ZERO, MAX_TICK, PriceRange

RULES = replace(
    SMALL,
    platform_fee=50,
    network_fee=200,
    deviation_rate=1_000,
    max_buy=60_000,
    tolerance_fixed=10,
    tolerance_share=500,
    imbalance_pricing=ImbalancePricing.TWO_PRICE,
)
TARIFF = Tariff(buy=30_000, sell=8_000)

modes = st.sampled_from(CONTRACT_PRICINGS)
SIGNED = PriceRange(-100_000)
prices = st.integers(SIGNED.lowest, 2**20 - 1 + SIGNED.lowest)
tariffs = st.tuples(prices, prices).map(lambda pair: Tariff(buy=max(pair), sell=min(pair)))
rules = st.builds(
    replace,
    st.just(RULES),
    imbalance_pricing=modes,
    prices=st.just(SIGNED),
    min_sell=st.integers(SIGNED.lowest, 0),
    charge_helpful=st.booleans(),
    tolerance_fixed=st.integers(0, 300),
    tolerance_share=st.integers(0, 10_000),
)


def delivery(tariffs, prices, bought, sold, metered, has_meter=None, scale=FROM_ZERO, **further):
    """A delivery of participants 1, 2, ...; energies as a list of slots for each."""
    participants = np.arange(1, len(metered) + 1)
    meters = np.ones(len(metered), bool) if has_meter is None else np.array(has_meter)
    shape = (len(metered), len(tariffs))
    bought, sold, metered = (np.array(rows, np.int64).reshape(shape) for rows in (bought, sold, metered))
    payments = (bought - sold) * scale.price_of(np.array([price or 0 for price in prices]))
    return Delivery(tariffs, prices, participants, meters, bought, sold, metered, payments, **further)


def traded(book, clearings, participants, slots):
    """Energy bought and sold in the auction."""
    trades = auction_trades(book, fills_of_day(book, clearings), clearings, FROM_ZERO)
    return positions([trades], participants, slots)[:2]


PARTICIPANTS = 7


@st.composite
def deliveries(draw, slots=3):
    """Cleared books, and readings near or far from what they contracted."""
    orders = [replace(order, slot=slot) for slot in range(slots) for order in draw(books())]
    book = OrderBook.of(orders)
    clearings = clear_day(book, slots)
    bought, sold = traded(book, clearings, np.arange(1, PARTICIPANTS + 1), slots)
    off = st.one_of(st.just(0), st.integers(-30, 30), st.integers(-3_000, 3_000))
    row = st.lists(off, min_size=slots, max_size=slots)
    metered = bought - sold + np.array(draw(st.lists(row, min_size=PARTICIPANTS, max_size=PARTICIPANTS)))
    every = [draw(tariffs) for _ in range(slots)]
    rates = np.array(draw(st.lists(st.one_of(st.just(0), st.integers(0, 2**20 - 1)), min_size=slots, max_size=slots)))
    nominated = np.array(draw(st.lists(off, min_size=slots, max_size=slots)))
    exchange = Exchange(PARTICIPANTS + 1, nominated, rates)
    ticks = [clearing.price for clearing in clearings]
    return delivery(every, ticks, bought, sold, metered, scale=SIGNED, exchange=exchange)


def plain_dues(rules, day, row, slot):
    """(imbalance, deviation) payments of one participant and slot, by the formulas of rule 11 as they are written."""
    tariff, price = day.tariffs[slot], day.prices[slot]
    mid = (
        (tariff.buy + tariff.sell) // 2
        if price is None
        else sorted((tariff.sell, price * 100 - 100_000, tariff.buy))[1]
    )
    c = int(day.bought[row, slot] - day.sold[row, slot])
    d = int(day.metered[row, slot]) - c
    area = sum(day.metered[:, slot].tolist())
    if rules.imbalance_pricing == ImbalancePricing.SINGLE:
        paid = tariff.buy if area > 0 else tariff.sell if area < 0 else mid
    elif rules.imbalance_pricing == ImbalancePricing.TWO_PRICE and d > 0:
        paid = tariff.buy if area > 0 else mid
    elif rules.imbalance_pricing == ImbalancePricing.TWO_PRICE:
        paid = tariff.sell if area < 0 else mid
    else:
        paid = tariff.buy if d > 0 else tariff.sell
    free = max(rules.tolerance_fixed, abs(c) * rules.tolerance_share // 10_000)
    helped = d * area < 0
    unkept = min(abs(d), abs(c)) if d * c < 0 else 0
    charged = 0 if helped and not rules.charge_helpful else max(0, unkept - free)
    return d * paid, charged * rules.deviation_rate


# The formulas, one participant and slot at a time


@given(rules, deliveries())
def test_every_payment_is_that_of_the_formulas(rules, day):
    settled = settle(rules, day)
    for row in range(PARTICIPANTS):
        for slot, price in enumerate(day.prices):
            dues = settled.imbalance_units[row, slot], settled.deviation[row, slot]
            assert dues == plain_dues(rules, day, row, slot)
            bought, sold = int(day.bought[row, slot]), int(day.sold[row, slot])
            assert settled.trade[row, slot] == (bought - sold) * ((price or 0) * 100 - 100_000)
            assert settled.fees[row, slot] == (bought + sold) * (rules.platform_fee + rules.network_fee)


# Invariants


@given(rules, deliveries())
def test_payments_of_a_period_sum_to_zero(rules, day):
    settled = settle(rules, day)
    area = settled.area
    received = area.fallback + area.surplus + area.deviation + area.platform_fees + area.network_fees
    received += area.penalty + area.penalty_surplus
    due = settled.trade + settled.imbalance_units + settled.fees + settled.deviation + settled.penalty
    assert due.sum(axis=0).tolist() == received.tolist()


@given(rules, deliveries())
def test_the_fund_never_pays_for_imbalances(rules, day):
    area = settle(rules, day).area
    assert (area.surplus >= 0).all()
    assert (area.deviation >= 0).all()
    assert (area.penalty_surplus >= 0).all()


@given(rules, deliveries())
def test_energy_balances(rules, day):
    settled = settle(rules, day)
    assert (settled.contracted + settled.imbalance == day.metered).all()
    assert not settled.contracted.sum(axis=0).any()
    assert settled.area.imbalance.tolist() == day.metered.sum(axis=0).tolist()


@given(modes, st.integers(-99, 99), st.integers(-99, 99), tariffs, st.integers(0, 4095))
def test_imbalance_never_beats_having_traded_against_the_area(mode, d, area, tariff, tick):
    """Unless the area is on the other side in single pricing, short pays at least the clamped
    clearing price and long receives at most that.
    """
    (mid,) = mid_prices(tariff.buy, tariff.sell, [tick], FROM_ZERO)
    price = int(imbalance_prices(mode, np.array(d), area, tariff.buy, tariff.sell, mid))
    assert tariff.sell <= price <= tariff.buy
    helped = d * area < 0
    if mode != ImbalancePricing.SINGLE or not helped:
        assert d * price >= d * mid


@given(rules, deliveries())
def test_a_day_sums_to_zero_and_to_its_periods(rules, day):
    settled = settle(rules, day)
    received = settled.desk() + settled.fallback() + settled.fund() + settled.operator() + settled.grid_operator()
    assert sum(sum(bill) for bill in settled.bills.values()) == received
    for row, participant in enumerate(day.participants.tolist()):
        grids = (settled.trade, settled.imbalance_units, settled.fees, settled.deviation, settled.penalty)
        assert settled.bills[participant] == tuple(grid[row].sum() for grid in grids)
        assert settled.schedule[participant].tolist() == settled.contracted[row].tolist()


@given(books())
def test_trades_balance(orders):
    book = OrderBook.of(orders)
    (clearing,) = clearings = clear_day(book, 1)
    bought, sold = traded(book, clearings, np.arange(1, PARTICIPANTS + 1), 1)
    assert bought.sum() == sold.sum() == clearing.volume


@given(books(), rules, tariffs, st.sampled_from([0, 1_000]))
def test_collateral_covers_trade_fees_and_failed_delivery(orders, rules, tariff, up):
    """Invariant 6 for whoever delivers nothing of what it sold, and takes all of what it bought, or nothing."""
    buy, sell = (max(rules.min_sell, min(price, rules.max_buy)) for price in (tariff.buy, tariff.sell))
    orders = [replace(order, tick=min(MAX_TICK, order.tick + up)) for order in orders]
    book = OrderBook.of(orders)
    clearings = clear_day(book, 1)
    trades = auction_trades(book, fills_of_day(book, clearings), clearings, rules.prices)
    bought, sold, _ = positions([trades], np.arange(1, PARTICIPANTS + 1), 1)
    # What is bought and not taken costs a charge besides, which nothing covers.
    for terms, metered in ((rules, bought), (replace(rules, deviation_rate=0), np.zeros_like(bought))):
        day = delivery([Tariff(buy, sell)], [clearings[0].price], bought, sold, metered, scale=rules.prices)
        for participant, bill in settle(terms, day).bills.items():
            mine = [order for order in orders if order.participant == participant]
            assert sum(bill) <= sum(order_collateral(order, terms) for order in mine)


@given(st.integers(0, 8_190), st.integers(-100_000, 0), st.booleans())
def test_collateral_of_either_sign(double, min_sell, is_bid):
    """A buyer locks what it pays at worst and nothing of what it receives; a seller below zero locks what it pays."""
    terms = replace(RULES, prices=SIGNED, min_sell=min_sell)
    order = (bid if is_bid else ask)(1, double // 2, 10)
    price = terms.prices.price_of(order.tick)
    worst = price + terms.fees - min_sell if is_bid else terms.max_buy + terms.deviation_rate + terms.fees - price
    assert order_collateral(order, terms) == 10 * max(0, worst)


def test_nobody_is_paid_for_an_estimate():
    """At an imbalance price below zero it costs nothing, and who was read is paid."""
    terms = replace(RULES, prices=SIGNED, min_sell=-60_000, imbalance_pricing=ImbalancePricing.TARIFF)
    tariff = Tariff(-25_000, -50_000)
    nothing, estimated = [[0], [0]], np.array([[True], [False]])
    day = delivery([tariff], [None], nothing, nothing, [[1_000], [1_000]], estimated=estimated)
    settled = settle(terms, day)
    assert settled.imbalance_units.tolist() == [[0], [1_000 * -25_000]]
    assert settled.fund() == 1_000 * 25_000


@given(books(), rules)
def test_collateral_of_a_book_is_that_of_its_orders(orders, rules):
    assert order_collateral(OrderBook.of(orders), rules) == sum(order_collateral(order, rules) for order in orders)


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
    prices = imbalance_prices(mode, np.array([5, -5]), area, TARIFF.buy, TARIFF.sell, 12_000)
    assert prices.tolist() == [short_price, long_price]


def test_one_period_by_hand():
    """1 sells 2,000 Wh at tick 120 and delivers 1,700; 2 buys 1,200 and takes 1,150; 3 buys 800 and
    takes 800; 4 trades nothing and consumes 100. Area: 300 - 50 + 0 + 100 = 350 Wh short.
    """
    settled = settle(RULES, delivery([TARIFF], [120], [0, 1_200, 800, 0], [2_000, 0, 0, 0], [-1_700, 1_150, 800, 100]))
    assert settled.imbalance[:, 0].tolist() == [300, -50, 0, 100]
    assert settled.trade[:, 0].tolist() == [-2_000 * 12_000, 1_200 * 12_000, 800 * 12_000, 0]
    assert settled.imbalance_units[:, 0].tolist() == [300 * 30_000, -50 * 12_000, 0, 100 * 30_000]
    assert settled.fees[:, 0].tolist() == [2_000 * 250, 1_200 * 250, 800 * 250, 0]
    # Tolerance: 5 % of 2,000 = 100; 2 helped; 4 contracted nothing and broke no contract.
    assert settled.deviation[:, 0].tolist() == [200 * 1_000, 0, 0, 0]
    assert settled.bills[1] == (-24_000_000, 9_000_000, 500_000, 200_000, 0)
    assert settled.area.imbalance.tolist() == [350]
    assert settled.area.price.tolist() == [30_000]
    assert settled.fallback() == 350 * 30_000
    assert settled.area.surplus.tolist() == [50 * (30_000 - 12_000)]
    assert settled.fund() == 50 * (30_000 - 12_000) + 200_000
    assert (settled.operator(), settled.grid_operator()) == (4_000 * 50, 4_000 * 200)


def test_a_long_area_is_bought_from_at_the_sell_tariff():
    """The fallback supplier pays; nothing traded, so the short one pays the tariff's middle."""
    settled = settle(RULES, delivery([TARIFF], [None], [0, 0], [0, 0], [-500, 100]))
    assert settled.imbalance_units[:, 0].tolist() == [-500 * 8_000, 100 * 19_000]
    assert settled.fallback() == -400 * 8_000
    assert settled.area.surplus.tolist() == [100 * (19_000 - 8_000)]


def test_a_self_trader_pays_itself_and_two_fees():
    book = OrderBook.of([bid(1, 150, 400), ask(1, 100, 400, layer=1)])
    bought, sold = traded(book, clear_day(book, 1), np.array([1]), 1)
    settled = settle(RULES, delivery([TARIFF], [125], bought, sold, [0]))
    assert (bought, sold) == (400, 400)
    assert settled.bills[1] == (0, 0, 800 * 250, 0, 0)


def test_who_has_no_meter_is_settled_where_it_traded():
    settled = settle(
        RULES, delivery([TARIFF] * 2, [120, None], [[5, 0], [0, 0]], [[0, 0], [5, 0]], np.zeros((2, 2)), [False, True])
    )
    assert settled.has_row.tolist() == [[True, False], [True, True]]


def test_sums_beyond_64_bits_are_exact():
    """The largest period that is priced, all day long, at the highest price."""
    dearest = replace(RULES, max_buy=2**20 - 1, imbalance_pricing=ImbalancePricing.TARIFF)
    day = delivery(
        [Tariff(2**20 - 1, 0)] * 96, [None] * 96, np.zeros((1, 96)), np.zeros((1, 96)), np.full((1, 96), 2**41 - 1)
    )
    settled = settle(dearest, day)
    assert settled.bills[1].imbalance == settled.fallback() == 96 * (2**41 - 1) * (2**20 - 1) > 2**63


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
    assert mid_prices(tariff.buy, tariff.sell, [price], FROM_ZERO).tolist() == [mid]


@pytest.mark.parametrize(
    ("contracted", "expected"), [(0, 10), (200, 10), (219, 10), (220, 11), (-220, 11), (2_000, 100)]
)
def test_tolerance_is_the_larger_of_share_and_fixed(contracted, expected):
    assert tolerances(np.array(contracted), RULES) == expected


@pytest.mark.parametrize(
    ("contracted", "imbalance", "area", "charge_helpful", "expected"),
    [
        (-100, 10, 1, False, 0),
        (-100, 11, 1, False, 1_000),
        (100, -11, -1, False, 1_000),
        (-100, 11, 0, False, 1_000),
        (100, -11, 1, False, 0),
        (-100, 11, -1, False, 0),
        (100, -11, 1, True, 1_000),
        (100, 0, 5, True, 0),
        # What nobody contracted is no contract broken: only the imbalance price is due for it.
        (100, 50, 1, False, 0),
        (-100, -50, -1, False, 0),
        (0, 50, 1, False, 0),
        (-100, 500, 1, False, 90_000),
    ],
)
def test_deviation_charge(contracted, imbalance, area, charge_helpful, expected):
    rules = replace(RULES, charge_helpful=charge_helpful)
    assert deviation_charges(np.array(imbalance), area, np.array(contracted), rules) == expected


def test_order_collateral():
    ceiling = 60_000 + 1_000 + 250
    assert order_collateral(bid(1, 120, 100), RULES) == 100 * (12_000 + 250)
    assert order_collateral(ask(1, 120, 100), RULES) == 100 * (ceiling - 12_000)
    assert order_collateral(ask(1, 612, 100), RULES) == 100 * 50
    assert order_collateral(ask(1, 613, 100), RULES) == 0


def test_penalties_fall_on_those_who_deviate_as_the_area_does():
    """Two take 100 and 50 Wh too much, one 30 too little: 120 Wh are penalised, 150 Wh pay, the fund keeps the rest."""
    settled = penalised([100, 50, -30], nominated=-1_000)
    assert settled.penalty[:, 0].tolist() == [700, 350, 0]
    assert (settled.desk(), settled.area.penalty_surplus.tolist()) == (840, [210])
    assert settled.bills[1].penalty == 700


@pytest.mark.parametrize(
    ("nominated", "charged", "due"),
    [(-120, [700, 350, 0], 840), (-60, [400, 200, 0], 420), (1, [100, 50, 0], 7), (0, [0, 0, 0], 0)],
)
def test_a_penalty_counts_no_more_energy_than_was_nominated(nominated, charged, due):
    """Of 120 Wh: each Wh pays its part of what is due, rounded up."""
    settled = penalised([100, 50, -30], nominated)
    assert settled.penalty[:, 0].tolist() == charged
    assert (settled.desk(), settled.area.penalty_surplus.tolist()) == (due, [sum(charged) - due])


def penalised(imbalance, nominated):
    """A slot at 7 units/Wh in which a desk, who is none of the participants, nominated energy."""
    exchange = Exchange(9, np.array([nominated]), np.array([7]))
    return settle(RULES, delivery([TARIFF], [None], [0] * 3, [0] * 3, imbalance, exchange=exchange))


def test_the_desk_earns_no_reward():
    """It sells 80 Wh and delivers them by definition, which is no forecast; who bought them took them all."""
    exchange = Exchange(2, np.array([-80]), np.array([0]))
    settled = settle(RULES, delivery([TARIFF], [120], [80, 0], [0, 80], [80, -80], exchange=exchange))
    assert settled.claims == {1: (0, 80), 2: (0, 0)}
    assert settled.bills[2].fees == 80 * RULES.fees


@pytest.mark.parametrize(
    ("bought", "sold", "metered", "others", "expected"),
    [
        (100, 0, 90, 50, 40),  # a buyer still, took less, the area is short
        (100, 0, 100, 50, 40),  # took as much as contracted
        (100, 0, 101, 50, 0),  # took more
        (100, 0, 90, 0, 0),  # the area is long
        (0, 100, -100, 50, 0),  # a seller by now
        (0, 0, 0, 50, 40),  # sold back all it had bought
    ],
)
def test_flexible_energy_helps_where_a_buyer_takes_less_in_a_short_area(bought, sold, metered, others, expected):
    day = delivery(
        [TARIFF],
        [100],
        [bought, sold],
        [sold, bought],
        [metered, sold - bought + others],
        flexible=np.array([[40], [0]]),
    )
    assert settle(RULES, day).claims[1][0] == expected


@pytest.mark.parametrize(
    ("bought", "sold", "metered", "kept"),
    [
        (1_000, 0, 1_500, 1_000),
        (1_000, 0, 930, 930),
        (1_000, 0, 0, 0),
        (1_000, 0, -200, 0),
        (0, 1_000, -1_500, 1_000),
        (0, 1_000, -300, 300),
        (0, 1_000, 300, 0),
        (0, 0, 700, 0),
        # What is bought and sold again is no energy.
        (1_000, 1_000, 800, 0),
        (1_000, 400, 800, 600),
    ],
)
def test_what_counts_for_the_reward_is_net_energy_delivered_as_contracted(bought, sold, metered, kept):
    day = delivery([TARIFF], [100], [bought, sold], [sold, bought], [metered, 0])
    assert settle(RULES, day).claims[1] == (0, kept)


# Uncontracted energy that matches: pricings of the model alone. Numbers of the published rule (mid-market rate).

SHARED = replace(RULES, imbalance_pricing=ImbalancePricing.SHARED)
WIDE = Tariff(buy=28_000, sell=8_000)


@pytest.mark.parametrize(
    ("metered", "bills"),
    [
        ([3_000, 7_000, -1_000, -5_000], [66_000_000, 154_000_000, -18_000_000, -90_000_000]),
        ([1_000, 5_000, -3_000, -7_000], [18_000_000, 90_000_000, -42_000_000, -98_000_000]),
    ],
)
def test_what_matches_is_shared_at_the_middle_of_the_tariffs(metered, bills):
    nothing = [0] * len(metered)
    settled = settle(SHARED, delivery([WIDE], [None], nothing, nothing, metered))
    assert settled.imbalance_units[:, 0].tolist() == bills
    assert settled.fund() == 0


@given(st.sampled_from(ImbalancePricing), deliveries())
def test_under_every_pricing_all_money_comes_from_somewhere(pricing, day):
    settled = settle(replace(RULES, imbalance_pricing=pricing), day)
    area = settled.area
    received = [area.fallback, area.surplus, area.platform_fees, area.network_fees]
    paid = settled.imbalance_units + settled.fees
    assert paid.sum() == sum(column.sum() for column in received)
    assert (area.surplus >= 0).all()


def test_the_network_fee_is_due_on_what_matches_where_the_rules_say_so():
    nothing, metered = [0] * 3, [3_000, -1_000, -5_000]
    for pricing, levied in ((ImbalancePricing.LEVIED, [3_000, 500, 2_500]), (ImbalancePricing.SINGLE, nothing)):
        rules = replace(RULES, imbalance_pricing=pricing)
        settled = settle(rules, delivery([WIDE], [None], nothing, nothing, metered))
        assert settled.fees[:, 0].tolist() == [energy * RULES.network_fee for energy in levied]
        assert settled.grid_operator() == sum(levied) * RULES.network_fee


def test_contracts_refuse_pricings_of_the_model_alone():
    with pytest.raises(InputError, match="'shared' is known to the model alone"):
        rules_tuple(SHARED)


# Lanes


def test_lanes_of_the_specification():
    assert Tariff(buy=30_000, sell=8_000).lane(FROM_ZERO) == 30_000 << 20 | 8_000
    assert Reading(-5).lane() == 2**38 - 5
    assert Reading(0, estimated=True).lane() == 1 << 39 | 1 << 38


@given(tariffs, st.integers(-(2**38), 2**38 - 1), st.booleans())
def test_lanes_read_back(tariff, net, estimated):
    assert Tariff.of_lane(tariff.lane(SIGNED), SIGNED) == tariff
    reading = Reading(net, estimated)
    assert Reading.of_lane(reading.lane()) == reading
    assert net_of_lanes(np.array([reading.lane()])) == net


# Refusals


@pytest.mark.parametrize("lane", [-1, 1 << 40])
def test_lanes_out_of_range_are_refused(lane):
    with pytest.raises(InputError):
        Tariff.of_lane(lane, FROM_ZERO)
    with pytest.raises(InputError):
        Reading.of_lane(lane)


@pytest.mark.parametrize(("buy", "sell"), [(8_000, 8_001), (2**20, 0), (1, -(2**19) - 1)])
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
        {"commission_cap": -1},
        {"commission_cap": 2**20},
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
        {"imbalance_pricing": 6},
        {"wholesale_margin": -1},
        {"penalty_cap": 2**20},
        {"premium_rate": 2**20},
        {"reward_share": 10_001},
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
    ("bought", "sold", "metered", "why"),
    [
        ([5, 0], [0, 4], [0, 0], "beyond what is sold"),
        ([5, 0], [0, 5], [0, MAX_PERIOD_ENERGY - 9], "energy of a period"),
    ],
)
def test_deliveries_that_do_not_balance_or_are_too_large_are_refused(bought, sold, metered, why):
    with pytest.raises(InputError, match=why):
        delivery([TARIFF], [100], bought, sold, metered)


def test_deliveries_out_of_shape_are_refused():
    grid = np.zeros((2, 1), np.int64)
    meters = np.ones(2, bool)
    with pytest.raises(InputError, match="must ascend"):
        Delivery([TARIFF], [None], np.array([2, 1]), meters, grid, grid, grid, grid)
    with pytest.raises(InputError, match="sold"):
        Delivery([TARIFF], [None], np.array([1, 2]), meters, grid, grid[:1], grid, grid)
