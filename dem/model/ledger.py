"""Bit-exact model of the accounts: free and locked money, arrears and credit limits.

Who cannot pay a settlement in full goes into arrears to the fallback supplier, who pays the rest
at once and carries the risk; arrears are paid first from the next money that comes in. A settlement may take the
supplier below minus its credit limit: what is missing then is shared (dem.model.shortfalls).
"""

from collections import ChainMap
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace

from dem.errors import (
    ArrearsError,
    CreditLimitError,
    InsufficientFreeError,
    InsufficientLockedError,
    PaidNowError,
    UnbalancedPostingsError,
    require_range,
)
from dem.model.units import Money

BALANCING_FUND = 1
CLEARING_HOUSE = 2
FALLBACK_SUPPLIER = 3
OPERATOR = 4
GRID_OPERATOR = 5
FIRST_PARTICIPANT = 6

_NOTHING = Money(0)


@dataclass(frozen=True, slots=True)
class Account:
    """One account in money units; free is negative within a credit limit, and by what was taken back of payments.

    What is locked is of all markets together: what each holds follows from its own events.
    """

    free: Money = _NOTHING
    locked: Money = _NOTHING
    arrears: Money = _NOTHING
    credit_limit: Money = _NOTHING


_UNTOUCHED = Account()


@dataclass(frozen=True, slots=True)
class Posting:
    """Money to (positive) or from an account, and collateral to release to it first."""

    account: int
    amount: Money
    release: Money = _NOTHING


