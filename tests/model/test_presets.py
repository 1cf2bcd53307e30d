"""Ways to trade: orders of each hand, and what an island sheds."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dem.community.presets import Mode, place, sell_on, shed
from dem.errors import InputError
from dem.model.markets.auction import OrderBook, clear_day, fills_of_day
from dem.model.markets.dealing import Intermediary, Quote, posted, quoted
from dem.model.orders import BROKERED_LAYER, MAX_ENERGY, Order, Side
from dem.model.positions import auction_trades
from dem.model.rules import Tariff
from dem.model.units import FROM_ZERO

INTERMEDIARY = 9
SLOTS = 6
CONSUMERS = [Order(6, 0, 0, Side.BID, 250, 400), Order(7, 0, 0, Side.BID, 200, 300)]
PROSUMER = Order(8, 0, 0, Side.ASK, 100, 500)

energies = st.integers(-5_000, 5_000)
members = st.integers(1, 6)
wish = st.tuples(
    st.integers(1, 8), st.integers(0, SLOTS - 1), st.sampled_from(Side), st.integers(0, 20), st.integers(1, 50)
)
wishes = st.lists(
    wish,
    max_size=25,
    unique_by=lambda row: row[:2],
).map(lambda rows: [Order(id_, 0, slot, side, tick, energy) for id_, slot, side, tick, energy in rows])


def dealing(quotes, number=INTERMEDIARY, **more):
    """The intermediary with these prices, and a connection that passes anything unless it says otherwise."""
    return Intermediary(number, quotes, **{"import_capacity": 1 << 32, "export_capacity": 1 << 32, **more})


def cleared(orders):
    """Book, clearings and fills of a pool's or a market's orders."""
    book = OrderBook.of(orders)
    clearings = clear_day(book, SLOTS)
    return book, clearings, fills_of_day(book, clearings)


def nets(orders, slot=0):
    """Net energy by member in a slot."""
    book, clearings, fills = cleared(orders)
    trades, net = auction_trades(book, fills, clearings, FROM_ZERO), {}
    for row in np.flatnonzero(trades.slot == slot):
        id_ = int(trades.participant[row])
        net[id_] = net.get(id_, 0) + int(trades.bought[row] - trades.sold[row])
    return net


def test_peers_trade_in_the_market_by_themselves():
    placed = place(Mode.PEER_TO_PEER, [*CONSUMERS, PROSUMER])
    assert placed.market == (*CONSUMERS, PROSUMER)
    assert placed.pool == ()


def test_clients_of_a_pool_trade_through_their_intermediarys_share():
    placed = place(Mode.MICROGRID, [*CONSUMERS, PROSUMER], dealing([Quote(0, 300)] * SLOTS))
    assert placed.market == ()
    assert [order.layer for order in placed.pool] == [BROKERED_LAYER] * 3
    assert [order.participant for order in placed.pool] == [6, 7, 8]


def test_the_market_of_an_island_is_its_members_own():
    assert place(Mode.ISLAND, [*CONSUMERS, PROSUMER]) == place(Mode.PEER_TO_PEER, [*CONSUMERS, PROSUMER])


def test_a_retailer_deals_with_everybody_at_its_posted_price():
    placed = place(Mode.RETAILER, [*CONSUMERS, PROSUMER], dealing(posted([220] * SLOTS)))
    book, clearings, fills = cleared(placed.pool)
    assert clearings[0].price == 220
    # Consumer 7 does not pay 220; the retailer buys 500 Wh of the prosumer and sells 400 Wh to consumer 6.
    assert nets(placed.pool) == {6: 400, 8: -500, INTERMEDIARY: 100}
    on = sell_on(Mode.RETAILER, book, fills, dealing(posted([220] * SLOTS)))
    assert on == [Order(INTERMEDIARY, 0, 0, Side.ASK, 220, 100)]


@given(wishes, st.lists(st.integers(0, 20), min_size=SLOTS, max_size=SLOTS))
def test_a_retailer_takes_whatever_accepts_its_price(orders, ticks):
    """In full but for its smallest order, of the orders at just that price; it has orders on one side alone."""
    pool = place(Mode.RETAILER, orders, dealing(posted(ticks))).pool
    _, clearings, fills = cleared(pool)
    for slot in {order.slot for order in orders}:
        own = {order.side for order in pool if (order.participant, order.slot) == (INTERMEDIARY, slot)}
        assert len(own) <= 1
        if own:
            assert clearings[slot].price == ticks[slot]
    left = Counter()
    for order, filled in zip(pool, fills.tolist(), strict=True):
        if order.participant == INTERMEDIARY:
            continue
        price = ticks[order.slot]
        accepts = order.tick >= price if order.side == Side.BID else order.tick <= price
        if order.tick == price:
            left[order.slot] += order.energy - filled
        else:
            assert filled == (order.energy if accepts else 0)
    assert all(energy <= dealing([]).smallest for energy in left.values())


def test_a_virtual_power_plant_sells_what_its_prosumers_leave():
    quotes = [Quote(150, 210)] * SLOTS
    placed = place(
        Mode.VIRTUAL_POWER_PLANT, [*CONSUMERS, PROSUMER, Order(5, 0, 0, Side.ASK, 120, 600)], dealing(quotes)
    )
    book, clearings, fills = cleared(placed.pool)
    assert clearings[0].price == 150
    assert nets(placed.pool) == {5: -600, 6: 400, 7: 300, 8: -500, INTERMEDIARY: 400}
    on = sell_on(Mode.VIRTUAL_POWER_PLANT, book, fills, dealing(quotes))
    assert on == [Order(INTERMEDIARY, 0, 0, Side.ASK, 150, 400)]


def test_a_virtual_power_plant_buys_what_its_clients_lack():
    quotes = [Quote(150, 210)] * SLOTS
    placed = place(Mode.VIRTUAL_POWER_PLANT, [CONSUMERS[0]], dealing(quotes))
    book, _, fills = cleared(placed.pool)
    assert sell_on(Mode.VIRTUAL_POWER_PLANT, book, fills, dealing(quotes)) == [
        Order(INTERMEDIARY, 0, 0, Side.BID, 210, 400)
    ]


@given(wishes)
def test_an_intermediarys_position_is_what_its_clients_leave(orders):
    quotes = [Quote(8, 12)] * SLOTS
    pool = place(Mode.VIRTUAL_POWER_PLANT, orders, dealing(quotes)).pool
    book, _, fills = cleared(pool)
    on = sell_on(Mode.VIRTUAL_POWER_PLANT, book, fills, dealing(quotes))
    for slot in range(SLOTS):
        left = sum(-net for id_, net in nets(pool, slot).items() if id_ != INTERMEDIARY)
        offered = sum(o.energy if o.side == Side.ASK else -o.energy for o in on if o.slot == slot)
        assert offered == left


def test_a_microgrid_leaves_its_position_to_the_upper_grid():
    quotes = quoted([Tariff(30_050, 8_020)] * SLOTS, FROM_ZERO)
    assert quotes == [Quote(80, 301)] * SLOTS
    placed = place(Mode.MICROGRID, [PROSUMER], dealing(quotes))
    book, _, fills = cleared(placed.pool)
    assert fills.sum() == 0, "the prosumer asks for more than the upper grid pays"
    placed = place(Mode.MICROGRID, [Order(8, 0, 0, Side.ASK, 70, 500)], dealing(quotes))
    book, _, fills = cleared(placed.pool)
    assert nets(placed.pool) == {8: -500, INTERMEDIARY: 500}
    assert sell_on(Mode.MICROGRID, book, fills, dealing(quotes)) == []


def test_large_positions_are_split_into_orders():
    clients = [Order(n, 0, 0, Side.ASK, 10, MAX_ENERGY) for n in (6, 7)]
    own = place(Mode.MICROGRID, clients, dealing([Quote(10, 20)])).pool[2:]
    assert [(o.layer, o.energy) for o in own] == [(0, MAX_ENERGY), (1, MAX_ENERGY)]


def test_an_intermediary_orders_within_its_connection_and_nothing_too_small():
    clients = [Order(6, 0, 0, Side.ASK, 10, 500), Order(7, 0, 0, Side.BID, 20, 9)]
    dealer = dealing([Quote(10, 20)], import_capacity=300, smallest=10)
    own = place(Mode.MICROGRID, clients, dealer).pool[2:]
    assert own == (Order(INTERMEDIARY, 0, 0, Side.BID, 10, 300),)


@pytest.mark.parametrize("mode", [Mode.RETAILER, Mode.VIRTUAL_POWER_PLANT, Mode.MICROGRID])
def test_a_pool_needs_its_intermediary(mode):
    with pytest.raises(InputError, match="intermediary"):
        place(mode, [PROSUMER])


def test_an_intermediary_is_not_its_own_client():
    with pytest.raises(InputError, match="intermediary"):
        place(Mode.RETAILER, [PROSUMER], dealing(posted([220]), PROSUMER.participant))


def test_every_slot_with_orders_needs_a_quote():
    with pytest.raises(InputError, match="slot 0"):
        place(Mode.RETAILER, [PROSUMER], dealing([]))


@pytest.mark.parametrize(("bid", "ask"), [(-1, 5), (6, 5), (5, 4_096)])
def test_a_quote_lies_within_the_ticks(bid, ask):
    with pytest.raises(InputError, match="quote"):
        Quote(bid, ask)


# Islands


def column(*values):
    return np.array(values, np.int64)[:, np.newaxis]


def test_uncontracted_load_is_shed_first():
    # 700 Wh of load, 500 Wh of generation; 100 and 100 Wh of load were not contracted.
    metered = shed(column(400, 300, -500), column(300, 200, -500), column(250, 200, 100))
    assert metered.ravel().tolist() == [300, 200, -500]


def test_contracted_load_is_shed_from_the_lowest_limit_up():
    metered = shed(column(400, 300, -350), column(300, 200, -500), column(250, 200, 100))
    assert metered.ravel().tolist() == [300, 50, -350]


def test_equal_limits_share_to_the_wh():
    metered = shed(column(10, 10, 10, -10), column(10, 10, 10, -30), column(200, 200, 200, 100))
    assert metered.ravel().tolist() == [4, 3, 3, -10]


def test_contracted_generation_is_curtailed_from_the_highest_limit_down():
    metered = shed(column(300, -400, -200), column(500, -300, -200), column(250, 120, 150))
    # 300 Wh too much: the 100 Wh that were not contracted, then 200 Wh at 150 ticks.
    assert metered.ravel().tolist() == [300, -300, 0]


def test_grids_must_be_of_one_shape():
    with pytest.raises(InputError, match="shape"):
        shed(column(1), column(1, 2), column(1))


@st.composite
def islands(draw):
    rows, slots = draw(members), draw(st.integers(1, 3))
    grid = st.lists(st.lists(energies, min_size=slots, max_size=slots), min_size=rows, max_size=rows)
    ticks = st.lists(st.lists(st.integers(0, 4), min_size=slots, max_size=slots), min_size=rows, max_size=rows)
    return tuple(np.array(draw(values), np.int64) for values in (grid, grid, ticks))


@given(islands())
def test_an_island_is_balanced_and_nobody_is_served_beyond_its_wish(island):
    energies, contracted, limits = island
    metered = shed(energies, contracted, limits)
    assert not metered.sum(axis=0).any()
    assert (abs(metered) <= abs(energies)).all()
    assert (metered * energies >= 0).all()
    # Only one side is cut.
    for slot, excess in enumerate(energies.sum(axis=0).tolist()):
        spared = energies[:, slot] <= 0 if excess > 0 else energies[:, slot] >= 0
        assert (metered[spared, slot] == energies[spared, slot]).all()


@given(islands())
def test_an_island_sheds_in_the_stated_order(island):
    energies, contracted, limits = island
    metered = shed(energies, contracted, limits)
    for slot, excess in enumerate(energies.sum(axis=0).tolist()):
        sign = 1 if excess > 0 else -1
        wanted = np.maximum(sign * energies[:, slot], 0)
        firm = np.minimum(wanted, np.maximum(sign * contracted[:, slot], 0))
        served = np.maximum(sign * metered[:, slot], 0)
        rank = sign * limits[:, slot]
        cut_firm = np.flatnonzero(served < firm)
        if cut_firm.size:
            assert (served <= firm).all(), "contracted energy is cut only once all the rest is"
            worst = rank[cut_firm].max()
            assert (served[(rank < worst) & (firm > 0)] == 0).all()
        for limit in np.unique(rank[firm > 0]):
            tied = np.flatnonzero((rank == limit) & (firm > 0))
            if cut_firm.size and (served[tied] > 0).any() and (served[tied] < firm[tied]).any():
                cut, total = int((firm - served)[tied].sum()), int(firm[tied].sum())
                for row in tied:
                    assert abs(int((firm - served)[row]) * total - cut * int(firm[row])) < total
