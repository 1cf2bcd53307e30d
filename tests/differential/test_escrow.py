"""Escrowed trades (rule 16): money that two of three keys release, energy that follows the seller's meter.

Each test ends with the market reconciled against the replay: every lock, schedule and payment.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from random import Random

import pytest
from support.evm.chain import NOBODY, Refused
from support.evm.faults import release_stuck, set_bookable
from support.evm.keys import Key, key, struct
from support.evm.market import STRANGER, Market, failures
from support.evm.people import Person, readings, register, sign_readings, withdrawal
from support.rules import CALENDAR, SMALL

from dem.messages.contracts import EscrowRelease, EscrowTrade, Revocation
from dem.messages.signing import message_hash
from dem.model.calendar import CalendarParameters
from dem.model.markets.escrow import MAX_TRADES, EscrowedTrade
from dem.model.strips import LANES
from dem.model.units import PriceRange, UnitsPerWh, Wh

CONTRACT = "EscrowTrades"
SLOTS = CALENDAR.periods_per_day
CAPACITY = 1_000
PLENTY = 10**16
SUPPLIER_ID = 3
PRICE = 10_000
TEN_SLOTS = (1 << 10) - 1
LATER = (1 << 64) - 1
BUYER_KEY, SELLER_KEY, MEDIATOR = (key(900 + n) for n in range(3))
KEYS = (BUYER_KEY, SELLER_KEY, MEDIATOR)
GAS_OF_MARKET = 4_500_000
"""That a market has for a member who is settled alone (WorstDay.sol)."""
PROMISED, DELIVERED = 5_000, 4_000
"""Of the worked example, Wh: in ten periods."""
FED_IN = [-500] * 7 + [-300, -200, 0] + [0, 0]
RULES = replace(SMALL, prices=PriceRange(UnitsPerWh(-1_000)), min_sell=-1_000)


class EscrowMarket:
    """A market with some members, each with money and a meter, and escrowed trades plugged in."""

    def __init__(self, members: int = 3, calendar: CalendarParameters = CALENDAR) -> None:
        self.calendar = calendar
        self.market = market = Market(calendar, RULES, calendar.opening - 20_000)
        market.act("Schedule.addMarket", market.contracts[CONTRACT].address, 1)
        self.people = [Person.numbered(n, import_capacity=CAPACITY, export_capacity=CAPACITY) for n in range(members)]
        for n, person in enumerate(self.people):
            register(market, person)
            market.act("Accounts.deposit", person.account.address, PLENTY, bytes([n + 1] * 32))
        market.act("Accounts.setCreditLimit", SUPPLIER_ID, PLENTY)
        self.buyer, self.seller, self.neighbour = self.people[:3]
        self.day = 0
        self.salts = 0
        self.most_gas = 0
        """Of a transaction that settles."""
        self.open_day()

    def open_day(self) -> None:
        self.day += 1
        self.market.now = self.calendar.opens_at(self.day)

    def trade(self, **changes: object) -> EscrowTrade:
        """The worked example: 5,000 Wh in the day's first ten periods."""
        self.salts += 1
        usual = EscrowTrade(
            buyer=self.buyer.account.address,
            seller=self.seller.account.address,
            buyer_key=BUYER_KEY.address,
            seller_key=SELLER_KEY.address,
            mediator=MEDIATOR.address,
            day=self.day,
            slots=TEN_SLOTS,
            energy=Wh(PROMISED // 10),
            price=PRICE,
            expiry=LATER,
            salt=self.salts.to_bytes(32),
        )
        return replace(usual, **changes)

    def fund(self, trade: EscrowTrade | None = None, buyer: Key | None = None, seller: Key | None = None) -> int:
        """Bring a trade that both have signed; its number."""
        trade = trade or self.trade()
        accounts = {person.account.address: person.account for person in self.people}
        domain = self.market.domain(CONTRACT)
        signatures = [
            (by or accounts.get(account, STRANGER)).sign(domain, trade)
            for by, account in ((buyer, trade.buyer), (seller, trade.seller))
        ]
        events = self.market.act(f"{CONTRACT}.fund", struct(trade), *signatures)
        [number] = [event.args["number"] for event in events if event.name == "Funded"]
        return number

    def release(self, number: int, to_seller: int, to_buyer: int, by: Sequence[Key] = (BUYER_KEY, MEDIATOR)) -> None:
        message = EscrowRelease(number, to_seller, to_buyer)
        signatures = [own.sign(self.market.domain(CONTRACT), message) for own in by]
        self.market.act(f"{CONTRACT}.release", number, to_seller, to_buyer, *signatures)

    def expire(self, number: int) -> None:
        self.market.act(f"{CONTRACT}.expire", number)

    def meter(self, person: Person, net: Sequence[int]) -> None:
        sheet = readings(self.market, person, self.day, 0, net)
        self.market.act("MeterReadings.enter", sign_readings(self.market, sheet, person.meter))
        person.imported += sum(max(0, energy) for energy in net)
        person.exported += sum(max(0, -energy) for energy in net)

    def end_delivery(self, nets: dict[int, Sequence[int]]) -> None:
        """All meters; who is not named shows nothing."""
        self.market.now = self.calendar.metering_deadline(self.day) - 1
        for person in self.people:
            if nets.get(person.id, ()) is not None:
                self.meter(person, nets.get(person.id, [0] * self.calendar.periods_per_day))

    def settle(self, at_once: int = 100) -> None:
        market = self.market
        market.now = max(market.now + 1, self.calendar.metering_deadline(self.day))
        if not market.call("MeterReadings", "isClosed", self.day):
            market.act("MeterReadings.close", self.day, 100)
        while not market.call("Settlement", "isSettled", self.day):
            market.act("Settlement.settle", self.day, at_once)
            self.most_gas = max(self.most_gas, market.chain.evm.result.gas_used)

    def finish(self, nets: dict[int, Sequence[int]], at_once: int = 100) -> None:
        """The day from its meters to its end."""
        self.end_delivery(nets)
        self.settle(at_once)
        self.finalize()

    def finalize(self) -> None:
        self.market.now = self.calendar.corrections_close_at(self.day)
        self.market.act("Settlement.finalize", self.day)

    def free(self, person: Person) -> int:
        return self.market.account(person.id).free

    def locked(self, person: Person) -> int:
        return self.market.account(person.id).locked

    def take_out(self, person: Person) -> None:
        self.market.act("Accounts.withdraw", *withdrawal(self.market, person, self.free(person), False))

    def is_sound(self) -> bool:
        assert not failures(self.market.checks())
        return True


@pytest.fixture
def own() -> EscrowMarket:
    return EscrowMarket()


# The worked example


@pytest.mark.parametrize("signers", combinations(KEYS, 2))
def test_any_two_of_three_keys_split_the_escrow_once(own, signers):
    number = own.fund()
    assert own.locked(own.buyer) == 50_000_000 + PROMISED * (RULES.fees + 1_000)
    assert own.locked(own.seller) == PROMISED * RULES.fees
    own.end_delivery({own.seller.id: FED_IN})
    before = own.free(own.buyer), own.free(own.seller)
    own.release(number, 40_000_000, 10_000_000, signers)
    assert (own.free(own.buyer) - before[0], own.free(own.seller) - before[1]) == (10_000_000, 40_000_000)
    for again in ((40_000_000, 10_000_000), (0, 50_000_000)):
        with pytest.raises(Refused, match="NotFunded"):
            own.release(number, *again, signers)
    own.settle()
    own.finalize()
    with pytest.raises(Refused, match="NotFunded"):
        own.expire(number)
    assert own.is_sound()


def test_without_two_keys_the_readings_release_it(own):
    number = own.fund()
    own.finish({own.seller.id: FED_IN})
    before = own.free(own.buyer), own.free(own.seller)
    own.expire(number)
    assert (own.free(own.buyer) - before[0], own.free(own.seller) - before[1]) == (10_000_000, 40_000_000)
    with pytest.raises(Refused, match="NotFunded"):
        own.expire(number)
    assert own.is_sound()
    assert not own.locked(own.buyer)
    assert not own.locked(own.seller)


def test_what_becomes_of_a_trade_is_on_record(own):
    numbers = [own.fund() for _ in range(4)]
    own.release(numbers[0], 50_000_000, 0)
    own.release(numbers[1], 0, 50_000_000)
    own.finish({own.seller.id: FED_IN})
    own.expire(numbers[2])
    states = [own.market.call(CONTRACT, "tradeOf", number)[0] for number in numbers]
    assert states == [2, 3, 4, 1]
    assert own.market.call(CONTRACT, "tradesOf", own.seller.id, 1) == tuple(numbers)
    own.expire(numbers[3])
    assert own.is_sound()


# Energy follows the meter, whatever becomes of the money


def test_energy_that_is_delivered_is_no_imbalance_of_either(own):
    """The buyer draws 5,000 Wh: 4,000 of them from the seller, and 1,000 from the supplier."""
    number = own.fund()
    own.finish({own.seller.id: FED_IN, own.buyer.id: [500] * 10 + [0, 0]})
    own.expire(number)
    fees = DELIVERED * RULES.fees
    # All of the area's imbalance is the buyer's: what is missing costs the supplier's tariff.
    assert own.free(own.buyer) == PLENTY - 40_000_000 - fees - 1_000 * RULES.standing_buy
    assert own.free(own.seller) == PLENTY + 40_000_000 - fees
    assert own.is_sound()


def test_a_seller_never_replaces_what_it_does_not_deliver(own):
    number = own.fund()
    own.finish({})
    own.expire(number)
    assert (own.free(own.buyer), own.free(own.seller)) == (PLENTY, PLENTY)
    assert own.is_sound()


def test_more_than_was_promised_is_the_sellers_own(own):
    number = own.fund()
    own.finish({own.seller.id: [-800] * SLOTS})
    own.expire(number)
    surplus, fees = 800 * SLOTS - PROMISED, PROMISED * RULES.fees
    assert own.free(own.seller) == PLENTY + 50_000_000 - fees + surplus * RULES.standing_sell
    # What the buyer does not take it sells back, and pays for what it had contracted and did not keep.
    charge = 10 * (500 - RULES.tolerance_fixed) * RULES.deviation_rate
    assert own.free(own.buyer) == PLENTY - 50_000_000 - fees + PROMISED * RULES.standing_sell - charge
    assert own.is_sound()


def test_the_energy_is_in_the_schedule_though_the_buyer_has_its_money_back(own):
    number = own.fund()
    own.release(number, 0, 50_000_000)
    own.finish({own.seller.id: FED_IN, own.buyer.id: [500] * 10 + [0, 0]})
    fees = DELIVERED * RULES.fees
    assert own.free(own.seller) == PLENTY - fees
    assert own.free(own.buyer) == PLENTY - fees - 1_000 * RULES.standing_buy
    assert own.is_sound()


def test_a_corrected_reading_counts_for_energy_and_money(own):
    number = own.fund()
    own.end_delivery({own.seller.id: [0] * 10 + [-900, -900]})
    own.settle()
    own.seller.exported = 0
    own.meter(own.seller, [-500, -500, -500, -300] + [0] * 8)
    own.market.now = CALENDAR.corrections_close_at(1)
    own.settle()
    own.finalize()
    own.expire(number)
    assert own.free(own.seller) == PLENTY + 1_800 * (PRICE - RULES.fees)
    assert own.is_sound()


def test_what_nobody_has_read_is_not_delivered(own):
    number = own.fund()
    own.finish({own.seller.id: None})
    before = own.free(own.buyer)
    own.expire(number)
    assert own.free(own.buyer) == before + 50_000_000
    assert own.is_sound()


def test_who_promises_the_same_energy_twice_buys_it_back(own):
    numbers = [own.fund(), own.fund(own.trade(buyer=own.neighbour.account.address))]
    own.finish({own.seller.id: FED_IN})
    for number in numbers:
        own.expire(number)
    received = 2 * DELIVERED * (PRICE - RULES.fees)
    assert own.free(own.seller) == PLENTY + received - DELIVERED * RULES.standing_sell
    assert own.is_sound()


def test_of_a_day_that_does_not_count_nothing_is_delivered(own):
    """The market fails while the day is settled: the buyer has its escrow back, and no energy."""
    numbers = [own.fund(), own.fund()]
    own.release(numbers[0], 50_000_000, 0)
    own.end_delivery({own.seller.id: FED_IN})
    set_bookable(own.market, CONTRACT, False)
    own.settle(at_once=1)
    set_bookable(own.market, CONTRACT, True)
    own.finalize()
    before = own.free(own.buyer)
    own.expire(numbers[1])
    assert own.free(own.buyer) == before + 50_000_000
    release_stuck(own.market)
    assert own.is_sound()
    assert not own.locked(own.buyer)


# Money that others are owed


def test_the_seller_has_its_part_though_the_buyer_owes_the_supplier(own):
    """Escrow is for the trade: what the buyer owes otherwise does not come first."""
    market = own.market
    number = own.fund()
    own.take_out(own.buyer)
    own.finish({own.seller.id: FED_IN, own.buyer.id: [1_000] * SLOTS})
    assert market.account(own.buyer.id).arrears > 0
    before = own.free(own.seller)
    own.expire(number)
    assert own.free(own.seller) == before + 40_000_000
    assert own.is_sound()


def test_a_pause_of_the_market_does_not_keep_an_escrow_back(own):
    paid, waiting = own.fund(), own.fund()
    own.market.act("Accounts.keepPaused", own.market.contracts[CONTRACT].address, CALENDAR.corrections_close_at(9))
    with pytest.raises(Refused, match="MarketIsPaused"):
        own.fund()
    own.release(paid, 50_000_000, 0)
    own.finish({own.seller.id: FED_IN})
    own.expire(waiting)
    assert own.is_sound()


def test_without_money_nothing_is_funded(own):
    for person, names in ((own.buyer, ("buyer", "seller")), (own.seller, ("seller", "buyer"))):
        own.take_out(person)
        others = own.neighbour.account.address
        with pytest.raises(Refused, match="InsufficientFunds"):
            own.fund(own.trade(**dict(zip(names, (person.account.address, others), strict=True))))
    assert own.is_sound()


# What is refused


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"energy": 0}, "BadTerm"),
        ({"energy": RULES.min_order_energy - 1}, "BadTerm"),
        ({"energy": 1 << 27}, "BadTerm"),
        ({"energy": CAPACITY + 1}, "ExceedsCapacity"),
        ({"slots": 0}, "BadTerm"),
        ({"slots": 1 << SLOTS}, "BadTerm"),
        ({"price": 0}, "BadTerm"),
        ({"price": RULES.max_buy + 1}, "BadTerm"),
        ({"day": 0}, "NoSuchDay"),
        ({"day": 1 << 16}, "NoSuchDay"),
        ({"day": 2}, "DayNotOpen"),
        ({"expiry": 1}, "TradeExpired"),
        ({"mediator": NOBODY}, "KeysNotDistinct"),
        ({"buyer_key": NOBODY}, "KeysNotDistinct"),
        ({"mediator": BUYER_KEY.address}, "KeysNotDistinct"),
        ({"mediator": SELLER_KEY.address}, "KeysNotDistinct"),
        ({"seller_key": BUYER_KEY.address}, "KeysNotDistinct"),
        ({"seller": STRANGER.address}, "UnknownAccount"),
    ],
)
def test_terms_out_of_bounds_are_refused(own, changes, error):
    with pytest.raises(Refused, match=error):
        own.fund(own.trade(**changes))
    assert not own.market.call(CONTRACT, "tradeCount")
    assert own.is_sound()


