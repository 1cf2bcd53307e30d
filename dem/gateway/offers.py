"""Contracts that members offer each other: proposals are kept here until they expire, and what became of each is told.

Whether an offer still stands the chain decides, as rule 8.2 says; here it is worked out from its events.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from dem.errors import RequestError
from dem.gateway.consents import Consent, agreed
from dem.gateway.parts import Parts
from dem.gateway.protocol import BILATERAL, Checked, parse
from dem.gateway.reads import Row
from dem.gateway.state import NewJoint, NewOffer, Offer, State
from dem.messages.contracts import Acceptance, Ending, Proposal, Revocation
from dem.messages.signing import message_hash

MOST = 50
"""Offers of an account that stand at once; and offers, and contracts, in a list."""
NOBODY = "0x" + "00" * 20
NOTHING = bytes(32)
_CONCLUDED = """
SELECT proposal, number, buyer, seller FROM bilateral_contracts_concluded
WHERE proposal IN :hashes
"""
_REVOKED = """
SELECT message, lower(account) AS account FROM bilateral_contracts_revoked
WHERE message IN :hashes
"""
_CONTRACTS = """
SELECT * FROM (
  SELECT c.number, c.buyer, c.seller, c.terms_price AS price, c.terms_energy AS energy,
    c.terms_first_period AS first_period, c.terms_slots AS slots, c.terms_weekdays AS weekdays,
    coalesce(
      (SELECT e.last_day * k.periods_per_day FROM bilateral_contracts_ended AS e WHERE e.number = c.number
       ORDER BY e.block DESC, e.log_index DESC LIMIT 1),
      c.terms_end_period
    ) AS end_period,
    coalesce(n.name, '') AS name
  FROM bilateral_contracts_concluded AS c CROSS JOIN calendar AS k
  LEFT JOIN names AS n ON n.participant = CASE WHEN c.buyer = :id THEN c.seller ELSE c.buyer END
  WHERE c.buyer = :id OR c.seller = :id
) AS theirs WHERE end_period > :period ORDER BY number DESC LIMIT :most
"""


_SIDES = "SELECT buyer, seller FROM bilateral_contracts_concluded WHERE number = :number"
_PLUGGED = "SELECT EXISTS (SELECT 1 FROM schedule_market_added WHERE lower(market) = lower(:market)) AS is_plugged"


class Phase(StrEnum):
    """Of an offer. accepted, withdrawing: what makes it so is not on the chain yet. over: the negotiation that it is of
    has led to another contract, or its opening was withdrawn.
    """

    OPEN = "open"
    ACCEPTED = "accepted"
    CONTRACT = "contract"
    WITHDRAWING = "withdrawing"
    WITHDRAWN = "withdrawn"
    OVER = "over"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Known:
    """An offer as a member sees it. Numbers of its proposer and its counterparty, 0 if that is everybody, and
    their names, if they have agreed that they are told.

    opening: the hash of the proposal that began the negotiation. contract: the number of what it led to.
    """

    offer: Offer
    proposal: Proposal
    opening: str
    proposer: int
    proposer_name: str
    counterparty: int
    counterparty_name: str
    phase: Phase
    contract: int | None = None

    @property
    def refusal(self) -> str | None:
        """Why the chain did not take the newest answer."""
        return self.offer.answer.refusal if self.offer.answer else None


def is_used(parts: Parts, market: str = BILATERAL) -> bool:
    """Whether the market has contracts between members at all, or trades of another of these kinds."""
    [row] = parts.index.rows(_PLUGGED, market=parts.contracts[market])
    return bool(row["is_plugged"])


def taken(parts: Parts, checked: Checked) -> dict[str, Any]:
    """What has to be kept with a message besides itself; nothing of most of them.

    Raises:
        RequestError: it is a proposal, or an answer to one, that cannot lead to anything.
    """
    message, sender = checked.message, checked.sender
    if not isinstance(message, Proposal | Acceptance | Revocation | Ending):
        return {}
    if not parts.index.participant_of(sender):
        raise RequestError(422, "NotAMember", f"{sender} signed this and is no member: contracts are for members alone")
    if isinstance(message, Proposal):
        if not is_used(parts):
            raise RequestError(422, "NoContracts", "this market has no contracts between members")
        return {"offer": _offered(parts, message)}
    if isinstance(message, Ending):
        return {"joint": _ending(parts, message, sender)}
    hash_ = _hex(message.proposal if isinstance(message, Acceptance) else message.message)
    offer = parts.store.offer(hash_)
    if isinstance(message, Acceptance):
        _require_acceptable(parts, offer, hash_, sender)
        return {"answers": hash_}
    # What was never brought here may be taken back as well: whoever holds it cannot use it any more.
    return {"answers": hash_} if offer is not None and offer.record.sender == sender else {}


def _offered(parts: Parts, message: Proposal) -> NewOffer:
    now, day = parts.store.now(), message.first_period // parts.calendar.periods_per_day + 1
    gate = parts.calendar.gate_closes_at(day)
    if min(message.expiry, gate) <= now:
        why = f"it expires at {message.expiry}, and the gate of day {day} closes at {gate}: now it is {now}"
        raise RequestError(422, "OfferExpired", why)
    if message.counterparty == message.proposer:
        raise RequestError(422, "OfferToOneself", "the counterparty is the proposer")
    if message.answers != NOTHING and message.counterparty == NOBODY:
        raise RequestError(422, "AnswerToNobody", "who answers a proposal has to name whom")
    own = [one for one in parts.store.offers(message.proposer, now, MOST) if one.record.sender == message.proposer]
    if len(own) >= MOST:
        raise RequestError(422, "TooManyOffers", f"an account has at most {MOST} offers that have not expired")
    counterparty = None if message.counterparty == NOBODY else message.counterparty
    return NewOffer(_hex(message_hash(message)), counterparty, min(message.expiry, gate))


def _ending(parts: Parts, message: Ending, sender: str) -> NewJoint:
    """One that a side of a contract signs first."""
    now, participant = parts.store.now(), parts.index.participant_of(sender)
    rows = parts.index.rows(_SIDES, number=message.number)
    if not rows or participant not in rows[0].values():
        # Who is no side of it does not learn that it is there.
        raise RequestError(422, "NoSuchContract", f"{sender} has no contract {message.number}")
    day = message.last_day + 1
    gate = parts.calendar.gate_closes_at(day)
    if min(message.expiry, gate) <= now:
        why = f"it expires at {message.expiry}, and the gate of day {day} closes at {gate}: now it is {now}"
        raise RequestError(422, "OfferExpired", why)
    require_few(parts, sender, Ending)
    is_buyer = participant == rows[0]["buyer"]
    other = parts.index.participant(rows[0]["seller" if is_buyer else "buyer"])["account"]
    return NewJoint(min(message.expiry, gate), other, "ending", {"contract": message.number}, is_buyer)


def require_few(parts: Parts, sender: str, type_: type[Any]) -> None:
    """Refuse what an account wants others to sign as well, if it wants that of enough already."""
    open_ = parts.store.joints(sender, [type_.__name__], parts.store.now())
    if len([one for one in open_ if one.record.sender == sender]) >= MOST:
        why = f"an account has at most {MOST} messages of the type {type_.__name__} that have not expired"
        raise RequestError(422, "TooManyOffers", why)


def _require_acceptable(parts: Parts, offer: Offer | None, hash_: str, sender: str) -> None:
    if offer is None or sender not in (offer.counterparty or sender, offer.record.sender):
        # Who may not accept it does not learn that it is there.
        raise RequestError(422, "NoSuchOffer", f"the gateway has no offer {hash_} to {sender}")
    if sender == offer.record.sender:
        raise RequestError(422, "OfferToOneself", "nobody accepts an offer of its own")
    if offer.expires <= parts.store.now():
        raise RequestError(422, "OfferExpired", f"the offer stood until {offer.expires}")
    [phase] = [one.phase for one in _known(parts, sender, parts.index.participant_of(sender), offer)]
    if phase is not Phase.OPEN:
        raise RequestError(422, "OfferGone", f"the offer is not open any more: it is {phase}")


def offers_of(parts: Parts, participant: int, after: int | None = None) -> list[Known]:
    """A member's own offers, and those that are made to it or to everybody. after: which have not expired by then."""
    least = parts.store.now() if after is None else after
    found = _known(parts, parts.index.participant(participant)["account"], participant)
    return [one for one in found if one.offer.expires > least]


