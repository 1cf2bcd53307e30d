"""Settlement of delivered energy: imbalance, deviation charges and fees in money units.

Every amount of a participant is a payment due: positive pays, negative receives. The words:
contracted c and metered m net consumption, imbalance d = m - c, area imbalance N = sum of d.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dem.clearing import Clearing, Column, OrderBook
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
_NO_RATE = UnitsPerWh(0)
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
    commission_cap: highest commission of an intermediary. wholesale_margin: between the wholesale price and
    what the desk trades at. penalty_cap: highest wholesale penalty. premium_rate: paid for demand response
    that helps. All units/Wh. reward_share: of the fund for accurate forecasts, 1/10,000.
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
    wholesale_margin: UnitsPerWh = _NO_RATE
    penalty_cap: UnitsPerWh = _NO_RATE
    premium_rate: UnitsPerWh = _NO_RATE
    reward_share: int = 0
    commission_cap: UnitsPerWh = _NO_RATE

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
        require_range("wholesale_margin", self.wholesale_margin, 0, MAX_TARIFF)
        require_range("penalty_cap", self.penalty_cap, 0, MAX_TARIFF)
        require_range("premium_rate", self.premium_rate, 0, MAX_TARIFF)
        require_range("reward_share", self.reward_share, 0, SHARE_SCALE)
        require_range("imbalance_pricing", self.imbalance_pricing, 0, max(ImbalancePricing))
        require_range("commission_cap", self.commission_cap, 0, MAX_TARIFF)

    @property
    def fees(self) -> UnitsPerWh:
        """Platform and network fee together, per side, units/Wh."""
        return UnitsPerWh(self.platform_fee + self.network_fee)

    @property
    def standing_tariff(self) -> Tariff:
        """The tariff of days for which none was published."""
        return Tariff(self.standing_buy, self.standing_sell)


class Trades(NamedTuple):
    """What a market contracted, one row per trade and side: who, slot, energy bought and sold in Wh, payment due in
    money units."""

    participant: Column
    slot: Column
    bought: Column
    sold: Column
    payment: Column


class Flexible(NamedTuple):
    """Energy sold back in a market that may earn the premium: who, slot, Wh."""

    participant: Column
    slot: Column
    energy: Column


class Positions(NamedTuple):
    """Energy bought and sold, Wh, and payments due, money units: a row per participant, a column per slot."""

    bought: Grid
    sold: Grid
    payments: Grid


@dataclass(frozen=True, slots=True, eq=False)
class Exchange:
    """What the wholesale desk nominated, which it delivers by definition.

    net: by slot, Wh, consumption positive: what the area imports is negative.
    penalties: units per Wh of the area's imbalance, by slot; 0 where nothing is exchanged.
    """

    desk: int
    net: Column
    penalties: Column


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
    penalties: of the wholesale desk by slot, units/Wh; none without a desk.
    flexible: energy sold back that may earn the premium, Wh; none without any.

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
    penalties: Column | None = None
    flexible: Grid | None = None

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


@dataclass(frozen=True, eq=False)
class DaySettlement:
    """Grids of a row per participant and a column per slot: energies in Wh, payments due in money units.

    imbalance is metered - contracted, imbalance_units the payment due for it, deviation the
    charge on contracted energy not kept beyond the tolerance, penalty the part in the upper market's.
    helpful, accurate: by participant over all slots, Wh, what it may claim from the balancing fund:
    energy sold back that helped the area, and energy traded beyond what deviation is charged for.
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
    accurate: Column
    area: Area

    @cached_property
    def bills(self) -> dict[int, Bill]:
        """What each participant owes; sums may exceed int64."""
        grids = (self.trade, self.imbalance_units, self.fees, self.deviation, self.penalty)
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
        return Money(sum(map(_total, (self.area.surplus, self.area.deviation, self.area.penalty_surplus))))

    def desk(self) -> Money:
        """What the wholesale desk receives for the upper market's penalties."""
        return _total(self.area.penalty)

    @cached_property
    def claims(self) -> dict[int, tuple[int, int]]:
        """Helpful and accurate energy of each participant, Wh."""
        both = zip(self.helpful.tolist(), self.accurate.tolist(), strict=True)
        return dict(zip(self.delivery.participants.tolist(), both, strict=True))

    def operator(self) -> Money:
        """What the operator receives: platform fees."""
        return _total(self.area.platform_fees)

    def grid_operator(self) -> Money:
        """What the grid operator receives: network fees."""
        return _total(self.area.network_fees)


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


def auction_trades(book: OrderBook, filled: Column, clearings: Sequence[Clearing]) -> Trades:
    """What the orders of a call auction trade, each at its slot's price."""
    prices = np.array([0 if c.price is None else price_of(c.price) for c in clearings], np.int64)
    return trades_at(book, filled, prices)


