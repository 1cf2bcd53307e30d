"""What offices' pages tell: the operator's day, the council's proposals in words, what an auditor looks at."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dem.chain.artifacts import shipped
from dem.gateway.pages.figures import Market, Row, shares
from dem.gateway.parts import Parts
from dem.gateway.reads import structs
from dem.governance.council import in_words
from dem.model.strips import LANES

_MOST = 50
"""On a page, of a list."""


@dataclass(frozen=True, slots=True)
class Missing:
    """Members whose meter has not read all of a day, or whose day is estimated. members: the first ones of them."""

    day: int
    deadline: datetime
    count: int
    members: Sequence[Row]


@dataclass(frozen=True, slots=True)
class Arrears:
    """How many members owe how much. members: those that owe most."""

    count: int
    units: int
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
    """Of the council. state: open, decided or executed. is_approved: by who reads."""

    number: int
    state: str
    words: str
    functions: Sequence[str]
    approvals: int
    is_approved: bool
    proposed_at: datetime | None
    ready_at: datetime | None


def missing_meters(parts: Parts, market: Market, day: int) -> Missing:
    """Who has not read, of those that are to: members with a meter who were admitted before the day."""
    rows = parts.index.rows(
        "WITH came AS ("
        "SELECT id, count(DISTINCT strip) * :lanes AS periods FROM strip_read WHERE day = :day GROUP BY id) "
        "SELECT p.participant, coalesce(p.name, '') AS name, p.kind, coalesce(came.periods, 0) AS periods, "
        "count(*) OVER () AS members FROM participants AS p LEFT JOIN came ON came.id = p.participant "
        "WHERE p.kind IN ('consumer', 'prosumer', 'grid_operator') AND p.status = 'admitted' AND p.first_day <= :day "
        "AND coalesce(came.periods, 0) < :all ORDER BY p.participant LIMIT :most",
        day=day,
        lanes=LANES,
        all=market.calendar.periods_per_day,
        most=_MOST,
    )
    count = rows[0]["members"] if rows else 0
    return Missing(day, market.local(market.calendar.metering_deadline(day)), count, rows)


def refused(parts: Parts, market: Market, sender: str | None = None) -> list[Refused]:
    """The newest messages that contracts or the gateway's relayer refused. sender: only of this account."""
    found = []
    for what, table, who in (
        ("orders", "call_auction_sheet_rejected", "participant"),
        ("readings", "meter_readings_readings_rejected", "meter"),
    ):
        theirs = "" if sender is None else f"WHERE lower(r.{who}) = :sender "
        question = (
            f"SELECT r.{who} AS who, r.day, r.reason, b.time FROM {table} AS r JOIN block AS b ON b.number = r.block "
            f"{theirs}ORDER BY r.block DESC, r.log_index DESC LIMIT :most"
        )
        values = {} if sender is None else {"sender": sender.lower()}
        for row in parts.index.rows(question, most=_MOST, **values):
            when = None if row["time"] is None else market.local(row["time"])
            reason = shipped().describe(bytes.fromhex(row["reason"][2:]))
            found.append(Refused(what, row["who"], row["day"], when, reason))
    found += [
        Refused(record.type, record.sender, None, None, record.refusal or "")
        for record in parts.store.refused(_MOST, sender)
    ]
    return found


def arrears(parts: Parts) -> Arrears:
    """Who owes, the most first."""
    rows = parts.index.rows(
        "SELECT id AS participant, coalesce(n.name, '') AS name, arrears, count(*) OVER () AS members, "
        "sum(arrears) OVER () AS units FROM ("
        "SELECT *, row_number() OVER (PARTITION BY id ORDER BY block DESC, log_index DESC) AS age "
        "FROM accounts_arrears_changed) AS a JOIN names AS n ON n.participant = a.id "
        "WHERE age = 1 AND arrears > 0 ORDER BY arrears DESC, id LIMIT :most",
        most=_MOST,
    )
    count, units = (rows[0]["members"], rows[0]["units"]) if rows else (0, 0)
    return Arrears(count, units, rows)


def proposals(parts: Parts, market: Market, account: str | None = None) -> list[Proposal]:
    """All of them, the newest first. account: of who reads."""
    approved: dict[int, set[str]] = defaultdict(set)
    for row in parts.index.rows(
        "SELECT a.id, lower(a.by) AS account FROM council_approved AS a WHERE NOT EXISTS ("
        "SELECT 1 FROM council_approval_withdrawn AS w WHERE w.id = a.id AND w.by = a.by "
        "AND (w.block, w.log_index) > (a.block, a.log_index))"
    ):
        approved[row["id"]].add(row["account"])
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
                approvals=len(approved[row["id"]]),
                is_approved=account is not None and account.lower() in approved[row["id"]],
                proposed_at=None if row["time"] is None else market.local(row["time"]),
                ready_at=None if ready is None else market.local(int(ready)),
            )
        )
    return found


def _calls(kept: str) -> list[tuple[str, bytes]]:
    return [(str(target), bytes.fromhex(str(data).removeprefix("0x"))) for target, data in structs(kept)]


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
        "SELECT bought_wh AS bought, sold_wh AS sold FROM ("
        "SELECT *, row_number() OVER (PARTITION BY id ORDER BY block DESC, log_index DESC) AS age "
        "FROM scheduled_day WHERE day = :day) AS told WHERE age = 1",
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
