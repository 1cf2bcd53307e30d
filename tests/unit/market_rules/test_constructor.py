from support.refusals import refused
from support.village import RULES, Village
from web3.contract import Contract

from dem.deployment.market import ADMIN
from dem.deployment.plan import rules_tuple


def test_the_first_version_applies_from_day_1(rules: Contract) -> None:
    assert rules.functions.rulesOf(1).call() == rules_tuple(RULES)


def test_reverts_when_a_parameter_is_out_of_range(village: Village) -> None:
    market = village.market
    too_dear = (*rules_tuple(RULES)[:3], RULES.max_buy + 1, *rules_tuple(RULES)[4:])
    with refused("BadRule", parameter="standingBuy", value=RULES.max_buy + 1, limit=RULES.max_buy):
        arguments = (market.authority.address, market.calendar.as_tuple(), too_dear)
        market.chain.deploy(market.keys[ADMIN], "MarketRules", arguments)
