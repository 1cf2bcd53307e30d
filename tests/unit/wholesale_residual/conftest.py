import pytest
from support.once import once
from support.signed import ask, bid
from support.village import Member, Village
from support.wholesale import appointed_desk, plug_in
from web3.contract import Contract


@pytest.fixture
def residual(village: Village) -> Contract:
    return village.market.contract("WholesaleResidual")


@once
def desk(village: Village) -> Member:
    """The desk of a market whose schedule counts the residual from day 1 on."""
    plug_in(village)
    return appointed_desk(village)


@once
def wanted(village: Village, buyer: Member, rival: Member, seller: Member, desk: Member) -> None:
    """In period 7 the seller's 300 Wh at 150 go to bids of 600 and 300 Wh there; in period 8 nobody buys 500 Wh."""
    village.open_auction()
    village.place(buyer, bid(7, 150, 600))
    village.place(rival, bid(7, 150, 300))
    village.place(seller, ask(7, 100, 300), ask(8, 100, 500))


@once
def left_over(village: Village, wanted: None) -> None:
    """What of it the auction has not filled."""
    village.clear_day()