def test_nobody_trades_with_itself_or_without_the_others_word(own):
    with pytest.raises(Refused, match="TradeWithItself"):
        own.fund(own.trade(seller=own.buyer.account.address))
    for forged in ({"buyer": STRANGER}, {"seller": STRANGER}, {"seller": own.buyer.account}):
        with pytest.raises(Refused, match="NotSignedBy"):
            own.fund(own.trade(), **forged)
    assert own.is_sound()


def test_a_trade_is_funded_once_before_the_gate_and_not_when_taken_back(own):
    trade = own.trade()
    own.fund(trade)
    with pytest.raises(Refused, match="TradeUsed"):
        own.fund(trade)
    taken_back, domain = own.trade(), own.market.domain(CONTRACT)
    hashed = message_hash(taken_back)
    signature = own.seller.account.sign(domain, Revocation(hashed))
    with pytest.raises(Refused, match="NotSignedBy"):
        own.market.act(f"{CONTRACT}.revoke", hashed, own.buyer.account.address, signature)
    own.market.act(f"{CONTRACT}.revoke", hashed, own.seller.account.address, signature)
    with pytest.raises(Refused, match="TradeUsed"):
        own.fund(taken_back)
    with pytest.raises(Refused, match="TradeUsed"):
        own.market.act(f"{CONTRACT}.revoke", hashed, own.seller.account.address, signature)
    own.market.now = CALENDAR.gate_closes_at(1)
    with pytest.raises(Refused, match="GateClosed"):
        own.fund()
    assert own.is_sound()


