"""Relief of the network: what members offer, what the dispatcher buys of them, and what they are paid."""

from collections.abc import Mapping, Sequence

from dem.messages.members import ReliefOffer
from dem.messages.signed import Signed, for_contract
from dem.model.relief import Relief, ReliefPayment
from dem.relay.batches import GAS_BUDGET, Relay, batches
from dem.relay.limits import DISPATCHER
from dem.replay.replay import Replay

CONTRACT = "GridRelief"
GAS_PER_OFFER = 150_000
"""Planned for an offer: its signature, and two words of storage."""
GAS_PER_PURCHASE = 500_000
"""Planned for what is bought of a member's day, in all its strips and both directions."""
GAS_PER_PAYMENT = 500_000
"""Planned for the payment of a member's day, with its record."""


def offer(relay: Relay, offers: Sequence[Signed[ReliefOffer]]) -> None:
    """What members offer, and what the grid operator pays, unless the chain knows that or something newer."""
    contract = relay.market.contract(CONTRACT)
    ids = relay.records.ids_of([signed.message.account for signed in offers])
    last = relay.chain.ask_many(contract, "lastSequence", [(id_,) for id_ in ids])
    calls = [
        ("offer", for_contract(signed))
        for signed, known in zip(offers, last, strict=True)
        if signed.message.sequence > known
    ]
    relay.bring_each(contract, calls, GAS_PER_OFFER)


def is_bought(replay: Replay, day: int, relief: Mapping[int, Sequence[Relief]]) -> bool:
    """Whether all of that is. relief: by member."""
    return relief.keys() <= replay.relief.bought(day).keys()


def buy(relay: Relay, replay: Replay, day: int, relief: Mapping[int, Sequence[Relief]], report: bytes) -> None:
    """Relief of a day before its auction opens, of whom none is bought yet.

    Raises:
        RefusedError: the chain refuses any: limits count on all of it.
    """
    contract = relay.market.contract(CONTRACT)
    calls = [
        ("buy", (id_, day, [tuple(one) for one in own], report))
        for id_, own in sorted(relief.items())
        if id_ not in replay.relief.bought(day)
    ]
    # Many at once: between the readings of the last day and the opening there is little time.
    transactions = (relay.chain.multicall(contract, some) for some in batches(calls, GAS_BUDGET // GAS_PER_PURCHASE))
    for _, refusal in relay.chain.send_all(relay.market.keys[DISPATCHER], transactions):
        if refusal is not None:
            raise refusal


def owed(replay: Replay, day: int) -> list[int]:
    """Members whose relief of a final day is not paid, or charged, as it is known."""
    nothing = ReliefPayment(0, 0, 0, 0)
    return [
        id_
        for id_ in sorted(replay.relief.bought(day))
        if replay.relief.due(id_, day)[2:] != replay.relief.paid.get((id_, day), nothing)[2:]
    ]


def pay(relay: Relay, day: int, replay: Replay) -> None:
    """What meters show to be delivered on a final day. One whose payment has to wait does not keep the others."""
    contract = relay.market.contract(CONTRACT)
    calls = [
        (
            "pay",
            (id_, day, [tuple(one) for one in replay.relief.bought(day)[id_]], tuple(replay.late.record(id_, day))),
        )
        for id_ in owed(replay, day)
    ]
    relay.bring_each(contract, calls, GAS_PER_PAYMENT)
