"""NRGcoin: the coins of final days, counted and credited, and corrected where a meter is known better."""

from collections.abc import Iterator, Sequence

from dem.chain.sending import Transaction
from dem.deployment.market import RELAYER
from dem.model.ledger import FIRST_PARTICIPANT
from dem.relay.batches import Relay
from dem.replay.market import RING
from dem.replay.replay import Replay

CONTRACT = "NrgCoin"
GAS_PER_COUNTED_MEMBER = 80_000
GAS_PER_CREDITED_MEMBER = 180_000
"""Planned for a member of a day with 96 periods, whose readings nobody else asks for in the same transaction."""
GAS_PER_WALK = 1_200_000
"""Planned for what the walk adds up, in its first transaction and in its last one."""
GAS_PER_CORRECTION = 2_000_000
"""Planned for a correction, with its record, the sums of its day and both sets of strips."""


def lapses_at(relay: Relay, day: int) -> int:
    """Unix time from which on the chain has no readings of a day to count by."""
    return relay.market.calendar.start_of(day + RING)


def credit_day(relay: Relay, day: int) -> None:
    """Count what is not counted yet of a final day, then credit who is not credited yet; nothing once it has lapsed."""
    if is_credited(relay, day) or relay.chain.now() >= lapses_at(relay, day):
        return
    _walk(relay, day, "countDay", 0, GAS_PER_COUNTED_MEMBER)
    _walk(relay, day, "creditDay", 1, GAS_PER_CREDITED_MEMBER)


def is_credited(relay: Relay, day: int) -> bool:
    """Whether everybody has the coins of a day, if there is anybody."""
    if relay.market.contract(CONTRACT).functions.isCredited(day).call():
        return True
    return bool(relay.market.readings.functions.membersOf(day).call() < FIRST_PARTICIPANT)


def correct(relay: Relay, replay: Replay) -> None:
    """Coins of days that were settled late, or trued up, since somebody was credited."""
    coins, late = replay.coins, replay.late
    calls = [
        ("correct", (id_, day, *coins.words(day), coins.before(id_, day), tuple(late.record(id_, day))))
        for id_, day in coins.to_correct()
    ]
    relay.bring_each(relay.market.contract(CONTRACT), calls, GAS_PER_CORRECTION)


def _walk(relay: Relay, day: int, function: str, walk: int, gas: int) -> None:
    """One walk through the members of a day, some in a transaction. walk: 0 counts, 1 credits."""
    contract = relay.market.contract(CONTRACT)

    def left() -> Sequence[int]:
        members = relay.market.readings.functions.membersOf(day).call()
        return range(contract.functions.nextMembers(day).call()[walk], members + 1)

    def transactions(some: Sequence[int]) -> Iterator[Transaction]:
        for batch, planned in relay.within_budget(function, some, lambda _: gas, GAS_PER_WALK):
            yield relay.chain.transaction(contract, function, day, len(batch), planned=planned, items=len(batch))

    relay.complete(function, RELAYER, left, transactions)
