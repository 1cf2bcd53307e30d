"""What the gateway itself remembers: messages and their states, logins, and who read what. SQLite or PostgreSQL.

One journal tells what happened, in its order; streams are read from it, so they can go on where they were. It is
locked while somebody writes, so that no entry is seen before one with a lower number.
"""

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    ForeignKey,
    FromClause,
    Index,
    Integer,
    MetaData,
    Select,
    String,
    Table,
    and_,
    case,
    delete,
    event,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError

from dem.errors import InputError
from dem.gateway.config import Retention
from dem.index.database import engine_of, said, shown

_MIGRATIONS = Path(__file__).with_name("migrations")
_BIG = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts on by itself in INTEGER alone
CLIENT_MARK = "client:"
"""Before the name of a client, where others have their account."""

METADATA = MetaData()
MESSAGE = Table(
    "message",
    METADATA,
    Column("id", String(66), primary_key=True),
    Column("type", String(32), nullable=False),
    Column("sender", String(42), nullable=False),
    Column("envelope", JSON, nullable=False),
    Column("state", String(16), nullable=False),
    Column("block", _BIG),
    Column("transaction", String(66)),
    Column("refusal", String(1000)),
    Column("attempts", Integer, nullable=False),
    Column("first_block", _BIG),
    Column("received_at", _BIG, nullable=False),
    Column("number", _BIG, nullable=False),
    Column("due", _BIG),
    Column("place", String(80)),
)
"""due, place: see Place."""
Index("message_by_state", MESSAGE.c.state, MESSAGE.c.number)
Index("message_by_sender", MESSAGE.c.sender, MESSAGE.c.number)
Index("message_by_place", MESSAGE.c.sender, MESSAGE.c.place)
JOURNAL = Table(
    "journal",
    METADATA,
    Column("number", _BIG, primary_key=True, autoincrement=True),
    Column("at", _BIG, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("owner", String(42)),
    Column("data", JSON, nullable=False),
    sqlite_autoincrement=True,
)
Index("journal_by_owner", JOURNAL.c.owner, JOURNAL.c.number)
NONCE = Table("nonce", METADATA, Column("value", String(32), primary_key=True), Column("expires", _BIG, nullable=False))
CLIENT = Table(
    "client",
    METADATA,
    Column("name", String(32), primary_key=True),
    Column("hash", String(64), nullable=False),
    Column("offices", JSON, nullable=False),
    Column("at", _BIG, nullable=False),
    Column("expires", _BIG, nullable=False),
)
"""Software of an institution, which logs in by a secret; what it reads is logged under `client:` and its name."""
TOKEN = Table(
    "token",
    METADATA,
    Column("hash", String(64), primary_key=True),
    Column("account", String(42), nullable=False),
    Column("expires", _BIG, nullable=False),
)
ACCESS = Table(
    "access",
    METADATA,
    Column("number", _BIG, primary_key=True, autoincrement=True),
    Column("at", _BIG, nullable=False),
    Column("reader", String(42), nullable=False),
    Column("role", String(16), nullable=False),
    Column("resource", String(16), nullable=False),
    Column("participant", Integer, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("purpose", String(200), nullable=False),
    sqlite_autoincrement=True,
)
Index("access_by_participant", ACCESS.c.participant, ACCESS.c.number)
DELIVERY = Table(
    "delivery",
    METADATA,
    Column("number", _BIG, primary_key=True, autoincrement=True),
    Column("at", _BIG, nullable=False),
    Column("hash", String(64), nullable=False, unique=True),
    Column("account", String(42), nullable=False),
    Column("name", String(120), nullable=False),
    Column("format", String(40), nullable=False),
    Column("bytes", Integer, nullable=False),
    Column("new", Integer, nullable=False),
    Column("corrected", Integer, nullable=False),
    Column("left_alone", JSON, nullable=False),
    sqlite_autoincrement=True,
)
VALUE = Table(
    "value",
    METADATA,
    Column("meter", String(64), primary_key=True),
    Column("direction", String(8), primary_key=True),
    Column("start", _BIG, primary_key=True, autoincrement=False),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("seconds", Integer, nullable=False),
    Column("energy", _BIG, nullable=False),
    Column("quality", String(12), nullable=False),
    Column("issued", _BIG),
    Column("delivery", _BIG, ForeignKey("delivery.number"), nullable=False),
)
"""Of a period, as an operator said it; energy in millionths of a Wh."""
OFFER = Table(
    "offer",
    METADATA,
    Column("hash", String(66), primary_key=True),
    Column("message", String(66), ForeignKey("message.id"), nullable=False),
    Column("proposer", String(42), nullable=False),
    Column("counterparty", String(42)),
    Column("expires", _BIG, nullable=False),
    Column("answer", String(66), ForeignKey("message.id")),
)
"""Proposals of contracts, by the hash that others refer to. counterparty: NULL if it is made to everybody. answer: the
newest acceptance or revocation that came here."""
Index("offer_by_proposer", OFFER.c.proposer, OFFER.c.expires)
Index("offer_by_counterparty", OFFER.c.counterparty, OFFER.c.expires)
JOINT = Table(
    "joint",
    METADATA,
    Column("message", String(66), ForeignKey("message.id"), primary_key=True),
    Column("expires", _BIG, nullable=False),
    Column("proposer", String(42), nullable=False),
    Column("counterparty", String(42), nullable=False),
    Column("other", String(42)),
    Column("is_first", Boolean, nullable=False),
    Column("consent", String(132)),
)
"""Messages that two sign alike. counterparty, other: who may be the second. is_first: whether the signature of who
signed first goes first. consent: the second signature; NULL until it came."""
Index("joint_by_proposer", JOINT.c.proposer, JOINT.c.expires)
Index("joint_by_counterparty", JOINT.c.counterparty, JOINT.c.expires)
Index("joint_by_other", JOINT.c.other, JOINT.c.expires)
CONSENT = Table(
    "consent",
    METADATA,
    Column("number", _BIG, primary_key=True, autoincrement=True),
    Column("at", _BIG, nullable=False),
    Column("account", String(42), nullable=False),
    Column("participant", Integer, nullable=False),
    Column("purpose", String(16), nullable=False),
    Column("version", Integer, nullable=False),
    Column("withdrawn", _BIG),
    sqlite_autoincrement=True,
)
"""account: by whose session it was given. withdrawn: when; NULL while it holds."""
Index("consent_by_participant", CONSENT.c.participant, CONSENT.c.purpose)


class State(StrEnum):
    """Of a message. held: for a day whose auction is not open yet, or for a count. offered: a proposal, kept until
    somebody accepts. queued: waits to be brought, or is on its way; a reorganisation of the chain leads back to it.
    payout: the same of a withdrawal to a bank, which the treasurer brings. replaced: a later one took its place before
    it was brought.
    """

    RECEIVED = "received"
    CHECKED = "checked"
    HELD = "held"
    OFFERED = "offered"
    QUEUED = "queued"
    PAYOUT = "payout"
    IN_BLOCK = "in_block"
    FINAL = "final"
    REFUSED = "refused"
    REPLACED = "replaced"


_DONE = (State.FINAL, State.REFUSED, State.REPLACED, State.OFFERED)
"""What happens to these messages has happened; an offer stands for itself."""
_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Place:
    """What a message fills, and from which unix time on: until then it is held. Of those of one sender that are held
    for a place, the one with the highest sequence has it.
    """

    name: str
    due: int
    sequence: int


@dataclass(frozen=True, slots=True)
class NewOffer:
    """A proposal to keep, see OFFER."""

    hash: str
    counterparty: str | None
    expires: int


@dataclass(frozen=True, slots=True)
class NewJoint:
    """One to keep, see JOINT. kind, about: how what others who may sign it are told is called, and what it has besides
    the id.
    """

    expires: int
    counterparty: str
    kind: str
    about: Mapping[str, Any]
    is_first: bool = True
    other: str | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """A message as it is remembered. first_block: from which on a transaction that brings it can be."""

    id: str
    type: str
    sender: str
    envelope: dict[str, Any]
    state: State
    block: int | None
    transaction: str | None
    refusal: str | None
    attempts: int
    first_block: int | None

    @property
    def waits(self) -> State:
        """The state in which it waits to be brought, by the gateway or by the treasurer."""
        return _waits(self.envelope)


Move = tuple[Record, State, dict[str, Any]]
"""Of a message into a state, with its block and transaction or its refusal."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A proposal that is kept. answer: the newest acceptance or revocation that came here."""

    hash: str
    counterparty: str | None
    expires: int
    record: Record
    answer: Record | None


@dataclass(frozen=True, slots=True)
class KeptJoint:
    """A message that two sign, as it is kept; record: as who signed it first brought it."""

    expires: int
    counterparty: str
    other: str | None
    is_first: bool
    consent: str | None
    record: Record

    @property
    def seconds(self) -> tuple[str, ...]:
        """Who may sign it as well."""
        return (self.counterparty,) if self.other is None else (self.counterparty, self.other)

    @property
    def signatures(self) -> tuple[bytes, bytes]:
        """In the contract's order, once two have signed."""
        assert self.consent is not None
        own, other = (bytes.fromhex(text[2:]) for text in (self.record.envelope["signature"], self.consent))
        return (own, other) if self.is_first else (other, own)


@dataclass(frozen=True, slots=True)
class Entry:
    """Of the journal. owner: whose it is, lower case; None if it is everybody's."""

    number: int
    at: int
    kind: str
    owner: str | None
    data: dict[str, Any]


class Store:
    """The database. Every change is one transaction."""

    def __init__(self, url: str, clock: Callable[[], float] = time.time) -> None:
        """Open it, and bring it to the newest version of its tables.

        Raises:
            InputError: it cannot be opened.
        """
        self._engine = engine_of("state", url)
        self._clock = clock
        if self._engine.dialect.name == "sqlite":
            event.listen(self._engine, "connect", _overwrite)
        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS))
        try:
            with self._engine.begin() as connection:
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
        except DBAPIError as error:
            raise InputError("state", shown(self._engine.url), f"cannot be opened: {said(error)}") from error

    @property
    def engine(self) -> Engine:
        """For tests and tools."""
        return self._engine

    def close(self) -> None:
        """Let go of it."""
        self._engine.dispose()

    @contextmanager
    def change(self, locked: str = "") -> Iterator[Connection]:
        """A transaction that changes something. locked: a table that nobody else changes until it ends."""
        with self._engine.begin() as connection:
            if self._engine.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")  # one writer of all tables, from its first look on
            elif locked:
                connection.exec_driver_sql(f"LOCK TABLE {locked} IN SHARE ROW EXCLUSIVE MODE")
            yield connection

    def now(self) -> int:
        """The time, in whole seconds."""
        return int(self._clock())

    # ------------------------------------------------------------------------------------------------ messages

    def accept(
        self,
        id_: str,
        type_: str,
        sender: str,
        envelope: dict[str, Any],
        place: Place | None = None,
        offer: NewOffer | None = None,
        answers: str | None = None,
        joint: NewJoint | None = None,
    ) -> Record:
        """Remember a message that was checked, and queue or hold it; one that is known stays as it is.

        offer: of a proposal. answers: the hash of the one that an acceptance or a revocation answers. joint: of
        what somebody else has to sign, too.
        """
        with self.change("journal") as connection:
            if known := _message(connection, id_):
                return known
            last = _waits(envelope) if offer is None and joint is None else State.OFFERED
            if place is not None and place.due > self.now():
                last = State.HELD if self._takes(connection, sender, place) else State.REPLACED
            for state in (State.RECEIVED, State.CHECKED, last):
                number = self._tell(connection, "message", sender, {"id": id_, "state": state})
            connection.execute(
                insert(MESSAGE).values(
                    id=id_,
                    type=type_,
                    sender=sender,
                    envelope=envelope,
                    state=last,
                    attempts=0,
                    received_at=self.now(),
                    number=number,
                    due=None if place is None else place.due,
                    place=None if place is None else place.name,
                )
            )
            if offer is not None:
                values = {"hash": offer.hash, "counterparty": offer.counterparty, "expires": offer.expires}
                connection.execute(insert(OFFER).values(message=id_, proposer=sender, **values))
                if offer.counterparty is not None:
                    self._tell(connection, "offer", offer.counterparty, {"hash": offer.hash})
            if joint is not None:
                values = {name: getattr(joint, name) for name in ("expires", "counterparty", "other", "is_first")}
                connection.execute(insert(JOINT).values(message=id_, proposer=sender, **values))
                for second in {joint.counterparty, joint.other} - {None}:
                    self._tell(connection, joint.kind, second, {"id": id_, **joint.about})
            if answers is not None:
                theirs = OFFER.c.hash == answers
                connection.execute(update(OFFER).where(theirs).values(answer=id_))
                sides = connection.execute(select(OFFER.c.proposer, OFFER.c.counterparty).where(theirs)).one_or_none()
                for side in {*(sides or ())} - {None, sender}:
                    self._tell(connection, "offer", side, {"hash": answers})
            found = _message(connection, id_)
        assert found is not None  # it was just put in
        return found

    def _takes(self, connection: Connection, sender: str, place: Place) -> bool:
        """Take a place from what is held for it; False if that has a higher sequence."""
        theirs = (MESSAGE.c.state == State.HELD, MESSAGE.c.sender == sender, MESSAGE.c.place == place.name)
        for other in [_record(row) for row in connection.execute(select(MESSAGE).where(*theirs))]:
            if int(other.envelope["message"]["sequence"]) >= place.sequence:
                return False
            self._move(connection, other, State.REPLACED)
        return True

    def release(self) -> None:
        """Queue what was held until now."""
        due = select(MESSAGE).where(MESSAGE.c.state == State.HELD, MESSAGE.c.due <= self.now())
        with self._engine.connect() as connection:
            if connection.execute(due.limit(1)).first() is None:
                return
        with self.change("journal") as connection:
            for record in [_record(row) for row in connection.execute(due.order_by(MESSAGE.c.number))]:
                self._move(connection, record, State.QUEUED)

    def in_places(self, sender: str, most: int) -> list[Record]:
        """What an account has brought for each place, the latest of each, those first that are due last."""
        theirs = (MESSAGE.c.sender == sender, MESSAGE.c.place.is_not(None), MESSAGE.c.state != State.REPLACED)
        newest = select(func.max(MESSAGE.c.number)).where(*theirs).group_by(MESSAGE.c.place)
        order = (MESSAGE.c.due.desc(), MESSAGE.c.number.desc())
        question = select(MESSAGE).where(MESSAGE.c.number.in_(newest)).order_by(*order).limit(most)
        with self._engine.connect() as connection:
            return [_record(row) for row in connection.execute(question)]

    def offer(self, hash_: str) -> Offer | None:
        """A proposal that is kept."""
        return next(iter(self._offers(OFFER.c.hash == hash_, 1)), None)

    def offers(self, account: str, after: int, most: int) -> list[Offer]:
        """Proposals that an account has made, or that are made to it or to everybody: of each so many, the newest ones.

        after: time at which they must not have expired.
        """
        columns = (OFFER.c.proposer == account, OFFER.c.counterparty == account, OFFER.c.counterparty.is_(None))
        found = (self._offers(column & (OFFER.c.expires > after), most) for column in columns)
        return [*{one.hash: one for some in found for one in some}.values()]

    def _offers(self, condition: ColumnElement[bool], most: int) -> list[Offer]:
        answer = MESSAGE.alias()
        both = OFFER.join(MESSAGE, OFFER.c.message == MESSAGE.c.id).outerjoin(answer, OFFER.c.answer == answer.c.id)
        question = select(OFFER, MESSAGE, answer).select_from(both).where(condition)
        with self._engine.connect() as connection:
            rows = connection.execute(question.order_by(MESSAGE.c.number.desc()).limit(most)).all()
        return [
            Offer(
                **{name: row._mapping[OFFER.c[name]] for name in ("hash", "counterparty", "expires")},
                record=_record(row),
                answer=None if row._mapping[OFFER.c.answer] is None else _record(row, answer),
            )
            for row in rows
        ]

    def joint(self, id_: str) -> KeptJoint | None:
        """What two sign by this id."""
        return next(iter(self._joints(JOINT.c.message == id_)), None)

    def joints(self, account: str, types: Collection[str], after: int) -> list[KeptJoint]:
        """What an account has signed first, or may sign as well, and that expires later, the newest first."""
        return self._joints(_signed_by(account) & MESSAGE.c.type.in_(types) & (JOINT.c.expires > after))

    def _joints(self, condition: ColumnElement[bool]) -> list[KeptJoint]:
        both = JOINT.join(MESSAGE, JOINT.c.message == MESSAGE.c.id)
        question = select(JOINT, MESSAGE).select_from(both).where(condition).order_by(MESSAGE.c.number.desc())
        names = ("expires", "counterparty", "other", "is_first", "consent")
        with self._engine.connect() as connection:
            return [
                KeptJoint(**{name: row._mapping[JOINT.c[name]] for name in names}, record=_record(row))
                for row in connection.execute(question)
            ]

    def countersign(self, id_: str, signature: str) -> Record:
        """Keep a second signature, and queue what has both; what has them already stays as it is."""
        with self.change("journal") as connection:
            record = _message(connection, id_)
            assert record is not None  # it was looked at before
            if record.state is State.OFFERED:
                connection.execute(update(JOINT).where(JOINT.c.message == id_).values(consent=signature))
                self._move(connection, record, State.QUEUED)
            found = _message(connection, id_)
        assert found is not None
        return found

    def message(self, id_: str) -> Record | None:
        """A message."""
        with self._engine.connect() as connection:
            return _message(connection, id_)

    def messages(self, state: State, most: int) -> list[Record]:
        """Messages in a state, in the order in which they came."""
        question = select(MESSAGE).where(MESSAGE.c.state == state).order_by(MESSAGE.c.number).limit(most)
        with self._engine.connect() as connection:
            return [_record(row) for row in connection.execute(question)]

    def in_blocks(self, final: int, changed: int) -> list[Record]:
        """Messages in blocks up to one, and in blocks from another one on, in the order in which they came."""
        where = (MESSAGE.c.state == State.IN_BLOCK, (MESSAGE.c.block <= final) | (MESSAGE.c.block >= changed))
        with self._engine.connect() as connection:
            found = connection.execute(select(MESSAGE).where(*where).order_by(MESSAGE.c.number))
            return [_record(row) for row in found]

    def messages_of(self, sender: str, most: int, but: Collection[State] = ()) -> list[Record]:
        """Messages that an account signed, the newest first. but: not those in these states."""
        theirs = (MESSAGE.c.sender == sender, MESSAGE.c.state.not_in(but))
        question = select(MESSAGE).where(*theirs).order_by(MESSAGE.c.number.desc()).limit(most)
        with self._engine.connect() as connection:
            return [_record(row) for row in connection.execute(question)]

    def refused(self, most: int, sender: str | None = None) -> list[Record]:
        """Messages that were refused, the newest first. sender: only of this account."""
        question = select(MESSAGE).where(MESSAGE.c.state == State.REFUSED).order_by(MESSAGE.c.number.desc()).limit(most)
        if sender is not None:
            question = question.where(MESSAGE.c.sender == sender)
        with self._engine.connect() as connection:
            return [_record(row) for row in connection.execute(question)]

    def begin(self, ids: Sequence[str], block: int) -> None:
        """Note that messages are about to be brought. block: the newest one before."""
        values = {"attempts": MESSAGE.c.attempts + 1, "first_block": func.coalesce(MESSAGE.c.first_block, block)}
        with self.change() as connection:
            connection.execute(update(MESSAGE).where(MESSAGE.c.id.in_(ids)).values(values))

    def move(self, record: Record, state: State, **values: Any) -> None:
        """Put a message into a state. values: its block and transaction, or its refusal."""
        self.move_all([(record, state, values)])

    def refuse_payout(self, id_: str, why: str) -> Record | None:
        """Refuse a withdrawal that waits for the treasurer; None if none of that id does."""
        with self.change("journal") as connection:
            record = _message(connection, id_)
            if record is None or record.state is not State.PAYOUT:
                return None
            self._move(connection, record, State.REFUSED, refusal=why)
            return _message(connection, id_)

    def move_all(self, moves: Sequence[Move]) -> None:
        """The same of many at once."""
        if moves:
            with self.change("journal") as connection:
                for record, state, values in moves:
                    self._move(connection, record, state, **values)

    def _move(self, connection: Connection, record: Record, state: State, **values: Any) -> None:
        kept = {"block": None, "transaction": None, "refusal": None} | values
        connection.execute(update(MESSAGE).where(MESSAGE.c.id == record.id).values(state=state, **kept))
        is_back = record.state is State.IN_BLOCK and state is record.waits
        kind = "retract" if is_back else "message"
        told = {name: value for name, value in kept.items() if value is not None}
        was = {"block": record.block} if is_back else {}
        self._tell(connection, kind, record.sender, {"id": record.id, "state": state} | told | was)

    def counts(self) -> dict[str, int]:
        """How many messages are in each state."""
        question = select(MESSAGE.c.state, func.count()).group_by(MESSAGE.c.state)
        with self._engine.connect() as connection:
            found = {row[0]: row[1] for row in connection.execute(question)}
        return {state: found.get(state, 0) for state in State if state not in (State.RECEIVED, State.CHECKED)}

    # ------------------------------------------------------------------------------------------------- journal

    def _tell(self, connection: Connection, kind: str, owner: str | None, data: dict[str, Any]) -> int:
        values = {"at": self.now(), "kind": kind, "owner": owner and owner.lower(), "data": data}
        done = connection.execute(insert(JOURNAL).values(**values))
        return int(done.inserted_primary_key[0])  # type: ignore[index]

    def tell(self, kind: str, data: dict[str, Any]) -> None:
        """Note what happened to everybody."""
        with self.change("journal") as connection:
            self._tell(connection, kind, None, data)

    def journal(self, after: int, most: int, owner: str | None = None, everything: bool = False) -> list[Entry]:
        """What happened after an entry: to everybody and to an owner. everything: and to all others."""
        question = select(JOURNAL).where(JOURNAL.c.number > after).order_by(JOURNAL.c.number).limit(most)
        if not everything:
            mine = JOURNAL.c.owner.is_(None)
            question = question.where(mine if owner is None else mine | (JOURNAL.c.owner == owner.lower()))
        with self._engine.connect() as connection:
            return [Entry(*row) for row in connection.execute(question)]

    def newest(self) -> int:
        """Number of the newest entry."""
        with self._engine.connect() as connection:
            return int(connection.execute(select(func.coalesce(func.max(JOURNAL.c.number), 0))).scalar_one())

    # ------------------------------------------------------------------------------------------------- logins

    def nonce(self, seconds: int) -> str:
        """A number to sign, good once and for so long."""
        value = secrets.token_hex(16)
        with self.change() as connection:
            connection.execute(delete(NONCE).where(NONCE.c.expires < self.now()))
            connection.execute(insert(NONCE).values(value=value, expires=self.now() + seconds))
        return value

    def use_nonce(self, value: str) -> bool:
        """Whether it was good; from now on it is not."""
        with self.change() as connection:
            done = connection.execute(delete(NONCE).where(NONCE.c.value == value, NONCE.c.expires >= self.now()))
            return done.rowcount == 1

    def open(self, account: str, seconds: int) -> str:
        """A token for an account. Only its hash is kept."""
        token = secrets.token_urlsafe(32)
        with self.change() as connection:
            connection.execute(delete(TOKEN).where(TOKEN.c.expires < self.now()))
            values = {"hash": _hash(token), "account": account, "expires": self.now() + seconds}
            connection.execute(insert(TOKEN).values(**values))
        return token

    def account_of(self, token: str) -> str | None:
        """Whose token it is, if it has not expired."""
        question = select(TOKEN.c.account).where(TOKEN.c.hash == _hash(token), TOKEN.c.expires >= self.now())
        with self._engine.connect() as connection:
            return connection.execute(question).scalar_one_or_none()

    def shut(self, token: str) -> None:
        """End a token."""
        with self.change() as connection:
            connection.execute(delete(TOKEN).where(TOKEN.c.hash == _hash(token)))

    # ------------------------------------------------------------------------------------ institutions' software

    def register(self, name: str, offices: Sequence[str], seconds: int) -> str:
        """A secret for a client, good for so long; one that it had, and its tokens, end. Only its hash is kept."""
        secret = secrets.token_urlsafe(32)
        with self.change() as connection:
            _forget(connection, name)
            values = {"at": self.now(), "expires": self.now() + seconds, "offices": [*offices]}
            connection.execute(insert(CLIENT).values(name=name, hash=_hash(secret), **values))
        return secret

    def revoke(self, name: str) -> bool:
        """End a client and its tokens; whether there was one."""
        with self.change() as connection:
            return _forget(connection, name)

    def clients(self) -> list[dict[str, Any]]:
        """All of them, without their secrets."""
        columns = (column for column in CLIENT.c if column.name != "hash")
        with self._engine.connect() as connection:
            return [dict(row._mapping) for row in connection.execute(select(*columns).order_by(CLIENT.c.name))]

    def admit(self, name: str, secret: str, seconds: int) -> tuple[str, list[str]] | None:
        """A token for a client and its offices; None if there is none of that name and secret, or it has expired."""
        question = select(CLIENT.c.hash, CLIENT.c.offices, CLIENT.c.expires).where(CLIENT.c.name == name)
        with self._engine.connect() as connection:
            row = connection.execute(question).one_or_none()
        known = row.hash if row is not None else _hash("")
        if not hmac.compare_digest(_hash(secret), known) or row is None or row.expires < self.now():
            return None
        return self.open(f"{CLIENT_MARK}{name}", seconds), list(row.offices)

    def offices_of(self, name: str) -> tuple[list[str], int]:
        """Offices of a client, and until when it has them; none of one that there is not."""
        question = select(CLIENT.c.offices, CLIENT.c.expires).where(CLIENT.c.name == name)
        with self._engine.connect() as connection:
            row = connection.execute(question).one_or_none()
        return ([], 0) if row is None else (list(row.offices), row.expires)

    # --------------------------------------------------------------------------------------------- forgetting

    def forget(self, retention: Retention, longer: Collection[str] = ()) -> dict[str, int]:
        """Delete what is older than it may be; how many rows of each table went. What is under way stays.

        longer: meters whose owners have agreed that their values are kept for longer.
        """
        now = self.now()
        messages, values, agreed, accesses, journal = (
            now - _DAY * days
            for days in (
                *(retention.messages, retention.values, retention.agreed_values),
                *(retention.accesses, retention.journal),
            )
        )
        with self.change("journal") as connection:
            offers = delete(OFFER).where(OFFER.c.expires < messages)
            gone = {"offer": connection.execute(offers).rowcount}
            gone["joint"] = connection.execute(delete(JOINT).where(JOINT.c.expires < messages)).rowcount
            answers = select(OFFER.c.answer).where(OFFER.c.answer.is_not(None))
            kept = select(OFFER.c.message).union(answers, select(JOINT.c.message))
            old = (MESSAGE.c.received_at < messages, MESSAGE.c.state.in_(_DONE), MESSAGE.c.id.not_in(kept))
            for table, condition in (
                (MESSAGE, and_(*old)),
                (VALUE, (VALUE.c.start < values) & (VALUE.c.meter.not_in(longer) | (VALUE.c.start < agreed))),
                (DELIVERY, (DELIVERY.c.at < values) & DELIVERY.c.number.not_in(select(VALUE.c.delivery))),
                (ACCESS, ACCESS.c.at < accesses),
                (CONSENT, CONSENT.c.withdrawn < accesses),
                (JOURNAL, JOURNAL.c.at < journal),
                (TOKEN, TOKEN.c.expires < now),
                (NONCE, NONCE.c.expires < now),
            ):
                gone[table.name] = connection.execute(delete(table).where(condition)).rowcount
        return gone

    def erase(self, account: str, participant: int, meters: Collection[str]) -> dict[str, int]:
        """Delete what is known of a person who has left: how many rows of each table. What is under way stays."""
        with self.change("journal") as connection:
            signed = (MESSAGE.c.sender == account, MESSAGE.c.state.in_(_DONE))
            done = select(MESSAGE.c.id).where(MESSAGE.c.state.in_(_DONE))
            theirs = (OFFER.c.proposer == account) | (OFFER.c.counterparty == account)
            is_idle = OFFER.c.answer.is_(None) | OFFER.c.answer.in_(done)  # an acceptance is brought with its offer
            gone = {"offer": connection.execute(delete(OFFER).where(theirs, is_idle)).rowcount}
            ours = (_signed_by(account), JOINT.c.message.in_(done))
            gone["joint"] = connection.execute(delete(JOINT).where(*ours)).rowcount
            answers = select(MESSAGE.c.id).where(*signed)
            connection.execute(update(OFFER).where(OFFER.c.answer.in_(answers)).values(answer=None))
            for table, condition in (
                (MESSAGE, and_(*signed, MESSAGE.c.id.not_in(select(OFFER.c.message)))),
                (VALUE, VALUE.c.meter.in_(meters)),
                (ACCESS, ACCESS.c.participant == participant),
                (CONSENT, CONSENT.c.participant == participant),
                (JOURNAL, JOURNAL.c.owner == account.lower()),
                (TOKEN, TOKEN.c.account == account),
            ):
                gone[table.name] = connection.execute(delete(table).where(condition)).rowcount
        return gone

    # ------------------------------------------------------------------------------------------------ consents

    def agree(self, account: str, participant: int, purpose: str, version: int) -> None:
        """Note that a participant agrees to a text; an older one, if it held, is withdrawn by that."""
        with self.change("consent") as connection:
            theirs = (CONSENT.c.participant == participant, CONSENT.c.purpose == purpose, CONSENT.c.withdrawn.is_(None))
            if connection.execute(select(CONSENT).where(*theirs, CONSENT.c.version == version)).first() is not None:
                return
            connection.execute(update(CONSENT).where(*theirs).values(withdrawn=self.now()))
            values = {"account": account, "participant": participant, "purpose": purpose, "version": version}
            connection.execute(insert(CONSENT).values(at=self.now(), **values))

    def withdraw_consent(self, participant: int, purpose: str) -> None:
        """Note that it does not any more."""
        theirs = (CONSENT.c.participant == participant, CONSENT.c.purpose == purpose, CONSENT.c.withdrawn.is_(None))
        with self.change() as connection:
            connection.execute(update(CONSENT).where(*theirs).values(withdrawn=self.now()))

    def agreed(self, purpose: str, version: int, participants: Collection[int] | None = None) -> frozenset[int]:
        """Who agrees to a version of a text now; of these participants, or of all."""
        holds = (CONSENT.c.purpose == purpose, CONSENT.c.version == version, CONSENT.c.withdrawn.is_(None))
        question = select(CONSENT.c.participant).where(*holds)
        if participants is not None:
            question = question.where(CONSENT.c.participant.in_(participants))
        with self._engine.connect() as connection:
            return frozenset(connection.execute(question).scalars())

    def consents(self, participant: int) -> list[dict[str, Any]]:
        """What a participant has agreed to, the newest first."""
        question = select(CONSENT).where(CONSENT.c.participant == participant).order_by(CONSENT.c.number.desc())
        with self._engine.connect() as connection:
            return [dict(row._mapping) for row in connection.execute(question)]

    # --------------------------------------------------------------------------------------------- access log

    def note_access(self, **values: Any) -> None:
        """Note that somebody read about another person."""
        with self.change() as connection:
            connection.execute(insert(ACCESS).values(at=self.now(), **values))

    def accesses(self, participant: int | None, after: int, most: int) -> list[dict[str, Any]]:
        """Who read about a participant, or about anybody."""
        question = select(ACCESS).where(ACCESS.c.number > after).order_by(ACCESS.c.number).limit(most)
        return self._accesses(question, participant)

    def newest_accesses(self, participant: int | None, most: int, reader: str | None = None) -> list[dict[str, Any]]:
        """Who read about a participant, or about anybody, the newest first. reader: only what this one has read."""
        question = select(ACCESS).order_by(ACCESS.c.number.desc()).limit(most)
        return self._accesses(question if reader is None else question.where(ACCESS.c.reader == reader), participant)

    def persons_read(self, since: int) -> list[tuple[str, str, int]]:
        """Readers with their office, and about how many persons they have read: by number, and in lists of members."""
        named = func.count(func.distinct(case((ACCESS.c.participant > 0, ACCESS.c.participant))))
        listed = func.coalesce(func.sum(case((ACCESS.c.resource == "members", ACCESS.c.rows))), 0)
        persons = (named + listed).label("persons")
        question = select(ACCESS.c.reader, ACCESS.c.role, persons).where(ACCESS.c.at >= since)
        question = (
            question.group_by(ACCESS.c.reader, ACCESS.c.role)
            .having(named + listed > 0)
            .order_by(persons.desc(), ACCESS.c.reader)
        )
        with self._engine.connect() as connection:
            return [(row.reader, row.role, int(row.persons)) for row in connection.execute(question)]

    def _accesses(self, question: Select[Any], participant: int | None) -> list[dict[str, Any]]:
        if participant is not None:
            question = question.where(ACCESS.c.participant.in_((participant, 0)))
        with self._engine.connect() as connection:
            return [dict(row._mapping) for row in connection.execute(question)]


def _overwrite(connection: Any, _record: object) -> None:
    """What is deleted is overwritten in the file."""
    connection.execute("PRAGMA secure_delete = ON")


def _message(connection: Connection, id_: str) -> Record | None:
    row = connection.execute(select(MESSAGE).where(MESSAGE.c.id == id_)).one_or_none()
    return None if row is None else _record(row)


def _signed_by(account: str) -> ColumnElement[bool]:
    """What an account has signed first, or may sign as well."""
    return or_(*(column == account for column in (JOINT.c.proposer, JOINT.c.counterparty, JOINT.c.other)))


def _waits(envelope: Mapping[str, Any]) -> State:
    return State.PAYOUT if envelope.get("message", {}).get("toBank") else State.QUEUED


def _record(row: Any, table: FromClause = MESSAGE) -> Record:
    values = {name: row._mapping[table.c[name]] for name in Record.__slots__}
    return Record(**values | {"state": State(values["state"])})


def _forget(connection: Connection, name: str) -> bool:
    connection.execute(delete(TOKEN).where(TOKEN.c.account == f"{CLIENT_MARK}{name}"))
    return connection.execute(delete(CLIENT).where(CLIENT.c.name == name)).rowcount == 1


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
