"""Random order books on the contracts, against the reference model: price, volume, rationing and every fill."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest
from support.evm.market import Market, failures
from support.evm.people import Person, register, sign_sheet
from support.rules import SMALL

from dem.messages.orders import OrderSheet
from dem.model.calendar import CalendarParameters
from dem.model.markets.auction import OrderBook
from dem.model.orders import Order, lines_of
from dem.model.strips import LANES, pack
from dem.model.units import MAX_TICK

from .random_books import KINDS, LAYERS, Book, without_self_trade

DAYS_PER_KIND = 40
"""Six books each."""
PERIOD = 900
CALENDAR = CalendarParameters(
    opening=10_000_000,
    period_length=PERIOD,
    periods_per_day=LANES,
    open_lead=2 * PERIOD,
    gate_lead=PERIOD,
    metering_lag=0,
    correction_lag=PERIOD,
)
RULES = replace(SMALL, min_order_energy=1, max_layers=LAYERS)
PLENTY = 10**17
SUPPLIER_ID = 3
GROUP = 240
ALL_GROUPS = 1 << 32


class BookMarket:
    """A market whose days have one strip: six books that are cleared together."""

    def __init__(self, members: int, traders: Sequence[int]) -> None:
        self.market = Market(CALENDAR, RULES, CALENDAR.opens_at(1) - 100)
        self.people: dict[int, Person] = {}
        for n in range(members):
            person = Person.numbered(n, is_metered=False)
            register(self.market, person)
            self.people[person.id] = person
        self.market.act("Accounts.setCreditLimit", SUPPLIER_ID, PLENTY)
        for id_ in traders:
            account = self.people[id_].account.address
            self.market.act("Accounts.deposit", account, PLENTY, id_.to_bytes(32, "big"))
        self.traders = list(traders)
        self.day = 0

    def take_orders(self, books: Sequence[Book]) -> list[int]:
        """The next day's orders, by slot; returns the pivots after the gate."""
        self.day += 1
        self.market.now = CALENDAR.opens_at(self.day)
        orders: dict[int, list[Order]] = defaultdict(list)
        for slot, book in enumerate(books):
            for order in without_self_trade(book):
                orders[order.participant].append(replace(order, slot=slot))
        for id_, own in orders.items():
            words = lines_of(own, self.day, LANES)
            lines = tuple(words.get(line, pack(self.day, [0] * LANES)) for line in range(max(words) + 1))
            person = self.people[id_]
            sheet = OrderSheet(person.account.address, self.day, 0, person.next_sequence(), lines)
            self.market.act("CallAuction.enter", sign_sheet(self.market, sheet, person.account))
        self.market.now = CALENDAR.gate_closes_at(self.day)
        return [outcome.pivot for outcome in self.market.replay.book(self.day).clearing]

    def clear(self, pivots: Sequence[int], groups: int = ALL_GROUPS) -> int:
        """Clear the day's strip; returns how many transactions it took."""
        transactions = 0
        while not self.market.call("CallAuction", "isCleared", self.day):
            self.market.act("CallAuction.clear", self.day, 0, pivots, groups)
            transactions += 1
        return transactions

    def refuses(self, pivots: Sequence[int]) -> bool:
        """Whether the strip cannot be cleared at once with these pivots."""
        refused = self.market.attempt("CallAuction.clear", self.day, 0, pivots, ALL_GROUPS)
        return refused is not None and refused.error == "WrongPivot"

    def finish(self) -> None:
        """Settle the day and end it."""
        self.market.now = CALENDAR.metering_deadline(self.day)
        self.market.act("MeterReadings.close", self.day, 1_000)
        while not self.market.call("Settlement", "isSettled", self.day):
            self.market.act("Settlement.settle", self.day, 150)
        self.market.now = CALENDAR.corrections_close_at(self.day)
        self.market.act("Settlement.finalize", self.day)

    def check(self) -> None:
        """Every price and fill of all days as the reference model has them."""
        assert not failures(self.market.checks())
        assert self.market.tally.events["CallAuction.Cleared"] == self.day * LANES


def with_lane(pivots: Sequence[int], k: int, value: int) -> list[int]:
    """The pivots with one of them changed."""
    return [value if lane == k else pivot for lane, pivot in enumerate(pivots)]


def steps_of(orders: OrderBook) -> int:
    """Steps of a clearing: each group's layers up to its last, and one more where it has fewer than another group."""
    of_group = dict.fromkeys(range(int(orders.participant.max(initial=0)) // GROUP + 1), 0)
    for participant, layer in zip(orders.participant.tolist(), orders.layer.tolist(), strict=True):
        of_group[participant // GROUP] = max(of_group[participant // GROUP], layer + 1)
    highest = max(of_group.values())
    return sum(layers + (layers < highest) for layers in of_group.values()) if highest else 1


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_books_clear_and_fill_as_the_model_says(kind):
    random = Random(f"books/{kind.__name__}")
    market = BookMarket(10, range(6, 16))
    for _ in range(DAYS_PER_KIND):
        pivots = market.take_orders([kind(random, market.traders) for _ in range(LANES)])
        k = random.randrange(LANES)
        for near in (pivots[k] - 1, pivots[k] + 1):
            assert not 0 <= near <= MAX_TICK or market.refuses(with_lane(pivots, k, near))
        market.clear(pivots, random.choice((1, 2, ALL_GROUPS)))
        market.finish()
    market.check()


def test_no_pivot_but_the_lowest_equilibrium_price_is_taken():
    random = Random("pivots")
    market = BookMarket(6, range(6, 12))
    for kind in KINDS:
        pivots = market.take_orders([kind(random, market.traders) for _ in range(LANES)])
        k = random.randrange(LANES)
        taken = [t for t in range(MAX_TICK + 1) if t != pivots[k] and not market.refuses(with_lane(pivots, k, t))]
        assert taken == []
        market.clear(pivots)
        market.finish()


def test_books_of_many_groups_clear_one_group_at_a_time():
    random = Random("groups")
    traders = [6, 7, GROUP - 1, GROUP, GROUP + 1, 2 * GROUP - 1, 2 * GROUP, 2 * GROUP + 1]
    market = BookMarket(2 * GROUP, traders)
    for kind in KINDS:
        pivots = market.take_orders([kind(random, traders) for _ in range(LANES)])
        orders = market.market.replay.book(market.day).standing
        steps = steps_of(orders)
        # Whoever starts with a wrong pivot does not get in the way, however far it gets.
        wrong = with_lane(pivots, 0, pivots[0] + 1 if pivots[0] < MAX_TICK else 0)
        for _ in range(random.randrange(steps)):
            market.market.act("CallAuction.clear", market.day, 0, wrong, 1)
        assert market.clear(pivots, groups=1) == steps
        market.finish()
    market.check()
