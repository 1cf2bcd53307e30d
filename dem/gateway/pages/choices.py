"""What members decide by one signature: who represents them, and who trades for them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from dem.gateway.pages.figures import Market, Row
from dem.gateway.parts import Parts

_NOMINATED = "SELECT nominee FROM elections_nominated WHERE election = :election ORDER BY block, log_index"
_OPENED = "SELECT nominee, count(*) AS votes FROM elections_opened WHERE election = :election GROUP BY nominee"
_BALLOT = """
SELECT v.commitment, v.sequence, coalesce(o.nominee, '') AS nominee
FROM elections_voted AS v LEFT JOIN elections_opened AS o ON o.election = v.election AND o.id = v.id
WHERE v.election = :election AND v.id = :id ORDER BY v.sequence DESC LIMIT 1
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
    """Who stands. votes: told once they are counted."""

    account: str
    participant: int
    name: str
    votes: int
    is_elected: bool


@dataclass(frozen=True, slots=True)
class Cast:
    """The reader's newest ballot. is_kept: this gateway was brought its opening, and so knows it.

    nominee: whom it counts for, once it is opened.
    """

    commitment: str
    sequence: int
    is_kept: bool
    nominee: Nominee | None


@dataclass(frozen=True, slots=True)
class Election:
    """The newest one. phase: see Times. ballot: the reader's, if there is one."""

    number: int
    begins: datetime
    voting: datetime
    counting: datetime
    until: datetime
    places: int
    phase: str
    nominees: Sequence[Nominee]
    stands: bool
    ballot: Cast | None


def wanted(parts: Parts, market: Market, participant: int) -> Row | None:
    """What the newest election lacks of a member, as an alert: its vote or its ballot's opening, and until when."""
    if parts.elections is None:
        return None
    times = parts.elections.newest(market.now.timestamp())
    phase, told = times.phase(market.now.timestamp()), {"election": times.number}
    rows = parts.index.rows(_BALLOT, id=participant, **told) if phase in ("voting", "counting") else []
    if phase == "voting" and not rows and parts.index.rows(_NOMINATED, **told):
        return {"kind": "vote", "until": market.local(times.counting)}
    if phase == "counting" and rows and not rows[0]["nominee"]:
        return {"kind": "opening", "until": market.local(times.until)}
    return None


def election(parts: Parts, market: Market, account: str, participant: int) -> Election | None:
    """As a reader sees it; None if the gateway does not know when elections are."""
    if parts.elections is None:
        return None
    times = parts.elections.newest(market.now.timestamp())
    phase, told = times.phase(market.now.timestamp()), {"election": times.number}
    accounts = [row["nominee"] for row in parts.index.rows(_NOMINATED, **told)]
    known = parts.index.named(accounts)
    votes = {row["nominee"]: row["votes"] for row in parts.index.rows(_OPENED, **told)} if phase == "over" else {}
    elected = {one.lower() for row in parts.index.rows(_ELECTED, **told) for one in json.loads(row["elected"])}
    nominees = {
        # Whose account was replaced since is not found by it.
        one: Nominee(
            one, about.get("participant", 0), about.get("name") or "", votes.get(one, 0), one.lower() in elected
        )
        for one in accounts
        for about in [known.get(one.lower(), {})]
    }
    own = parts.index.rows(_BALLOT, id=participant, **told)
    return Election(
        times.number,
        market.local(times.begins),
        market.local(times.voting),
        market.local(times.counting),
        market.local(times.until),
        parts.elections.places,
        phase,
        [*nominees.values()],
        account.lower() in {one.lower() for one in accounts},
        _cast(parts, own[0], nominees) if own else None,
    )


def _cast(parts: Parts, row: Row, nominees: Mapping[str, Nominee]) -> Cast:
    # The id of an opening is its digest, and that is the ballot's commitment.
    is_kept = parts.store.message(row["commitment"]) is not None
    return Cast(row["commitment"], row["sequence"], is_kept, nominees.get(row["nominee"]))


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
