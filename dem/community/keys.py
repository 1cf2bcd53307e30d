"""Keys of a simulated community: every member's account and meter, made from the scenario's name and seed.

Only for simulations. In a pilot each participant signs with a key of its own and nobody else has it.
"""

from dataclasses import dataclass
from functools import cached_property

from eth_account import Account
from eth_utils.crypto import keccak


@dataclass(frozen=True)
class Wallet:
    """One member's keys; next_meter_key: of the meter that takes the place of its first one."""

    name: str
    account_key: bytes
    meter_key: bytes
    next_meter_key: bytes = b""

    @cached_property
    def account(self) -> str:
        """Address of the account key."""
        return str(Account.from_key(self.account_key).address)

    @cached_property
    def meter(self) -> str:
        """Address of the meter key."""
        return str(Account.from_key(self.meter_key).address)

    @cached_property
    def next_meter(self) -> str:
        """Address of the next meter's key."""
        return str(Account.from_key(self.next_meter_key).address)


def wallet(community: str, seed: int, name: str) -> Wallet:
    """The wallet of a member of a community: the same in every run."""

    def key(purpose: str) -> bytes:
        return bytes(keccak(text=f"DEM simulation/{community}/{seed}/{name}/{purpose}"))

    return Wallet(name, key("account"), key("meter"), key("meter 2"))
