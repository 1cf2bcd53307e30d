"""A new version of a market begins by one decision while days of the old one are still traded and settled."""

from eth_utils import function_signature_to_4byte_selector
from support.council import Governed
from support.refusals import refused
from support.village import PERIODS
from web3.contract import Contract

from dem.deployment.market import Market
from dem.deployment.roles import ROLES

FUNDS = 3 * 10**8
NUMBERS = {role.name: role.id for role in ROLES}


def selector(contract: Contract, function: str) -> bytes:
    return function_signature_to_4byte_selector(contract.get_function_by_name(function).signature)


def test_old_and_new_trade_side_by_side(governed: Governed, market: Market) -> None:
    village, chain, authority, schedule = (
        governed.village,
        market.chain,
        market.authority,
        market.contract("Schedule"),
    )
    old, buyer = market.contract("ContinuousMarket"), village.buyer
    names = ("ParticipantRegistry", "MarketRules", "Accounts", "Schedule")
    arguments = (authority.address, village.calendar.as_tuple(), 0, *(market.addresses[name] for name in names))
    new = chain.contract("ContinuousMarket", chain.deploy(village.stranger, "ContinuousMarket", arguments))
    village.send("council", schedule, "addMarket", old.address, 1)
    governed.decide(
        governed.call(authority, "setTargetFunctionRole", new.address, [selector(new, "book")], NUMBERS["schedule"]),
        governed.call(authority, "setTargetFunctionRole", new.address, [selector(new, "bar")], NUMBERS["standing"]),
        governed.call(market.registry, "addWatcher", new.address),
        governed.call(schedule, "addMarket", new.address, 2),
    )
    village.wait_until(village.calendar.gate_closes_at(2))
    for each in (old, new):
        chain.send(buyer.sender, each, "fund", 2, FUNDS)
        chain.send(buyer.sender, each, "place", 2, PERIODS - 1, False, 100, 100, 0)
    forever = (1 << 40) - 1
    governed.decide(governed.call(market.accounts, "keepPaused", old.address, forever))
    with refused("OrderEntryPaused"):
        chain.send(buyer.sender, old, "place", 2, PERIODS - 1, False, 100, 100, 0)
    village.send("registrar", market.registry, "suspend", buyer.id)
    for each in (old, new):
        with refused("MemberBarred", id=buyer.id):
            chain.send(buyer.sender, each, "place", 2, PERIODS - 1, False, 100, 100, 0)
