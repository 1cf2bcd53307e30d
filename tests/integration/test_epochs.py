"""From one epoch of a market to the next: what members have signed leaves the old chain and comes to the new one."""

import csv
from pathlib import Path

import pytest
from support.signed import domain
from support.village import DEPOSIT, Member, Village, found_village

from dem.deployment.market import Market
from dem.messages.members import Withdrawal
from dem.messages.signed import Received
from dem.messages.signing import digest, sign
from dem.relay.batches import Relay
from dem.relay.payouts import COLUMNS, Payout, redeem
from dem.roles.chain import ChainRole
from dem.roles.offices import Treasurer
from dem.roles.service import Service
from dem.roles.sources import payments


def payout(market: Market, member: Member, amount: int, sequence: int = 1) -> Payout:
    message, at = Withdrawal(member.account, amount, True, sequence), domain(market, "Accounts")
    signature = sign(at, message, member.wallet.account_key)
    return Payout(f"0x{digest(at, message).hex()}", Received(message, signature))


def free(market: Market, member: Member) -> int:
    return int(market.accounts.functions.accountOf(member.id).call()[0])


def written(path: Path, payouts: list[Payout]) -> Path:
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        writer.writerows(one.row for one in payouts)
    return path


def test_money_is_on_one_chain_and_then_on_the_other_once_and_to_the_unit(
    village: Village, market: Market, tmp_path: Path
) -> None:
    members, relay = (village.buyer, village.seller), Relay(market)
    payouts = [payout(market, village.buyer, DEPOSIT), payout(market, village.seller, 123_456_789)]
    for _ in range(2):  # killed after the first and called again, it takes nothing out twice
        assert [*redeem(relay, payouts)] == [(one, "") for one in payouts]
    assert [free(market, one) for one in members] == [0, DEPOSIT - 123_456_789]

    after = found_village(tmp_path / "after")
    table = payments(written(tmp_path / "payments.csv", payouts))
    new = Relay(after.market)
    treasurer = Service("treasurer", "treasurer", lambda: ChainRole(new, Treasurer(new, table).steps))
    assert (treasurer.look(), treasurer.look()) == (1, 0)
    assert [free(after.market, one) for one in members] == [2 * DEPOSIT, DEPOSIT + 123_456_789]
    assert free(market, village.rival) == free(after.market, after.rival) == DEPOSIT


@pytest.mark.parametrize("amount", [DEPOSIT + 1, 10**20])
def test_what_is_not_there_is_refused_and_keeps_nobody_else_up(village: Village, market: Market, amount: int) -> None:
    payouts = [payout(market, village.buyer, amount), payout(market, village.seller, 5)]
    found = {one.signed.message.account: why for one, why in redeem(Relay(market), payouts)}
    assert found[village.seller.account] == ""
    assert found[village.buyer.account].startswith("InsufficientFunds")
    assert free(market, village.buyer) == DEPOSIT
