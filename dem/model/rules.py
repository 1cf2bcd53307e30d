"""The market's parameters: fallback tariffs, how imbalances are priced, and a version of the rules."""

from dataclasses import dataclass
from enum import IntEnum

from dem.errors import require_range
from dem.model.orders import MAX_ENERGY, MAX_LINE
from dem.model.readings import READING_BIAS
from dem.model.strips import LANE_BITS
from dem.model.units import FROM_ZERO, PRICE_BOUND, PriceRange, UnitsPerWh, Wh

TARIFF_BITS = 20
MAX_TARIFF = (1 << TARIFF_BITS) - 1
"""Highest price a tariff lane holds, units/Wh above the lowest price of the market."""
SHARE_SCALE = 10_000
"""toleranceShare counts 1/10,000."""

_NO_MARGIN = Wh(0)
_NO_RATE = UnitsPerWh(0)


class ImbalancePricing(IntEnum):
    """How imbalances are priced.

    Single and dual (two-price) as in Regulation (EU) 2017/2195, articles 52 and 55; tariff is what
    everybody has without a market. Shared: what is long in one member and short in another costs the middle of the
    tariffs, the rest the tariffs. Levied: single, and shared levied: shared, where the network fee is due on that, too.
    """

    SINGLE = 0
    TWO_PRICE = 1
    TARIFF = 2
    SHARED = 3
    LEVIED = 4
    SHARED_LEVIED = 5


CONTRACT_PRICINGS = (ImbalancePricing.SINGLE, ImbalancePricing.TWO_PRICE, ImbalancePricing.TARIFF)
"""Those that the contracts know. The model has the others to compare them with."""
SHARED_PRICINGS = (ImbalancePricing.SHARED, ImbalancePricing.SHARED_LEVIED)
LEVIED_PRICINGS = (ImbalancePricing.LEVIED, ImbalancePricing.SHARED_LEVIED)


@dataclass(frozen=True, slots=True)
class Tariff:
    """Fallback supply of one period, units/Wh: it sells at `buy` and buys at `sell`.

    In a lane they are counted from the lowest price of the market, so that neither has a sign.
    """

    buy: UnitsPerWh
    sell: UnitsPerWh

    def __post_init__(self) -> None:
        require_range("tariff buy", self.buy, -PRICE_BOUND, MAX_TARIFF)
        require_range("tariff sell", self.sell, -PRICE_BOUND, self.buy)

    def lane(self, prices: PriceRange) -> int:
        """The 40-bit lane: buy above sell, 20 bits each.

        Raises:
            InputError: a price that a lane does not hold.
        """
        buy, sell = self.buy - prices.lowest, self.sell - prices.lowest
        require_range("tariff buy", self.buy, prices.lowest, MAX_TARIFF + prices.lowest)
        require_range("tariff sell", self.sell, prices.lowest, self.buy)
        return buy << TARIFF_BITS | sell

    @staticmethod
    def of_lane(lane: int, prices: PriceRange) -> "Tariff":
        """The tariff in a lane.

        Raises:
            InputError: more than 40 bits, or the supplier would buy dearer than it sells.
        """
        require_range("tariff lane", lane, 0, (1 << LANE_BITS) - 1)
        return Tariff(
            UnitsPerWh((lane >> TARIFF_BITS) + prices.lowest), UnitsPerWh((lane & MAX_TARIFF) + prices.lowest)
        )


@dataclass(frozen=True, slots=True)
class MarketRules:
    """One version of the market's parameters.

    Fees, rates, standing tariff, max_buy and commission_cap in units/Wh, tolerance_fixed and min_order_energy in
    Wh, tolerance_share in 1/10,000 of |contracted|. A period is flagged where the boundary meter
    and the sum of the meters differ by more than boundary_margin, Wh. min_sell: lowest price at which the fallback
    supplier may buy, not above zero. prices: those that orders can name, the same in every version.
    commission_cap: highest commission of an intermediary. wholesale_margin: between the wholesale price and
    what the desk trades at. penalty_cap: highest wholesale penalty. premium_rate: paid for demand response
    that helps. All units/Wh. reward_share: of the fund for what was kept as contracted, 1/10,000.
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
    min_sell: UnitsPerWh = _NO_RATE
    prices: PriceRange = FROM_ZERO

    def __post_init__(self) -> None:
        require_range("platform_fee", self.platform_fee, 0, MAX_TARIFF)
        require_range("network_fee", self.network_fee, 0, MAX_TARIFF)
        require_range("deviation_rate", self.deviation_rate, 0, MAX_TARIFF)
        require_range("max_buy", self.max_buy, 0, MAX_TARIFF + self.prices.lowest)
        require_range("min_sell", self.min_sell, self.prices.lowest, 0)
        require_range("standing_buy", self.standing_buy, self.min_sell, self.max_buy)
        require_range("standing_sell", self.standing_sell, self.min_sell, self.standing_buy)
        require_range("commission_cap", self.commission_cap, 0, MAX_TARIFF)
        require_range("tolerance_fixed", self.tolerance_fixed, 0, READING_BIAS)
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
    def extra(self) -> UnitsPerWh:
        """The most that a Wh can cost a buyer besides its price, units/Wh (rule 5.4).

        The fees and, if it does not take the energy, what the supplier wants for it.
        """
        return UnitsPerWh(self.fees - self.min_sell)

    @property
    def ceiling(self) -> UnitsPerWh:
        """The most that a Wh which was sold and is not delivered costs, units/Wh (rule 5.4)."""
        return UnitsPerWh(self.max_buy + self.deviation_rate + self.fees)

    @property
    def standing_tariff(self) -> Tariff:
        """The tariff of days for which none was published."""
        return Tariff(self.standing_buy, self.standing_sell)