def _known(parts: Parts, account: str, reader: int, only: Offer | None = None) -> list[Known]:
    """What became of the latest offers; of one only: beside the others, which may have ended its negotiation."""
    found = {one.hash: one for one in parts.store.offers(account, 0, MOST)}
    if only is None:
        return _followed(parts, [*found.values()], reader)
    return [
        one for one in _followed(parts, [*(found | {only.hash: only}).values()], reader) if one.offer.hash == only.hash
    ]


def _followed(parts: Parts, offers: Sequence[Offer], reader: int) -> list[Known]:
    """What became of offers. reader: who would accept those that are made to everybody."""
    if not offers:
        return []
    proposals = [_proposal(one) for one in offers]
    people = parts.index.named(account for one in proposals for account in (one.proposer, one.counterparty))
    names_of = {int(one["participant"]): one["name"] or "" for one in people.values()}
    told = agreed(parts.store, Consent.NAME, names_of)
    named = {number: name for number, name in names_of.items() if number in told or number == reader}
    openings = {
        offer.hash: offer.hash if proposal.answers == NOTHING else _hex(proposal.answers)
        for offer, proposal in zip(offers, proposals, strict=True)
    }
    hashes = sorted({*openings, *openings.values()})
    concluded = {row["proposal"]: row for row in parts.index.rows(_CONCLUDED, hashes=hashes)}
    withdrawn = {(row["message"], _number(people, row["account"])) for row in parts.index.rows(_REVOKED, hashes=hashes)}
    # A negotiation is over between the two that have a contract of it, and for its opening's proposer.
    used = {(openings.get(one, one), row[side]) for one, row in concluded.items() for side in ("buyer", "seller")}
    found = []
    for offer, proposal in zip(offers, proposals, strict=True):
        by, to = _number(people, proposal.proposer), _number(people, proposal.counterparty)
        opening = openings[offer.hash]
        bound = {(opening, by)} if opening == offer.hash else {(opening, by), (opening, to or reader)}
        if offer.hash in concluded:
            phase = Phase.CONTRACT
        elif (offer.hash, by) in withdrawn:
            phase = Phase.WITHDRAWN
        else:
            phase = Phase.OVER if bound & (used | withdrawn) else _pending(offer, parts.store.now())
        names = [named.get(number, "") for number in (by, to)]
        number = concluded[offer.hash]["number"] if offer.hash in concluded else None
        found.append(Known(offer, proposal, opening, by, names[0], to, names[1], phase, number))
    return found


def _number(people: Mapping[str, Row], account: str) -> int:
    """Of a participant by its account; 0 if it is nobody's."""
    return int(people.get(account.lower(), {}).get("participant", 0))


def _pending(offer: Offer, now: int) -> Phase:
    """Of an offer of which the chain knows nothing yet."""
    if offer.answer is not None and offer.answer.state is not State.REFUSED:
        return Phase.WITHDRAWING if offer.answer.sender == offer.record.sender else Phase.ACCEPTED
    return Phase.OPEN if offer.expires > now else Phase.EXPIRED


def contracts_of(parts: Parts, participant: int, day: int) -> list[Row]:
    """A member's contracts that deliver on a day or later, the newest first."""
    period = (day - 1) * parts.calendar.periods_per_day
    rows = parts.index.rows(_CONTRACTS, id=participant, period=period, most=MOST)
    return [row | {"slots": int(row["slots"])} for row in rows]


def _proposal(offer: Offer) -> Proposal:
    made = parse("Proposal", offer.record.envelope["message"])
    assert isinstance(made, Proposal)
    return made


def _hex(word: bytes) -> str:
    return f"0x{word.hex()}"
