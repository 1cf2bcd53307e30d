"""The events of an invented market, as its contracts would emit them: day after day, orders of the next before the
readings of the one before."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dem.chain.events import Event
from dem.deployment.plan import rules_tuple
from dem.messages.readings import Register, pack_registers
from dem.model.collateral import order_collateral
from dem.model.ledger import CLEARING_HOUSE, Ledger, Posting
from dem.model.orders import decode_lanes
from dem.model.positions import auction_trades, positions
from dem.model.readings import Reading
from dem.model.rules import Tariff
from dem.model.settlement import Delivery, settle
from dem.model.strips import LANE_BITS, LANES, pack
from dem.replay.book import Book
from dem.replay.members import KINDS
from dem.replay.record import Balances
from support.rules import FIELDS, SMALL

RULES = SMALL
TARIFF = Tariff(29_000, 3_000)
OFFICES = ("fund", "clearing_house", "fallback_supplier", "operator", "grid_operator")
DEPOSIT = 10**12
BLOCKS_PER_DAY = 10


@dataclass
class InventedMarket:
    """So many members and days; the same events for the same numbers."""

    members: int
    days: int
    periods: int = 96
    seed: int = 1
    ledger: Ledger = field(default_factory=Ledger)
    """As the model has it after the events that were taken."""

    def __post_init__(self) -> None:
        self._random = np.random.default_rng(self.seed)
        self._books: dict[int, Book] = {}
        self._locked: dict[tuple[int, int], int] = {}
        self._places = 0
        self._registers: dict[int, Register] = {}

    @property
    def ids(self) -> range:
        """Numbers of the members who trade."""
        return range(6, 6 + self.members)

    def address(self, id_: int) -> str:
        """A member's account."""
        return f"0x{0 if id_ <= 2 else id_:040x}"

    def balances(self) -> Balances:
        """What the chain would say after the events that were taken."""
        accounts = {id_: self.ledger.record(id_) for id_ in (*range(1, 6), *self.ids)}
        return Balances(accounts, self.ledger.supply())

    def events(self) -> Iterator[Event]:
        """Everything from the first admission to the last day's end."""
        yield from self._members()
        for day in range(1, self.days + 2):
            if day <= self.days:
                yield from self._auction(day)
            if day > 1:
                yield from self._settling(day - 1)

    def _event(self, contract: str, name: str, **args: Any) -> Event:
        self._places += 1
        block = self._places // BLOCKS_PER_DAY
        return Event(contract, name, args, block, f"0x{block:064x}", self._places % BLOCKS_PER_DAY)

    def _members(self) -> Iterator[Event]:
        rules = dict(zip(FIELDS, rules_tuple(RULES), strict=True))
        yield self._event("MarketRules", "PriceRangeSet", lowest=RULES.prices.lowest, tick=RULES.prices.tick)
        yield self._event("MarketRules", "RulesChanged", firstDay=1, rules=rules)
        for id_, kind in (*enumerate(OFFICES, start=1), *((id_, "consumer") for id_ in self.ids)):
            yield self._event(
                "ParticipantRegistry",
                "Admitted",
                id=id_,
                account=self.address(id_),
                meter=self.address(1_000_000 + id_),
                kind=KINDS.index(kind),
                firstDay=1,
            )
        self.ledger.set_credit_limit(3, DEPOSIT)
        yield self._event("Accounts", "CreditLimitSet", id=3, limit=DEPOSIT)
        for id_ in self.ids:
            self.ledger.deposit(id_, DEPOSIT)
            yield self._event("Accounts", "Deposited", id=id_, amount=DEPOSIT, paymentReference=b"\1" * 32)

    def _auction(self, day: int) -> Iterator[Event]:
        book = self._books[day] = Book(day, self.periods)
        words = [pack(day, [TARIFF.lane(RULES.prices)] * LANES)] * (self.periods // LANES)
        yield self._event("FallbackSupply", "TariffsPublished", day=day, words=words)
        for id_ in self.ids:
            side = int(self._random.random() < 0.4)
            ticks = self._random.integers(20, 280, self.periods)
            energy = self._random.integers(0, 900, self.periods)  # none: no order in this slot
            lanes = np.where(energy > 0, side << 39 | ticks << 27 | energy, 0).tolist()
            lines = [pack(day, lanes[at : at + LANES]).to_bytes(32, "big") for at in range(0, self.periods, LANES)]
            args = {"id": id_, "day": day, "sequence": 1, "firstLine": 0, "lines": lines}
            book.accept(args)
            self._locked[id_, day] = order_collateral(decode_lanes(np.array(lanes)), RULES)
            self.ledger.lock(id_, self._locked[id_, day])
            yield self._event("CallAuction", "SheetAccepted", **args)
        for slot, c in enumerate(book.clearing):
            yield self._event(
                "CallAuction",
                "Cleared",
                day=day,
                slot=slot,
                price=c.price or 0,
                volume=c.volume,
                rationed=0 if c.rationed is None else c.rationed + 1,
                share=c.share,
                marginal=c.marginal,
            )

    def _settling(self, day: int) -> Iterator[Event]:
        book = self._books.pop(day)
        participants = np.array([5, *self.ids])
        trades = auction_trades(book.standing, book.fills, book.clearing, RULES.prices)
        bought, sold, payments = positions([trades], participants, self.periods)
        metered = bought - sold + self._random.integers(-60, 60, bought.shape)
        metered[0] = 0  # no boundary meter
        for id_, net in zip(self.ids, metered[1:].tolist(), strict=True):
            registers = [self._registers.get(id_, Register(0, 0))]
            for energy in net:
                last = registers[-1]
                registers.append(Register(last.imported + max(energy, 0), last.exported + max(-energy, 0)))
            self._registers[id_] = registers[-1]
            yield self._event(
                "MeterReadings",
                "ReadingsAccepted",
                id=id_,
                day=day,
                firstStrip=0,
                registers=pack_registers(registers),
                leftOut=0,
                substituted=0,
            )
        settled = settle(
            RULES,
            Delivery(
                tariffs=[TARIFF] * self.periods,
                prices=[c.price for c in book.clearing],
                participants=participants,
                has_meter=np.ones(len(participants), bool),
                bought=bought,
                sold=sold,
                metered=metered,
                payments=payments,
            ),
        )
        for id_ in participants.tolist():
            lanes = [Reading(net).lane() for net in settled.schedule[id_].tolist()]
            strips = (lanes[at : at + LANES] for at in range(0, self.periods, LANES))
            net = [sum(lane << LANE_BITS * k for k, lane in enumerate(strip)) for strip in strips]
            yield self._event("Schedule", "Scheduled", id=id_, day=day, net=net)
        yield self._event("Settlement", "SettlementBegun", day=day, readingsVersion=0)
        yield from self._post([Posting(3, settled.fallback())])
        for id_, bill in settled.bills.items():
            yield self._event("Settlement", "Settled", id=id_, day=day, **bill._asdict())
        yield from self._post(
            [Posting(id_, -sum(bill), self._locked.pop((id_, day), 0)) for id_, bill in settled.bills.items()]
        )
        offices = (1, settled.fund()), (4, settled.operator()), (5, settled.grid_operator())
        yield from self._post([Posting(*paid) for paid in offices])
        yield self._event(
            "Settlement",
            "DaySettled",
            day=day,
            fallbackSupply=settled.fallback(),
            fund=settled.fund(),
            operator=settled.operator(),
            grid=settled.grid_operator(),
        )
        yield self._event("MarketRules", "DayFinal", day=day)

    def _post(self, postings: list[Posting]) -> Iterator[Event]:
        batch = [*postings, Posting(CLEARING_HOUSE, -sum(posting.amount for posting in postings))]
        self.ledger.post(batch)
        for posting in batch:
            yield self._event("Accounts", "Posted", id=posting.account, amount=posting.amount, release=posting.release)
