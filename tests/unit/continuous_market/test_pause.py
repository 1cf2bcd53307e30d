"""followPause, and the pauses of the accounts that this market is told of."""

import pytest
from ape.api import AccountAPI
from support.refusals import refused
from support.village import PERIODS, Member, Village, events
from web3.contract import Contract

from dem.model.markets.intraday import order_number
from dem.model.orders import Side

from .conftest import FUNDS, Send


def lapses(village: Village, day: int) -> int:
    """When a node's pause ends: with the first half of the time in which the day's auction is open."""
    c = village.calendar
    return c.gate_closes_at(day) - (c.open_lead - c.gate_lead) // 2


def test_a_pause_stops_orders_in_books_known_and_new_and_no_cancelling(
    village: Village, ledger: Contract, intraday: Contract, buyer: Member, by: Send, funded: None
) -> None:
    by(buyer, "place", 1, 7, False, 100, 100, 0)
    receipt = village.send("node", ledger, "pause", intraday.address)
    until = lapses(village, 2)
    assert events(receipt, intraday, "PauseFollowed") == [{"until": until}]
    assert events(receipt, ledger, "MarketPaused")[0]["until"] == until
    for slot in (7, 8):
        with refused("OrderEntryPaused"):
            by(buyer, "place", 1, slot, False, 100, 100, 0)
    with refused("MarketIsPaused", market=intraday.address):
        by(buyer, "fund", 1, FUNDS)
    by(buyer, "cancel", 1, order_number(7, Side.BID, 100, 0))
    by(buyer, "defund", 1, FUNDS)


def test_lapses_by_itself(
    village: Village, ledger: Contract, intraday: Contract, buyer: Member, by: Send, funded: None
) -> None:
    by(buyer, "place", 1, PERIODS - 1, False, 100, 100, 0)
    village.send("node", ledger, "pauseAll")
    village.wait_until(lapses(village, 2))
    for slot in (PERIODS - 2, PERIODS - 1):
        by(buyer, "place", 1, slot, False, 100, 100, 0)


def test_goes_on_when_the_pause_is_lifted(
    village: Village, ledger: Contract, intraday: Contract, buyer: Member, by: Send, funded: None
) -> None:
    by(buyer, "place", 1, 7, False, 100, 100, 0)
    village.send("node", ledger, "pause", intraday.address)
    receipt = village.unpause(ledger, intraday.address)
    assert events(receipt, intraday, "PauseFollowed") == [{"until": 0}]
    for slot in (7, 8):
        by(buyer, "place", 1, slot, False, 100, 100, 0)


def test_the_council_goes_on_with_a_pause(
    village: Village, ledger: Contract, intraday: Contract, buyer: Member, by: Send, funded: None
) -> None:
    village.send("node", ledger, "pause", intraday.address)
    until = lapses(village, 2) + 100
    village.send("council", ledger, "keepPaused", intraday.address, until)
    village.wait_until(until - 2)
    with refused("OrderEntryPaused"):
        by(buyer, "place", 1, PERIODS - 1, False, 100, 100, 0)
    village.wait_until(until)
    by(buyer, "place", 1, PERIODS - 1, False, 100, 100, 0)


@pytest.mark.parametrize("again", ["pause", "pauseAll"])
def test_a_node_has_one_pause_of_it_not_two(
    village: Village, ledger: Contract, intraday: Contract, buyer: Member, by: Send, funded: None, again: str
) -> None:
    """What stops its funding and what stops its orders is one pause, counted once."""
    village.send("node", ledger, "pause", intraday.address)
    counted = {"node": village.market.keys["node"].address, "againAt": village.now + 30 * 86_400}
    village.unpause(ledger, intraday.address)
    if again == "pause":
        with refused("PausedLately", **counted):
            village.send("node", ledger, "pause", intraday.address)
    else:
        village.send("node", ledger, "pauseAll")
    by(buyer, "place", 1, 7, False, 100, 100, 0)


def test_anybody_tells_a_market_that_had_too_little_gas(
    village: Village, ledger: Contract, intraday: Contract, buyer: Member, by: Send, stranger: AccountAPI, funded: None
) -> None:
    """What the accounts call is cut off; the pause holds, and is written into the books later."""
    by(buyer, "place", 1, 7, False, 100, 100, 0)
    key = village.market.keys["node"]
    call = village.market.chain.transaction(ledger, "pause", intraday.address, gas=150_000)
    [(landed, _)] = village.market.chain.send_all(key, [call])
    assert landed.succeeded
    assert ledger.functions.isPaused(intraday.address).call()
    by(buyer, "place", 1, 7, False, 100, 100, 0)
    receipt = village.market.chain.send(stranger, intraday, "followPause")
    assert events(receipt, intraday, "PauseFollowed") == [{"until": lapses(village, 2)}]
    with refused("OrderEntryPaused"):
        by(buyer, "place", 1, 7, False, 100, 100, 0)
    receipt = village.market.chain.send(stranger, intraday, "followPause")
    assert events(receipt, intraday, "PauseFollowed") == []