def trades_at(book: OrderBook, filled: Column, prices: Column) -> Trades:
    """What orders trade at one price per slot, units/Wh."""
    rows = np.flatnonzero(filled)
    slot, energy, is_bid = book.slot[rows], filled[rows], book.side[rows] == Side.BID
    bought, sold = np.where(is_bid, energy, 0), np.where(is_bid, 0, energy)
    return Trades(book.participant[rows], slot, bought, sold, (bought - sold) * prices[slot])


def positions(markets: Iterable[Trades], participants: Column, slots: int) -> Positions:
    """The trades of all markets by slot and participant: ascending, at least all who trade."""
    grids = Positions(*np.zeros((3, len(participants), slots), np.int64))
    for trades in markets:
        at = np.searchsorted(participants, trades.participant), trades.slot
        for grid, amounts in zip(grids, (trades.bought, trades.sold, trades.payment), strict=True):
            np.add.at(grid, at, amounts)
    return grids


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
    """Energy not kept that is free of charge, Wh: a share of |contracted| rounded down, or a fixed energy."""
    return np.maximum(rules.tolerance_fixed, abs(contracted) * rules.tolerance_share // SHARE_SCALE)


def unkept_energy(imbalance: Grid, contracted: Grid) -> Grid:
    """What was contracted and not kept, Wh: bought and not taken, or sold and not delivered."""
    crosses = np.sign(imbalance) * np.sign(contracted) < 0
    return np.where(crosses, np.minimum(abs(imbalance), abs(contracted)), 0)


def charged_energy(imbalance: Grid, area: Column, contracted: Grid, rules: MarketRules) -> Grid:
    """Energy not kept beyond the tolerance that is charged, Wh; none where it helped, unless rules say so."""
    excess = np.maximum(0, unkept_energy(imbalance, contracted) - tolerances(contracted, rules))
    helped = np.sign(imbalance) * np.sign(area) < 0
    return np.where(helped & (not rules.charge_helpful), 0, excess)


def deviation_charges(imbalance: Grid, area: Column, contracted: Grid, rules: MarketRules) -> Grid:
    """Charges on energy contracted and not kept beyond the tolerance."""
    return charged_energy(imbalance, area, contracted, rules) * rules.deviation_rate


def penalties_passed_on(imbalance: Grid, area: Column, rates: Column) -> Grid:
    """What participants pay who deviate as the area does: together no less than rate x |area imbalance|."""
    return np.where(np.sign(imbalance) * np.sign(area) > 0, abs(imbalance), 0) * rates


def helpful_energy(flexible: Grid, contracted: Grid, imbalance: Grid, area: Column) -> Column:
    """Energy sold back where the area was short, by who is a buyer still and took no more than contracted, Wh."""
    helped = (area > 0) & (contracted >= 0) & (imbalance <= 0)
    energy: Column = np.where(helped, flexible, 0).sum(axis=1)
    return energy


def accurate_energy(traded: Grid, charged: Grid) -> Column:
    """Energy traded beyond what deviation is charged for, over all slots, Wh."""
    energy: Column = traded.sum(axis=1) - charged.sum(axis=1)
    return energy


def settle(rules: MarketRules, day: Delivery) -> DaySettlement:
    """Settle the periods of a day."""
    buy, sell = (np.array([getattr(tariff, side) for tariff in day.tariffs], np.int64) for side in ("buy", "sell"))
    mid = mid_prices(buy, sell, day.prices)
    contracted = day.bought - day.sold
    imbalance = day.metered - contracted
    area = imbalance.sum(axis=0)
    price = imbalance_prices(rules.imbalance_pricing, imbalance, area, buy, sell, mid)
    imbalance_units = imbalance * price
    charged = charged_energy(imbalance, area, contracted, rules)
    deviation = charged * rules.deviation_rate
    rates = np.zeros(len(day.tariffs), np.int64) if day.penalties is None else day.penalties
    penalty = penalties_passed_on(imbalance, area, rates)
    flexible = np.zeros_like(contracted) if day.flexible is None else day.flexible
    fallback = area * np.where(area > 0, buy, sell)
    energy = (day.bought + day.sold).sum(axis=0)
    return DaySettlement(
        delivery=day,
        contracted=contracted,
        imbalance=imbalance,
        trade=day.payments,
        imbalance_units=imbalance_units,
        fees=(day.bought + day.sold) * rules.fees,
        deviation=deviation,
        penalty=penalty,
        helpful=helpful_energy(flexible, contracted, imbalance, area),
        accurate=accurate_energy(day.bought + day.sold, charged),
        area=Area(
            imbalance=area,
            price=imbalance_prices(rules.imbalance_pricing, area, area, buy, sell, mid),
            fallback=fallback,
            surplus=imbalance_units.sum(axis=0) - fallback,
            deviation=deviation.sum(axis=0),
            penalty=abs(area) * rates,
            penalty_surplus=penalty.sum(axis=0) - abs(area) * rates,
            platform_fees=energy * rules.platform_fee,
            network_fees=energy * rules.network_fee,
        ),
    )


def _total(amounts: Column) -> Money:
    """A sum that may exceed int64."""
    return Money(sum(amounts.tolist()))
