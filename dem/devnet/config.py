"""network.toml: what a network is like, checked; and the genesis that follows from it."""

import socket
from collections.abc import Sequence
from pathlib import Path
from random import randrange
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from dem.formats import read_settings

HOST = "127.0.0.1"
"""Where all nodes listen."""
_HIGHEST_PORT = 65_535
_VANITY_BYTES, _SEAL_BYTES = 32, 65
"""What Clique has before and after the authorities in a block's extra data."""
_BEFORE_FEES = (
    "homestead",
    "eip150",
    "eip155",
    "eip158",
    "byzantium",
    "constantinople",
    "petersburg",
    "istanbul",
    "berlin",
)
"""Every fork up to Berlin: the next, London, charges a base fee that cannot stay at zero."""


class NetworkConfig(BaseModel):
    """A network; `devnet/network.toml` describes the keys."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    chain_id: int = Field(ge=1, le=2**53 - 1)
    nodes: int = Field(ge=1, le=16)
    period_seconds: int = Field(ge=1, le=5)
    gas_limit: int = Field(ge=30_000_000)
    finality_depth: int = Field(ge=0)
    http_port: int = Field(ge=1024, le=_HIGHEST_PORT)
    p2p_port: int = Field(ge=1024, le=_HIGHEST_PORT)

    @model_validator(mode="after")
    def _consistent(self) -> "NetworkConfig":
        majority = self.nodes // 2 + 1
        if self.finality_depth < majority:
            raise ValueError(f"finality_depth must be at least {majority}: so many of {self.nodes} are a majority")
        first, second = sorted((self.http_port, self.p2p_port))
        if second - first < self.nodes or second + self.nodes - 1 > _HIGHEST_PORT:
            raise ValueError(f"http_port and p2p_port must each leave room for {self.nodes} ports")
        return self

    def on_free_ports(self) -> "NetworkConfig":
        """The same network on ports that nobody uses."""
        while True:
            first = randrange(20_000, 30_000, 2 * self.nodes)
            if all(map(_is_free, range(first, first + 2 * self.nodes))):
                return self.model_copy(update={"http_port": first, "p2p_port": first + self.nodes})

    def genesis(self, authorities: Sequence[str]) -> dict[str, Any]:
        """Block 0 as `geth init` takes it: these authorities, no fees, nobody with a balance."""
        addresses = b"".join(sorted(bytes.fromhex(address.removeprefix("0x")) for address in authorities))
        extra = bytes(_VANITY_BYTES) + addresses + bytes(_SEAL_BYTES)
        return {
            "config": {
                "chainId": self.chain_id,
                **{f"{fork}Block": 0 for fork in _BEFORE_FEES},
                "clique": {"period": self.period_seconds, "epoch": 30_000},
            },
            "difficulty": "0x1",
            "gasLimit": hex(self.gas_limit),
            "extraData": f"0x{extra.hex()}",
            "alloc": {},
        }


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) != 0


def read_network(path: Path) -> NetworkConfig:
    """Read a network's file.

    Raises:
        InputError: it is missing or something in it is wrong.
    """
    return read_settings(path, NetworkConfig)