def test_no_single_key_moves_money_and_no_other_does(own):
    number, escrow = own.fund(), 50_000_000
    for by, error in (
        ((BUYER_KEY, BUYER_KEY), "SignedByOne"),
        ((MEDIATOR, MEDIATOR), "SignedByOne"),
        ((BUYER_KEY, STRANGER), "NotAKeyOf"),
        ((own.buyer.account, own.seller.account), "NotAKeyOf"),
    ):
        with pytest.raises(Refused, match=error):
            own.release(number, escrow, 0, by)
    for parts in ((escrow, 1), (escrow - 1, 0), (0, 0), ((1 << 128) - 1, (1 << 128) - 1)):
        with pytest.raises(Refused, match="NotTheEscrow"):
            own.release(number, *parts)
    # What was signed for one trade or split is nothing for another.
    other = own.fund()
    domain = own.market.domain(CONTRACT)
    signatures = [own_key.sign(domain, EscrowRelease(other, escrow, 0)) for own_key in (BUYER_KEY, MEDIATOR)]
    with pytest.raises(Refused, match="NotAKeyOf"):
        own.market.act(f"{CONTRACT}.release", number, escrow, 0, *signatures)
    with pytest.raises(Refused, match="NoSuchTrade"):
        own.release(other + 1, escrow, 0)
    with pytest.raises(Refused, match="NoSuchTrade"):
        own.expire(0)
    assert own.is_sound()


