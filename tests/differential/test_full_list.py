"""A member with as many contracts as it may have: no more are taken, what is over makes room, its day still settles."""

from dataclasses import replace

from support.evm.contracts import MARKET, NOTHING, ContractMarket, conclusion
from support.evm.market import Market
from support.evm.people import Person, register, withdrawal
from support.rules import SMALL

from dem.messages.contracts import Proposal
from dem.model.calendar import CalendarParameters
from dem.model.strips import LANES

DAY = 86_400
CALENDAR = CalendarParameters(10_000_000, 900, 96, DAY, DAY // 2, 0, DAY)
RULES = replace(SMALL, min_order_energy=1, max_layers=1)
MOST = 64


def test_a_full_list_makes_room_when_days_are_final():
    market = Market(CALENDAR, RULES, CALENDAR.opens_at(1) - 100)
    contracts = ContractMarket(market)
    # Neither is read: each is billed for all that its connection takes in.
    buyer, seller = (Person.numbered(n, import_capacity=1_000, export_capacity=1_000) for n in range(2))
    for person in (buyer, seller):
        register(market, person)
        market.act("Accounts.deposit", person.account.address, 10**15, person.id.to_bytes(32, "big"))
    market.act("Accounts.setCreditLimit", 3, 10**15)
    market.now = CALENDAR.opens_at(1)

    def propose(number: int, first_day: int, days: int):
        first = (first_day - 1) * 96
        end = first + days * 96
        whole = (1 << 96) - 1
        salt = number.to_bytes(32, "big")
        names = buyer.account.address, seller.account.address
        terms = 10_000 + number, 1, first, end - 1, whole, 127, market.now + 10, NOTHING, salt
        return conclusion(market, Proposal(*names, False, *terms), buyer.account, names[1], seller.account)

    # The first two deliver on day 1 only, the others for a year.
    for number in range(1, MOST + 1):
        market.act(f"{MARKET}.conclude", *propose(number, 1, 1 if number <= 2 else 365))
    refused = market.attempt(f"{MARKET}.conclude", *propose(MOST + 1, 2, 1))
    assert (refused.error, refused.arguments) == ("TooManyContracts", (buyer.id, MOST))

    market.now = CALENDAR.gate_closes_at(1)
    for strip in range(96 // LANES):
        market.act("CallAuction.clear", 1, strip, [0] * LANES, 1)
    market.now = CALENDAR.metering_deadline(1)
    market.act("MeterReadings.close", 1, 100)
    # What that costs, tests/forge/WorstDay.t.sol bounds.
    market.act("Settlement.settle", 1, 6)
    market.act("Settlement.settle", 1, 1)
    assert not contracts.failures()
    # Settled, but still open to corrections.
    assert market.attempt(f"{MARKET}.conclude", *propose(MOST + 2, 3, 1)).error == "TooManyContracts"

    market.now = CALENDAR.corrections_close_at(1)
    market.act("Settlement.finalize", 1)
    market.act(f"{MARKET}.conclude", *propose(MOST + 3, 4, 1))
    expected = [*range(3, MOST + 1), MOST + 1]
    for person in (buyer, seller):
        assert sorted(market.call(MARKET, "contractsOf", person.id)) == expected
    assert not contracts.failures()


def test_the_default_of_a_full_list_settles_in_one_transaction():
    market = Market(CALENDAR, RULES, CALENDAR.opens_at(1) - 100)
    contracts = ContractMarket(market)
    buyer, *sellers = people = [
        Person.numbered(n, import_capacity=1_000, export_capacity=1_000) for n in range(MOST + 1)
    ]
    for person in people:
        register(market, person)
        market.act("Accounts.deposit", person.account.address, 10**12, person.id.to_bytes(32, "big"))
    market.act("Accounts.setCreditLimit", 3, 10**15)
    market.now = CALENDAR.opens_at(1)
    for seller in sellers:
        names = buyer.account.address, seller.account.address
        terms = 20_000, 1, 0, 365 * 96 - 1, (1 << 96) - 1, 127, market.now + 10, NOTHING, bytes(32)
        proposal = Proposal(*names, False, *terms)
        market.act(f"{MARKET}.conclude", *conclusion(market, proposal, buyer.account, names[1], seller.account))
    free = market.account(buyer.id).free
    market.act("Accounts.redeem", *withdrawal(market, buyer, free, True), bytes([1]) * 32)
    for day in (1, 2):
        market.now = CALENDAR.gate_closes_at(day)
        for strip in range(96 // LANES):
            market.act("CallAuction.clear", day, strip, [0] * LANES, 1)
    for day in (1, 2):
        market.now = CALENDAR.metering_deadline(day)
        while not market.call("MeterReadings", "isClosed", day):
            market.act("MeterReadings.close", day, 20)
        market.act("Settlement.settle", day, 5)
        # What that costs, tests/forge/WorstDay.t.sol bounds.
        market.act("Settlement.settle", day, 1)
        while not market.call("Settlement", "isSettled", day):
            market.act("Settlement.settle", day, 60)
    assert contracts.defaults == MOST
    assert not contracts.failures()
