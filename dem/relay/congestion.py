"""Trades for the network: what the grid operator asks for, members' orders, and letting them meet."""

from collections.abc import Sequence

from dem.messages.orders import CongestionOrder, CongestionRequest
from dem.messages.signed import Signed, for_contract
from dem.model.markets.congestion import in_order
from dem.model.mechanisms import MECHANISMS
from dem.relay.batches import Relay
from dem.relay.limits import DISPATCHER
from dem.replay.congestion import CongestionReplay

CONTRACT = MECHANISMS["congestion"].contract
GAS_PER_ORDER = 250_000
GAS_PER_SIDE = 50_000
"""Planned for an order that meets another one: a side's fullest fits a transaction."""


def request(relay: Relay, requests: Sequence[Signed[CongestionRequest]]) -> None:
    """Requests that the grid operator has signed, in the order of their sequences, unless the chain knows them.

    Raises:
        RefusedError: the chain refuses one.
    """
    contract = relay.market.contract(CONTRACT)
    last = contract.functions.lastRequest().call()
    for own in requests:
        if own.message.sequence > last:
            relay.chain.send(relay.market.keys[DISPATCHER], contract, "request", *for_contract(own))


def order(relay: Relay, orders: Sequence[Signed[CongestionOrder]]) -> None:
    """Orders that members have signed, unless the chain knows them or something newer."""
    contract = relay.market.contract(CONTRACT)
    ids = relay.records.ids_of([own.message.account for own in orders])
    keys = [(own.message.number, id_) for own, id_ in zip(orders, ids, strict=True)]
    last = relay.chain.ask_many(contract, "lastSequence", keys)
    calls = [
        ("order", for_contract(own)) for own, known in zip(orders, last, strict=True) if own.message.sequence > known
    ]
    relay.bring_each(contract, calls, GAS_PER_ORDER)


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
