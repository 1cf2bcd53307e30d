"""The day-ahead markets of pairs: they follow from the book, so anybody lets the orders meet."""

from collections.abc import Iterator, Sequence

from dem.chain.sending import Transaction
from dem.deployment.market import RELAYER
from dem.relay.batches import Relay
from dem.replay.pairs import PairBook

GAS_PER_SLOT = 60_000
GAS_PER_LINE = 4_500
GAS_PER_MEETING = 250
GAS_PER_PAIR = 95_000
"""Each for storage that was never used before: both members' words of the day and of the strip, and the event."""


def pair(relay: Relay, day: int, contract: str, book: PairBook) -> None:
    """Let the orders of a day meet in every slot in which they have not. contract: of the market."""
    market = relay.market.contract(contract)

    def missing() -> list[int]:
        paired = market.functions.pairedSlots(day).call()
        return [slot for slot in range(relay.periods_per_day) if not paired >> slot & 1]

    lines = sum(book.layers.values())
    fixed = GAS_PER_SLOT + GAS_PER_LINE * lines + GAS_PER_MEETING * (lines // 2) ** 2
    counts = [max(1, len(pairs)) for pairs in book.pairs]

    def transactions(some: Sequence[int]) -> Iterator[Transaction]:
        most = max(1, (relay.budget("pair") - fixed) // GAS_PER_PAIR)
        parts = [(slot, min(most, counts[slot] - first)) for slot in some for first in range(0, counts[slot], most)]
        for batch, planned in relay.within_budget("pair", parts, lambda part: fixed + GAS_PER_PAIR * part[1]):
            calls = [("pair", (day, slot, count)) for slot, count in batch]
            yield relay.chain.multicall(market, calls, planned=planned, items=len(batch))

    relay.complete("pair", RELAYER, missing, transactions)
