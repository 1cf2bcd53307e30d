"""Integer units of the market, and the only conversions from and to what people read.

Inside, everything is a plain int: energy in Wh, money in 10^-8 currency, prices in money units
per Wh or in ticks of 100 units/Wh. One currency/kWh is 10^8 units / 10^3 Wh = 10^5 units/Wh, so
energy times price is exact.
"""

import re
from fractions import Fraction
from typing import NewType

from dem.errors import InputError

Wh = NewType("Wh", int)
"""Energy; where signed, consumption is positive and generation negative."""
Money = NewType("Money", int)
"""Money in 10^-8 of one currency unit."""
UnitsPerWh = NewType("UnitsPerWh", int)
"""Price in money units per Wh, 10^-5 currency/kWh."""
Tick = NewType("Tick", int)
"""Order price in steps of TICK_UNITS."""

TICK_UNITS = 100
"""Units/Wh of one tick: 0.001 currency/kWh."""
MAX_TICK = 4095
MONEY_DECIMALS = 8
PRICE_DECIMALS = 5
"""Decimals of a currency/kWh price of one unit/Wh."""
KWH_DECIMALS = 3

_PLAIN_DECIMAL = re.compile(r"[0-9]{1,30}(\.[0-9]{1,30})?")


def price_of(tick: Tick) -> UnitsPerWh:
    """The price of a tick in units/Wh."""
    return UnitsPerWh(tick * TICK_UNITS)


def parse_kwh(text: str) -> Wh:
    """Energy from kWh in plain decimal notation: '0.125' is 125 Wh.

    Raises:
        InputError: not a plain decimal number, negative, or not a whole number of Wh.
    """
    return Wh(_parse("energy in kWh", text, 10**KWH_DECIMALS, "Wh"))


def parse_money(text: str) -> Money:
    """Money from currency in plain decimal notation: '12.5' is 1,250,000,000 units.

    Raises:
        InputError: not a plain decimal number, negative, or finer than 8 decimals.
    """
    return Money(_parse("money in currency", text, 10**MONEY_DECIMALS, "units of 10^-8"))


def parse_tariff(text: str) -> UnitsPerWh:
    """A tariff or fee from currency/kWh in plain decimal notation: '0.3' is 30,000 units/Wh.

    Raises:
        InputError: not a plain decimal number, negative, or finer than 5 decimals.
    """
    return UnitsPerWh(_parse("tariff in currency/kWh", text, 10**PRICE_DECIMALS, "units/Wh"))


def parse_price(text: str) -> Tick:
    """An order price from currency/kWh in plain decimal notation: '0.085' is tick 85.

    Raises:
        InputError: not a plain decimal number, negative, no whole tick, or above MAX_TICK.
    """
    where = "price in currency/kWh"
    tick = _parse(where, text, 10**PRICE_DECIMALS // TICK_UNITS, "ticks of 0.001")
    if tick > MAX_TICK:
        raise InputError(where, text, f"must be at most {price_per_kwh(price_of(Tick(MAX_TICK)))}")
    return Tick(tick)


def kwh(energy: Wh) -> str:
    """Energy for people, exact, in kWh: 1250 Wh is '1.250'."""
    return _format(energy, KWH_DECIMALS, shown=3)


def currency(amount: Money) -> str:
    """Money for people, exact, in currency: at least two decimals, '12.50' or '0.00000001'."""
    return _format(amount, MONEY_DECIMALS, shown=2)


def price_per_kwh(price: UnitsPerWh) -> str:
    """A price for people, exact, in currency/kWh: at least three decimals, '0.085'."""
    return _format(price, PRICE_DECIMALS, shown=3)


def _parse(where: str, text: str, scale: int, unit: str) -> int:
    """Text times scale, which must come out whole."""
    if not _PLAIN_DECIMAL.fullmatch(text):
        raise InputError(where, text, "must be a plain decimal number such as 12 or 0.125")
    scaled = Fraction(text) * scale
    if scaled.denominator != 1:
        raise InputError(where, text, f"must be a whole number of {unit}")
    return scaled.numerator


def _format(value: int, decimals: int, shown: int) -> str:
    """Value / 10^decimals, without the trailing zeros beyond `shown` decimals."""
    whole, fraction = divmod(abs(value), 10**decimals)
    digits = f"{fraction:0{decimals}d}"
    return f"{'-' if value < 0 else ''}{whole}.{digits[:shown]}{digits[shown:].rstrip('0')}"
