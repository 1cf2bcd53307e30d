"""Who may call what: every function that writes, of every contract, against the table of roles."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest
from ape.api import AccountAPI
from eth_utils import function_abi_to_4byte_selector
from support.refusals import described, refused
from support.village import Village, events

from dem.chain.connection import compiled
from dem.deployment.market import ADMIN, HUMAN_ROLES, Market
from dem.deployment.plan import STEPS
from dem.deployment.roles import ADMINS as OF_THE_ADMIN
from dem.deployment.roles import INTERNAL, OPEN, ROLES, SEATED, TOKEN

MARKET = [*(step.contract for step in STEPS if step.contract != "Authority"), TOKEN]
RESTRICTED = {
    (contract, function): {role.name for role in ROLES if function in role.functions.get(contract, ())}
    for role in ROLES
    for contract, functions in role.functions.items()
    for function in functions
}
"""Names of the roles that may call a function."""
FOR_THE_AUTHORITY_ITSELF = "setAuthority"
"""Inherited by every contract with restricted functions; the authority calls it when its admin says so."""
ADMINS = {
    "grantRole",
    "labelRole",
    "revokeRole",
    "setGrantDelay",
    "setRoleAdmin",
    "setRoleGuardian",
    "setTargetAdminDelay",
    "setTargetClosed",
    "setTargetFunctionRole",
    "updateAuthority",
}
"""Functions of the authority for its admin alone."""
ANYBODYS = {"renounceRole", "schedule", "execute", "cancel", "consumeScheduledOp", "multicall"}
"""Functions of the authority about the caller's own roles and operations."""


@cache
def writing(contract: str) -> dict[str, dict[str, Any]]:
    """ABI of a contract's functions that are not views, by name; none of them is overloaded."""
    entries = [
        entry
        for entry in compiled()[contract].abi
        if entry["type"] == "function" and entry["stateMutability"] not in ("view", "pure")
    ]
    found = {entry["name"]: entry for entry in entries}
    assert len(found) == len(entries)
    return found


def arguments(inputs: list[dict[str, Any]], some_address: str) -> list[Any]:
    """Any well-typed arguments."""
    return [_argument(entry, some_address) for entry in inputs]


def _argument(entry: Mapping[str, Any], some_address: str) -> Any:
    kind = entry["type"]
    if kind.endswith("[]"):
        return []
    if kind.endswith("]"):
        base, _, length = kind.removesuffix("]").rpartition("[")
        return [_argument({**entry, "type": base}, some_address)] * int(length)
    if kind == "tuple":
        return tuple(arguments(entry["components"], some_address))
    if kind == "address":
        return some_address
    if kind == "bool":
        return False
    if kind == "string":
        return ""
    if kind.startswith("bytes"):
        return bytes(int(kind.removeprefix("bytes") or 0))
    return 1


@pytest.fixture
def callers(market: Market, village: Village) -> dict[str, AccountAPI]:
    """Somebody in every role, and a stranger in none; the roles that contracts hold are given to accounts as well."""
    keys = village.market.keys
    found = {role.name: keys[role.name] for role in HUMAN_ROLES} | {ADMIN: keys[ADMIN], "stranger": village.stranger}
    stand_ins = [account for account in market.chain.accounts(None) if account not in found.values()]
    held = [role for role in ROLES if role.holder and role.functions]
    given = [*zip(held, stand_ins[: len(held)], strict=True)]
    grants = [("grantRole", (role.id, account.address, 0)) for role, account in given]
    market.chain.send_many(keys[ADMIN], market.authority, grants)
    return found | {role.name: account for role, account in given}


def outcome(market: Market, caller: AccountAPI, contract: str, function: str) -> str:
    """Why a call with some arguments is refused, empty if it is not."""
    given = arguments(writing(contract)[function]["inputs"], caller.address)
    return market.chain.refusal_of(caller, market.contract(contract), function, *given)


@pytest.mark.parametrize("contract", MARKET)
def test_every_function_that_writes_has_one_decision_about_its_callers(contract: str) -> None:
    is_managed = "setAuthority" in writing(contract)
    decided = [
        *(function for name, function in RESTRICTED if name == contract),
        *OPEN.get(contract, ()),
        *INTERNAL.get(contract, ()),
        *SEATED.get(contract, ()),
        *OF_THE_ADMIN.get(contract, ()),
        *([FOR_THE_AUTHORITY_ITSELF] if is_managed else []),
    ]
    assert sorted(decided) == sorted(writing(contract))


def test_every_function_of_the_authority_has_a_decision() -> None:
    assert sorted(writing("Authority")) == sorted({*ADMINS, *ANYBODYS})


def test_the_table_names_no_other_contract() -> None:
    assert {contract for contract, _ in RESTRICTED} | {*OPEN} | {*INTERNAL} | {*SEATED} | {*OF_THE_ADMIN} == {
        contract for contract in MARKET if writing(contract)
    }


@pytest.mark.parametrize(("contract", "function"), sorted(RESTRICTED))
def test_only_the_roles_in_the_table_pass(
    market: Market, callers: Mapping[str, AccountAPI], contract: str, function: str
) -> None:
    passed = set()
    for name, caller in callers.items():
        refusal = described("AccessManagedUnauthorized", caller=caller.address)
        if outcome(market, caller, contract, function) != refusal:
            passed.add(name)
    assert passed == RESTRICTED[contract, function]


