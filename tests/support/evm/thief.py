"""A market that is plugged in, and whose code does whatever its owner says."""

from typing import Any

from eth_utils import to_checksum_address

from .chain import GAS_LIMIT, Refused, artifacts
from .market import STRANGER, Market

FAILS = "UnsoundPositions"
"""What it answers when it is booked: an error with a name, so that it is told from a transaction that breaks."""

_RUNTIME = (
    "60243610605b57"  # told of a pause, with fewer than 36 bytes: stop
    "60243614603f57"  # isCleared(day), 36 bytes: true
    "6020360380602060003760003580"  # whom a call is for, in the first 32 bytes; the call itself to memory
    "3b15604a57"  # book(day, firstId, count), which is for nobody: fail
    "600060008360006000855af13d600060003e603a573d6000fd5b3d6000f3"  # pass it on, and its answer back
    "5b600160005260206000f3"
    "5b63{selector}60e01b60005260046000fd"
    "5b00"
)


class Thief:
    """One such market; the council plugs it in by mistake."""

    def __init__(self, market: Market) -> None:
        selector = next(error for error in artifacts()["Schedule"].errors.values() if error.name == FAILS).selector
        runtime = bytes.fromhex(_RUNTIME.format(selector=selector.hex()))
        creation = bytes.fromhex(f"60{len(runtime):02x}80600b6000396000f3") + runtime
        self._market = market
        self.address = to_checksum_address(market.chain.evm.deploy(STRANGER.address, creation, gas=GAS_LIMIT))

    def refusal(self, function: str, *arguments: Any) -> str:
        """Let it call "Contract.function": the name of the error with which it is refused, empty if it is not."""
        contract, name = function.split(".")
        try:
            self._market.chain.pass_on(
                STRANGER.address, self.address, self._market.contracts[contract], name, *arguments
            )
        except Refused as refused:
            return refused.error
        return ""
