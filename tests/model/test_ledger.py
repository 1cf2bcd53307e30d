"""The accounts: stories with numbers, and a machine that tries everything in any order."""

from copy import deepcopy

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from dem.errors import (
    ArrearsError,
    CreditLimitError,
    InputError,
    InsufficientFreeError,
    InsufficientLockedError,
    LedgerError,
    PaidNowError,
    UnbalancedPostingsError,
)
from dem.model.ledger import (
    BALANCING_FUND,
    CLEARING_HOUSE,
    FALLBACK_SUPPLIER,
    FIRST_PARTICIPANT,
    Account,
    Ledger,
    Posting,
)

FALLBACK = FALLBACK_SUPPLIER
CONSUMER, PROSUMER, DESK = range(FIRST_PARTICIPANT, FIRST_PARTICIPANT + 3)


@pytest.fixture
def ledger():
    ledger = Ledger()
    ledger.set_credit_limit(FALLBACK, 1_000)
    return ledger


def test_an_untouched_account_is_all_zero(ledger):
    assert ledger.record(CONSUMER) == Account(free=0, locked=0, arrears=0, credit_limit=0)


def test_money_moves_between_free_and_locked(ledger):
    ledger.deposit(CONSUMER, 100)
    ledger.lock(CONSUMER, 70)
    ledger.unlock(CONSUMER, 20)
    assert ledger.record(CONSUMER) == Account(free=50, locked=50)
    ledger.withdraw(CONSUMER, 50)
    assert ledger.record(CONSUMER) == Account(free=0, locked=50)
    assert ledger.supply() == 50


def test_forfeited_collateral_pays_the_arrears_of_who_receives_it_first(ledger):
    ledger.deposit(CONSUMER, 100)
    ledger.lock(CONSUMER, 70)
    ledger.post([Posting(PROSUMER, -30), Posting(CLEARING_HOUSE, 30)])
    ledger.forfeit(CONSUMER, [(PROSUMER, 50)])
    assert ledger.record(CONSUMER) == Account(free=30, locked=20)
    assert ledger.record(PROSUMER) == Account(free=20)
    assert ledger.record(FALLBACK).free == 0
    with pytest.raises(InsufficientLockedError):
        ledger.forfeit(CONSUMER, [(PROSUMER, 21)])


def test_a_forfeit_pays_what_the_account_owes_first(ledger):
    ledger.deposit(CONSUMER, 100)
    ledger.lock(CONSUMER, 100)
    ledger.post([Posting(CONSUMER, -30), Posting(CLEARING_HOUSE, 30)])
    ledger.share({CONSUMER: -15, FALLBACK: 15})
    assert ledger.forfeit(CONSUMER, [(PROSUMER, 20)]) == [0]
    assert ledger.record(CONSUMER) == Account(free=-15, locked=80, arrears=10)
    assert ledger.forfeit(CONSUMER, [(PROSUMER, 50)]) == [25]
    assert ledger.record(CONSUMER) == Account(locked=30)
    assert ledger.record(PROSUMER) == Account(free=25)


def test_all_forfeits_bear_what_the_account_owes_in_proportion(ledger):
    ledger.deposit(CONSUMER, 100)
    ledger.lock(CONSUMER, 100)
    ledger.post([Posting(CONSUMER, -31), Posting(CLEARING_HOUSE, 31)])
    # Of 31: 20 / 80, 50 / 80 and 10 / 80, each within a unit; nothing by who is named first.
    assert ledger.forfeit(CONSUMER, [(PROSUMER, 20), (DESK, 50), (PROSUMER, 10)]) == [13, 30, 6]
    assert ledger.record(CONSUMER) == Account(locked=20)
    assert ledger.forfeit(CONSUMER, [(PROSUMER, 0), (DESK, 0)]) == [0, 0]


def test_what_the_settlement_under_way_has_released_stays_until_it_ends(ledger):
    ledger.deposit(CONSUMER, 100)
    ledger.lock(CONSUMER, 40)
    ledger.post_day([Posting(CONSUMER, -5, release=40), Posting(CLEARING_HOUSE, 5)])
    for move in (lambda: ledger.withdraw(CONSUMER, 1), lambda: ledger.lock(CONSUMER, 1)):
        with pytest.raises(PaidNowError):
            move()
    ledger.end_settlement()
    ledger.withdraw(CONSUMER, 1)


