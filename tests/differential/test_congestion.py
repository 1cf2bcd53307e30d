"""Trades for the network (rule 21): the grid operator pays what an ask is above the bid across an area's border.

Each test ends with the market reconciled against the replay: every lock, schedule and payment.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from random import Random

import pytest
from support.evm.chain import GAS_LIMIT, Refused
from support.evm.faults import release_stuck, set_bookable
from support.evm.keys import Key, struct
from support.evm.market import GRID_OPERATOR as GRID_OPERATOR_KEY
from support.evm.market import STRANGER, Market, failures
from support.evm.people import Person, readings, register, sign_readings, sign_sheet, withdrawal
from support.rules import CALENDAR, SMALL

from dem.messages.orders import CongestionOrder, CongestionRequest, OrderSheet
from dem.messages.signing import SignedSheet
from dem.model.calendar import CalendarParameters
from dem.model.collateral import order_collateral
from dem.model.ledger import GRID_OPERATOR
from dem.model.markets.congestion import MAX_ORDERS, MAX_REQUESTS, MAX_ZONES, Order, Pair, highest_spread, in_order
from dem.model.orders import Order as AuctionOrder
from dem.model.orders import Side, encode_lane
from dem.model.rules import ImbalancePricing, MarketRules, Tariff
from dem.model.strips import LANES, pack
from dem.model.units import MAX_TICK, PriceRange, Tick, UnitsPerWh, Wh

CONTRACT = "CongestionTrades"
LEAD = 300
PLENTY = 10**16
BUDGET = 10**9
CAPACITY = 1_500
"""In either direction, Wh per period."""
AREA, OTHER, FULL = 7, 8, 9
"""Zones of the network; the last one is barred."""
PERIOD = CALENDAR.period_length
SLOTS = CALENDAR.periods_per_day
GAS_OF_MARKET = 4_500_000
"""That a market has for a member who is settled alone (WorstDay.sol)."""
RULES = replace(SMALL, imbalance_pricing=ImbalancePricing.TARIFF, platform_fee=30, network_fee=0)
"""Without a network fee what the grid operator has less is what it has paid for trades."""
BELOW_ZERO = replace(RULES, prices=PriceRange(UnitsPerWh(-1_000)), min_sell=-1_000)
MOST = highest_spread(RULES, Tariff(RULES.standing_buy, RULES.standing_sell))
"""Ticks: the tariffs are 220 apart, and the fees are less than one."""
SLOT = 4
REPORT = b"report".ljust(32, b"\0")


class CongestedDay:
    """A market whose first members are in the area, then as many outside of it, and one in a barred zone."""

    def __init__(self, members: int = 2, rules: MarketRules = RULES, calendar: CalendarParameters = CALENDAR) -> None:
        self.calendar, self.rules = calendar, rules
        self.market = market = Market(calendar, rules, calendar.opening - 20_000, LEAD)
        market.act("Schedule.addMarket", market.contracts[CONTRACT].address, 1)
        ample = {"import_capacity": CAPACITY, "export_capacity": CAPACITY}
        self.people = [Person.numbered(n, **ample) for n in range(2 * members + 1)]
        for n, person in enumerate(self.people):
            register(market, person)
            market.act("Accounts.deposit", person.account.address, PLENTY, bytes([n % 256, n // 256 + 1] * 16))
        self.inside, self.outside, self.barred = self.people[:members], self.people[members:-1], self.people[-1]
        self.zones = {AREA: self.inside, OTHER: self.outside[::2], FULL: [self.barred]}
        for zone, people in self.zones.items():
            market.act("GridLimits.assign", [person.id for person in people], [zone] * len(people), 1)
        market.act("Accounts.deposit", GRID_OPERATOR_KEY.address, PLENTY, bytes([255] * 32))
        market.act("Accounts.setCreditLimit", 3, PLENTY)
        self.sequences = self.most_gas = 0
        """Of the grid operator's messages; and the most that a transaction took which settles."""
        self.day = 1
        market.now = calendar.gate_closes_at(1)

    def wanted(self, **changes: object) -> CongestionRequest:
        """The area feeds in too much: as much as possible of 10,000 Wh, in two periods from now."""
        self.sequences += 1
        usual = CongestionRequest(
            day=self.day,
            slot=SLOT,
            is_fed_in=True,
            zones=(AREA,),
            barred=(FULL,),
            energy=Wh(10_000),
            spread=MOST,
            budget=BUDGET,
            closes_at=self.market.now + 2 * PERIOD,
            report=REPORT,
            sequence=self.sequences,
        )
        return replace(usual, **changes)

    def ask(self, request: CongestionRequest | None = None, by: Key = GRID_OPERATOR_KEY) -> int:
        """Bring a request that the grid operator has signed; its number."""
        request = request or self.wanted()
        signature = by.sign(self.market.domain(CONTRACT), request)
        events = self.market.act(f"{CONTRACT}.request", struct(request), signature)
        [number] = [event.args["number"] for event in events if event.name == "Requested"]
        return number

    def order(self, person: Person, number: int, tick: int, energy: int, by: Key | None = None) -> None:
        message = CongestionOrder(person.account.address, number, tick, Wh(energy), person.next_sequence())
        signature = (by or person.account).sign(self.market.domain(CONTRACT), message)
        self.market.act(f"{CONTRACT}.order", struct(message), signature)

    def sides(self, number: int) -> tuple[list[int], list[int]]:
        """The members that have bids and asks, in the order in which these meet."""
        bids, asks = in_order(self.market.replay.markets[CONTRACT].orders[number].values())
        return [one.id for one in bids], [one.id for one in asks]

    def meet(self, number: int, sides: tuple[Sequence[int], Sequence[int]] | None = None) -> list[Pair]:
        """Let orders meet; what is traded, which the replay has compared with the model."""
        self.market.now = max(self.market.now, self.market.replay.markets[CONTRACT].requests[number].closes_at)
        events = self.market.act(f"{CONTRACT}.meet", number, *(sides or self.sides(number)))
        [met] = [event.args for event in events if event.name == "Met"]
        return [Pair(*pair.values()) for pair in met["pairs"]]

    def played(self, bids: Iterable[tuple[int, int]], asks: Iterable[tuple[int, int]], **changes: object) -> list[Pair]:
        """The orders (tick, Wh) of members inside and outside, and what they trade. They are bids and asks unless the
        area draws too much."""
        number = self.ask(self.wanted(**changes))
        for people, orders in ((self.inside, bids), (self.outside, asks)):
            for person, (tick, energy) in zip(people, orders, strict=False):
                self.order(person, number, tick, energy)
        return self.meet(number)

    def finish(self, nets: Mapping[int, Sequence[int]] | None = None, at_once: int = 100) -> None:
        """The day from its meters to its end; who is not named shows nothing."""
        market, calendar = self.market, self.calendar
        market.now = calendar.metering_deadline(self.day) - 1
        for person in self.people:
            net = (nets or {}).get(person.id, [0] * calendar.periods_per_day)
            sheet = readings(market, person, self.day, 0, net)
            market.act("MeterReadings.enter", sign_readings(market, sheet, person.meter))
            person.imported += sum(max(0, energy) for energy in net)
            person.exported += sum(max(0, -energy) for energy in net)
        market.now = calendar.metering_deadline(self.day)
        market.act("MeterReadings.close", self.day, 1_000)
        while not market.call("Settlement", "isSettled", self.day):
            market.act("Settlement.settle", self.day, at_once)
            self.most_gas = max(self.most_gas, market.chain.evm.result.gas_used)
        market.now = calendar.corrections_close_at(self.day)
        market.act("Settlement.finalize", self.day)

    def gained(self, person: Person | int) -> int:
        """Free money beyond what was paid in."""
        account = self.market.account(person if isinstance(person, int) else person.id)
        return account.free - account.arrears - PLENTY

    def locked(self, person: Person | int) -> int:
        return self.market.account(person if isinstance(person, int) else person.id).locked

    def is_sound(self) -> bool:
        assert not failures(self.market.checks())
        return True


