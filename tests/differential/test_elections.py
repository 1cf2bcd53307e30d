"""Random elections on the contract: some vote anew, copy, forget. The count is that of a few lines of Python."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import astuple, replace
from random import Random

import pytest
from eth_utils.crypto import keccak
from support.evm.chain import Refused
from support.evm.keys import digest, struct
from support.evm.market import ADMIN, STRANGER, Market
from support.evm.people import Person, register
from support.rules import CALENDAR, SMALL

from dem.deployment.plan import Government
from dem.governance.elections import ElectionTerms
from dem.messages.members import Ballot, Opening

ELECTIONS, MAX_COUNTED, MEMBERS, ROUNDS = "Elections", 64, 70, 8
TERMS = ElectionTerms(*Government().terms(CALENDAR.opening))


def elected(nominees: Sequence[int], votes: Mapping[int, int], taking_part: Collection[int]) -> list[int]:
    """Of the 64 with the most votes, those first who still take part; of equals who was nominated first."""
    counted = sorted(nominees, key=lambda one: (-votes[one], nominees.index(one)))[:MAX_COUNTED]
    return [one for one in counted if one in taking_part][: TERMS.places]


class Round:
    """One election of a market. admitted: numbers of who takes part now."""

    def __init__(self, market: Market, people: Mapping[int, Person], number: int) -> None:
        self.market, self.people, self.random = market, people, Random(f"election {number}")
        self.times, self.admitted = TERMS.times(number), set(people)
        self.nominees: list[int] = []
        self.sequences: Counter[int] = Counter()
        self.newest: dict[int, Opening] = {}
        """What each has committed to, or copied."""
        self.older: list[Opening] = []
        self.refused: Counter[str] = Counter()

    def attempt(self, function: str, *arguments: object, by: Person | None = None) -> bool:
        """Whether it passes."""
        sender = STRANGER if by is None else by.account
        found = self.market.attempt(f"{ELECTIONS}.{function}", *arguments, by=sender)
        if isinstance(found, Refused):
            self.refused[found.error] += 1
        return found is None

    def change_standing(self, share: float) -> None:
        """Some are suspended, and some who were take part again."""
        for id_ in self.random.sample(sorted(self.people), int(share * len(self.people))):
            if id_ in self.admitted:
                self.market.act("ParticipantRegistry.suspend", id_)
                self.admitted.discard(id_)
            else:
                self.market.act("ParticipantRegistry.reinstate", id_)
                self.admitted.add(id_)

    def nominate(self) -> None:
        self.market.now = self.times.begins
        # All stand, or a few: who counts is bounded.
        for id_ in self.random.sample(sorted(self.people), self.random.choice((3, 20, MEMBERS))):
            passes = self.attempt("nominate", self.times.number, by=self.people[id_])
            assert passes is (id_ in self.admitted)
            self.nominees += [id_] if passes else []

    def vote(self) -> None:
        self.market.now = self.times.voting
        few = self.random.sample(self.nominees, min(len(self.nominees), self.random.choice((2, 66))))
        for id_ in self.random.choices(sorted(self.people), k=2 * MEMBERS):
            voter, last = self.people[id_], self.sequences[id_]
            sequence = last + self.random.randint(0, 3)
            nominee = (
                self.random.choice(few) if self.random.random() < 0.95 else self.random.choice(sorted(self.people))
            )
            account = self.people[nominee].account.address
            said = Opening(self.times.number, id_, account, self.random.randbytes(32), sequence)
            if self.newest and self.random.random() < 0.1:
                said = self.random.choice([*self.newest.values()])  # a copy of what somebody has cast
            commitment = digest(self.market.domain(ELECTIONS), said)
            if self.random.random() < 0.5:
                passes = self.attempt("vote", self.times.number, commitment, sequence, by=voter)
            else:
                ballot = Ballot(voter.account.address, self.times.number, commitment, sequence)
                signature = voter.account.sign(self.market.domain(ELECTIONS), ballot)
                passes = self.attempt("voteSigned", struct(ballot), signature)
            assert passes is (id_ in self.admitted and sequence > last)
            if passes:
                self.older += [self.newest[id_]] if last else []
                self.newest[id_], self.sequences[id_] = said, sequence

    def open_(self) -> Counter[int]:
        """What is counted by the model, by nominee."""
        self.market.now = self.times.counting
        numbers = {person.account.address: id_ for id_, person in self.people.items()}
        lazy = self.random.random() / 2
        said = [one for id_, one in self.newest.items() if self.random.random() > lazy]
        said += self.random.sample(self.older, len(self.older) // 2)
        said += [replace(one, salt=bytes(32)) for one in self.random.sample(said, len(said) // 10)]
        said += self.random.sample(said, len(said) // 10)
        self.random.shuffle(said)
        votes, done = Counter[int](), set[int]()
        for one in said:
            nominee = numbers[one.nominee]
            counts = self.newest.get(one.id) == one and one.id not in done and nominee in self.nominees
            assert self.attempt("open", struct(one)) is counts
            if counts:
                votes[nominee] += 1
                done.add(one.id)
        return votes

    def conclude(self, votes: Mapping[int, int]) -> None:
        self.market.now = self.times.until
        told = [(account, count) for account, count in self.market.call(ELECTIONS, "nominees", self.times.number)]
        accounts = {id_: person.account.address.lower() for id_, person in self.people.items()}
        assert told == [(accounts[one], votes[one]) for one in self.nominees]
        events = self.market.act(f"{ELECTIONS}.conclude", self.times.number)
        [concluded] = [event for event in events if event.name == "Concluded"]
        wanted = [accounts[one] for one in elected(self.nominees, votes, self.admitted)]
        assert list(concluded.args["elected"]) == wanted


def test_the_count_is_that_of_the_ballots_opened():
    market = Market(CALENDAR, SMALL, CALENDAR.opening - 14 * CALENDAR.day_length)
    people = [Person.numbered(n, import_capacity=10_000, export_capacity=10_000) for n in range(MEMBERS)]
    for person in people:
        register(market, person)
    refused: Counter[str] = Counter()
    for number in range(1, ROUNDS + 1):
        own = Round(market, {person.id: person for person in people}, number)
        own.change_standing(0.1)
        own.nominate()
        own.change_standing(0.1)
        own.vote()
        own.change_standing(0.1)
        own.conclude(own.open_())
        for id_ in set(own.people) - own.admitted:
            market.act("ParticipantRegistry.reinstate", id_)
        refused += own.refused
    assert {*refused} == {"AlreadyOpened", "NotAParticipant", "NotCommitted", "NotNominated", "StaleMessage"}


@pytest.fixture(scope="module")
def bare() -> Market:
    """A market without members, before its first election."""
    return Market(CALENDAR, SMALL, CALENDAR.opening - 14 * CALENDAR.day_length)


DAY = 86_400
LONGEST = 2**32 - 1


@pytest.mark.parametrize(
    ("changed", "is_good"),
    [
        ({}, True),
        ({"nomination_period": 0}, False),
        ({"voting_period": 0}, False),
        ({"counting_period": 0}, False),
        ({"term_length": 35 * DAY}, True),
        ({"term_length": 35 * DAY - 1}, False),
        ({"term_length": LONGEST, "voting_period": LONGEST, "counting_period": LONGEST}, False),
        ({"places": 0}, False),
        ({"places": 16}, True),
        ({"places": 17}, False),
        ({"opening": 1}, False),
    ],
)
def test_the_three_periods_take_time_and_fit_into_a_term(bare: Market, changed: dict[str, int], is_good: bool) -> None:
    contracts = (bare.contracts[name].address for name in ("ParticipantRegistry", "Council"))
    terms = astuple(replace(TERMS, **changed))
    error = keccak(text="BadTerms((uint64,uint32,uint32,uint32,uint32,uint8))")[:4].hex()
    with nullcontext() if is_good else pytest.raises(RuntimeError, match=f"output: 0x{error}"):
        bare.chain.deploy(ADMIN.address, ELECTIONS, *contracts, terms)
