"""Attacks that were tried and failed, of which no other test had held the door (docs/inside/threats.md)."""

from collections.abc import Callable, Collection, Sequence

import numpy as np
import pytest
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from support.evm.chain import NOBODY, Broken, Refused
from support.evm.keys import Key, key, struct
from support.evm.market import STRANGER, SUPPLIER, Market, failures, reason_of
from support.evm.people import Person, readings, register, sign_readings, sign_sheet, withdrawal
from support.rules import CALENDAR, SMALL

from dem.messages.members import Replacement
from dem.messages.orders import OrderSheet
from dem.model.orders import Order, Side, lines_of

PERIODS = CALENDAR.periods_per_day
PLENTY = 10**12
USE = [100] * PERIODS
LATE = "LateReconciliation"
BATCH_GAS = range(30_000, 500_000, 10_000)
NEW = key(900)
TWICE = ("DaysOutOfOrder", "NotOnRecord", "NothingEstimated")
"""Why a day is not brought again."""


class Area:
    """A few members, with or without a boundary meter; whoever reads reads in time. uses: Wh of each in a period."""

    def __init__(self, uses: Sequence[int] = (100, 100), *, has_boundary: bool = False) -> None:
        self.market = market = Market(CALENDAR, SMALL, CALENDAR.opening - 20 * CALENDAR.day_length)
        self.uses = uses
        self.boundary = Person.grid_operator() if has_boundary else None
        self.members = [Person.numbered(n, import_capacity=2_000, export_capacity=2_000) for n in range(len(uses))]
        for n, member in enumerate(self.members):
            register(market, member)
            market.act("Accounts.deposit", member.account.address, PLENTY, bytes([n + 1] * 32))
        market.act("Accounts.deposit", SUPPLIER.address, PLENTY, bytes([99] * 32))

    def read(self, member: Person, day: int, net: list[int]) -> None:
        """The registers of a day, which then stand where it ended."""
        market = self.market
        market.act("MeterReadings.enter", sign_readings(market, readings(market, member, day, 0, net), member.meter))
        member.imported += sum(energy for energy in net if energy > 0)
        member.exported -= sum(energy for energy in net if energy < 0)

    def pass_day(self, day: int, silent: Collection[int] = ()) -> None:
        """All but the silent members read, and the day is final."""
        market = self.market
        market.now = CALENDAR.metering_deadline(day)
        for n, member in enumerate(self.members):
            if n not in silent:
                self.read(member, day, [self.uses[n]] * PERIODS)
        if self.boundary:
            self.read(self.boundary, day, [sum(self.uses)] * PERIODS)
        market.act("MeterReadings.close", day, 100)
        market.act("Settlement.settle", day, 100)
        market.now = CALENDAR.corrections_close_at(day)
        market.act("Settlement.finalize", day)

    def true_up(self, days: list[int], records_of: int | None = None) -> Refused | None:
        """Anybody brings days of the first member, with its records or with another's."""
        id_, late = self.members[0].id, self.market.replay.late
        records = [late.record(records_of or id_, day) for day in days]
        return self.market.attempt(f"{LATE}.trueUp", id_, days, records)


@pytest.fixture
def after_gap() -> Area:
    """The first member was silent on days 2 and 3, and has read day 4."""
    area = Area()
    for day in range(1, 5):
        area.pass_day(day, {0} if day in (2, 3) else set())
    return area


# ------------------------------------------------------------------------------------------------------ true-ups


def test_no_estimate_is_taken_back_twice(after_gap):
    assert after_gap.true_up([2, 2]).error in TWICE
    assert after_gap.true_up([2]) is None
    assert after_gap.true_up([2]).error in TWICE
    assert after_gap.true_up([3]) is None
    assert after_gap.true_up([2, 3]).error == "NothingEstimated"
    account = after_gap.market.account(after_gap.members[0].id)
    # It has used nothing while it was silent.
    assert PLENTY - account.free + account.arrears == 2 * sum(USE) * SMALL.standing_buy
    assert not failures(after_gap.market.checks())


def test_no_day_is_taken_back_by_anothers_records_or_without_an_estimate(after_gap):
    other = after_gap.members[1].id
    assert after_gap.true_up([2, 3], records_of=other).error == "NotOnRecord"
    assert after_gap.true_up([1]).error == "NothingEstimated"
    assert after_gap.market.attempt(f"{LATE}.trueUp", after_gap.members[0].id, [2, 3], []).error == "RecordMissing"
    assert after_gap.true_up([2, 3]) is None


def test_what_a_true_up_has_taken_back_is_not_stated_as_well(after_gap):
    """Also while it is under way: a member would have its estimate back twice."""
    member, late = after_gap.members[0], after_gap.market.replay.late
    assert after_gap.true_up([2]) is None
    statement = late.late_reading(member.id, 2, np.array(USE))
    signature = member.meter.sign(after_gap.market.domain(LATE), statement)
    refused = after_gap.market.attempt(f"{LATE}.reconcile", struct(statement), late.record(member.id, 2), signature)
    assert refused.error == "AlreadyTruedUp"
    assert after_gap.true_up([3]) is None
    assert not failures(after_gap.market.checks())


# --------------------------------------------------------------------------------------------------------- silence


