"""The council under any sequence of actions, against a model in plain Python.

What is executed has the approvals of enough seats at that time, and was decided a delay before.
"""

from collections import Counter
from dataclasses import dataclass, field
from random import Random

import pytest
from support.evm.chain import Refused
from support.evm.keys import key
from support.evm.market import ADMIN, STRANGER, Market

from dem.deployment.roles import GOVERNED, ROLES

from .machine import CALENDAR, RULES

RUNS, PORTIONS, STEPS = 16, 2, 200
LEAST = 2
"""Of every outcome, in every portion of the runs."""
EXPECTED = [
    *((function, "") for function in ("propose", "approve", "withdrawApproval", "execute", "seatRepresentatives")),
    *((function, "NotSeated") for function in ("propose", "approve", "withdrawApproval")),
    *((function, "WrongState") for function in ("approve", "withdrawApproval", "execute")),
    *(("execute", error) for error in ("NotReady", "TooFewApprovals", "OneSided", "CallFailed")),
    ("approve", "AlreadyApproved"),
    ("withdrawApproval", "NotApproved"),
]
DELAY = 1_000
LIFETIME, EXPIRATION = 30 * 86_400, 7 * 86_400
PEOPLE = [key(n) for n in range(100, 106)]
ELECTIONS = key(99)
SUPPLIER = 3


@dataclass
class Decision:
    """A proposal; approvals by the number of the seat, ready_at 0 before it is decided."""

    calls: list[tuple[str, int]]
    proposed: int
    approvals: set[int] = field(default_factory=set)
    ready_at: int = 0
    is_executed: bool = False

    def state(self, now: int) -> str:
        """Of the contract's."""
        if self.is_executed:
            return "executed"
        if now >= (self.ready_at + EXPIRATION if self.ready_at else self.proposed + LIFETIME):
            return "expired"
        return "decided" if self.ready_at else "open"


