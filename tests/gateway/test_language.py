"""Languages: every word is in every catalogue, and numbers, money and dates follow the locale."""

import importlib.util
from datetime import date
from pathlib import Path

import pytest

from dem.gateway.pages.language import LANGUAGES, digits_of, language, preferred

ROOT = Path(__file__).resolve().parents[2]


def test_every_word_is_in_every_catalogue() -> None:
    spec = importlib.util.spec_from_file_location("catalogues", ROOT / "tools" / "catalogues.py")
    assert spec is not None
    assert spec.loader is not None
    catalogues = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(catalogues)
    assert catalogues.wrong() == []
    assert {path.stem for path in catalogues.LOCALE.glob("*.po")} == {*LANGUAGES[1:]}
    assert len(catalogues.said()) > 50


@pytest.mark.parametrize(
    ("code", "money", "energy", "day"),
    [
        ("en", "€1,234.50", "1,234.5\N{NO-BREAK SPACE}kWh", "8 May 2016"),
        ("de", "1.234,50\N{NO-BREAK SPACE}€", "1.234,5\N{NO-BREAK SPACE}kWh", "8. Mai 2016"),
        ("zh", "€1,234.50", "1,234.5\N{NO-BREAK SPACE}kWh", "2016年5月8日"),
    ],
)
def test_figures_follow_the_locale(code: str, money: str, energy: str, day: str) -> None:
    spoken = language(code)
    assert spoken.money(123_450_000_000, "EUR") == money
    assert spoken.kwh(1_234_500) == energy
    assert spoken.day(date(2016, 5, 8)) == day
    assert spoken.money(-400_000, "EUR") == spoken.money(0, "EUR")  # no minus before nothing


def test_no_amount_loses_a_digit() -> None:
    assert digits_of([100_000_000, 120_000_000]) == 2
    assert digits_of([123_456_700]) == 6
    assert language("en").exact(-1, 2) == "-0.00000001"


@pytest.mark.parametrize(
    ("accepted", "code"),
    [
        ("", "en"),
        ("de-AT,de;q=0.9,en;q=0.8", "de"),
        ("fr, zh-CN;q=0.7, de;q=0.8", "de"),
        ("zh", "zh"),
        ("xx;q=y,,;q=1", "en"),
    ],
)
def test_the_browsers_first_language_that_there_is(accepted: str, code: str) -> None:
    assert preferred(accepted) == code
