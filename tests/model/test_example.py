"""The worked example of docs/law/example.md: every number of its tables is what the reference model says."""

from pathlib import Path

import numpy as np

from dem.model.collateral import order_collateral
from dem.model.markets.auction import OrderBook, clear_day, fills_of_day
from dem.model.orders import Order, Side
from dem.model.positions import auction_trades, positions
from dem.model.rules import ImbalancePricing, MarketRules, Tariff
from dem.model.settlement import Delivery, settle

DOCUMENT = Path(__file__).parents[2] / "docs" / "law" / "example.md"
RULES = MarketRules(
    platform_fee=20,
    network_fee=100,
    deviation_rate=200,
    standing_buy=30_000,
    standing_sell=2_000,
    max_buy=30_000,
    tolerance_fixed=20,
    tolerance_share=500,
    min_order_energy=1,
    max_layers=1,
    imbalance_pricing=ImbalancePricing.SINGLE,
)
TARIFF = Tariff(29_000, 3_000)
NAMES = {6: "Ada", 7: "Ben", 8: "Sol"}
ORDERS = (
    Order(6, 0, 0, Side.BID, 200, 1_000),
    Order(7, 0, 0, Side.BID, 120, 600),
    Order(8, 0, 0, Side.ASK, 80, 1_200),
)
METERED = (1_050, 500, -1_100)


def column(name: str) -> np.ndarray:
    return np.array([getattr(order, name) for order in ORDERS], np.int64)


def rows() -> list[list[str]]:
    """The rows of the document's tables, as the model has them."""
    book = OrderBook(*(column(name) for name in ("participant", "layer", "slot", "side", "tick", "energy")))
    cleared = clear_day(book, 1)
    fills = fills_of_day(book, cleared)
    members = np.array([*NAMES], np.int64)
    bought, sold, payments = positions([auction_trades(book, fills, cleared, RULES.prices)], members, 1)
    metered = np.array(METERED, np.int64)[:, np.newaxis]
    settled = settle(
        RULES, Delivery([TARIFF], [cleared[0].price], members, np.ones(3, np.bool_), bought, sold, metered, payments)
    )
    told = [[NAMES[o.participant], o.side.name.lower(), str(o.tick), f"{o.energy:,}"] for o in ORDERS]
    told += [["clearing price, ticks", str(cleared[0].price)], ["volume, Wh", f"{cleared[0].volume:,}"]]
    told += [
        [NAMES[order.participant], f"{filled:,}", f"{order_collateral(order, RULES):,}"]
        for order, filled in zip(ORDERS, fills.tolist(), strict=True)
    ]
    told += [
        [name, *(f"{int(grid[at, 0]):,}" for grid in (settled.contracted, metered, settled.imbalance))]
        for at, name in enumerate(NAMES.values())
    ]
    for id_, name in NAMES.items():
        bill = settled.bills[id_]
        told.append([name, *(f"{amount:,}" for amount in (*bill[:4], sum(bill)))])
    receivers = {
        "fallback supplier": settled.fallback(),
        "balancing fund": settled.fund(),
        "operator": settled.operator(),
        "grid operator": settled.grid_operator(),
    }
    assert sum(receivers.values()) == sum(sum(bill) for bill in settled.bills.values())
    told += [[name, f"{amount:,}"] for name, amount in receivers.items()]
    return told


def shown() -> list[list[str]]:
    """The rows of the document's tables without their headers, from top to bottom."""
    lines = DOCUMENT.read_text(encoding="utf-8").splitlines()
    headers = {number - 1 for number, line in enumerate(lines) if line.startswith("|--")}
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for number, line in enumerate(lines)
        if line.startswith("| ") and number not in headers
    ]


def test_the_tables_show_what_the_model_says_and_nothing_else() -> None:
    assert shown() == rows()
