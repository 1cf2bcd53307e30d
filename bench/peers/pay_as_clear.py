# /// script
# requires-python = ">=3.11,<3.13"
# dependencies = ["assume-framework==0.6.0"]
# ///
"""PayAsClearRole.clear of assume-framework, the uniform-price market of an agent-based simulation."""

from datetime import datetime, timedelta

from assume.common.market_objects import MarketConfig, MarketProduct, Order
from assume.markets.clearing_algorithms import PayAsClearRole
from dateutil.rrule import DAILY, rrule
from peer import Outcome, Row, main

START = datetime(2016, 5, 8)  # noqa: DTZ001 - the package counts in local time
END = START + timedelta(minutes=15)
MARKET = MarketConfig(
    opening_hours=rrule(DAILY, START, until=END),
    market_products=[MarketProduct(timedelta(minutes=15), 1, timedelta())],
)


def prepare(rows: list[Row]) -> list[Order]:
    """The orders as agents send them; generation is positive."""
    return [
        Order(
            bid_id=str(number),
            start_time=START,
            end_time=END,
            volume=-row.energy if row.is_bid else row.energy,
            price=row.tick,
            agent_addr=str(number),
            node="node0",
            only_hours=None,
        )
        for number, row in enumerate(rows)
    ]


def clear(orders: list[Order]) -> list[Order]:
    accepted, _, _, _ = PayAsClearRole(MARKET).clear(orders, [(START, END, None)])
    return accepted


def outcome(_: list[Row], accepted: list[Order]) -> Outcome:
    price = accepted[0]["accepted_price"] if accepted else None
    return Outcome(
        prices=None if price is None else (price, price),
        volume=sum(max(0, order["accepted_volume"]) for order in accepted),
        welfare=-sum(order["accepted_volume"] * order["price"] for order in accepted),
    )


if __name__ == "__main__":
    main("assume-framework", prepare, clear, outcome)
