import pytest
from hypothesis import given
from hypothesis import strategies as st

from dem.errors import InputError
from dem.model.units import (
    FROM_ZERO,
    MAX_TICK,
    PriceRange,
    currency,
    kwh,
    parse_kwh,
    parse_money,
    parse_tariff,
    price_per_kwh,
)

NOT_PLAIN = [
    "",
    " ",
    " 1",
    "1 ",
    "1\n",
    "+1",
    "-1",
    "-0",
    "1e3",
    "1E-3",
    "nan",
    "inf",
    "Infinity",
    "1_000",
    "1,5",
    "1.",
    ".5",
    ".",
    "1.2.3",
    "0x10",
    "1/2",
    "１",
    "١",
    "²",
    "−1",
    "1" * 31,
    "0." + "0" * 31,
]


SIGNED = PriceRange(-100_000)
COARSE = PriceRange(-100_050, 150)


@pytest.mark.parametrize("parse", [parse_kwh, parse_money])
@pytest.mark.parametrize("text", NOT_PLAIN)
def test_refuses_what_is_not_plain_decimal_notation(parse, text):
    with pytest.raises(InputError, match="plain decimal") as caught:
        parse(text)
    assert caught.value.value == text


@pytest.mark.parametrize(
    ("parse", "text", "expected"),
    [
        (parse_kwh, "0", 0),
        (parse_kwh, "0.125", 125),
        (parse_kwh, "0.1250000", 125),
        (parse_kwh, "007", 7_000),
        (parse_kwh, "134217.727", 2**27 - 1),
        (parse_money, "1", 10**8),
        (parse_money, "0.00000001", 1),
        (
            parse_money,
            "123456789012345678901234567890.12345678",
            int("123456789012345678901234567890" + "12345678"),
        ),
        (parse_tariff, "1", 10**5),
        (parse_tariff, "0.00001", 1),
        (parse_tariff, "0.3", 30_000),
        (FROM_ZERO.parse, "0", 0),
        (FROM_ZERO.parse, "0.085", 85),
        (FROM_ZERO.parse, "4.095", 4095),
        (parse_tariff, "-0.13", -13_000),
        (SIGNED.parse, "-1", 0),
        (SIGNED.parse, "-0.001", 999),
        (SIGNED.parse, "0", 1_000),
        (SIGNED.parse, "3.095", 4095),
        (COARSE.parse, "5.142", 4095),
    ],
)
def test_parses_exactly(parse, text, expected):
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("parse", "text", "why"),
    [
        (parse_kwh, "0.0001", "whole number of Wh"),
        (parse_money, "0.000000001", "whole number of units of 10\\^-8"),
        (parse_tariff, "0.000001", "whole number of units/Wh"),
        (FROM_ZERO.parse, "0.0855", "whole number of ticks"),
        (FROM_ZERO.parse, "4.096", "at most 4.095"),
        (FROM_ZERO.parse, "-0.001", "at least 0.000"),
        (SIGNED.parse, "-1.001", "at least -1.000"),
        (SIGNED.parse, "3.096", "at most 3.095"),
        (COARSE.parse, "0.002", "ticks of 0.0015"),
    ],
)
def test_refuses_what_is_too_fine_or_too_high(parse, text, why):
    with pytest.raises(InputError, match=why):
        parse(text)


def test_one_unit_per_wh_is_a_hundredth_of_a_currency_per_mwh():
    """0.01 currency/MWh = 10^-5 currency/kWh, and a tick is 1 currency/MWh."""
    assert parse_tariff("0.00001") == 1
    assert FROM_ZERO.price_of(FROM_ZERO.parse("0.001")) == 100 == parse_tariff("0.001")


def test_energy_times_price_is_money():
    assert parse_kwh("2.5") * parse_tariff("0.3") == parse_money("0.75")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (kwh(0), "0.000"),
        (kwh(1_250), "1.250"),
        (kwh(-5), "-0.005"),
        (currency(0), "0.00"),
        (currency(1), "0.00000001"),
        (currency(1_250_000_000), "12.50"),
        (currency(-1_234_500_000), "-12.345"),
        (price_per_kwh(30_000), "0.300"),
        (price_per_kwh(8_501), "0.08501"),
        (price_per_kwh(409_500), "4.095"),
    ],
)
def test_formats_for_people(text, expected):
    assert text == expected


@given(st.integers(0, 10**30))
def test_formatting_loses_nothing(value):
    assert parse_kwh(kwh(value)) == value
    assert parse_money(currency(value)) == value
    assert parse_tariff(price_per_kwh(value)) == value


def test_prices_below_zero_are_not_plain_where_there_are_none():
    for text in NOT_PLAIN:
        if text not in ("-1", "-0"):
            with pytest.raises(InputError, match="plain decimal"):
                parse_tariff(text)


@given(st.integers(1, 128), st.integers(0, MAX_TICK - 1), st.integers(-(2**20), 2**20))
def test_ticks_and_prices_fit(tick, zero, price):
    prices = PriceRange(-zero * tick, tick)
    assert prices.price_of(prices.zero) == 0
    assert prices.steps(prices.zero) == 0
    down, up = prices.tick_down(price), prices.tick_up(price)
    assert prices.price_of(down) <= price <= prices.price_of(up)
    assert up - down == (price % tick != 0)
    assert prices.tick_down(prices.highest) == MAX_TICK
    assert 0 <= prices.nearest(down) <= MAX_TICK


@pytest.mark.parametrize(
    ("lowest", "tick", "why"),
    [
        (1, 100, "must be"),
        (-50, 100, "whole number of ticks"),
        (0, 0, "must be"),
        (0, 129, "must be"),
        (-409_500, 100, "must be"),
        (-(2**19) - 1, 1, "must be"),
    ],
)
def test_refuses_what_the_market_cannot_compute_with(lowest, tick, why):
    with pytest.raises(InputError, match=why):
        PriceRange(lowest, tick)