def at_slot(net: int, slot: int = SLOT) -> list[int]:
    return [net if n == slot else 0 for n in range(SLOTS)]


@pytest.fixture
def own() -> CongestedDay:
    return CongestedDay()


# The worked example


def test_the_buyer_pays_its_limit_the_seller_has_its_own_and_the_grid_operator_the_rest(own):
    buyer, seller = own.inside[0], own.outside[0]
    pairs = own.played([(60, 2_000)], [(90, 2_000)])
    assert pairs == [Pair(buyer.id, seller.id, 2_000, 60, 90)]
    own.finish({buyer.id: at_slot(2_000), seller.id: at_slot(-2_000)})
    fees = 2_000 * own.rules.fees
    assert own.gained(buyer) == -12_000_000 - fees
    assert own.gained(seller) == 18_000_000 - fees
    assert own.gained(GRID_OPERATOR) == -6_000_000
    assert not any(own.locked(who) for who in (buyer, seller, GRID_OPERATOR))
    assert own.is_sound()


def test_where_too_much_is_drawn_the_area_sells(own):
    seller, buyer = own.inside[0], own.outside[0]
    pairs = own.played([(90, 2_000)], [(60, 2_000)], is_fed_in=False)
    assert pairs == [Pair(buyer.id, seller.id, 2_000, 60, 90)]
    own.finish()
    assert own.gained(GRID_OPERATOR) == -6_000_000
    assert own.is_sound()


