"""When elections are (IElections.sol, rule 13.7): nominations, then closed ballots, then the count that opens them."""

from dataclasses import dataclass
from typing import NamedTuple


class Times(NamedTuple):
    """Of an election, unix time: when nominations, ballots and the count begin, and until when ballots are opened."""

    number: int
    begins: int
    voting: int
    counting: int
    until: int

    def phase(self, now: float) -> str:
        """How far it is: ahead, nominating, voting, counting or over."""
        ends = (
            ("ahead", self.begins),
            ("nominating", self.voting),
            ("voting", self.counting),
            ("counting", self.until),
        )
        return next((name for name, end in ends if now < end), "over")


@dataclass(frozen=True, slots=True)
class ElectionTerms:
    """The Solidity struct `Terms`, seconds: number 1 begins at `opening`, each further one a term later."""

    opening: int
    term_length: int
    nomination_period: int
    voting_period: int
    counting_period: int
    places: int

    def times(self, number: int) -> Times:
        """Of an election."""
        begins = self.opening + (number - 1) * self.term_length
        voting = begins + self.nomination_period
        counting = voting + self.voting_period
        return Times(number, begins, voting, counting, counting + self.counting_period)

    def newest(self, now: float) -> Times:
        """Of the election whose term is running; of the first one before it begins."""
        return self.times(max(0, int(now) - self.opening) // self.term_length + 1)
