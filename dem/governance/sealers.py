"""Whose nodes seal blocks: what the operator of one has to ask it, so that they become those the council has announced.

A sealer is added or removed when more than half of the sealers vote for it, each with its own node: Clique (geth, Besu)
or QBFT (Besu).
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dem.errors import ChainError

Ask = Callable[[str, list[Any]], Mapping[str, Any]]
"""A request to the operator's own node: method, parameters; its answer as JSON-RPC gives it."""
_NO_SUCH_METHOD = -32601


@dataclass(frozen=True, slots=True)
class Consensus:
    """The methods by which a node tells its sealers, and how it votes."""

    name: str
    sealers: tuple[str, list[Any]]
    votes: str
    propose: str
    discard: str


CONSENSUS = (
    Consensus("Clique", ("clique_getSigners", ["latest"]), "clique_proposals", "clique_propose", "clique_discard"),
    Consensus(
        "QBFT",
        ("qbft_getValidatorsByBlockNumber", ["latest"]),
        "qbft_getPendingVotes",
        "qbft_proposeValidatorVote",
        "qbft_discardValidatorVote",
    ),
)


@dataclass(frozen=True, slots=True)
class Request:
    """A request to the node, and why; a vote goes on until it is discarded."""

    method: str
    parameters: tuple[Any, ...]
    why: str


def requests(ask: Ask, announced: Collection[str]) -> tuple[Consensus, list[str], list[Request]]:
    """How the node agrees on blocks, who seals them, and what to ask it so that those announced do.

    Raises:
        ChainError: the node answers neither Clique's methods nor QBFT's, or nobody has announced a sealer.
    """
    consensus, sealers = _sealers(ask)
    wanted = {address.lower() for address in announced}
    if not wanted:
        raise ChainError("no seat of the council has announced a sealer; nobody would be left to seal blocks")
    votes = {address.lower(): bool(adds) for address, adds in _answer(ask, consensus.votes, []).items()}
    changes = dict.fromkeys(sorted(wanted.difference(sealers)), True)
    changes |= dict.fromkeys(sorted(set(sealers) - wanted), False)
    asked = [
        Request(consensus.discard, (address,), "vote has no reason any more")
        for address, adds in sorted(votes.items())
        if changes.get(address) is not adds
    ]
    for address, adds in changes.items():
        if votes.get(address) is not adds:
            why = "announced, does not seal" if adds else "seals, not announced"
            asked.append(Request(consensus.propose, (address, adds), why))
    return consensus, sealers, asked


def apply(ask: Ask, asked: Sequence[Request]) -> None:
    """Ask it.

    Raises:
        ChainError: the node refuses.
    """
    for request in asked:
        _answer(ask, request.method, list(request.parameters))


def _sealers(ask: Ask) -> tuple[Consensus, list[str]]:
    for consensus in CONSENSUS:
        method, parameters = consensus.sealers
        answer = ask(method, parameters)
        if "error" not in answer:
            return consensus, sorted(address.lower() for address in answer["result"])
        if answer["error"].get("code") != _NO_SUCH_METHOD:
            raise ChainError(f"the node refuses {method}: {answer['error'].get('message')}")
    names = " nor ".join(consensus.sealers[0] for consensus in CONSENSUS)
    raise ChainError(f"the node knows neither {names}: does it offer them, and to this connection?")


def _answer(ask: Ask, method: str, parameters: list[Any]) -> Any:
    answer = ask(method, parameters)
    if "error" in answer:
        raise ChainError(f"the node refuses {method}: {answer['error'].get('message')}")
    return answer["result"] or {}
