"""Figures and words for people: the only place where figures are rounded."""

from collections.abc import Sequence
from fractions import Fraction

from dem.model.units import KWH_DECIMALS, MONEY_DECIMALS

UNITS_PER_CURRENCY = 10**MONEY_DECIMALS
WH_PER_KWH = 10**KWH_DECIMALS


def share(part: int, whole: int) -> Fraction | None:
    return Fraction(part, whole) if whole else None


def kwh(energy_wh: int) -> str:
    return f"{_number(energy_wh / WH_PER_KWH, 1)} kWh"


def money(units: int, currency: str) -> str:
    return f"{_number(units / UNITS_PER_CURRENCY, 2)} {currency}"


def price(units_per_wh: Fraction | int | None, currency: str) -> str:
    if units_per_wh is None:
        return "none"
    return f"{_number(per_kwh(units_per_wh), 3)} {currency}/kWh"


def per_kwh(units_per_wh: Fraction | int) -> float:
    return float(Fraction(units_per_wh) * WH_PER_KWH / UNITS_PER_CURRENCY)


def percent(value: Fraction | None) -> str:
    return "none" if value is None else f"{float(value) * 100:.1f} %"


def plural(kind: str, count: int = 2) -> str:
    words = kind.replace("_", " ")
    return words if count == 1 or words.endswith("s") else words + "s"


def of_kind(count: int, kind: str) -> str:
    """`28 consumers`, `1 grid operator`"""
    return f"{count} {plural(kind, count)}"


def figure(value: float, digits: int) -> str:
    """A number with so many decimals."""
    return _number(value, digits)


def exactly(count: int, decimals: int, shown: int) -> str:
    """An exact decimal number, counted in its last place, without zeros beyond the decimals `shown`."""
    whole, fraction = divmod(abs(count), 10**decimals)
    digits = f"{fraction:0{decimals}d}"
    text = f"{whole:,}.{digits[:shown]}{digits[shown:].rstrip('0')}"
    return f"\N{MINUS SIGN}{text}" if count < 0 else text


def listed(parts: Sequence[str]) -> str:
    """Parts of a sentence with commas and an "and"."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _number(value: float, digits: int) -> str:
    text = f"{abs(value):,.{digits}f}"
    negative = value < 0 and any(digit in text for digit in "123456789")
    return f"\N{MINUS SIGN}{text}" if negative else text
