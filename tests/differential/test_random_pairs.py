"""Random order books on the markets of pairs, against the reference model: every pair, lock and payment.

And what they refuse: pairs before the gate or the lot, books without end, orders for others, secrets out of turn.
"""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest
from support.evm.chain import GAS_LIMIT
from support.evm.keys import Key, key
from support.evm.market import ADMIN, ROLE_KEYS, STRANGER, Market, failures
from support.evm.people import Person, register, sign_sheet
from support.rules import SMALL

from dem.deployment.roles import ROLES
from dem.messages.orders import OrderSheet
from dem.model.calendar import CalendarParameters
from dem.model.markets.pairs import MAX_LINES, lot_of
from dem.model.orders import BROKERED_LAYER, Order, Side, lines_of
from dem.model.strips import LANES, pack
from dem.replay.lots import pledge_of

from .random_books import KINDS, LAYERS, Book, without_self_trade

PERIOD = 900
CALENDAR = CalendarParameters(
    opening=10_000_000,
    period_length=PERIOD,
    periods_per_day=LANES,
    open_lead=3 * PERIOD,
    gate_lead=2 * PERIOD,
    metering_lag=0,
    correction_lag=PERIOD,
)
RULES = replace(SMALL, min_order_energy=1, max_layers=LAYERS)
PLENTY = 10**17
SUPPLIER_ID = 3
ALL = 1 << 32
BOOK, LOTTERY = "OrderBook", "RandomMatching"


