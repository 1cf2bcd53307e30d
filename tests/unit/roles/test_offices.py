"""What offices do on a chain: due, done already, not theirs to do."""

import pytest
from support.signed import application
from support.village import APPLIED, CONSUMER, FALLBACK_SUPPLIER, Village

from dem.community.keys import wallet
from dem.deployment.market import Market
from dem.model.rules import Tariff
from dem.model.units import Money, UnitsPerWh
from dem.relay import members
from dem.relay.batches import Relay
from dem.relay.members import Payment
from dem.roles.chain import ChainRole
from dem.roles.offices import Clerk, Registrar, Supplier, Treasurer, approved, everyone, with_first_payments
from dem.roles.service import Service

NEWCOMER = wallet("village", 1, "newcomer")


@pytest.fixture
def relay(market: Market) -> Relay:
    return Relay(market)


def service(relay: Relay, role: object) -> Service:
    return Service("office", "office", lambda: ChainRole(relay, role.steps))  # type: ignore[attr-defined]


def status(market: Market) -> int:
    return int(market.registry.functions.statusOf(NEWCOMER.account).call())


def apply(village: Village) -> None:
    village.relay(village.market.registry, "applyFor", *application(village.market, NEWCOMER, CONSUMER))


def test_a_registrar_admits_who_waits_and_nobody_twice(village: Village, market: Market, relay: Relay) -> None:
    registrar = service(relay, Registrar(relay, everyone(relay)))
    assert registrar.look() == 0
    apply(village)
    assert (registrar.look(), registrar.look()) == (1, 0)
    assert status(market) == APPLIED + 1


def test_a_registrar_admits_only_with_the_papers_that_were_applied_with(
    village: Village, market: Market, relay: Relay
) -> None:
    apply(village)
    own = members.Applications(relay).by_account()[NEWCOMER.account]["documents"]
    for papers in ({}, {NEWCOMER.account: bytes([9] * 32)}, {village.buyer.account: own}):
        assert service(relay, Registrar(relay, approved(relay, lambda known=papers: known))).look() == 0
    assert status(market) == APPLIED
    assert service(relay, Registrar(relay, approved(relay, lambda: {NEWCOMER.account: own}))).look() == 1
    assert status(market) == APPLIED + 1


def test_a_treasurer_deposits_each_payment_once_and_keeps_what_is_nobodys_yet(
    village: Village, market: Market, relay: Relay
) -> None:
    before = village.free(village.buyer)
    came = [
        Payment(village.buyer.account, Money(700), bytes([77] * 32)),
        Payment(NEWCOMER.account, Money(900), bytes([78] * 32)),
    ]
    treasurer = service(relay, Treasurer(relay, lambda: came))
    assert (treasurer.look(), treasurer.look()) == (1, 0)
    assert village.free(village.buyer) == before + 700
    apply(village)
    village.admit(NEWCOMER.account)
    assert (treasurer.look(), treasurer.look()) == (1, 0)
    assert village.free(market.registry.functions.idOf(NEWCOMER.account).call()) == 900


def test_first_payments_are_made_once_for_each_participant(village: Village, relay: Relay) -> None:
    before = [village.free(member) for member in village.members]
    for _ in range(2):
        service(relay, Treasurer(relay, with_first_payments(relay, list, Money(5)))).look()
    assert [village.free(member) for member in village.members] == [money + 5 for money in before]


def test_a_supplier_publishes_until_the_auction_opens(village: Village, market: Market, relay: Relay) -> None:
    calendar = market.calendar
    told = [Tariff(UnitsPerWh(30_000), UnitsPerWh(5_000))] * calendar.periods_per_day
    supplier = service(relay, Supplier(relay, lambda day: told if day == 2 else None))
    assert supplier.look() == 0
    village.wait_until(calendar.opens_at(2) - 60)
    assert (supplier.look(), supplier.look()) == (1, 0)
    village.wait_until(calendar.opens_at(3) - 1)
    assert supplier.look() == 0


def test_a_clerk_sets_the_limits_that_were_decided_on(village: Village, market: Market, relay: Relay) -> None:
    clerk = service(relay, Clerk(relay, lambda _: True, {village.supplier.account: Money(77)}))
    assert (clerk.look(), clerk.look()) == (1, 0)
    assert village.account(FALLBACK_SUPPLIER)[3] == 77
