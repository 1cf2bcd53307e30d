"""Members come in: applications, admissions, credit limits, first deposits."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any, TypeVar

from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from dem.deployment.market import RELAYER
from dem.messages.members import Application
from dem.messages.signed import Signed, for_contract
from dem.messages.signing import digest
from dem.model.meters import SOURCES
from dem.model.units import Money
from dem.relay.batches import Relay

T = TypeVar("T")

GAS_PER_MEMBER = 400_000
GAS_PER_DEPOSIT = 160_000

_ACCOUNT, _METER, _LAST_DAY = 0, 4, 6
"""Places in what the registry has of a member."""
_FIRST_PARTICIPANT = 6
"""The numbers before are the market's own."""
_NO_LAST_DAY = (1 << 32) - 1
_NEVER_APPLIED, _APPLIED, _, _, _EXITED = range(5)
"""Status of an account that is no member."""


@dataclass(frozen=True, slots=True)
class Applicant:
    """Someone to be registered, with a first deposit under its unique payment reference."""

    application: Signed[Application]
    deposit: Money
    payment_reference: bytes
    credit_limit: Money

    @property
    def account(self) -> str:
        """Address of the account that applies."""
        return self.application.message.account


@dataclass(frozen=True, slots=True)
class Payment:
    """Money that came in at the bank for an account, under its unique reference."""

    account: str
    amount: Money
    reference: bytes


def salted(salt: bytes, content: bytes) -> bytes:
    """The hash of a content behind a salt: what of papers and payments goes on the chain."""
    return bytes(keccak(salt + content))


def register(relay: Relay, applicants: Sequence[Applicant]) -> None:
    """Applications, admissions, credit limits and first deposits of everybody who does not have them."""
    domain = relay.market.domain("ParticipantRegistry")
    apply(relay, applicants)
    admit(relay, {a.account: digest(domain, a.application.message) for a in applicants})
    set_credit_limits(relay, {a.account: a.credit_limit for a in applicants if a.credit_limit})
    pay_in(relay, [Payment(a.account, a.deposit, a.payment_reference) for a in applicants if a.deposit])


def come_back(relay: Relay, applicants: Sequence[Applicant]) -> None:
    """Applications and admissions of who has left and comes back (rule 2.2)."""
    domain = relay.market.domain("ParticipantRegistry")
    apply(relay, applicants, _EXITED)
    admit(relay, {a.account: digest(domain, a.application.message) for a in applicants})


def apply(relay: Relay, applicants: Sequence[Applicant], status: int = _NEVER_APPLIED) -> None:
    """Applications of whose accounts have this status: of who has never applied."""
    relay.call_for_each(
        "applyFor",
        (RELAYER, relay.market.registry, GAS_PER_MEMBER),
        lambda: _with_status(relay, applicants, lambda a: a.account, status),
        lambda a: for_contract(a.application),
    )


def admit(relay: Relay, decided: Mapping[str, bytes]) -> None:
    """Admissions of who waits for one. decided: hash of the application that was decided on, by account."""
    relay.call_for_each(
        "admit",
        ("registrar", relay.market.registry, GAS_PER_MEMBER),
        lambda: waiting(relay, [*decided]),
        lambda account: (account, decided[account]),
    )


def waiting(relay: Relay, accounts: Sequence[str]) -> list[str]:
    """Those of some accounts that have applied and wait for an answer."""
    return _with_status(relay, accounts, lambda account: account, _APPLIED)


class Applications:
    """What everybody applied for last: read once, and from then on only what is new."""

    def __init__(self, relay: Relay) -> None:
        self._relay, self._next = relay, relay.market.manifest.first_block
        self._found: dict[str, Mapping[str, Any]] = {}

    def by_account(self) -> Mapping[str, Mapping[str, Any]]:
        """Of all who ever applied."""
        chain, name = self._relay.chain, "ParticipantRegistry"
        last = chain.block
        addresses = {name: self._relay.market.addresses[name]}
        for event in chain.events(addresses, self._next, last, chain.topics(name, "Applied")):
            self._found[event.args["account"]] = event.args
        self._next = last + 1
        return self._found


def with_other_limit(relay: Relay, limits: Mapping[str, Money]) -> list[tuple[int, Money]]:
    """Number and credit limit of members by account that have another one."""
    ids = dict(zip(limits, relay.records.ids_of(limits), strict=True))
    members = {account: id_ for account, id_ in ids.items() if id_}
    found = relay.chain.ask_many(relay.market.accounts, "accountOf", [(id_,) for id_ in members.values()])
    return [
        (id_, limits[account])
        for (account, id_), (*_, limit) in zip(members.items(), found, strict=True)
        if limit != limits[account]
    ]


def set_credit_limits(relay: Relay, limits: Mapping[str, Money]) -> None:
    """Credit limits of members, by account."""
    relay.call_for_each(
        "setCreditLimit",
        ("council", relay.market.accounts, GAS_PER_DEPOSIT),
        lambda: with_other_limit(relay, limits),
        lambda limit: limit,
    )