class PairsMarket:
    """A market whose days have one strip, with a day-ahead market of pairs besides the auction."""

    def __init__(self, contract: str, members: int, rules=RULES) -> None:
        self.contract = contract
        self.market = Market(CALENDAR, rules, CALENDAR.opens_at(1) - 100)
        self.market.act("Schedule.addMarket", self.market.contracts[contract].address, 1)
        self.people: dict[int, Person] = {}
        for n in range(members):
            person = Person.numbered(n, is_metered=False)
            register(self.market, person)
            self.people[person.id] = person
            self.market.act("Accounts.deposit", person.account.address, PLENTY, bytes([n + 1] * 32))
        self.market.act("Accounts.setCreditLimit", SUPPLIER_ID, PLENTY)
        self.day = 0

    def open_day(self) -> None:
        self.day += 1
        self.market.now = CALENDAR.opens_at(self.day)

    def close_gate(self) -> None:
        self.market.now = CALENDAR.gate_closes_at(self.day)

    def enter(self, id_: int, orders: Sequence[Order], layers: int = 0) -> None:
        """A member's orders in place of those before, up to so many layers at least."""
        words = lines_of(orders, self.day, LANES)
        count = max([*words, layers - 1]) + 1
        lines = tuple(words.get(line, pack(self.day, [0] * LANES)) for line in range(count))
        person = self.people[id_]
        sheet = OrderSheet(person.account.address, self.day, 0, person.next_sequence(), lines)
        signed = sign_sheet(self.market, sheet, person.account, self.contract)
        self.market.act(f"{self.contract}.enter", signed)

    def take_orders(self, random: Random, books: Sequence[Book]) -> None:
        """Orders by slot, in a random order of members, of whom some send theirs again."""
        orders: dict[int, list[Order]] = {}
        for slot, book in enumerate(books):
            for order in without_self_trade(book):
                orders.setdefault(order.participant, []).append(replace(order, slot=slot))
        senders = random.sample([*orders], len(orders))
        again = random.sample(senders, len(senders) // 3)
        for id_ in senders:
            self.enter(id_, orders[id_][: 1 + len(orders[id_]) // 2] if id_ in again else orders[id_])
        for id_ in again:
            self.enter(id_, orders[id_], LAYERS)

    def pair(self, random: Random) -> None:
        """All slots in any order, in parts of any size."""
        while left := [s for s in range(LANES) if not self.call("pairedSlots", self.day) >> s & 1]:
            self.market.act(f"{self.contract}.pair", self.day, random.choice(left), random.choice((1, 2, ALL)))

    def refusal(self, *arguments: int) -> str | None:
        refused = self.market.attempt(f"{self.contract}.pair", *arguments)
        return refused and refused.error

    def call(self, function: str, *arguments: object) -> int:
        return self.market.call(self.contract, function, *arguments)

    def finish(self) -> None:
        """Settle the day and end it."""
        self.market.now = CALENDAR.metering_deadline(self.day)
        self.market.act("MeterReadings.close", self.day, 1_000)
        while not self.market.call("Settlement", "isSettled", self.day):
            self.market.act("Settlement.settle", self.day, 7)
        self.market.now = CALENDAR.corrections_close_at(self.day)
        self.market.act("Settlement.finalize", self.day)


class Council:
    """Seats that pledge secrets for a day."""

    def __init__(self, own: PairsMarket, seats: int) -> None:
        self.own, self.market = own, own.market
        self.seats = [ROLE_KEYS["node"], *(self._seat(n) for n in range(1, seats))]

    def _seat(self, n: int) -> Key:
        authority, numbers = self.market.contracts["Authority"], {role.name: role.id for role in ROLES}
        self.market.chain.send(ADMIN.address, authority, "grantRole", numbers["seats"], ADMIN.address, 0)
        self.market.chain.send(ADMIN.address, authority, "grantRole", numbers["node"], key(500 + n).address, 0)
        return key(500 + n)

    def secret(self, n: int) -> bytes:
        return bytes([n + 1]) * 32

    def pledge(self, n: int, deputy: int) -> None:
        seat, day = self.seats[n], self.own.day
        hashed = pledge_of(day, seat.address, self.secret(n))
        self.market.act("Lots.pledge", day, hashed, self.seats[deputy].address, by=seat)

    def vouch(self, deputy: int, n: int) -> None:
        self.market.act("Lots.vouch", self.own.day, self.seats[n].address, by=self.seats[deputy])

    def open(self, n: int, secret: bytes | None = None) -> None:
        opened = self.secret(n) if secret is None else secret
        self.market.act("Lots.open", self.own.day, self.seats[n].address, opened)

    def lot(self) -> bytes:
        return self.market.call("Lots", "lotOf", self.own.day)

    def refuses(self, function: str, *arguments: object, by: Key | None = None) -> str | None:
        refused = self.market.attempt(f"Lots.{function}", *arguments, by=by)
        return refused and refused.error


@pytest.mark.parametrize("contract", [BOOK, LOTTERY])
def test_orders_meet_as_the_model_says(contract):
    random = Random(f"pairs/{contract}")
    own = PairsMarket(contract, 9)
    council = Council(own, 3)
    for kind in [*KINDS, *KINDS]:
        own.open_day()
        for n in range(3):
            council.pledge(n, (n + 1) % 3)
            council.vouch((n + 1) % 3, n)
        own.take_orders(random, [kind(random, [*own.people]) for _ in range(LANES)])
        own.close_gate()
        for n in random.sample(range(3), 3):
            council.open(n)
        if own.market.replay.markets[contract].book(own.day).has_orders:
            own.pair(random)
        own.finish()
    assert not failures(own.market.checks())
    assert own.market.tally.events[f"{contract}.Paired"] > LANES * len(KINDS)


def some_orders(own: PairsMarket) -> None:
    own.enter(6, [Order(6, 0, 0, Side.BID, 300, 50), Order(6, 0, 1, Side.BID, 300, 50)])
    own.enter(7, [Order(7, 0, 0, Side.ASK, 100, 20), Order(7, 1, 0, Side.ASK, 101, 20)])


def test_pairs_are_refused_out_of_turn():
    own = PairsMarket(BOOK, 2)
    own.open_day()
    some_orders(own)
    assert own.refusal(1, 0, ALL) == "GateNotClosed"
    own.close_gate()
    assert own.refusal(1, LANES, ALL) == "NoSuchSlot"
    assert own.refusal(1, 0, 0) == "NoPairs"
    assert own.refusal(0, 0, 1) == "NoSuchDay"
    own.market.act("OrderBook.pair", 1, 0, 1)
    own.market.act("OrderBook.pair", 1, 0, 1)
    assert own.refusal(1, 0, 1) == "AlreadyPaired"
    assert not own.call("isCleared", 1)
    assert own.market.attempt("Settlement.settle", 1, 7).error


def test_only_the_schedule_books():
    own = PairsMarket(BOOK, 2)
    for contract in (BOOK, LOTTERY):
        refused = own.market.attempt(f"{contract}.book", 1, 1, 1, by=STRANGER)
        assert refused.error == "AccessManagedUnauthorized"


def test_nobody_orders_for_others():
    own = PairsMarket(BOOK, 2)
    own.open_day()
    person = own.people[6]
    line = pack(1, [0] * LANES)
    sheet = OrderSheet(person.account.address, 1, BROKERED_LAYER, 1, (line,))
    refused = own.market.attempt("OrderBook.enter", sign_sheet(own.market, sheet, person.account, BOOK))
    assert refused.error in ("OwnOrdersOnly", "NotTheIntermediary")


def test_a_sheet_for_the_auction_is_none_for_the_book():
    own = PairsMarket(BOOK, 2)
    own.open_day()
    person = own.people[6]
    sheet = OrderSheet(person.account.address, 1, 0, 1, (pack(1, [0] * LANES),))
    refused = own.market.attempt("OrderBook.enter", sign_sheet(own.market, sheet, person.account))
    assert refused.error == "NotSignedByParticipant"


@pytest.mark.parametrize("contract", [BOOK, LOTTERY])
def test_a_full_book_is_paired_in_single_transactions(contract):
    """A slot with the gas of one, also if all bids hope for the one ask that is cheap, so that all meet in vain."""
    layers = 50
    own = PairsMarket(contract, MAX_LINES // layers + 1, replace(RULES, max_layers=layers))
    own.open_day()
    *ids, last = own.people
    buyers, sellers = ids[: len(ids) // 2], ids[len(ids) // 2 :]
    for id_ in buyers:
        own.enter(id_, [Order(id_, layer, 0, Side.BID, 1_000 + layer, 5) for layer in range(layers)])
    for id_ in sellers:
        limits = [2_000 + layer for layer in range(layers)]
        limits[0] = 10 if id_ == sellers[0] else 2_000
        own.enter(id_, [Order(id_, layer, 0, Side.ASK, tick, 5) for layer, tick in enumerate(limits)])
    line = pack(1, [0] * LANES).to_bytes(32)
    refused = own.market.attempt(f"{contract}.enterOwn", 1, 0, 1, [line], by=own.people[last].account)
    assert refused.error == "BookIsFull"
    own.close_gate()
    for slot in range(LANES):
        own.market.act(f"{contract}.pair", 1, slot, ALL)
        if slot == 0:
            # What the EVM here leaves out is reading each word, and who came when, for the first time.
            assert own.market.chain.evm.result.gas_used + 2 * 2_000 * MAX_LINES < GAS_LIMIT
    own.finish()
    assert not failures(own.market.checks())


# The lot


@pytest.fixture
def council():
    own = PairsMarket(LOTTERY, 2)
    own.open_day()
    return Council(own, 3)


def all_pledged(council: Council) -> None:
    for n in range(3):
        council.pledge(n, (n + 1) % 3)
        council.vouch((n + 1) % 3, n)


def test_the_lot_is_known_once_all_secrets_are_open(council):
    all_pledged(council)
    some_orders(council.own)
    council.own.close_gate()
    council.open(2)
    council.open(0)
    assert council.own.refusal(1, 0, ALL) == "NotDrawn"
    council.open(1)
    assert council.lot() == lot_of(1, [council.secret(n) for n in range(3)])
    assert council.own.refusal(1, 0, ALL) is None


def test_silence_stops_nobody(council):
    all_pledged(council)
    some_orders(council.own)
    council.own.close_gate()
    council.open(1)
    council.market.now = CALENDAR.gate_closes_at(1) + PERIOD
    assert council.lot() == lot_of(1, [council.secret(1)])
    assert council.refuses("open", 1, council.seats[0].address, council.secret(0)) == "NoTimeToOpen"
    assert council.own.refusal(1, 0, ALL) is None


def test_a_deputy_opens_what_a_seat_holds_back(council):
    all_pledged(council)
    council.own.close_gate()
    # Whoever knows it brings it: no key of the seat is asked for.
    assert council.refuses("open", 1, council.seats[0].address, council.secret(0), by=council.seats[1]) is None


def test_without_any_secret_the_lot_is_known_at_the_gate(council):
    council.own.close_gate()
    assert council.lot() == lot_of(1, [])


def test_secrets_without_a_deputy_count_as_long_as_too_few_have_one(council):
    council.pledge(0, 1)
    council.vouch(1, 0)
    council.pledge(1, 1)
    council.own.close_gate()
    council.open(1)
    council.open(0)
    assert council.lot() == lot_of(1, [council.secret(0), council.secret(1)])


def test_once_enough_have_a_deputy_no_other_counts():
    own = PairsMarket(LOTTERY, 2)
    own.open_day()
    council = Council(own, 4)
    all_pledged(council)
    council.pledge(3, 3)
    own.close_gate()
    assert council.refuses("open", 1, council.seats[3].address, council.secret(3)) == "NotPledged"
    for n in range(3):
        council.open(n)
    assert council.lot() == lot_of(1, [council.secret(n) for n in range(3)])


def test_who_has_no_seat_neither_pledges_nor_vouches(council):
    council.pledge(0, 1)
    stranger = STRANGER.address
    assert council.refuses("pledge", 1, bytes(32), stranger, by=STRANGER) == "AccessManagedUnauthorized"
    seat = council.seats[0].address
    assert council.refuses("vouch", 1, seat, by=STRANGER) == "AccessManagedUnauthorized"


def test_a_seat_is_bound_once_and_a_deputy_to_one(council):
    council.pledge(0, 2)
    council.pledge(1, 2)
    seats = [seat.address for seat in council.seats]
    assert council.refuses("pledge", 1, bytes(32), seats[1], by=council.seats[0]) == "AlreadyPledged"
    assert council.refuses("vouch", 1, seats[0], by=council.seats[1]) == "NotTheDeputy"
    assert council.refuses("vouch", 1, seats[2], by=council.seats[2]) == "NotTheDeputy"
    council.vouch(2, 0)
    assert council.refuses("vouch", 1, seats[0], by=council.seats[2]) == "NotTheDeputy"
    assert council.refuses("vouch", 1, seats[1], by=council.seats[2]) == "DeputyOfAnother"


def test_secrets_are_pledged_before_the_gate_and_opened_after_it(council):
    seats = [seat.address for seat in council.seats]
    assert council.refuses("pledge", 2, bytes(32), seats[1], by=council.seats[0]) == "NoTimeToPledge"
    council.pledge(0, 1)
    assert council.refuses("open", 1, seats[0], council.secret(0)) == "NoTimeToOpen"
    council.own.close_gate()
    assert council.refuses("pledge", 1, bytes(32), seats[1], by=council.seats[1]) == "NoTimeToPledge"
    assert council.refuses("vouch", 1, seats[0], by=council.seats[1]) == "NoTimeToPledge"
    assert council.refuses("open", 1, seats[0], council.secret(1)) == "NotPledged"
    council.open(0)
    assert council.refuses("open", 1, seats[0], council.secret(0)) == "NotPledged"


def test_a_seat_cannot_take_the_pledge_of_another(council):
    """The hash names its seat: a copy of it cannot be opened."""
    council.pledge(0, 0)
    copied = pledge_of(1, council.seats[0].address, council.secret(0))
    council.market.act("Lots.pledge", 1, copied, council.seats[1].address, by=council.seats[1])
    council.own.close_gate()
    council.open(0)
    assert council.refuses("open", 1, council.seats[1].address, council.secret(0)) == "NotPledged"
