"""Contracts between two."""

from collections.abc import Sequence
from typing import Any

from dem.messages.signed import AcceptedProposal, for_contract
from dem.model.mechanisms import MECHANISMS
from dem.relay.batches import Relay

CONTRACT = MECHANISMS["bilateral"].contract
GAS_PER_CONTRACT = 700_000


def arguments(one: AcceptedProposal) -> tuple[Any, ...]:
    """What makes a contract of it, as the contracts take it."""
    return (*for_contract(one.proposal), one.accepter, one.acceptance.message.expiry, one.acceptance.signature)


def conclude(relay: Relay, accepted: Sequence[AcceptedProposal]) -> None:
    """Accepted proposals of which no contract is made yet."""
    contract = relay.market.contract(CONTRACT)
    keys = [(one.acceptance.message.proposal, one.proposal.message.proposer) for one in accepted]
    used = relay.chain.ask_many(contract, "isUsed", keys)
    calls = [("conclude", arguments(one)) for one, is_used in zip(accepted, used, strict=True) if not is_used]
    relay.bring_each(contract, calls, GAS_PER_CONTRACT)
