"""What the machine does about lost keys, and about readings of final days that come late."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from support.evm.chain import Refused
from support.evm.keys import Key, key, struct
from support.evm.late import reconcile_late, true_up
from support.evm.people import DESK, Person
from support.evm.pools import PooledMarket

from dem.messages.members import Replacement, Veto
from dem.model.ledger import GRID_OPERATOR

CONTRACT = "Replacements"
WAIT_DAYS = 7


@dataclass(slots=True)
class Announced:
    """A member's new account. due: unix time from which it can take its place; None after a veto."""

    account: Key
    due: int | None
    is_vetoed: bool = False
    is_allowed: bool = False


class LostKeys:
    """Announcements, vetoes, decisions, and what is carried out; late readings."""

    random: Random
    market: PooledMarket
    people: dict[int, Person]
    home: Person
    proposals: list[Any]
    _do: Callable[..., Refused | None]
    _person: Callable[[], Person]

    ACTIONS = ((14, "replace_account"), (6, "bring_late_readings"))

    def __init__(self) -> None:
        self.announced: dict[int, Announced] = {}
        self.lost: list[Key] = []
        """Accounts that were members': what is in their wallets stays there."""

    def _announce_some(self) -> None:
        for person in [person for id_, person in self.people.items() if id_ != GRID_OPERATOR]:
            self._announce(person)

    def replace_account(self) -> None:
        """An announcement, a veto, a decision, or the end of it, whether or not that is the next thing."""
        person = self._person()
        if self.announced and self.random.random() < 0.8:
            person = self.people[self.random.choice(list(self.announced))]
        step = self.random.choice((self._announce, self._veto, self._allow, self._carry_out, self._carry_out))
        if step != self._announce or person.id not in self.announced or self.random.random() < 0.1:
            step(person)

    def _announce(self, person: Person) -> None:
        if person.kind == DESK:
            return  # its report names its account
        new = key(500_000 + self.random.getrandbits(40))
        message = Replacement(person.id, person.account.address, new.address)
        signature = new.sign(self.market.domain(CONTRACT), message)
        before = self.announced.get(person.id)
        may = _errors({"DecidedAlready": before is not None and before.is_allowed})
        if self._do(f"{CONTRACT}.announce", person.id, new.address, signature, may=may) is None:
            assert not may
            is_vetoed = before is not None and before.is_vetoed
            self.announced[person.id] = Announced(new, None if is_vetoed else self._due(), is_vetoed)

    def _due(self) -> int:
        return self.market.now + WAIT_DAYS * self.market.calendar.day_length

    def _veto(self, person: Person) -> None:
        announced = self.announced.get(person.id)
        may = _errors({"NotAnnounced": announced is None, "NoVeto": announced is not None and announced.is_vetoed})
        if announced is None or self.random.random() < 0.5:
            refused = self._do(f"{CONTRACT}.veto", person.id, by=person.account, may=may)
        else:
            message = Veto(person.id, announced.account.address)
            signature = person.account.sign(self.market.domain(CONTRACT), message)
            refused = self._do(f"{CONTRACT}.vetoSigned", struct(message), signature, may=may)
        assert bool(refused) == bool(may)
        if announced and not refused:
            announced.is_vetoed, announced.due = True, None

    def _allow(self, person: Person) -> None:
        announced = self.announced.get(person.id)
        is_decided = announced is not None and (not announced.is_vetoed or announced.is_allowed)
        may = _errors({"NotAnnounced": announced is None, "NotVetoed": is_decided})
        account = announced.account if announced else key(499_999)
        if self._do(f"{CONTRACT}.allow", person.id, account.address, may=may) is None and announced:
            assert not may
            announced.is_allowed, announced.due = True, self._due()

    def _carry_out(self, person: Person) -> None:
        announced = self.announced.get(person.id)
        is_early = announced is not None and (announced.due is None or self.market.now < announced.due)
        may = _errors({"NotAnnounced": announced is None, "NotDueYet": is_early})
        refused = self._do(f"{CONTRACT}.carryOut", person.id, may=may)
        assert bool(refused) == bool(may)
        if announced and not refused:
            old = person.account.address
            self.proposals[:] = [kept for kept in self.proposals if old not in (kept[0].proposer, kept[0].counterparty)]
            self.lost.append(person.account)
            person.account = self.announced.pop(person.id).account

    def end_lost_keys(self) -> None:
        """What is announced is carried out a week later, as far as it may be; some readings are late."""
        self.market.now += WAIT_DAYS * self.market.calendar.day_length
        for id_ in list(self.announced):
            self._carry_out(self.people[id_])
        for _ in range(20):
            self.bring_late_readings()
        for _ in range(10):
            true_up(self.random, self.market)

    def bring_late_readings(self) -> None:
        """Of a final day, in its time or not, by whoever may or not."""
        final = self.market.replay.final_days
        if final:
            people = {**self.people, self.home.id: self.home}
            reconcile_late(self.random, self.market, people, self.random.choice(sorted(final)), 50)


def _errors(found: Mapping[str, bool]) -> Collection[str]:
    return [error for error, applies in found.items() if applies]
