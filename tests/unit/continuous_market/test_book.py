import pytest
from ape.api import AccountAPI
from support.once import once
from support.refusals import refused
from support.signed import NO_ENERGY, signed_lanes
from support.village import PERIOD, PERIODS, Member, Village
from web3.contract import Contract

from .conftest import FUNDS, Send


@pytest.fixture
def booker(village: Village) -> AccountAPI:
    """An account with the role that otherwise the schedule holds."""
    village.grant("schedule", village.stranger)
    return village.stranger


@once
def traded(village: Village, buyer: Member, seller: Member, by: Send, funded: None) -> None:
    by(seller, "place", 1, 7, True, 100, 600, 0)
    by(buyer, "place", 1, 7, False, 100, 600, 1)
    village.wait_until(village.calendar.start_of(1) + (PERIODS - 1) * PERIOD)


def test_answers_what_each_member_traded(
    intraday: Contract, buyer: Member, seller: Member, booker: AccountAPI, traded: None
) -> None:
    assert intraday.functions.isCleared(1).call()
    net, payment, traded_, release, flexible = intraday.functions.book(1, 1, 8).call({"from": booker.address})
    assert net == [[]] * 5 + [[NO_ENERGY, signed_lanes(0, e, 0, 0, 0, 0)] for e in (600, -600)] + [[]]
    assert payment == [0] * 5 + [6_000_000, -6_000_000, 0]
    assert traded_ == [0] * 5 + [600, 600, 0]
    assert release == [0] * 5 + [FUNDS, FUNDS, 0]
    assert flexible == [[]] * 6 + [[0, 600 << 40]] + [[]]


def test_a_second_walk_gives_the_same_positions_and_releases_nothing_more(
    village: Village, intraday: Contract, booker: AccountAPI, traded: None
) -> None:
    village.market.chain.send(booker, intraday, "book", 1, 1, 8)
    _, payment, _, release, _ = intraday.functions.book(1, 1, 8).call({"from": booker.address})
    assert payment[5:7] == [6_000_000, -6_000_000]
    assert release == [0] * 8


def test_a_day_that_nobody_funded_is_empty(
    village: Village, intraday: Contract, booker: AccountAPI, plugged: None
) -> None:
    village.wait_until(village.calendar.start_of(2))
    for day in (1,):
        assert intraday.functions.book(day, 1, 2).call({"from": booker.address}) == (
            [[], []],
            [0, 0],
            [0, 0],
            [0, 0],
            [],
        )


def test_reverts_before_the_last_gate(village: Village, intraday: Contract, booker: AccountAPI, opened: None) -> None:
    village.wait_until(village.calendar.start_of(1) + (PERIODS - 1) * PERIOD - 2)
    assert not intraday.functions.isCleared(1).call()
    with refused("NotCleared", day=1):
        village.market.chain.send(booker, intraday, "book", 1, 1, 8)


def test_reverts_when_the_day_has_made_room_for_another(
    village: Village, intraday: Contract, rules: Contract, buyer: Member, by: Send, booker: AccountAPI, traded: None
) -> None:
    village.grant("settlement", village.stranger)
    village.market.chain.send(village.stranger, rules, "markFinal", 1)
    village.wait_until(village.calendar.gate_closes_at(9))
    by(buyer, "fund", 9, 5)
    with refused("DayIsOver", day=1):
        village.market.chain.send(booker, intraday, "book", 1, 1, 8)


def test_reverts_when_the_caller_is_not_the_schedule(
    village: Village, intraday: Contract, stranger: AccountAPI
) -> None:
    with refused("AccessManagedUnauthorized", caller=stranger.address):
        village.market.chain.send(stranger, intraday, "book", 1, 1, 1)
