"""Late reconciliation (rule 12.7) on a day of its own: who may, how often, at whose expense, and by which proof.

Random members and days are with the random days (support/evm/late.py).
"""

from dataclasses import replace

import numpy as np
import pytest
from support.evm.chain import Refused
from support.evm.keys import Key, key, struct
from support.evm.market import GRID_OPERATOR, STRANGER, Market
from support.evm.people import Person, readings, register, sign_readings, withdrawal
from support.rules import CALENDAR, SMALL

from dem.messages.readings import LateReading
from dem.messages.signing import digest
from dem.model.commitments import strips_of
from dem.model.reconciliation import MAX_AGE, MAX_RUNS
from dem.model.units import Money
from dem.replay.late import LateRecord

METERED = [100, 200, 300, -400, 0, 50] * 2
CORRECTED = [100, 200, 300, -400, 0, 850] * 2
CONTRACT = "LateReconciliation"
GRID_OPERATOR_ID, SUPPLIER_ID = 5, 3
PLENTY = 10**16


class Played:
    """A day of three members that is final, with or without boundary readings."""

    def __init__(self, has_boundary: bool) -> None:
        self.market = market = Market(CALENDAR, SMALL, CALENDAR.opening - 20_000)
        self.members = [Person.numbered(n, import_capacity=1_000, export_capacity=500) for n in range(3)]
        for member in self.members:
            register(market, member)
        for n, account in enumerate([*(m.account for m in self.members), GRID_OPERATOR, key(1)]):
            market.act("Accounts.deposit", account.address, PLENTY, bytes([n + 1] * 32))
        market.now = CALENDAR.gate_closes_at(1)
        for strip in range(2):
            market.act("CallAuction.clear", 1, strip, [0] * 6, 10)
        market.now = CALENDAR.metering_deadline(1)
        for member in self.members:
            self.read(member, METERED)
        if has_boundary:
            self.read(Person.grid_operator(), [310, 610, 910, -1_190, 5, 150] * 2)
        market.act("MeterReadings.close", 1, 100)
        market.act("Settlement.settle", 1, 3)
        market.act("Settlement.settle", 1, 100)
        market.now = CALENDAR.corrections_close_at(1)
        market.act("Settlement.finalize", 1)

    def read(self, person: Person, net: list[int]) -> None:
        self.market.act("MeterReadings.enter", sign_readings(self.market, self.sheet(person, net), person.meter))

    def sheet(self, person: Person, net: list[int]):
        return readings(self.market, person, 1, 0, net)

    @property
    def first(self) -> Person:
        return self.members[0]

    def message(self, net: list[int] = CORRECTED) -> LateReading:
        return self.market.replay.late.late_reading(self.first.id, 1, np.array(net))

    def record(self) -> LateRecord:
        return self.market.replay.late.record(self.first.id, 1)

    def reconcile(self, message: LateReading, signer: Key | None = None, record: LateRecord | None = None) -> None:
        signature = (signer or self.first.meter).sign(self.market.domain(CONTRACT), message)
        self.market.act(f"{CONTRACT}.reconcile", struct(message), record or self.record(), signature)

    def stated(self, message: LateReading, operator: Key = GRID_OPERATOR, member: Key | None = None) -> None:
        domain = self.market.domain(CONTRACT)
        consent = member.sign(domain, message) if member else b""
        signed = (struct(message), self.record(), operator.sign(domain, message), consent)
        self.market.act(f"{CONTRACT}.reconcileStated", *signed)

    def free(self, id_: int) -> Money:
        return self.market.account(id_).free

    def reconciled(self) -> bool:
        return all(check.ok for check in self.market.checks())


@pytest.fixture
def played() -> Played:
    return Played(has_boundary=True)


@pytest.fixture
def unbounded() -> Played:
    return Played(has_boundary=False)


def test_the_grid_operator_has_the_other_side_where_the_boundary_counts(played):
    before = [played.free(id_) for id_ in (played.first.id, GRID_OPERATOR_ID, SUPPLIER_ID)]
    played.reconcile(played.message())
    after = [played.free(id_) for id_ in (played.first.id, GRID_OPERATOR_ID, SUPPLIER_ID)]
    due = 2 * 800 * SMALL.standing_buy
    assert [a - b for a, b in zip(after, before, strict=True)] == [-due, due, 0]
    assert played.reconciled()


def test_the_supplier_has_it_where_it_does_not(unbounded):
    before = [unbounded.free(id_) for id_ in (unbounded.first.id, GRID_OPERATOR_ID, SUPPLIER_ID)]
    unbounded.reconcile(unbounded.message())
    after = [unbounded.free(id_) for id_ in (unbounded.first.id, GRID_OPERATOR_ID, SUPPLIER_ID)]
    due = 2 * 800 * SMALL.standing_buy
    assert [a - b for a, b in zip(after, before, strict=True)] == [-due, 0, due]
    assert unbounded.reconciled()


