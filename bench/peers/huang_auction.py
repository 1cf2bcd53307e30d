# /// script
# requires-python = ">=3.11,<3.13"
# dependencies = ["pymarket==0.7.6", "pandas<3"]
#
# [tool.uv]
# build-constraint-dependencies = ["setuptools==80.9.0", "pytest-runner==6.0.1"]
# ///
"""The mechanism "huang" of pymarket, of its three the one that trades at one price a side.

Huang, Scheller-Wolf and Sycara, "Design of a multi-unit double auction e-market" (2002): the bid and the ask at the
crossing set the prices and do not trade, which makes it truthful.
"""

import warnings

from peer import Outcome, Row, main
from pymarket import Market

Trades = tuple[list[tuple[int, float]], dict[str, float]]


def prepare(rows: list[Row]) -> Market:
    """Asks half a tick lower, since it finds no crossing where a bid equals an ask; who can trade with whom stays."""
    market = Market()
    for number, row in enumerate(rows):
        market.accept_bid(row.energy, row.tick if row.is_bid else row.tick - 0.5, number, row.is_bid)
    return market


def clear(market: Market) -> Trades:
    with warnings.catch_warnings(action="ignore"):  # of the newer pandas
        transactions, prices = market.run("huang")
    return transactions.get_df()[["bid", "quantity"]].values.tolist(), prices


def outcome(rows: list[Row], trades: Trades) -> Outcome:
    filled, prices = trades
    orders = [(rows[int(number)], energy) for number, energy in filled]
    return Outcome(
        prices=(prices["price_buy"], prices["price_sell"] + 0.5) if prices else None,
        volume=sum(energy for row, energy in orders if not row.is_bid),
        welfare=sum(energy * row.tick * (1 if row.is_bid else -1) for row, energy in orders),
    )


if __name__ == "__main__":
    main("pymarket", prepare, clear, outcome)
