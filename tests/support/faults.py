"""Markets that fail, and go on."""

from web3.contract import Contract

from dem.deployment.market import ADMIN
from dem.deployment.roles import ROLES
from dem.relay.pools import selector

from .village import Village

NOBODYS = 0
"""The role of the authority's admin, which nobody has who books."""
[SCHEDULES] = [role.id for role in ROLES if role.name == "schedule"]


def set_bookable(village: Village, market: Contract, is_bookable: bool) -> None:
    """Let the schedule book a market, or nobody: then it fails whoever is booked."""
    book, role = [selector(market, "book")], SCHEDULES if is_bookable else NOBODYS
    village.send(ADMIN, village.market.authority, "setTargetFunctionRole", market.address, book, role)
