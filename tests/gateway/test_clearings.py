"""What the index keeps of a clearing is what the orders say: of random books, with sheets that replace others."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from support.gateway import auction, make_index

from dem.model.orders import Order, Side
from dem.model.units import Tick, Wh

DAY, SLOTS, LAYERS, PRICE = 2, 4, 3, 150
TRADERS = """
SELECT
  c.slot,
  count(DISTINCT iif(o.side = 'bid' AND 1000 + round(o.limit_eur_per_kwh * 1e3) > c.price, participant, NULL)),
  count(DISTINCT iif(o.side = 'ask' AND 1000 + round(o.limit_eur_per_kwh * 1e3) < c.price, participant, NULL))
FROM call_auction_cleared AS c LEFT JOIN orders AS o ON o.market = c.contract AND o.day = c.day AND o.slot = c.slot
WHERE c.day = :day AND c.volume > 0 GROUP BY c.slot ORDER BY c.slot
"""
AT_PRICE = """
SELECT o.slot, o.participant, o.layer, round(o.energy_kwh * 1e3) FROM orders AS o
JOIN call_auction_cleared AS c ON c.contract = o.market AND c.day = o.day AND c.slot = o.slot
  AND c.price = 1000 + round(o.limit_eur_per_kwh * 1e3) AND c.rationed = iif(o.side = 'bid', 1, 2)
WHERE o.day = :day AND c.volume > 0 ORDER BY o.slot, o.participant, o.layer
"""


def histories(random: Random) -> Iterator[Any]:
    """Two or three times all members send a sheet; the last ones count."""
    for _ in range(random.randint(2, 3)):
        orders = {
            id_: [
                Order(id_, layer, slot, random.choice([*Side]), Tick(PRICE + random.randint(-1, 1)), Wh(energy))
                for slot in range(SLOTS)
                for layer in range(LAYERS)
                if (energy := random.choice([0, random.randint(1, 900)]))
            ]
            for id_ in random.sample(range(8, 30), 12)
        }
        yield from auction(DAY, {id_: own for id_, own in orders.items() if own}, [])
    cleared = [
        {"slot": slot, "price": PRICE, "volume": random.choice([0, 700]), "rationed": random.randint(0, 2)}
        for slot in range(SLOTS)
    ]
    yield from auction(DAY, {}, cleared)


@pytest.mark.parametrize("seed", range(6))
def test_what_is_kept_is_what_the_orders_say(tmp_path: Path, seed: int) -> None:
    index = make_index(tmp_path / "index.sqlite", histories(Random(seed)))
    with sqlite3.connect(index) as database:
        kept = database.execute("SELECT slot, bids, asks FROM cleared_traders WHERE day = ? ORDER BY slot", (DAY,))
        assert kept.fetchall() == database.execute(TRADERS, {"day": DAY}).fetchall()
        wanted, before = [], dict[int, int]()
        for slot, id_, layer, wh in database.execute(AT_PRICE, {"day": DAY}):
            wanted.append((slot, id_, layer, before.get(slot, 0)))
            before[slot] = before.get(slot, 0) + int(wh)
        kept = database.execute(
            "SELECT slot, id, layer, ahead_wh FROM order_at_price WHERE day = ? ORDER BY slot, id, layer", (DAY,)
        )
        assert kept.fetchall() == wanted
