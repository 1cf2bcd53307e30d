"""The layers that rules may allow: the contract refuses one more than the model says."""

import pytest
from support.evm.chain import Chain, Refused
from support.evm.market import ADMIN

from dem.deployment.plan import range_tuple, rules_tuple
from dem.model.calendar import CalendarParameters
from dem.model.rules import MarketRules
from dem.model.worst_day import MAX_LAYERS, most_layers

DAY = 86_400


def deploy(periods: int, layers: int) -> None:
    chain = Chain(1, 1_000_000)
    calendar = CalendarParameters(10_000_000, DAY // periods, periods, DAY, DAY // 2, 0, DAY)
    rules = MarketRules(7, 11, 13, 30_000, 5_000, 60_000, 0, 0, 1, layers)
    terms = range_tuple(rules.prices), rules_tuple(rules)
    chain.deploy(ADMIN.address, "MarketRules", ADMIN.address, calendar.as_tuple(), *terms)


@pytest.mark.parametrize("periods", [6, 24, 48, 96])
def test_rules_are_taken_up_to_the_bound_of_the_model(periods):
    most = most_layers(periods)
    assert 4 <= most <= MAX_LAYERS
    deploy(periods, most)
    with pytest.raises((Refused, RuntimeError), match=r"BadRule|Revert"):
        deploy(periods, most + 1)