class CouncilMachine:
    """Six people, who are seated, elected, propose, approve and execute; a call is (function, argument)."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.market = Market(CALENDAR, RULES, CALENDAR.opening - CALENDAR.open_lead - 3_600)
        self.council = self.market.contracts["Council"]
        authority = self.market.contracts["Authority"]
        numbers = {role.name: role.id for role in ROLES}
        self.seats: dict[int, tuple[int, bool]] = {}
        self.pauseless: set[int] = set()
        """Numbers of seats from which the pause was taken."""
        self.taken = self.threshold = 0
        for who in range(3):
            assert self._send(ADMIN, "seat", PEOPLE[who].address) == ""
            self._take(who, False)
        grants = [(0, self.council, DELAY), *((numbers[name], self.council, DELAY) for name in GOVERNED)]
        for role, contract, delay in grants:
            self.market.chain.send(ADMIN.address, authority, "grantRole", role, contract.address, delay)
        self.market.chain.send(ADMIN.address, authority, "grantRole", numbers["elections"], ELECTIONS.address, 0)
        self.market.chain.send(ADMIN.address, authority, "renounceRole", 0, ADMIN.address)
        self.proposals: list[Decision] = []
        self.limits = 0
        self.limit = self.market.account(SUPPLIER).credit_limit

    # ------------------------------------------------------------------------------------------------------ model

    @property
    def now(self) -> int:
        return self.market.now

    @property
    def needed(self) -> int:
        return min(max(self.threshold, len(self.seats) // 2 + 1), len(self.seats))

    def _take(self, who: int, is_elected: bool) -> None:
        self.taken += 1
        self.seats[who] = self.taken, is_elected

    def _missing(self, decision: Decision) -> int:
        """Approvals that both kinds of seats lack to be more than half of each; what lets a market go on takes none."""
        if all(function == "takePause" for function, _ in decision.calls):
            return 0
        missing = 0
        for kind in (False, True):
            numbers = [number for number, is_elected in self.seats.values() if is_elected == kind]
            if numbers:
                missing += max(0, len(numbers) // 2 + 1 - sum(number in decision.approvals for number in numbers))
        return missing

    def _is_supported(self, decision: Decision) -> bool:
        return self._support(decision) >= self.needed and not self._missing(decision)

    def _support(self, decision: Decision) -> int:
        return sum(number in decision.approvals for number, _ in self.seats.values())

    def _apply(self, calls: list[tuple[str, int]]) -> bool:
        """Make the calls in the model, or none if one fails; returns whether they were made."""
        seats, taken, threshold, limit = dict(self.seats), self.taken, self.threshold, self.limit
        pauseless = set(self.pauseless)
        for function, argument in calls:
            institutions = sum(not is_elected for _, is_elected in self.seats.values())
            if function == "setCreditLimit":
                self.limit = argument
            elif function == "setThreshold":
                self.threshold = argument
            elif function == "takePause" and argument in self.seats:
                self.pauseless.add(self.seats[argument][0])
            elif function == "seat" and argument not in self.seats:
                self._take(argument, False)
            elif function == "unseat" and not self.seats.get(argument, (0, True))[1] and institutions > 1:
                del self.seats[argument]
            else:
                self.seats, self.taken, self.threshold, self.limit = seats, taken, threshold, limit
                self.pauseless = pauseless
                return False
        return True

    def _clashes(self, decision: Decision) -> bool:
        """Whether the authority has one of its calls already."""
        waiting = [c for p in self.proposals if p.state(self.now) == "decided" for c in p.calls]
        scheduled = [call for call in decision.calls if call[0] != "takePause"]
        return len(set(scheduled)) < len(scheduled) or bool(set(scheduled) & set(waiting))

    # -------------------------------------------------------------------------------------------------- the chain

    def _send(self, sender, function: str, *arguments) -> str:
        """Name of the error, empty if it went well."""
        refusal = ""
        try:
            self.market.chain.send(sender.address, self.council, function, *arguments)
        except Refused as refused:
            refusal = refused.error
        self.outcomes[function, refusal] += 1
        return refusal

    def _call(self, function: str, argument: int) -> tuple[str, bytes]:
        if function == "setCreditLimit":
            accounts = self.market.contracts["Accounts"]
            return accounts.address, accounts.encode(function, SUPPLIER, argument)
        value = argument if function == "setThreshold" else PEOPLE[argument].address
        return self.council.address, self.council.encode(function, value)

    # ---------------------------------------------------------------------------------------------------- actions

    def step(self) -> None:
        """Any action, and what must hold after it."""
        actions = [self.propose, self.wait]
        if self.proposals:
            actions += [self.approve] * 5 + [self.withdraw] + [self.execute] * 3
        self.random.choice([*actions, self.elect] if self.random.random() < 0.6 else actions)()
        self.the_chain_is_as_the_model()
        self.who_has_a_seat_is_a_node()
        self.the_council_alone_is_admin()

    def _somebody(self) -> int:
        """Mostly a seat."""
        return self.random.choice(list(self.seats) if self.random.random() < 0.9 else range(len(PEOPLE)))

    def _some_proposal(self) -> int:
        """Mostly a new one."""
        return max(0, len(self.proposals) - 1 - self.random.choice([0, 0, 0, 1, 1, 2, 3]))

    def _any_call(self) -> tuple[str, int]:
        choices = ["seat", "unseat", "setThreshold", "setCreditLimit", "setCreditLimit", "takePause"]
        function = self.random.choice(choices)
        return function, self.random.randrange(len(PEOPLE))

    def _approve(self, number: int, who: int, refusal: str) -> None:
        decision = self.proposals[number]
        state = decision.state(self.now)
        if who not in self.seats:
            assert refusal == "NotSeated"
        elif state not in ("open", "decided"):
            assert refusal == "WrongState"
        elif self.seats[who][0] in decision.approvals:
            assert refusal == "AlreadyApproved"
        else:
            seat = self.seats[who][0]
            decision.approvals.add(seat)
            if state == "open" and self._is_supported(decision):
                if self._clashes(decision):
                    decision.approvals.remove(seat)
                    assert refusal == "AccessManagerAlreadyScheduled"
                    return
                is_urgent = all(function == "takePause" for function, _ in decision.calls)
                decision.ready_at = self.now + (0 if is_urgent else DELAY)
            assert refusal == ""

    def propose(self) -> None:
        who = self._somebody()
        calls = [self._any_call() for _ in range(self.random.choice((1, 1, 2, 3)))]
        own = []
        for function, argument in calls:
            self.limits += 1
            own.append((function, self.limits if function == "setCreditLimit" else argument))
        self.proposals.append(Decision(own, self.now))
        refusal = self._send(PEOPLE[who], "propose", [self._call(*call) for call in own])
        self._approve(-1, who, refusal)
        if refusal:
            self.proposals.pop()

    def approve(self) -> None:
        who, number = self._somebody(), self._some_proposal()
        self._approve(number, who, self._send(PEOPLE[who], "approve", number + 1))

    def withdraw(self) -> None:
        who, number = self._somebody(), self._some_proposal()
        decision = self.proposals[number]
        state = decision.state(self.now)
        refusal = self._send(PEOPLE[who], "withdrawApproval", number + 1)
        if who not in self.seats:
            assert refusal == "NotSeated"
        elif state not in ("open", "decided"):
            assert refusal == "WrongState"
        elif self.seats[who][0] not in decision.approvals:
            assert refusal == "NotApproved"
        else:
            assert refusal == ""
            decision.approvals.remove(self.seats[who][0])
            if not self._is_supported(decision):
                decision.ready_at = 0

    def execute(self) -> None:
        number = self._some_proposal()
        decision = self.proposals[number]
        state, support, needed = decision.state(self.now), self._support(decision), self.needed
        missing = self._missing(decision)
        refusal = self._send(STRANGER, "execute", number + 1)
        if state != "decided":
            assert refusal == "WrongState"
        elif self.now < decision.ready_at:
            assert refusal == "NotReady"
        elif support < needed:
            assert refusal == "TooFewApprovals"
        elif missing:
            assert refusal == "OneSided"
        elif self._apply(decision.calls):
            assert refusal == ""
            decision.is_executed = True
        else:
            assert refusal == "CallFailed"

    def elect(self) -> None:
        winners = self.random.sample(range(len(PEOPLE)), self.random.randint(0, 3))
        assert self._send(ELECTIONS, "seatRepresentatives", [PEOPLE[who].address for who in winners]) == ""
        for who in [who for who, (_, is_elected) in self.seats.items() if is_elected and who not in winners]:
            del self.seats[who]
        for who in winners:
            if who not in self.seats:
                self._take(who, True)

    def wait(self) -> None:
        short, long = [1, DELAY // 2, DELAY - 1, DELAY], [EXPIRATION, DELAY + EXPIRATION, LIFETIME]
        self.market.now += self.random.choice(short * 5 + long)

    # ------------------------------------------------------------------------------------------------- invariants

    def the_chain_is_as_the_model(self) -> None:
        seats = self.market.call("Council", "seats")
        held = {PEOPLE[who].address.lower(): seat for who, seat in self.seats.items()}
        assert {seat[0].lower(): (seat[2], seat[1]) for seat in seats} == held
        assert self.market.call("Council", "needed") == self.needed
        assert self.market.account(SUPPLIER).credit_limit == self.limit

    def who_has_a_seat_is_a_node(self) -> None:
        """Unless the council took the pause from that seat."""
        for who, one in enumerate(PEOPLE):
            is_node = who in self.seats and self.seats[who][0] not in self.pauseless
            assert self.market.call("Authority", "hasRole", 5, one.address)[0] == is_node

    def the_council_alone_is_admin(self) -> None:
        assert self.market.call("Authority", "hasRole", 0, self.council.address) == (True, DELAY)
        assert self.market.call("Authority", "hasRole", 0, ADMIN.address) == (False, 0)


@pytest.mark.parametrize("portion", range(PORTIONS))
def test_the_council_is_as_the_model(portion: int) -> None:
    outcomes: Counter[tuple[str, str]] = Counter()
    for seed in range(portion, RUNS, PORTIONS):
        machine = CouncilMachine(seed)
        try:
            for _ in range(STEPS):
                machine.step()
        except Exception as error:
            error.add_note(f"CouncilMachine({seed})")
            raise
        outcomes += machine.outcomes
    print(outcomes)
    assert {outcome: outcomes[outcome] for outcome in EXPECTED if outcomes[outcome] < LEAST} == {}