def test_orders_that_cross_trade_at_the_asks_limit_and_the_grid_operator_neither_pays_nor_earns(own):
    own.played([(90, 2_000)], [(60, 2_000)])
    own.finish({own.inside[0].id: at_slot(2_000), own.outside[0].id: at_slot(-2_000)})
    fees = 2_000 * own.rules.fees
    assert own.gained(own.inside[0]) == -12_000_000 - fees
    assert own.gained(own.outside[0]) == 12_000_000 - fees
    assert own.gained(GRID_OPERATOR) == 0
    assert own.is_sound()


# Where it ends


@pytest.mark.parametrize(
    ("changes", "energies"),
    [
        ({}, [1_000, 500, 500]),
        ({"energy": Wh(1_200)}, [1_000, 200]),
        ({"energy": Wh(1_000)}, [1_000]),
        ({"spread": 34}, [1_000]),
        ({"spread": 29}, []),
        ({"budget": 3_000_000}, [1_000]),
        ({"budget": 3_000_000 + 3_499}, [1_000]),
        ({"budget": 3_000_000 + 3_500}, [1_000, 1]),
        ({"budget": 2_999}, []),
    ],
)
def test_the_best_meet_until_energy_spread_or_budget_is_used_up(own, changes, energies):
    pairs = own.played([(60, 1_500), (55, 500)], [(90, 1_000), (95, 1_000)], **changes)
    assert [pair.energy for pair in pairs] == energies
    paid = sum(pair.energy * (pair.ask - pair.bid) * own.rules.prices.tick for pair in pairs)
    assert paid <= changes.get("budget", BUDGET)
    own.finish()
    assert own.gained(GRID_OPERATOR) == -paid
    assert own.is_sound()


def test_of_equal_limits_who_came_first_goes_first_and_who_changes_its_order_goes_to_the_end(own):
    first, second = own.inside
    number = own.ask(own.wanted(energy=Wh(1_000)))
    own.order(first, number, 60, 800)
    own.order(second, number, 60, 800)
    own.order(first, number, 60, 900)
    own.order(own.outside[0], number, 90, 2_000)
    assert [(pair.buyer, pair.energy) for pair in own.meet(number)] == [(second.id, 800), (first.id, 200)]
    own.finish()
    assert own.is_sound()


# Money


