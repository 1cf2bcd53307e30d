"""The market computed once more from the tables of a run alone, straight from its rules and as slowly as they read."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

TICK_UNITS = 100
TICKS = range(-1000, 4096)


@dataclass(frozen=True, slots=True)
class Order:
    """An order of one book; side is bid or ask."""

    participant: str
    side: str
    tick: int
    energy: int


@dataclass(frozen=True, slots=True)
class Auction:
    """What the definition says of one book: the interval of equilibrium prices, its middle, and the volume there."""

    lowest: int
    highest: int
    price: int
    volume: int


@dataclass(frozen=True, slots=True)
class Rules:
    """Fees and charges in units/Wh, tolerances in Wh and in 1/10,000; imbalances at the single price."""

    platform_fee: int
    network_fee: int
    deviation_rate: int
    tolerance_fixed: int
    tolerance_share: int


@dataclass(frozen=True, slots=True)
class Due:
    """Payments of one participant for one period, units: positive is paid."""

    trade: int
    imbalance: int
    fees: int
    deviation: int


def auction(orders: Sequence[Order]) -> Auction:
    """The uniform-price auction by its definition, every tick tried."""
    bids = [order for order in orders if order.side == "bid"]
    asks = [order for order in orders if order.side == "ask"]
    limits = sorted({TICKS[0], TICKS[-1], *(t for o in orders for t in (o.tick - 1, o.tick, o.tick + 1) if t in TICKS)})

    def demanded(least: int) -> int:
        return sum(bid.energy for bid in bids if bid.tick >= least)

    def offered(most: int) -> int:
        return sum(ask.energy for ask in asks if ask.tick <= most)

    # Neither curve changes between two limits, so that the first and the last tick are among these.
    lowest = min(t for t in limits if offered(t) >= demanded(t + 1))
    highest = max(t for t in limits if demanded(t) >= offered(t - 1))
    price = (lowest + highest) // 2
    return Auction(lowest, highest, price, min(demanded(price), offered(price)))


def wrong_fills(orders: Sequence[Order], filled: Sequence[int], found: Auction) -> list[str]:
    """What is wrong with the fills of a book: priority of price, and at the price equal shares of each Wh to the Wh."""
    if found.volume == 0:
        return [f"{order} filled without a price" for order, energy in zip(orders, filled, strict=True) if energy]
    mistakes = []
    for side, better in (("bid", lambda tick: tick > found.price), ("ask", lambda tick: tick < found.price)):
        own = [(order, energy) for order, energy in zip(orders, filled, strict=True) if order.side == side]
        if sum(energy for _, energy in own) != found.volume:
            mistakes.append(f"{side}s trade {sum(energy for _, energy in own)} of {found.volume} Wh")
        at_price = sum(order.energy for order, _ in own if order.tick == found.price)
        left = found.volume - sum(order.energy for order, _ in own if better(order.tick))
        for order, energy in own:
            if better(order.tick):
                right = energy == order.energy
            elif order.tick == found.price:
                right = 0 <= energy <= order.energy and abs(energy * at_price - order.energy * left) < at_price
            else:
                right = energy == 0
            if not right:
                mistakes.append(f"{order} filled with {energy} Wh at {found.price}")
    return mistakes


def settle(
    rules: Rules,
    price: int | None,
    tariff: tuple[int, int],
    traded: dict[str, tuple[int, int]],
    metered: dict[str, int],
) -> dict[str, Due]:
    """One period. price: ticks; tariff: (buy, sell), units/Wh; traded: (bought, sold), Wh; metered: net, Wh."""
    buy, sell = tariff
    area = sum(metered.values())
    middle = (buy + sell) // 2 if price is None else sorted((sell, price * TICK_UNITS, buy))[1]
    imbalance_price = buy if area > 0 else sell if area < 0 else middle
    dues = {}
    for name, energy in metered.items():
        bought, sold = traded.get(name, (0, 0))
        contracted = bought - sold
        imbalance = energy - contracted
        free = max(rules.tolerance_fixed, abs(contracted) * rules.tolerance_share // 10_000)
        unkept = min(abs(imbalance), abs(contracted)) if imbalance * contracted < 0 else 0
        beyond = 0 if imbalance * area < 0 else max(0, unkept - free)
        dues[name] = Due(
            trade=contracted * (price or 0) * TICK_UNITS,
            imbalance=imbalance * imbalance_price,
            fees=(bought + sold) * (rules.platform_fee + rules.network_fee),
            deviation=beyond * rules.deviation_rate,
        )
    return dues


def by_key(rows: Sequence[dict[str, str]], *columns: str) -> dict[tuple[str, ...], list[dict[str, str]]]:
    """Rows of a table grouped by the values of some columns."""
    groups = defaultdict(list)
    for row in rows:
        groups[tuple(row[column] for column in columns)].append(row)
    return groups
