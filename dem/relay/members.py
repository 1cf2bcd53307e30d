"""Members come in: applications, admissions, credit limits, first deposits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dem.deployment.market import RELAYER
from dem.messages.members import Application
from dem.messages.signed import Signed, for_contract
from dem.messages.signing import digest
from dem.model.units import Money
from dem.relay.batches import Relay

GAS_PER_MEMBER = 400_000
GAS_PER_DEPOSIT = 160_000

_METER, _LAST_DAY = 4, 6
"""Places in what the registry has of a member."""
_NO_LAST_DAY = (1 << 32) - 1
_NEVER_APPLIED, _APPLIED = range(2)
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


def register(relay: Relay, applicants: Sequence[Applicant]) -> None:
    """Applications, admissions, credit limits and first deposits of everybody who does not have them."""
    chain, registry, accounts = relay.chain, relay.market.registry, relay.market.accounts
    domain = relay.market.domain("ParticipantRegistry")

    def with_status(status: int) -> list[Applicant]:
        found = chain.ask_many(registry, "statusOf", [(a.account,) for a in applicants])
        return [a for a, own in zip(applicants, found, strict=True) if own == status]

    def with_other_limit() -> list[tuple[int, Money]]:
        creditors = [a for a in applicants if a.credit_limit]
        ids = relay.records.ids_of(a.account for a in creditors)
        found = chain.ask_many(accounts, "accountOf", [(id_,) for id_ in ids])
        limits = [(id_, a.credit_limit) for id_, a in zip(ids, creditors, strict=True)]
        return [wanted for wanted, (*_, limit) in zip(limits, found, strict=True) if wanted[1] != limit]

    def without_deposit() -> list[Applicant]:
        paid = chain.ask_many(accounts, "isPaymentUsed", [(a.payment_reference,) for a in applicants])
        return [a for a, is_paid in zip(applicants, paid, strict=True) if a.deposit and not is_paid]

    relay.call_for_each(
        "applyFor",
        (RELAYER, registry, GAS_PER_MEMBER),
        lambda: with_status(_NEVER_APPLIED),
        lambda a: for_contract(a.application),
    )
    relay.call_for_each(
        "admit",
        ("registrar", registry, GAS_PER_MEMBER),
        lambda: with_status(_APPLIED),
        lambda a: (a.account, digest(domain, a.application.message)),
    )
    relay.call_for_each(
        "setCreditLimit",
        ("council", accounts, GAS_PER_DEPOSIT),
        with_other_limit,
        lambda limit: limit,
    )
    relay.call_for_each(
        "deposit",
        ("treasurer", accounts, GAS_PER_DEPOSIT),
        without_deposit,
        lambda a: (a.account, a.deposit, a.payment_reference),
    )


def leave(relay: Relay, ids: Sequence[int]) -> None:
    """Exits of members, by registry number."""
    relay.call_for_each(
        "exit",
        ("registrar", relay.market.registry, GAS_PER_MEMBER),
        lambda: [id_ for id_, own in _members(relay, ids).items() if own[_LAST_DAY] == _NO_LAST_DAY],
        lambda id_: (id_,),
    )


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


def _members(relay: Relay, ids: Sequence[int]) -> dict[int, tuple[Any, ...]]:
    """What the registry has of members, by number."""
    return dict(zip(ids, relay.chain.ask_many(relay.market.registry, "member", [(id_,) for id_ in ids]), strict=True))
