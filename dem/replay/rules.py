"""The rules and the fallback tariffs, as their events tell."""

from dem.model.rules import ImbalancePricing, MarketRules, Tariff
from dem.model.strips import unpack
from dem.model.units import FROM_ZERO, PriceRange, UnitsPerWh, Wh
from dem.replay.days import Days
from dem.replay.events import Args


class Rules:
    """Versions of the rules by the first day that each applies to; tariffs are published day by day."""

    def __init__(self, periods_per_day: int, days: Days) -> None:
        self._periods_per_day = periods_per_day
        self._days = days
        self._versions: list[tuple[int, MarketRules]] = []
        self._prices = FROM_ZERO

    def on(self, day: int) -> MarketRules:
        """The rules that apply to a day."""
        return next(rules for first_day, rules in reversed(self._versions) if first_day <= day)

    def tariffs(self, day: int) -> list[Tariff]:
        """Fallback tariffs of a day by slot: as published, else the standing tariff."""
        return self._days.known(day).published or [self.on(day).standing_tariff] * self._periods_per_day

    def set_prices(self, args: Args) -> None:
        """A PriceRangeSet, which comes before all versions."""
        self._prices = PriceRange(UnitsPerWh(args["lowest"]), args["tick"])

    def change(self, args: Args) -> None:
        """A RulesChanged."""
        r = args["rules"]
        rules = MarketRules(
            platform_fee=UnitsPerWh(r["platformFee"]),
            network_fee=UnitsPerWh(r["networkFee"]),
            deviation_rate=UnitsPerWh(r["deviationRate"]),
            standing_buy=UnitsPerWh(r["standingBuy"]),
            standing_sell=UnitsPerWh(r["standingSell"]),
            max_buy=UnitsPerWh(r["maxBuy"]),
            min_sell=UnitsPerWh(r["minSell"]),
            prices=self._prices,
            commission_cap=UnitsPerWh(r["commissionCap"]),
            tolerance_fixed=Wh(r["toleranceFixed"]),
            tolerance_share=r["toleranceShare"],
            min_order_energy=Wh(r["minOrderEnergy"]),
            max_layers=r["maxLayers"],
            imbalance_pricing=ImbalancePricing(r["imbalancePricing"]),
            charge_helpful=r["chargeHelpful"],
            boundary_margin=Wh(r["boundaryMargin"]),
            wholesale_margin=UnitsPerWh(r["wholesaleMargin"]),
            penalty_cap=UnitsPerWh(r["penaltyCap"]),
            premium_rate=UnitsPerWh(r["premiumRate"]),
            reward_share=r["rewardShare"],
        )
        self._versions = [version for version in self._versions if version[0] < args["firstDay"]]
        self._versions.append((args["firstDay"], rules))

    def publish(self, args: Args) -> None:
        """A TariffsPublished."""
        lanes = [lane for word in args["words"] for lane in unpack(word)[1]]
        self._days.changing(args["day"]).published = [Tariff.of_lane(lane, self._prices) for lane in lanes]
