"""What not even all seats together can do."""

from collections.abc import Callable

import pytest
from eth_utils import function_signature_to_4byte_selector
from support.council import DELAY, Governed
from support.refusals import refused
from support.village import NOBODY
from web3.contract import Contract

from dem.deployment.market import ADMIN, Market
from dem.deployment.roles import ROLES

ADMIN_ROLE, REGISTRAR, COUNCIL, NODE, SETTLEMENT, CASHIER = 0, 1, 3, 5, 11, 12
LONGEST = 30 * 86_400


def selector(contract: Contract, function: str) -> bytes:
    return function_signature_to_4byte_selector(contract.get_function_by_name(function).signature)


UNLAWFUL: dict[str, Callable[[Governed, Market], tuple]] = {
    "close the accounts": lambda g, m: ("setTargetClosed", m.accounts.address, True),
    "reopen them": lambda g, m: ("setTargetClosed", m.accounts.address, False),
    "another authority": lambda g, m: ("updateAuthority", m.accounts.address, m.authority.address),
    "another admin": lambda g, m: ("grantRole", ADMIN_ROLE, g.seats[0].address, 0),
    "without delay": lambda g, m: ("grantRole", COUNCIL, g.council.address, 0),
    "for ever": lambda g, m: ("grantRole", ADMIN_ROLE, g.council.address, LONGEST + 1),
    "lose its admin role": lambda g, m: ("revokeRole", ADMIN_ROLE, g.council.address),
    "lose an office": lambda g, m: ("revokeRole", REGISTRAR, g.council.address),
    "renounce": lambda g, m: ("renounceRole", ADMIN_ROLE, g.council.address),
    "a seat without its decision": lambda g, m: ("grantRole", NODE, g.village.stranger.address, 0),
    "a node without its seat": lambda g, m: ("revokeRole", NODE, g.seats[0].address),
    "stop settlement": lambda g, m: ("revokeRole", SETTLEMENT, m.settlement.address),
    "take the cashier's office": lambda g, m: ("revokeRole", CASHIER, m.settlement.address),
    "post what it likes": lambda g, m: ("grantRole", CASHIER, g.seats[0].address, 0),
    "take posting from settlement": lambda g, m: (
        "setTargetFunctionRole",
        m.accounts.address,
        [selector(m.accounts, "post")],
        COUNCIL,
    ),
    "let others seat": lambda g, m: (
        "setTargetFunctionRole",
        g.council.address,
        [selector(g.council, "seat")],
        COUNCIL,
    ),
    "another role's admin": lambda g, m: ("setRoleAdmin", CASHIER, COUNCIL),
    "a guardian": lambda g, m: ("setRoleGuardian", COUNCIL, REGISTRAR),
    "delay grants": lambda g, m: ("setGrantDelay", NODE, LONGEST),
    "delay itself": lambda g, m: ("setTargetAdminDelay", m.accounts.address, LONGEST),
    "schedule past the law": lambda g, m: (
        "schedule",
        m.authority.address,
        bytes.fromhex(m.authority.encode_abi("setTargetClosed", [m.accounts.address, True])[2:]),
        0,
    ),
    "execute past the law": lambda g, m: (
        "execute",
        m.authority.address,
        bytes.fromhex(m.authority.encode_abi("setTargetClosed", [m.accounts.address, True])[2:]),
    ),
    "several past the law": lambda g, m: (
        "multicall",
        [bytes.fromhex(m.authority.encode_abi("setTargetClosed", [m.accounts.address, True])[2:])],
    ),
}


@pytest.mark.parametrize("what", UNLAWFUL)
def test_the_council_does_not(governed: Governed, market: Market, what: str) -> None:
    function, *arguments = UNLAWFUL[what](governed, market)
    call = governed.call(market.authority, function, *arguments)
    with refused("NotForTheCouncil", target=market.authority.address, selector=call[1][:4]):
        governed.propose(call)


HELD_BY_CONTRACTS = [role for role in ROLES if role.holder]
OFFICES = [role for role in ROLES if not role.holder and role.granted_by is None]


def test_roles_of_contracts_have_numbers_that_say_so() -> None:
    assert all(role.id >= 10 for role in HELD_BY_CONTRACTS)
    assert all(role.id < 10 for role in ROLES if not role.holder)


