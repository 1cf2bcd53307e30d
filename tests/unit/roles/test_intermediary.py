"""An intermediary's steps on a chain: its commission, its clients' orders, its pool, what it collects."""

from collections.abc import Mapping, Sequence

import pytest
from support.brokers import choose, open_pool, order
from support.signed import ask, bid, empty_line, orders_sheet
from support.village import CAPACITY, FEES, PERIODS, RULES, STRIPS, Member, Village

from dem.chain.accounts import account_of
from dem.deployment.market import Market
from dem.errors import ChainError
from dem.messages.orders import OrderSheet
from dem.messages.signed import sheet_for_contract, signed
from dem.messages.signing import Domain
from dem.model.markets.dealing import Quote
from dem.model.mechanisms import POOL
from dem.model.orders import BROKERED_LAYER, Order, Side, lines_of
from dem.model.units import FROM_ZERO, Tick, UnitsPerWh, Wh
from dem.relay import orders, pools
from dem.relay.batches import Relay
from dem.relay.following import Following
from dem.replay.replay import Replay
from dem.roles.chain import ChainRole
from dem.roles.intermediary import LAPSES_AFTER, Business, Trader
from dem.roles.operator import Operator
from dem.roles.service import Service

DAY = 2
POOL_LEAD = 3_600
COMMISSION = UnitsPerWh(100)
NAME = "retail"


def net(by_slot: Mapping[int, int]) -> list[Wh]:
    return [Wh(by_slot.get(slot, 0)) for slot in range(PERIODS)]


def service(market: Market, who: Member, business: Business) -> Service:
    relay, key = Relay(market), account_of(who.wallet.account_key)
    return Service(
        "intermediary",
        "intermediary",
        lambda: ChainRole(relay, Trader(relay, key, Following(relay.records), business).steps, LAPSES_AFTER),
    )


def business(
    village: Village,
    by_member: Mapping[Member, Mapping[int, int]],
    pool: str = "",
    commission: UnitsPerWh | None = None,
    quotes: Sequence[Quote] | None = None,
) -> Business:
    expected = {member.account: net(by_slot) for member, by_slot in by_member.items()}
    return Business(pool, commission, lambda day: expected if day == DAY else {}, lambda _: quotes)


def operator(market: Market) -> Service:
    relay = Relay(market)
    return Service("operator", "operator", lambda: ChainRole(relay, Operator(relay, Following(relay.records)).steps))


def known(market: Market) -> Replay:
    return Following(Relay(market).records)()


@pytest.fixture
def clients(village: Village, retailer: Member) -> None:
    """The buyer lets the retailer trade half of its connection, the seller all of it."""
    choose(village, village.buyer, retailer, share=5_000)
    choose(village, village.seller, retailer, share=10_000)


def open_day(village: Village) -> None:
    """Day 2 is open, and a pool may lock collateral of it."""
    village.wait_until(max(village.calendar.opens_at(DAY), village.calendar.gate_closes_at(DAY - 1)))


def test_a_commission_is_published_once_and_again_when_another_is_wanted(
    village: Village, market: Market, retailer: Member
) -> None:
    for wanted, looks in ((COMMISSION, 1), (COMMISSION, 0), (UnitsPerWh(70), 1), (None, 0)):
        at_work = service(market, retailer, business(village, {}, commission=wanted))
        assert (at_work.look(), at_work.look()) == (looks, 0)
    far = market.contract(pools.CONTRACT).functions.commissionOf(retailer.id, 9).call()
    assert far == 70


def test_a_commission_above_the_cap_fails_and_says_why(village: Village, market: Market, retailer: Member) -> None:
    at_work = service(market, retailer, business(village, {}, commission=UnitsPerWh(RULES.commission_cap + 1)))
    assert at_work.look() == 0
    [failing] = at_work.health()["failing"]
    assert "CommissionTooHigh" in failing["why"]


def test_it_orders_for_its_clients_within_their_share_at_what_is_worth_the_fees(
    village: Village, market: Market, retailer: Member, clients: None
) -> None:
    village.wait_until(village.calendar.opens_at(DAY))
    wanted = {village.buyer: {3: 400, 4: CAPACITY}, village.seller: {3: -300}, village.rival: {3: 900}}
    at_work = service(market, retailer, business(village, wanted))
    assert (at_work.look(), at_work.look()) == (1, 0)
    replay = known(market)
    found = {(one.participant, one.slot): one for one in replay.book(DAY).standing.orders()}
    # The rival has not chosen it.
    assert set(found) == {(village.buyer.id, 3), (village.buyer.id, 4), (village.seller.id, 3)}
    bought, sold = found[village.buyer.id, 3], found[village.seller.id, 3]
    tariff = replay.tariffs(DAY)[3]
    assert (bought.layer, bought.side, bought.energy) == (BROKERED_LAYER, Side.BID, 400)
    assert (sold.layer, sold.side, sold.energy) == (BROKERED_LAYER, Side.ASK, 300)
    assert bought.tick == FROM_ZERO.tick_down(tariff.buy - FEES)
    assert sold.tick == FROM_ZERO.tick_up(tariff.sell + FEES)
    assert found[village.buyer.id, 4].energy == CAPACITY // 2
    assert service(market, retailer, business(village, wanted)).look() == 0


