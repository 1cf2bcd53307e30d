from ape.api import AccountAPI
from support.refusals import refused
from support.signed import bid
from support.village import NOBODY, Village, events
from web3.contract import Contract

AGAIN_AFTER = 30 * 86_400


def lapses(village: Village, day: int = 1) -> int:
    """When a node's pause ends: with the first half of the time in which the day's auction is open."""
    c = village.calendar
    return c.gate_closes_at(day) - (c.open_lead - c.gate_lead) // 2


def test_stops_the_orders_of_a_market(village: Village, ledger: Contract, auction: Contract) -> None:
    receipt = village.send("node", ledger, "pause", auction.address)
    by, until = village.market.keys["node"].address, lapses(village)
    assert events(receipt, ledger, "MarketPaused") == [{"market": auction.address, "by": by, "until": until}]
    assert ledger.functions.isPaused(auction.address).call()
    assert ledger.functions.pausedUntil(auction.address).call() == until
    village.open_auction()
    with refused("MarketIsPaused", market=auction.address):
        village.place(village.buyer, bid(0, 200, 1_000))


def test_leaves_other_markets_alone(
    village: Village, ledger: Contract, auction: Contract, bookkeeper: AccountAPI
) -> None:
    village.send("node", ledger, "pause", auction.address)
    assert not ledger.functions.isPaused(bookkeeper.address).call()
    village.market.chain.send(bookkeeper, ledger, "lockCollateral", village.buyer.id, 300)


def test_lapses_by_itself_before_the_gate_comes_near(village: Village, ledger: Contract, auction: Contract) -> None:
    """Whoever sent the last order before a pause has not the last word: half of the time is left to everybody."""
    village.send("node", ledger, "pause", auction.address)
    until = lapses(village)
    village.wait_until(until - 2)
    with refused("MarketIsPaused", market=auction.address):
        village.place(village.buyer, bid(0, 200, 1_000))
    village.wait_until(until)
    village.place(village.buyer, bid(0, 200, 1_000))
    assert not ledger.functions.isPaused(auction.address).call()


def test_reverts_when_the_gate_is_near(village: Village, ledger: Contract, auction: Contract) -> None:
    gate = village.calendar.gate_closes_at(1)
    for time in (lapses(village), gate - 5):
        village.wait_until(time)
        for function, arguments in (("pause", (auction.address,)), ("pauseAll", ())):
            with refused("GateTooNear", gate=gate):
                village.send("node", ledger, function, *arguments)
    village.wait_until(gate)
    village.send("node", ledger, "pause", auction.address)
    assert ledger.functions.pausedUntil(auction.address).call() == lapses(village, 2)


def test_the_same_node_does_not_pause_a_market_again_soon(
    village: Village, ledger: Contract, auction: Contract, bookkeeper: AccountAPI
) -> None:
    node = village.market.keys["node"].address
    village.send("node", ledger, "pause", auction.address)
    again = village.now + AGAIN_AFTER
    village.unpause(ledger, auction.address)
    with refused("PausedLately", node=node, againAt=again):
        village.send("node", ledger, "pause", auction.address)
    village.send("node", ledger, "pause", bookkeeper.address)
    c = village.calendar
    village.wait_until(c.gate_closes_at((again - c.start_of(1)) // c.day_length + 3))
    village.send("node", ledger, "pause", auction.address)


def test_a_node_has_no_second_pause_through_the_authority(village: Village, ledger: Contract) -> None:
    authority = village.market.authority
    call = bytes.fromhex(ledger.encode_abi("pauseAll", [])[2:])
    with refused("AccessManagedUnauthorized", caller=authority.address):
        village.send("node", authority, "execute", ledger.address, call)


def test_reverts_when_paused_already(village: Village, ledger: Contract, auction: Contract) -> None:
    village.send("node", ledger, "pause", auction.address)
    with refused("MarketIsPaused", market=auction.address):
        village.send("node", ledger, "pause", auction.address)


def test_reverts_when_there_is_no_such_market(village: Village, ledger: Contract, stranger: AccountAPI) -> None:
    with refused("NotAMarket", caller=stranger.address, **{"from": 0}):
        village.send("node", ledger, "pause", stranger.address)
    with refused("NotAMarket", caller=NOBODY, **{"from": 0}):
        village.send("council", ledger, "keepPaused", NOBODY, village.now + 100)


def test_reverts_when_the_caller_is_no_node(village: Village, ledger: Contract, stranger: AccountAPI) -> None:
    with refused("AccessManagedUnauthorized", caller=stranger.address):
        village.market.chain.send(stranger, ledger, "pause", village.market.auction.address)
