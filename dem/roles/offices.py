"""The offices: registrar, treasurer, fallback supplier, and the clerk of a seat of the council."""

from collections.abc import Callable, Mapping, Sequence

from eth_utils.crypto import keccak

from dem.governance.council import Proposal, proposals
from dem.model.rules import Tariff
from dem.model.units import Money
from dem.relay import members, terms
from dem.relay.batches import Relay
from dem.relay.members import Payment
from dem.roles.payouts import Payouts
from dem.roles.step import Day, Step


class Registrar:
    """Admits whose papers are in order.

    decided: hash of the application that was decided on, by account, of those that may wait.
    """

    def __init__(self, relay: Relay, decided: Callable[[], Mapping[str, bytes]]) -> None:
        self._relay, self._decided = relay, decided

    @property
    def steps(self) -> Sequence[Step]:
        """Whenever somebody waits."""
        return (Step("admit", self.admit, self._nobody_waits),)

    def admit(self, _day: Day) -> None:
        """Everybody who waits and was decided on."""
        members.admit(self._relay, self._decided())

    def _nobody_waits(self, _day: Day) -> bool:
        return not members.waiting(self._relay, [*self._decided()])


def everyone(relay: Relay) -> Callable[[], Mapping[str, bytes]]:
    """The applications of all who wait, for a registrar who looks at no papers."""
    applications = members.Applications(relay)
    return lambda: _standing(relay, members.waiting(relay, [*applications.by_account()]))


def approved(relay: Relay, papers: Callable[[], Mapping[str, bytes]]) -> Callable[[], Mapping[str, bytes]]:
    """The applications of those who wait and applied with the papers that are known. papers: their hash, by account."""

    applications = members.Applications(relay)

    def decided() -> Mapping[str, bytes]:
        known, applied = papers(), applications.by_account()
        good = [account for account in known if account in applied and applied[account]["documents"] == known[account]]
        return _standing(relay, members.waiting(relay, good))

    return decided


def _standing(relay: Relay, accounts: Sequence[str]) -> Mapping[str, bytes]:
    digests = relay.chain.ask_many(relay.market.registry, "applicationOf", [(account,) for account in accounts])
    return dict(zip(accounts, digests, strict=True))


class Treasurer:
    """Deposits what came in at the bank. payments: all that did, in any order, and any number of times.

    payouts: what goes out; None if it pays nothing out.
    """

    def __init__(self, relay: Relay, payments: Callable[[], Sequence[Payment]], payouts: Payouts | None = None) -> None:
        self._relay, self._payments, self._payouts = relay, payments, payouts

    @property
    def steps(self) -> Sequence[Step]:
        """Whenever money has come in for a member, or one has signed for some."""
        out = self._payouts.steps if self._payouts is not None else ()
        return (Step("deposit", self.deposit, self._nothing_came), *out)

    def deposit(self, _day: Day) -> None:
        """What came in for members and is on no account."""
        members.pay_in(self._relay, self._for_members())

    def _nothing_came(self, _day: Day) -> bool:
        return not members.not_paid_in(self._relay, self._for_members())

    def _for_members(self) -> list[Payment]:
        """Of who is none yet the money waits."""
        payments = self._payments()
        ids = self._relay.records.ids_of(payment.account for payment in payments)
        return [payment for payment, id_ in zip(payments, ids, strict=True) if id_]


def with_first_payments(
    relay: Relay, payments: Callable[[], Sequence[Payment]], amount: Money
) -> Callable[[], Sequence[Payment]]:
    """As if every participant had paid in an amount once, beside what came in."""

    def all_of_them() -> list[Payment]:
        accounts = members.participants(relay)
        return [*payments(), *(Payment(one, amount, bytes(keccak(text=f"first payment of {one}"))) for one in accounts)]

    return all_of_them


class Supplier:
    """The fallback supplier. tariffs: of a day; None if they are not known, so that the standing tariff holds."""

    def __init__(self, relay: Relay, tariffs: Callable[[Day], Sequence[Tariff] | None]) -> None:
        self._relay, self._tariffs = relay, tariffs

    @property
    def steps(self) -> Sequence[Step]:
        """From a day before an auction opens until it does."""
        calendar = self._relay.market.calendar
        return (
            Step(
                "publish tariffs",
                self.publish_tariffs,
                self._are_published,
                lambda day: calendar.opens_at(day) - calendar.day_length,
                calendar.opens_at,
            ),
        )

    def publish_tariffs(self, day: Day) -> None:
        """The tariffs of a day."""
        tariffs = self._tariffs(day)
        if tariffs is not None:
            terms.publish_tariffs(self._relay, day, tariffs)

    def _are_published(self, day: Day) -> bool:
        tariffs = self._tariffs(day)
        return tariffs is None or terms.are_published(self._relay, day, tariffs)


class Clerk:
    """Does for a seat of the council what it has decided.

    approved: whether the seat wants a proposal. limits: credit limits that the council has decided on, by account.
    """

    def __init__(self, relay: Relay, approved: Callable[[Proposal], bool], limits: Mapping[str, Money]) -> None:
        self._relay, self._approved, self._limits = relay, approved, limits
        self._council = relay.market.contract("Council")

    @property
    def steps(self) -> Sequence[Step]:
        """Whenever something is decided on."""
        return (
            Step("set credit limits", self.set_credit_limits, self._limits_are_set),
            Step("approve", self.approve, lambda _: not self._to_approve()),
            Step("execute", self.execute, lambda _: not self._ready()),
        )

    def set_credit_limits(self, _day: Day) -> None:
        """As decided, of those who are members."""
        members.set_credit_limits(self._relay, self._limits)

    def _limits_are_set(self, _day: Day) -> bool:
        return not members.with_other_limit(self._relay, self._limits)

    def approve(self, _day: Day) -> None:
        """Open proposals that the seat wants."""
        for number in self._to_approve():
            self._relay.chain.send(self._relay.market.keys["node"], self._council, "approve", number)

    def _to_approve(self) -> list[int]:
        """Those that the seat wants and could still approve: the contract refuses a second approval."""
        seat, refusal = self._relay.market.keys["node"], self._relay.chain.refusal_of
        wanted = [p.number for p in self._standing("open", "decided") if self._approved(p)]
        return [number for number in wanted if not refusal(seat, self._council, "approve", number)]

    def execute(self, _day: Day) -> None:
        """Decided proposals whose delay is over, wanted or not: anybody may."""
        for number in self._ready():
            self._relay.chain.send(self._relay.market.keys["node"], self._council, "execute", number)

    def _ready(self) -> list[int]:
        now = self._relay.chain.now()
        return [proposal.number for proposal in self._standing("decided") if proposal.ready_at <= now]

    def _standing(self, *states: str) -> list[Proposal]:
        return [proposal for proposal in proposals(self._relay.market) if proposal.state in states]
