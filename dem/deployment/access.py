"""The matrix role x function, read back from the authority on the chain."""

from collections.abc import Iterator

from eth_utils.abi import function_abi_to_4byte_selector

from dem.deployment.market import Market
from dem.deployment.roles import ADMINS, INTERNAL, OPEN, ROLES, SEATED
from dem.errors import ChainError

ANYONE = "anyone"
CONTRACTS = "contracts"
ADMIN = "admin"
SEAT = "node"
"""Whoever has a seat of the council has this role."""
COLUMNS = (ANYONE, *(role.name for role in ROLES), CONTRACTS, ADMIN)
"""Anyone, the roles (the last two are held by contracts), contracts that know each
other by construction, the admin of the authority."""


def matrix(market: Market) -> Iterator[tuple[str, str, str]]:
    """Contract, function and the one column of COLUMNS that may call it, for every function that changes state.

    Raises:
        ChainError: the chain's table is not the one of the deployment plan.
    """
    for name in market.addresses:
        for entry in market.chain.artifacts[name].abi:
            if entry["type"] == "function" and entry["stateMutability"] not in ("view", "pure"):
                selector = bytes(function_abi_to_4byte_selector(entry))
                yield name, entry["name"], _who(market, name, entry["name"], selector)


def _who(market: Market, contract: str, function: str, selector: bytes) -> str:
    address, contract = market.addresses[contract], contract.partition(":")[0]
    if contract == "Authority" or function == "setAuthority" or function in ADMINS.get(contract, ()):
        return ADMIN
    if function in SEATED.get(contract, ()):
        return SEAT
    if function in INTERNAL.get(contract, ()):
        return CONTRACTS
    if function in OPEN.get(contract, ()):
        return ANYONE
    id_ = market.authority.functions.getTargetFunctionRole(address, selector).call()
    planned = [role for role in ROLES if function in role.functions.get(contract, ())]
    if [role.id for role in planned] != [id_]:
        raise ChainError(f"{contract}.{function}: the chain says role {id_}, the plan {planned}")
    return planned[0].name
