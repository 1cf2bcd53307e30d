"""Contracts between two members: how a page says their terms, and what a member's browser needs to offer one."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from dem.gateway import offers as known
from dem.gateway.offers import Known, Phase
from dem.gateway.pages.figures import Market, Row
from dem.gateway.pages.limits import coming
from dem.gateway.parts import Parts
from dem.gateway.protocol import parse
from dem.gateway.state import KeptJoint, State
from dem.messages.contracts import Ending as Ended
from dem.messages.signing import message_hash
from dem.model.orders import MAX_ENERGY
from dem.model.units import PRICE_DECIMALS

_DAYS = 60
"""So many days are offered as the first one of a contract."""
_MOST_RUNS = 3
"""Of periods of a day that are told one by one."""
_ENDING_SECONDS = 7 * 86_400
"""For so long the other side may agree to an ending."""
_OVER_SECONDS = 7 * 86_400
"""For so long an offer is shown after its end."""
_REVOKED = "SELECT 1 AS n FROM bilateral_contracts_revoked WHERE message = :message LIMIT 1"
"""Of an ending by either side: then it cannot be carried out any more."""


@dataclass(frozen=True, slots=True)
class Terms:
    """Of a contract. price: units/Wh. wh: each period; day_wh: on a full day. runs: the hours of a day, from and until;
    None if they are too many to be told, then there are so many `periods`. weekdays: bits, the first one is Monday.
    """

    price: int
    wh: int
    day_wh: int
    first: datetime
    last: datetime
    runs: Sequence[tuple[datetime, datetime]] | None
    periods: int
    weekdays: int


@dataclass(frozen=True, slots=True)
class Ending:
    """Of a contract, that one side has signed. state: open, agreed, withdrawn, refused or expired. message: what the
    other side signs alike; revocation: the hash by which who signed takes it back.
    """

    is_own: bool
    last: datetime
    until: datetime
    state: str
    refusal: str | None
    message: dict[str, str]
    revocation: str


@dataclass(frozen=True, slots=True)
class Contract:
    """One that there is. other, name: of the other side. last_days: on which it could end early, and their dates."""

    number: int
    buys: bool
    other: int
    name: str
    terms: Terms
    last_days: Sequence[tuple[int, datetime]]
    endings: Sequence[Ending]


@dataclass(frozen=True, slots=True)
class Offer:
    """One as a member sees it. message: what it would sign to accept; script: what it takes to answer otherwise."""

    known: Known
    is_own: bool
    buys: bool
    terms: Terms
    until: datetime
    message: dict[str, str]
    script: str


def first_day(market: Market) -> int:
    """The first day that a contract may begin with."""
    return coming(market)[0]


def days(market: Market) -> list[tuple[int, datetime]]:
    """Days that a contract may begin with, and when each begins."""
    first = first_day(market)
    return [(day, market.local(market.calendar.start_of(day))) for day in range(first, first + _DAYS)]


def terms(market: Market, member: Row) -> str:
    """What `offers.js` makes a proposal from."""
    calendar = market.calendar
    most = {side: member[f"{side}_capacity_wh"] for side in ("import", "export")}
    return json.dumps(
        {
            "opening": calendar.opening,
            "seconds": calendar.period_length,
            "periods": calendar.periods_per_day,
            "lead": calendar.gate_lead,
            **{side: MAX_ENERGY if wh is None else min(wh, MAX_ENERGY) for side, wh in most.items()},
        },
        separators=(",", ":"),
    )


def contracts(parts: Parts, market: Market, participant: int, account: str) -> list[Contract]:
    """Those of a member that deliver today or later."""
    found, pending = [], defaultdict[int, list[Ending]](list)
    for one in parts.store.joints(account, [Ended.__name__], parts.store.now() - _OVER_SECONDS):
        number, ending = _ending(parts, market, one, account)
        pending[number].append(ending)
    for row in known.contracts_of(parts, participant, market.day_now()):
        buys = row["buyer"] == participant
        other = row["seller"] if buys else row["buyer"]
        span = (row["first_period"], row["end_period"])
        told = _terms(market, row["price"], row["energy"], span, row["slots"], row["weekdays"])
        first, last = row["first_period"] // market.calendar.periods_per_day + 1, _last_day(market, span)
        days_ = range(max(first, first_day(market)) - 1, last)[:_DAYS]
        ends = [(day, market.local(market.calendar.start_of(day))) for day in days_]
        found.append(Contract(row["number"], buys, other, row["name"], told, ends, pending[row["number"]]))
    return found


def _ending(parts: Parts, market: Market, one: KeptJoint, account: str) -> tuple[int, Ending]:
    """One of a contract, with its number."""
    message = parse(Ended.__name__, one.record.envelope["message"])
    assert isinstance(message, Ended)
    revocation = f"0x{message_hash(message).hex()}"
    if one.record.state is State.REFUSED:
        state = "refused"
    elif one.consent is not None:
        state = "agreed"
    else:
        state = "withdrawn" if parts.index.rows(_REVOKED, message=revocation) else "open"
        state = state if one.expires > parts.store.now() else "expired"
    last, until = market.local(market.calendar.start_of(message.last_day)), market.local(one.expires)
    is_own, told = one.record.sender == account, one.record.envelope["message"]
    return message.number, Ending(is_own, last, until, state, one.record.refusal, told, revocation)


def ending_terms(market: Market, number: int) -> dict[str, str]:
    """What is fixed of an ending that somebody proposes now: of which contract, and until when it can be agreed to."""
    return {"number": str(number), "expiry": str(int(market.now.timestamp()) + _ENDING_SECONDS)}


def offers(parts: Parts, market: Market, participant: int, account: str) -> list[Offer]:
    """What a member has offered, and what is offered to it; those that can be answered first."""
    found = []
    for one in known.offers_of(parts, participant, parts.store.now() - _OVER_SECONDS):
        is_own, proposal, answer = one.proposer == participant, one.proposal, one.offer.answer
        is_answered = answer is not None and answer.sender == account
        if not (is_own or one.counterparty or one.phase is Phase.OPEN or is_answered):
            continue  # made to everybody, and gone: another has it
        span = (proposal.first_period, proposal.last_period + 1)
        told = _terms(market, proposal.price, proposal.energy, span, proposal.slots, proposal.weekdays)
        message = {"message": one.offer.hash}
        if not is_own:
            message = {"proposal": one.offer.hash, "expiry": str(proposal.expiry)}
        until = market.local(one.offer.expires)
        script = _script(market, one)
        found.append(Offer(one, is_own, proposal.is_sale != is_own, told, until, message, script))
    return sorted(found, key=lambda one: one.known.phase is not Phase.OPEN)


def _script(market: Market, one: Known) -> str:
    """What `offers.js` fills its form with, to answer an offer by another one."""
    proposal, periods = one.proposal, market.calendar.periods_per_day
    first, last = proposal.first_period // periods + 1, proposal.last_period // periods + 1
    runs = _runs(proposal.slots)
    return json.dumps(
        {
            "answers": one.opening,
            "account": proposal.proposer,
            "isSale": not proposal.is_sale,
            "price": _decimal(proposal.price),
            "energy": proposal.energy,
            "day": first,
            "days": last - first + 1,
            "from": runs[0][0] if len(runs) == 1 else 0,
            "until": runs[0][1] if len(runs) == 1 else periods,
            "weekdays": proposal.weekdays,
        },
        separators=(",", ":"),
    )


def _decimal(price: int) -> str:
    whole, rest = divmod(abs(price), 10**PRICE_DECIMALS)
    return f"{'-' if price < 0 else ''}{whole}.{rest:0{PRICE_DECIMALS}d}"


def _terms(market: Market, price: int, wh: int, span: tuple[int, int], slots: int, weekdays: int) -> Terms:
    calendar = market.calendar
    periods, seconds = calendar.periods_per_day, calendar.period_length
    first, last = span[0] // periods + 1, _last_day(market, span)
    start = calendar.start_of(first)
    runs = _runs(slots)
    told = [(market.local(start + begin * seconds), market.local(start + end * seconds)) for begin, end in runs]
    count = slots.bit_count()
    return Terms(
        price,
        wh,
        wh * count,
        market.local(start),
        market.local(calendar.start_of(last)),
        told if 0 < len(told) <= _MOST_RUNS and count < periods else None,
        count,
        weekdays,
    )


def _last_day(market: Market, span: tuple[int, int]) -> int:
    """Of a contract; span: its first period, and the one after its last."""
    return max(span[0], span[1] - 1) // market.calendar.periods_per_day + 1


def _runs(slots: int) -> list[tuple[int, int]]:
    """Periods of a day without a gap: the first of each, and the one after its last."""
    found, begin = [], None
    for slot in range(slots.bit_length() + 1):
        if slots >> slot & 1:
            begin = slot if begin is None else begin
        elif begin is not None:
            found.append((begin, slot))
            begin = None
    return found
