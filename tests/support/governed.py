"""The village whose council is in power, in the place of the plain one."""

import pytest
from ape.api import AccountAPI
from web3.contract import Contract

from dem.deployment.market import Market

from .council import Governed, found_governed
from .village import Village


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
