"""A market with an intermediary's pool beside the auction."""

from dem.intermediaries import PoolReplay
from dem.plan import ROLES, CalendarParameters

from .market import ADMIN, Market

POOL = "CallAuction:pool"
"""The pool's name in events and calls: its contract is one more CallAuction."""


class PooledMarket(Market):
    """A market that a pool can be added to."""

    @property
    def pool(self) -> PoolReplay:
        """The pool as its events tell."""
        return self.replay.pool(POOL)

    def add_pool(self, intermediary: int, calendar: CalendarParameters, first_day: int) -> None:
        """Deploy the pool of an intermediary and plug it into the schedule."""
        at = {name: contract.address for name, contract in self.contracts.items()}
        members, _ = self.chain.deploy(ADMIN.address, "PoolMembers", at["ParticipantRegistry"], intermediary)
        arguments = (at["Authority"], calendar.as_tuple(), members.address, at["MarketRules"], at["Accounts"])
        deployed, _ = self.chain.deploy(ADMIN.address, "CallAuction", *arguments)
        pool = self.chain.rename(deployed, POOL)
        self.contracts[POOL], self.contracts["PoolMembers"] = pool, members
        self.replay.addresses |= {name: contract.address for name, contract in self.contracts.items()}
        for role in ROLES:
            for function in role.functions.get("CallAuction", ()):
                selectors = [pool.artifact.functions[function].selector]
                authority = self.contracts["Authority"]
                self.chain.send(ADMIN.address, authority, "setTargetFunctionRole", pool.address, selectors, role.id)
        self.act("Schedule.addMarket", pool.address, first_day)