def not_paid_in(relay: Relay, payments: Sequence[Payment]) -> list[Payment]:
    """Payments that no account has yet."""
    paid = relay.chain.ask_many(relay.market.accounts, "isPaymentUsed", [(p.reference,) for p in payments])
    return [payment for payment, is_paid in zip(payments, paid, strict=True) if not is_paid]


def pay_in(relay: Relay, payments: Sequence[Payment]) -> None:
    """Deposits of money that came in at the bank; its reference sees to it that none is made twice."""
    relay.call_for_each(
        "deposit",
        ("treasurer", relay.market.accounts, GAS_PER_DEPOSIT),
        lambda: not_paid_in(relay, payments),
        lambda payment: (payment.account, payment.amount, payment.reference),
    )


def _with_status(relay: Relay, some: Sequence[T], account: Callable[[T], str], status: int) -> list[T]:
    found = relay.chain.ask_many(relay.market.registry, "statusOf", [(account(one),) for one in some])
    return [one for one, own in zip(some, found, strict=True) if own == status]


def leave(relay: Relay, ids: Sequence[int]) -> None:
    """Exits of members, by registry number."""
    relay.call_for_each(
        "exit",
        ("registrar", relay.market.registry, GAS_PER_MEMBER),
        lambda: [id_ for id_, own in _members(relay, ids).items() if own[_LAST_DAY] == _NO_LAST_DAY],
        lambda id_: (id_,),
    )


@dataclass(frozen=True, slots=True)
class ConnectionChange:
    """What a member's connection carries from a day on, Wh per period."""

    id: int
    import_capacity: int
    export_capacity: int
    first_day: int


def change_connections(relay: Relay, changes: Sequence[ConnectionChange]) -> None:
    """Other capacities of connections."""
    registry = relay.market.registry

    def missing() -> list[ConnectionChange]:
        meters = [own[_METER] for own in _members(relay, [change.id for change in changes]).values()]
        asked = [(meter, change.first_day) for meter, change in zip(meters, changes, strict=True)]
        found = relay.chain.ask_many(registry, "metered", asked)
        return [
            change
            for change, (_, *both, _, _) in zip(changes, found, strict=True)
            if both != [change.import_capacity, change.export_capacity]
        ]

    relay.call_for_each("changeConnection", ("registrar", registry, GAS_PER_MEMBER), missing, astuple)


def replace_meters(relay: Relay, meters: Mapping[int, str]) -> None:
    """Other meters: their addresses by registry number."""
    relay.call_for_each(
        "replaceMeter",
        ("registrar", relay.market.registry, GAS_PER_MEMBER),
        lambda: [
            (id_, meters[id_])
            for id_, own in _members(relay, [*meters]).items()
            if int(own[_METER], 16) != int(meters[id_], 16)
        ],
        lambda replacement: replacement,
    )


def note_sources(relay: Relay, sources: Mapping[int, str]) -> None:
    """What members' feed-in comes from, by registry number, as of the meters that they have.

    Guarantees are the member's, so it is noted for each: the next tenant of a meter has none of what is noted of the
    last one's.
    """
    chain, name = relay.chain, "Meters"
    own = _members(relay, [*sources])
    wanted = [(id_, to_checksum_address(own[id_][_METER]), SOURCES.index(source)) for id_, source in sources.items()]
    known: dict[tuple[int, str], int] = {}
    first = relay.market.manifest.first_block

    def missing() -> list[tuple[int, str, int]]:
        nonlocal first
        last, addresses = chain.block, {name: relay.market.addresses[name]}
        for event in chain.events(addresses, first, last, chain.topics(name, "SourceNoted")):
            known[event.args["id"], event.args["meter"]] = event.args["source"]
        first = last + 1
        return [note for note in wanted if known.get(note[:2]) != note[2]]

    relay.call_for_each("noteSource", ("registrar", relay.market.meters, GAS_PER_MEMBER), missing, lambda note: note)


def owners_of_meters(relay: Relay) -> dict[str, int]:
    """Registry number by address of the meter, of every member that has one."""
    count = relay.market.registry.functions.memberCount().call()
    found = _members(relay, range(1, count + 1))
    return {to_checksum_address(own[_METER]): id_ for id_, own in found.items() if int(own[_METER], 16)}


def participants(relay: Relay) -> list[str]:
    """Accounts of all who were admitted, in the order of their numbers."""
    count = relay.market.registry.functions.memberCount().call()
    return [
        to_checksum_address(own[_ACCOUNT]) for own in _members(relay, range(_FIRST_PARTICIPANT, count + 1)).values()
    ]


def _members(relay: Relay, ids: Sequence[int]) -> dict[int, tuple[Any, ...]]:
    """What the registry has of members, by number."""
    return dict(zip(ids, relay.chain.ask_many(relay.market.registry, "member", [(id_,) for id_ in ids]), strict=True))
