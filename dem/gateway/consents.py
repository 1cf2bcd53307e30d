"""What a member may agree to, and take back: purposes that this gateway obeys, each with every version of its text.

A consent is to a text as it was shown. When a text gets a new version, who agreed to an older one is asked anew, and
until then counts as who has not agreed.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from dem.gateway.pages.words import N_

if TYPE_CHECKING:
    from dem.gateway.parts import Parts
    from dem.gateway.state import Store


class Consent(StrEnum):
    """values: those of metering operators are kept longer. name: stands beside offers of contracts. intermediary: may
    read what the meter showed.
    """

    VALUES = "values"
    NAME = "name"
    INTERMEDIARY = "intermediary"


TEXTS: Mapping[Consent, Sequence[str]] = {
    Consent.VALUES: (
        N_(
            "Keep the quarter-hour values that a metering operator brought of my meters for longer than the market "
            "needs them, so that I can compare years. When I take this back, what is older than the market needs is "
            "deleted."
        ),
    ),
    Consent.NAME: (
        N_(
            "Show my name beside offers of contracts: to the member with whom I deal, or to every member if I offer to "
            "everybody. Without this they see my number."
        ),
    ),
    Consent.INTERMEDIARY: (
        N_(
            "Let the intermediary whom I have chosen read what my meter showed and what I contracted, period by "
            "period, so that it can forecast. Each reading is noted, and I see it. It ends with my choice of that "
            "intermediary."
        ),
    ),
}
"""All versions of each text, the one that holds last. A text that is in use never changes: a new one follows it."""

_TRADES_FOR = """
SELECT intermediary, share FROM intermediaries_mandate_given WHERE client = :client AND first_day <= :day
ORDER BY block DESC, log_index DESC LIMIT 1
"""


def version_of(purpose: Consent) -> int:
    """Of the text that holds, from 1."""
    return len(TEXTS[purpose])


def agreed(store: "Store", purpose: Consent, participants: Collection[int] | None = None) -> frozenset[int]:
    """Who agrees to the text that holds; of these participants, or of all."""
    return store.agreed(purpose, version_of(purpose), participants)


def opens_energy(parts: "Parts", reader: int, participant: int) -> bool:
    """Whether a reader trades for a participant, tomorrow at the latest, and may therefore read about its energy."""
    if not reader or not agreed(parts.store, Consent.INTERMEDIARY, [participant]):
        return False
    passed = int(parts.clock().astimezone(UTC).timestamp()) - parts.calendar.opening
    day = max(1, passed // parts.calendar.day_length + 2)
    rows = parts.index.rows(_TRADES_FOR, client=participant, day=day)
    return bool(rows) and rows[0]["intermediary"] == reader and rows[0]["share"] > 0


def moment(time: int) -> str:
    """Unix time in a file of the member's own."""
    return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%dT%H:%M:%SZ}"
