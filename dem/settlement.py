"""Settlement of delivered energy: imbalance, deviation charges and fees in money units.

Every amount of a participant is a payment due: positive pays, negative receives. The words:
contracted c and metered m net consumption, imbalance d = m - c, area imbalance N = sum of d.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dem.clearing import Column, OrderBook
from dem.errors import InputError, require_range
from dem.orders import MAX_ENERGY, MAX_LINE, Side
from dem.strips import LANE_BITS
from dem.units import Money, Tick, UnitsPerWh, Wh, price_of

TARIFF_BITS = 20
MAX_TARIFF = (1 << TARIFF_BITS) - 1
"""Highest price a tariff lane holds, units/Wh."""
SHARE_SCALE = 10_000
"""toleranceShare counts 1/10,000."""
MAX_PERIOD_ENERGY = (1 << 41) - 1
"""Wh bought, sold and metered in one period together: at the highest price and fees (2^21 units/Wh) the sums of a
period stay below 2^63. The contracts admit meters of 2^37 Wh altogether."""

Grid: TypeAlias = NDArray[np.int64]
"""A row per participant, a column per slot."""

_READING_BIAS = 1 << LANE_BITS - 2
_NO_MARGIN = Wh(0)
_NO_COMMISSION = UnitsPerWh(0)
_ESTIMATED = 1 << LANE_BITS - 1
_NOTHING_TRADED = -1


class ImbalancePricing(IntEnum):
    """How imbalances are priced.

    Single and dual (two-price) as in Regulation (EU) 2017/2195, articles 52 and 55; tariff is what
    everybody has without a market.
    """

    SINGLE = 0
    TWO_PRICE = 1
    TARIFF = 2


@dataclass(frozen=True, slots=True)
class Tariff:
    """Fallback supply of one period, units/Wh: it sells at `buy` and buys at `sell`."""

    buy: UnitsPerWh
    sell: UnitsPerWh

    def __post_init__(self) -> None:
        require_range("tariff buy", self.buy, 0, MAX_TARIFF)
        require_range("tariff sell", self.sell, 0, self.buy)

    def lane(self) -> int:
        """The 40-bit lane: buy above sell, 20 bits each."""
        return self.buy << TARIFF_BITS | self.sell

    @staticmethod
    def of_lane(lane: int) -> "Tariff":
        """The tariff in a lane.

        Raises:
            InputError: more than 40 bits, or the supplier would buy dearer than it sells.
        """
        require_range("tariff lane", lane, 0, (1 << LANE_BITS) - 1)
        return Tariff(UnitsPerWh(lane >> TARIFF_BITS), UnitsPerWh(lane & MAX_TARIFF))


@dataclass(frozen=True, slots=True)
class Reading:
    """Metered net consumption of one period (import - export), Wh, and whether it is estimated."""

    net: Wh
    estimated: bool = False

    def __post_init__(self) -> None:
        require_range("reading in Wh", self.net, -_READING_BIAS, _READING_BIAS - 1)

    def lane(self) -> int:
        """The 40-bit lane: the flag above the reading biased by 2^38."""
        return (_ESTIMATED if self.estimated else 0) | self.net + _READING_BIAS

    @staticmethod
    def of_lane(lane: int) -> "Reading":
        """The reading in a lane.

        Raises:
            InputError: more than 40 bits.
        """
        require_range("reading lane", lane, 0, (1 << LANE_BITS) - 1)
        return Reading(Wh((lane & _ESTIMATED - 1) - _READING_BIAS), bool(lane & _ESTIMATED))


def net_of_lanes(lanes: Column) -> Column:
    """Net consumption in lanes of readings, Wh, estimated or not."""
    return (lanes & _ESTIMATED - 1) - _READING_BIAS


@dataclass(frozen=True, slots=True)
class MarketRules:
    """One version of the market's parameters.

    Fees, rates, standing tariff, max_buy and commission_cap in units/Wh, tolerance_fixed and min_order_energy in
    Wh, tolerance_share in 1/10,000 of |contracted|. A period is flagged where the boundary meter
    and the sum of the meters differ by more than boundary_margin, Wh.
    """

    platform_fee: UnitsPerWh
    network_fee: UnitsPerWh
    deviation_rate: UnitsPerWh
    standing_buy: UnitsPerWh
    standing_sell: UnitsPerWh
    max_buy: UnitsPerWh
    tolerance_fixed: Wh
    tolerance_share: int
    min_order_energy: Wh
    max_layers: int
    imbalance_pricing: ImbalancePricing = ImbalancePricing.TWO_PRICE
    charge_helpful: bool = False
    boundary_margin: Wh = _NO_MARGIN
    commission_cap: UnitsPerWh = _NO_COMMISSION

    def __post_init__(self) -> None:
        require_range("platform_fee", self.platform_fee, 0, MAX_TARIFF)
        require_range("network_fee", self.network_fee, 0, MAX_TARIFF)
        require_range("deviation_rate", self.deviation_rate, 0, MAX_TARIFF)
        require_range("max_buy", self.max_buy, 0, MAX_TARIFF)
        require_range("standing_buy", self.standing_buy, 0, self.max_buy)
        require_range("standing_sell", self.standing_sell, 0, self.standing_buy)
        require_range("commission_cap", self.commission_cap, 0, MAX_TARIFF)
        require_range("tolerance_fixed", self.tolerance_fixed, 0, _READING_BIAS)
        require_range("tolerance_share", self.tolerance_share, 0, SHARE_SCALE)
        require_range("min_order_energy", self.min_order_energy, 1, MAX_ENERGY)
        require_range("max_layers", self.max_layers, 1, MAX_LINE)
        require_range("boundary_margin", self.boundary_margin, 0)
        require_range("imbalance_pricing", self.imbalance_pricing, 0, max(ImbalancePricing))

    @property
    def fees(self) -> UnitsPerWh:
        """Platform and network fee together, per side, units/Wh."""
        return UnitsPerWh(self.platform_fee + self.network_fee)

    @property
    def standing_tariff(self) -> Tariff:
        """The tariff of days for which none was published."""
        return Tariff(self.standing_buy, self.standing_sell)


@dataclass(frozen=True, slots=True, eq=False)
class Delivery:
    """A day, or some of its periods, ready to settle; grids have a row per participant and a column per slot.

    tariffs, prices: by slot; the price is the clearing price of the day-ahead auction, None if nothing traded.
    participants: everyone with a position or a meter, ascending.
    has_meter: which of them have one.
    bought, sold: what all markets contracted, Wh.
    metered: net consumption, Wh, 0 for one without a meter. Where the boundary is metered, the
    grid operator's is what the boundary meter has beyond the sum of the others: the losses.

    Raises:
        InputError: participants that do not ascend, grids of another shape, bought and sold energy that
            differ, or more energy in a period than int64 can price.
    """

    tariffs: Sequence[Tariff]
    prices: Sequence[Tick | None]
    participants: Column
    has_meter: NDArray[np.bool_]
    bought: Grid
    sold: Grid
    metered: Grid

    def __post_init__(self) -> None:
        if (np.diff(self.participants) <= 0).any():
            raise InputError("participants", self.participants.tolist(), "must ascend")
        shape = (len(self.participants), len(self.tariffs))
        for name in ("bought", "sold", "metered"):
            if getattr(self, name).shape != shape or len(self.prices) != shape[1]:
                raise InputError(name, getattr(self, name).shape, f"must be of {shape} participants and slots")
        beyond = (self.bought - self.sold).sum(axis=0)
        if beyond.any():
            raise InputError("positions", beyond.tolist(), "Wh are bought by slot beyond what is sold")
        largest = (self.bought + self.sold + abs(self.metered)).sum(axis=0).max(initial=0)
        require_range("energy of a period, Wh", int(largest), 0, MAX_PERIOD_ENERGY)


@dataclass(frozen=True, slots=True, eq=False)
class Area:
    """The whole area by slot, what is received; with the participants' payments due it sums to zero.

    imbalance: N, Wh; the energy of the fallback supplier.
    price: of being short in a short area, or long in a long one, units/Wh.
    fallback: money to the fallback supplier, negative if it pays.
    surplus: money to the balancing fund that imbalance payments leave, never negative.
    deviation: deviation charges, to the fund too.
    platform_fees, network_fees: to the operator and to the grid operator.
    """

    imbalance: Column
    price: Column
    fallback: Column
    surplus: Column
    deviation: Column
    platform_fees: Column
    network_fees: Column


class Bill(NamedTuple):
    """Payments due of one participant over all slots."""

    trade: Money
    imbalance: Money
    fees: Money
    deviation: Money


@dataclass(frozen=True, eq=False)
class DaySettlement:
    """Grids of a row per participant and a column per slot: energies in Wh, payments due in money units.

    imbalance is metered - contracted, imbalance_units the payment due for it, deviation the
    charge on what exceeds the tolerance.
    """

    delivery: Delivery
    contracted: Grid
    imbalance: Grid
    trade: Grid
    imbalance_units: Grid
    fees: Grid
    deviation: Grid
    area: Area

    @cached_property
    def bills(self) -> dict[int, Bill]:
        """What each participant owes; sums may exceed int64."""
        grids = (self.trade, self.imbalance_units, self.fees, self.deviation)
        sums = ([Money(sum(row)) for row in grid.tolist()] for grid in grids)
        return dict(zip(self.delivery.participants.tolist(), map(Bill, *sums), strict=True))

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
        return Money(_total(self.area.surplus) + _total(self.area.deviation))

    def operator(self) -> Money:
        """What the operator receives: platform fees."""
        return _total(self.area.platform_fees)

    def grid_operator(self) -> Money:
        """What the grid operator receives: network fees."""
        return _total(self.area.network_fees)


class Trades(NamedTuple):
    """What a market contracted, one row per trade and side.

    Who, slot, energy bought and sold in Wh, payment due in money units.
    """

    participant: Column
    slot: Column
    bought: Column
    sold: Column
    payment: Column


class Limit(Protocol):
    """Side, tick and energy of an order, or columns of them."""

    @property
    def side(self) -> Any: ...
    @property
    def tick(self) -> Any: ...
    @property
    def energy(self) -> Any: ...


def order_collateral(orders: Limit, rules: MarketRules, is_brokered: bool = False) -> Money:
    """Money an order locks, or all orders of columns together: what the trade may cost at worst.

    A bid pays its limit and fees. An ask that delivers nothing buys its energy back from the
    fallback supplier and pays the deviation charge and fees, less the limit it is sure to get.
    Either pays a commission as well where an intermediary orders for the member.
    """
    limit = price_of(orders.tick)
    fees = rules.fees + (rules.commission_cap if is_brokered else 0)
    ceiling = rules.max_buy + rules.deviation_rate + fees
    per_wh = np.where(orders.side == Side.BID, limit + fees, np.maximum(0, ceiling - limit))
    return Money(int((orders.energy * per_wh).sum()))


def traded(book: OrderBook, filled: Column, participants: Column, slots: int) -> tuple[Grid, Grid]:
    """Energy bought and sold in one market, Wh, by slot and participant: ascending, at least all who trade."""
    grids = np.zeros((len(Side), len(participants), slots), np.int64)
    trades = np.flatnonzero(filled)
    rows = np.searchsorted(participants, book.participant[trades])
    np.add.at(grids, (book.side[trades], rows, book.slot[trades]), filled[trades])
    return grids[Side.BID], grids[Side.ASK]


def mid_prices(buy: Column, sell: Column, prices: Sequence[Tick | None]) -> Column:
    """By slot the clearing price held within the tariff, or the tariff's middle (floor), units/Wh."""
    cleared = np.array([_NOTHING_TRADED if price is None else price_of(price) for price in prices], np.int64)
    return np.where(cleared == _NOTHING_TRADED, (buy + sell) // 2, np.clip(cleared, sell, buy))


def imbalance_prices(
    pricing: ImbalancePricing, imbalance: Grid, area: Column, buy: Column, sell: Column, mid: Column
) -> Grid:
    """Prices of the participants' imbalances d in the area imbalances N, units/Wh."""
    short = imbalance > 0
    match pricing:
        case ImbalancePricing.SINGLE:
            price = np.where(area > 0, buy, np.where(area < 0, sell, mid))
            return np.broadcast_to(price, np.shape(imbalance))
        case ImbalancePricing.TWO_PRICE:
            return np.where(short, np.where(area > 0, buy, mid), np.where(area < 0, sell, mid))
        case ImbalancePricing.TARIFF:
            return np.where(short, buy, sell)


def tolerances(contracted: Grid, rules: MarketRules) -> Grid:
    """Imbalance free of charge, Wh: a share of |contracted| rounded down, or a fixed energy."""
    return np.maximum(rules.tolerance_fixed, abs(contracted) * rules.tolerance_share // SHARE_SCALE)


def deviation_charges(imbalance: Grid, area: Column, contracted: Grid, rules: MarketRules) -> Grid:
    """Charges on imbalance beyond the tolerance; none where it helped, unless rules say so."""
    excess = np.maximum(0, abs(imbalance) - tolerances(contracted, rules))
    helped = np.sign(imbalance) * np.sign(area) < 0
    return np.where(helped & (not rules.charge_helpful), 0, excess * rules.deviation_rate)


def settle(rules: MarketRules, day: Delivery) -> DaySettlement:
    """Settle the periods of a day."""
    buy, sell = (np.array([getattr(tariff, side) for tariff in day.tariffs], np.int64) for side in ("buy", "sell"))
    mid = mid_prices(buy, sell, day.prices)
    contracted = day.bought - day.sold
    imbalance = day.metered - contracted
    area = imbalance.sum(axis=0)
    price = imbalance_prices(rules.imbalance_pricing, imbalance, area, buy, sell, mid)
    imbalance_units = imbalance * price
    deviation = deviation_charges(imbalance, area, contracted, rules)
    fallback = area * np.where(area > 0, buy, sell)
    energy = (day.bought + day.sold).sum(axis=0)
    return DaySettlement(
        delivery=day,
        contracted=contracted,
        imbalance=imbalance,
        trade=contracted * np.array([0 if tick is None else price_of(tick) for tick in day.prices], np.int64),
        imbalance_units=imbalance_units,
        fees=(day.bought + day.sold) * rules.fees,
        deviation=deviation,
        area=Area(
            imbalance=area,
            price=imbalance_prices(rules.imbalance_pricing, area, area, buy, sell, mid),
            fallback=fallback,
            surplus=imbalance_units.sum(axis=0) - fallback,
            deviation=deviation.sum(axis=0),
            platform_fees=energy * rules.platform_fee,
            network_fees=energy * rules.network_fee,
        ),
    )


def _total(amounts: Column) -> Money:
    """A sum that may exceed int64."""
    return Money(sum(amounts.tolist()))