def test_an_order_locks_what_it_may_cost_and_the_grid_operator_its_budget(own):
    number = own.ask()
    assert own.locked(GRID_OPERATOR) == BUDGET
    for person, side, tick in ((own.inside[0], Side.BID, 60), (own.outside[0], Side.ASK, 90)):
        for energy in (2_000, 500, 0):
            own.order(person, number, tick, energy)
            assert own.locked(person) == order_collateral(Order(0, side, Tick(tick), Wh(energy), 0), own.rules)
    own.finish()
    assert own.is_sound()


def test_without_money_of_its_own_the_grid_operator_asks_for_nothing(own):
    own.market.act("Accounts.setCreditLimit", GRID_OPERATOR, PLENTY)
    number = own.ask(own.wanted(budget=PLENTY - 1))
    with pytest.raises(Refused, match="InsufficientFunds"):
        own.ask(own.wanted(budget=2))
    own.ask(own.wanted(budget=1))
    own.order(own.inside[0], number, 60, 2_000)
    own.order(own.outside[0], number, 90, 2_000)
    own.meet(number)
    own.finish()
    assert own.gained(GRID_OPERATOR) == -6_000_000
    assert own.is_sound()


def test_who_has_no_money_or_is_suspended_orders_nothing_and_may_take_back(own):
    number, poor, barred = own.ask(), own.inside[0], own.inside[1]
    free = own.market.account(poor.id).free
    own.market.act("Accounts.withdraw", *withdrawal(own.market, poor, free, False))
    with pytest.raises(Refused, match="InsufficientFunds"):
        own.order(poor, number, 60, 2_000)
    own.order(barred, number, 60, 2_000)
    own.market.act("ParticipantRegistry.suspend", barred.id)
    with pytest.raises(Refused, match="WrongStatus"):
        own.order(barred, number, 60, 1_000)
    own.order(barred, number, 0, 0)
    assert not own.locked(barred)
    assert own.meet(number) == []
    own.finish()
    assert own.is_sound()


def test_a_request_that_nobody_brings_to_meet_costs_nobody_anything(own):
    number = own.ask()
    own.order(own.inside[0], number, 60, 2_000)
    own.order(own.outside[0], number, 90, 2_000)
    own.finish()
    assert not any(map(own.gained, (*own.people, GRID_OPERATOR)))
    assert not any(map(own.locked, (*own.people, GRID_OPERATOR)))
    assert own.is_sound()


def test_of_a_day_that_does_not_count_nothing_is_paid(own):
    own.played([(60, 2_000)], [(90, 2_000)])
    set_bookable(own.market, CONTRACT, False)
    own.finish(at_once=1)
    set_bookable(own.market, CONTRACT, True)
    release_stuck(own.market)
    assert not any(map(own.gained, (*own.people, GRID_OPERATOR)))
    assert own.is_sound()


# What gaming brings (docs/inside/threats.md)


def test_two_accounts_that_trade_on_paper_lose_at_the_tariffs(own):
    """The widest spread that may be asked for, and neither side delivers."""
    buyer, seller = own.inside[0], own.outside[0]
    own.played([(80, 2_000)], [(80 + MOST, 2_000)])
    own.finish()
    assert own.gained(GRID_OPERATOR) == -2_000 * MOST * own.rules.prices.tick
    charged = (2_000 - 200) * own.rules.deviation_rate
    assert own.gained(buyer) + own.gained(seller) == -2 * (2_000 * own.rules.fees + charged)
    assert own.is_sound()


@pytest.mark.parametrize("pricing", [ImbalancePricing.SINGLE, ImbalancePricing.TWO_PRICE])
def test_under_other_pricings_no_spread_is_paid_that_paper_would_gain(pricing):
    """What one side is long the other one is short, at one price: so no more than their fees may be paid."""
    own = CongestedDay(rules=replace(RULES, imbalance_pricing=pricing, platform_fee=120))
    most = highest_spread(own.rules, Tariff(RULES.standing_buy, RULES.standing_sell))
    assert most == 2 * 120 // own.rules.prices.tick
    with pytest.raises(Refused, match="BadTerm"):
        own.ask(own.wanted(spread=most + 1))
    own.played([(80, 2_000)], [(80 + most, 2_000)], spread=most)
    own.finish()
    assert own.gained(GRID_OPERATOR) == -2_000 * most * own.rules.prices.tick
    assert own.gained(own.inside[0]) + own.gained(own.outside[0]) < 0
    assert own.is_sound()


