"""A member with as many contracts as it may have: no more are taken, what is over makes room, its day still settles."""

from harness.contracts import MARKET, NOTHING, ContractMarket, conclusion
from harness.market import Market
from harness.people import Person, register

from dem.plan import CalendarParameters
from dem.settlement import MarketRules
from dem.signing import Proposal
from dem.strips import LANES

DAY = 86_400
CALENDAR = CalendarParameters(10_000_000, 900, 96, DAY, DAY // 2, 0, DAY)
RULES = MarketRules(7, 11, 13, 30_000, 5_000, 60_000, 0, 0, 1, 1)
MOST = 128
SETTLEMENT_GAS = 4_000_000
"""Of the transaction that settles one member with all of them, beside some without."""


def test_a_full_list_makes_room_when_days_are_final():
    market = Market(CALENDAR, RULES, CALENDAR.opens_at(1) - 100)
    contracts = ContractMarket(market)
    buyer, seller = Person.numbered(0), Person.numbered(1)
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
    market.chain.most_gas = 0
    market.act("Settlement.settle", 1, 6)
    assert market.chain.most_gas < SETTLEMENT_GAS
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
