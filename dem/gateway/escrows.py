"""Trades in escrow (rule 16): what two have to sign is kept until both have, and then brought."""

from typing import Any

from eth_utils.address import to_checksum_address

from dem.errors import RequestError
from dem.gateway.offers import is_used, require_few
from dem.gateway.parts import Parts
from dem.gateway.protocol import ESCROW, Checked
from dem.gateway.state import KeptJoint, NewJoint
from dem.messages.contracts import EscrowRelease, EscrowTrade

_FUNDED = """
SELECT t.day, t.terms_slots AS slots, t.terms_energy AS energy, t.terms_price AS price,
  t.terms_buyer_key AS buyer_key, t.terms_seller_key AS seller_key, t.terms_mediator AS mediator
FROM escrow_trades_funded AS t JOIN escrows AS e ON e.number = t.number
WHERE t.number = :number AND e.state = 'funded'
"""


def taken(parts: Parts, checked: Checked) -> dict[str, Any]:
    """What has to be kept with a message besides itself; nothing of most of them.

    Raises:
        RequestError: it is of a trade in escrow, and cannot lead to anything.
    """
    message, sender = checked.message, checked.sender
    if isinstance(message, EscrowTrade):
        return {"joint": _traded(parts, message, sender)}
    if isinstance(message, EscrowRelease):
        return {"joint": _released(parts, message, sender)}
    return {}


def waiting(parts: Parts, account: str | None) -> list[KeptJoint]:
    """Trades that an account, or the other side, has signed, and that wait for the second signature."""
    if account is None:
        return []
    found = parts.store.joints(account, [EscrowTrade.__name__], parts.store.now())
    return [one for one in found if one.consent is None]


def _traded(parts: Parts, message: EscrowTrade, sender: str) -> NewJoint:
    """One that a side signs first."""
    if not is_used(parts, ESCROW):
        raise RequestError(422, "NoEscrow", "this market has no trades in escrow")
    if sender not in (message.buyer, message.seller):
        raise RequestError(422, "NotASide", f"{sender} signed this and is neither its buyer nor its seller")
    if message.buyer == message.seller:
        raise RequestError(422, "OfferToOneself", "buyer and seller are the same")
    for account in (sender, message.buyer, message.seller):
        if not parts.index.participant_of(account):
            raise RequestError(422, "NotAMember", f"{account} is no member: trades in escrow are for members alone")
    now, opens = parts.store.now(), parts.calendar.opens_at(message.day)
    if now < opens:
        raise RequestError(422, "TooEarly", f"day {message.day} opens at {opens}: now it is {now}")
    gate = parts.calendar.gate_closes_at(message.day)
    if min(message.expiry, gate) <= now:
        why = f"it expires at {message.expiry}, and the gate of day {message.day} closes at {gate}: now it is {now}"
        raise RequestError(422, "OfferExpired", why)
    require_few(parts, sender, EscrowTrade)
    is_buyer = sender == message.buyer
    return NewJoint(min(message.expiry, gate), message.seller if is_buyer else message.buyer, "escrow", {}, is_buyer)


def _released(parts: Parts, message: EscrowRelease, sender: str) -> NewJoint:
    """How an escrow is split, as one of the trade's three keys signs it first."""
    rows = parts.index.rows(_FUNDED, number=message.number)
    keys = {rows[0][name].lower() for name in ("buyer_key", "seller_key", "mediator")} if rows else set()
    if sender.lower() not in keys:
        # Who has none of its keys does not learn that the trade is there.
        raise RequestError(422, "NoSuchTrade", f"{sender} is no key of a trade {message.number} whose escrow waits")
    [trade] = rows
    escrow = int(trade["energy"]) * int(trade["slots"]).bit_count() * int(trade["price"])
    if message.to_seller + message.to_buyer != escrow:
        why = f"{message.to_seller} and {message.to_buyer} are together not the escrow: {escrow} units"
        raise RequestError(422, "NotTheEscrow", why)
    closes = parts.calendar.corrections_close_at(trade["day"])
    if closes <= parts.store.now():
        raise RequestError(422, "OfferExpired", f"corrections of day {trade['day']} closed at {closes}")
    require_few(parts, sender, EscrowRelease)
    others = sorted(keys - {sender.lower()})
    first, second = (to_checksum_address(key) for key in others)
    return NewJoint(closes, first, "escrow", {"number": message.number}, other=second)
