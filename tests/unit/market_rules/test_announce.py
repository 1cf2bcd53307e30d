from dataclasses import replace
from typing import Any

import pytest
from ape.api import AccountAPI
from support.refusals import refused
from support.rules import FIELDS
from support.village import PERIODS, RULES, Village, events
from web3.contract import Contract

from dem.deployment.plan import rules_tuple
from dem.model.worst_day import most_layers

MAX_PRICE = (1 << 20) - 1
NEW = replace(RULES, platform_fee=11)


def changed(field: str, value: int) -> tuple[Any, ...]:
    """The rules in force but for one parameter, which the reference model would not let pass."""
    values = list(rules_tuple(RULES))
    values[FIELDS.index(field)] = value
    return tuple(values)


def test_applies_from_its_first_day_on(village: Village, rules: Contract) -> None:
    receipt = village.send("council", rules, "announce", 3, rules_tuple(NEW))
    [event] = events(receipt, rules, "RulesChanged")
    assert event["firstDay"] == 3
    assert tuple(event["rules"].values()) == rules_tuple(NEW)
    assert rules.functions.rulesOf(2).call() == rules_tuple(RULES)
    assert rules.functions.rulesOf(3).call() == rules_tuple(NEW)
    assert rules.functions.rulesOf(9).call() == rules_tuple(NEW)


def test_replaces_what_was_announced_for_the_same_day(village: Village, rules: Contract) -> None:
    village.send("council", rules, "announce", 3, rules_tuple(NEW))
    village.send("council", rules, "announce", 3, rules_tuple(replace(RULES, platform_fee=12)))
    assert rules.functions.rulesOf(3).call()[0] == 12
    assert rules.functions.rulesOf(2).call()[0] == RULES.platform_fee


def test_replaces_what_was_announced_for_later_days(village: Village, rules: Contract) -> None:
    village.send("council", rules, "announce", 5, rules_tuple(replace(RULES, platform_fee=12)))
    village.send("council", rules, "announce", 4, rules_tuple(NEW))
    assert [rules.functions.rulesOf(day).call()[0] for day in (3, 4, 5)] == [10, 11, 11]


def test_takes_the_day_after_the_next_to_open(village: Village, rules: Contract) -> None:
    village.wait_until(village.calendar.opens_at(2) - 2)
    village.send("council", rules, "announce", 3, rules_tuple(NEW))
    assert rules.functions.rulesOf(3).call() == rules_tuple(NEW)


def test_reverts_for_the_next_day_to_open_which_may_have_its_tariffs(village: Village, rules: Contract) -> None:
    village.open_auction(2)
    with refused("TooLateToChange", firstDay=3, earliest=4):
        village.send("council", rules, "announce", 3, rules_tuple(NEW))


def test_reverts_when_there_is_no_such_day(village: Village, rules: Contract) -> None:
    with refused("NoSuchDay", day=65_536):
        village.send("council", rules, "announce", 65_536, rules_tuple(NEW))


@pytest.mark.parametrize(
    ("parameter", "value", "limit"),
    [
        ("maxBuy", MAX_PRICE + 1, MAX_PRICE),
        ("maxBuy", -1, 0),
        ("minSell", 1, 0),
        ("minSell", RULES.prices.lowest - 1, RULES.prices.lowest),
        ("standingBuy", RULES.max_buy + 1, RULES.max_buy),
        ("standingSell", RULES.standing_buy + 1, RULES.standing_buy),
        ("platformFee", MAX_PRICE + 1, MAX_PRICE),
        ("networkFee", MAX_PRICE + 1, MAX_PRICE),
        ("deviationRate", MAX_PRICE + 1, MAX_PRICE),
        ("commissionCap", MAX_PRICE + 1, MAX_PRICE),
        ("toleranceFixed", (1 << 38) + 1, 1 << 38),
        ("toleranceShare", 10_001, 10_000),
        ("minOrderEnergy", 1 << 27, (1 << 27) - 1),
        ("minOrderEnergy", 0, 1),
        ("maxLayers", 0, 1),
        ("wholesaleMargin", MAX_PRICE + 1, MAX_PRICE),
        ("penaltyCap", MAX_PRICE + 1, MAX_PRICE),
        ("premiumRate", MAX_PRICE + 1, MAX_PRICE),
        ("rewardShare", 10_001, 10_000),
        ("maxLayers", most_layers(PERIODS) + 1, most_layers(PERIODS)),
    ],
)
def test_reverts_when_a_parameter_is_out_of_range(
    village: Village, rules: Contract, parameter: str, value: int, limit: int
) -> None:
    with refused("BadRule", parameter=parameter, value=value, limit=limit):
        village.send("council", rules, "announce", 2, changed(parameter, value))


def test_takes_parameters_at_their_limits(village: Village, rules: Contract) -> None:
    utmost = (MAX_PRICE,) * 6 + (
        RULES.prices.lowest,
        MAX_PRICE,
        1 << 38,
        10_000,
        (1 << 27) - 1,
        most_layers(PERIODS),
        2,
        True,
        (1 << 64) - 1,
    )
    utmost += (MAX_PRICE,) * 3 + (10_000,)
    village.send("council", rules, "announce", 2, utmost)
    assert rules.functions.rulesOf(2).call() == utmost


def test_reverts_when_the_caller_is_not_the_council(village: Village, rules: Contract, stranger: AccountAPI) -> None:
    with refused("AccessManagedUnauthorized", caller=stranger.address):
        village.market.chain.send(stranger, rules, "announce", 2, rules_tuple(NEW))
