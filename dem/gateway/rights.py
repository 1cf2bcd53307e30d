"""Who may read and do what: one table of role x resource. What is not in it is denied."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from dem.errors import RequestError


class Right(StrEnum):
    """no: denied. own: what is about oneself. all: about everybody; what is about another person is logged."""

    NO = "no"
    OWN = "own"
    ALL = "all"


class Role(StrEnum):
    """What a reader is. public: everybody, logged in or not. member: whose account is a participant's."""

    PUBLIC = "public"
    MEMBER = "member"
    REGISTRAR = "registrar"
    OPERATOR = "operator"
    GRID = "grid"
    METERING = "metering"
    TREASURER = "treasurer"
    COUNCIL = "council"
    AUDITOR = "auditor"


OFFICES = (Role.REGISTRAR, Role.OPERATOR, Role.GRID, Role.METERING, Role.TREASURER, Role.COUNCIL, Role.AUDITOR)
"""Roles that the configuration gives to accounts."""

_TABLE = """
resource     public  member  registrar  operator  grid  metering  treasurer  council  auditor
market       all     all     all        all       all   all       all        all      all
days         all     all     all        all       all   all       all        all      all
tariffs      all     all     all        all       all   all       all        all      all
rules        all     all     all        all       all   all       all        all      all
prices       no      all     no         all       all   no        no         all      all
members      no      no      all        all       no    no        no         no       all
member       no      own     all        all       no    no        no         no       all
energy       no      own     no         all       all   no        no         no       all
readings     no      own     no         all       all   all       no         no       all
orders       no      own     no         all       no    no        no         no       all
settlements  no      own     no         all       no    no        no         no       all
transfers    no      own     no         all       no    no        no         no       all
coins        no      own     no         all       no    no        no         no       all
escrows      no      own     no         all       no    no        no         no       all
deliver      no      no      no         no        no    all       no         no       no
deliveries   no      no      no         all       no    own       no         no       all
send         all     all     all        all       all   all       all        all      all
approve      all     all     all        all       all   all       all        all      all
message      own     own     own        all       own   own       own        own      all
events       own     own     own        own       own   own       own        own      own
metrics      no      no      no         all       no    no        no         no       all
queue        no      no      no         all       no    no        no         no       all
payouts      no      no      no         no        no    no        all        no       no
access       no      own     no         no        no    no        no         no       all
aggregates   all     all     all        all       all   all       all        all      all
bills        no      own     no         all       no    no        no         no       all
export       no      own     no         no        no    no        no         no       no
application  own     own     own        own       own   own       own        own      own
elections    no      all     all        all       all   no        no         all      all
offers       no      own     no         no        no    no        no         no       no
proof        no      own     no         no        no    no        no         no       no
consents     no      own     no         no        no    no        no         no       no
choice       no      own     no         no        no    no        no         no       no
standing     no      own     no         no        no    no        no         no       no
proposals    no      all     all        all       all   no        no         all      all
operations   no      no      no         all       no    no        no         no       all
network      no      no      no         all       all   no        no         no       all
audit        no      no      no         no        no    no        no         no       all
"""
_HEADER, *_ROWS = (line.split() for line in _TABLE.strip().splitlines())
TABLE: dict[str, dict[Role, Right]] = {
    row[0]: {Role(role): Right(right) for role, right in zip(_HEADER[1:], row[1:], strict=True)} for row in _ROWS
}
"""Right by resource and role."""


OPENED = ("energy",)
"""What a member may open to the intermediary that it has chosen: see `consents.py`."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Who asks. account: None if nobody is logged in. participant: number in the registry, 0 if it is none.

    lost: offices that it had until `ended`.
    """

    account: str | None = None
    participant: int = 0
    roles: frozenset[Role] = frozenset({Role.PUBLIC})
    lost: frozenset[Role] = frozenset()
    ended: date | None = None


def require(reader: Reader, resource: str, is_own: bool = False) -> Right:
    """The reader's right to a resource. is_own: whether it is about the reader.

    Raises:
        RequestError: it has none.
    """
    rights = {TABLE[resource].get(role, Right.NO) for role in reader.roles}
    if Right.ALL in rights:
        return Right.ALL
    if Right.OWN in rights and is_own:
        return Right.OWN
    if reader.account is None:
        raise RequestError(401, "NotLoggedIn", f"{resource} needs a login: see /v1/login")
    if any(TABLE[resource].get(role, Right.NO) is not Right.NO for role in reader.lost):
        offices = ", ".join(sorted(reader.lost))
        why = f"the access of {reader.account} as {offices} ended on {reader.ended}: who runs the gateway can renew it"
        raise RequestError(403, "AccessEnded", why)
    roles = ", ".join(sorted(reader.roles))
    what = "of others " if Right.OWN in rights else ""
    raise RequestError(403, "Denied", f"{resource} {what}is not for {roles}")


def mark(reader: Reader, resource: str) -> str:
    """The role by which a reader may read about others, for the log."""
    return next(role for role in reader.roles if TABLE[resource].get(role) is Right.ALL)