def test_what_the_settlement_under_way_has_paid_stays_until_it_ends(ledger):
    ledger.deposit(CONSUMER, 100)
    ledger.lock(CONSUMER, 40)
    ledger.post_day([Posting(CONSUMER, 5), Posting(CLEARING_HOUSE, -5)])
    for wanted in (
        lambda: ledger.lock(CONSUMER, 1),
        lambda: ledger.withdraw(CONSUMER, 1),
        lambda: ledger.post([Posting(CONSUMER, -11, release=10), Posting(PROSUMER, 11)]),
    ):
        with pytest.raises(PaidNowError):
            wanted()
    ledger.lock(CONSUMER, 0)
    ledger.unlock(CONSUMER, 10)
    ledger.post([Posting(CONSUMER, -10, release=10), Posting(PROSUMER, 10)])
    ledger.end_settlement()
    ledger.lock(CONSUMER, 75)
    assert ledger.record(CONSUMER) == Account(locked=95)


def test_a_settlement_pays_out_of_released_collateral(ledger):
    ledger.deposit(CONSUMER, 100)
    ledger.lock(CONSUMER, 100)
    ledger.post([Posting(CONSUMER, -60, release=100), Posting(PROSUMER, 60)])
    assert ledger.record(CONSUMER) == Account(free=40)
    assert ledger.record(PROSUMER) == Account(free=60)


def test_collateral_of_who_waits_for_shared_money_covers_its_own_payment_first(ledger):
    """What others do not pay makes nobody a debtor for what its own collateral covers."""
    ledger.deposit(CONSUMER, 100)
    ledger.lock(CONSUMER, 100)
    ledger.share({CONSUMER: -30, FALLBACK: 30})
    ledger.post([Posting(CONSUMER, -60, release=80), Posting(PROSUMER, 60)])
    assert ledger.record(CONSUMER) == Account(free=-10, locked=20)
    ledger.post([Posting(CONSUMER, -25, release=20), Posting(PROSUMER, 25)])
    assert ledger.record(CONSUMER) == Account(free=-10, arrears=5)


def test_what_cannot_be_paid_becomes_arrears_that_the_fallback_supplier_carries(ledger):
    ledger.deposit(CONSUMER, 40)
    ledger.post([Posting(CONSUMER, -60), Posting(PROSUMER, 60)])
    assert ledger.record(CONSUMER) == Account(free=0, arrears=20)
    assert ledger.record(FALLBACK).free == -20
    assert ledger.record(PROSUMER).free == 60


@pytest.mark.parametrize(("amount", "free", "arrears"), [(15, 0, 5), (20, 0, 0), (50, 30, 0)])
@pytest.mark.parametrize("by", ["deposit", "posting"])
def test_arrears_are_paid_first(ledger, by, amount, free, arrears):
    ledger.post([Posting(CONSUMER, -20), Posting(PROSUMER, 20)])
    if by == "deposit":
        ledger.deposit(CONSUMER, amount)
    else:
        ledger.post([Posting(CONSUMER, amount), Posting(CLEARING_HOUSE, -amount)])
    assert ledger.record(CONSUMER) == Account(free=free, arrears=arrears)
    assert ledger.record(FALLBACK).free == -arrears


def test_arrears_block_orders_until_paid(ledger):
    ledger.post([Posting(CONSUMER, -20), Posting(PROSUMER, 20)])
    with pytest.raises(ArrearsError) as caught:
        ledger.lock(CONSUMER, 0)
    assert (caught.value.account, caught.value.arrears) == (CONSUMER, 20)
    ledger.deposit(CONSUMER, 19)
    with pytest.raises(ArrearsError):
        ledger.lock(CONSUMER, 0)
    ledger.deposit(CONSUMER, 1)
    ledger.lock(CONSUMER, 0)


