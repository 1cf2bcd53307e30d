"""Transactions under way at a node that forgets, refuses and fills up: each lands once, in order."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from eth_utils.crypto import keccak

from dem.chain import sending
from dem.chain.sending import Sender, Transaction
from dem.chain.transport import Backoff
from dem.errors import BlocksLostError, ChainError

ACCOUNT = "0x" + "11" * 20
CHEAP = b"at an old fee"


@dataclass
class Node:
    """One account's transactions, as go-ethereum and anvil keep them: a pool by nonce, mined in order when told."""

    block_size: int = 1_000
    pool_size: int = 1_000_000
    refuses: tuple[bytes, ...] = ()
    reverts: tuple[bytes, ...] = ()
    pool: dict[int, bytes] = field(default_factory=dict)
    mined: list[bytes] = field(default_factory=list)
    receipts: dict[str, dict] = field(default_factory=dict)
    blocks: int = 0
    offered: int = 0
    largest_pool: int = 0
    before_count: list = field(default_factory=list)
    """What happens to the node before it counts, once each."""

    def mine(self) -> None:
        self.blocks += 1
        for _ in range(self.block_size):
            raw = self.pool.pop(len(self.mined), None)
            if raw is None:
                return
            self.mined.append(raw)
            succeeds = raw.split(b" ", 1)[1] not in self.reverts
            receipt = {"blockNumber": hex(self.blocks), "gasUsed": "0x10", "contractAddress": None}
            self.receipts[hash_of(raw)] = {"status": hex(succeeds), **receipt}

    def lose_everything(self) -> None:
        for record in (self.pool, self.mined, self.receipts):
            record.clear()

    def ask(self, requests: Sequence) -> list:
        return [getattr(self, method)(*params) for method, params in requests]

    def eth_sendRawTransaction(self, raw_hex: str) -> dict:  # noqa: N802
        self.offered += 1
        raw = bytes.fromhex(raw_hex[2:])
        nonce = int(raw.split(b" ", 1)[0])
        if nonce < len(self.mined):
            return error("nonce too low")
        if self.pool.get(nonce) == raw:
            return error("transaction already imported")
        if raw.split(b" ", 1)[1] in self.refuses:
            return error("intrinsic gas too low")
        if raw.endswith(CHEAP):
            return error("max fee per gas less than block base fee")
        if len(self.pool) >= self.pool_size:
            return error("txpool is full")
        self.pool[nonce] = raw
        self.largest_pool = max(self.largest_pool, len(self.pool))
        return {"result": hash_of(raw)}

    def eth_getTransactionCount(self, _address: str, block: str) -> dict:  # noqa: N802
        if block == "latest":
            if self.before_count:
                self.before_count.pop(0)()
            self.mine()
        count = len(self.mined)
        while block == "pending" and count in self.pool:
            count += 1
        return {"result": hex(count)}

    def eth_getTransactionReceipt(self, wanted: str) -> dict:  # noqa: N802
        return {"result": self.receipts.get(wanted)}


def error(message: str) -> dict:
    return {"error": {"code": -32000, "message": message}}


def hash_of(raw: bytes) -> str:
    return f"0x{keccak(raw).hex()}"


def sent_through(node: Node, count: int) -> list:
    sender = Sender(ACCOUNT, node.ask, lambda t, nonce: b"%d " % nonce + t.data, lambda: None)
    return list(sender.send(Transaction("test", ACCOUNT, b"work %d" % n) for n in range(count)))


def works(count: int) -> list[bytes]:
    return [b"work %d" % n for n in range(count)]


def done(node: Node) -> list[bytes]:
    """What was mined, without the nonces."""
    return [raw.split(b" ", 1)[1] for raw in node.mined]


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """A second is soon over."""
    monkeypatch.setattr(sending, "_CHECK_SECONDS", 0.0)
    monkeypatch.setattr(sending, "_RECEIPT_SECONDS", 0.02)
    monkeypatch.setattr(Backoff, "sleep", lambda self: None)


@pytest.mark.parametrize("block_size", [1, 7, 10_000])
def test_everything_lands_once_and_in_order(block_size):
    node = Node(block_size)
    landed = sent_through(node, 1_500)
    assert [one.transaction.data for one in landed] == done(node) == works(1_500)
    assert all(one.succeeded for one in landed)
    assert node.offered == 1_500


def test_a_driver_that_was_held_up_asks_for_receipts_before_it_sends_again(monkeypatch):
    """A process may lie still for seconds between any two of its steps."""
    monkeypatch.setattr(sending, "_RECEIPT_SECONDS", -1.0)
    node = Node(block_size=3)
    assert [one.transaction.data for one in sent_through(node, 10)] == done(node) == works(10)


