"""Approvals that a gateway passes on: signed by the seat, taken by the contract."""

from collections.abc import Mapping
from typing import Any

import pytest
from eth_account import Account
from support.council import DECIDED, OPEN, Governed
from support.village import Member
from web3.types import RPCEndpoint

from dem.chain.abi import FunctionCodec
from dem.chain.artifacts import shipped
from dem.errors import RequestError
from dem.gateway.approvals import Approvals

APPROVE = FunctionCodec(next(one for one in shipped()["Council"].abi if one.get("name") == "approve"))


class Seated:
    """Stands for the index: who holds a seat."""

    def __init__(self, governed: Governed) -> None:
        self._governed = governed

    def rows(self, _question: str) -> list[dict[str, str]]:
        return [{"holder": holder.lower()} for holder, *_ in self._governed.council.functions.seats().call()]


def test_what_a_seat_signed_passes_and_counts_once(governed: Governed, buyer: Member) -> None:
    chain = governed.chain

    def answer(method: str, parameters: list[Any]) -> Mapping[str, Any]:
        [found] = chain.ask([(RPCEndpoint(method), parameters)])
        return found

    approvals = Approvals(Seated(governed), chain.id, governed.council.address, answer)  # type: ignore[arg-type]
    number = governed.propose(governed.call(governed.market.registry, "suspend", buyer.id))
    seat = governed.seats[1]

    def signed() -> str:
        terms = approvals.terms(seat.address)
        fields = {"to": governed.council.address, "data": APPROVE.encode([number]), "value": 0, "chainId": chain.id}
        fees = {"maxFeePerGas": terms.fee, "maxPriorityFeePerGas": 0, "type": 2}
        made = Account.sign_transaction(fields | fees | {"nonce": terms.nonce, "gas": terms.gas}, seat.private_key)
        return f"0x{bytes(made.raw_transaction).hex()}"

    assert governed.state(number) == OPEN
    hash_ = approvals.take(signed())
    assert chain.web3.eth.get_transaction_receipt(hash_)["status"] == 1  # type: ignore[arg-type]
    assert governed.state(number) == DECIDED
    assert governed.council.functions.hasApproved(number, seat.address).call()
    with pytest.raises(RequestError, match="the council would not take it"):
        approvals.take(signed())
