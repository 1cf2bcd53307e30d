"""A network that failures happen to, and the time it takes to recover."""

import csv
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from dem.devnet.config import NetworkConfig, read_network
from dem.devnet.network import Network
from dem.devnet.node import Node
from support.commands.shell import PROJECT

ALIAS = "operator"
RECOVERY = PROJECT / "out" / "devnet" / "recovery.csv"
JUMP_AFTER_SECONDS = 120.0
WEEK = 7 * 86_400
_POLL_SECONDS = 0.05
_PATIENCE_SECONDS = 600.0


class Devnet(Network):
    """The network of the project on other ports, in a folder of the test."""

    def __init__(self, config: NetworkConfig, folder: Path) -> None:
        super().__init__(config, folder, PROJECT / ".geth" / "geth")

    def height(self) -> int:
        """Number of the newest block that all running nodes have."""
        return min(head.number for head in self.heads().values())

    def nonce(self, account: str) -> int:
        """How many transactions of an account are in blocks, by any node."""
        node = self.running[-1]
        return int(node.ask("eth_getTransactionCount", account, "latest"), 16)

    @contextmanager
    def standstill(self) -> Iterator[None]:
        """All nodes have one newest block and nobody seals another: what is done to one node after the other stays."""
        self._order_all("miner_stop")
        await_that("a standstill", lambda: self.stands_still(2.0))
        while len({head.hash for head in self.heads().values()}) > 1:
            # Two of them sealed at the same moment, the last one before they stopped.
            self._order_all("miner_start")
            self.mend()
            self._order_all("miner_stop")
            await_that("a standstill", lambda: self.stands_still(2.0))
        try:
            yield
        finally:
            self._order_all("miner_start")

    def _order_all(self, method: str) -> None:
        for node in self.nodes:
            node.ask(method)

    def stands_still(self, seconds: float = 6.0) -> bool:
        """Whether no node gets a new block for so long."""
        before = self.heads()
        time.sleep(seconds)
        return self.heads() == before

    def take_back(self, blocks: int) -> None:
        """Let every node lose its last blocks."""
        with self.standstill():
            last = self.height() - blocks
            for node in self.nodes:
                node.ask("debug_setHead", hex(last))

    def split(self, one: Collection[Node]) -> None:
        """Cut every connection between these nodes and the others."""
        for node in one:
            for other in self.nodes:
                if other not in one:
                    node.expel(other)
                    other.expel(node)


def free_config() -> NetworkConfig:
    """The project's network on ports that nobody uses."""
    return read_network(PROJECT / "devnet" / "network.toml").on_free_ports()


def await_that(what: str, condition: Callable[[], bool]) -> float:
    """Seconds until a condition holds."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < _PATIENCE_SECONDS, f"in vain for {_PATIENCE_SECONDS:.0f} s: {what}"
        time.sleep(_POLL_SECONDS)
    return time.monotonic() - began


def record(failure: str, until: str, seconds: float) -> None:
    """Keep how long a recovery took."""
    RECOVERY.parent.mkdir(parents=True, exist_ok=True)
    is_new = not RECOVERY.exists()
    with RECOVERY.open("a", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        if is_new:
            writer.writerow(("failure", "recovered when", "seconds"))
        writer.writerow((failure, until, f"{seconds:.1f}"))


def tables(folder: Path) -> dict[str, bytes]:
    """Every table of a run: prices, fills, payments, balances."""
    return {path.name: path.read_bytes() for path in folder.glob("*.csv")}


def jumping_clock() -> None:
    """Set the clock of the process a week ahead in the middle of a run, as Python sees it."""
    clock, began = time.time, time.monotonic()
    time.time = lambda: clock() + (WEEK if time.monotonic() > began + JUMP_AFTER_SECONDS else 0)
