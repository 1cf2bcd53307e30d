from dataclasses import replace

import pytest
from support.once import once
from support.signed import ask, bid
from support.village import RULES, Member, Village
from web3.contract import Contract

from dem.deployment.plan import rules_tuple
from dem.model.rules import MarketRules

PAYING_DAY = 3
"""The first day whose rules let the fund pay."""


@pytest.fixture
def fund(village: Village) -> Contract:
    return village.market.contract("BalancingFund")


@once
def paying(village: Village, rules: Contract) -> MarketRules:
    """Half of what the fund earns rewards energy that was kept as contracted, from day 3 on."""
    generous = replace(RULES, reward_share=5_000)
    village.send("council", rules, "announce", PAYING_DAY, rules_tuple(generous))
    return generous


@once
def earned(village: Village, paying: MarketRules, buyer: Member, seller: Member) -> None:
    """Days 1 and 2 pass by; on day 3 the seller delivers 500 of the 1,000 Wh it contracted; all three are final."""
    days = (1, 2, PAYING_DAY)
    village.open_auction(PAYING_DAY)
    village.place(buyer, bid(7, 200, 1_000), day=PAYING_DAY)
    village.place(seller, ask(7, 100, 1_000), day=PAYING_DAY)
    for day in days:
        village.clear_day(day)
        if day == PAYING_DAY:
            village.wait_until(village.calendar.start_of(day + 1))
            village.read(buyer, [0] * 7 + [1_000] + [0] * 4, day=day)
            village.read(seller, [0] * 7 + [-500] + [0] * 4, day=day)
        village.close_metering(day)
        village.settle(day)
    village.wait_until(village.calendar.corrections_close_at(PAYING_DAY))
    for day in days:
        village.relay(village.market.settlement, "finalize", day)
