"""Nodes that are away, behind, alone, old or on another fork are named, with what to do."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from dem.deployment.health import Health, check_nodes, node_at
from dem.deployment.limits import Limits
from dem.errors import ChainError

NOW = 1_700_000_000
LIMITS = Limits(depth=2, lag=3, age=60)


def node(head: int = 20, fork: int = 0, forked_at: int = 0, peers: Any = "0x3", age: int = 5) -> Callable[..., Any]:
    """A node with so many blocks; from `forked_at` on they are those of its fork."""

    def block(number: int) -> dict[str, Any] | None:
        if number > head:
            return None
        ours = fork if number >= forked_at else 0
        return {
            "number": hex(number),
            "hash": f"0x{ours:032x}{number:032x}",
            "parentHash": f"0x{ours:032x}{number - 1:032x}",
            "timestamp": hex(NOW - age - (head - number)),
        }

    def answer(method: str, params: Sequence[Any]) -> Any:
        if method == "eth_getBlockByNumber":
            return block(head if params[0] == "latest" else int(params[0], 16))
        return {"web3_clientVersion": "Fake/1.0", "net_peerCount": peers}[method]

    return lambda requests: [{"result": answer(method, params)} for method, params in requests]


def away(_requests: object) -> Any:
    raise ChainError("no answer: connection refused")


def check(**nodes: Callable[..., Any]) -> Health:
    return check_nodes(nodes, LIMITS, NOW)


def test_nodes_that_are_well():
    health = check(a=node(20), b=node(22), c=node(21))
    assert health.problems == []
    assert [(n.head, n.lag, n.age, n.peers, n.client) for n in health.nodes] == [
        (20, 2, 5, 3, "Fake/1.0"),
        (22, 0, 5, 3, "Fake/1.0"),
        (21, 1, 5, 3, "Fake/1.0"),
    ]
    assert {n.compared_block for n in health.nodes} == {18}
    assert len({n.compared_hash for n in health.nodes}) == 1
    assert health.record()["ok"] is True


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (away, "node b is of no use (no answer: connection refused): see whether it runs and can be reached"),
        (node(16), "node b is 4 blocks behind: wait if it is catching up, else see its peers and log"),
        (node(age=61), "the newest block of node b is 61 s old: see whether enough of the signers run"),
        (
            node(age=-86_400),
            (
                "the newest block of node b is 86400 s ahead of this machine's clock: set the clocks of the signers "
                "and of this machine; by the chain's time gates close too early"
            ),
        ),
        (node(peers="0x0"), "node b has no peers: see its bootnodes and the firewall"),
    ],
)
def test_what_is_wrong_with_one_node(bad, said):
    health = check(a=node(), b=bad, c=node())
    assert health.problems == [said]
    assert health.record()["ok"] is False


def test_a_fork_of_the_minority_is_to_be_mended():
    [problem] = check(a=node(), b=node(fork=7, forked_at=10), c=node()).problems
    assert problem.startswith("the nodes do not agree on block 18 (a has 0x")
    assert "mend b;" in problem


def test_of_two_forks_of_the_same_weight_neither_is_right():
    [problem] = check(a=node(), b=node(fork=7, forked_at=10)).problems
    assert "find out which fork the signers are on" in problem


def test_the_newest_blocks_may_differ():
    assert check(a=node(), b=node(fork=7, forked_at=19)).problems == []


def test_a_node_without_peer_count_or_alone_is_no_problem():
    assert check(a=node(peers=None)).problems == []
    assert check(a=node(peers="0x0")).problems == []


def test_all_nodes_away():
    health = check(a=away, b=away)
    assert len(health.problems) == 2
    assert [n.is_reachable for n in health.nodes] == [False, False]


def test_an_address_nobody_listens_at():
    health = check_nodes({"here": node_at("http://127.0.0.1:9")}, LIMITS, NOW)
    assert "node here is of no use (no answer" in health.problems[0]
