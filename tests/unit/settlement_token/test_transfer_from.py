from ape.api import AccountAPI
from support.refusals import refused
from support.village import Member, Village
from web3.contract import Contract

from .conftest import WALLET


def test_moves_what_was_approved(village: Village, token: Contract, holder: Member, seller: Member) -> None:
    chain = village.market.chain
    chain.send(holder.sender, token, "approve", seller.account, 300)
    assert token.functions.allowance(holder.account, seller.account).call() == 300
    chain.send(seller.sender, token, "transferFrom", holder.account, seller.account, 200)
    assert token.functions.balanceOf(seller.account).call() == 200
    assert token.functions.balanceOf(holder.account).call() == WALLET - 200
    assert token.functions.allowance(holder.account, seller.account).call() == 100


def test_reverts_beyond_the_allowance(village: Village, token: Contract, holder: Member, seller: Member) -> None:
    village.market.chain.send(holder.sender, token, "approve", seller.account, 300)
    with refused("ERC20InsufficientAllowance", spender=seller.account, allowance=300, needed=301):
        village.market.chain.send(seller.sender, token, "transferFrom", holder.account, seller.account, 301)


def test_reverts_when_sent_to_the_accounts_contract_which_would_not_book_it(
    village: Village, token: Contract, ledger: Contract, holder: Member, seller: Member
) -> None:
    village.market.chain.send(holder.sender, token, "approve", seller.account, 1)
    with refused("UseDepositTokens"):
        village.market.chain.send(seller.sender, token, "transferFrom", holder.account, ledger.address, 1)


def test_reverts_when_the_receiver_is_no_member(
    village: Village, token: Contract, holder: Member, stranger: AccountAPI
) -> None:
    village.market.chain.send(holder.sender, token, "approve", stranger.address, 1)
    with refused("NotRegistered", account=stranger.address):
        village.market.chain.send(stranger, token, "transferFrom", holder.account, stranger.address, 1)
