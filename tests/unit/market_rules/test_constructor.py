import pytest
from support.refusals import refused
from support.village import RULES, Village
from web3.contract import Contract

from dem.deployment.market import ADMIN
from dem.deployment.plan import range_tuple, rules_tuple


def test_the_first_version_applies_from_day_1(rules: Contract) -> None:
    assert rules.functions.rulesOf(1).call() == rules_tuple(RULES)


def test_the_prices_are_those_it_was_deployed_with(village: Village, rules: Contract) -> None:
    assert rules.functions.priceRange().call() == range_tuple(RULES.prices)
    told = village.market.chain.events({"MarketRules": rules.address}, 0)
    [set_] = [event.args for event in told if event.name == "PriceRangeSet"]
    assert (set_["lowest"], set_["tick"]) == range_tuple(RULES.prices)


def deploy(village: Village, prices: tuple[int, int], rules: tuple[object, ...]) -> None:
    market = village.market
    arguments = (market.authority.address, market.calendar.as_tuple(), prices, rules)
    market.chain.deploy(market.keys[ADMIN], "MarketRules", arguments)


def test_reverts_when_a_parameter_is_out_of_range(village: Village) -> None:
    too_dear = (*rules_tuple(RULES)[:3], RULES.max_buy + 1, *rules_tuple(RULES)[4:])
    with refused("BadRule", parameter="standingBuy", value=RULES.max_buy + 1, limit=RULES.max_buy):
        deploy(village, (0, 100), too_dear)


@pytest.mark.parametrize(
    ("prices", "parameter", "value", "limit"),
    [
        ((0, 0), "tick", 0, 1),
        ((100, 100), "lowest", 100, 0),
        ((-(1 << 19) - 1, 1), "lowest", -(1 << 19) - 1, -(1 << 19)),
        ((-150, 100), "lowest", -150, -100),
        ((-4_095, 1), "highest", 0, 1),
        ((0, 129), "highest", 4_095 * 129, (1 << 19) - 1),
    ],
)
def test_reverts_when_the_prices_are_none_to_compute_with(
    village: Village, prices: tuple[int, int], parameter: str, value: int, limit: int
) -> None:
    with refused("BadPriceRange", parameter=parameter, value=value, limit=limit):
        deploy(village, prices, rules_tuple(RULES))
