"""A market in which the council is in power: whoever has no say tries every function there is."""

from collections.abc import Mapping
from itertools import islice

import pytest
from ape.api import AccountAPI
from support.council import OPEN as UNDECIDED
from support.council import Governed, found_governed
from support.refusals import described
from support.signed import application
from support.village import CONSUMER

from dem.community.keys import Wallet
from dem.deployment.market import ADMIN, Market
from dem.deployment.roles import ADMINS as OF_THE_ADMIN
from dem.deployment.roles import INTERNAL, OPEN, ROLES, SEATED
from dem.errors import RefusedError

from .test_access import ADMINS, ANYBODYS, FOR_THE_AUTHORITY_ITSELF, MARKET, arguments, outcome, writing

NODES = {(contract, f) for role in ROLES if role.name == "node" for contract, fs in role.functions.items() for f in fs}
EVERYTHING = [(contract, function) for contract in ("Authority", *MARKET) for function in writing(contract)]
CLOSED = {
    (contract, function)
    for contract, function in EVERYTHING
    if function not in OPEN.get(contract, ()) and not (contract == "Authority" and function in ANYBODYS)
}
"""All but what anybody may."""
REFUSALS = (
    "AccessManagedUnauthorized",
    "AccessManagerUnauthorizedAccount",
    "NotSeated",
    "NotTheAccounts",
    "NotAMarket",
    "DayDoesNotCount",
    "NotTheSchedule",
)


@pytest.fixture(scope="module")
def governed(tmp_path_factory: pytest.TempPathFactory) -> Governed:
    return found_governed(tmp_path_factory.mktemp("governed"))


@pytest.fixture(scope="module")
def market(governed: Governed) -> Market:
    return governed.market


@pytest.fixture(scope="module")
def outsiders(governed: Governed) -> Mapping[str, AccountAPI]:
    """Who is not admitted, a node without a seat, a suspended participant, a stranger, whoever set the market up."""
    village, market = governed.village, governed.market
    stranger, applicant, node = islice(market.chain.accounts(None), 14, 17)
    key = bytes.fromhex(applicant.private_key.removeprefix("0x"))
    wallet = Wallet("applicant", key, bytes(31) + b"\1")
    village.relay(market.registry, "applyFor", *application(market, wallet, CONSUMER))
    village.send("registrar", market.registry, "suspend", village.buyer.id)
    governed.decide(governed.call(governed.council, "seat", node.address))
    governed.decide(governed.call(governed.council, "unseat", node.address))
    return {
        "not admitted": applicant,
        "node without a seat": node,
        "suspended": village.buyer.sender,
        "stranger": stranger,
        "former admin": market.keys[ADMIN],
    }


def test_every_function_is_open_or_closed() -> None:
    """A new function without a decision is in neither table: the tests of access name it."""
    by_role = {(c, f) for role in ROLES for c, functions in role.functions.items() for f in functions}
    tables = {(c, f) for table in (INTERNAL, SEATED, OF_THE_ADMIN) for c, functions in table.items() for f in functions}
    of_authority = {("Authority", f) for f in ADMINS}
    of_managed = {(c, FOR_THE_AUTHORITY_ITSELF) for c in MARKET if FOR_THE_AUTHORITY_ITSELF in writing(c)}
    assert by_role | tables | of_authority | of_managed == CLOSED


@pytest.mark.parametrize(("contract", "function"), sorted(CLOSED))
def test_nobody_from_outside_passes(
    governed: Governed, market: Market, outsiders: Mapping[str, AccountAPI], contract: str, function: str
) -> None:
    for name, caller in outsiders.items():
        refusal = outcome(market, caller, contract, function)
        allowed = ("BadCallCount",) if function == "propose" else REFUSALS
        assert refusal.startswith(allowed), (name, refusal)


@pytest.mark.parametrize(("contract", "function"), sorted(CLOSED - NODES))
def test_a_minority_of_the_council_has_nothing_done(
    governed: Governed, market: Market, contract: str, function: str
) -> None:
    """Not by itself, and not by a proposal, of which it makes nothing happen however long it waits."""
    seat = governed.seats[2]
    if function not in SEATED.get(contract, ()):
        refusal = outcome(market, seat, contract, function)
        assert refusal.startswith(REFUSALS), refusal
    inputs = writing(contract)[function]["inputs"]
    call = governed.call(market.contract(contract), function, *arguments(inputs, seat.address))
    count = governed.council.functions.proposalCount().call()
    refusal = outcome_of(governed, seat, "propose", [call])
    if refusal:
        assert refusal == described("NotForTheCouncil", target=call[0], selector=call[1][:4])
        return
    assert governed.state(count + 1) == UNDECIDED
    governed.pass_delay()
    for sender in (seat, governed.village.stranger):
        assert outcome_of(governed, sender, "execute", count + 1) == described(
            "WrongState", id=count + 1, state=UNDECIDED
        )


def outcome_of(governed: Governed, sender: AccountAPI, function: str, *values: object) -> str:
    """Why the council refuses, empty if it does not."""
    try:
        governed.send(sender, function, *values)
    except RefusedError as error:
        return error.why
    return ""