def test_credit_serves_as_collateral_but_is_not_paid_out(ledger):
    ledger.set_credit_limit(DESK, 50)
    ledger.lock(DESK, 50)
    assert ledger.record(DESK) == Account(free=-50, locked=50, credit_limit=50)
    with pytest.raises(InsufficientFreeError):
        ledger.lock(DESK, 1)
    with pytest.raises(InsufficientFreeError):
        ledger.withdraw(DESK, 1)


def test_a_credit_limit_is_not_lowered_below_what_is_owed(ledger):
    ledger.post([Posting(FALLBACK, -400), Posting(PROSUMER, 400)])
    with pytest.raises(CreditLimitError):
        ledger.set_credit_limit(FALLBACK, 399)
    assert ledger.record(FALLBACK).credit_limit == 1_000
    ledger.set_credit_limit(FALLBACK, 400)


@pytest.mark.parametrize("account", [BALANCING_FUND, CLEARING_HOUSE])
def test_accounts_without_an_owner_have_no_credit(ledger, account):
    with pytest.raises(InputError):
        ledger.set_credit_limit(account, 1)


def test_collateral_released_pays_arrears_first(ledger):
    """Whoever owes the fallback supplier has no free money."""
    ledger.deposit(CONSUMER, 30)
    ledger.lock(CONSUMER, 30)
    ledger.post([Posting(CONSUMER, -20), Posting(PROSUMER, 20)])
    ledger.unlock(CONSUMER, 30)
    assert ledger.record(CONSUMER) == Account(free=10)


def test_postings_apply_in_the_order_given(ledger):
    """Paying before receiving leaves arrears that the receipt pays at once."""
    ledger.post([Posting(CONSUMER, -20), Posting(CONSUMER, 50), Posting(CLEARING_HOUSE, -30)])
    assert ledger.record(CONSUMER) == Account(free=30)
    assert ledger.record(FALLBACK).free == 0


def test_the_clearing_house_goes_below_zero_without_a_limit(ledger):
    ledger.post([Posting(PROSUMER, 10**12), Posting(CLEARING_HOUSE, -(10**12))])
    assert ledger.record(CLEARING_HOUSE) == Account(free=-(10**12))
    assert ledger.supply() == 0


def test_a_credit_account_goes_down_to_its_limit(ledger):
    ledger.post([Posting(FALLBACK, -1_000), Posting(BALANCING_FUND, 1_000)])
    assert ledger.record(FALLBACK).free == -1_000
    assert ledger.record(FALLBACK).arrears == 0


def test_arrears_count_against_the_limit_of_the_fallback_supplier(ledger):
    with pytest.raises(CreditLimitError) as caught:
        ledger.post([Posting(CONSUMER, -1_001), Posting(PROSUMER, 1_001)])
    assert caught.value.account == FALLBACK
    assert (caught.value.free, caught.value.credit_limit) == (-1_001, 1_000)


def test_the_limit_holds_after_a_batch_not_inside_it(ledger):
    ledger.post([Posting(FALLBACK, -5_000), Posting(FALLBACK, 4_500), Posting(PROSUMER, 500)])
    assert ledger.record(FALLBACK).free == -500


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda x: x.withdraw(CONSUMER, 61), InsufficientFreeError(CONSUMER, 61, 60)),
        (lambda x: x.lock(CONSUMER, 61), InsufficientFreeError(CONSUMER, 61, 60)),
        (lambda x: x.unlock(CONSUMER, 41), InsufficientLockedError(CONSUMER, 41, 40)),
        (
            lambda x: x.post([Posting(CONSUMER, -5), Posting(PROSUMER, 4)]),
            UnbalancedPostingsError(-1),
        ),
        (
            lambda x: x.post([Posting(CONSUMER, -5), Posting(PROSUMER, 5, release=1)]),
            InsufficientLockedError(PROSUMER, 1, 0),
        ),
        (lambda x: x.withdraw(FALLBACK, 1), InsufficientFreeError(FALLBACK, 1, 0)),
    ],
)
def test_refusals_name_the_numbers_and_change_nothing(ledger, call, error):
    ledger.deposit(CONSUMER, 100)
    ledger.lock(CONSUMER, 40)
    before = deepcopy(ledger)
    with pytest.raises(type(error)) as caught:
        call(ledger)
    assert vars(caught.value) == vars(error)
    assert all(str(n) in str(caught.value) for n in vars(error).values())
    assert ledger == before