def test_a_buyer_that_does_not_take_its_energy_gains_less_than_the_tariffs_are_apart(own):
    """The seller delivers. The buyer sells its energy back at the tariff of feed-in, and is charged for that."""
    buyer, seller = own.inside[0], own.outside[0]
    own.played([(20, 2_000)], [(90, 2_000)])
    own.finish({seller.id: at_slot(-2_000)})
    resold = 2_000 * (own.rules.standing_sell - 2_000)
    charged = (2_000 - 200) * own.rules.deviation_rate
    assert own.gained(buyer) == resold - charged - 2_000 * own.rules.fees
    assert own.gained(buyer) < 2_000 * (own.rules.standing_buy - 9_000)
    assert own.is_sound()


def test_a_plant_that_feeds_in_all_the_same_has_the_tariff_of_feed_in_for_that():
    """Whatever its bid was: so where feed-in earns anything it has no reason to stop."""
    gained = []
    for fed_in in (0, 1_000):
        own = CongestedDay()
        plant, seller = own.inside[0], own.outside[0]
        own.played([(20, 1_000)], [(90, 1_000)])
        own.finish({plant.id: at_slot(-fed_in), seller.id: at_slot(-1_000)})
        gained.append(own.gained(plant))
        assert own.is_sound()
    stopped, went_on = gained
    assert went_on - stopped == 1_000 * RULES.standing_sell


def test_who_sells_what_it_never_generates_to_buy_it_back_gains_the_difference_of_both_prices(own):
    """Increase, then decrease: the budget bounds what that brings, and the spread what it brings for each Wh."""
    market, gamer, buyer = own.market, own.inside[0], own.outside[1]
    market.now = CALENDAR.opens_at(1)
    for person, side in ((gamer, Side.ASK), (buyer, Side.BID)):
        market.act("CallAuction.enter", one_order(own, person, side, 80, 1_500))
    market.now = CALENDAR.gate_closes_at(1)
    for strip in range(SLOTS // LANES):
        outcomes = market.replay.book(1).clearing[strip * LANES : (strip + 1) * LANES]
        market.act("CallAuction.clear", 1, strip, [outcome.pivot for outcome in outcomes], 1 << 32)
    own.played([(60, 1_500)], [(90, 1_500)])
    own.finish({buyer.id: at_slot(1_500), own.outside[0].id: at_slot(-1_500)})
    fees = 2 * 1_500 * own.rules.fees
    assert own.gained(gamer) == 1_500 * (80 - 60) * own.rules.prices.tick - fees
    assert own.gained(GRID_OPERATOR) == -1_500 * (90 - 60) * own.rules.prices.tick
    assert own.is_sound()


def one_order(own: CongestedDay, person: Person, side: Side, tick: int, energy: int) -> SignedSheet:
    """An order for the day ahead in the congested period."""
    lanes = [0] * LANES
    lanes[SLOT % LANES] = encode_lane(auction_order(side, tick, energy))
    sheet = OrderSheet(person.account.address, 1, SLOT // LANES, person.next_sequence(), (pack(1, lanes),))
    return sign_sheet(own.market, sheet, person.account)


def auction_order(side: Side, tick: int, energy: int) -> AuctionOrder:
    return AuctionOrder(1, SLOT, 0, side, Tick(tick), Wh(energy))


# What is refused


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"day": 0}, "NoSuchDay"),
        ({"day": 1 << 16}, "NoSuchDay"),
        ({"day": 2}, "GateIsOpen"),
        ({"slot": SLOTS}, "BadTerm"),
        ({"slot": 1 << 15}, "BadTerm"),
        ({"energy": 0}, "BadTerm"),
        ({"energy": 1 << 27}, "BadTerm"),
        ({"budget": 0}, "BadTerm"),
        ({"spread": MOST + 1}, "BadTerm"),
        ({"zones": ()}, "BadTerm"),
        ({"zones": tuple(range(1, MAX_ZONES + 2))}, "BadTerm"),
        ({"barred": tuple(range(MAX_ZONES + 1))}, "BadTerm"),
        ({"zones": (0,)}, "ZoneUnusable"),
        ({"zones": (AREA, AREA)}, "ZoneUnusable"),
        ({"zones": (AREA, FULL)}, "ZoneUnusable"),
        ({"barred": (0, 0)}, "ZoneUnusable"),
        ({"closes_at": CALENDAR.gate_closes_at(1) + PERIOD - 1}, "NoTimeToOrder"),
        ({"closes_at": CALENDAR.start_of(1) + (SLOT - 1) * PERIOD - LEAD + 1}, "NoTimeToOrder"),
        ({"closes_at": (1 << 64) - 1}, "NoTimeToOrder"),
        ({"sequence": 0}, "StaleMessage"),
    ],
)
def test_terms_out_of_bounds_are_refused(own, changes, error):
    with pytest.raises(Refused, match=error):
        own.ask(own.wanted(**changes))
    assert not own.market.call(CONTRACT, "requestCount")
    assert own.is_sound()


