"""fundSigned, placeSigned and cancelSigned: the same as direct calls once it is known who signed."""

import pytest
from support.refusals import refused
from support.signed import intraday as signed
from support.village import FEES, Member, Village, events
from web3.contract import Contract

from dem.intraday import order_number
from dem.orders import Side
from dem.signing import IntradayCancellation, IntradayFunding, IntradayOrder

from .conftest import FUNDS

NUMBER = order_number(7, Side.BID, 100, 0)


@pytest.fixture
def funded_by_signature(village: Village, intraday: Contract, rival: Member, opened: None) -> None:
    message = IntradayFunding(rival.account, 1, FUNDS, False, 1)
    village.relay(intraday, "fundSigned", *signed(village.market, rival.wallet, message))


def test_a_participant_without_ether_funds_orders_cancels_and_takes_back(
    village: Village, intraday: Contract, rival: Member, funded_by_signature: None
) -> None:
    market, wallet = village.market, rival.wallet
    order = IntradayOrder(rival.account, 1, 7, False, 100, 1_000, 20, 2)
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
    "placeSigned": lambda account, sequence: IntradayOrder(account, 1, 7, False, 100, 1_000, 20, sequence),
    "cancelSigned": lambda account, sequence: IntradayCancellation(account, 1, NUMBER, sequence),
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
