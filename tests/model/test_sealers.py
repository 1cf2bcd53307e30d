"""What the operator's node is asked, with a node that is none."""

from collections.abc import Mapping
from typing import Any

import pytest

from dem.errors import ChainError
from dem.governance.sealers import Request, apply, requests

A, B, C = (f"0x{letter * 40}" for letter in "abc")
UPPER = "0x" + "A" * 40


class Node:
    """Answers Clique's methods or QBFT's."""

    def __init__(self, sealers: list[str], votes: Mapping[str, bool] | None = None, prefix: str = "clique") -> None:
        self.sealers, self.votes, self.prefix = sealers, dict(votes or {}), prefix
        self.changes: list[tuple[str, list[Any]]] = []

    def __call__(self, method: str, parameters: list[Any]) -> Mapping[str, Any]:
        if not method.startswith(self.prefix):
            return {"error": {"code": -32601, "message": f"the method {method} does not exist"}}
        if method in ("clique_getSigners", "qbft_getValidatorsByBlockNumber"):
            assert parameters == ["latest"]
            return {"result": self.sealers}
        if method in ("clique_proposals", "qbft_getPendingVotes"):
            return {"result": self.votes}
        self.changes.append((method, parameters))
        if method in ("clique_propose", "qbft_proposeValidatorVote"):
            self.votes[parameters[0]] = parameters[1]
        else:
            assert method in ("clique_discard", "qbft_discardValidatorVote")
            del self.votes[parameters[0]]
        return {"result": None if self.prefix == "clique" else True}


def test_a_clique_node_votes_for_those_announced_and_against_the_others() -> None:
    node = Node([A, B])
    consensus, sealers, asked = requests(node, {UPPER, C})
    assert (consensus.name, sealers) == ("Clique", [A, B])
    assert asked == [
        Request("clique_propose", (C, True), "announced, does not seal"),
        Request("clique_propose", (B, False), "seals, not announced"),
    ]
    assert node.changes == []
    apply(node, asked)
    assert node.votes == {C: True, B: False}
    assert requests(node, {A, C})[2] == []


def test_votes_without_a_reason_are_discarded() -> None:
    node = Node([A, C], {C: True, B: False, A: False})
    _, _, asked = requests(node, {C, B})
    assert [(r.method, r.parameters) for r in asked] == [
        ("clique_discard", (B,)),
        ("clique_discard", (C,)),
        ("clique_propose", (B, True)),
    ]
    apply(node, asked)
    assert node.votes == {A: False, B: True}


def test_a_qbft_node_has_methods_of_its_own() -> None:
    node = Node([A], {A: True}, prefix="qbft")
    consensus, _, asked = requests(node, [B])
    assert consensus.name == "QBFT"
    apply(node, asked)
    assert node.changes == [
        ("qbft_discardValidatorVote", [A]),
        ("qbft_proposeValidatorVote", [B, True]),
        ("qbft_proposeValidatorVote", [A, False]),
    ]


def test_nothing_is_asked_where_all_seal() -> None:
    assert requests(Node([A, B]), {A, B})[2] == []


def test_without_announcements_nobody_is_voted_out() -> None:
    with pytest.raises(ChainError, match="no seat of the council has announced a sealer"):
        requests(Node([A, B]), set())


def test_a_node_of_another_kind_is_told_from_one_that_refuses() -> None:
    with pytest.raises(ChainError, match="knows neither clique_getSigners nor qbft_getValidatorsByBlockNumber"):
        requests(Node([A], prefix="ibft"), {A})

    def closed(method: str, parameters: list[Any]) -> Mapping[str, Any]:
        return {"error": {"code": -32604, "message": "not for you"}}

    with pytest.raises(ChainError, match="refuses clique_getSigners: not for you"):
        requests(closed, {A})
    with pytest.raises(ChainError, match="refuses clique_propose: not for you"):
        apply(closed, [Request("clique_propose", (A, True), "")])
