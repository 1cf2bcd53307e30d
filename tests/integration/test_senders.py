"""Whoever's account it is, and whatever it holds back."""

from types import SimpleNamespace

import pytest
from support.village import Village

from dem.chain.accounts import account_of
from dem.chain.connection import Chain
from dem.deployment.market import RELAYER, Market
from dem.errors import RefusedError


def keeping_its_key(market: Market) -> SimpleNamespace:
    """The relayer's account, which signs but does not show its key, as those of keystores do."""
    account = market.keys[RELAYER]
    return SimpleNamespace(address=account.address, sign_transaction=account.sign_transaction)


def test_an_account_that_keeps_its_key_sends_the_same(village: Village, market: Market) -> None:
    chain: Chain = market.chain
    transaction = chain.transaction(market.rules, "markFinal", 1)
    shown, kept = (
        chain._signer(account)(transaction, 7) for account in (market.keys[RELAYER], keeping_its_key(market))
    )
    assert shown == kept


def test_an_account_that_keeps_its_key_deploys_and_is_refused(village: Village, market: Market) -> None:
    chain: Chain = market.chain
    sender = keeping_its_key(market)
    authority = chain.deploy(sender, "Authority", [sender.address])
    assert chain.web3.eth.get_code(authority)
    with pytest.raises(RefusedError, match="markFinal: AccessManagedUnauthorized"):
        chain.send(sender, market.rules, "markFinal", 1)


def test_an_account_that_cannot_pay_for_gas_is_told_so(village: Village, market: Market) -> None:
    poor = account_of(bytes([7] * 32))
    with pytest.raises(RefusedError, match=f"^markFinal: {poor.address} cannot pay for gas: give it some"):
        market.chain.send(poor, market.rules, "markFinal", 1)
