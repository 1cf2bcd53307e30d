"""A market with an intermediary's pool beside the auction."""

from dem.deployment.roles import ROLES
from dem.model.calendar import CalendarParameters
from dem.replay.pools import PoolReplay

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
        rest = (at["MarketRules"], at["Accounts"], at["Schedule"], at["GridLimits"])
        arguments = (at["Authority"], calendar.as_tuple(), members.address, *rest)
        deployed, _ = self.chain.deploy(ADMIN.address, "CallAuction", *arguments)
        pool = self.chain.rename(deployed, POOL)
        self.contracts[POOL], self.contracts["PoolMembers"] = pool, members
        self.replay.addresses[POOL] = pool.address
        for role in ROLES:
            for function in role.functions.get("CallAuction", ()):
                selectors = [pool.artifact.functions[function].selector]
                authority = self.contracts["Authority"]
                self.chain.send(ADMIN.address, authority, "setTargetFunctionRole", pool.address, selectors, role.id)
        self.act("Schedule.addMarket", pool.address, first_day)
