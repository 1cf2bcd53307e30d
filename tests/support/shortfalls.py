"""A day whose payments the fallback supplier cannot advance."""

from ape.api import AccountAPI

from .signed import withdrawal
from .village import DEPOSIT, FALLBACK_SUPPLIER, RULES, Member, Village

CREDIT = 4 * 10**6
DUE = 1_000 * RULES.standing_buy
SOLD, SOLD_BY_RIVAL = 600 * RULES.standing_buy, 200 * RULES.standing_buy
SHORT = SOLD + SOLD_BY_RIVAL - CREDIT
"""What the buyer owes, less what the supplier is owed itself, and its credit."""
BACK, BACK_FROM_RIVAL = SHORT * 3 // 4, SHORT // 4


def let_the_buyer_default(village: Village, is_rival_read: bool = True) -> None:
    """The buyer, who has taken its money out, takes 1,000 Wh that nobody has sold it; seller and rival feed in 800."""
    village.send("council", village.market.accounts, "setCreditLimit", FALLBACK_SUPPLIER, CREDIT)
    village.relay(village.market.accounts, "withdraw", *withdrawal(village.market, village.buyer.wallet, DEPOSIT))
    village.open_auction()
    village.clear_day()
    village.wait_until(village.calendar.start_of(2))
    for member, energy in zip(village.members, (1_000, -600, -200)[: 2 + is_rival_read], strict=False):
        village.read(member, [0] * 7 + [energy] + [0] * 4)
    village.close_metering()


def spend_ahead(village: Village, bookkeeper: AccountAPI) -> int:
    """The seller locks its deposit and owes the supplier what the day is going to pay it; returns what is taken back.

    bookkeeper: an account that counts as a market and may post.
    """
    send, accounts, seller = village.market.chain.send, village.market.accounts, village.seller
    send(bookkeeper, accounts, "lockCollateral", seller.id, DEPOSIT)
    send(bookkeeper, accounts, "post", [(seller.id, -SOLD, 0), (FALLBACK_SUPPLIER, SOLD, 0)])
    return (SHORT - SOLD) * 3 // 4


def pay_in(village: Village, member: Member, units: int, reference: int = 1) -> None:
    """Money from the bank."""
    village.send("treasurer", village.market.accounts, "deposit", member.account, units, reference.to_bytes(32, "big"))
