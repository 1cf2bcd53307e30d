"""Markets that fail, and what is done about it."""

from dem.deployment.roles import ROLES

from .market import ADMIN, Market

_ADMINS = 0
"""The role of the authority's admin, which nobody has who books."""
[_SCHEDULES] = [role.id for role in ROLES if role.name == "schedule"]


def set_bookable(market: Market, name: str, is_bookable: bool) -> None:
    """Let the schedule book a market, or not: then it fails whoever is booked."""
    contract, role = market.contracts[name], _SCHEDULES if is_bookable else _ADMINS
    selectors = [contract.artifact.functions["book"].selector]
    authority = market.contracts["Authority"]
    market.chain.send(ADMIN.address, authority, "setTargetFunctionRole", contract.address, selectors, role)


def release_stuck(market: Market) -> None:
    """The council releases what members have locked in markets that do not release it any more."""
    stuck = {place: amount for place, amount in market.replay.stuck.items() if amount}
    for contract in dict.fromkeys(contract for contract, _ in stuck):
        own = {id_: amount for (name, id_), amount in stuck.items() if name == contract}
        market.act("Schedule.releaseHeld", market.contracts[contract].address, [*own], [*own.values()])
