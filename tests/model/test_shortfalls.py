"""What a day is short of is shared to the unit, and made good to the unit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dem.model.ledger import CLEARING_HOUSE, FALLBACK_SUPPLIER, Account, Ledger, Posting
from dem.model.shortfalls import Shortfalls, parts
from dem.model.units import Money

SELLER, RIVAL, BUYER = 6, 7, 8
UNITS = st.integers(1, 10**6)


@pytest.fixture
def ledger() -> Ledger:
    """The buyer owes 100 that the supplier has advanced beyond its credit of 20: 80 to the seller, 20 to the rival."""
    ledger = Ledger()
    ledger.set_credit_limit(FALLBACK_SUPPLIER, Money(20))
    ledger.post_day([Posting(BUYER, Money(-100)), Posting(SELLER, Money(80)), Posting(RIVAL, Money(20))])
    return ledger


@pytest.fixture
def shortfalls(ledger: Ledger) -> Shortfalls:
    """What is missing is taken back."""
    shortfalls = Shortfalls(ledger)
    shortfalls.begin(1, 80)
    for id_, units in parts(80, {SELLER: 80, RIVAL: 20}).items():
        shortfalls.take(1, id_, units)
    ledger.end_settlement()
    return shortfalls


def free(ledger: Ledger) -> tuple[int, ...]:
    return tuple(ledger.record(id_).free for id_ in (FALLBACK_SUPPLIER, CLEARING_HOUSE, SELLER, RIVAL))


def test_the_supplier_ends_at_its_limit(ledger: Ledger, shortfalls: Shortfalls) -> None:
    assert free(ledger) == (-20, 0, 16, 4)
    assert ledger.record(BUYER) == Account(arrears=Money(100))
    assert shortfalls.open_claims == 80
    assert shortfalls.claim_of(SELLER) == 64


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=20).filter(any), st.data())
def test_parts_sum_to_what_is_missing_and_exceed_nobodys_payment(received, data):
    units = data.draw(st.integers(0, sum(received)))
    found = parts(units, dict(enumerate(received)))
    assert sum(found.values()) == units
    assert all(0 < part <= received[id_] for id_, part in found.items())


@given(st.lists(UNITS, min_size=1, max_size=8), st.lists(st.tuples(UNITS, st.booleans()), max_size=6), st.data())
def test_whatever_comes_in_pieces_is_made_good_once_and_in_the_end_to_the_unit(received, incomes, data):
    ledger = Ledger({FALLBACK_SUPPLIER: Account(free=Money(-sum(received)))})
    shortfalls = Shortfalls(ledger)
    members = dict(enumerate(received, start=6))
    ledger.accounts.update({id_: Account(free=Money(units)) for id_, units in members.items()})
    shortfalls.begin(1, sum(received))
    for id_, units in members.items():
        shortfalls.take(1, id_, units)
    for income, everybody in (*incomes, (sum(received), True)):
        ledger.deposit(FALLBACK_SUPPLIER, Money(income))
        for day, units in shortfalls.to_set_aside().items():
            shortfalls.put_aside(day, units)
        ids = list(members) if everybody else data.draw(st.lists(st.sampled_from(list(members))))
        for id_, units in shortfalls.due(1, ids).items():
            assert units > 0
            shortfalls.pay(1, id_, units)
        assert ledger.record(CLEARING_HOUSE).free == shortfalls.set_aside >= 0
    assert {id_: ledger.record(id_).free for id_ in members} == members
    assert shortfalls.open_claims == shortfalls.set_aside == 0


def test_the_oldest_day_comes_first(ledger: Ledger, shortfalls: Shortfalls) -> None:
    shortfalls.begin(3, 5)
    shortfalls.begin(2, 7)
    ledger.deposit(FALLBACK_SUPPLIER, Money(90))
    assert shortfalls.to_set_aside() == {1: 80, 2: 7, 3: 3}


def test_what_was_taken_back_below_nothing_is_no_debt(ledger: Ledger, shortfalls: Shortfalls) -> None:
    ledger.lock(SELLER, Money(16))
    shortfalls.begin(2, 30)
    shortfalls.take(2, SELLER, 30)
    assert ledger.record(SELLER) == Account(free=Money(-30), locked=Money(16))
    ledger.lock(SELLER, Money(0))
    # A debt of its own is, and is paid after what was taken back is filled up.
    ledger.set_credit_limit(FALLBACK_SUPPLIER, Money(200))
    ledger.post([Posting(SELLER, Money(-10)), Posting(RIVAL, Money(10))])
    assert ledger.record(SELLER) == Account(free=Money(-30), locked=Money(16), arrears=Money(10))
    for day, units in shortfalls.to_set_aside().items():
        shortfalls.put_aside(day, units)
    shortfalls.pay(2, SELLER, 30)
    assert ledger.record(SELLER) == Account(locked=Money(16), arrears=Money(10))
    shortfalls.pay(1, SELLER, 64)
    assert ledger.record(SELLER) == Account(free=Money(54), locked=Money(16))


def test_settling_again_pays_what_was_set_aside_and_restores_the_rest(ledger: Ledger, shortfalls: Shortfalls) -> None:
    ledger.deposit(FALLBACK_SUPPLIER, Money(11))
    shortfalls.put_aside(1, 11)
    shortfalls.pay(1, SELLER, 8)
    assert shortfalls.reopen(1) == (69, 3)
    # A unit of what was set aside is nobody's by rounding: the supplier keeps it.
    assert [shortfalls.restore(1, id_) for id_ in (SELLER, RIVAL, BUYER)] == [(0, 56, 0), (2, 14, 0), (0, 0, 0)]
    assert free(ledger) == (-89, 0, 80, 20)
    assert ledger.paid_now == {SELLER, RIVAL}
    assert shortfalls.open_claims == shortfalls.set_aside == shortfalls.claim_of(SELLER) == 0


def test_who_has_all_of_its_claim_set_aside_is_paid_it_for_good(ledger: Ledger, shortfalls: Shortfalls) -> None:
    ledger.deposit(FALLBACK_SUPPLIER, Money(80))
    shortfalls.put_aside(1, 80)
    shortfalls.reopen(1)
    assert shortfalls.restore(1, SELLER) == (64, 0, 0)
    assert not ledger.paid_now


@pytest.mark.parametrize(("set_aside", "expected"), [(0, (0, 64, 40)), (25, (20, 44, 20)), (75, (60, 4, 0))])
def test_of_what_is_restored_that_which_fills_up_an_account_pays_nothing(
    ledger: Ledger, shortfalls: Shortfalls, set_aside: int, expected: tuple[int, int, int]
) -> None:
    ledger.post_day([Posting(SELLER, Money(-16)), Posting(BUYER, Money(16))])
    shortfalls.begin(2, 40)
    shortfalls.take(2, SELLER, 40)
    assert ledger.record(SELLER).free == -40
    ledger.deposit(FALLBACK_SUPPLIER, Money(80))
    shortfalls.put_aside(1, set_aside)
    shortfalls.reopen(1)
    assert shortfalls.restore(1, SELLER) == expected
