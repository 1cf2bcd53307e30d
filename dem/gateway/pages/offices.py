"""What offices' pages tell: the operator's day, the council's proposals in words, what an auditor looks at."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dem.chain.artifacts import shipped
from dem.gateway.pages.figures import Market, Row, shares
from dem.gateway.parts import Parts
from dem.gateway.state import State
from dem.governance.council import in_words

_MOST = 50


@dataclass(frozen=True, slots=True)
class Missing:
    """Members whose meter has not read all of a day, or whose day is estimated."""

    day: int
    deadline: datetime
    members: Sequence[Row]


@dataclass(frozen=True, slots=True)
class Refused:
    """A message that was refused, and why. day, when: None if not known."""

    what: str
    who: str
    day: int | None
    when: datetime | None
    reason: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """Of the council. state: open, decided or executed."""

    number: int
    state: str
    words: str
    functions: Sequence[str]
    approvals: int
    proposed_at: datetime | None
    ready_at: datetime | None


def missing_meters(parts: Parts, market: Market, day: int) -> Missing:
    """Who has not read, of those that are to: members with a meter who were admitted before the day."""
    rows = parts.index.rows(
        "SELECT p.participant, coalesce(p.name, '') AS name, p.kind, "
        "(SELECT count(DISTINCT slot) FROM reading AS r WHERE r.id = p.participant AND r.day = :day) AS periods "
        "FROM participants AS p WHERE p.kind IN ('consumer', 'prosumer', 'grid_operator') AND p.status = 'admitted' "
        "AND p.first_day <= :day ORDER BY p.participant",
        day=day,
    )
    lacking = [row for row in rows if row["periods"] < market.calendar.periods_per_day]
    return Missing(day, market.local(market.calendar.metering_deadline(day)), lacking)


def refused(parts: Parts, market: Market, sender: str | None = None) -> list[Refused]:
    """The newest messages that contracts or the gateway's relayer refused. sender: only of this account."""
    found = []
    for what, table, who in (
        ("orders", "call_auction_sheet_rejected", "participant"),
        ("readings", "meter_readings_readings_rejected", "meter"),
    ):
        question = (
            f"SELECT r.{who} AS who, r.day, r.reason, b.time FROM {table} AS r JOIN block AS b ON b.number = r.block "
            f"WHERE :sender IS NULL OR lower(r.{who}) = :sender ORDER BY r.block DESC, r.log_index DESC LIMIT :most"
        )
        for row in parts.index.rows(question, sender=sender and sender.lower(), most=_MOST):
            when = None if row["time"] is None else market.local(row["time"])
            reason = shipped().describe(bytes.fromhex(row["reason"][2:]))
            found.append(Refused(what, row["who"], row["day"], when, reason))
    for record in parts.store.messages(State.REFUSED, 1_000)[-_MOST:]:
        if sender is None or record.sender == sender:
            found.append(Refused(record.type, record.sender, None, None, record.refusal or ""))
    return found


def arrears(parts: Parts) -> list[Row]:
    """Who owes, the most first; money units."""
    return parts.index.rows(
        "SELECT id AS participant, coalesce(n.name, '') AS name, arrears FROM ("
        "SELECT *, row_number() OVER (PARTITION BY id ORDER BY block DESC, log_index DESC) AS age "
        "FROM accounts_arrears_changed) AS a JOIN names AS n ON n.participant = a.id "
        "WHERE age = 1 AND arrears > 0 ORDER BY arrears DESC"
    )


def proposals(parts: Parts, market: Market) -> list[Proposal]:
    """All of them, the newest first."""
    approved = Counter(
        {row["id"]: row["n"] for row in parts.index.rows(
            "SELECT a.id, count(DISTINCT a.by) AS n FROM council_approved AS a WHERE NOT EXISTS ("
            "SELECT 1 FROM council_approval_withdrawn AS w WHERE w.id = a.id AND w.by = a.by "
            "AND (w.block, w.log_index) > (a.block, a.log_index)) GROUP BY a.id"
        )}
    )  # fmt: skip
    decided = {row["id"]: row["ready_at"] for row in parts.index.rows(
        "SELECT d.id, d.ready_at FROM council_decided AS d WHERE NOT EXISTS ("
        "SELECT 1 FROM council_reopened AS r WHERE r.id = d.id AND (r.block, r.log_index) > (d.block, d.log_index))"
    )}  # fmt: skip
    executed = {row["id"] for row in parts.index.rows("SELECT id FROM council_executed")}
    found = []
    for row in parts.index.rows(
        "SELECT p.id, p.calls, b.time FROM council_proposed AS p JOIN block AS b ON b.number = p.block "
        "ORDER BY p.id DESC"
    ):
        number, calls = int(row["id"]), _calls(row["calls"])
        words = in_words(parts.contracts, calls)
        ready = decided.get(row["id"])
        found.append(
            Proposal(
                number=number,
                state="executed" if row["id"] in executed else "decided" if ready is not None else "open",
                words=words,
                functions=[in_words(parts.contracts, [call]).split(" ")[0] for call in calls],
                approvals=approved[row["id"]],
                proposed_at=None if row["time"] is None else market.local(row["time"]),
                ready_at=None if ready is None else market.local(int(ready)),
            )
        )
    return found


def _calls(kept: str) -> list[tuple[str, bytes]]:
    """Calls as the index keeps them: a list, of which each is a list again."""
    found = []
    for one in json.loads(kept):
        target, data = json.loads(one) if isinstance(one, str) else one
        found.append((str(target), bytes.fromhex(str(data).removeprefix("0x"))))
    return found


def rule_versions(parts: Parts) -> list[Row]:
    """Versions of the rules, the newest first: what changed against the one before."""
    rows = parts.index.rows("SELECT * FROM market_rules_rules_changed ORDER BY block, log_index")
    found, before = [], dict[str, Any]()
    for row in rows:
        own = {name.removeprefix("rules_"): value for name, value in row.items() if name.startswith("rules_")}
        changed = {name: (before.get(name), value) for name, value in own.items() if before.get(name) != value}
        found.append({"first_day": row["first_day"], "changed": changed, "is_first": not before})
        before = own
    return found[::-1]


def concentration(parts: Parts, day: int) -> dict[str, Any]:
    """Of contracted energy of a day: how many buy and sell, the largest part of one, and the concentration."""
    rows = parts.index.rows(
        "SELECT id, sum(max(net_wh, 0)) AS bought, sum(max(-net_wh, 0)) AS sold FROM ("
        "SELECT *, row_number() OVER (PARTITION BY id, slot ORDER BY block DESC, log_index DESC) AS age "
        "FROM scheduled WHERE day = :day) WHERE age = 1 GROUP BY id",
        day=day,
    )
    found: dict[str, Any] = {}
    for side in ("bought", "sold"):
        parts_ = [row[side] for row in rows if row[side] > 0]
        found[side] = {
            "members": len(parts_),
            "wh": sum(parts_),
            "largest": max(parts_, default=0),
            "index": round(shares(parts_) * 10_000),
        }
    return found


def moment(time: int) -> datetime:
    """Of the access log."""
    return datetime.fromtimestamp(time, UTC)
