"""A deployed market: who acts, what was counted, and the outsider's replay that follows every transaction."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from dem.deployment.plan import STEPS, Offices, Parameters
from dem.deployment.roles import AT_ONCE, OPEN, ROLES, TOKEN, WATCHERS
from dem.messages.signing import Domain
from dem.model.calendar import CalendarParameters
from dem.model.ledger import Account
from dem.model.rules import MarketRules
from dem.model.units import Money
from dem.replay.reconcile import Balances, Check, reconcile
from dem.replay.replay import Replay

from .chain import Chain, Contract, Event, Refused, reason_of
from .keys import Key, key

CHAIN_ID = 1337

SUPPLIER, OPERATOR, GRID_OPERATOR, BOUNDARY_METER, ADMIN, STRANGER = (key(n) for n in range(1, 7))
ROLE_KEYS = {role.name: key(10 + n) for n, role in enumerate(ROLES) if role.holder is None}
OFFICES = Offices(SUPPLIER.address, OPERATOR.address, GRID_OPERATOR.address, BOUNDARY_METER.address)

HOLDER = {
    f"{contract}.{function}": ROLE_KEYS[role.name]
    for role in ROLES
    if role.holder is None
    for contract, functions in role.functions.items()
    for function in functions
}
"""Whose key may call a restricted function."""

REOPENING = next(role for role in ROLES if role.name == AT_ONCE)
HOLDER |= {
    f"{contract}.{function}": ROLE_KEYS["council"]
    for contract, functions in REOPENING.functions.items()
    if contract != REOPENING.holder
    for function in functions
}
"""What the council may at once, its clerk does here as well."""

GOVERNANCE = ("Council", "Elections")
"""Contracts that are tested by themselves: the test market's roles are held by keys."""

PUBLIC = [
    *HOLDER,
    *(
        f"{contract}.{function}"
        for contract, functions in OPEN.items()
        if contract not in GOVERNANCE
        for function in functions
    ),
]
"""Every function that somebody outside of the contracts may call to change something on the market."""


@dataclass(slots=True)
class Tally:
    """What happened, over as many runs as it is given to: by function, by error, by name of event, by attack."""

    succeeded: Counter[str]
    refused: Counter[str]
    events: Counter[str]
    attacks: Counter[str] = field(default_factory=Counter)
    """Those that were carried to their end."""

    @staticmethod
    def empty() -> "Tally":
        return Tally(Counter(), Counter(), Counter())

    def add(self, other: "Tally") -> None:
        self.succeeded.update(other.succeeded)
        self.refused.update(other.refused)
        self.events.update(other.events)
        self.attacks.update(other.attacks)

    def lines(self) -> Iterable[str]:
        """For people."""
        counted = {"succeeded": self.succeeded, "refused": self.refused, "events": self.events, "attacks": self.attacks}
        for title, counter in counted.items():
            yield f"{title}: " + ", ".join(f"{name} {count}" for name, count in sorted(counter.items()))


