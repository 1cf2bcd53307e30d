"""What members decide by one signature: who represents them, and who trades for them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from dem.gateway.pages.figures import Market, Row
from dem.gateway.parts import ElectionTerms, Parts

_NOMINATED = "SELECT nominee FROM elections_nominated WHERE election = :election ORDER BY block, log_index"
_VOTED = "SELECT nominee, count(*) AS votes FROM elections_voted WHERE election = :election GROUP BY nominee"
_OWN_VOTE = "SELECT nominee FROM elections_voted WHERE election = :election AND lower(voter) = :voter"
_MAY_VOTE = """
SELECT EXISTS (SELECT 1 FROM elections_nominated WHERE election = :election)
  AND NOT EXISTS (SELECT 1 FROM elections_voted WHERE election = :election AND lower(voter) = :voter) AS may
"""
_ELECTED = "SELECT elected FROM elections_concluded WHERE election = :election"
_MANDATE = """
SELECT m.share, m.first_day, coalesce(n.name, '') AS name, m.intermediary
FROM intermediaries_mandate_given AS m LEFT JOIN names AS n ON n.participant = m.intermediary
WHERE m.client = :client ORDER BY m.block DESC, m.log_index DESC LIMIT 1
"""
_OFFERED = """
WITH asks (intermediary, commission) AS (
  SELECT intermediary, per_wh FROM (
    SELECT *, row_number() OVER (PARTITION BY intermediary ORDER BY block DESC, log_index DESC) AS age
    FROM intermediaries_commission_published WHERE first_day <= :day
  ) AS told WHERE age = 1
)
SELECT p.participant, coalesce(p.name, '') AS name, p.account, asks.commission
FROM asks JOIN participants AS p ON p.participant = asks.intermediary
WHERE p.status = 'admitted' ORDER BY p.participant LIMIT :most
"""
"""Of those who have said what they ask for."""
_MOST = 50
"""On a page, of a list."""


@dataclass(frozen=True, slots=True)
class Nominee:
    """Who stands. votes: told once the voting is over."""

    account: str
    participant: int
    name: str
    votes: int
    is_elected: bool


@dataclass(frozen=True, slots=True)
class Election:
    """The newest one. phase: ahead, nominating, voting or over. voted: for whom the reader voted."""

    number: int
    begins: datetime
    voting: datetime
    until: datetime
    places: int
    phase: str
    nominees: Sequence[Nominee]
    stands: bool
    voted: Nominee | None


class Times(NamedTuple):
    """Of an election, unix time, and how far it is."""

    number: int
    begins: int
    voting: int
    until: int
    phase: str


def _times(terms: ElectionTerms, now: float) -> Times:
    number = max(0, int(now) - terms.opening) // terms.term_length + 1
    begins = terms.opening + (number - 1) * terms.term_length
    voting = begins + terms.nomination_period
    until = voting + terms.voting_period
    ends = (("ahead", begins), ("nominating", voting), ("voting", until))
    return Times(number, begins, voting, until, next((name for name, end in ends if now < end), "over"))


def vote_missing(parts: Parts, market: Market, account: str) -> datetime | None:
    """Until when an election takes the vote of an account that has not cast it; None if there is none."""
    if parts.elections is None:
        return None
    times = _times(parts.elections, market.now.timestamp())
    if times.phase != "voting":
        return None
    [row] = parts.index.rows(_MAY_VOTE, election=times.number, voter=account.lower())
    return market.local(times.until) if row["may"] else None


def election(parts: Parts, market: Market, account: str) -> Election | None:
    """As a reader with an account sees it; None if the gateway does not know when elections are."""
    if parts.elections is None:
        return None
    number, begins, voting, until, phase = _times(parts.elections, market.now.timestamp())
    told = {"election": number}
    accounts = [row["nominee"] for row in parts.index.rows(_NOMINATED, **told)]
    known = parts.index.named(accounts)
    votes = {row["nominee"]: row["votes"] for row in parts.index.rows(_VOTED, **told)} if phase == "over" else {}
    elected = {one.lower() for row in parts.index.rows(_ELECTED, **told) for one in json.loads(row["elected"])}
    own = [row["nominee"] for row in parts.index.rows(_OWN_VOTE, voter=account.lower(), **told)]
    nominees = [
        # Whose account was replaced since is not found by it.
        Nominee(one, about.get("participant", 0), about.get("name") or "", votes.get(one, 0), one.lower() in elected)
        for one in accounts
        for about in [known.get(one.lower(), {})]
    ]
    return Election(
        number,
        market.local(begins),
        market.local(voting),
        market.local(until),
        parts.elections.places,
        phase,
        nominees,
        account.lower() in {one.lower() for one in accounts},
        next((one for one in nominees if one.account in own), None),
    )


def chosen(parts: Parts, market: Market, participant: int) -> Row | None:
    """The newest mandate that a member has given."""
    rows = parts.index.rows(_MANDATE, client=participant)
    if not rows:
        return None
    starts = market.local(market.calendar.start_of(rows[0]["first_day"]))
    return rows[0] | {"starts": starts}


def offered(parts: Parts, day: int) -> list[Row]:
    """Intermediaries that one may choose, with what they ask for on a day, units/Wh."""
    return parts.index.rows(_OFFERED, day=day, most=_MOST)


def earliest(market: Market) -> int:
    """The first day that a mandate may begin with: the one after the newest whose auction is open."""
    calendar = market.calendar
    return max(1, (int(market.now.timestamp()) - calendar.opens_at(1)) // calendar.day_length + 2)
