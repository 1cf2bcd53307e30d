"""What participants sign for the intraday market."""

from collections.abc import Sequence

from dem.messages.orders import IntradayCancellation, IntradayFunding, IntradayOrder
from dem.messages.signed import Signed, for_contract
from dem.model.mechanisms import MECHANISMS
from dem.relay.batches import Relay

CONTRACT = MECHANISMS["intraday"].contract
GAS_PER_MESSAGE = 200_000


def last_sequences(relay: Relay, accounts: Sequence[str]) -> list[int]:
    """Sequence of the last message of each account that the chain took."""
    return relay.chain.ask_many(relay.market.contract(CONTRACT), "sequenceOf", [(account,) for account in accounts])


def trade(
    relay: Relay,
    cancellations: Sequence[Signed[IntradayCancellation]],
    fundings: Sequence[Signed[IntradayFunding]],
    orders: Sequence[Signed[IntradayOrder]],
) -> None:
    """All cancellations, then what the orders need, then the orders. One that was brought before is refused."""
    contract = relay.market.contract(CONTRACT)
    for function, messages in (
        ("cancelSigned", cancellations),
        ("fundSigned", fundings),
        ("placeSigned", orders),
    ):
        relay.bring_each(contract, [(function, for_contract(signed)) for signed in messages], GAS_PER_MESSAGE)
