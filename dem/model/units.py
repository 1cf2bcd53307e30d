"""Integer units of the market, and the only conversions from and to what people read.

Inside, everything is a plain int: energy in Wh, money in 10^-8 currency, prices in money units
per Wh or in ticks of a `PriceRange`. One currency/kWh is 10^8 units / 10^3 Wh = 10^5 units/Wh, so
energy times price is exact.
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, NewType, TypeVar

from dem.errors import InputError, require_range

if TYPE_CHECKING:
    # Commands that show a price do not load it.
    import numpy as np
    from numpy.typing import NDArray

Wh = NewType("Wh", int)
"""Energy; where signed, consumption is positive and generation negative."""
Money = NewType("Money", int)
"""Money in 10^-8 of one currency unit."""
UnitsPerWh = NewType("UnitsPerWh", int)
"""Price in money units per Wh, 10^-5 currency/kWh; below zero who sells pays."""
Tick = NewType("Tick", int)
"""Order price, counted from the lowest one of a `PriceRange`."""

MAX_TICK = 4095
MONEY_DECIMALS = 8
CENT = 10**6
"""Money units; the least that banks pay."""
PRICE_DECIMALS = 5
"""Decimals of a currency/kWh price of one unit/Wh."""
KWH_DECIMALS = 3

PRICE_BOUND = 1 << 19
"""Prices of orders and of the wholesale market have 19 bits and a sign, units/Wh."""

_PLAIN_DECIMAL = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?")
_Integers = TypeVar("_Integers", int, "NDArray[np.int64]")


@dataclass(frozen=True, slots=True)
class PriceRange:
    """The prices that orders can name, for as long as a market is deployed: MAX_TICK + 1 of them from the lowest on.

    lowest: units/Wh, at most 0 and a whole number of ticks. tick: distance of two prices, units/Wh.
    """

    lowest: UnitsPerWh = UnitsPerWh(0)
    tick: int = 100

    def __post_init__(self) -> None:
        require_range("price tick in units/Wh", self.tick, 1)
        require_range("lowest price in units/Wh", self.lowest, -PRICE_BOUND, 0)
        if self.lowest % self.tick:
            why = f"must be a whole number of ticks of {self.tick}, so that zero is a price"
            raise InputError("lowest price in units/Wh", self.lowest, why)
        require_range("highest price in units/Wh", self.highest, 1, PRICE_BOUND - 1)

    @property
    def highest(self) -> UnitsPerWh:
        """The price of MAX_TICK."""
        return UnitsPerWh(self.lowest + MAX_TICK * self.tick)

    @property
    def zero(self) -> Tick:
        """The tick of a price of 0."""
        return Tick(-self.lowest // self.tick)

    def steps(self, tick: _Integers) -> _Integers:
        """A tick counted from a price of zero, as tables have it."""
        return tick - self.zero

    def price_of(self, tick: _Integers) -> _Integers:
        """The price of a tick in units/Wh."""
        return self.lowest + tick * self.tick

    def tick_down(self, price: _Integers) -> _Integers:
        """The highest tick that is not above a price; it may be none of the range."""
        return (price - self.lowest) // self.tick

    def tick_up(self, price: _Integers) -> _Integers:
        """The lowest tick that is not below a price; it may be none of the range."""
        return -((self.lowest - price) // self.tick)

    def nearest(self, tick: int) -> Tick:
        """The tick of the range next to a value."""
        return Tick(max(0, min(MAX_TICK, tick)))

    def parse(self, text: str) -> Tick:
        """An order price from currency/kWh in plain decimal notation; from zero on '0.085' is tick 85.

        Raises:
            InputError: not a plain decimal number, no whole tick, or none of the range.
        """
        where = "price in currency/kWh"
        price = _parse(where, text, 10**PRICE_DECIMALS, "units/Wh", is_signed=True)
        if price % self.tick:
            step = price_per_kwh(UnitsPerWh(self.tick))
            raise InputError(where, text, f"must be a whole number of ticks of {step}")
        if not self.lowest <= price <= self.highest:
            least, most = price_per_kwh(self.lowest), price_per_kwh(self.highest)
            raise InputError(where, text, f"must be at least {least} and at most {most}")
        return Tick(self.tick_down(price))


FROM_ZERO = PriceRange()
"""Prices without a sign, 0.001 currency/kWh apart."""


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
        InputError: not a plain decimal number, or finer than 5 decimals.
    """
    return UnitsPerWh(_parse("tariff in currency/kWh", text, 10**PRICE_DECIMALS, "units/Wh", is_signed=True))


def kwh(energy: Wh) -> str:
    """Energy for people, exact, in kWh: 1250 Wh is '1.250'."""
    return _format(energy, KWH_DECIMALS, shown=3)


def currency(amount: Money) -> str:
    """Money for people, exact, in currency: at least two decimals, '12.50' or '0.00000001'."""
    return _format(amount, MONEY_DECIMALS, shown=2)


def price_per_kwh(price: UnitsPerWh) -> str:
    """A price for people, exact, in currency/kWh: at least three decimals, '0.085'."""
    return _format(price, PRICE_DECIMALS, shown=3)


def _parse(where: str, text: str, scale: int, unit: str, is_signed: bool = False) -> int:
    """Text times scale, which must come out whole."""
    if not _PLAIN_DECIMAL.fullmatch(text) or (text.startswith("-") and not is_signed):
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
