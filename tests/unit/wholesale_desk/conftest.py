import pytest
from support.once import once
from support.village import Member, Village
from support.wholesale import admit_desk
from web3.contract import Contract


@pytest.fixture
def office(village: Village) -> Contract:
    return village.market.contract("WholesaleDesk")


@once
def desk(village: Village) -> Member:
    """Admitted, and not appointed."""
    return admit_desk(village)
