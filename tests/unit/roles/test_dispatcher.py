"""What a dispatcher's service does on a chain, by tables of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from support import PROJECT
from support.village import PERIODS, RULES, Village

from dem.community.signing import sign_relief_offer
from dem.deployment.market import Market
from dem.errors import InputError
from dem.grid.network import Limits, Network, read_network
from dem.model.limits import Share
from dem.model.relief import Offer
from dem.relay import relief
from dem.relay.batches import Relay
from dem.relay.following import Following
from dem.roles.chain import ChainRole
from dem.roles.dispatcher import GridDispatcher, knowledge_of
from dem.roles.service import Service

BUS = "LV1.101 Bus 13"
EXPORT = 9_000
"""Of each of two members, Wh per period: together more than the transformer may carry here."""


@pytest.fixture
def network() -> Network:
    """The village's, with a transformer that may carry a third of its rating."""
    whole = read_network(PROJECT / "scenarios" / "data" / "simbench-lv-rural1" / "grid")
    return replace(whole, limits=Limits(loading=333_000))


@pytest.fixture
def relay(market: Market) -> Relay:
    return Relay(market)


def service(village: Village, relay: Relay, network: Network, expected: Mapping[str, Sequence[int]]) -> Service:
    follow = Following(relay.records)
    buses = {member.account: BUS for member in (village.buyer, village.seller)}
    knowledge = knowledge_of(relay, network, lambda: buses, lambda day: expected if day == 1 else {}, follow)
    role = GridDispatcher(relay, knowledge, follow)
    return Service("dispatcher", "dispatcher", lambda: ChainRole(relay, role.steps))


def fed_in(village: Village, *slots: int) -> Mapping[str, Sequence[int]]:
    net = [-EXPORT if slot in slots else 0 for slot in range(PERIODS)]
    return {member.account: net for member in (village.buyer, village.seller)}


def before_opening(village: Village) -> None:
    village.wait_until(village.calendar.opens_at(1) - village.calendar.period_length)


def test_publishes_once_before_the_auction_opens(village: Village, relay: Relay, network: Network) -> None:
    before_opening(village)
    role = service(village, relay, network, fed_in(village, 2))
    assert (role.look(), role.look()) == (1, 0)
    replay = Following(relay.records)()
    shares = replay.grid.shares(village.seller.id, 1)
    assert [slot for slot, share in enumerate(shares) if share != Share()] == [2]
    assert 0 < shares[2].exports < 10_000 == shares[2].imports
    assert replay.grid.zone(village.rival.id, 1) == 0, "who is in no table has no zone"
    again = service(village, relay, network, fed_in(village, 2))
    assert again.look() == 0, "another start finds it done"


def test_a_day_that_its_table_does_not_know_is_left_to_the_standing_limits(
    village: Village, relay: Relay, network: Network
) -> None:
    before_opening(village)
    assert service(village, relay, network, {}).look() == 0
    assert Following(relay.records)().grid.publications(1) == ()


def test_needs_to_know_what_to_expect_of_everybody(village: Village, relay: Relay, network: Network) -> None:
    before_opening(village)
    expected = dict(list(fed_in(village, 2).items())[:1])
    follow = Following(relay.records)
    buses = {member.account: BUS for member in (village.buyer, village.seller)}
    knowledge = knowledge_of(relay, network, lambda: buses, lambda _day: expected, follow)
    with pytest.raises(InputError, match="limits need all members"):
        knowledge.limits(1)


def test_approves_and_has_charged_what_went_beyond(village: Village, relay: Relay, network: Network) -> None:
    before_opening(village)
    role = service(village, relay, network, fed_in(village, 2))
    role.look()
    village.wait_until(village.calendar.gate_closes_at(1))
    assert (role.look(), role.look()) == (1, 0)
    assert relay.market.contract("GridLimits").functions.isApproved(1).call()
    village.clear_day(1)
    village.wait_until(village.calendar.metering_deadline(1))
    for member in village.members:
        village.read(member, [-EXPORT if slot == 2 and member is village.seller else 0 for slot in range(PERIODS)])
    village.close_metering(1)
    village.settle(1)
    village.wait_until(village.calendar.corrections_close_at(1))
    village.relay(village.market.settlement, "finalize", 1)
    before = village.free(village.seller)
    # The next day, of which nothing is expected, is approved as well.
    assert (role.look(), role.look()) == (2, 0)
    most = Following(relay.records)().grid.limits(village.seller.id, 1).exports[2]
    excess = EXPORT - most
    tolerance = max(RULES.tolerance_fixed, most * RULES.tolerance_share // 10_000)
    charged = excess * RULES.standing_sell + (excess - tolerance) * RULES.deviation_rate
    assert before - village.free(village.seller) == charged


def test_buys_relief_before_it_limits_and_has_it_paid(village: Village, relay: Relay, network: Network) -> None:
    domain = village.market.domain("GridRelief")
    offers = (
        sign_relief_offer(domain, village.seller.wallet, Offer(0, 0, 10_000, 100), 1),
        sign_relief_offer(domain, village.grid_operator.wallet, Offer(0, 0, 1, 300), 1),
    )
    for _ in range(2):
        relief.offer(relay, offers)
    assert relay.refused == [], "what the chain knows is not brought again"
    before_opening(village)
    role = service(village, relay, network, fed_in(village, 2))
    assert (role.look(), role.look()) == (1, 0)
    replay = Following(relay.records)()
    [(place, sold)] = replay.relief.slots(village.seller.id, 1).items()
    assert place == (2, True)
    assert (sold.energy + sold.most, sold.price) == (EXPORT, 100)
    assert replay.grid.shares(village.seller.id, 1)[2] == Share(exports=9_000), "nobody is left more than is expected"
    village.wait_until(village.calendar.gate_closes_at(1))
    village.clear_day(1)
    village.wait_until(village.calendar.metering_deadline(1))
    for member in village.members:
        village.read(member, [-sold.most if slot == 2 and member is village.seller else 0 for slot in range(PERIODS)])
    village.close_metering(1)
    village.settle(1)
    village.wait_until(village.calendar.corrections_close_at(1))
    village.relay(village.market.settlement, "finalize", 1)
    before = village.free(village.seller)
    role.look()
    assert village.free(village.seller) - before == sold.energy * 100
    assert role.look() == 0
