"""Nobody pays less by silence: a search over what a member, or the grid operator, may withhold, and whether the member
states it late (rule 14.11)."""

import os
from dataclasses import replace
from itertools import product
from random import Random

import numpy as np
import pytest
from support.rules import SMALL

from dem.model.commitments import day_prices
from dem.model.imbalance import penalties
from dem.model.ledger import GRID_OPERATOR
from dem.model.positions import Exchange
from dem.model.reconciliation import TrueUp, difference
from dem.model.rules import CONTRACT_PRICINGS, MarketRules, Tariff
from dem.model.settlement import DaySettlement, Delivery, settle
from dem.model.strips import LANES

VILLAGES = int(os.environ.get("DEM_WITHHOLDING", "60"))
"""Villages in which every pattern is tried; `make test-long` tries more."""
SILENT, OTHER = 6, 7
DAYS, STRIPS = 2, 2
SLOTS = STRIPS * LANES
EVERYWHERE_READ = np.zeros(SLOTS, np.bool_)
CAPACITY = 40


class Village:
    """A member that may be silent, another one, and losses; some days long, with trades between the two."""

    def __init__(self, seed: int) -> None:
        random = self.random = Random(seed)
        self.rules: MarketRules = replace(
            SMALL,
            imbalance_pricing=random.choice(CONTRACT_PRICINGS),
            charge_helpful=random.random() < 0.5,
            tolerance_fixed=random.choice((0, 5)),
            deviation_rate=random.choice((0, 50, 50_000)),
        )
        self.has_boundary = random.random() < 0.6
        # What it takes in and feeds in, in one period too.
        self.imported = self._energies(random.choice((0, 5, CAPACITY)))
        self.exported = self._energies(random.choice((0, 5, CAPACITY)))
        self.others = self._energies(CAPACITY) - self._energies(CAPACITY)
        self.losses = self._energies(3)
        self.traded = (self._energies(30) - self._energies(30)) * random.choice((0, 1))
        self.tariffs = [[self._tariff() for _ in range(SLOTS)] for _ in range(DAYS)]
        self.exchange = [self._exchange() for _ in range(DAYS)]

    def _energies(self, most: int) -> np.ndarray:
        return np.array([[self.random.randint(0, most) for _ in range(SLOTS)] for _ in range(DAYS)], np.int64)

    def _tariff(self) -> Tariff:
        buy = self.random.randint(0, 30_000)
        return Tariff(buy, self.random.randint(0, buy))

    def _exchange(self) -> Exchange | None:
        if self.random.random() < 0.5:
            return None
        net = np.array([self.random.randint(-20, 20) for _ in range(SLOTS)], np.int64)
        return Exchange(OTHER, net, np.array([self.random.randint(0, 5_000) for _ in range(SLOTS)], np.int64))

    def settled(self, day: int, withheld: np.ndarray, unread: np.ndarray = EVERYWHERE_READ) -> DaySettlement:
        """A day, with estimates where readings are withheld. unread: where the boundary meter's are."""
        own = self.imported[day] - self.exported[day]
        counted = np.where(withheld, CAPACITY, own)
        losses = np.zeros(SLOTS, np.int64)
        if self.has_boundary:
            losses = np.where(unread, self.losses.max(), own + self.losses[day] - counted)
        bought = np.stack(
            [np.zeros(SLOTS, np.int64), np.maximum(self.traded[day], 0), np.maximum(-self.traded[day], 0)]
        )
        sold = bought[[0, 2, 1]]
        exchange = self.exchange[day]
        others = self.others[day] + (0 if exchange is None else exchange.net)
        estimated = np.zeros((3, SLOTS), np.bool_)
        estimated[0], estimated[1] = unread, withheld
        return settle(
            self.rules,
            Delivery(
                tariffs=self.tariffs[day],
                prices=[None] * SLOTS,
                participants=np.array([GRID_OPERATOR, SILENT, OTHER]),
                has_meter=np.array([True] * 3),
                bought=bought,
                sold=sold,
                metered=np.stack([losses, counted, others]),
                payments=np.zeros((3, SLOTS), np.int64),
                exchange=exchange,
                estimated=estimated,
                unknown=(withheld & (not self.has_boundary)) | unread,
            ),
        )

    def paid(self, withheld: np.ndarray, stated: tuple[bool, ...]) -> int:
        """What the silent member pays in all. withheld: by day and slot. stated: days whose truth it states late."""
        total, true_up, gap = 0, TrueUp(), np.zeros_like(withheld)
        for day in range(DAYS):
            settlement = self.settled(day, withheld[day])
            total += sum(settlement.bill_of(SILENT))
            prices = day_prices(self.rules, settlement, np.full(SLOTS, self.has_boundary))
            contracted, counted = settlement.contracted[1], settlement.delivery.metered[1]
            if not withheld[day].any():
                continue
            if stated[day]:
                truth = self.imported[day] - self.exported[day]
                total += sum(difference(self.rules, prices, contracted, counted, truth, withheld[day]))
                continue
            gap[day] = withheld[day]
            nothing = np.where(withheld[day], 0, counted)
            back = difference(self.rules, prices, contracted, counted, nothing, withheld[day])
            true_up.take_back(prices, withheld[day], back)
        # Without a reading after its last silence nothing is trued up.
        if gap.any() and not withheld[-1, -1]:
            total += sum(true_up.due(int(self.imported[gap].sum()), int(self.exported[gap].sum())))
        return total


@pytest.mark.parametrize("portion", range(6))
def test_no_pattern_of_silence_pays(portion: int) -> None:
    honest_days = np.zeros((DAYS, SLOTS), np.bool_)
    for seed in range(portion, VILLAGES, 6):
        village = Village(seed)
        honest = village.paid(honest_days, (False,) * DAYS)
        for strips in product((False, True), repeat=DAYS * STRIPS):
            withheld = np.repeat(np.array(strips), LANES).reshape(DAYS, SLOTS)
            for stated in product((False, True), repeat=DAYS):
                assert village.paid(withheld, stated) >= honest, (seed, strips, stated)


@pytest.mark.parametrize("portion", range(6))
def test_no_silence_of_the_boundary_meter_sheds_losses(portion: int) -> None:
    for seed in range(portion, 4 * VILLAGES, 6):
        village = Village(seed)
        village.has_boundary = True
        for strips in product((False, True), repeat=STRIPS):
            unread = np.repeat(np.array(strips), LANES)
            silent, honest = (
                sum(village.settled(0, EVERYWHERE_READ, where).bill_of(GRID_OPERATOR))
                for where in (unread, EVERYWHERE_READ)
            )
            assert silent >= honest, (seed, strips)


def test_the_search_finds_a_gain_where_estimates_are_what_was_read_the_day_before() -> None:
    """The rule that was rejected: who was away for a day is at zero for ever, or sells its sunniest day again."""
    village = Village(0)
    village.imported[:], village.exported[:] = 30, 0
    honest = village.paid(np.zeros((DAYS, SLOTS), np.bool_), (False,) * DAYS)
    before = sum(sum(village.settled(day, np.zeros(SLOTS, np.bool_)).bill_of(SILENT)) for day in range(DAYS))
    assert honest == before
    village.imported[:] = 0
    assert sum(sum(village.settled(day, np.zeros(SLOTS, np.bool_)).bill_of(SILENT)) for day in range(DAYS)) < honest


def test_penalties_are_within_the_dearest_and_the_lowest_price() -> None:
    due, rates = penalties(np.array([10]), Exchange(OTHER, np.array([5]), np.array([100])))
    assert (due.tolist(), rates.tolist()) == ([500], [50])
