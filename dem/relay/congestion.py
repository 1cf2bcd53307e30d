"""Trades for the network: what the grid operator asks for, members' orders, and letting them meet."""

from collections.abc import Sequence

from dem.messages.orders import CongestionOrder, CongestionRequest
from dem.messages.signed import Signed
from dem.messages.signing import struct
from dem.model.markets.congestion import in_order
from dem.model.mechanisms import MECHANISMS
from dem.relay.batches import Relay
from dem.replay.congestion import CongestionReplay

CONTRACT = MECHANISMS["congestion"].contract
GAS_PER_REQUEST = 900_000
"""Planned for sixteen zones on either side of the border."""
GAS_PER_ORDER = 250_000
GAS_PER_SIDE = 50_000
"""Planned for an order that meets another one: a side's fullest fits a transaction."""


def request(relay: Relay, requests: Sequence[Signed[CongestionRequest]]) -> None:
    """Requests that the grid operator has signed, in the order of their sequences. relay: of the dispatcher."""
    calls = [("request", (struct(own.message), own.signature)) for own in requests]
    relay.bring_each(relay.market.contract(CONTRACT), calls, GAS_PER_REQUEST)


def order(relay: Relay, orders: Sequence[Signed[CongestionOrder]]) -> None:
    """Orders that members have signed."""
    calls = [("order", (struct(own.message), own.signature)) for own in orders]
    relay.bring_each(relay.market.contract(CONTRACT), calls, GAS_PER_ORDER)


def meet(relay: Relay, replay: CongestionReplay, lead: int) -> None:
    """What has closed and not met, as long as there is time for it. lead: seconds from a period's gate to its start."""
    contract, now, calendar = relay.market.contract(CONTRACT), relay.chain.now(), relay.market.calendar
    for number, own in replay.requests.items():
        gate = calendar.start_of(own.day) + own.slot * calendar.period_length - lead
        if number in replay.pairs or not own.closes_at <= now < gate:
            continue
        bids, asks = in_order(replay.orders[number].values())
        sides = tuple([one.id for one in side] for side in (bids, asks))
        relay.bring_each(contract, [("meet", (number, *sides))], GAS_PER_SIDE * (2 + len(bids) + len(asks)))
