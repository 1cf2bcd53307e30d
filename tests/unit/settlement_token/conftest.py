from support.once import once
from support.signed import withdrawal
from support.village import Member, Village

WALLET = 1_000
"""Tokens the buyer holds itself, money units."""


@once
def holder(village: Village, buyer: Member) -> Member:
    """The buyer, who has taken tokens out to its own wallet."""
    village.relay(village.market.accounts, "withdraw", *withdrawal(village.market, buyer.wallet, WALLET))
    return buyer
