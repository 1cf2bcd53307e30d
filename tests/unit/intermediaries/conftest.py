import pytest
from support.brokers import admit_intermediary
from support.village import Member, Village
from web3.contract import Contract

from dem.deployment import Market


@pytest.fixture(scope="session")
def intermediaries(market: Market) -> Contract:
    return market.contract("Intermediaries")


@pytest.fixture
def retailer(village: Village) -> Member:
    return admit_intermediary(village, "retailer")


@pytest.fixture
def aggregator(village: Village) -> Member:
    return admit_intermediary(village, "aggregator")
