"""Settlement of delivered energy: imbalance, deviation charges and fees in money units.

Every amount of a participant is a payment due: positive pays, negative receives. The words:
contracted c and metered m net consumption, imbalance d = m - c, area imbalance N = sum of d.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dem.errors import InputError, require_range
from dem.model.imbalance import (
    charged_energy,
    helpful_energy,
    imbalance_payments,
    imbalance_prices,
    kept_energy,
    mid_prices,
    penalties,
    penalties_passed_on,
)
from dem.model.markets.auction import Column
from dem.model.positions import Exchange, Grid, no_exchange
from dem.model.rules import MarketRules, Tariff
from dem.model.units import Money, Tick

MAX_PERIOD_ENERGY = (1 << 41) - 1
"""Wh bought, sold and metered in one period together: at the highest price and fees (2^21 units/Wh) the sums of a
period stay below 2^63. The contracts admit meters of 2^37 Wh altogether."""


@dataclass(frozen=True, slots=True, eq=False)
class Delivery:
    """A day, or some of its periods, ready to settle; grids have a row per participant and a column per slot.

    tariffs, prices: by slot; the price is the clearing price of the day-ahead auction, None if nothing traded.
    participants: everyone with a position or a meter, ascending.
    has_meter: which of them have one.
    bought, sold: what all markets contracted, Wh.
    metered: net consumption, Wh, 0 for one without a meter. Where the boundary is metered, the
    grid operator's is what the boundary meter has beyond the sum of the others: the losses. The
    wholesale desk's has what it nominated.
    payments: due for the trades of all markets, money units.
    flexible: energy sold back that may earn the premium, Wh; none without any.
    estimated: where no meter has read; none without any.
    unknown: slots in which the area's energy is not known: somebody is estimated, and no boundary meter counts.
    exchange: of the wholesale desk, which earns no reward for it; None if nothing was exchanged.

    Raises:
        InputError: participants that do not ascend, grids of another shape, bought and sold energy, or payments
            due and received, that differ, or more energy in a period than int64 can price.
    """

    tariffs: Sequence[Tariff]
    prices: Sequence[Tick | None]
    participants: Column
    has_meter: NDArray[np.bool_]
    bought: Grid
    sold: Grid
    metered: Grid
    payments: Grid
    flexible: Grid | None = None
    exchange: Exchange | None = None
    estimated: NDArray[np.bool_] | None = None
    unknown: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        if (np.diff(self.participants) <= 0).any():
            raise InputError("participants", self.participants.tolist(), "must ascend")
        shape = (len(self.participants), len(self.tariffs))
        for name in ("bought", "sold", "metered", "payments"):
            if getattr(self, name).shape != shape or len(self.prices) != shape[1]:
                raise InputError(name, getattr(self, name).shape, f"must be of {shape} participants and slots")
        beyond = (self.bought - self.sold).sum(axis=0)
        if beyond.any():
            raise InputError("positions", beyond.tolist(), "Wh are bought by slot beyond what is sold")
        paid = self.payments.sum(axis=0)
        if paid.any():
            raise InputError("payments", paid.tolist(), "money units are due by slot beyond what is received")
        largest = (self.bought + self.sold + abs(self.metered)).sum(axis=0).max(initial=0)
        require_range("energy of a period, Wh", int(largest), 0, MAX_PERIOD_ENERGY)

    def estimates(self, row: int) -> NDArray[np.bool_]:
        """Slots in which no meter of the participant in a row has read."""
        none: NDArray[np.bool_] = np.zeros(len(self.tariffs), np.bool_)
        return none if self.estimated is None else self.estimated[row]


@dataclass(frozen=True, slots=True, eq=False)
class Area:
    """The whole area by slot, what is received; with the participants' payments due it sums to zero.

    imbalance: N, Wh; the energy of the fallback supplier.
    price: of being short in a short area, or long in a long one, units/Wh.
    fallback: money to the fallback supplier, negative if it pays.
    surplus: money to the balancing fund that imbalance payments leave, never negative.
    deviation: deviation charges, to the fund too.
    penalty: penalties of the upper market, to the wholesale desk.
    penalty_surplus: money to the fund that penalties of members leave, never negative.
    platform_fees, network_fees: to the operator and to the grid operator.
    """

    imbalance: Column
    price: Column
    fallback: Column
    surplus: Column
    deviation: Column
    penalty: Column
    penalty_surplus: Column
    platform_fees: Column
    network_fees: Column


class Bill(NamedTuple):
    """Payments due of one participant over all slots."""

    trade: Money
    imbalance: Money
    fees: Money
    deviation: Money
    penalty: Money


_NO_BILL = Bill(Money(0), Money(0), Money(0), Money(0), Money(0))


@dataclass(frozen=True, eq=False)
class DaySettlement:
    """Grids of a row per participant and a column per slot: energies in Wh, payments due in money units.

    imbalance is metered - contracted, imbalance_units the payment due for it, deviation the
    charge on contracted energy not kept beyond the tolerance, penalty the part in the upper market's.
    helpful, kept: by participant over all slots, Wh, what it may claim from the balancing fund:
    energy sold back that helped the area, and net energy delivered as contracted.
    """

    delivery: Delivery
    contracted: Grid
    imbalance: Grid
    trade: Grid
    imbalance_units: Grid
    fees: Grid
    deviation: Grid
    penalty: Grid
    helpful: Column
    kept: Column
    area: Area

    @cached_property
    def bills(self) -> dict[int, Bill]:
        """What each participant owes; sums may exceed int64."""
        grids = (self.trade, self.imbalance_units, self.fees, self.deviation, self.penalty)
        sums = ([Money(sum(row)) for row in grid.tolist()] for grid in grids)
        return dict(zip(self.delivery.participants.tolist(), map(Bill, *sums), strict=True))

    def bill_of(self, id_: int) -> Bill:
        """What a member owes: nothing without a meter or a position."""
        return self.bills.get(id_, _NO_BILL)

    @cached_property
    def schedule(self) -> dict[int, Column]:
        """Contracted energy of each participant by slot, Wh."""
        return dict(zip(self.delivery.participants.tolist(), self.contracted, strict=True))

    @property
    def has_row(self) -> NDArray[np.bool_]:
        """Where there is something to settle: in all slots of who has a meter, else where it traded."""
        return self.delivery.has_meter[:, np.newaxis] | (self.delivery.bought + self.delivery.sold > 0)

    def fallback(self) -> Money:
        """What the fallback supplier receives."""
        return _total(self.area.fallback)

    def fund(self) -> Money:
        """What the balancing fund receives."""
        return Money(sum(map(_total, (self.area.surplus, self.area.deviation, self.area.penalty_surplus))))

    def desk(self) -> Money:
        """What the wholesale desk receives for the upper market's penalties."""
        return _total(self.area.penalty)

    @cached_property
    def claims(self) -> dict[int, tuple[int, int]]:
        """Helpful and kept energy of each participant, Wh."""
        both = zip(self.helpful.tolist(), self.kept.tolist(), strict=True)
        return dict(zip(self.delivery.participants.tolist(), both, strict=True))

    def operator(self) -> Money:
        """What the operator receives: platform fees."""
        return _total(self.area.platform_fees)

    def grid_operator(self) -> Money:
        """What the grid operator receives: network fees."""
        return _total(self.area.network_fees)


