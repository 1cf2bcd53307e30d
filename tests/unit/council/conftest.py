import pytest
from ape.api import AccountAPI
from support.council import Governed, found_governed
from support.village import Village
from web3.contract import Contract

from dem.deployment import Market


@pytest.fixture(scope="session")
def governed(tmp_path_factory: pytest.TempPathFactory) -> Governed:
    return found_governed(tmp_path_factory.mktemp("governed"))


@pytest.fixture(scope="session")
def village(governed: Governed) -> Village:
    return governed.village


@pytest.fixture(scope="session")
def market(governed: Governed) -> Market:
    return governed.market


@pytest.fixture(scope="session")
def council(governed: Governed) -> Contract:
    return governed.council


@pytest.fixture
def stranger(governed: Governed) -> AccountAPI:
    return governed.village.stranger