def test_a_request_takes_the_dispatcher_and_the_grid_operators_signature(own):
    request = own.wanted()
    signature = GRID_OPERATOR_KEY.sign(own.market.domain(CONTRACT), request)
    with pytest.raises(Refused, match="AccessManagedUnauthorized"):
        own.market.act(f"{CONTRACT}.request", struct(request), signature, by=GRID_OPERATOR_KEY)
    with pytest.raises(Refused, match="NotSignedBy"):
        own.ask(request, by=STRANGER)
    with pytest.raises(Refused, match="NotSignedBy"):
        own.market.act(f"{CONTRACT}.request", struct(replace(request, budget=BUDGET + 1)), signature)
    own.ask(request)
    with pytest.raises(Refused, match="StaleMessage"):
        own.ask(request)
    assert own.market.call(CONTRACT, "lastRequest") == request.sequence
    with pytest.raises(Refused, match="AccessManagedUnauthorized"):
        own.market.act(f"{CONTRACT}.book", 1, 1, 1, by=STRANGER)


def test_so_many_requests_for_a_period_and_no_more(own):
    for _ in range(MAX_REQUESTS):
        own.ask()
    with pytest.raises(Refused, match="TooManyRequests"):
        own.ask()
    own.ask(own.wanted(slot=SLOT + 1))


def test_orders_out_of_bounds_are_refused(own):
    number, person = own.ask(), own.inside[0]
    for tick, energy in ((60, RULES.min_order_energy - 1), (60, 2 * CAPACITY + 1), (4_096, 100)):
        with pytest.raises(Refused, match="BadTerm"):
            own.order(person, number, tick, energy)
    for unknown in (0, number + 1):
        with pytest.raises(Refused, match="NoSuchRequest"):
            own.order(person, unknown, 60, 100)
    with pytest.raises(Refused, match="NotSignedBy"):
        own.order(person, number, 60, 100, by=STRANGER)
    with pytest.raises(Refused, match="UnknownAccount"):
        own.order(Person(STRANGER, None), number, 60, 100)
    for energy in (0, 100):
        with pytest.raises(Refused, match="NotAMember"):
            own.order(Person.grid_operator(), number, 60, energy)
    with pytest.raises(Refused, match="ZoneBarred"):
        own.order(own.barred, number, 60, 100)
    own.order(person, number, 60, 2 * CAPACITY)
    assert own.market.call(CONTRACT, "lastSequence", number, person.id) == person.sequence
    person.sequence -= 1
    with pytest.raises(Refused, match="StaleMessage"):
        own.order(person, number, 60, 100)
    assert own.is_sound()


