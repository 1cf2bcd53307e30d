"""All nodes together: started, connected with each other alone, brought back to one chain, stopped."""

import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dem.chain.abi import as_int
from dem.devnet.config import NetworkConfig
from dem.devnet.node import Node
from dem.errors import ChainError, InputError

_ALIKE_SECONDS = 10.0
"""Chains of the same weight are given so long to find a new block after all."""
_RECONNECT_SECONDS = 60.0
"""go-ethereum calls a peer that it lost again after 35 s, and looks every 10 s whether one knows a heavier chain."""
_ATTEMPTS = 3
_POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Head:
    """The newest block of a node. difficulty: of all blocks up to it; the chain with the highest counts."""

    number: int
    hash: str
    time: int
    difficulty: int
    peers: int


class Network:
    """The nodes of a network whose files are in a folder. geth: the program."""

    def __init__(self, config: NetworkConfig, folder: Path, geth: Path) -> None:
        self.config = config
        self.folder = folder.absolute()
        self._geth = geth.absolute()
        self.nodes = [
            Node(i + 1, self.folder / f"node-{i + 1}", config.http_port + i, config.p2p_port + i, config.nodes - 1)
            for i in range(config.nodes)
        ]

    @property
    def _genesis(self) -> Path:
        return self.folder / "genesis.json"

    def start(self) -> None:
        """Start the nodes that do not run, and wait until the network goes on; safe to call at any time.

        Raises:
            InputError: the folder's network was made from another network.toml.
            ChainError: a node does not start, or no block is sealed.
        """
        self._make()
        for node in self.nodes:
            self.start_node(node)
        self.connect()
        self.mend()

    def _make(self) -> None:
        """Keys and genesis, unless they are there."""
        if not self._geth.exists():
            raise InputError("geth", str(self._geth), "does not exist; `make devnet` builds it")
        for node in self.nodes:
            node.make_keys(self._geth)
        genesis = self.config.genesis([node.address for node in self.nodes])
        if not self._genesis.exists():
            self._genesis.write_text(json.dumps(genesis, indent=2) + "\n", encoding="utf-8")
        elif json.loads(self._genesis.read_text(encoding="utf-8")) != genesis:
            why = "is of a network with other numbers; stop that one and remove the folder"
            raise InputError("genesis", str(self._genesis), why)

    def start_node(self, node: Node) -> None:
        """Start one node, connect it with those that run, let it seal.

        Raises:
            ChainError: it does not start.
        """
        if node.pid is not None:
            return
        node.start(self._geth, self._genesis, self.config.chain_id)
        # go-ethereum's flags know no price of zero. Told before there are peers, so that nothing of theirs is refused.
        node.ask("miner_setGasPrice", "0x0")
        for other in self.running:
            if other != node:
                node.admit(other)
                other.admit(node)
        node.ask("miner_start")

    def connect(self) -> None:
        """Let every running node connect with every other one."""
        for node, other in permutations(self.running, 2):
            node.admit(other)

    @property
    def running(self) -> list[Node]:
        """The nodes whose process lives."""
        return [node for node in self.nodes if node.pid is not None]

    def stop(self) -> None:
        """Stop all nodes; they keep the chain and the transactions that wait."""
        running = self.running
        for node in running:
            node.ask_to_stop()
        for node in running:
            node.await_end()

    def heads(self) -> dict[Node, Head]:
        """The newest block of every node that answers."""
        heads = {}
        for node in self.running:
            with suppress(ChainError):  # it may end at any moment
                heads[node] = self._head(node)
        return heads

    def _head(self, node: Node) -> Head:
        block: Mapping[str, Any] = node.ask("eth_getBlockByNumber", "latest", False)
        number, when, difficulty = (as_int(block[key]) for key in ("number", "timestamp", "totalDifficulty"))
        return Head(number, block["hash"], when, difficulty, as_int(node.ask("net_peerCount")))

    def mend(self) -> None:
        """Wait until all nodes have a new block, and bring them back to one chain if they cannot agree by themselves.

        Halves of a network that were apart may have sealed different blocks of the same weight. Clique then has no rule
        which to follow, and every authority waits for those on the other chain.

        Raises:
            ChainError: no block is sealed even so.
        """
        for _ in range(_ATTEMPTS):
            go_on = self._seals_beyond()
            if self._await(go_on, _ALIKE_SECONDS):
                return
            # A half that nobody reaches would only go on by itself: first the connections, then the chain.
            if self._await(self._is_connected, _RECONNECT_SECONDS) and not self._await(go_on, _ALIKE_SECONDS):
                self._follow_one()
        if not self._await(self._seals_beyond(), _RECONNECT_SECONDS):
            raise ChainError("the nodes run but seal no block: see their logs (`make devnet-logs`)")

    def _is_connected(self) -> bool:
        """Whether every running node has every other one as its peer."""
        heads = self.heads()
        return len(heads) == len(self.nodes) and all(head.peers == len(self.nodes) - 1 for head in heads.values())

    def _follow_one(self) -> None:
        """Let every node follow the heaviest chain, or one of these: the others lose their blocks since the fork.

        They are given its blocks as a file: a peer tells how heavy its chain is when it connects, and not again, so
        nodes that are set back need not know that there is a heavier one. They seal nothing meanwhile: two that are set
        back together would at once have a chain of the same weight again.
        """
        heads = self.heads()
        chosen, head = max(heads.items(), key=lambda entry: (entry[1].difficulty, entry[1].hash))
        common = min(head.number for head in heads.values())
        while len({node.ask("eth_getBlockByNumber", hex(common), False)["hash"] for node in heads}) > 1:
            common -= 1
        others = [node for node in heads if heads[node].hash != head.hash]
        with TemporaryDirectory() as folder:
            blocks = str(Path(folder) / "blocks.rlp")
            chosen.ask("admin_exportChain", blocks, common, head.number)
            for node in others:
                node.ask("miner_stop")
            try:
                for node in others:
                    node.ask("debug_setHead", hex(common))
                    node.ask("admin_importChain", blocks)
            finally:
                for node in others:
                    node.ask("miner_start")

    def _seals_beyond(self) -> Callable[[], bool]:
        """Whether every node has come to one newer block than any had."""
        before = max((head.number for head in self.heads().values()), default=0)

        def seals() -> bool:
            heads = self.heads().values()
            return len(heads) == len(self.nodes) and all(head.number > before for head in heads)

        return seals

    @staticmethod
    def _await(condition: Callable[[], bool], seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_SECONDS)
        return True