def test_an_empty_house_that_is_silent_costs_nobody_anything_where_the_boundary_is_read():
    """The area gives energy away, and would take it in with the estimate."""
    balances = []
    for silent in (set(), {0}):
        area = Area((0, -1_000, 100), has_boundary=True)
        for day in range(1, 5):
            area.pass_day(day, silent if day in (2, 3) else set())
        if silent:
            assert area.true_up([2, 3]) is None
        market = area.market
        assert not failures(market.checks())
        accounts = [market.account(id_) for id_ in range(1, market.member_count() + 1)]
        balances.append([account.free - account.arrears for account in accounts])
    assert balances[0] == balances[1]


# ------------------------------------------------------------------------------------------------- who may call


@pytest.mark.parametrize(
    ("contract", "function", "arguments"),
    [
        ("Accounts", "deposit", (STRANGER.address, PLENTY, bytes(31) + b"x")),
        ("Accounts", "post", ([(3, -5, 0), (6, 5, 0)],)),
        ("Accounts", "share", ([(3, -5, 0), (6, 5, 0)], 0, False)),
        ("ParticipantRegistry", "suspend", (6,)),
        ("ParticipantRegistry", "replaceAccount", (6, STRANGER.address)),
        ("CallAuction", "book", (1, 1, 1)),
        ("CallAuction", "takeCommissions", (1, [6])),
        ("BilateralContracts", "book", (1, 1, 1)),
        ("ContinuousMarket", "move", (NOBODY, STRANGER.address)),
    ],
)
def test_nobody_comes_in_by_a_multicall(contract, function, arguments):
    market = Area().market
    call = market.contracts[contract].encode(function, *arguments)
    assert market.attempt(f"{contract}.multicall", [call]).error == "AccessManagedUnauthorized"


@pytest.mark.parametrize(("function", "arguments"), [("book", (1, 1, 1)), ("takeCommissions", (1, [6]))])
def test_nobody_calls_the_auctions_code_for_booking_by_itself(function, arguments):
    """It lies at an address of its own, which follows from the auction's."""
    market = Area().market
    auction = market.contracts["CallAuction"]
    deployed = b"\xd6\x94" + bytes.fromhex(auction.address[2:]) + b"\x01"
    booking = market.chain.at("AuctionBooking", to_checksum_address(keccak(deployed)[-20:]))
    assert market.chain.evm.get_code(booking.address)
    with pytest.raises(Refused, match="AccessManagedUnauthorized"):
        market.chain.send(STRANGER.address, booking, function, *arguments)


# ---------------------------------------------------------------------------------------------------------- gas


def _order(area: Area) -> tuple[str, list]:
    member = area.members[0]
    area.market.now = CALENDAR.opens_at(1)
    [(line, word)] = lines_of([Order(member.id, 0, 0, Side.BID, 100, 500)], 1, PERIODS).items()
    sheet = OrderSheet(member.account.address, 1, line, member.next_sequence(), (word,))
    return "CallAuction.submit", [sign_sheet(area.market, sheet, member.account)]


def _reading(area: Area) -> tuple[str, list]:
    member = area.members[0]
    area.market.now = CALENDAR.metering_deadline(1)
    return "MeterReadings.submit", [sign_readings(area.market, readings(area.market, member, 1, 0, USE), member.meter)]


@pytest.mark.parametrize("message", [_order, _reading])
def test_no_amount_of_gas_puts_an_honest_sheet_on_record_as_rejected(
    message: Callable[[Area], tuple[str, list]],
) -> None:
    """The first one of a day has most to write."""
    area = Area()
    function, batch = message(area)
    contract, name = function.split(".")
    chain, ended = area.market.chain, set()
    for gas in BATCH_GAS:
        before = chain.evm.snapshot()
        chain.gas = gas
        try:
            events = chain.send(STRANGER.address, area.market.contracts[contract], name, batch)
        except (Refused, Broken) as error:
            ended.add("out of gas" if "OutOfGas" in str(error) else str(error))
        else:
            ended.add(" ".join(["taken", *(reason_of(event) for event in events if "reason" in event.args)]))
        chain.evm.revert(before)
    assert ended == {"out of gas", "taken"}


# ---------------------------------------------------------------------------------------- money that a day has paid


def test_another_account_takes_out_no_more_than_the_one_it_replaces():
    """What a settlement under way has paid stays with the number until it ends."""
    area = Area()
    market, (seller, buyer) = area.market, area.members
    message = Replacement(seller.id, seller.account.address, NEW.address)
    market.now = CALENDAR.opening - 8 * CALENDAR.day_length
    signature = NEW.sign(market.domain("Replacements"), message)
    market.act("Replacements.announce", seller.id, NEW.address, signature)
    market.now = CALENDAR.metering_deadline(1)
    area.read(seller, 1, [-100] * PERIODS)
    area.read(buyer, 1, USE)
    market.act("MeterReadings.close", 1, 100)
    market.act("Settlement.settle", 1, seller.id)
    paid = market.account(seller.id).free - PLENTY
    assert paid > 0
    market.act("Replacements.carryOut", seller.id)
    seller.account = NEW
    market.now += 3_600
    assert _withdraw(market, seller, seller.account) == "PaidNow"
    market.act("Settlement.settle", 1, 100)
    assert _withdraw(market, seller, seller.account) is None
    assert not failures(market.checks())


def _withdraw(market: Market, person: Person, signer: Key) -> str | None:
    signed = withdrawal(market, person, market.account(person.id).free, to_bank=False, signer=signer)
    refused = market.attempt("Accounts.withdraw", *signed)
    return refused and refused.error
