# /// script
# requires-python = ">=3.11,<3.13"
# dependencies = ["scipy"]
# ///
"""The optimum itself: HiGHS, by scipy's linprog, maximises welfare; the price is the dual of "bought = sold"."""

from typing import Any, NamedTuple

import numpy as np
from peer import Outcome, Row, main
from scipy.optimize import OptimizeResult, linprog
from scipy.sparse import csr_array


class Programme(NamedTuple):
    """Minimise c x, so that A_eq x = 0 and x within bounds."""

    c: np.ndarray
    A_eq: Any
    b_eq: list[float]
    bounds: np.ndarray


def prepare(rows: list[Row]) -> Programme:
    is_bid, tick, energy = np.array(rows).T
    sign = np.where(is_bid, 1, -1)
    return Programme(-sign * tick, csr_array([sign]), [0], np.stack((np.zeros(len(rows)), energy), axis=1))


def clear(programme: Programme) -> OptimizeResult:
    return linprog(**programme._asdict(), method="highs")


def outcome(rows: list[Row], result: OptimizeResult) -> Outcome:
    assert result.status == 0, result.message
    price = -float(result.eqlin.marginals[0])
    volume = float(sum(energy for row, energy in zip(rows, result.x, strict=True) if not row.is_bid))
    return Outcome(prices=(price, price), volume=volume, welfare=-float(result.fun))


if __name__ == "__main__":
    main("scipy", prepare, clear, outcome)
