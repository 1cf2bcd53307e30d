from dataclasses import replace

from support.village import RULES, STRIPS, Village
from web3.contract import Contract

from dem.deployment.plan import rules_tuple
from dem.model.rules import Tariff
from dem.model.strips import LANES, pack


def test_the_standing_tariff_of_the_day_holds_where_none_was_published(
    village: Village, rules: Contract, fallback: Contract
) -> None:
    dearer = replace(RULES, standing_buy=31_000)
    village.send("council", rules, "announce", 2, rules_tuple(dearer))
    for day, buy in ((1, 30_000), (2, 31_000)):
        lanes = [Tariff(buy, 8_000).lane(RULES.prices)] * LANES
        assert fallback.functions.tariffsOf(day).call() == [pack(day, lanes)] * STRIPS


def test_a_days_tariffs_do_not_outlive_it(village: Village, fallback: Contract) -> None:
    village.send("supplier", fallback, "publish", 1, [pack(1, [Tariff(1, 0).lane(RULES.prices)] * LANES)] * STRIPS)
    # day 9 takes the storage of day 1
    lanes = [Tariff(RULES.standing_buy, RULES.standing_sell).lane(RULES.prices)] * LANES
    assert fallback.functions.tariffsOf(9).call() == [pack(9, lanes)] * STRIPS
