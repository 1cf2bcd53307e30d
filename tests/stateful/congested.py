"""Trades for the network in the machine: the grid operator asks, members order, and anybody has the orders meet."""

from collections.abc import Callable
from random import Random

from support.evm.chain import Refused
from support.evm.keys import struct
from support.evm.market import GRID_OPERATOR, STRANGER
from support.evm.people import Person
from support.evm.pools import PooledMarket

from dem.messages.orders import CongestionOrder, CongestionRequest
from dem.model.ledger import GRID_OPERATOR as GRID_OPERATOR_ID
from dem.model.markets.congestion import Request, in_order
from dem.model.units import Wh
from dem.replay.congestion import CongestionReplay

from .trading import MEMBERSHIP, MONEY

CONGESTION = "CongestionTrades"


class Congested:
    """Part of the machine."""

    random: Random
    market: PooledMarket
    people: dict[int, Person]
    _do: Callable[..., Refused | None]
    _try: Callable[..., Refused | None]
    _wait_until: Callable[[int], None]
    _deposit: Callable[[Person, int], None]
    _innocent: Callable[[], Person]

    ACTIONS = (
        (6, "ask_for_energy"),
        (12, "order_for_the_network"),
        (7, "have_orders_meet"),
    )

    def _congestion(self) -> CongestionReplay:
        market = self.market.replay.markets[CONGESTION]
        assert isinstance(market, CongestionReplay)
        return market

    def _requests(self, *, is_open: bool) -> list[int]:
        """Requests whose orders have not met, still open or not."""
        replay, now = self._congestion(), self.market.now
        return [
            number
            for number, request in replay.requests.items()
            if number not in replay.pairs and (now < request.closes_at) == is_open
        ]

    def ask_for_energy(self) -> None:
        """Out of a zone or two, or into them, in a later period of a day whose gate has closed; or too late for it."""
        random, calendar = self.random, self.market.calendar
        period, now = calendar.period_length, self.market.now
        day = max(1, (now + calendar.gate_lead - calendar.opening) // calendar.day_length + 1)
        first = -(-(now + 2 * period - calendar.start_of(day)) // period)
        slots = range(max(0, first), calendar.periods_per_day)
        slot = random.choice(slots) if slots and random.random() < 0.95 else random.randrange(calendar.periods_per_day)
        zones = random.sample((1, 2, 3), random.choice((1, 2)))
        request = CongestionRequest(
            day=day,
            slot=slot,
            is_fed_in=random.random() < 0.5,
            zones=tuple(zones),
            barred=tuple(zone for zone in (0, 1, 2, 3) if zone not in zones and random.random() < 0.1),
            energy=Wh(random.choice((1, 50, 500))),
            spread=random.choice((0, 0, 0, 1, 100)),
            budget=random.choice((1, 10**6, 10**7)),
            closes_at=now + random.choice((period, period, period - 1)),
            report=bytes(32),
            sequence=self.market.call(CONGESTION, "lastRequest") + random.choice((0, *[1] * 19)),
        )
        operator = self.people[GRID_OPERATOR_ID]
        if self.market.replay.ledger.record(GRID_OPERATOR_ID).free < request.budget and random.random() < 0.9:
            self._deposit(operator, self.market.account(GRID_OPERATOR_ID).arrears + request.budget)
        signer = GRID_OPERATOR if random.random() < 0.95 else STRANGER
        may = {"BadTerm", "GateIsOpen", "NoTimeToOrder", "TooManyRequests", *MONEY, "DayStillOpen"}
        may |= {"NotSignedBy"} if signer is STRANGER else {"StaleMessage"}
        signature = signer.sign(self.market.domain(CONGESTION), request)
        self._do(f"{CONGESTION}.request", struct(request), signature, may=may)

    def order_for_the_network(self) -> None:
        """Some, for requests that are open, mostly."""
        if not self._requests(is_open=True) and self.random.random() < 0.7:
            self.ask_for_energy()
        for _ in range(self.random.choice((1, 4, 8))):
            self._order_for_the_network()

    def _order_for_the_network(self) -> None:
        """One; or what stands is taken back."""
        random, replay, person = self.random, self._congestion(), self._innocent()
        numbers = self._requests(is_open=True) or [*replay.requests, 1]
        order = CongestionOrder(
            person.account.address,
            random.choice(numbers),
            random.choice((10, *[40, 60, 100] * 4, 2**16 - 1)),
            Wh(random.choice((0, 1, *[30, 100] * 4, 301))),
            person.next_sequence(),
        )
        signer = person.account if random.random() < 0.95 else STRANGER
        may = {"BadTerm", "NoSuchRequest", "RequestClosed", "ZoneBarred", "NotAMember", *MEMBERSHIP, *MONEY}
        may |= {"NotSignedBy"} if signer is STRANGER else set()
        signature = signer.sign(self.market.domain(CONGESTION), order)
        self._try(f"{CONGESTION}.order", struct(order), signature, may=may)

    def have_orders_meet(self) -> None:
        """Of a request that is closed, mostly, all of them in their order; or not all."""
        random, replay = self.random, self._congestion()
        waiting = self._requests(is_open=True)
        if waiting and not self._requests(is_open=False) and random.random() < 0.7:
            self._wait_until(min(replay.requests[number].closes_at for number in waiting))
        numbers = self._requests(is_open=False) or [*replay.requests]
        if not numbers:
            return
        number = random.choice(numbers)
        request = replay.requests[number]
        bids, asks = ([one.id for one in side] for side in in_order(replay.orders[number].values()))
        reasons = self._objections(number, request)
        if asks and random.random() < 0.1:
            asks = asks[1:]
            reasons.add("OrdersMissing")
        refused = self._try(f"{CONGESTION}.meet", number, bids, asks, may=reasons)
        assert bool(refused) == bool(reasons), f"request {number}: orders met in spite of {reasons}"

    def _objections(self, number: int, request: Request) -> set[str]:
        calendar, now = self.market.calendar, self.market.now
        gate = calendar.start_of(request.day) + request.slot * calendar.period_length
        objections: dict[str, bool] = {
            "HaveMet": number in self._congestion().pairs,
            "RequestOpen": now < request.closes_at,
            "TooLateToMeet": now >= gate,
        }
        return {error for error, is_true in objections.items() if is_true}
