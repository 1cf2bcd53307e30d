from ape.api import AccountAPI
from support.once import once
from support.village import CLEARING_HOUSE, Member, Village


@once
def bookkeeper(village: Village) -> AccountAPI:
    """An account that counts as a market of the schedule and has the roles of the contracts that post."""
    village.grant("schedule", village.stranger)
    village.grant("cashier", village.stranger)
    village.grant("releases", village.stranger)
    village.market.chain.send(village.stranger, village.market.accounts, "admitMarket", village.stranger.address, 1)
    return village.stranger


@once
def debtor(village: Village, bookkeeper: AccountAPI, buyer: Member) -> Member:
    """The buyer, who owes the fallback supplier 500."""
    due = village.free(buyer) + 500
    postings = [(buyer.id, -due, 0), (CLEARING_HOUSE, due, 0)]
    village.market.chain.send(bookkeeper, village.market.accounts, "post", postings)
    return buyer