def settle(rules: MarketRules, day: Delivery) -> DaySettlement:
    """Settle the periods of a day."""
    buy, sell = (np.array([getattr(tariff, side) for tariff in day.tariffs], np.int64) for side in ("buy", "sell"))
    mid = mid_prices(buy, sell, day.prices, rules.prices)
    contracted = day.bought - day.sold
    imbalance = day.metered - contracted
    area = imbalance.sum(axis=0)
    imbalance_units, levied = imbalance_payments(rules, imbalance, buy, sell, mid, day.unknown, day.estimated)
    estimated = np.zeros_like(imbalance, np.bool_) if day.estimated is None else day.estimated
    charged = charged_energy(imbalance, area, contracted, rules, estimated)
    deviation = charged * rules.deviation_rate
    exchange = day.exchange or no_exchange(len(day.tariffs))
    due, rates = penalties(area, exchange, day.unknown)
    penalty = penalties_passed_on(imbalance, area, rates)
    flexible = np.zeros_like(contracted) if day.flexible is None else day.flexible
    helpful = helpful_energy(flexible, contracted, imbalance, area)
    kept = kept_energy(contracted, day.metered)
    kept[day.participants == exchange.desk] = 0
    # A day that is estimated, be it in part, is no forecast that came true.
    kept[estimated.any(axis=1)] = helpful[estimated.any(axis=1)] = 0
    fallback = area * np.where(area > 0, buy, sell)
    energy = (day.bought + day.sold).sum(axis=0)
    return DaySettlement(
        delivery=day,
        contracted=contracted,
        imbalance=imbalance,
        trade=day.payments,
        imbalance_units=imbalance_units,
        fees=(day.bought + day.sold) * rules.fees + levied * rules.network_fee,
        deviation=deviation,
        penalty=penalty,
        helpful=helpful,
        kept=kept,
        area=Area(
            imbalance=area,
            price=imbalance_prices(rules.imbalance_pricing, area, area, buy, sell, mid, day.unknown),
            fallback=fallback,
            surplus=imbalance_units.sum(axis=0) - fallback,
            deviation=deviation.sum(axis=0),
            penalty=due,
            penalty_surplus=penalty.sum(axis=0) - due,
            platform_fees=energy * rules.platform_fee,
            network_fees=(energy + levied.sum(axis=0)) * rules.network_fee,
        ),
    )


def _total(amounts: Column) -> Money:
    """A sum that may exceed int64."""
    return Money(sum(amounts.tolist()))
