"""Whether blocks come, and by a clock that agrees with this machine's."""

import time

AGE_SECONDS, AHEAD_SECONDS = 60, 15
"""A newest block that is so much older than this machine's clock, or so much ahead of it, is worth a word."""


class Watch:
    """Looks at the newest block of a chain whose blocks come by the clock, and says what is odd about it, once."""

    def __init__(self) -> None:
        self._number = -1
        self._since = 0.0
        self._is_odd = False

    def look(self, number: int, timestamp: int) -> str:
        """A sentence; empty if all is well, or if it was said before and nothing has become better since."""
        if number != self._number:
            self._number, self._since = number, time.monotonic()
        old = max(time.time() - timestamp, time.monotonic() - self._since)
        ahead = timestamp - time.time()
        oddity = ""
        if ahead > AHEAD_SECONDS:
            oddity = (
                f"block {number} is {ahead:.0f} s ahead of this machine's clock: set the clocks of the signers and of "
                "this machine; by the chain's time gates close too early"
            )
        elif old > AGE_SECONDS:
            oddity = (
                f"there is no block after {number}, which is {old:.0f} s old by this machine's clock: the chain stands "
                "still, or this node hears nothing of it (see `ape run health`), or this clock is wrong"
            )
        was_odd, self._is_odd = self._is_odd, bool(oddity)
        return "" if was_odd else oddity
