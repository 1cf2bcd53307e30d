from ape.api import AccountAPI
from support.refusals import refused
from support.village import DEPOSIT, Member, Village
from web3.contract import Contract


def test_a_deposit_mints_to_the_accounts_contract(
    village: Village, token: Contract, ledger: Contract, buyer: Member
) -> None:
    village.send("treasurer", ledger, "deposit", buyer.account, 500, b"\x01" * 32)
    assert token.functions.balanceOf(ledger.address).call() == 3 * DEPOSIT + 500
    assert token.functions.totalSupply().call() == 3 * DEPOSIT + 500


def test_reverts_for_a_stranger(village: Village, token: Contract, stranger: AccountAPI) -> None:
    with refused("NotTheAccounts", caller=stranger.address):
        village.market.chain.send(stranger, token, "mint", 1)


def test_reverts_for_the_treasurer(village: Village, token: Contract) -> None:
    with refused("NotTheAccounts", caller=village.market.keys["treasurer"].address):
        village.send("treasurer", token, "mint", 1)
