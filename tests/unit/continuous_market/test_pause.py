"""pause and unpause."""

from ape.api import AccountAPI
from support.refusals import refused
from support.village import Member, Village, events
from web3.contract import Contract

from dem.intraday import order_number
from dem.orders import Side

from .conftest import FUNDS, Send


def test_stops_the_taking_of_orders_in_books_known_and_new_and_nothing_else(
    village: Village, intraday: Contract, buyer: Member, by: Send, funded: None
) -> None:
    by(buyer, "place", 1, 7, False, 100, 100, 0)
    receipt = village.send("node", intraday, "pause")
    assert events(receipt, intraday, "Paused") == [{"by": village.market.keys["node"].address}]
    for slot in (7, 8):
        with refused("OrderEntryPaused"):
            by(buyer, "place", 1, slot, False, 100, 100, 0)
    by(buyer, "cancel", 1, order_number(7, Side.BID, 100, 0))
    by(buyer, "defund", 1, FUNDS)


def test_goes_on_after_unpause(village: Village, intraday: Contract, buyer: Member, by: Send, funded: None) -> None:
    by(buyer, "place", 1, 7, False, 100, 100, 0)
    village.send("node", intraday, "pause")
    receipt = village.send("council", intraday, "unpause")
    assert events(receipt, intraday, "Unpaused") == [{"by": village.market.keys["council"].address}]
    for slot in (7, 8):
        by(buyer, "place", 1, slot, False, 100, 100, 0)


def test_reverts_when_the_caller_has_no_role(village: Village, intraday: Contract, stranger: AccountAPI) -> None:
    for function in ("pause", "unpause"):
        with refused("AccessManagedUnauthorized", caller=stranger.address):
            village.market.chain.send(stranger, intraday, function)
