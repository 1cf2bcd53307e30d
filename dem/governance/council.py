"""The council: its proposals as they stand, proposals in words, and a simulated community's way to decide."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from web3.contract import Contract

from dem.chain.abi import canonical, decoded_call
from dem.chain.artifacts import shipped
from dem.deployment.market import Market
from dem.deployment.roles import ADMINS, AT_ONCE, GOVERNED, ROLES
from dem.errors import ChainError, InputError

Call = tuple[str, bytes]
"""Address of a contract, and the data it is called with."""

STATES = ("none", "open", "decided", "executed", "expired")
"""Of a proposal, in the order of the contracts' enum."""

AND = "and"
"""Between the calls of a proposal in words."""
_ROLE_NUMBERS = {role.name: role.id for role in ROLES}
PROPOSABLE = tuple(
    f"{contract}.{function}"
    for functions in (
        *(role.functions for role in ROLES if role.name in (*GOVERNED, AT_ONCE)),
        ADMINS,
        {"Authority": ("grantRole", "revokeRole")},
    )
    for contract, names in functions.items()
    for function in names
)
"""What can be proposed in words."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A proposal as it stands; times in unix seconds, ready_at 0 before it is decided.

    missing_institutions, missing_representatives: approvals that seats of a kind lack to be more than half of them.
    """

    number: int
    state: str
    expires_at: int
    ready_at: int
    approvals: int
    needed: int
    missing_institutions: int
    missing_representatives: int
    calls: tuple[Call, ...]


def proposal(market: Market, number: int) -> Proposal:
    """One proposal.

    Raises:
        ChainError: there is none of that number.
    """
    state, expires_at, ready_at, approvals, needed, institutions, representatives, calls = (
        market.contract("Council").functions.proposal(number).call()
    )
    if STATES[state] == "none":
        raise ChainError(f"the council has no proposal {number}")
    own = tuple((target, bytes(data)) for target, data in calls)
    return Proposal(number, STATES[state], expires_at, ready_at, approvals, needed, institutions, representatives, own)


def proposals(market: Market) -> Iterator[Proposal]:
    """All of them, the newest first."""
    for number in range(market.contract("Council").functions.proposalCount().call(), 0, -1):
        yield proposal(market, number)


def decide(market: Market, calls: Sequence[Call]) -> None:
    """Let the council of a simulated community, in which the node's key decides alone, make these calls.

    What it has decided before an interruption goes on.

    Raises:
        ChainError: others have to approve as well.
        RefusedError: a call reverts.
    """
    chain, seat, council = market.chain, market.keys["node"], market.contract("Council")
    found = next((p for p in proposals(market) if p.state == "decided" and p.calls == tuple(calls)), None)
    if found is None:
        chain.send(seat, council, "propose", calls)
        found = next(p for p in proposals(market) if p.calls == tuple(calls))
    if found.state != "decided":
        raise ChainError(
            f"proposal {found.number} of the council has {found.approvals} of {found.needed} approvals; "
            f"when it is decided and executed (the command `council`), the same command goes on"
        )
    chain.wait_until(found.ready_at)
    chain.send(seat, council, "execute", found.number)


def call(market: Market, contract: Contract, function: str, *arguments: Any) -> Call:
    """A call to propose."""
    transaction = market.chain.transaction(contract, function, *arguments)
    return contract.address, transaction.data


def calls_in_words(market: Market, words: Sequence[str]) -> list[Call]:
    """Calls from words: Contract.function and its arguments, further calls after "and".

    Roles go by name. Of a version of the rules only what changes is said (name=value): the rest is as on its first day.

    Raises:
        InputError: no such function can be proposed, or the arguments are not its.
    """
    calls: list[Call] = []
    rest = list(words)
    while rest:
        end = rest.index(AND) if AND in rest else len(rest)
        name, *arguments = rest[:end] or [""]
        known = len(set(calls))
        if name not in PROPOSABLE:
            raise InputError("proposal", name, f"is none of {', '.join(PROPOSABLE)}")
        target, _, function = name.partition(".")
        contract = market.contract(target)
        inputs = contract.get_function_by_name(function).abi["inputs"]
        if inputs and inputs[-1]["type"] == "tuple":
            day = _value(f"{name} {inputs[0]['name']}", inputs[0], arguments[0] if arguments else "")
            calls.append(call(market, contract, function, day, _changed_rules(market, day, arguments[1:])))
        else:
            if len(arguments) != len(inputs):
                wanted = ", ".join(f"{i['name']} ({canonical(i)})" for i in inputs)
                raise InputError(name, " ".join(arguments) or None, f"takes {len(inputs)} arguments: {wanted}")
            values = [_value(f"{name} {i['name']}", i, word) for i, word in zip(inputs, arguments, strict=True)]
            calls.append(call(market, contract, function, *values))
        if len(set(calls)) == known:
            why = "is there twice: the authority waits for one call at a time, so such a proposal is never decided"
            raise InputError("proposal", " ".join(rest[:end]), why)
        rest = rest[end + 1 :]
    return calls


def in_words(addresses: Mapping[str, str], calls: Sequence[Call]) -> str:
    """Calls as they would be proposed; one that no contract of the market understands as address and data.

    addresses: of the market's contracts, by name.
    """
    names = {address.lower(): name for name, address in addresses.items()}
    said = []
    for target, data in calls:
        name = names.get(target.lower(), "")
        artifacts = shipped()
        is_known = name.partition(":")[0] in artifacts
        found = decoded_call(artifacts[name].abi, data) if is_known else None
        if found is None:
            said.append(f"{target} 0x{data.hex()}")
        else:
            function, values = found
            said.append(" ".join([f"{name}.{function}", *map(_shown, values)]))
    return f" {AND} ".join(said)


def _shown(value: Any) -> str:
    if isinstance(value, bytes):
        return f"0x{value.hex()}"
    if isinstance(value, Mapping):
        return " ".join(f"{name}={_shown(member)}" for name, member in value.items())
    return str(value)


def _changed_rules(market: Market, day: int, words: Sequence[str]) -> tuple[Any, ...]:
    """The rules of a day with these changes."""
    changed = market.rules_on(day)
    [output] = market.rules.functions.rulesOf(day).abi["outputs"]
    names = [*changed]
    for word in words:
        name, _, value = word.partition("=")
        if name not in changed:
            raise InputError("rules", name, f"is none of {', '.join(names)}")
        changed[name] = _value(name, output["components"][names.index(name)], value)
    return tuple(changed.values())


def _value(where: str, entry: Any, word: str) -> Any:
    """An argument from a word."""
    if entry["type"] == "address":
        if not word.startswith("0x") or len(word) != 42:
            raise InputError(where, word, "is no address")
        return word
    if entry["type"] == "bool":
        if word not in ("true", "false"):
            raise InputError(where, word, "must be true or false")
        return word == "true"
    if entry["type"] == "bytes32":
        if not word.startswith("0x") or len(word) != 66:
            raise InputError(where, word, "is no hash of 32 bytes")
        return bytes.fromhex(word.removeprefix("0x"))
    if entry["type"] == "bytes":
        if re.fullmatch(r"0x([0-9a-fA-F]{2})*", word) is None:
            raise InputError(where, word, "is not hexadecimal")
        return bytes.fromhex(word.removeprefix("0x"))
    word = str(_ROLE_NUMBERS.get(word, word)) if entry["name"] == "roleId" else word
    if not word.isdecimal():
        raise InputError(where, word, "must be a whole number")
    return int(word)
