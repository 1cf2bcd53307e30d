"""A scenario's members: their keys, their applications, and those of them who are members from the start."""

from dataclasses import dataclass
from functools import cached_property

from eth_utils.crypto import keccak

from dem.community.keys import Wallet, wallet
from dem.community.scenario import Kind, Participant, Scenario
from dem.deployment.plan import Offices
from dem.messages.members import Application
from dem.messages.signed import signed
from dem.messages.signing import Domain
from dem.relay.members import Applicant
from dem.replay.members import KINDS

_NO_METER = "0x" + "00" * 20


@dataclass(frozen=True)
class Community:
    """A scenario's members with their keys."""

    scenario: Scenario

    @cached_property
    def wallets(self) -> dict[str, Wallet]:
        """Keys by member's name."""
        config = self.scenario.config
        return {member.name: wallet(config.name, config.seed, member.name) for member in self.scenario.participants}

    @cached_property
    def names(self) -> dict[str, str]:
        """Member's name by account address."""
        return {keys.account: name for name, keys in self.wallets.items()}

    @property
    def offices(self) -> Offices:
        """Addresses of those who are members from the start."""
        supplier, operator, grid_operator = (
            self.wallets[self.scenario.of_kind(kind)[0].name]
            for kind in (Kind.FALLBACK_SUPPLIER, Kind.OPERATOR, Kind.GRID_OPERATOR)
        )
        return Offices(supplier.account, operator.account, grid_operator.account, grid_operator.meter)

    def applicants(self, domain: Domain, day: int = 1) -> list[Applicant]:
        """Application and first deposit of everybody who joins on a day. domain: the registry's."""
        return [self._applicant(member, domain, day) for member in self.scenario.participants if member.joins == day]

    def returning(self, domain: Domain, day: int) -> list[Applicant]:
        """Application of everybody who comes back on a day, likewise."""
        return [self._applicant(member, domain, day) for member in self.scenario.participants if member.returns == day]

    def _applicant(self, whole: Participant, domain: Domain, day: int) -> Applicant:
        """As a member is on its first day, or on the one from which on it is back."""
        keys, member = self.wallets[whole.name], whole.on(day)
        meter = keys.next_meter if member.has_next_meter(day) else keys.meter
        application = Application(
            account=keys.account,
            meter=meter if member.metered else _NO_METER,
            kind=KINDS.index(member.kind.value),
            import_capacity=member.import_capacity,
            export_capacity=member.export_capacity,
            feeder=member.bus.encode().ljust(32, b"\0")[:32],
            # No application is used twice.
            documents=bytes(keccak(text=member.name if day == member.joins else f"{member.name}, back")),
        )
        return Applicant(
            application=signed(domain, keys.account_key, application),
            deposit=member.deposit,
            payment_reference=bytes(keccak(text=f"{self.scenario.config.name}/{member.name}/deposit 1")),
            credit_limit=member.credit_limit,
        )
