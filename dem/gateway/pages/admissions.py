"""A newcomer's way into the market, step by step."""

from typing import Any

from dem.gateway.pages import limits
from dem.gateway.pages.figures import Market, units
from dem.gateway.parts import Parts
from dem.gateway.state import Record, State

_DONE, _NOW, _LATER, _FAILED = "done", "now", "later", "failed"
_MESSAGES = 100
"""Of an account, among which its newest application is looked for."""
_LAST = """
SELECT what FROM (
  SELECT 'applied' AS what, block, log_index FROM participant_registry_applied WHERE lower(account) = :account
  UNION ALL SELECT 'rejected', block, log_index FROM participant_registry_rejected WHERE lower(account) = :account
) AS told ORDER BY block DESC, log_index DESC LIMIT 1
"""


def of(parts: Parts, market: Market, account: str, participant: int) -> dict[str, Any]:
    """What the page tells. steps: done, now, later or failed, of each."""
    records = parts.store.messages_of(account, _MESSAGES)
    sent = next((record for record in records if record.type == "Application"), None)
    rows = parts.index.rows(_LAST, account=account.lower())
    member = parts.index.participant(participant) if participant else {}
    balance = units(member.get("balance") or "0.0")
    starts = market.calendar.start_of(member["first_day"]) if member else None
    has_begun = starts is not None and starts <= market.now.timestamp()
    is_signed = bool(member) and limits.last_signed(parts, market, account) is not None
    after = _NOW if member else _LATER
    return {
        "sent": sent,
        "starts": None if starts is None else market.local(starts),
        "balance": balance,
        "documents": sent.envelope["message"]["documents"] if sent else "",
        "steps": _application(bool(member), sent, rows[0]["what"] if rows else "")
        | {
            "begins": _DONE if has_begun else after,
            "money": _DONE if balance > 0 else after,
            "limits": _DONE if is_signed else after,
        },
    }


def _application(is_member: bool, sent: Record | None, last: str) -> dict[str, str]:
    """last: what the chain says of the account, applied or rejected; nothing if it does not know it."""
    if is_member:
        return {"sent": _DONE, "decided": _DONE}
    if sent is not None and sent.state in (State.QUEUED, State.REFUSED) and last != "applied":
        return {"sent": _NOW if sent.state is State.QUEUED else _FAILED, "decided": _LATER}
    if sent is None and not last:
        return {"sent": _NOW, "decided": _LATER}
    return {"sent": _DONE, "decided": _FAILED if last == "rejected" else _NOW}
