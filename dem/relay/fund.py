"""The balancing fund."""

from dem.deployment.market import RELAYER
from dem.relay.batches import Relay

MEMBERS_A_PAYMENT = 150
"""Members that one transaction pays premiums and rewards to."""


def pay_fund(relay: Relay, day: int) -> None:
    """Premiums and rewards of all days up to a final one."""
    fund, relayer = relay.market.contract("BalancingFund"), relay.market.keys[RELAYER]
    while (unpaid := fund.functions.nextDay().call()) <= day:
        relay.chain.send(relayer, fund, "pay", unpaid, MEMBERS_A_PAYMENT)
