"""Attacks that succeeded until the rules were mended, carried out again (docs/inside/threats.md, Attacks tried)."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace

import pytest
from support.evm.chain import Broken, Refused
from support.evm.keys import key, struct
from support.evm.market import SUPPLIER, Market, failures
from support.evm.people import (
    DESK,
    Person,
    commitment,
    register,
    sign_readings,
    sign_sheet,
    wholesale_report,
    withdrawal,
)
from support.evm.thief import Thief
from support.rules import CALENDAR, SMALL

from dem.messages.orders import OrderSheet
from dem.messages.readings import ReadingSheet, Register, pack_registers
from dem.model.markets.wholesale import Offer
from dem.model.orders import Order, Side, encode_lane
from dem.model.strips import LANES, pack
from differential.test_late_reconciliation import GRID_OPERATOR_ID, SUPPLIER_ID, Played
from differential.test_replacements import NEW, WAIT, Village
from differential.test_silent_meters import DAYS, PERIODS, PLENTY, Street

CREDIT, PAID_IN = 10**12, 10**9


def street_with_a_gap(last: int = DAYS) -> Street:
    """Whose member reads on the first day, and on none until this one."""
    street = Street([(100, 0)] * DAYS, 2_000, has_boundary=False)
    market = street.market
    for day in range(1, last + 1):
        market.now = CALENDAR.metering_deadline(day)
        if day in {1, DAYS}:
            street.read(street.member, day)
        market.act("MeterReadings.close", day, 100)
        market.act("Settlement.settle", day, 100)
        market.now = CALENDAR.corrections_close_at(day)
        market.act("Settlement.finalize", day)
    return street


def test_nobody_stops_a_true_up_by_bringing_its_last_day_first():
    street = street_with_a_gap()
    market, late, id_ = street.market, street.market.replay.late, street.member.id
    last = late.gap_days(id_)[-1:]
    market.act("LateReconciliation.trueUp", id_, last, [late.record(id_, day) for day in last])
    rest = late.gap_days(id_)
    market.act("LateReconciliation.trueUp", id_, rest, [late.record(id_, day) for day in rest])
    account = market.account(id_)
    assert PLENTY - account.free + account.arrears == DAYS * PERIODS * 100 * SMALL.standing_buy
    assert not failures(market.checks())


@pytest.mark.parametrize("net", [[2_000] * 12, [-2_000] * 12], ids=["the member has no money", "the operator has none"])
def test_what_one_of_two_who_agree_cannot_pay_nobody_advances(net):
    played = Played(has_boundary=True)
    market, first = played.market, played.first
    market.act("Accounts.deposit", key(1).address, 10**12, bytes([99] * 32))
    poor, id_ = (first, first.id) if net[0] > 0 else (Person.grid_operator(), GRID_OPERATOR_ID)
    market.act("Accounts.withdraw", *withdrawal(market, poor, played.free(id_), to_bank=False))
    before = played.free(SUPPLIER_ID)
    with pytest.raises(Refused, match="NotAgreed"):
        played.stated(played.message(net), member=first.account)
    assert played.free(SUPPLIER_ID) == before


@pytest.mark.parametrize("gas", range(60_000, 500_000, 40_000))
def test_a_batch_with_little_gas_is_refused_as_a_whole_also_when_a_sheet_ends_a_silence(gas):
    street = street_with_a_gap(last=4)
    market = street.market
    assert market.call("ParticipantRegistry", "isSilent", street.member.id)
    market.now = CALENDAR.metering_deadline(5)
    registers = [Register(100 * (PERIODS * 4 + n), 0) for n in range(PERIODS + 1)]
    sheet = ReadingSheet(street.member.meter.address, 5, 0, 9, pack_registers(registers))
    signed = sign_readings(market, sheet, street.member.meter)
    market.chain.gas = gas
    with contextlib.suppress(Refused, Broken):
        assert "ReadingsRejected" not in {event.name for event in market.act("MeterReadings.submit", [signed])}


class DeskAndEmptyHouse:
    """A household buys of the desk each day; the meter of another house, which uses nothing, may be silent."""

    ENERGY = 5_000

    def __init__(self) -> None:
        self.market = Market(CALENDAR, replace(SMALL, penalty_cap=2_000, wholesale_margin=0), CALENDAR.opening - 20_000)
        self.home = Person.numbered(1, import_capacity=self.ENERGY, export_capacity=0)
        self.empty = Person.numbered(2, import_capacity=self.ENERGY, export_capacity=0)
        self.desk = Person.numbered(3, is_metered=False, kind=DESK, import_capacity=0, export_capacity=0)
        for person in (self.home, self.empty, self.desk):
            register(self.market, person)
        for n, account in enumerate((self.home.account, self.empty.account, self.desk.account, SUPPLIER)):
            self.market.act("Accounts.deposit", account.address, PLENTY, bytes([n + 1] * 32))
        self.market.act("Schedule.addMarket", self.market.contracts["WholesaleResidual"].address, 1)
        self.market.act("WholesaleDesk.appoint", self.desk.id, 1)

    def supplier_after(self, silent: set[int]) -> int:
        """What the supplier has in the end. silent: days on which the empty house is not read in time."""
        steps = sorted(step for day in range(1, DAYS + 1) for step in self._steps(day))
        reports = {day: wholesale_report(self.desk, day, [Offer(30_000, 2_000, 5_000, 0)] * PERIODS) for day in silent}
        for at, what, day in steps:
            self.market.now = max(self.market.now, at)
            report = reports.setdefault(
                day, wholesale_report(self.desk, day, [Offer(30_000, 2_000, 5_000, 0)] * PERIODS)
            )
            if what == "0 open":
                self._order(day)
                self.market.act("WholesaleDesk.commit", *commitment(self.market, self.desk, day, report))
            elif what == "1 gate":
                self.market.act("WholesaleResidual.report", struct(report))
                self._clear(day)
            elif what == "2 meter":
                for person, energy in ((self.home, self.ENERGY), (self.empty, 0)):
                    if person is self.home or day not in silent:
                        self._read(person, day, energy)
                self.market.act("MeterReadings.close", day, 100)
                self.market.act("Settlement.settle", day, 100)
            else:
                self.market.act("Settlement.finalize", day)
        late = self.market.replay.late
        if days := late.gap_days(self.empty.id):
            records = [late.record(self.empty.id, day) for day in days]
            self.market.act("LateReconciliation.trueUp", self.empty.id, days, records)
        assert not failures(self.market.checks())
        return self.market.account(SUPPLIER_ID).free

    @staticmethod
    def _steps(day: int) -> Iterator[tuple[int, str, int]]:
        yield CALENDAR.opens_at(day), "0 open", day
        yield CALENDAR.gate_closes_at(day), "1 gate", day
        yield CALENDAR.metering_deadline(day), "2 meter", day
        yield CALENDAR.corrections_close_at(day), "3 final", day

    def _order(self, day: int) -> None:
        lanes = [encode_lane(Order(self.home.id, 0, n, Side.BID, 350, self.ENERGY)) for n in range(LANES)]
        sheet = OrderSheet(self.home.account.address, day, 0, day, (pack(day, lanes),) * 2)
        self.market.act("CallAuction.enter", sign_sheet(self.market, sheet, self.home.account))

    def _clear(self, day: int) -> None:
        for strip in range(PERIODS // LANES):
            if self.market.attempt("CallAuction.clear", day, strip, [0] * LANES, 10):
                self.market.act("CallAuction.clear", day, strip, [350] * LANES, 10)
            found = self.market.replay.markets["WholesaleResidual"].outcomes(day)[strip * LANES : (strip + 1) * LANES]
            ticks = [o.import_tick for o in found], [o.export_tick for o in found]
            self.market.act("WholesaleResidual.clear", day, strip, *ticks, 10)

    def _read(self, person: Person, day: int, energy: int) -> None:
        registers = [Register(energy * (PERIODS * (day - 1) + n), 0) for n in range(PERIODS + 1)]
        sheet = ReadingSheet(person.meter.address, day, 0, person.next_sequence(), pack_registers(registers))
        self.market.act("MeterReadings.enter", sign_readings(self.market, sheet, person.meter))


def test_a_desk_takes_nothing_from_the_supplier_by_an_empty_house_that_is_silent():
    honest = DeskAndEmptyHouse().supplier_after(set())
    assert DeskAndEmptyHouse().supplier_after(set(range(2, DAYS))) >= honest


def test_the_registrar_does_not_undo_what_the_council_has_allowed():
    village = Village()
    village.announce()
    village.veto()
    village.market.act("Replacements.allow", village.first.id, NEW.address)
    with pytest.raises(Refused, match="DecidedAlready"):
        village.announce()
    village.market.now += WAIT
    village.carry_out()


def test_who_has_left_makes_room():
    market = Market(CALENDAR, SMALL, CALENDAR.opening - 20_000)
    large = [Person.numbered(n + 1, import_capacity=(1 << 33) - 1, export_capacity=0) for n in range(8)]
    for person in large:
        register(market, person)
    market.now = CALENDAR.opens_at(2)
    for person in large:
        market.act("ParticipantRegistry.exit", person.id)
        assert market.attempt("ParticipantRegistry.disconnect", person.id).error == "WrongStatus"
    market.now = CALENDAR.corrections_close_at(5)
    market.act("ParticipantRegistry.disconnect", large[0].id)
    assert market.attempt("ParticipantRegistry.disconnect", large[0].id).error == "WrongStatus"
    register(market, Person.numbered(50, import_capacity=2_000, export_capacity=2_000))


@pytest.fixture
def market() -> Market:
    return Market(CALENDAR, SMALL, CALENDAR.opening - 20_000)


@pytest.fixture
def friend(market) -> Person:
    person = Person.numbered(1)
    register(market, person)
    return person


@pytest.fixture
def thief(market, friend) -> Thief:
    found = Thief(market)
    market.act("Schedule.addMarket", found.address, 2)
    market.now = CALENDAR.opens_at(2)
    return found


def test_a_faulty_market_locks_no_credit_of_offices(market, friend, thief):
    market.act("Accounts.setCreditLimit", SUPPLIER_ID, CREDIT)
    market.act("Accounts.deposit", SUPPLIER.address, PAID_IN, bytes([1] * 32))
    assert thief.refusal("Accounts.lockCollateral", SUPPLIER_ID, PAID_IN + CREDIT) == "InsufficientFunds"
    assert market.account(friend.id).free == 0


@pytest.mark.parametrize("id_", [1, 2])
def test_a_faulty_market_locks_nothing_of_the_markets_own_money(thief, id_):
    assert thief.refusal("Accounts.lockCollateral", id_, 1) == "InsufficientFunds"
