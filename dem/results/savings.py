"""What each participant saved against the fallback tariffs, period by period, and why: exact to the money unit.

docs/guide/outputs.md defines the parts and proves what must hold between them.
"""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dem.results.reader import OUTSIDERS, Results

Exact = NDArray[np.object_]
"""Python integers, where products may exceed 64 bits."""


class Split(NamedTuple):
    """What was saved against the tariffs alone = trade + uncontracted - charge - error, in money units."""

    trade: int
    """Contracted energy at the tariffs less what it cost, fees included."""
    uncontracted: int
    """Energy without a contract at the tariffs less what it cost at the imbalance price."""
    charge: int
    """Deviation charges and penalties on energy without a contract, but for what too small a forecast is to blame."""
    error: int
    """Lost on contracted energy that was not drawn or fed in or was traded back, and charges for that and for a
    forecast too small."""

    @property
    def saved(self) -> int:
        return self.trade + self.uncontracted - self.charge - self.error


def split_rows(results: Results) -> pd.DataFrame:
    """The settlement of the community, each row with its result against the tariffs split as in `Split`.

    Also inside_units: what the imbalance cost less than at the tariffs; penalty: what of the charge is a penalty of the
    upper market. Amounts are Python integers.
    """
    bills = of_community(results, results.bills)
    tariffs = results.tariffs.reindex(bills["period"])
    buy, sell = (exact(tariffs[name]) for name in ("buy_units_per_wh", "sell_units_per_wh"))
    contracted, metered, off = (exact(bills[name]) for name in ("contracted_wh", "metered_wh", "imbalance_wh"))
    trade, imbalance, fees, deviation, penalty = (
        exact(bills[f"{name}_units"]) for name in ("trade", "imbalance", "fees", "deviation", "penalty")
    )

    # What was traded to and fro is over; the rest is at the average price of its side.
    bought, sold, cost, proceeds = (exact(column) for _, column in _sides(results, bills).items())
    back = np.minimum(bought, sold)
    cost_back = _part(cost, back, bought)
    proceeds_back = _part(proceeds, back, sold)
    loss_back = cost_back - proceeds_back + _part(fees, back + back, bought + sold)
    gain = _at(buy, sell, contracted) - (trade + fees - loss_back)

    # Contracted and not kept: the other way round than what was contracted, and not beyond it.
    crosses = contracted * off < 0
    size, kept_not = abs(off), np.where(crosses, np.minimum(abs(contracted), abs(off)), 0)
    inside = _at(buy, sell, off) - imbalance
    inside_kept_not = _part(inside, kept_not, size)
    too_small = _forecast_too_small(results, bills, off - np.sign(off) * kept_not)
    # A deviation charge falls on what was not kept alone; penalties fall on all of it.
    charge_error = np.where(kept_not > 0, deviation, _part(deviation, too_small, size))
    penalty_error = _part(penalty, kept_not + too_small, size)
    charge_error += penalty_error
    frame = bills[["participant", "period"]].assign(
        saved_units=_at(buy, sell, metered) - trade - imbalance - fees - deviation - penalty,
        trade=gain,
        uncontracted=inside - inside_kept_not,
        charge=deviation + penalty - charge_error,
        error=loss_back + (buy - sell) * kept_not - inside_kept_not + charge_error,
        inside_units=inside,
        penalty=penalty - penalty_error,
    )
    return frame.reset_index(drop=True)


def _sides(results: Results, bills: pd.DataFrame) -> pd.DataFrame:
    """By row of the bills, over all markets: energy bought and sold, its cost and its proceeds."""
    trades = results.trades
    is_bought = trades["bought_wh"] > 0
    sides = pd.DataFrame(
        {
            "participant": trades["participant"].astype(str),
            "period": trades["period"],
            "bought_wh": trades["bought_wh"],
            "sold_wh": trades["sold_wh"],
            "cost_units": trades["amount_units"].where(is_bought, 0),
            "proceeds_units": -trades["amount_units"].where(~is_bought, 0),
        }
    )
    sums = sides.groupby(["participant", "period"]).sum()
    return sums.reindex(_keys(bills), fill_value=0)


def _forecast_too_small(results: Results, bills: pd.DataFrame, beyond: Exact) -> Exact:
    """Of the energy `beyond` the contracts, what its owner had not ordered, in periods for which it had ordered.

    Ordered and not filled, nor traded in another market since, is nobody's mistake.
    """
    orders = results.orders[results.orders["status"] == "accepted"].merge(results.fills, on="order", how="left")
    sign = np.where(orders["side"] == "bid", 1, -1)
    ordered = pd.DataFrame(
        {"all": orders["energy_wh"] * sign, "filled": orders["filled_wh"].fillna(0).astype("int64") * sign}
    )
    sums = ordered.groupby([orders["participant"].astype(str), orders["period"]]).sum()
    has_ordered = _keys(bills).isin(sums.index)
    wanted, filled = (exact(column) for _, column in sums.reindex(_keys(bills), fill_value=0).items())
    unfilled, since = wanted - filled, exact(bills["contracted_wh"]) - filled
    way = np.sign(unfilled)
    unmatched = np.clip(way * (unfilled - since), 0, abs(unfilled))
    same_way = np.where(way * np.sign(beyond) > 0, unmatched, 0)
    return np.where(has_ordered, np.maximum(abs(beyond) - same_way, 0), 0)


def _keys(bills: pd.DataFrame) -> pd.MultiIndex:
    return pd.MultiIndex.from_arrays([bills["participant"].astype(str), bills["period"]])


def _at(buy: Exact, sell: Exact, energy: Exact) -> Exact:
    """Cost of net consumption at the tariffs."""
    cost: Exact = np.where(energy > 0, buy, sell) * energy
    return cost


def _part(amount: Exact, energy: Exact, whole: Exact) -> Exact:
    """The part of an amount that falls on some of its energy, rounded down; nothing on none."""
    part: Exact = amount * energy // np.maximum(whole, 1)
    return part


def exact(column: Any) -> Exact:
    """A column, or a frame, of Python integers."""
    return np.asarray(column, dtype=object)


def of_community(results: Results, rows: pd.DataFrame) -> pd.DataFrame:
    return rows[~results.kinds_of(rows).isin(OUTSIDERS)]
