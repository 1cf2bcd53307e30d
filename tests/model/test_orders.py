from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dem.errors import InputError
from dem.model.orders import (
    MAX_ENERGY,
    Order,
    Side,
    decode_lane,
    decode_lanes,
    encode_lane,
    lines_of,
    orders_of,
)
from dem.model.units import MAX_TICK

ORDER = Order(participant=7, layer=1, slot=13, side=Side.ASK, tick=85, energy=1_250)

orders = st.builds(
    Order,
    participant=st.just(7),
    layer=st.integers(0, 3),
    slot=st.integers(0, 95),
    side=st.sampled_from(Side),
    tick=st.integers(0, MAX_TICK),
    energy=st.integers(1, MAX_ENERGY),
)


def test_lane_of_the_specification():
    """Bit 39 side, bits 38..27 tick, bits 26..0 energy."""
    assert encode_lane(ORDER) == 1 << 39 | 85 << 27 | 1_250
    assert encode_lane(replace(ORDER, side=Side.BID, tick=MAX_TICK)) == 4095 << 27 | 1_250


@given(orders)
def test_decode_undoes_encode(order):
    assert decode_lane(order.participant, order.layer, order.slot, encode_lane(order)) == order


def test_a_lane_of_zero_is_no_order():
    assert decode_lane(7, 1, 13, 0) is None


@pytest.mark.parametrize("lane", [1 << 39, 85 << 27, -1, 1 << 40])
def test_decode_refuses_a_lane_without_energy_or_out_of_range(lane):
    with pytest.raises(InputError):
        decode_lane(7, 1, 13, lane)


@pytest.mark.parametrize(
    "change",
    [
        {"participant": 0},
        {"layer": -1},
        {"slot": -1},
        {"side": 2},
        {"tick": -1},
        {"tick": MAX_TICK + 1},
        {"energy": 0},
        {"energy": MAX_ENERGY + 1},
        {"energy": 1.0},
        {"energy": np.int64(5)},
    ],
)
def test_an_order_out_of_range_is_refused_by_name(change):
    (field,) = change
    with pytest.raises(InputError, match=field):
        replace(ORDER, **change)


@given(st.lists(st.one_of(st.none(), orders), max_size=9))
def test_many_lanes_are_decoded_as_each_is(orders):
    lanes = [0 if order is None else encode_lane(order) for order in orders]
    decoded = decode_lanes(np.array(lanes, np.int64))
    rows = list(zip(*(column.tolist() for column in decoded), strict=True))
    assert rows == [(0, 0, 0) if order is None else (order.side, order.tick, order.energy) for order in orders]


def test_lanes_with_a_limit_but_no_energy_are_refused():
    with pytest.raises(InputError, match="no energy"):
        decode_lanes(np.array([0, 1 << 39]))


def test_line_of_the_specification():
    """line = layer * stripsPerDay + strip: layer 1, slot 13 is strip 2 lane 1 of 16 strips."""
    assert lines_of([ORDER], day=3, periods_per_day=96) == {18: 3 << 240 | encode_lane(ORDER) << 40}


@given(st.lists(orders, unique_by=lambda o: (o.layer, o.slot), max_size=40), st.integers(1, 65_535))
def test_orders_of_undoes_lines_of(orders, day):
    lines = lines_of(orders, day, 96)
    read = [o for line, word in lines.items() for o in orders_of(7, day, line, word, 96)]
    assert read == sorted(orders, key=lambda o: (o.layer, o.slot))


def test_a_line_of_another_day_is_empty():
    ((line, word),) = lines_of([ORDER], day=3, periods_per_day=96).items()
    assert orders_of(7, 3, line, word, 96) == [ORDER]
    assert orders_of(7, 4, line, word, 96) == []
    assert orders_of(7, 3, line, 0, 96) == []


@pytest.mark.parametrize(
    ("orders", "day", "periods"),
    [
        ([ORDER, replace(ORDER, tick=1)], 1, 96),
        ([ORDER, replace(ORDER, participant=8, slot=0)], 1, 96),
        ([ORDER], 1, 12),
        ([ORDER], 0, 96),
        ([replace(ORDER, layer=4096)], 1, 96),
    ],
    ids=["one lane", "two participants", "slot", "day", "line"],
)
def test_lines_of_refuses(orders, day, periods):
    with pytest.raises(InputError):
        lines_of(orders, day, periods)