@pytest.mark.parametrize(
    ("contract", "function"), [(contract, f) for contract in OPEN for f in OPEN[contract]], ids=".".join
)
def test_open_functions_ask_for_no_role(market: Market, village: Village, contract: str, function: str) -> None:
    assert "Unauthorized" not in outcome(market, village.stranger, contract, function)


@pytest.mark.parametrize(
    ("contract", "function"), [(contract, f) for contract in INTERNAL for f in INTERNAL[contract]], ids=".".join
)
def test_nobody_passes_for_another_contract(
    market: Market, callers: Mapping[str, AccountAPI], contract: str, function: str
) -> None:
    for caller in callers.values():
        expected = {
            TOKEN: described("NotTheAccounts", caller=caller.address),
            "Accounts": described("NotAMarket", caller=caller.address, **{"from": 0}),
            "Schedule": described("NotTheSchedule", caller=caller.address),
        }
        if function.startswith("note"):
            expected["Schedule"] = described("DayDoesNotCount", market=caller.address, day=1)
        assert outcome(market, caller, contract, function) == expected[contract]


@pytest.mark.parametrize(
    ("contract", "function"), [(contract, f) for contract in SEATED for f in SEATED[contract]], ids=".".join
)
def test_only_seats_pass_where_seats_decide(
    market: Market, callers: Mapping[str, AccountAPI], contract: str, function: str
) -> None:
    for name, caller in callers.items():
        refusal = described("NotSeated", caller=caller.address)
        # What there is no proposal for is refused later; an empty one before it is known whose it is.
        passed = outcome(market, caller, contract, function) != refusal
        assert passed == (name == "node" or function == "propose")


@pytest.mark.parametrize(
    ("contract", "function"),
    [(contract, f) for contract in OF_THE_ADMIN for f in OF_THE_ADMIN[contract]],
    ids=".".join,
)
def test_only_the_admin_passes_where_the_council_decides_by_itself(
    market: Market, callers: Mapping[str, AccountAPI], contract: str, function: str
) -> None:
    for name, caller in callers.items():
        refusal = described("AccessManagedUnauthorized", caller=caller.address)
        assert (outcome(market, caller, contract, function) != refusal) == (name == ADMIN)


@pytest.mark.parametrize("contract", [name for name in MARKET if FOR_THE_AUTHORITY_ITSELF in writing(name)])
def test_nobody_replaces_the_authority_of_a_contract(
    market: Market, callers: Mapping[str, AccountAPI], contract: str
) -> None:
    for caller in callers.values():
        refusal = described("AccessManagedUnauthorized", caller=caller.address)
        assert outcome(market, caller, contract, FOR_THE_AUTHORITY_ITSELF) == refusal


@pytest.mark.parametrize("function", sorted(ADMINS))
def test_only_the_admin_changes_the_table(market: Market, callers: Mapping[str, AccountAPI], function: str) -> None:
    for name, caller in callers.items():
        refusal = described("AccessManagerUnauthorizedAccount", msgsender=caller.address, roleId=0)
        # It asks about role 1, whose holders the admin decides on.
        assert (outcome(market, caller, "Authority", function) != refusal) == (name == ADMIN)


@pytest.mark.parametrize("contract", MARKET)
def test_the_chain_has_the_table_of_the_plan(market: Market, contract: str) -> None:
    role_of = market.authority.functions.getTargetFunctionRole
    numbers = {role.name: role.id for role in ROLES}
    admin = market.authority.functions.ADMIN_ROLE().call()
    for function, entry in writing(contract).items():
        selector = function_abi_to_4byte_selector(entry)
        names = RESTRICTED.get((contract, function), set())
        expected = {numbers[name] for name in names} or {admin}
        assert {role_of(market.addresses[contract], selector).call()} == expected, function


def test_the_chain_has_the_holders_of_the_plan(market: Market) -> None:
    granted = {
        (event.args["roleId"], event.args["account"])
        for event in market.chain.events({"Authority": market.authority.address}, market.manifest.first_block)
        if event.name == "RoleGranted"
    }
    planned = {
        (role.id, holder)
        for role in ROLES
        for holder in [market.addresses[name] for name in role.contracts] or [market.keys[role.name].address]
    }
    assert granted == planned | {(market.authority.functions.ADMIN_ROLE().call(), market.keys[ADMIN].address)}


def test_a_role_taken_away_is_gone(village: Village, market: Market) -> None:
    receipt = village.send(ADMIN, market.authority, "revokeRole", role_number("registrar"), key(market, "registrar"))
    assert len(events(receipt, market.authority, "RoleRevoked")) == 1
    with refused("AccessManagedUnauthorized", caller=key(market, "registrar")):
        village.send("registrar", market.registry, "suspend", village.buyer.id)


def test_who_is_a_node_the_seats_say(village: Village, market: Market) -> None:
    for sender in (ADMIN, "council"):
        with refused("AccessManagerUnauthorizedAccount", msgsender=key(market, sender), roleId=role_number("seats")):
            village.send(sender, market.authority, "revokeRole", role_number("node"), key(market, "node"))


def role_number(name: str) -> int:
    [number] = [role.id for role in ROLES if role.name == name]
    return number


def key(market: Market, role: str) -> str:
    return market.keys[role].address
