"""One authority: a go-ethereum process, with its keys in a folder of its own, ruled through a socket in there."""

import json
import os
import secrets
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coincurve import PrivateKey
from web3 import IPCProvider
from web3.types import RPCEndpoint

from dem.devnet.config import HOST
from dem.devnet.process import Process
from dem.errors import ChainError

_POOL_TRANSACTIONS = 8192
"""More than a driver has under way, all from one account."""


@dataclass(frozen=True)
class Node(Process):
    """A node of the network, running or not. number: from 1; peers: how many other nodes there are."""

    number: int
    folder: Path
    http_port: int
    p2p_port: int
    peers: int

    @property
    def url(self) -> str:
        """Where it answers JSON-RPC: for reading the chain and sending transactions, nothing else."""
        return f"http://{HOST}:{self.http_port}"

    @property
    def title(self) -> str:
        """What it is called."""
        return f"node {self.number}"

    @property
    def log(self) -> Path:
        """What the process prints."""
        return self.folder / "geth.log"

    @property
    def address(self) -> str:
        """The account it seals blocks with."""
        [keystore] = (self.folder / "keystore").iterdir()
        return f"0x{json.loads(keystore.read_text(encoding='utf-8'))['address']}"

    @property
    def enode(self) -> str:
        """How the other nodes know it: the public key that it proves in the handshake, and its address."""
        key = PrivateKey(bytes.fromhex(self._node_key.read_text(encoding="utf-8")))
        return f"enode://{key.public_key.format(compressed=False)[1:].hex()}@{HOST}:{self.p2p_port}"

    @property
    def _password(self) -> Path:
        return self.folder / "password"

    @property
    def _node_key(self) -> Path:
        return self.folder / "node.key"

    @property
    def lock(self) -> Path:
        """See `Process`."""
        return self.folder / "pid"

    def make_keys(self, geth: Path) -> None:
        """Keys for sealing and for the handshake, unless it has them; they never leave the folder."""
        if self._node_key.exists():
            return
        self.folder.mkdir(mode=0o700, parents=True)
        _write_secret(self._password, secrets.token_hex(32))
        self._run(geth, "account", "new", "--lightkdf", "--password", self._password, "--datadir", self.folder)
        _write_secret(self._node_key, secrets.token_hex(32))

    # ---------------------------------------------------------------------------------------------- the process

    def start(self, geth: Path, genesis: Path, chain_id: int) -> None:
        """Start the process, unless it runs, and wait until it listens. It knows no peers and seals nothing yet.

        Raises:
            ChainError: it ends, or is not ready in time.
        """
        if self.pid is not None:
            return
        if not (self.folder / "geth" / "chaindata").exists():
            self._run(geth, "init", "--datadir", self.folder, "--state.scheme", "hash", genesis)
        settings = self.folder / "geth.toml"
        # Every peer that may connect is a trusted one, which needs no room: there is none for anybody else.
        settings.write_text(
            f"[Node.P2P]\nMaxPeers = {self.peers}\nDialRatio = 1\nListenAddr = '{HOST}:{self.p2p_port}'\n"
        )
        self.spawn([geth, *self._flags(settings, chain_id)])
        self.await_ready(self._is_ready)

    def _run(self, *command: str | Path) -> None:
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise ChainError(f"node {self.number}: {' '.join(map(str, command))} failed: {done.stderr.strip()}")

    def _flags(self, settings: Path, chain_id: int) -> Iterable[str | Path]:
        yield from ("--config", settings, "--datadir", self.folder, "--networkid", str(chain_id))
        yield from ("--nodekey", self._node_key, "--nodiscover", "--netrestrict", "127.0.0.0/8", "--nat", "none")
        yield from ("--http", "--http.addr", HOST, "--http.port", str(self.http_port), "--http.api", "eth,net,web3")
        yield from ("--authrpc.addr", HOST, "--authrpc.port", "0", "--ipcpath", "geth.ipc")
        # Whoever reaches the port could act with the account: it has no money and no role in the market.
        yield from ("--unlock", self.address, "--password", self._password, "--allow-insecure-unlock")
        yield from ("--miner.etherbase", self.address, "--syncmode", "full", "--gcmode", "archive")
        yield from ("--state.scheme", "hash", "--cache", "128", "--verbosity", "3")
        for limit in ("accountslots", "accountqueue", "globalslots", "globalqueue"):
            yield from (f"--txpool.{limit}", str(_POOL_TRANSACTIONS))

    # --------------------------------------------------------------------------------------------------- orders

    def ask(self, method: str, *params: Any) -> Any:
        """The answer to a question, or an order, through the socket.

        Raises:
            ChainError: it is not running, or refuses.
        """
        try:
            answer = IPCProvider(self.folder / "geth.ipc").make_request(RPCEndpoint(method), params)
        except OSError as error:
            raise ChainError(f"node {self.number} does not answer {method}: {error}") from error
        if "error" in answer:
            raise ChainError(f"node {self.number} refuses {method}: {answer['error']}")
        return answer["result"]

    def _is_ready(self) -> bool:
        """Whether it listens and can sign; the account is unlocked a moment later."""
        try:
            self.ask("eth_sign", self.address, "0x")
        except ChainError:
            return False
        return True

    def admit(self, other: "Node") -> None:
        """Connect to another node, and let that one connect, as long as this process lives."""
        self.ask("admin_addTrustedPeer", other.enode)
        self.ask("admin_addPeer", other.enode)

    def expel(self, other: "Node") -> None:
        """Disconnect from another node, and let it connect no more."""
        self.ask("admin_removeTrustedPeer", other.enode)
        self.ask("admin_removePeer", other.enode)


def _write_secret(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as stream:
        stream.write(text)
