"""Shares: what members agreed on is written down day by day."""

from dem.deployment.market import RELAYER
from dem.model.mechanisms import MECHANISMS
from dem.relay.batches import Relay

CONTRACT = MECHANISMS["sharing"].contract


def share(relay: Relay, day: int) -> None:
    """The shares of a day, unless they are there."""
    contract = relay.market.contract(CONTRACT)
    if not contract.functions.isShared(day).call():
        relay.chain.send(relay.market.keys[RELAYER], contract, "share", day)