def test_signatures_count_until_corrections_close_and_readings_from_then_on(own):
    number = own.fund()
    own.end_delivery({own.seller.id: FED_IN})
    own.settle()
    with pytest.raises(Refused, match="DayNotFinal"):
        own.expire(number)
    own.market.now = CALENDAR.corrections_close_at(1)
    with pytest.raises(Refused, match="TooLateToRelease"):
        own.release(number, 50_000_000, 0)
    with pytest.raises(Refused, match="DayNotFinal"):
        own.expire(number)
    own.finalize()
    own.expire(number)
    assert own.is_sound()


def test_only_the_schedule_books(own):
    with pytest.raises(Refused, match="AccessManagedUnauthorized"):
        own.market.act(f"{CONTRACT}.book", 1, 1, 1, by=STRANGER)


def test_the_fullest_day_of_a_member_fits_a_transaction():
    """With as many trades as one may have, each in all periods of a day of 96 of them."""
    calendar = replace(CALENDAR, periods_per_day=96)
    own = EscrowMarket(MAX_TRADES + 2, calendar)
    least = Wh(RULES.min_order_energy)
    buyers = [person.account.address for person in own.people[2:]]
    numbers = [own.fund(own.trade(buyer=buyer, energy=least, slots=(1 << 96) - 1)) for buyer in buyers]
    with pytest.raises(Refused, match="TooManyTrades"):
        own.fund()
    own.finish({own.seller.id: [-1_000] * 96}, at_once=1)
    # What the EVM here leaves out is reading each word of trades and readings for the first time.
    words = MAX_TRADES * (4 + calendar.periods_per_day // LANES)
    assert own.most_gas + 2_000 * words < GAS_OF_MARKET
    for number in numbers:
        own.expire(number)
    assert own.is_sound()


# At random


@pytest.mark.parametrize("seed", range(3))
def test_random_trades_end_as_the_model_says(seed):
    """Several days of trades, meters that are late or silent, walks of any size, and every way to release."""
    random = Random(f"escrow/{seed}")
    own = EscrowMarket(4)
    left: dict[int, EscrowedTrade] = {}
    for _ in range(4):
        fund_some(random, own, left)
        nets = {person.id: [random.randint(-900, 900) for _ in range(SLOTS)] for person in own.people}
        if random.random() < 0.3:
            nets[random.choice(own.people).id] = None
        own.end_delivery(nets)
        release_some(random, own, left)
        own.settle(random.choice((1, 2, 3, 100)))
        release_some(random, own, left)
        own.finalize()
        due = list(left)
        for number in random.sample(due, random.randint(0, len(due))):
            own.expire(number)
            del left[number]
        assert own.is_sound()
        own.open_day()
    for number in left:
        own.expire(number)
    assert own.is_sound()
    address = own.market.contracts[CONTRACT].address
    assert not any(own.market.call("Accounts", "heldBy", address, person.id) for person in own.people)


def fund_some(random: Random, own: EscrowMarket, left: dict[int, EscrowedTrade]) -> None:
    silent = own.market.replay.membership.silent
    for _ in range(random.randint(2, 6)):
        buyer, seller = random.sample([person for person in own.people if person.id not in silent], 2)
        message = own.trade(
            buyer=buyer.account.address,
            seller=seller.account.address,
            slots=random.randint(1, (1 << SLOTS) - 1),
            energy=Wh(random.randint(RULES.min_order_energy, CAPACITY)),
            price=random.randint(1, RULES.max_buy),
        )
        model = EscrowedTrade(buyer.id, seller.id, own.day, message.slots, message.energy, UnitsPerWh(message.price))
        left[own.fund(message)] = model


def release_some(random: Random, own: EscrowMarket, left: dict[int, EscrowedTrade]) -> None:
    for number in [number for number, trade in left.items() if trade.day == own.day and random.random() < 0.3]:
        escrow = left.pop(number).escrow
        to_seller = random.choice((0, escrow, random.randint(0, escrow)))
        own.release(number, to_seller, escrow - to_seller, random.sample(KEYS, 2))
