"""The balancing fund."""

from dem.deployment.market import RELAYER
from dem.relay.batches import Relay

MEMBERS_A_PAYMENT = 150
"""Members that one transaction pays premiums and rewards to."""
GAS_PER_PAID_MEMBER = 60_000


def pay_fund(relay: Relay, day: int) -> None:
    """Premiums and rewards of all days up to a final one.

    Raises:
        RefusedError: the fund pays nobody more.
    """
    fund, relayer = relay.market.contract("BalancingFund"), relay.market.keys[RELAYER]
    while (unpaid := fund.functions.nextDay().call()) <= day:
        # Where there is nothing to pay, the first payment is the last one.
        relay.chain.send(relayer, fund, "pay", unpaid, MEMBERS_A_PAYMENT)
        if fund.functions.nextDay().call() != unpaid:
            continue
        first = fund.functions.nextMember().call()
        members = relay.market.settlement.functions.dayOf(unpaid).call()[0]
        payments = -(-(members + 1 - first) // MEMBERS_A_PAYMENT)
        planned = GAS_PER_PAID_MEMBER * MEMBERS_A_PAYMENT
        payment = relay.chain.transaction(fund, "pay", unpaid, MEMBERS_A_PAYMENT, planned=planned)
        refusals = [refusal for _, refusal in relay.chain.send_all(relayer, [payment] * payments) if refusal]
        # Somebody else may pay, too: then the day is paid, and the last payments found nothing to pay.
        if refusals and fund.functions.nextDay().call() == unpaid:
            raise refusals[0]
