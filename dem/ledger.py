"""Bit-exact model of the accounts: free and locked money, arrears and credit limits.

Who cannot pay a settlement in full goes into arrears to the fallback supplier, who pays the rest
at once and carries the risk; arrears are paid first from the next money that comes in.
"""

from collections import ChainMap
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass, field, replace

from dem.errors import (
    ArrearsError,
    CreditLimitError,
    InsufficientFreeError,
    InsufficientLockedError,
    UnbalancedPostingsError,
    require_range,
)
from dem.units import Money

BALANCING_FUND = 1
CLEARING_HOUSE = 2
FALLBACK_SUPPLIER = 3
OPERATOR = 4
GRID_OPERATOR = 5
FIRST_PARTICIPANT = 6

_NOTHING = Money(0)


@dataclass(frozen=True, slots=True)
class Account:
    """One account in money units; free is negative only within a credit limit."""

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
            CreditLimitError: the account is below minus that limit already.
        """
        require_range("credit limit", limit, 0)
        require_range("account with a credit limit", account, FALLBACK_SUPPLIER)
        record = replace(self.record(account), credit_limit=limit)
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
        """
        require_range("withdrawal", amount, 1)
        record = self.record(account)
        if amount > record.free:
            raise InsufficientFreeError(account, amount, record.free)
        self._add_free(account, -amount)

    def lock(self, account: int, amount: Money) -> None:
        """Free money, or credit, becomes collateral.

        Raises:
            InputError: a negative amount.
            ArrearsError: the account is in arrears, whatever the amount.
            InsufficientFreeError: more than the free money and the credit limit.
        """
        require_range("lock", amount, 0)
        record = self.record(account)
        if record.arrears > 0:
            raise ArrearsError(account, record.arrears)
        available = record.free + record.credit_limit
        if amount > available:
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
        record = self.record(account)
        if amount > record.locked:
            raise InsufficientLockedError(account, amount, record.locked)
        self._add_locked(account, -amount)
        self._credit(account, amount)

    def post(self, postings: Sequence[Posting]) -> None:
        """A settlement batch, one posting after the other, all or nothing.

        Raises:
            UnbalancedPostingsError: the amounts do not sum to zero.
            InputError: a negative release.
            InsufficientLockedError: a release of more than is locked.
            CreditLimitError: the fallback supplier would end below minus its credit limit.
        """
        total = sum(posting.amount for posting in postings)
        if total:
            raise UnbalancedPostingsError(total)
        changed: dict[int, Account] = {}
        batch = Ledger(ChainMap(changed, self.accounts))
        for posting in postings:
            batch.unlock(posting.account, posting.release)
            if posting.amount >= 0:
                batch._credit(posting.account, posting.amount)
            else:
                batch._debit(posting.account, Money(-posting.amount))
        _require_within_credit(FALLBACK_SUPPLIER, batch.record(FALLBACK_SUPPLIER))
        self.accounts.update(changed)

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
        paid = min(due, record.free + record.credit_limit)
        self._add_free(account, -paid)
        self._add_arrears(account, due - paid)
        self._add_free(FALLBACK_SUPPLIER, paid - due)

    def _add_free(self, account: int, amount: int) -> None:
        record = self.record(account)
        self.accounts[account] = replace(record, free=Money(record.free + amount))

    def _add_arrears(self, account: int, amount: int) -> None:
        record = self.record(account)
        self.accounts[account] = replace(record, arrears=Money(record.arrears + amount))

    def _add_locked(self, account: int, amount: int) -> None:
        record = self.record(account)
        self.accounts[account] = replace(record, locked=Money(record.locked + amount))


def _require_within_credit(account: int, record: Account) -> None:
    if record.free < -record.credit_limit:
        raise CreditLimitError(account, record.free, record.credit_limit)
