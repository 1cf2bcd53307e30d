from support.once import once
from support.signed import ask, bid
from support.village import Member, Village


@once
def traded(village: Village, buyer: Member, seller: Member) -> None:
    """The buyer takes 1,000 Wh of the seller's in period 7, at 150 ticks."""
    village.open_auction()
    village.place(buyer, bid(7, 200, 1_000))
    village.place(seller, ask(7, 100, 1_000))
    village.clear_day()


@once
def short(village: Village, buyer: Member, seller: Member, traded: None) -> None:
    """The seller delivers 500 Wh in period 7, half of what it sold, and the day's readings are closed."""
    village.wait_until(village.calendar.start_of(2))
    village.read(buyer, [0] * 7 + [1_000] + [0] * 4)
    village.read(seller, [0] * 7 + [-500] + [0] * 4)
    village.close_metering()