@pytest.mark.parametrize(
    "call",
    [
        lambda x: x.deposit(CONSUMER, 0),
        lambda x: x.withdraw(CONSUMER, 0),
        lambda x: x.lock(CONSUMER, -1),
        lambda x: x.unlock(CONSUMER, -1),
        lambda x: x.set_credit_limit(CONSUMER, -1),
        lambda x: x.post([Posting(CONSUMER, 0, release=-1)]),
    ],
)
def test_negative_and_idle_amounts_are_refused(ledger, call):
    with pytest.raises(InputError):
        call(ledger)


accounts = st.integers(1, DESK)
amounts = st.integers(1, 300)


class Accounting(RuleBasedStateMachine):
    """Any calls in any order.

    1. Supply is deposits less withdrawals. 2. Only accounts with credit and the clearing house
    are ever below zero, and no further than their limit. 3. Locked money and arrears are never
    negative. 4. What raised changed nothing. 5. Arrears are what the fallback supplier advanced.
    """

    def __init__(self):
        super().__init__()
        self.ledger = Ledger()
        self.ledger.set_credit_limit(FALLBACK, 500)
        self.ledger.set_credit_limit(DESK, 200)
        self.deposited = 0
        self.fallback_own = 0

    def attempt(self, call, *args):
        """Whether the call went through; if not, nothing may have changed."""
        before = deepcopy(self.ledger)
        try:
            call(*args)
        except LedgerError:
            assert self.ledger == before
            return False
        return True

    @rule(account=accounts, amount=amounts)
    def deposit(self, account, amount):
        self.ledger.deposit(account, amount)
        self.deposited += amount
        self.fallback_own += amount if account == FALLBACK else 0

    @rule(account=accounts, amount=amounts)
    def withdraw(self, account, amount):
        if self.attempt(self.ledger.withdraw, account, amount):
            self.deposited -= amount
            self.fallback_own -= amount if account == FALLBACK else 0

    @rule(account=accounts.filter(lambda account: account != FALLBACK), amount=amounts)
    def lock(self, account, amount):
        self.attempt(self.ledger.lock, account, amount)

    @rule(account=accounts, amount=amounts)
    def unlock(self, account, amount):
        self.attempt(self.ledger.unlock, account, amount)

    @rule(moves=st.lists(st.tuples(accounts, st.integers(-300, 300), st.sampled_from([0, 0, 0, 50])), max_size=6))
    def post(self, moves):
        postings = [Posting(*move) for move in moves]
        total = sum(posting.amount for posting in postings)
        postings.append(Posting(CLEARING_HOUSE, -total))
        if self.attempt(self.ledger.post, postings):
            self.fallback_own += sum(p.amount for p in postings if p.account == FALLBACK)

    @invariant()
    def supply_is_deposits_less_withdrawals(self):
        assert self.ledger.supply() == self.deposited

    @invariant()
    def balances_keep_their_floors(self):
        for account, record in self.ledger.accounts.items():
            assert record.locked >= 0
            assert record.arrears >= 0
            assert account == CLEARING_HOUSE or record.free >= -record.credit_limit

    @invariant()
    def arrears_are_what_the_fallback_supplier_advanced(self):
        arrears = sum(record.arrears for record in self.ledger.accounts.values())
        assert self.ledger.record(FALLBACK).free == self.fallback_own - arrears


TestAccounting = Accounting.TestCase
TestAccounting.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_credit_is_used_before_arrears_begin(ledger):
    """A desk or grid operator beyond its limit does not stop the settlement of everybody else."""
    ledger.set_credit_limit(CONSUMER, 15)
    ledger.post([Posting(CONSUMER, -20), Posting(PROSUMER, 20)])
    assert ledger.record(CONSUMER) == Account(free=-15, arrears=5, credit_limit=15)
    assert ledger.record(FALLBACK).free == -5
