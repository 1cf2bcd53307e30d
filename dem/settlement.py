"""Settlement of delivered energy: imbalance, deviation charges and fees in money units.

Every amount of a participant is a payment due: positive pays, negative receives. The words:
contracted c and metered m net consumption, imbalance d = m - c, area imbalance N = sum of d.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

from dem.clearing import Clearing, fills
from dem.errors import InputError, require_range
from dem.orders import MAX_ENERGY, MAX_LINE, Order, Side
from dem.strips import LANE_BITS
from dem.units import Money, Tick, UnitsPerWh, Wh, price_of

TARIFF_BITS = 20
MAX_TARIFF = (1 << TARIFF_BITS) - 1
"""Highest price a tariff lane holds, units/Wh."""
SHARE_SCALE = 10_000
"""toleranceShare counts 1/10,000."""

_READING_BIAS = 1 << LANE_BITS - 2
_NO_MARGIN = Wh(0)
_ESTIMATED = 1 << LANE_BITS - 1


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


@dataclass(frozen=True, slots=True)
class MarketRules:
    """One version of the market's parameters.

    Fees, rates, standing tariff and max_buy in units/Wh, tolerance_fixed and min_order_energy in
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

    def __post_init__(self) -> None:
        require_range("platform_fee", self.platform_fee, 0, MAX_TARIFF)
        require_range("network_fee", self.network_fee, 0, MAX_TARIFF)
        require_range("deviation_rate", self.deviation_rate, 0, MAX_TARIFF)
        require_range("max_buy", self.max_buy, 0, MAX_TARIFF)
        require_range("standing_buy", self.standing_buy, 0, self.max_buy)
        require_range("standing_sell", self.standing_sell, 0, self.standing_buy)
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


@dataclass(frozen=True, slots=True)
class Position:
    """What all markets contracted for one participant and period: Wh, and money due for it."""

    participant: int
    bought: Wh
    sold: Wh
    trade: Money


@dataclass(frozen=True, slots=True)
class Delivery:
    """One period ready to settle.

    price: clearing price of the day-ahead auction, None if nothing traded.
    metered: {participant: net consumption, Wh} of everyone with a position or a meter, 0 for one
    without a meter. Where the boundary is metered, the grid operator's is what the boundary meter
    has beyond the sum of the others: the losses.
    """

    tariff: Tariff
    price: Tick | None
    positions: Sequence[Position]
    metered: Mapping[int, Wh]


@dataclass(frozen=True, slots=True)
class Row:
    """One participant and slot: energies in Wh, payments due in money units.

    imbalance is metered - contracted, imbalance_units the payment due for it, deviation the
    charge on what exceeds the tolerance.
    """

    participant: int
    slot: int
    contracted: Wh
    metered: Wh
    imbalance: Wh
    trade: Money
    imbalance_units: Money
    fees: Money
    deviation: Money

    @property
    def due(self) -> Money:
        """All payments due together."""
        return Money(self.trade + self.imbalance_units + self.fees + self.deviation)


@dataclass(frozen=True, slots=True)
class Area:
    """One slot of the whole area, what is received; with the rows' payments due it sums to zero.

    imbalance: N, Wh; the energy of the fallback supplier.
    fallback: money to the fallback supplier, negative if it pays.
    surplus: money to the balancing fund that imbalance payments leave, never negative.
    deviation: deviation charges, to the fund too.
    platform_fees, network_fees: to the operator and to the grid operator.
    """

    slot: int
    imbalance: Wh
    fallback: Money
    surplus: Money
    deviation: Money
    platform_fees: Money
    network_fees: Money


@dataclass(frozen=True)
class DaySettlement:
    """All rows of a day, by slot then participant, and its areas by slot."""

    rows: tuple[Row, ...]
    areas: tuple[Area, ...]

    @cached_property
    def _rows_by_participant(self) -> dict[int, list[Row]]:
        rows: dict[int, list[Row]] = {}
        for row in self.rows:
            rows.setdefault(row.participant, []).append(row)
        return rows

    def rows_of(self, participant: int) -> list[Row]:
        """One participant's rows, by slot; none if it has neither a meter nor a position."""
        return self._rows_by_participant.get(participant, [])

    def due(self) -> dict[int, Money]:
        """Payment due per participant, netted over the day."""
        totals: dict[int, Money] = {}
        for row in self.rows:
            totals[row.participant] = Money(totals.get(row.participant, 0) + row.due)
        return totals

    def fallback(self) -> Money:
        """What the fallback supplier receives."""
        return Money(sum(area.fallback for area in self.areas))

    def fund(self) -> Money:
        """What the balancing fund receives."""
        return Money(sum(area.surplus + area.deviation for area in self.areas))

    def operator(self) -> Money:
        """What the operator receives: platform fees."""
        return Money(sum(area.platform_fees for area in self.areas))

    def grid_operator(self) -> Money:
        """What the grid operator receives: network fees."""
        return Money(sum(area.network_fees for area in self.areas))


def order_collateral(order: Order, rules: MarketRules) -> Money:
    """Money an order locks: what its trade may cost at worst.

    A bid pays its limit and fees. An ask that delivers nothing buys its energy back from the
    fallback supplier and pays the deviation charge and fees, less the limit it is sure to get.
    """
    limit = price_of(order.tick)
    if order.side == Side.BID:
        return Money(order.energy * (limit + rules.fees))
    ceiling = rules.max_buy + rules.deviation_rate + rules.fees
    return Money(order.energy * max(0, ceiling - limit))


