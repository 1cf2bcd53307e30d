from ape.api import AccountAPI
from support.refusals import refused
from support.signed import withdrawal
from support.village import DEPOSIT, Member, Village
from web3.contract import Contract


def test_a_payout_in_fiat_burns_what_the_accounts_contract_holds(
    village: Village, token: Contract, ledger: Contract, buyer: Member
) -> None:
    signed = withdrawal(village.market, buyer.wallet, 400, to_bank=True)
    village.send("treasurer", ledger, "redeem", *signed, b"\x01" * 32)
    assert token.functions.balanceOf(ledger.address).call() == 3 * DEPOSIT - 400
    assert token.functions.totalSupply().call() == 3 * DEPOSIT - 400


def test_reverts_for_a_stranger(village: Village, token: Contract, stranger: AccountAPI) -> None:
    with refused("NotTheAccounts", caller=stranger.address):
        village.market.chain.send(stranger, token, "burn", 1)
