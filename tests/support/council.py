"""A market that its council governs: three institutions, two of which decide."""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from ape.api import AccountAPI
from web3.contract import Contract
from web3.types import TxReceipt

from dem.chain.connection import Chain
from dem.deployment.market import role_keys
from dem.deployment.plan import Government
from dem.governance.council import STATES, Call, call

from .village import Village, found_village

DELAY = 600
LIFETIME = 30 * 86_400
EXPIRATION = 7 * 86_400
"""Of a decided call in the authority."""
MAX_CALLS = 16
MAX_SEATS = 16
OPEN, DECIDED, EXECUTED, EXPIRED = range(1, len(STATES))


class Governed:
    """The village with its council; `seats` are the institutions' accounts."""

    def __init__(self, village: Village, seats: Sequence[AccountAPI]) -> None:
        self.village = village
        self.market = village.market
        self.chain = village.market.chain
        self.council = village.market.contract("Council")
        self.elections = village.market.contract("Elections")
        self.seats = seats

    def send(self, sender: AccountAPI, function: str, *arguments: Any) -> TxReceipt:
        """A call of the council."""
        return self.chain.send(sender, self.council, function, *arguments)

    def call(self, contract: Contract, function: str, *arguments: Any) -> Call:
        """A call to propose."""
        return call(self.market, contract, function, *arguments)

    def propose(self, *calls: Call, by: AccountAPI | None = None) -> int:
        """Number of a proposal, which its proposer has approved."""
        self.send(by or self.seats[0], "propose", calls)
        return self.council.functions.proposalCount().call()

    def decided(self, *calls: Call) -> int:
        """A proposal whose delay is running."""
        number = self.propose(*calls)
        for seat in self.seats[1:]:
            if self.state(number) == OPEN:
                self.send(seat, "approve", number)
        return number

    def decide(self, *calls: Call) -> TxReceipt:
        """Propose, approve, wait and execute."""
        number = self.decided(*calls)
        self.pass_delay()
        return self.execute(number)

    def execute(self, number: int) -> TxReceipt:
        """By anybody."""
        return self.send(self.village.stranger, "execute", number)

    def pass_delay(self, seconds: int = DELAY) -> None:
        """The chain's clock moves on."""
        self.village.wait_until(self.village.now + seconds)

    def state(self, number: int) -> int:
        """Of a proposal."""
        return self.council.functions.proposal(number).call()[0]

    def holders(self) -> set[str]:
        """Addresses of all who have a seat."""
        return {holder for holder, *_ in self.council.functions.seats().call()}


def found_governed(folder: Path) -> Governed:
    """Deploy a village whose council is in power."""
    chain = Chain.connected()
    keys = role_keys(chain, None)
    spare = list(islice(chain.accounts(None), len(keys) + 4, len(keys) + 6))
    seats = [keys["node"], *spare]
    government = Government(tuple(seat.address for seat in seats), threshold=2, delay=DELAY)
    return Governed(found_village(folder, government), seats)
