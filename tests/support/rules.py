"""The rules of the small markets that tests play. A test says only what it needs otherwise: `replace(SMALL, ...)`."""

from dem.model.calendar import CalendarParameters
from dem.model.rules import ImbalancePricing, MarketRules

SMALL = MarketRules(
    platform_fee=10,
    network_fee=20,
    deviation_rate=50,
    standing_buy=30_000,
    standing_sell=8_000,
    max_buy=40_000,
    tolerance_fixed=100,
    tolerance_share=1_000,
    min_order_energy=10,
    max_layers=3,
    imbalance_pricing=ImbalancePricing.SINGLE,
    charge_helpful=False,
    boundary_margin=100,
    commission_cap=500,
)

CALENDAR = CalendarParameters(
    opening=10_000_000,
    period_length=900,
    periods_per_day=12,
    open_lead=10_800,
    gate_lead=3_600,
    metering_lag=1_800,
    correction_lag=7_200,
)
"""Of a market whose days matter little: two strips, three hours."""

FIELDS = (
    "platformFee",
    "networkFee",
    "deviationRate",
    "standingBuy",
    "standingSell",
    "maxBuy",
    "minSell",
    "commissionCap",
    "toleranceFixed",
    "toleranceShare",
    "minOrderEnergy",
    "maxLayers",
    "imbalancePricing",
    "chargeHelpful",
    "boundaryMargin",
    "wholesaleMargin",
    "penaltyCap",
    "premiumRate",
    "rewardShare",
)
"""Their names on chain, in the order of the contracts."""
