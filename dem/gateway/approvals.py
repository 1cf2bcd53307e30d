"""Approvals of the council: transactions that a seat has signed itself, passed on to the node. No other one passes.

The contract knows a seat by the account that calls it, so an approval is a transaction, and no message that somebody
else could bring. A seat whose wallet has a node of its own sends it there. All others sign it in their browser, and the
gateway passes it on: to the council, the function `approve`, of who holds a seat, if the contract would take it now.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from eth_account import Account
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from eth_hash.auto import keccak
from hexbytes import HexBytes

from dem.chain.abi import FunctionCodec, as_int
from dem.chain.artifacts import shipped
from dem.errors import ChainError, RequestError
from dem.gateway.reads import Index

Answering = Callable[[str, list[Any]], Mapping[str, Any]]
"""A node's whole answer to a question, be it an error; a ChainError if it gives none."""
GAS = 3_000_000
"""The most that an approval may use: the one that decides has up to 16 calls put on the authority's list."""
_BASE_FEES = 2
"""So many times the newest block's base fee is paid at most."""
_TYPES = (1, 2)
"""Of transactions: both name their chain."""
_SEATED = """
SELECT lower(t.holder) AS holder FROM council_seat_taken AS t
WHERE NOT EXISTS (SELECT 1 FROM council_seat_lost AS l WHERE l.number = t.number)
"""
_KNOWN = ("already known", "known transaction", "already imported")
"""What nodes say of a transaction that they have."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a seat's next transaction needs. fee: most for a gas; None on a chain without base fee, where it is free."""

    nonce: int
    fee: int | None
    gas: int = GAS


class Approvals:
    """Takes them for a market. council: address of its contract."""

    def __init__(self, index: Index, chain_id: int, council: str, ask: Answering) -> None:
        self._index, self._chain_id, self._council, self._ask = index, chain_id, council.lower(), ask
        entry = next(one for one in shipped()["Council"].abi if one.get("name") == "approve")
        self._codec = FunctionCodec(entry)

    def has_seat(self, account: str) -> bool:
        """Whether an account holds one now."""
        return account.lower() in {row["holder"] for row in self._index.rows(_SEATED)}

    def terms(self, account: str) -> Terms:
        """Of the next transaction of an account.

        Raises:
            RequestError: the node does not answer.
        """
        nonce = self._result("eth_getTransactionCount", [account, "pending"])
        fee = self._result("eth_getBlockByNumber", ["latest", False]).get("baseFeePerGas")
        return Terms(as_int(nonce), None if fee is None else _BASE_FEES * as_int(fee))

    def take(self, raw: str) -> str:
        """Pass a signed transaction on; returns its hash.

        Raises:
            RequestError: it is not an approval by a seat, the contract would refuse it, or the node does.
        """
        sender, told = _read(raw)
        data = bytes(told["data"])
        if told["chainId"] != self._chain_id:
            raise RequestError(422, "WrongChain", f"the transaction is for chain {told['chainId']}, not this market's")
        is_approval = (
            bytes(told["to"]).hex() == self._council.removeprefix("0x")
            and len(data) == len(self._codec.encode([0]))
            and data[:4] == self._codec.encode([0])[:4]
            and told["value"] == 0
            and not told["accessList"]
            and told["gas"] <= GAS
        )
        if not is_approval:
            why = f"only calls of Council.approve pass here, without value or access list, of at most {GAS} gas"
            raise RequestError(422, "NotAnApproval", why)
        if not self.has_seat(sender):
            raise RequestError(403, "NotASeat", f"{sender} holds no seat of the council: only a seat approves")
        call = {"from": sender, "to": self._council, "data": f"0x{data.hex()}"}
        if error := self._answer("eth_call", [call, "latest"]).get("error"):
            raise RequestError(422, "Refused", f"the council would not take it: {_in_words(error)}")
        answer = self._answer("eth_sendRawTransaction", [raw])
        if error := answer.get("error"):
            words = _in_words(error)
            if not any(known in words.lower() for known in _KNOWN):
                raise RequestError(422, "Refused", f"the node does not take it: {words}")
        return f"0x{keccak(bytes.fromhex(raw.removeprefix('0x'))).hex()}"

    def _result(self, method: str, parameters: list[Any]) -> Any:
        answer = self._answer(method, parameters)
        if answer.get("result") is None:
            raise RequestError(503, "NoNode", "the gateway's node does not answer now: try again later")
        return answer["result"]

    def _answer(self, method: str, parameters: list[Any]) -> Mapping[str, Any]:
        try:
            return self._ask(method, parameters)
        except ChainError as error:
            raise RequestError(503, "NoNode", "the gateway's node does not answer now: try again later") from error


def _read(raw: str) -> tuple[str, dict[str, Any]]:
    """Who signed a transaction, and its fields."""
    try:
        told = TypedTransaction.from_bytes(HexBytes(raw))
        if told.transaction_type in _TYPES:
            return str(Account.recover_transaction(raw)), told.as_dict()
    except Exception as error:  # whatever the library makes of rubbish
        raise RequestError(422, "BadTransaction", "this is no signed transaction") from error
    raise RequestError(422, "BadTransaction", "the transaction must be of type 1 or 2, which name their chain")


def _in_words(error: Any) -> str:
    """What a node says, or the contract's own reason."""
    data, message = (error.get(key) for key in ("data", "message")) if isinstance(error, dict) else (None, error)
    if isinstance(data, str) and data.startswith("0x"):
        return shipped().describe(bytes.fromhex(data.removeprefix("0x")))
    return str(message)[:200]