def test_the_next_one_goes_on_from_what_the_last_one_left(played):
    before, first = played.free(played.first.id), played.record()
    played.reconcile(played.message())
    with pytest.raises(Refused, match="NotOnRecord"):
        played.reconcile(played.message(METERED), record=first)
    played.reconcile(played.message(METERED))
    assert played.free(played.first.id) == before
    assert played.market.call(CONTRACT, "runsOf", played.first.id, 1) == 2
    assert played.reconciled()


def test_the_fifth_is_the_last(played):
    for run in range(MAX_RUNS):
        played.reconcile(played.message(METERED if run % 2 else CORRECTED))
    with pytest.raises(Refused, match="WrongRun"):
        played.reconcile(played.message(METERED))


def test_nobody_brings_one_again(played):
    message = played.message()
    played.reconcile(message)
    played.reconcile(played.message(METERED))
    with pytest.raises(Refused, match="WrongRun"):
        played.reconcile(message)


def test_nobody_else_signs(played):
    with pytest.raises(Refused, match="UnknownMeter"):
        played.reconcile(played.message(), STRANGER)
    with pytest.raises(Refused, match="NotSignedByItsMeter"):
        played.reconcile(played.message(), played.members[1].meter)
    with pytest.raises(Refused, match="NotSignedBy"):
        played.stated(played.message(), operator=STRANGER, member=played.first.account)
    with pytest.raises(Refused, match="NotSignedBy"):
        played.stated(played.message(), member=played.members[1].account)
    with pytest.raises(Refused, match="NotAgreed"):
        played.stated(played.message())


def test_the_grid_operator_states_what_the_member_agrees_to(played):
    before = played.free(played.first.id)
    played.stated(played.message(), member=played.first.account)
    assert played.free(played.first.id) < before
    assert played.reconciled()


def test_two_who_agree_do_so_at_their_own_expense(unbounded):
    message = unbounded.message([-400] * 12)
    with pytest.raises(Refused, match="NotAgreed"):
        unbounded.stated(message, member=unbounded.first.account)
    unbounded.market.act(f"{CONTRACT}.allow", digest(unbounded.market.domain(CONTRACT), message))
    unbounded.stated(message)
    assert unbounded.reconciled()


def test_only_what_is_on_record(played):
    record, message = played.record(), played.message()
    other = played.market.replay.late.record(played.members[1].id, 1)
    cheaper = [word - 1 for word in record.prices]
    for wrong in (
        record._replace(prices=cheaper),
        record._replace(contracted=strips_of(np.array(CORRECTED))),
        record._replace(metered=strips_of(np.zeros(12, np.int64))),
        record._replace(proof=other.proof),
        other,
    ):
        with pytest.raises(Refused, match="NotOnRecord"):
            played.reconcile(message, record=wrong)


def test_not_beyond_the_connection_nor_without_a_change(played):
    for net in ([*METERED[:-1], 2_001], [-2_001, *METERED[1:]]):
        with pytest.raises(Refused, match="NotWithinConnection"):
            played.reconcile(played.message(net))
    flagged = replace(played.message(), net=tuple(word | 1 << 39 for word in played.message().net))
    with pytest.raises(Refused, match="NotWithinConnection"):
        played.reconcile(flagged)
    with pytest.raises(Refused, match="NothingChanges"):
        played.reconcile(played.message(METERED))


def test_not_beyond_28_months(played):
    played.market.now = CALENDAR.start_of(1 + MAX_AGE + 1)
    with pytest.raises(Refused, match="TooLongAgo"):
        played.reconcile(played.message())
    played.market.now = CALENDAR.start_of(1 + MAX_AGE + 1) - 1
    played.reconcile(played.message())


def test_not_before_the_day_is_final(played):
    message = LateReading(played.first.id, 2, 1, played.message().net)
    with pytest.raises(Refused, match="NotFinal"):
        played.reconcile(message)


def test_the_markets_own_members_are_left_out(played):
    late = played.market.replay.late
    message = late.late_reading(GRID_OPERATOR_ID, 1, np.array(METERED))
    record = late.record(GRID_OPERATOR_ID, 1)
    with pytest.raises(Refused, match="NotReconciled"):
        played.reconcile(message, Person.grid_operator().meter, record)


def test_what_the_member_cannot_pay_becomes_arrears(unbounded):
    member = unbounded.first
    unbounded.market.act(
        "Accounts.withdraw", *withdrawal(unbounded.market, member, unbounded.free(member.id), to_bank=False)
    )
    unbounded.reconcile(unbounded.message())
    assert unbounded.market.account(member.id).arrears == 2 * 800 * SMALL.standing_buy
    assert unbounded.reconciled()
