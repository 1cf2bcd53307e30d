"""What a gateway is made of, who asks it, and the right to what is about others: for its interface and its pages."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from fastapi import Request

from dem.errors import RequestError
from dem.gateway.approvals import Approvals
from dem.gateway.bills.book import Book
from dem.gateway.config import Configuration
from dem.gateway.consents import opens_energy
from dem.gateway.evidence import Proofs
from dem.gateway.network import Flows
from dem.gateway.processes import Notice
from dem.gateway.reads import Index
from dem.gateway.rights import OPENED, Reader, Right, Role, mark, require
from dem.gateway.state import CLIENT_MARK, Store
from dem.governance.elections import ElectionTerms
from dem.model.calendar import CalendarParameters

INTERMEDIARY = "intermediary"
"""As what one reads that a member has chosen, and opened its energy to."""


@dataclass(frozen=True)
class Parts:
    """What a gateway is made of. bringing: None for one that only tells. bills: None if it has no book of them.

    proofs: None if it asks no node for any. elections: None if it does not know when they are.
    flows: None if it has no tables of the network. approvals: None if it passes no transactions on.
    """

    configuration: Configuration
    chain_id: int
    genesis: str
    contracts: Mapping[str, str]
    calendar: CalendarParameters
    index: Index
    store: Store
    bringing: Notice | None
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    bills: Book | None = None
    elections: ElectionTerms | None = None
    proofs: Proofs | None = None
    flows: Flows | None = None
    approvals: Approvals | None = None

    def has_office(self, role: Role) -> bool:
        """Whether an account or a client has it."""
        told, now = self.configuration, self.clock()
        return any(told.ended(account, now) is None for account in told.offices.get(role, ())) or any(
            role in client["offices"] for client in self.store.clients()
        )


def parts_of(request: Request) -> Parts:
    """Of the application that is asked."""
    parts: Parts = request.app.state.parts
    return parts


def proofs_of(parts: Parts) -> Proofs:
    """Who makes proofs.

    Raises:
        RequestError: nobody.
    """
    if parts.proofs is None:
        raise RequestError(503, "NoProof", "this gateway makes no proofs")
    return parts.proofs


def known(parts: Parts, account: str) -> Reader:
    """The reader with an account, and its roles."""
    if account.startswith(CLIENT_MARK):
        offices, until = parts.store.offices_of(account.removeprefix(CLIENT_MARK))
        last = datetime.fromtimestamp(until, parts.configuration.zone).date()
        return _with(Reader(account), map(Role, offices), last if until < parts.store.now() else None)
    participant = parts.index.participant_of(account)
    member = {Role.MEMBER} if participant else set()
    reader = Reader(account, participant, frozenset({Role.PUBLIC, *member}))
    told = parts.configuration
    return _with(reader, told.roles_of(account), told.ended(account, parts.clock()))


def _with(reader: Reader, offices: Iterable[Role], ended: date | None) -> Reader:
    """A reader with its offices, or without those that have ended."""
    if ended is not None:
        return replace(reader, lost=frozenset(offices), ended=ended)
    return replace(reader, roles=reader.roles | frozenset(offices))


def about(parts: Parts, reader: Reader, resource: str, participant: int, purpose: str) -> Callable[[int], None]:
    """Check the right to a participant's data. What is returned notes how many rows were read, if another's were.

    Raises:
        RequestError: the reader has none, or says no purpose.
    """
    is_own = participant == reader.participant != 0
    is_opened = resource in OPENED and not is_own and opens_energy(parts, reader.participant, participant)
    right = Right.ALL if is_opened else require(reader, resource, is_own)
    if is_own or right is Right.OWN:
        return lambda _rows: None
    if not purpose.strip():
        raise RequestError(400, "PurposeMissing", "say in the header Purpose why you read about another person")
    role, account = INTERMEDIARY if is_opened else mark(reader, resource), reader.account

    def note(rows: int) -> None:
        values = {"reader": account, "role": role, "resource": resource, "participant": participant}
        parts.store.note_access(**values, rows=rows, purpose=purpose.strip())

    return note
