"""How many blocks a node is asked for at once: learnt from what it answers and what it refuses."""

_FIRST, _MOST = 64, 16_384
_EVENTS = 5_000
"""Events one request should bring: it asks for more blocks, or for fewer, than the one before to come near it."""
_LONGEST_TRIAL = 64


class Ranges:
    """Doubles while a node answers and halves at every refusal.

    Nodes limit blocks (1,000 or 5,000), events or bytes, and say so in words of their own, so no word is read. After
    a refusal more blocks are tried only once some requests have gone well: the more of them, the oftener it refused.
    """

    def __init__(self) -> None:
        self.blocks = _FIRST
        self._trial = 1
        self._answered = 0

    def answered(self, blocks: int, events: int) -> None:
        """The node told so many events of so many blocks."""
        if events > _EVENTS:
            self.blocks = max(1, self.blocks // 2)
        elif blocks == self.blocks and events < _EVENTS // 2:
            self._answered += 1
            if self._answered >= self._trial:
                self.blocks = min(2 * self.blocks, _MOST)
                self._trial, self._answered = max(1, self._trial // 2), 0

    def refused(self, blocks: int) -> None:
        """The node does not answer for so many blocks."""
        self.blocks = max(1, blocks // 2)
        self._trial, self._answered = min(4 * self._trial, _LONGEST_TRIAL), 0
