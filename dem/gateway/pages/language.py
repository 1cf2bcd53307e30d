"""Languages of bills and pages: their words, and how they write numbers, money and times."""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from gettext import GNUTranslations, NullTranslations
from importlib.resources import files
from io import BytesIO

from babel import Locale
from babel.dates import format_date, format_time
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_currency, format_decimal, format_percent, get_currency_symbol

from dem.gateway.pages.words import LINES, PROPOSED
from dem.model.units import KWH_DECIMALS, MONEY_DECIMALS

LANGUAGES = ("en", "de", "zh")
"""The first one is that of the source."""
_LOCALES = {"en": "en_GB", "de": "de_DE", "zh": "zh_Hans_CN"}
_MOST_PREFERENCES = 20


class Language:
    """One of them."""

    def __init__(self, code: str) -> None:
        self.code = code
        self.locale = Locale.parse(_LOCALES[code])
        self.words = _catalogue(code)
        self.gettext: Callable[[str], str] = self.words.gettext
        self.name = str(Locale.parse(code).display_name).capitalize()

    def number(self, value: int | float | Decimal, digits: int = 0) -> str:
        """With so many decimals."""
        return format_decimal(value, f"#,##0.{'0' * digits}" if digits else "#,##0", self.locale)

    def kwh(self, wh: int, digits: int = 1) -> str:
        """An energy, with its unit."""
        return f"{self.energy(wh, digits)}\N{NO-BREAK SPACE}kWh"

    def energy(self, wh: int, digits: int = 1) -> str:
        """An energy in kWh, without."""
        return self.number(_whole(round(Decimal(wh).scaleb(-KWH_DECIMALS), digits)), digits)

    def money(self, units: int, currency: str) -> str:
        """An amount, to the hundredth."""
        rounded = _whole(round(Decimal(units).scaleb(-MONEY_DECIMALS), 2))
        return str(format_currency(rounded, currency, locale=self.locale, currency_digits=False))

    def exact(self, units: int, digits: int) -> str:
        """An amount without its currency, with so many decimals, or as many as it has."""
        value = Decimal(units).scaleb(-MONEY_DECIMALS)
        return self.number(value, max(digits, digits_of([units])))

    def coins(self, amount: str) -> str:
        """NRGcoins, to the thousandth."""
        return self.number(_whole(round(Decimal(amount), 3)), 3)

    def price(self, units_per_wh: float | Decimal, digits: int = 3) -> str:
        """Currency per kWh, without unit."""
        return self.number(_whole(round(Decimal(units_per_wh).scaleb(KWH_DECIMALS - MONEY_DECIMALS), digits)), digits)

    def symbol(self, currency: str) -> str:
        """How people write a currency."""
        return str(get_currency_symbol(currency, self.locale))

    def percent(self, part: int, whole: int) -> str:
        """A share."""
        return str(format_percent(Decimal(part) / Decimal(whole) if whole else Decimal(0), "#,##0 %", self.locale))

    def day(self, when: date, style: str = "long") -> str:
        """A date."""
        return str(format_date(when, style, self.locale))

    def weekday(self, when: date) -> str:
        """A date with its day of the week."""
        return str(format_date(when, "full", self.locale))

    def weekdays(self, bits: int) -> str:
        """Days of the week, the first bit being Monday."""
        names = self.locale.days["format"]["abbreviated"]
        return self.gettext(", ").join(names[n] for n in range(7) if bits >> n & 1)

    def month(self, when: date) -> str:
        """A month of a year."""
        return str(format_date(when, "LLLL y" if self.code != "zh" else "y年M月", self.locale))

    def clock(self, when: datetime) -> str:
        """Hours and minutes."""
        return str(format_time(when, "HH:mm", locale=self.locale))

    def moment(self, when: datetime) -> str:
        """A date and a time."""
        return f"{format_date(when, 'medium', self.locale)}, {self.clock(when)}"

    def proposed(self, function: str) -> str:
        """What the council is asked for by a function."""
        return self.gettext(PROPOSED.get(function, function))

    def line(self, what: str) -> str:
        """What a line of a bill is for."""
        return self.gettext(LINES.get(what, what))


@cache
def language(code: str) -> Language:
    """The language of a code out of LANGUAGES."""
    return Language(code)


def preferred(accepted: str) -> str:
    """The language that a browser likes best of those there are, by its header Accept-Language."""
    wanted = []
    for part in accepted.split(",")[:_MOST_PREFERENCES]:
        code, _, rest = part.strip().partition(";q=")
        try:
            wanted.append((float(rest) if rest else 1.0, code.partition("-")[0].lower()))
        except ValueError:
            continue
    for _, code in sorted(wanted, key=lambda one: -one[0]):
        if code in LANGUAGES:
            return code
    return LANGUAGES[0]


def digits_of(units: Sequence[int], least: int = 2) -> int:
    """So many decimals that none of the amounts loses any."""
    digits = least
    for one in units:
        while digits < MONEY_DECIMALS and one % 10 ** (MONEY_DECIMALS - digits):
            digits += 1
    return digits


def _whole(value: Decimal) -> Decimal:
    """Without the sign of a zero."""
    return value if value else abs(value)


def _catalogue(code: str) -> NullTranslations:
    if code == LANGUAGES[0]:
        return NullTranslations()
    source = (files("dem.gateway.pages") / "locale" / f"{code}.po").read_bytes()
    compiled = BytesIO()
    write_mo(compiled, read_po(BytesIO(source), code))
    compiled.seek(0)
    return GNUTranslations(compiled)
