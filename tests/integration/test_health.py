"""The state of a market on a chain inside the process."""

from support.village import Village

from dem.deployment.health import check_market, check_nodes
from dem.deployment.limits import Limits
from dem.deployment.market import Market

PATIENT = Limits(depth=0, age=None, grace=10**9)


def test_a_market_that_is_well(market: Market, village: Village) -> None:
    chain = market.chain
    health = check_nodes({"embedded": chain.ask}, PATIENT, chain.now())
    assert health.problems == []
    assert (health.nodes[0].head, health.nodes[0].age, health.nodes[0].lag) == (chain.block, 0, 0)
    state, problems = check_market(market, PATIENT)
    assert problems == []
    assert (state.last_final_day, state.clearing_house, state.arrears, state.paused) == (0, 0, 0, [])


def test_a_paused_market_is_named_with_who_lifts_the_pause(market: Market, village: Village) -> None:
    market.chain.send(market.keys["node"], market.accounts, "pause", market.addresses["CallAuction"])
    state, problems = check_market(market, PATIENT)
    assert state.paused == ["CallAuction"]
    assert problems == ["CallAuction is paused: it goes on by itself; before, if the council calls Accounts.unpause"]


def test_what_is_due_is_named(market: Market, village: Village) -> None:
    chain, calendar = market.chain, market.calendar
    chain.wait_until(calendar.gate_closes_at(1) + 2)
    _, problems = check_market(market, Limits(grace=1))
    assert problems[0].startswith("day 1 is not cleared, which was due ")
    assert check_market(market, Limits(grace=1000))[1] == []
