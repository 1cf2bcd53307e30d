"""Withdrawals to banks: they wait for the treasurer, who alone sees them, brings them or says why not."""

from pathlib import Path

import pytest
from support.gateway import Gateway, account_of, make_gateway

from dem.errors import RequestError
from dem.messages.members import Withdrawal
from dem.model.units import CENT


def out(name: str = "home", amount: int = 500 * CENT, sequence: int = 1) -> Withdrawal:
    return Withdrawal(account_of(name), amount, True, sequence)


def test_it_waits_for_the_treasurer_and_is_final_when_the_chain_says_so(gateway: Gateway) -> None:
    home, treasurer = gateway.client("home"), gateway.client("treasurer")
    id_ = home.send("Accounts", out())
    gateway.step()
    assert home.status(id_)["state"] == "payout"
    assert gateway.node.brought == []
    [waiting] = treasurer.get("/v1/payouts")
    assert (waiting["id"], waiting["envelope"]["message"]["amount"]) == (id_, str(500 * CENT))
    gateway.node.blocks.append([id_])
    gateway.node.paid.append(id_)
    gateway.step()
    assert home.status(id_)["state"] == "in_block"
    assert treasurer.get("/v1/payouts") == []
    gateway.node.blocks += [[]] * 4
    gateway.step()
    assert home.status(id_)["state"] == "final"
    assert gateway.node.brought == []


def test_what_the_chain_takes_back_waits_for_the_treasurer_again(gateway: Gateway) -> None:
    home = gateway.client("home")
    id_ = home.send("Accounts", out())
    gateway.node.blocks.append([id_])
    gateway.node.paid.append(id_)
    gateway.step()
    gateway.node.blocks[1:] = [[], []]
    gateway.step()
    assert home.status(id_)["state"] == "payout"
    assert gateway.node.brought == []
    told = [(e.kind, e.data["state"]) for e in gateway.store.journal(0, 100, account_of("home")) if e.owner]
    assert told[2:] == [("message", "payout"), ("message", "in_block"), ("retract", "payout")]


def test_a_refusal_of_the_treasurer_is_told_and_stands(gateway: Gateway) -> None:
    home, treasurer = gateway.client("home"), gateway.client("treasurer")
    id_ = home.send("Accounts", out())
    with pytest.raises(RequestError, match="Denied"):
        home.refuse_payout(id_, "no")
    treasurer.refuse_payout(id_, "InsufficientFunds(id=6)")
    assert (home.status(id_)["state"], home.status(id_)["refusal"]) == ("refused", "InsufficientFunds(id=6)")
    for unknown in (id_, "0x" + "ab" * 32):
        with pytest.raises(RequestError, match="waits for the treasurer"):
            treasurer.refuse_payout(unknown, "again")
    assert treasurer.get("/v1/payouts") == []


@pytest.mark.parametrize(
    ("message", "title"),
    [
        (out(amount=CENT + 1), "NotWholeCents"),
        (out(amount=0), "NotWholeCents"),
        (out(amount=CENT << 100), "NotWholeCents"),
        (out("stranger"), "NotAMember"),
    ],
)
def test_what_no_treasurer_can_pay_is_refused_at_once(gateway: Gateway, message: Withdrawal, title: str) -> None:
    name = "home" if message.account == account_of("home") else "stranger"
    with pytest.raises(RequestError, match=title):
        gateway.client(name, log_in=False).send("Accounts", message)
    assert gateway.store.counts()["payout"] == 0


def test_without_a_treasurer_it_is_refused_and_with_its_software_alone_taken(tmp_path: Path, index: Path) -> None:
    gateway = make_gateway(tmp_path, index)
    gateway.parts.configuration.offices.clear()
    home = gateway.client("home")
    with pytest.raises(RequestError, match="NoTreasurer"):
        home.send("Accounts", out())
    secret = gateway.store.register("bank-office", ["treasurer"], 86_400)
    id_ = home.send("Accounts", out())
    software = gateway.client()
    software.log_in_as("bank-office", secret)
    assert [one["id"] for one in software.get("/v1/payouts")] == [id_]
    gateway.store.close()


def test_tokens_to_ones_own_wallet_are_the_gateways_to_bring(gateway: Gateway) -> None:
    home = gateway.client("home")
    id_ = home.send("Accounts", Withdrawal(account_of("home"), 1, False, 1))
    gateway.step()
    assert gateway.node.brought == [id_]
