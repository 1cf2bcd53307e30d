"""From when on nodes and market are not well."""

from dataclasses import dataclass

from dem.chain.watch import AGE_SECONDS, AHEAD_SECONDS


@dataclass(frozen=True, slots=True)
class Limits:
    """From when on something is wrong.

    depth: blocks behind the newest one from which nodes must agree. lag: blocks a node may be behind the best one. age:
    seconds since the newest block; None where blocks come only with transactions. grace: seconds that what anybody
    may do (clear, close, settle, end a day) may wait. ahead: seconds that a block may be ahead of this machine's clock,
    where blocks come by the clock.
    """

    depth: int = 12
    lag: int = 3
    age: int | None = AGE_SECONDS
    grace: int = 900
    ahead: int = AHEAD_SECONDS
