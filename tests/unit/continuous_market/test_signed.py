"""fundSigned, placeSigned and cancelSigned: the same as direct calls once it is known who signed."""

import pytest
from support.once import once
from support.refusals import refused
from support.signed import intraday as signed
from support.village import FEES, Member, Village, events
from web3.contract import Contract

from dem.messages.orders import IntradayCancellation, IntradayFunding, IntradayOrder, IntradayRevocation
from dem.model.markets.intraday import order_number
from dem.model.orders import Side

from .conftest import FUNDS, Send

NUMBER = order_number(7, Side.BID, 100, 0)
NEVER = 2**40
"""A time that does not come."""


@once
def funded_by_signature(village: Village, intraday: Contract, rival: Member, opened: None) -> None:
    message = IntradayFunding(rival.account, 1, FUNDS, False, 1)
    village.relay(intraday, "fundSigned", *signed(village.market, rival.wallet, message))


def test_a_participant_without_ether_funds_orders_cancels_and_takes_back(
    village: Village, intraday: Contract, rival: Member, funded_by_signature: None
) -> None:
    market, wallet = village.market, rival.wallet
    order = IntradayOrder(rival.account, 1, 7, False, 100, 1_000, 20, NEVER, 2)
    receipt = village.relay(intraday, "placeSigned", *signed(market, wallet, order))
    assert events(receipt, intraday, "OrderRested") == [{"id": rival.id, "day": 1, "number": NUMBER, "energy": 1_000}]
    assert intraday.functions.accountOf(rival.id, 1).call()[1] == FUNDS - 1_000 * (100 * 100 + FEES)
    cancellation = IntradayCancellation(rival.account, 1, NUMBER, 3)
    receipt = village.relay(intraday, "cancelSigned", *signed(market, wallet, cancellation))
    assert len(events(receipt, intraday, "OrderCancelled")) == 1
    funding = IntradayFunding(rival.account, 1, FUNDS, True, 7)
    village.relay(intraday, "fundSigned", *signed(market, wallet, funding))
    assert village.locked(rival) == 0
    assert intraday.functions.sequenceOf(rival.account).call() == 7


MESSAGES = {
    "fundSigned": lambda account, sequence: IntradayFunding(account, 1, 5, False, sequence),
    "placeSigned": lambda account, sequence: IntradayOrder(account, 1, 7, False, 100, 1_000, 20, NEVER, sequence),
    "cancelSigned": lambda account, sequence: IntradayCancellation(account, 1, NUMBER, sequence),
    "revokeSigned": lambda account, sequence: IntradayRevocation(account, sequence),
}


@pytest.mark.parametrize("function", MESSAGES)
def test_reverts_when_signed_by_somebody_else(
    village: Village, intraday: Contract, rival: Member, buyer: Member, opened: None, function: str
) -> None:
    message = MESSAGES[function](rival.account, 1)
    with refused("NotSignedByParticipant", participant=rival.account, signer=buyer.account):
        village.relay(intraday, function, *signed(village.market, buyer.wallet, message))


@pytest.mark.parametrize("function", MESSAGES)
def test_reverts_when_a_later_message_was_taken(
    village: Village, intraday: Contract, rival: Member, funded_by_signature: None, function: str
) -> None:
    message = MESSAGES[function](rival.account, 1)
    with refused("StaleSequence", sequence=1, last=1):
        village.relay(intraday, function, *signed(village.market, rival.wallet, message))


def test_reverts_when_the_order_has_expired(
    village: Village, intraday: Contract, rival: Member, funded_by_signature: None
) -> None:
    expiry = village.now + 60
    held = signed(village.market, rival.wallet, IntradayOrder(rival.account, 1, 7, False, 100, 1_000, 20, expiry, 2))
    village.wait_until(expiry)
    with refused("Expired", expiry=expiry, time=village.now):
        village.relay(intraday, "placeSigned", *held)
    assert intraday.functions.sequenceOf(rival.account).call() == 1


@pytest.mark.parametrize("is_signed", [True, False])
def test_a_revocation_voids_what_nobody_has_brought_and_moves_nothing(
    village: Village, intraday: Contract, buyer: Member, by: Send, funded: None, is_signed: bool
) -> None:
    market, wallet = village.market, buyer.wallet
    resting = IntradayOrder(buyer.account, 1, 7, False, 100, 1_000, 20, NEVER, 2)
    village.relay(intraday, "placeSigned", *signed(market, wallet, resting))
    before = intraday.functions.accountOf(buyer.id, 1).call()
    held = IntradayOrder(buyer.account, 1, 7, True, 300, 1_000, 20, NEVER, 8)
    if is_signed:
        receipt = village.relay(intraday, "revokeSigned", *signed(market, wallet, IntradayRevocation(buyer.account, 8)))
    else:
        receipt = by(buyer, "revoke", 8)
    assert events(receipt, intraday, "MessagesRevoked") == [{"participant": buyer.account, "sequence": 8}]
    with refused("StaleSequence", sequence=8, last=8):
        village.relay(intraday, "placeSigned", *signed(market, wallet, held))
    assert intraday.functions.accountOf(buyer.id, 1).call() == before
    assert len(intraday.functions.ordersAt(1, 7, False, 100).call()) == 1
