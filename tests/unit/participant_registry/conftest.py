import pytest
from support.once import once
from support.signed import Signed, application
from support.village import CONSUMER, Village

from dem.community.keys import Wallet
from dem.deployment.market import Market


@pytest.fixture(scope="session")
def signed_application(market: Market, applicant: Wallet) -> Signed:
    return application(market, applicant, CONSUMER)


@once
def applied(village: Village, signed_application: Signed) -> None:
    """The applicant's request is on record."""
    village.relay(village.market.registry, "applyFor", *signed_application)