def test_nothing_is_taken_back_once_the_request_has_closed(own):
    number = own.ask()
    own.order(own.inside[0], number, 60, 100)
    with pytest.raises(Refused, match="RequestOpen"):
        own.market.act(f"{CONTRACT}.meet", number, *own.sides(number))
    own.market.now += 2 * PERIOD
    for energy in (0, 200):
        with pytest.raises(Refused, match="RequestClosed"):
            own.order(own.inside[0], number, 60, energy)
    own.meet(number)
    with pytest.raises(Refused, match="HaveMet"):
        own.meet(number)
    assert own.is_sound()


def test_orders_meet_before_the_intraday_gate_of_their_period(own):
    numbers = [own.ask() for _ in range(2)]
    own.market.now = CALENDAR.start_of(1) + SLOT * PERIOD - LEAD - 1
    own.meet(numbers[0])
    own.market.now += 1
    with pytest.raises(Refused, match="TooLateToMeet"):
        own.meet(numbers[1])


def test_who_leaves_an_order_out_or_brings_them_in_another_order_is_refused(own):
    first, second = (person.id for person in own.inside)
    asker = own.outside[0].id
    number = own.ask()
    own.order(own.inside[0], number, 60, 100)
    own.order(own.inside[1], number, 61, 100)
    own.order(own.outside[0], number, 90, 100)
    for sides, error in (
        (([second], [asker]), "OrdersMissing"),
        (([second, first], []), "OrdersMissing"),
        (([second, first, first], [asker]), "OrdersMissing"),
        (([first, second], [asker]), "OutOfOrder"),
        (([second, second], [asker]), "OutOfOrder"),
        (([second, asker], [asker]), "OutOfOrder"),
        (([second, 99], [asker]), "OutOfOrder"),
        (([second, first], [first]), "OutOfOrder"),
    ):
        with pytest.raises(Refused, match=error):
            own.meet(number, sides)
    assert [pair.buyer for pair in own.meet(number)] == [second]
    assert own.is_sound()


def test_what_never_stood_or_was_taken_back_is_not_brought(own):
    number = own.ask()
    own.order(own.inside[0], number, 60, 0)
    own.order(own.inside[1], number, 60, 100)
    own.order(own.inside[1], number, 60, 0)
    with pytest.raises(Refused, match="OrdersMissing"):
        own.meet(number, ([own.inside[1].id], []))
    assert own.meet(number) == []
    assert own.is_sound()


def test_the_fullest_request_meets_in_one_transaction():
    """All orders that a side may have, of which each meets another one, so that each moves a position."""
    own = CongestedDay(MAX_ORDERS + 1)
    number = own.ask(own.wanted(energy=Wh(100 * MAX_ORDERS), barred=()))
    for n in range(MAX_ORDERS):
        own.order(own.inside[n], number, 60, 100 if n else 50)
        own.order(own.outside[n], number, 90, 100)
    for person in (own.inside[-1], own.outside[-1]):
        with pytest.raises(Refused, match="SideIsFull"):
            own.order(person, number, 60, 100)
    assert len(own.meet(number)) == 2 * MAX_ORDERS - 1
    # What the EVM here leaves out is reading each order, account and position for the first time, and writing accounts.
    left_out = 2 * MAX_ORDERS * (3 * 2_000 + 2_800)
    assert own.market.chain.evm.result.gas_used + left_out < GAS_LIMIT
    assert own.is_sound()