@dataclass(slots=True)
class Ledger:
    """All accounts by id; one that was never touched is all zero.

    A call that raises changes nothing. The fallback supplier needs a credit limit before anybody
    can fall into arrears to it.
    """

    accounts: MutableMapping[int, Account] = field(default_factory=dict)
    paid_now: set[int] = field(default_factory=set)
    """Whom the settlement under way has paid, or whose collateral it has released: what they have stays where it is
    until that ends."""

    def record(self, account: int) -> Account:
        """The account's present state."""
        return self.accounts.get(account, _UNTOUCHED)

    def supply(self) -> Money:
        """Money of all accounts; deposits less withdrawals, whatever was posted between."""
        return Money(sum(record.free + record.locked for record in self.accounts.values()))

    def set_credit_limit(self, account: int, limit: Money) -> None:
        """How far below zero the account's free money may go.

        Raises:
            InputError: a negative limit, or an account that nobody answers for.
            CreditLimitError: the account is below minus that limit already, which is lower than the one before.
        """
        require_range("credit limit", limit, 0)
        require_range("account with a credit limit", account, FALLBACK_SUPPLIER)
        before = self.record(account)
        record = replace(before, credit_limit=limit)
        if limit < before.credit_limit:
            _require_within_credit(account, record)
        self.accounts[account] = record

    def deposit(self, account: int, amount: Money) -> None:
        """Money comes in; it pays arrears first.

        Raises:
            InputError: an amount that is not positive.
        """
        require_range("deposit", amount, 1)
        self._credit(account, amount)

    def withdraw(self, account: int, amount: Money) -> None:
        """Free money leaves; credit is for settling, not for taking out.

        Raises:
            InputError: an amount that is not positive.
            InsufficientFreeError: more than the free money.
            PaidNowError: the settlement under way has paid the account.
        """
        require_range("withdrawal", amount, 1)
        record = self.record(account)
        if amount > record.free:
            raise InsufficientFreeError(account, amount, record.free)
        self._require_not_paid_now(account)
        self._add_free(account, -amount)

    def lock(self, account: int, amount: Money) -> None:
        """Free money, or credit, becomes collateral.

        Raises:
            InputError: a negative amount.
            ArrearsError: the account is in arrears, whatever the amount.
            PaidNowError: the settlement under way has paid the account, or released its collateral.
            InsufficientFreeError: more than the free money and the credit limit.
        """
        require_range("lock", amount, 0)
        record = self.record(account)
        if record.arrears > 0:
            raise ArrearsError(account, record.arrears)
        if amount:
            self._require_not_paid_now(account)
        available = record.free + record.credit_limit
        if amount > max(0, available):
            raise InsufficientFreeError(account, amount, available)
        self._add_free(account, -amount)
        self._add_locked(account, amount)

    def unlock(self, account: int, amount: Money) -> None:
        """Collateral becomes free money, after it has paid arrears.

        Raises:
            InputError: a negative amount.
            InsufficientLockedError: more than the locked money.
        """
        require_range("unlock", amount, 0)
        self._take_locked(account, amount)
        self._credit(account, amount)

    def forfeit(self, account: int, forfeits: Sequence[tuple[int, Money]]) -> list[Money]:
        """Collateral of one account becomes money of others, whose arrears it pays first; what each receives.

        Before that it pays what the account owes itself: its arrears, and what was taken back below its floor. All bear
        that in proportion: the parts telescope, so they come to the whole, and none is a unit from its exact part.

        Raises:
            InputError: a negative amount.
            InsufficientLockedError: more than the locked money.
        """
        for _, amount in forfeits:
            require_range("forfeit", amount, 0)
        record, total = self.record(account), Money(sum(amount for _, amount in forfeits))
        paid = min(total, record.arrears + _missing(record))
        self._take_locked(account, total)
        self._credit(account, Money(paid))
        received, before = [], 0
        for to, amount in forfeits:
            after = before + amount
            own = after * paid // total - before * paid // total if total else 0
            received.append(Money(amount - own))
            self._credit(to, received[-1])
            before = after
        return received

    def post(self, postings: Sequence[Posting]) -> None:
        """A batch of payments among members, one posting after the other, all or nothing.

        Raises:
            UnbalancedPostingsError: the amounts do not sum to zero.
            InputError: a negative release.
            InsufficientLockedError: a release of more than is locked.
            CreditLimitError: the fallback supplier would pay, and end below minus its credit limit.
            PaidNowError: an account would pay from its free money that the settlement under way has paid.
        """
        for posting in postings:
            if posting.amount + posting.release < 0:
                self._require_not_paid_now(posting.account)
        batch, changed = self._posted(postings)
        supplier = batch.record(FALLBACK_SUPPLIER)
        if supplier.free < self.record(FALLBACK_SUPPLIER).free:
            _require_within_credit(FALLBACK_SUPPLIER, supplier)
        self.accounts.update(changed)

    def post_day(self, postings: Sequence[Posting]) -> None:
        """A batch of a day's settlement likewise: the fallback supplier may end below minus its credit limit."""
        self.accounts.update(self._posted(postings)[1])
        self.paid_now |= {posting.account for posting in postings if posting.amount > 0 or posting.release > 0}

    def end_settlement(self) -> None:
        """The settlement under way is over."""
        self.paid_now.clear()

    def share(self, amounts: Mapping[int, int], *, is_paid_now: bool = False) -> None:
        """Money that is taken back, set aside or paid from it; is_paid_now: by the settlement under way.

        Free money may end below its floor, and is filled up to it before arrears are paid; nothing becomes arrears.

        Raises:
            UnbalancedPostingsError: the amounts do not sum to zero.
        """
        total = sum(amounts.values())
        if total:
            raise UnbalancedPostingsError(total)
        for account, amount in amounts.items():
            record = self.record(account)
            first = min(amount, _missing(record))
            self._add_free(account, first)
            self._credit(account, Money(amount - first))
            if is_paid_now and amount > 0:
                self.paid_now.add(account)

    def _posted(self, postings: Sequence[Posting]) -> tuple["Ledger", dict[int, Account]]:
        """The accounts after a batch, and those that it changed."""
        total = sum(posting.amount for posting in postings)
        if total:
            raise UnbalancedPostingsError(total)
        changed: dict[int, Account] = {}
        batch = Ledger(ChainMap(changed, self.accounts))
        for posting in postings:
            amount = posting.amount + batch._release_with(posting)
            if amount >= 0:
                batch._credit(posting.account, Money(amount))
            else:
                batch._debit(posting.account, Money(-amount))
        return batch, changed

    def _release_with(self, posting: Posting) -> int:
        """Release collateral with a payment; what it has paid of that payment.

        Of whoever waits for money that was shared it covers the payment first: what is covered never becomes arrears
        because others do not pay.
        """
        account, release, covered = posting.account, posting.release, 0
        record = self.record(account)
        if _missing(record) and posting.amount < 0 < release <= record.locked:
            covered = min(release, -posting.amount)
            self._add_locked(account, -covered)
        self.unlock(account, Money(release - covered))
        return covered

    def _credit(self, account: int, amount: Money) -> None:
        """Pay arrears to the fallback supplier, keep the rest."""
        paid = min(self.record(account).arrears, amount)
        self._add_arrears(account, -paid)
        self._add_free(FALLBACK_SUPPLIER, paid)
        self._add_free(account, amount - paid)

    def _debit(self, account: int, due: Money) -> None:
        """Pay from free money and credit; the fallback supplier advances what is missing."""
        record = self.record(account)
        if account in (CLEARING_HOUSE, FALLBACK_SUPPLIER):
            self._add_free(account, -due)
            return
        # Below its floor is who waits for money that was shared: nothing of that is a debt of its own.
        paid = min(due, max(0, record.free + record.credit_limit))
        self._add_free(account, -paid)
        self._add_arrears(account, due - paid)
        self._add_free(FALLBACK_SUPPLIER, paid - due)

    def _require_not_paid_now(self, account: int) -> None:
        if account in self.paid_now:
            raise PaidNowError(account)

    def _add_free(self, account: int, amount: int) -> None:
        record = self.record(account)
        self.accounts[account] = replace(record, free=Money(record.free + amount))

    def _add_arrears(self, account: int, amount: int) -> None:
        record = self.record(account)
        self.accounts[account] = replace(record, arrears=Money(record.arrears + amount))

    def _take_locked(self, account: int, amount: Money) -> None:
        record = self.record(account)
        if amount > record.locked:
            raise InsufficientLockedError(account, amount, record.locked)
        self._add_locked(account, -amount)

    def _add_locked(self, account: int, amount: int) -> None:
        record = self.record(account)
        self.accounts[account] = replace(record, locked=Money(record.locked + amount))


def _missing(record: Account) -> int:
    """By how much free money is below its floor: what was taken back of money that the account had not any more."""
    return max(0, -record.credit_limit - record.free)


def _require_within_credit(account: int, record: Account) -> None:
    if record.free < -record.credit_limit:
        raise CreditLimitError(account, record.free, record.credit_limit)
