"""The wholesale desk's steps on a chain: what it commits to, what it reports, and who clears what comes of it."""

from collections.abc import Callable, Sequence

import pytest
from support.signed import ask, bid
from support.village import RULES, Member, Village
from support.wholesale import admit_desk, appointed_desk, offers, plug_in

from dem.chain.accounts import account_of
from dem.deployment.market import Market
from dem.model.markets.wholesale import Offer
from dem.relay.batches import Relay
from dem.relay.following import Following
from dem.roles.chain import ChainRole
from dem.roles.desk import Desk
from dem.roles.operator import Operator
from dem.roles.service import Service

IMPORTS = offers({7: Offer(15_000, 0, 400, 0)})


@pytest.fixture
def desk(village: Village) -> Member:
    """The desk of all days, of a market that counts the residual; the auction of day 1 is open."""
    plug_in(village)
    own = appointed_desk(village)
    village.open_auction()
    return own


def service(market: Market, desk: Member, offered: Callable[[int], Sequence[Offer] | None]) -> Service:
    relay, key = Relay(market), account_of(desk.wallet.account_key)
    return Service("desk", "desk", lambda: ChainRole(relay, Desk(relay, key, offered).steps))


def operator(market: Market) -> Service:
    relay = Relay(market)
    return Service("operator", "operator", lambda: ChainRole(relay, Operator(relay, Following(relay.records)).steps))


def on_day_1(day: int) -> Sequence[Offer] | None:
    return IMPORTS if day == 1 else None


def exchanged(market: Market) -> int:
    """Wh of day 1 that come from the upper market."""
    _, words = market.contract("WholesaleResidual").functions.exchangeOf(1).call()
    return len(words)


def test_a_desk_commits_then_reports_and_an_operator_clears(village: Village, market: Market, desk: Member) -> None:
    village.place(village.buyer, bid(7, 150, 600))
    village.place(village.seller, ask(7, 100, 300))
    at_work = service(market, desk, on_day_1)
    assert (at_work.look(), at_work.look()) == (1, 0)
    assert any(market.contract("WholesaleDesk").functions.commitmentOf(1).call())
    village.wait_until(market.calendar.gate_closes_at(1))
    # One that is started anew reports the same: the salt of its report comes from its key.
    anew = service(market, desk, on_day_1)
    assert (anew.look(), anew.look()) == (1, 0)
    assert operator(market).look() == 2
    assert market.contract("WholesaleResidual").functions.isCleared(1).call()
    assert exchanged(market)


def test_who_is_not_the_desk_of_the_day_does_nothing(village: Village, market: Market, desk: Member) -> None:
    stranger = admit_desk(village, "another")
    at_work = service(market, stranger, on_day_1)
    assert at_work.look() == 0
    village.wait_until(market.calendar.gate_closes_at(1))
    assert at_work.look() == 0
    assert not at_work.health()["failing"]


def test_a_desk_without_offers_commits_to_nothing_and_keeps_up_nobody(
    village: Village, market: Market, desk: Member
) -> None:
    assert service(market, desk, lambda _: None).look() == 0
    village.wait_until(market.calendar.gate_closes_at(1))
    assert service(market, desk, lambda _: None).look() == 0
    assert operator(market).look() == 1


def test_offers_that_changed_after_the_commitment_are_refused_and_it_says_so(
    village: Village, market: Market, desk: Member
) -> None:
    service(market, desk, on_day_1).look()
    village.wait_until(market.calendar.gate_closes_at(1))
    changed = service(market, desk, lambda _: offers({7: Offer(25_000, 0, 400, 0)}))
    assert changed.look() == 0
    [failing] = changed.health()["failing"]
    assert failing["step"] == "report"
    assert "NotCommitted" in failing["why"]


@pytest.mark.parametrize(
    ("offer", "why"),
    [(Offer(RULES.max_buy + 1, 0, 400, 0), "price: "), (Offer(20_000, RULES.penalty_cap + 1, 400, 0), "penalty: ")],
)
def test_offers_that_the_rules_would_not_take_are_told_before_the_desk_is_bound(
    village: Village, market: Market, desk: Member, offer: Offer, why: str
) -> None:
    at_work = service(market, desk, lambda _: offers({7: offer}))
    assert at_work.look() == 0
    [failing] = at_work.health()["failing"]
    assert f"slot 7: {why}" in failing["why"]
    assert not any(market.contract("WholesaleDesk").functions.commitmentOf(1).call())


def test_a_desk_whose_offers_are_gone_says_so(village: Village, market: Market, desk: Member) -> None:
    service(market, desk, on_day_1).look()
    village.wait_until(market.calendar.gate_closes_at(1))
    at_work = service(market, desk, lambda _: None)
    assert at_work.look() == 0
    [failing] = at_work.health()["failing"]
    assert "committed to are gone" in failing["why"]
