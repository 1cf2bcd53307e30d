"""NRGcoin by the model: the published example, the shape of the curve, and its known flaw."""

import numpy as np
import pytest

from dem.model.coins import COIN, Coins, CoinTerms, Sums, coins_down, weight_down

TERMS = CoinTerms()
KWH = 1_000
"""Wh."""


def coins(net: int, exported: int, imported: int) -> Coins:
    """Of a member in one slot, Wh."""
    return coins_down(np.array([net]), Sums((exported,), (imported,)), TERMS)


@pytest.mark.parametrize(
    ("exported", "imported", "minted", "charged"),
    [
        (100, 100, "100.000", "100.000"),
        (110, 100, "60.653", "95.238"),
        (90, 100, "60.653", "105.263"),
        (120, 100, "13.534", "90.909"),
        (200, 100, "0.000", "66.667"),
    ],
)
def test_the_worked_example(exported: int, imported: int, minted: str, charged: str) -> None:
    """A kWh fed in and one drawn, where the area feeds in and draws so many kWh."""
    area = exported * KWH, imported * KWH
    assert f"{coins(-KWH, *area).minted / COIN:.3f}" == minted
    assert f"{coins(KWH, *area).charged / COIN:.3f}" == charged


def test_most_is_minted_where_feed_in_and_draw_are_equal() -> None:
    minted = [coins(-KWH, 100 * KWH + away, 100 * KWH).minted for away in range(-60 * KWH, 60 * KWH, 500)]
    assert max(minted) == coins(-KWH, 100 * KWH, 100 * KWH).minted
    middle = minted.index(max(minted))
    assert minted[: middle + 1] == sorted(minted[: middle + 1])
    assert minted[middle:] == sorted(minted[middle:], reverse=True)


def test_the_curve_falls_from_whole_to_nothing_without_a_step_up() -> None:
    weights = [weight_down(distance, 1 << 20) for distance in range(0, 5_000, 3)]
    assert weights == sorted(weights, reverse=True)
    assert (weights[0], weights[-1]) == (1_000_000, 0)


def test_known_flaw_where_too_much_is_fed_in_it_pays_to_curtail() -> None:
    """One of the area's feeders halves what it feeds in, and has more coins than before."""
    own, others, drawn = 20 * KWH, 100 * KWH, 100 * KWH
    all_of_it = coins(-own, others + own, drawn).minted
    half_of_it = coins(-own // 2, others + own // 2, drawn).minted
    assert half_of_it > 2 * all_of_it