def test_plans_above_the_gas_limit_count_as_that_limit():
    node = Node(block_size=1)
    sender = Sender(ACCOUNT, node.ask, lambda t, nonce: b"%d " % nonce + t.data, lambda: None)
    plans = [Transaction("test", ACCOUNT, b"work %d" % n, planned=10 * sending.GAS_LIMIT) for n in range(100)]
    assert len(list(sender.send(plans))) == 100
    assert node.largest_pool > sending._WINDOW_GAS // sending.GAS_LIMIT // 2


def test_no_more_is_under_way_than_the_window_holds():
    node = Node(block_size=3)
    drawn = sent_through(node, 2_000)
    assert len(drawn) == 2_000
    assert node.largest_pool <= sending._FIRST_WINDOW


def test_a_node_that_forgets_what_it_was_given_is_given_it_again():
    node = Node(block_size=40)
    node.before_count = [lambda: None, lambda: None, node.pool.clear, lambda: None, node.pool.clear]
    assert len(sent_through(node, 300)) == 300
    assert done(node) == works(300)


def test_a_node_that_forgets_one_in_the_middle_is_given_it_again():
    node = Node(block_size=40)
    node.before_count = [lambda: None, lambda: node.pool.pop(50)]
    assert len(sent_through(node, 300)) == 300
    assert done(node) == works(300)


def test_a_full_pool_is_waited_for():
    node = Node(block_size=5, pool_size=20)
    landed = sent_through(node, 200)
    assert all(one.succeeded for one in landed)
    assert done(node) == works(200)


def test_what_reverts_is_told_and_does_not_keep_up_the_rest():
    node = Node(reverts=(b"work 3",))
    landed = sent_through(node, 10)
    assert [one.succeeded for one in landed] == [n != 3 for n in range(10)]
    assert done(node) == works(10)


def test_what_the_node_refuses_leaves_no_gap():
    node = Node(refuses=(b"work 3", b"work 7"))
    landed = sent_through(node, 10)
    refused = {one.transaction.data: one.refusal for one in landed if not one.succeeded}
    assert refused == {b"work 3": "intrinsic gas too low", b"work 7": "intrinsic gas too low"}
    assert done(node) == [*works(3), b"", *works(7)[4:], b"", *works(10)[8:]]


def test_a_single_transaction_that_the_node_refuses_uses_no_nonce():
    node = Node(refuses=(b"work 0",))
    [landed] = sent_through(node, 1)
    assert (landed.succeeded, landed.refusal) == (False, "intrinsic gas too low")
    assert not node.mined
    assert not node.pool


def test_a_node_that_takes_nothing_at_all_is_an_error():
    node = Node(refuses=(*works(10), b""))
    with pytest.raises(ChainError, match="can send nothing: intrinsic gas too low"):
        sent_through(node, 10)


def test_a_nonce_that_somebody_else_used_is_replaced():
    node = Node(block_size=10)

    def stranger() -> None:
        node.pool[len(node.mined)] = b"%d somebody else's" % len(node.mined)

    node.before_count = [lambda: None, stranger]
    landed = sent_through(node, 30)
    assert sorted(one.transaction.data for one in landed) == sorted(works(30))
    assert sorted(done(node)) == sorted([*works(30), b"somebody else's"])


def test_lost_blocks_are_noticed():
    node = Node(block_size=10)
    node.before_count = [lambda: None, lambda: None, node.lose_everything]
    with pytest.raises(BlocksLostError, match="has lost transactions of 0x1111"):
        sent_through(node, 300)


def test_a_node_that_mines_nothing_is_given_up(monkeypatch):
    monkeypatch.setattr("dem.chain.transport.PATIENCE_SECONDS", 0.05)
    node = Node(block_size=0)
    with pytest.raises(ChainError, match=r"3 transactions of 0x1111.* are in no block after"):
        sent_through(node, 3)


def test_receipts_that_nobody_wants_are_not_read():
    node = Node(reverts=(b"work 3",))
    sender = Sender(ACCOUNT, node.ask, lambda t, nonce: b"%d " % nonce + t.data, lambda: None)
    node.receipts = None  # type: ignore[assignment]
    node.mine = lambda: node.mined.extend(node.pool.pop(nonce) for nonce in sorted(node.pool))  # type: ignore[method-assign]
    landed = list(sender.send(Transaction("test", ACCOUNT, b"work %d" % n, is_checked=False) for n in range(10)))
    assert [one.transaction.data for one in landed] == done(node) == works(10)


def test_what_the_node_finds_too_cheap_is_signed_again():
    node = Node()
    dear = [False] * 5 + [True] * 100
    sender = Sender(
        ACCOUNT, node.ask, lambda t, nonce: b"%d %s" % (nonce, t.data if dear.pop(0) else CHEAP), lambda: None
    )
    landed = list(sender.send(Transaction("test", ACCOUNT, b"work %d" % n) for n in range(8)))
    assert all(one.succeeded for one in landed)
    assert done(node) == works(8)
