"""Escrowed trades: funding them, and paying by the readings what nobody has released."""

from collections.abc import Sequence

from dem.messages.contracts import EscrowTrade
from dem.messages.signed import Signed
from dem.messages.signing import message_hash, struct
from dem.model.mechanisms import MECHANISMS
from dem.relay.batches import Relay
from dem.replay.escrow import EscrowReplay

CONTRACT = MECHANISMS["escrow"].contract
GAS_PER_TRADE = 700_000
"""Planned for funding: two signatures, four words of the trade, both lists and both locks."""
GAS_PER_RELEASE = 250_000

SignedByBoth = tuple[Signed[EscrowTrade], Signed[EscrowTrade]]
"""A trade as its buyer and as its seller has signed it."""


def fund(relay: Relay, trades: Sequence[SignedByBoth]) -> None:
    """Trades that are not funded yet."""
    contract = relay.market.contract(CONTRACT)
    keys = [(message_hash(buyers.message), buyers.message.buyer) for buyers, _ in trades]
    used = relay.chain.ask_many(contract, "isUsed", keys)
    calls = [
        ("fund", (struct(buyers.message), buyers.signature, sellers.signature))
        for (buyers, sellers), is_used in zip(trades, used, strict=True)
        if not is_used
    ]
    relay.bring_each(contract, calls, GAS_PER_TRADE)


def expire(relay: Relay, replay: EscrowReplay) -> None:
    """Escrows of final days that nobody has released."""
    calls = [("expire", (number,)) for number in sorted(replay.delivered)]
    relay.bring_each(relay.market.contract(CONTRACT), calls, GAS_PER_RELEASE)