@pytest.mark.parametrize("role", HELD_BY_CONTRACTS, ids=lambda role: role.name)
@pytest.mark.parametrize("function", ["grantRole", "revokeRole"])
def test_what_contracts_hold_is_neither_given_nor_taken(
    governed: Governed, market: Market, function: str, role
) -> None:
    """Whichever role it is, and whoever is to have it or to lose it: the contracts, a seat, or the council itself."""
    holders = [market.addresses[name] for name in role.contracts]
    for account in (*holders, governed.seats[0].address, governed.council.address):
        arguments = (role.id, account, DELAY) if function == "grantRole" else (role.id, account)
        call = governed.call(market.authority, function, *arguments)
        with refused("NotForTheCouncil", target=market.authority.address, selector=call[1][:4]):
            governed.propose(call)


@pytest.mark.parametrize("role", OFFICES, ids=lambda role: role.name)
def test_offices_are_given_and_taken(governed: Governed, market: Market, role) -> None:
    somebody = governed.village.stranger.address
    has_role = market.authority.functions.hasRole(role.id, somebody)
    governed.decide(governed.call(market.authority, "grantRole", role.id, somebody, 0))
    assert has_role.call() == [True, 0]
    governed.decide(governed.call(market.authority, "revokeRole", role.id, somebody))
    assert has_role.call() == [False, 0]


def test_it_calls_nothing_without_a_delay(governed: Governed, market: Market) -> None:
    """It has no role for these: what contracts alone may, other offices' functions, what it may at once."""
    calls = [
        governed.call(market.accounts, "post", []),
        governed.call(market.accounts, "deposit", governed.village.buyer.account, 1, bytes(32)),
        governed.call(governed.council, "vacate", NOBODY),
        (market.registry.address, b"\1\2\3"),
    ]
    for call in calls:
        with refused("NotForTheCouncil", target=call[0], selector=call[1][:4].ljust(4, b"\0")):
            governed.propose(call)


def test_what_has_become_unlawful_is_not_executed(governed: Governed, market: Market) -> None:
    """A new contract's functions are given once."""
    new = market.chain.deploy(governed.seats[0], "FallbackSupply", supply(governed))
    publish = selector(market.fallback, "publish")
    first = governed.decided(governed.call(market.authority, "setTargetFunctionRole", new, [publish], 4))
    second = governed.decided(governed.call(market.authority, "setTargetFunctionRole", new, [publish], COUNCIL))
    governed.pass_delay()
    governed.execute(first)
    with refused(
        "NotForTheCouncil",
        target=market.authority.address,
        selector=selector(market.authority, "setTargetFunctionRole"),
    ):
        governed.execute(second)


def supply(governed: Governed) -> tuple:
    at = governed.market.addresses
    return at["Authority"], governed.village.calendar.as_tuple(), at["MarketRules"]


def test_it_changes_its_delay(governed: Governed, market: Market) -> None:
    roles = (ADMIN_ROLE, REGISTRAR, COUNCIL)
    governed.decide(
        *(governed.call(market.authority, "grantRole", r, governed.council.address, 2 * DELAY) for r in roles)
    )
    for role in roles:
        assert market.authority.functions.hasRole(role, governed.council.address).call() == [True, 2 * DELAY]
    number = governed.decided(governed.call(market.authority, "labelRole", 4, "tariffs"))
    assert governed.council.functions.proposal(number).call()[2] == governed.village.now + 2 * DELAY


def test_calls_of_different_delays_wait_for_the_longest(governed: Governed, market: Market) -> None:
    governed.decide(governed.call(market.authority, "grantRole", REGISTRAR, governed.council.address, 3 * DELAY))
    number = governed.decided(
        governed.call(market.authority, "labelRole", 4, "tariffs"),
        governed.call(market.registry, "suspend", governed.village.buyer.id),
    )
    assert governed.council.functions.proposal(number).call()[2] == governed.village.now + 3 * DELAY
    governed.pass_delay(3 * DELAY)
    governed.execute(number)


def test_it_grants_an_office(governed: Governed, market: Market) -> None:
    stranger = governed.village.stranger
    governed.decide(governed.call(market.authority, "grantRole", REGISTRAR, stranger.address, 0))
    market.chain.send(stranger, market.registry, "suspend", governed.village.buyer.id)


def test_no_key_is_admin_any_more(governed: Governed, market: Market) -> None:
    admin = market.keys[ADMIN].address
    assert market.authority.functions.hasRole(ADMIN_ROLE, admin).call() == [False, 0]
    assert market.authority.functions.hasRole(ADMIN_ROLE, governed.council.address).call() == [True, DELAY]
    with refused("AccessManagerUnauthorizedAccount", msgsender=admin, roleId=0):
        market.chain.send(market.keys[ADMIN], market.authority, "grantRole", REGISTRAR, admin, 0)