def positions_of(orders: Sequence[Order], clearing: Clearing) -> list[Position]:
    """Positions the auction leaves in one period, by participant; none for who traded nothing."""
    bought: dict[int, int] = {}
    sold: dict[int, int] = {}
    for order, energy in zip(orders, fills(orders, clearing), strict=True):
        book = bought if order.side == Side.BID else sold
        if energy:
            book[order.participant] = book.get(order.participant, 0) + energy
    price = 0 if clearing.price is None else price_of(clearing.price)
    return [
        Position(i, Wh(b), Wh(s), Money((b - s) * price))
        for i in sorted(bought.keys() | sold.keys())
        for b, s in [(bought.get(i, 0), sold.get(i, 0))]
    ]


def estimate(readings: Sequence[Reading | None], preceding: Sequence[Reading | None]) -> list[Reading]:
    """A participant's day with missing readings replaced by the preceding day's, else zero.

    Shapes: one entry per slot in both; replacements are flagged as estimated.
    """
    return [
        reading or Reading(Wh(0) if before is None else before.net, estimated=True)
        for reading, before in zip(readings, preceding, strict=True)
    ]


def mid_price(tariff: Tariff, price: Tick | None) -> UnitsPerWh:
    """Clearing price held within the tariff, or the tariff's middle (floor), units/Wh."""
    if price is None:
        return UnitsPerWh((tariff.buy + tariff.sell) // 2)
    return min(max(price_of(price), tariff.sell), tariff.buy)


def imbalance_price(pricing: ImbalancePricing, imbalance: Wh, area: Wh, tariff: Tariff, mid: UnitsPerWh) -> UnitsPerWh:
    """Price of one participant's imbalance d in an area imbalance N, units/Wh."""
    short = imbalance > 0
    match pricing:
        case ImbalancePricing.SINGLE:
            return tariff.buy if area > 0 else tariff.sell if area < 0 else mid
        case ImbalancePricing.TWO_PRICE if short:
            return tariff.buy if area > 0 else mid
        case ImbalancePricing.TWO_PRICE:
            return tariff.sell if area < 0 else mid
        case ImbalancePricing.TARIFF:
            return tariff.buy if short else tariff.sell


def tolerance(contracted: Wh, rules: MarketRules) -> Wh:
    """Imbalance free of charge, Wh: a share of |contracted| rounded down, or a fixed energy."""
    share = abs(contracted) * rules.tolerance_share // SHARE_SCALE
    return Wh(max(rules.tolerance_fixed, share))


def deviation_charge(imbalance: Wh, area: Wh, contracted: Wh, rules: MarketRules) -> Money:
    """Charge on imbalance beyond the tolerance; none where it helped, unless rules say so."""
    helped = imbalance * area < 0
    if helped and not rules.charge_helpful:
        return Money(0)
    excess = max(0, abs(imbalance) - tolerance(contracted, rules))
    return Money(excess * rules.deviation_rate)


def settle_period(rules: MarketRules, slot: int, delivery: Delivery) -> tuple[list[Row], Area]:
    """Settle one period: a row per metered participant, by participant, and the area.

    Raises:
        InputError: bought and sold energy or trade money do not balance, two positions of one
            participant, or a position without a reading.
    """
    positions = _by_participant(delivery)
    contracted = {i: Wh(position.bought - position.sold) for i, position in positions.items()}
    imbalances = {i: Wh(m - contracted[i]) for i, m in delivery.metered.items()}
    area = Wh(sum(imbalances.values()))
    mid = mid_price(delivery.tariff, delivery.price)
    rows = []
    for i, position in sorted(positions.items()):
        d = imbalances[i]
        price = imbalance_price(rules.imbalance_pricing, d, area, delivery.tariff, mid)
        rows.append(
            Row(
                participant=i,
                slot=slot,
                contracted=contracted[i],
                metered=delivery.metered[i],
                imbalance=d,
                trade=position.trade,
                imbalance_units=Money(d * price),
                fees=Money((position.bought + position.sold) * rules.fees),
                deviation=deviation_charge(d, area, contracted[i], rules),
            )
        )
    traded = sum(position.bought + position.sold for position in positions.values())
    fallback = area * (delivery.tariff.buy if area > 0 else delivery.tariff.sell)
    return rows, Area(
        slot=slot,
        imbalance=area,
        fallback=Money(fallback),
        surplus=Money(sum(row.imbalance_units for row in rows) - fallback),
        deviation=Money(sum(row.deviation for row in rows)),
        platform_fees=Money(traded * rules.platform_fee),
        network_fees=Money(traded * rules.network_fee),
    )


def settle_day(rules: MarketRules, deliveries: Sequence[Delivery]) -> DaySettlement:
    """Settle a day, one delivery per slot from slot 0 on.

    Raises:
        InputError: as settle_period.
    """
    rows: list[Row] = []
    areas = []
    for slot, delivery in enumerate(deliveries):
        period_rows, area = settle_period(rules, slot, delivery)
        rows.extend(period_rows)
        areas.append(area)
    return DaySettlement(tuple(rows), tuple(areas))


def _by_participant(delivery: Delivery) -> dict[int, Position]:
    """A position for everyone with a reading, empty for who traded nothing."""
    positions = {i: Position(i, Wh(0), Wh(0), Money(0)) for i in delivery.metered}
    traded = [position.participant for position in delivery.positions]
    if len(set(traded)) < len(traded):
        raise InputError("positions", traded, "must be one per participant")
    if unmetered := sorted(set(traded) - positions.keys()):
        raise InputError("positions", unmetered, "are participants without a reading")
    positions.update((position.participant, position) for position in delivery.positions)
    energy = sum(position.bought - position.sold for position in delivery.positions)
    if energy:
        raise InputError("positions", energy, "Wh is bought beyond what is sold")
    money = sum(position.trade for position in delivery.positions)
    if money:
        raise InputError("positions", money, "is left of trade payments that must sum to zero")
    return positions
