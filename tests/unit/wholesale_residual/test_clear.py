import pytest
from support.refusals import refused
from support.signed import bid
from support.village import Member, Village, events
from support.wholesale import clear, report, trade
from web3.contract import Contract
from web3.types import TxReceipt

from dem.model.markets.wholesale import Offer

IMPORT, EXPORT = 1, 2
RATIONED = {7: Offer(15_000, 0, 150, 0)}
"""Half of the 300 Wh of each of the two bids that the auction left over at 150; 600 are left together."""


def outcomes(receipt: TxReceipt, residual: Contract) -> dict[int, tuple[int, ...]]:
    names = ("direction", "price", "volume", "tick", "share", "marginal")
    found = events(receipt, residual, "ResidualCleared")
    return {event["slot"]: tuple(event[name] for name in names) for event in found if event["volume"]}


def test_imports_for_the_bids_the_auction_left_over(
    village: Village, residual: Contract, desk: Member, wanted: None
) -> None:
    trade(village, desk, RATIONED)
    receipt = clear(village, 1, {1: 150})
    assert outcomes(receipt, residual) == {7: (IMPORT, 15_000, 150, 150, 150, 600)}
    assert len(events(receipt, residual, "ResidualCleared")) == 6
    assert residual.functions.isCleared(1).call()


def test_exports_the_asks_the_auction_left_over(
    village: Village, residual: Contract, desk: Member, wanted: None
) -> None:
    trade(village, desk, {8: Offer(10_000, 0, 0, 9_999)})
    receipt = clear(village, 1, {}, {2: 100})
    assert outcomes(receipt, residual) == {8: (EXPORT, 10_000, 500, 100, 500, 500)}


def test_a_clearing_goes_on_where_it_stopped(
    village: Village, residual: Contract, desk: Member, buyer: Member, seller: Member
) -> None:
    village.open_auction()
    village.place(buyer, bid(0, 150, 100), bid(0, 140, 60, layer=1))
    trade(village, desk, {0: Offer(14_000, 0, 130, 0)})
    ticks = [140, 0, 0, 0, 0, 0]
    receipt = village.relay(residual, "clear", 1, 0, ticks, [0] * 6, 1)
    assert events(receipt, residual, "ResidualProgress") == [{"day": 1, "strip": 0, "group": 0, "layer": 1}]
    receipt = village.relay(residual, "clear", 1, 0, ticks, [0] * 6, 1)
    assert outcomes(receipt, residual) == {0: (IMPORT, 14_000, 130, 140, 30, 60)}


def test_a_strip_in_which_nothing_is_traded_is_cleared_as_well(
    village: Village, residual: Contract, desk: Member, wanted: None
) -> None:
    trade(village, desk, {0: Offer(15_000, 0, 1, 1)})
    assert outcomes(clear(village, 0, {0: 150}, {0: 150}), residual) == {}
    assert residual.functions.exchangeOf(1).call() == [0, []]
    assert residual.functions.isCleared(1).call()


@pytest.mark.parametrize(
    ("offer", "tick"),
    [
        (Offer(15_000, 0, 150, 0), 149),  # does not pay the price
        (Offer(15_000, 0, 150, 0), 151),  # nobody there wants more than there is
        (Offer(14_000, 0, 5_000, 0), 150),  # there is enough for lower limits
        (Offer(14_000, 0, 150, 0), 140),  # better ones want more than there is
    ],
)
def test_reverts_when_the_orders_there_are_not_the_last_to_be_served(
    village: Village, desk: Member, wanted: None, offer: Offer, tick: int
) -> None:
    trade(village, desk, {7: offer})
    with refused("WrongTicks", slot=7, importTick=tick, exportTick=0):
        clear(village, 1, {1: tick})


@pytest.mark.parametrize("tick", [99, 101])
def test_reverts_for_wrong_asks(village: Village, desk: Member, wanted: None, tick: int) -> None:
    trade(village, desk, {8: Offer(10_000, 0, 0, 9_999)})
    with refused("WrongTicks", slot=8, importTick=0, exportTick=tick):
        clear(village, 1, {}, {2: tick})


def test_reverts_when_there_is_no_such_tick(village: Village, desk: Member, wanted: None) -> None:
    trade(village, desk, RATIONED)
    with refused("WrongTicks", slot=6, importTick=4_096, exportTick=0):
        clear(village, 1, {0: 4_096, 1: 150})


def test_reverts_without_a_report(village: Village, desk: Member, left_over: None) -> None:
    with refused("NotReported", day=1):
        clear(village, 1, {})


def test_reverts_when_nothing_is_to_be_cleared(village: Village, desk: Member, wanted: None) -> None:
    trade(village, desk, RATIONED)
    with refused("NothingToClear", day=1, strip=0):
        clear(village, 0, {})
    clear(village, 1, {1: 150})
    with refused("NothingToClear", day=1, strip=1):
        clear(village, 1, {1: 150})


def test_reverts_before_the_auction_is_cleared(village: Village, desk: Member) -> None:
    report(village, desk, RATIONED)
    village.clear_strip(0)
    with refused("AuctionNotCleared", day=1, strip=1):
        clear(village, 1, {1: 150})


def test_reverts_when_there_is_no_such_strip(village: Village, desk: Member) -> None:
    with refused("NoSuchResidualStrip", strip=2, strips=2):
        clear(village, 2, {})


def test_reverts_when_no_groups_are_given(village: Village, residual: Contract, desk: Member) -> None:
    with refused("NoGroupsGiven"):
        village.relay(residual, "clear", 1, 0, [0] * 6, [0] * 6, 0)
