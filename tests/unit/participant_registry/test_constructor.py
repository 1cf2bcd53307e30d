from dataclasses import replace

import pytest
from support.refusals import refused
from support.village import ADMITTED, FOREVER, NOBODY, Village
from web3.contract import Contract

from dem.deployment.market import ADMIN
from dem.deployment.plan import Offices

NO_LIMIT = (1 << 33) - 1
AREA_LIMIT = (1 << 37) - 1
"""Of all meters together, Wh per period."""


def offices(village: Village) -> Offices:
    grid = village.grid_operator
    return Offices(village.supplier.account, village.operator.account, grid.account, grid.meter)


def deploy(village: Village, given: Offices) -> str:
    market = village.market
    addresses = (given.supplier, given.operator, given.grid_operator, given.boundary_meter)
    arguments = (market.authority.address, market.calendar.as_tuple(), *addresses)
    return market.chain.deploy(market.keys[ADMIN], "ParticipantRegistry", arguments)


def test_enters_the_markets_own_accounts(village: Village, registry: Contract) -> None:
    grid = village.grid_operator
    assert [tuple(registry.functions.member(number).call()) for number in range(1, 6)] == [
        (NOBODY, 0, 0, ADMITTED, NOBODY, 1, FOREVER, 1),
        (NOBODY, 0, 0, ADMITTED, NOBODY, 1, FOREVER, 2),
        (village.supplier.account, NO_LIMIT, NO_LIMIT, ADMITTED, NOBODY, 1, FOREVER, 3),
        (village.operator.account, 0, 0, ADMITTED, NOBODY, 1, FOREVER, 4),
        (grid.account, AREA_LIMIT, AREA_LIMIT, ADMITTED, grid.meter, 1, FOREVER, 5),
    ]


def test_the_accounts_without_a_key_belong_to_nobody(registry: Contract) -> None:
    assert registry.functions.idOf(NOBODY).call() == 0


@pytest.mark.parametrize("office", ["supplier", "operator", "grid_operator"])
def test_reverts_when_an_office_has_no_key(village: Village, office: str) -> None:
    with refused("KeyUnusable", key=NOBODY):
        deploy(village, replace(offices(village), **{office: NOBODY}))


def test_reverts_when_two_offices_share_a_key(village: Village) -> None:
    with refused("KeyUnusable", key=village.supplier.account):
        deploy(village, replace(offices(village), operator=village.supplier.account))
