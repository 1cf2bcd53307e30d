"""Money out to banks: burned once and ordered once, whatever ends when; and what is not paid out says why."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.signed import withdrawal
from support.village import DEPOSIT, Member, Village

from dem.deployment.market import Market
from dem.gateway.protocol import Checked, check, seal
from dem.messages.members import Withdrawal
from dem.messages.signing import sign
from dem.model.units import CENT
from dem.relay.batches import Relay
from dem.roles.chain import ChainRole
from dem.roles.offices import Treasurer
from dem.roles.outbox import BankAccount, Outbox
from dem.roles.payouts import Payouts
from dem.roles.service import Service

PAYER = BankAccount("Village", "DE89370400440532013000")
IBAN = "AT611904300234573201"
DEPTH = 2


@dataclass
class Counter:
    """Where members bring withdrawals, without a gateway. It never forgets one, as one restored from a back-up."""

    market: Market
    requests: list[Checked] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)

    def ask(self, member: Member, amount: int, sequence: int = 1) -> str:
        message, domain = Withdrawal(member.account, amount, True, sequence), self.market.domain("Accounts")
        envelope = seal(domain, message, sign(domain, message, member.wallet.account_key))
        self.requests.append(check(envelope, self.market.chain.id, self.market.addresses))
        return envelope.id

    def waiting(self) -> Sequence[Checked]:
        return [one for one in self.requests if one.id not in self.refused]

    def refuse(self, id_: str, why: str) -> None:
        self.refused[id_] = why


@dataclass
class Till:
    """The treasurer's service, its outbox and what it goes by."""

    village: Village
    counter: Counter
    folder: Path
    banks: dict[str, BankAccount]

    @property
    def outbox(self) -> Outbox:
        return Outbox(self.folder, PAYER, clock=lambda: datetime(2026, 3, 1, 12, tzinfo=UTC))

    def service(self) -> Service:
        """Started anew: it knows nothing of what was before."""

        def make() -> ChainRole:
            relay = Relay(self.village.market)
            return ChainRole(relay, Treasurer(relay, list, self._payouts(relay)).steps)

        return Service("treasurer", "treasurer", make)

    def _payouts(self, relay: Relay) -> Payouts:
        banks: Callable[[], Mapping[str, BankAccount]] = lambda: self.banks  # noqa: E731
        return Payouts(relay, self.counter, banks, self.outbox, DEPTH)

    def seal_blocks(self, count: int = DEPTH) -> None:
        chain = self.village.market.chain
        for _ in range(count):
            chain.wait_until(chain.now() + 1)

    def paid(self) -> list[tuple[str, int]]:
        return [(one.reference, one.amount) for order in self.outbox.orders() for one in order.payouts]


@pytest.fixture
def till(village: Village, market: Market, tmp_path: Path, buyer: Member, seller: Member) -> Till:
    banks = {one.account: BankAccount(f"Member {one.id}", IBAN) for one in (buyer, seller)}
    return Till(village, Counter(market), tmp_path / "payouts", banks)


def test_what_was_signed_for_is_burned_and_ordered_once(till: Till, buyer: Member, seller: Member) -> None:
    free, supply = till.village.free(buyer), till.village.market.token.functions.totalSupply().call()
    first, second = till.counter.ask(buyer, 3 * CENT), till.counter.ask(seller, 2 * CENT)
    service = till.service()
    assert service.look() == 1
    assert till.village.free(buyer) == free - 3 * CENT
    assert till.paid() == []  # the chain may still lose the block
    till.seal_blocks()
    assert (service.look(), service.look(), till.service().look()) == (1, 0, 0)
    assert till.paid() == [(first, 3 * CENT), (second, 2 * CENT)]
    assert till.village.market.token.functions.totalSupply().call() == supply - 5 * CENT
    [order] = till.outbox.orders()
    assert (order.number, order.amount, order.paid_on) == (1, 5 * CENT, None)


def test_a_kill_at_any_moment_pays_nobody_twice(till: Till, buyer: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    class KilledError(BaseException):
        pass

    def killed(*_: object) -> None:
        raise KilledError

    id_ = till.counter.ask(buyer, 3 * CENT)
    sending, create, complete = "dem.chain.connection.Chain.send_all", Outbox._create, Outbox.complete

    with monkeypatch.context() as patch:  # before anything is sent
        patch.setattr(sending, killed)
        with pytest.raises(KilledError):
            till.service().look()
    chain = till.village.market.chain
    real = type(chain).send_all
    with monkeypatch.context() as patch:  # when it is in a block, and nobody has heard of it

        def sent_and_killed(self: object, *told: object) -> object:
            [*real(self, *told)]  # type: ignore[arg-type]
            raise KilledError

        patch.setattr(sending, sent_and_killed)
        with pytest.raises(KilledError):
            till.service().look()
    till.seal_blocks()
    for name, step in (("_create", killed), ("complete", killed)):
        with monkeypatch.context() as patch:  # before the order is there, and before the bank's file is
            service = till.service()
            assert till.village.free(buyer) == DEPOSIT - 3 * CENT
            service._made = service.make()
            patch.setattr(Outbox, name, step)
            with pytest.raises(KilledError):
                service.look()
    assert (Outbox._create, Outbox.complete) == (create, complete)
    assert not (till.folder / "000001.xml").exists()
    till.service().look()
    assert till.paid() == [(id_, 3 * CENT)]
    assert (till.folder / "000001.xml").exists()


def test_a_payment_waits_for_the_bank_account_and_others_do_not(till: Till, buyer: Member, seller: Member) -> None:
    known = till.banks.pop(buyer.account)
    later, now = till.counter.ask(buyer, 3 * CENT), till.counter.ask(seller, 2 * CENT)
    service = till.service()
    service.look()
    assert "is not in the table, and wants money paid out" in service.health()["failing"][0]["why"]
    assert till.village.free(buyer) == DEPOSIT
    till.seal_blocks()
    till.service().look()
    assert till.paid() == [(now, 2 * CENT)]
    till.banks[buyer.account] = known
    till.service().look()
    till.seal_blocks()
    till.service().look()
    assert till.paid() == [(now, 2 * CENT), (later, 3 * CENT)]


def test_what_the_contract_refuses_is_told_and_burns_nothing(till: Till, buyer: Member) -> None:
    much = till.counter.ask(buyer, DEPOSIT // CENT * CENT + CENT)
    till.service().look()
    assert till.counter.refused[much].startswith("InsufficientFunds")
    till.village.relay(
        till.village.market.accounts, "withdraw", *withdrawal(till.village.market, buyer.wallet, 1, sequence=9)
    )
    stale = till.counter.ask(buyer, CENT, sequence=5)
    till.service().look()
    assert till.counter.refused[stale].startswith("StaleSequence")
    assert till.village.free(buyer) == DEPOSIT - 1


def test_what_the_treasurer_burns_otherwise_is_left_alone(till: Till, buyer: Member) -> None:
    reference = bytes([5] * 32)
    signed = withdrawal(till.village.market, buyer.wallet, 4 * CENT, to_bank=True)
    till.village.send("treasurer", till.village.market.accounts, "redeem", *signed, reference)
    till.seal_blocks()
    assert till.service().look() == 0
    assert till.paid() == []