class Market:
    """A market deployed step by step from the project's plan."""

    def __init__(self, calendar: CalendarParameters, rules: MarketRules, now: int, intraday_lead: int = 0) -> None:
        self.calendar = calendar
        self.chain = Chain(CHAIN_ID, now)
        self.contracts: dict[str, Contract] = {}
        self.replay = Replay(calendar.periods_per_day)
        self.tally = Tally.empty()
        self._nodes = 0
        self.listeners: list[Callable[[list[Event]], None]] = [self.replay.apply, self._count]
        self._deploy(Parameters(ADMIN.address, calendar, rules, OFFICES, intraday_lead=intraday_lead))
        self._assign_roles()

    def new_node(self) -> Key:
        """One more node; each pauses a market once in 30 days."""
        node = key(10_000 + self._nodes)
        self._nodes += 1
        authority, numbers = self.contracts["Authority"], {role.name: role.id for role in ROLES}
        self.chain.send(ADMIN.address, authority, "grantRole", numbers["seats"], ADMIN.address, 0)
        self.chain.send(ADMIN.address, authority, "grantRole", numbers["node"], node.address, 0)
        return node

    def _deploy(self, parameters: Parameters) -> None:
        addresses: dict[str, str] = {}
        for step in STEPS:
            arguments = step.arguments(parameters, addresses)
            contract, events = self.chain.deploy(ADMIN.address, step.contract, *arguments)
            self.contracts[step.contract] = contract
            addresses[step.contract] = contract.address
            self._record(events)
        self.contracts[TOKEN] = self.chain.at(TOKEN, self.call("Accounts", "TOKEN"))
        self.replay.addresses |= addresses

    def _assign_roles(self) -> None:
        authority = self.contracts["Authority"]
        for role in ROLES:
            holders = [self.contracts[name].address for name in role.contracts] or [ROLE_KEYS[role.name].address]
            for holder in holders:
                self.chain.send(ADMIN.address, authority, "grantRole", role.id, holder, 0)
            for name, functions in role.functions.items():
                contract = self.contracts[name]
                selectors = [contract.artifact.functions[f].selector for f in functions]
                self.chain.send(ADMIN.address, authority, "setTargetFunctionRole", contract.address, selectors, role.id)
            if role.granted_by:
                [granting] = [other.id for other in ROLES if other.name == role.granted_by]
                self.chain.send(ADMIN.address, authority, "setRoleAdmin", role.id, granting)
        self.chain.send(ADMIN.address, authority, "grantRole", REOPENING.id, ROLE_KEYS["council"].address, 0)
        for name in WATCHERS:
            self.act("ParticipantRegistry.addWatcher", self.contracts[name].address)
        self.act("Schedule.addMarket", self.contracts["CallAuction"].address, 1)

    # ---------------------------------------------------------------------------------------------------- acting

    @property
    def now(self) -> int:
        """Unix time of the next transaction."""
        return self.chain.now

    @now.setter
    def now(self, time: int) -> None:
        self.chain.now = time

    def act(self, function: str, *arguments: Any, by: Key | None = None) -> list[Event]:
        """Call "Contract.function" in a transaction, as whoever may (anybody, if it is open to all).

        Raises:
            Refused: the contract reverts; counted.
        """
        contract, name = function.split(".")
        sender = by or HOLDER.get(function, STRANGER)
        try:
            events = self.chain.send(sender.address, self.contracts[contract], name, *arguments)
        except Refused as refused:
            self.tally.refused[refused.error] += 1
            raise
        self.tally.succeeded[function] += 1
        self._record(events)
        return events

    def attempt(self, function: str, *arguments: Any, by: Key | None = None) -> Refused | None:
        """Call as `act` does, and return why it was refused, if it was."""
        try:
            self.act(function, *arguments, by=by)
        except Refused as refused:
            return refused
        return None

    def call(self, contract: str, function: str, *arguments: Any) -> Any:
        """What a view function answers."""
        return self.chain.call(self.contracts[contract], function, *arguments)

    def domain(self, contract: str) -> Domain:
        """For whom messages to a contract are signed."""
        return Domain(self.chain.id, self.contracts[contract].address)

    def _record(self, events: list[Event]) -> None:
        for listener in self.listeners:
            listener(events)

    def _count(self, events: list[Event]) -> None:
        self.tally.events.update(f"{event.contract}.{event.name}" for event in events)
        self.tally.refused.update(reason_of(event) for event in events if "reason" in event.args)

    # -------------------------------------------------------------------------------------------------- checking

    def member_count(self) -> int:
        """Highest number of a member."""
        return self.call("ParticipantRegistry", "memberCount")

    def account(self, id_: int) -> Account:
        """A member's account as the chain has it."""
        return Account(*map(Money, self.call("Accounts", "accountOf", id_)))

    def balances(self) -> Balances:
        """All accounts and the token supply."""
        accounts = {id_: self.account(id_) for id_ in range(1, self.member_count() + 1)}
        return Balances(accounts, self.call(TOKEN, "totalSupply"))

    def checks(self) -> list[Check]:
        """The whole market reconciled: replay against balances, and against what each market holds."""
        return [*reconcile(self.replay, self.balances()), self._held()]

    def _held(self) -> Check:
        """Each market holds of each member what its own events say."""
        model = self.replay.held()
        wrong = [
            f"{contract} of member {id_}: chain {chain}, model {locked}"
            for (contract, id_), locked in model.items()
            if locked != (chain := self.call("Accounts", "heldBy", self.contracts[contract].address, id_))
        ]
        return Check("each market holds what its own events say", not wrong, f"{len(wrong)} differ, first: {wrong[:1]}")


def failures(checks: Iterable[Check]) -> list[str]:
    """What does not hold, with its numbers."""
    return [f"{check.name}: {check.detail}" for check in checks if not check.ok]