def test_the_fullest_day_of_a_member_leaves_room_for_all_other_markets():
    """Trades in all strips of a day of 96 periods."""
    own = CongestedDay(1, calendar=replace(CALENDAR, periods_per_day=96))
    closes_at = own.market.now + PERIOD
    for slot in range(0, 96, LANES):
        number = own.ask(own.wanted(slot=slot, closes_at=closes_at))
        own.order(own.inside[0], number, 60, 100)
        own.order(own.outside[0], number, 90, 100)
    own.market.now = closes_at
    for number in range(1, 96 // LANES + 1):
        assert len(own.meet(number)) == 1
    own.finish(at_once=1)
    # What the EVM here leaves out is reading the account and the positions for the first time.
    assert own.most_gas + 2_000 * (1 + 96 // LANES) < GAS_OF_MARKET / 4
    assert own.is_sound()


# At random


@pytest.mark.parametrize("seed", range(4))
def test_random_requests_end_as_the_model_says(seed):
    """Days of requests for areas of any kind, orders that come, change and go, and meetings that somebody brings."""
    random = Random(f"congestion/{seed}")
    own = CongestedDay(4, BELOW_ZERO if seed % 2 else RULES)
    paid = 0
    for day in range(1, 4):
        own.day, own.market.now = day, CALENDAR.gate_closes_at(day)
        requests = [own.wanted(**drawn_terms(random, own)) for _ in range(random.randint(1, 5))]
        numbers = [own.ask(request) for request in requests]
        for _ in range(12 * len(numbers)):
            order_something(random, own, random.choice(numbers))
        for number, request in sorted(zip(numbers, requests, strict=True), key=lambda both: both[1].closes_at):
            if random.random() < 0.9:
                paid += kept_rules(own, request, own.meet(number))
        trades = own.market.replay.trades(day)[CONTRACT]
        assert trades.payment.sum() == 0
        assert trades.bought.sum() == trades.sold.sum()
        own.finish({person.id: [random.randint(-900, 900) for _ in range(SLOTS)] for person in own.people})
        assert own.is_sound()
    assert own.gained(GRID_OPERATOR) == -paid < 0
    assert not any(map(own.locked, (*own.people, GRID_OPERATOR)))


def drawn_terms(random: Random, own: CongestedDay) -> dict[str, object]:
    zones = random.sample((AREA, OTHER, FULL), random.randint(1, 2))
    others = [zone for zone in (0, OTHER, FULL) if zone not in zones]
    slot = random.randint(2, SLOTS - 1)
    latest = CALENDAR.start_of(own.day) + (slot - 1) * PERIOD - LEAD
    return {
        "slot": slot,
        "is_fed_in": random.random() < 0.5,
        "zones": tuple(zones),
        "barred": tuple(random.sample(others, random.randint(0, len(others)))),
        "energy": Wh(random.choice((1, random.randint(1, 3_000), (1 << 27) - 1))),
        "spread": random.randint(0, MOST),
        "budget": random.choice((1, random.randint(1, 10**7), BUDGET)),
        "closes_at": random.randint(own.market.now + PERIOD, latest),
    }


def order_something(random: Random, own: CongestedDay, number: int) -> None:
    """A member orders, changes its order or takes it back; whoever is in a barred zone is refused."""
    person = random.choice(own.people)
    zone = next((zone for zone, people in own.zones.items() if person in people), 0)
    side = own.market.replay.markets[CONTRACT].requests[number].side_of(zone)
    energy = 0 if random.random() < 0.1 else random.randint(RULES.min_order_energy, 2 * CAPACITY)
    usual = random.randint(50, 200) if side == Side.BID else random.randint(150, 300)
    tick = random.choice((0, MAX_TICK)) if random.random() < 0.1 else usual
    if side is None:
        with pytest.raises(Refused, match="ZoneBarred"):
            own.order(person, number, tick, energy)
    else:
        own.order(person, number, tick, energy)
        assert (person.id in own.sides(number)[side]) == bool(energy)


def kept_rules(own: CongestedDay, request: CongestionRequest, pairs: Sequence[Pair]) -> int:
    """What the grid operator pays, which is what is received beyond what is paid: within energy, spread and budget."""
    prices = own.rules.prices
    paid = sum(pair.received(prices) - pair.paid(prices) for pair in pairs)
    assert 0 <= paid <= request.budget
    assert sum(pair.energy for pair in pairs) <= request.energy
    for pair in pairs:
        assert pair.ask - pair.bid <= request.spread
        assert pair.paid(prices) <= pair.energy * prices.price_of(pair.bid)
        assert pair.received(prices) >= pair.energy * prices.price_of(pair.ask)
    return paid
