from ape.api import AccountAPI
from support.refusals import refused
from support.village import Member, Village
from web3.contract import Contract

from .conftest import WALLET


def test_moves_tokens_between_members(village: Village, token: Contract, holder: Member, seller: Member) -> None:
    village.market.chain.send(holder.sender, token, "transfer", seller.account, 300)
    assert token.functions.balanceOf(holder.account).call() == WALLET - 300
    assert token.functions.balanceOf(seller.account).call() == 300


def test_a_suspended_member_keeps_its_tokens_movable(
    village: Village, token: Contract, registry: Contract, holder: Member, seller: Member
) -> None:
    village.send("registrar", registry, "suspend", holder.id)
    village.market.chain.send(holder.sender, token, "transfer", seller.account, WALLET)
    assert token.functions.balanceOf(seller.account).call() == WALLET


def test_reverts_when_the_receiver_is_no_member(
    village: Village, token: Contract, holder: Member, stranger: AccountAPI
) -> None:
    with refused("NotRegistered", account=stranger.address):
        village.market.chain.send(holder.sender, token, "transfer", stranger.address, 1)


def test_reverts_when_sent_to_the_accounts_contract_which_would_not_book_it(
    village: Village, token: Contract, ledger: Contract, holder: Member
) -> None:
    with refused("UseDepositTokens"):
        village.market.chain.send(holder.sender, token, "transfer", ledger.address, 1)


def test_reverts_when_the_sender_is_no_member(
    village: Village, token: Contract, buyer: Member, stranger: AccountAPI
) -> None:
    with refused("NotRegistered", account=stranger.address):
        village.market.chain.send(stranger, token, "transfer", buyer.account, 0)


def test_reverts_when_the_wallet_holds_less(village: Village, token: Contract, holder: Member, seller: Member) -> None:
    with refused("ERC20InsufficientBalance", sender=holder.account, balance=WALLET, needed=WALLET + 1):
        village.market.chain.send(holder.sender, token, "transfer", seller.account, WALLET + 1)
