"""The prices of an auction: the reference model finds them, the chain verifies them."""

from collections import Counter
from collections.abc import Iterator, Sequence

from dem.chain.sending import Transaction
from dem.deployment.market import RELAYER
from dem.model.mechanisms import AUCTION
from dem.model.strips import LANES
from dem.relay.batches import Relay
from dem.relay.orders import order_book

GAS_PER_CLEARED_STRIP = 300_000
GAS_PER_CLEARING_STEP = 8_000
GAS_PER_CLEARED_LINE = 5_500
GROUP = 240
"""Members that one step of a clearing looks at."""


def clear(relay: Relay, day: int, contract: str = AUCTION) -> None:
    """Clear the strips of a day that are not cleared yet. contract: the auction's, or a pool's."""
    auction = relay.market.contract(contract)

    def missing() -> list[int]:
        cleared = auction.functions.clearedStrips(day).call()
        return [s for s in range(relay.strips) if not cleared >> s & 1]

    if not missing():
        return
    book = order_book(relay, day, contract)
    pivots = [clearing.pivot for clearing in book.clearing]
    hands = book.layers, book.brokered_layers
    lines = Counter(
        (brokered, layer, id_ // GROUP)
        for brokered, hand in enumerate(hands)
        for id_, layers in hand.items()
        for layer in range(layers)
    )
    step = GAS_PER_CLEARING_STEP + GAS_PER_CLEARED_LINE * max(lines.values(), default=0)
    groups = max((id_ // GROUP for hand in hands for id_ in hand), default=0) + 1
    steps = sum(max(hand.values(), default=0) for hand in hands) * groups
    gas = GAS_PER_CLEARED_STRIP + sum(GAS_PER_CLEARING_STEP + GAS_PER_CLEARED_LINE * n for n in lines.values())

    def whole_strips(some: Sequence[int]) -> Iterator[Transaction]:
        for batch, planned in relay.within_budget("clear", some, lambda _: gas):
            calls = [("clear", (day, s, pivots[s * LANES : (s + 1) * LANES], steps + 1)) for s in batch]
            yield relay.chain.multicall(auction, calls, planned=planned, items=len(batch))

    def parts_of_strips(some: Sequence[int]) -> Iterator[Transaction]:
        for s in some:
            own = pivots[s * LANES : (s + 1) * LANES]
            left = steps
            while left > 0:
                count = max(1, (relay.budget("clear") - GAS_PER_CLEARED_STRIP) // step)
                planned = GAS_PER_CLEARED_STRIP + step * min(count, left)
                left -= count
                yield relay.chain.transaction(
                    auction, "clear", day, s, own, count, planned=planned, items=int(left <= 0)
                )

    def transactions(some: Sequence[int]) -> Iterator[Transaction]:
        return whole_strips(some) if gas <= relay.budget("clear") else parts_of_strips(some)

    relay.complete("clear", RELAYER, missing, transactions)
