"""Institutions and representatives decide together: neither reaches an office, or money, alone."""

from itertools import combinations

import pytest
from ape.api import AccountAPI
from support.council import DECIDED, OPEN, Governed
from support.once import once
from support.refusals import refused
from support.signed import application
from support.village import CONSUMER, Village, wallet_of
from web3.contract import Contract

from dem.deployment.market import Market
from dem.deployment.plan import Government
from dem.deployment.roles import ROLES

TREASURER = next(role.id for role in ROLES if role.name == "treasurer")


@once
def representatives(governed: Governed, village: Village, market: Market) -> list[AccountAPI]:
    """Those whom the participants elect: as many as by default, beside the three institutions."""
    third = wallet_of(village.spare, "third")
    village.relay(market.registry, "applyFor", *application(market, third, CONSUMER))
    village.admit(third.account)
    elected = [village.buyer.sender, village.seller.sender, village.spare]
    assert len(elected) == Government().representatives
    opening, terms = village.calendar.opening, governed.elections.functions.terms().call()
    village.wait_until(opening)
    for each in elected:
        market.chain.send(each, governed.elections, "nominate", 1)
    village.wait_until(opening + sum(terms[2:5]))
    market.chain.send(village.stranger, governed.elections, "conclude", 1)
    assert {each.address for each in elected} < governed.holders()
    return elected


@once
def one_institution(governed: Governed, council: Contract) -> AccountAPI:
    """The default numbers: the only institution there is."""
    governed.decide(*(governed.call(council, "unseat", seat.address) for seat in governed.seats[1:]))
    return governed.seats[0]


REACHES = {
    "the treasurer's office": lambda g, m, to: ("grantRole", m.authority, (TREASURER, to, 0)),
    "an institution's seat": lambda g, m, to: ("seat", g.council, (to,)),
    "another's seat": lambda g, m, to: ("unseat", g.council, (g.seats[0].address,)),
    "the threshold": lambda g, m, to: ("setThreshold", g.council, (1,)),
    "credit": lambda g, m, to: ("setCreditLimit", m.accounts, (3, 10**20)),
    "a market of its own": lambda g, m, to: ("addMarket", m.contract("Schedule"), (to, 99_999)),
}


@pytest.mark.parametrize("what", REACHES)
def test_representatives_do_not_reach_it_alone(
    one_institution: AccountAPI, representatives: list[AccountAPI], governed: Governed, market: Market, what: str
) -> None:
    """They are three of four seats, and all that is needed in number."""
    function, contract, arguments = REACHES[what](governed, market, representatives[0].address)
    number = governed.propose(governed.call(contract, function, *arguments), by=representatives[0])
    for each in representatives[1:]:
        governed.send(each, "approve", number)
    assert governed.council.functions.proposal(number).call()[:7] == (
        OPEN,
        *governed.council.functions.proposal(number).call()[1:3],
        3,
        3,
        1,
        0,
    )
    governed.pass_delay()
    with refused("WrongState", id=number, state=OPEN):
        governed.execute(number)
    governed.send(one_institution, "approve", number)
    assert governed.state(number) == DECIDED


def test_institutions_do_not_reach_it_alone(
    representatives: list[AccountAPI], governed: Governed, market: Market, stranger: AccountAPI
) -> None:
    """Three institutions and one representative are four of six."""
    number = governed.propose(governed.call(market.authority, "grantRole", TREASURER, stranger.address, 0))
    for each in (*governed.seats[1:], representatives[0]):
        governed.send(each, "approve", number)
    assert governed.council.functions.proposal(number).call()[3:7] == (4, 4, 0, 1)
    assert governed.state(number) == OPEN
    governed.send(representatives[1], "approve", number)
    governed.pass_delay()
    governed.execute(number)
    market.chain.send(stranger, market.accounts, "deposit", governed.village.buyer.account, 1, b"\x01" * 32)


def test_more_than_half_of_each_is_enough_and_less_is_not(
    representatives: list[AccountAPI], governed: Governed, council: Contract
) -> None:
    """Any four of six that are two of each kind decide; no other four do."""
    everybody = [*governed.seats, *representatives]
    for n, four in enumerate(combinations(everybody, 4)):
        number = governed.propose(governed.call(council, "setThreshold", n), by=four[0])
        for each in four[1:]:
            governed.send(each, "approve", number)
        institutions = sum(each in governed.seats for each in four)
        assert governed.state(number) == (DECIDED if institutions == 2 else OPEN)


def test_a_decision_that_has_lost_one_kind_is_not_executed(
    representatives: list[AccountAPI], governed: Governed, council: Contract, village: Village, market: Market
) -> None:
    """Two representatives leave the market; those whom they leave the seats to have not agreed."""
    number = governed.propose(governed.call(council, "setThreshold", 4))
    for each in (*governed.seats[1:], *representatives[1:]):
        governed.send(each, "approve", number)
    governed.pass_delay()
    for member in (village.seller.account, village.spare.address):
        village.send("registrar", market.registry, "exit", market.registry.functions.idOf(member).call())
        market.chain.send(village.stranger, governed.elections, "vacate", member)
    with refused("OneSided", id=number, institutions=0, representatives=1):
        governed.execute(number)
    governed.send(representatives[0], "approve", number)
    governed.execute(number)


def test_neither_keeps_the_other_from_lifting_a_pause(
    one_institution: AccountAPI,
    representatives: list[AccountAPI],
    governed: Governed,
    council: Contract,
    market: Market,
) -> None:
    """What lets a market go on takes m of n alone: the one that paused cannot stop it."""
    market.chain.send(one_institution, market.accounts, "pauseAll")
    lift = governed.call(market.accounts, "unpause", market.auction.address)
    number = governed.propose(lift, governed.call(council, "takePause", one_institution.address), by=representatives[0])
    for each in representatives[1:]:
        governed.send(each, "approve", number)
    governed.execute(number)
    assert not market.accounts.functions.isPaused(market.auction.address).call()
    with refused("AccessManagedUnauthorized", caller=one_institution.address):
        market.chain.send(one_institution, market.accounts, "pauseAll")
