"""The deployed market for `ape test`: deployed once, as it was before every test."""

import pytest
from ape.api import AccountAPI
from web3.contract import Contract

from dem.community.keys import Wallet, wallet
from dem.deployment.market import Market

from . import embedded
from .brokers import admit_intermediary
from .once import once
from .village import Member, Village, found_village

embedded.shorten()


@pytest.fixture(scope="session")
def village(tmp_path_factory: pytest.TempPathFactory) -> Village:
    return found_village(tmp_path_factory.mktemp("village"))


@pytest.fixture(scope="session")
def market(village: Village) -> Market:
    return village.market


@pytest.fixture(scope="session")
def buyer(village: Village) -> Member:
    return village.buyer


@pytest.fixture(scope="session")
def seller(village: Village) -> Member:
    return village.seller


@pytest.fixture(scope="session")
def rival(village: Village) -> Member:
    return village.rival


@pytest.fixture(scope="session")
def applicant() -> Wallet:
    return wallet("village", 1, "applicant")


@pytest.fixture(scope="session")
def stranger(village: Village) -> AccountAPI:
    return village.stranger


@pytest.fixture(scope="session")
def registry(market: Market) -> Contract:
    return market.registry


@pytest.fixture(scope="session")
def meters(market: Market) -> Contract:
    return market.contract("Meters")


@pytest.fixture(scope="session")
def ledger(market: Market) -> Contract:
    return market.accounts


@pytest.fixture(scope="session")
def token(market: Market) -> Contract:
    return market.token


@pytest.fixture(scope="session")
def rules(market: Market) -> Contract:
    return market.rules


@pytest.fixture(scope="session")
def auction(market: Market) -> Contract:
    return market.auction


@pytest.fixture(scope="session")
def intraday(market: Market) -> Contract:
    return market.intraday


@pytest.fixture(scope="session")
def intermediaries(market: Market) -> Contract:
    return market.contract("Intermediaries")


@once
def retailer(village: Village) -> Member:
    return admit_intermediary(village, "retailer")


@once
def aggregator(village: Village) -> Member:
    return admit_intermediary(village, "aggregator")


@pytest.fixture(scope="session")
def schedule(market: Market) -> Contract:
    return market.contract("Schedule")


@pytest.fixture(scope="session")
def readings(market: Market) -> Contract:
    return market.readings


@pytest.fixture(scope="session")
def fallback(market: Market) -> Contract:
    return market.fallback


@pytest.fixture(scope="session")
def settlement(market: Market) -> Contract:
    return market.settlement