def test_a_client_that_the_chain_refuses_keeps_up_no_other(
    village: Village, market: Market, retailer: Member, clients: None
) -> None:
    village.wait_until(village.calendar.opens_at(DAY))
    # Half of the buyer's connection in every period takes more money than it has.
    wanted = {village.buyer: dict.fromkeys(range(PERIODS), CAPACITY), village.seller: {3: -300}}
    at_work = service(market, retailer, business(village, wanted))
    assert (at_work.look(), at_work.look()) == (1, 0)
    assert not at_work.health()["failing"]
    assert {one.participant for one in known(market).book(DAY).standing.orders()} == {village.seller.id}


def test_rubbish_in_a_clients_name_and_its_own_refused_sheet_stop_nobody(
    village: Village, market: Market, retailer: Member, clients: None
) -> None:
    village.wait_until(village.calendar.opens_at(DAY))
    batch = village.market.auction
    rubbish = orders_sheet(market, village.rival.wallet, order(Side.BID, 3, 150, 400), day=DAY)
    too_much = orders_sheet(market, village.seller.wallet, ask(3, 100, CAPACITY), day=DAY)
    in_the_sellers_name = ((village.seller.account, *rubbish[0][1:]), *rubbish[1:])
    village.relay(batch, "submit", [in_the_sellers_name, too_much])
    at_work = service(market, retailer, business(village, {village.seller: {3: -300}}))
    assert (at_work.look(), at_work.look()) == (1, 0)
    assert {one.participant for one in known(market).book(DAY).standing.orders()} == {village.seller.id}


def test_a_refused_sheet_of_its_intermediary_does_not_count_as_the_clients_own(
    village: Village, market: Market, retailer: Member, clients: None
) -> None:
    village.wait_until(village.calendar.opens_at(DAY))
    wallet = village.buyer.wallet
    brokered = OrderSheet(wallet.account, DAY, *words(order(Side.BID, 3, 150, CAPACITY)))
    own = OrderSheet(wallet.account, DAY, *words(bid(3, 150, 400)))
    auction = Domain(market.chain.id, market.auction.address)
    refused = signed(auction, retailer.wallet.account_key, brokered)
    village.relay(market.auction, "submit", [sheet_for_contract(refused)])
    orders.submit_orders(Relay(market), DAY, [signed(auction, wallet.account_key, own)])
    assert [one.energy for one in known(market).book(DAY).standing.orders()] == [400]


def words(one: Order) -> tuple[int, int, tuple[int, ...]]:
    """First line, sequence and lines of a sheet with one order."""
    [(line, word)] = lines_of([one], DAY, PERIODS).items()
    return line, 1, (word,)


def test_a_client_that_empties_its_lines_is_left_alone(
    village: Village, market: Market, retailer: Member, clients: None
) -> None:
    village.wait_until(village.calendar.opens_at(DAY))
    at_work = service(market, retailer, business(village, {village.buyer: {3: 400}}))
    assert at_work.look() == 1
    line = BROKERED_LAYER * STRIPS
    empty = OrderSheet(village.buyer.account, DAY, line, 1, (empty_line(DAY),))
    signed_by_client = signed(Domain(market.chain.id, market.auction.address), village.buyer.wallet.account_key, empty)
    village.relay(market.auction, "enter", sheet_for_contract(signed_by_client))
    anew = service(market, retailer, business(village, {village.buyer: {3: 400}}))
    assert anew.look() == 0
    assert not known(market).book(DAY).standing.orders()


def test_a_market_without_its_pool_is_told(village: Village, market: Market, retailer: Member) -> None:
    with pytest.raises(ChainError, match="no pool 'missing'"):
        service(market, retailer, business(village, {}, pool="missing")).look()


def test_a_day_with_a_pool(
    village: Village, market: Market, retailer: Member, clients: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clients meet, the retailer takes what they leave, trades it on, and collects."""
    monkeypatch.setitem(market.addresses, POOL + NAME, open_pool(village, retailer, POOL_LEAD, DAY).address)
    at_quotes = [Quote(Tick(100), Tick(100))] * PERIODS
    wanted = {village.buyer: {3: 400}, village.seller: {3: -700}}
    own = business(village, wanted, NAME, COMMISSION, at_quotes)
    at_work = service(market, retailer, own)
    assert at_work.look() == 1  # its commission
    open_day(village)
    assert (at_work.look(), at_work.look()) == (1, 0)
    gate = village.calendar.gate_closes_at(DAY) - POOL_LEAD
    village.wait_until(gate - 60)
    assert (at_work.look(), at_work.look()) == (1, 0)
    replay = known(market)
    [counter] = [o for o in replay.pool(POOL + NAME).book(DAY).standing.orders() if o.participant == retailer.id]
    assert (counter.side, counter.tick, counter.energy) == (Side.BID, 100, 300 + RULES.min_order_energy)

    village.wait_until(gate)
    operator(market).look()
    at_work = service(market, retailer, own)
    assert (at_work.look(), at_work.look()) == (1, 0)
    [sold_on] = [o for o in known(market).book(DAY).standing.orders() if o.participant == retailer.id]
    assert (sold_on.side, sold_on.energy) == (Side.ASK, 300)

    for day in (1, DAY):
        village.wait_until(village.calendar.start_of(day + 1))
        for member in (*village.members, village.grid_operator):
            village.read(member, [0] * PERIODS, day)
    village.wait_until(village.calendar.corrections_close_at(DAY))
    for _ in range(3):
        operator(market).look()
    assert market.rules.functions.lastFinalDay().call() >= DAY
    before = village.free(retailer)
    at_work = service(market, retailer, own)
    assert (at_work.look(), at_work.look()) == (1, 0)
    assert village.free(retailer) == before + COMMISSION * (400 + 700)
