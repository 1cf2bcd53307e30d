"""The deployment as data: which contracts, in which order, with which arguments, and who may call what."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dem.errors import InputError
from dem.model.calendar import CalendarParameters
from dem.model.coins import DEFAULT_TERMS, CoinTerms
from dem.model.mechanisms import AUCTION
from dem.model.rules import CONTRACT_PRICINGS, MarketRules
from dem.model.units import PriceRange


@dataclass(frozen=True, slots=True)
class Offices:
    """Addresses that the market knows from its first block."""

    supplier: str
    operator: str
    grid_operator: str
    boundary_meter: str


@dataclass(frozen=True, slots=True)
class Government:
    """How the market is governed (rule 13).

    institutions: accounts with a seat of the council; without any the node's key is the only one. threshold: approvals
    a decision takes, see ICouncil.needed. delay: seconds between a decision and its execution, 1 to 30 days; with 0 the
    council is not handed the admin role, which stays with a key. has_clerks: keys keep the offices of the council's
    roles, until it takes them away. representatives: how many the participants elect, from the market's opening on;
    a decision takes more than half of the institutions and more than half of them, so no numbers let either decide
    alone.
    """

    institutions: tuple[str, ...] = ()
    threshold: int = 1
    delay: int = 0
    has_clerks: bool = True
    representatives: int = 3
    term_days: int = 365
    nomination_days: int = 14
    voting_days: int = 14
    counting_days: int = 7

    def terms(self, opening: int) -> tuple[int, ...]:
        """Of the elections, in the order of the Solidity struct `Terms`."""
        days = (self.term_days, self.nomination_days, self.voting_days, self.counting_days)
        return opening, *(number * 86_400 for number in days), self.representatives


@dataclass(frozen=True, slots=True)
class Parameters:
    """Everything a deployment depends on; `admin` sets it up, with the admin role of the authority.

    first_weekday: of day 1, for the profiles of contracts; 0 is Monday. intraday_lead: seconds from a period's
    intraday gate to its start. markets: contracts plugged into the schedule from day 1 on.
    """

    admin: str
    calendar: CalendarParameters
    rules: MarketRules
    offices: Offices
    first_weekday: int = 0
    intraday_lead: int = 0
    markets: tuple[str, ...] = (AUCTION,)
    government: Government = Government()
    coins: CoinTerms = DEFAULT_TERMS


Addresses = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Step:
    """One contract and its constructor's arguments, given the addresses of those before it."""

    contract: str
    arguments: Callable[[Parameters, Addresses], tuple[Any, ...]]


def rules_tuple(rules: MarketRules) -> tuple[Any, ...]:
    """A version of the rules in the order of the Solidity struct `Rules`.

    Raises:
        InputError: the contracts do not know the pricing.
    """
    if rules.imbalance_pricing not in CONTRACT_PRICINGS:
        name = rules.imbalance_pricing.name.lower()
        raise InputError("imbalance_pricing", name, "is known to the model alone, not to the contracts: use --no-chain")
    return (
        rules.platform_fee,
        rules.network_fee,
        rules.deviation_rate,
        rules.standing_buy,
        rules.standing_sell,
        rules.max_buy,
        rules.min_sell,
        rules.commission_cap,
        rules.tolerance_fixed,
        rules.tolerance_share,
        rules.min_order_energy,
        rules.max_layers,
        int(rules.imbalance_pricing),
        rules.charge_helpful,
        rules.boundary_margin,
        rules.wholesale_margin,
        rules.penalty_cap,
        rules.premium_rate,
        rules.reward_share,
    )


def range_tuple(prices: PriceRange) -> tuple[int, int]:
    """The prices that orders can name, in the order of the Solidity struct `PriceRange`."""
    return prices.lowest, prices.tick


def _day_ahead(p: Parameters, at: Addresses) -> tuple[Any, ...]:
    """What a market needs that takes orders as the auction does."""
    names = ("ParticipantRegistry", "MarketRules", "Accounts", "Schedule", "GridLimits")
    return (at["Authority"], p.calendar.as_tuple(), *(at[name] for name in names))


STEPS = (
    Step("Authority", lambda p, _: (p.admin,)),
    Step(
        "ParticipantRegistry",
        lambda p, at: (
            at["Authority"],
            p.calendar.as_tuple(),
            p.offices.supplier,
            p.offices.operator,
            p.offices.grid_operator,
            p.offices.boundary_meter,
        ),
    ),
    Step("Meters", lambda p, at: (at["Authority"], p.calendar.as_tuple(), at["ParticipantRegistry"])),
    Step("Accounts", lambda p, at: (at["Authority"], p.calendar.as_tuple(), at["ParticipantRegistry"])),
    Step(
        "MarketRules",
        lambda p, at: (at["Authority"], p.calendar.as_tuple(), range_tuple(p.rules.prices), rules_tuple(p.rules)),
    ),
    Step("Schedule", lambda p, at: (at["Authority"], p.calendar.as_tuple(), at["MarketRules"], at["Accounts"])),
    Step(
        "GridLimits",
        lambda p, at: (at["Authority"], p.calendar.as_tuple(), p.intraday_lead, at["MarketRules"]),
    ),
    Step("CallAuction", _day_ahead),
    Step("OrderBook", _day_ahead),
    Step("Lots", lambda p, at: (at["Authority"], p.calendar.as_tuple(), at["MarketRules"])),
    Step("RandomMatching", lambda p, at: (*_day_ahead(p, at), at["Lots"])),
    Step(
        "ContinuousMarket",
        lambda p, at: (
            at["Authority"],
            p.calendar.as_tuple(),
            p.intraday_lead,
            at["ParticipantRegistry"],
            at["MarketRules"],
            at["Accounts"],
            at["Schedule"],
        ),
    ),
    Step(
        "Intermediaries",
        lambda p, at: (
            p.calendar.as_tuple(),
            at["ParticipantRegistry"],
            at["MarketRules"],
            at["Accounts"],
            at["Schedule"],
        ),
    ),
    Step("AuctionReader", lambda p, at: (at["CallAuction"], p.calendar.periods_per_day)),
    Step(
        "WholesaleDesk",
        lambda p, at: (at["Authority"], p.calendar.as_tuple(), at["ParticipantRegistry"], at["MarketRules"]),
    ),
    Step(
        "WholesaleResidual",
        lambda p, at: (
            at["Authority"],
            p.calendar.as_tuple(),
            p.calendar.desk_lead,
            at["ParticipantRegistry"],
            at["MarketRules"],
            at["Schedule"],
            at["CallAuction"],
            at["Accounts"],
            at["WholesaleDesk"],
        ),
    ),
    Step(
        "MeterReadings",
        lambda p, at: (
            at["Authority"],
            p.calendar.as_tuple(),
            at["ParticipantRegistry"],
            at["Meters"],
            at["MarketRules"],
            at["WholesaleResidual"],
        ),
    ),
    Step("FallbackSupply", lambda p, at: (at["Authority"], p.calendar.as_tuple(), at["MarketRules"])),
    Step("Shortfalls", lambda _, at: (at["Authority"], at["Accounts"])),
    Step(
        "Settlement",
        lambda p, at: (
            p.calendar.as_tuple(),
            at["MarketRules"],
            at["Accounts"],
            at["Schedule"],
            at["CallAuction"],
            at["MeterReadings"],
            at["FallbackSupply"],
            at["WholesaleResidual"],
            at["Shortfalls"],
        ),
    ),
    Step("BalancingFund", lambda _, at: (at["MarketRules"], at["Accounts"], at["Settlement"])),
    Step(
        "LateReconciliation",
        lambda p, at: (
            at["Authority"],
            p.calendar.as_tuple(),
            at["ParticipantRegistry"],
            at["MarketRules"],
            at["Accounts"],
            at["Meters"],
            at["MeterReadings"],
            at["Settlement"],
        ),
    ),
    Step(
        "GridCharges",
        lambda p, at: (
            p.calendar.as_tuple(),
            at["ParticipantRegistry"],
            at["MarketRules"],
            at["Accounts"],
            at["LateReconciliation"],
            at["GridLimits"],
        ),
    ),
    Step(
        "GridRelief",
        lambda p, at: (
            at["Authority"],
            p.calendar.as_tuple(),
            at["ParticipantRegistry"],
            at["MarketRules"],
            at["Accounts"],
            at["LateReconciliation"],
        ),
    ),
    Step(
        "BilateralContracts",
        lambda p, at: (
            at["Authority"],
            p.calendar.as_tuple(),
            at["ParticipantRegistry"],
            at["MarketRules"],
            at["Accounts"],
            at["Schedule"],
            p.first_weekday,
        ),
    ),
    Step(
        "EscrowTrades",
        lambda p, at: (
            at["Authority"],
            p.calendar.as_tuple(),
            at["ParticipantRegistry"],
            at["MarketRules"],
            at["Accounts"],
            at["Schedule"],
            at["MeterReadings"],
        ),
    ),
    Step(
        "CongestionTrades",
        lambda p, at: (
            at["Authority"],
            p.calendar.as_tuple(),
            p.intraday_lead,
            at["ParticipantRegistry"],
            at["MarketRules"],
            at["Accounts"],
            at["Schedule"],
            at["GridLimits"],
            at["FallbackSupply"],
        ),
    ),
    Step(
        "NrgCoin",
        lambda p, at: (
            p.calendar.as_tuple(),
            at["ParticipantRegistry"],
            at["MarketRules"],
            at["MeterReadings"],
            at["WholesaleResidual"],
            at["LateReconciliation"],
            p.coins.as_tuple(),
        ),
    ),
    Step(
        "SourceLabels",
        lambda p, at: (
            p.calendar.as_tuple(),
            at["ParticipantRegistry"],
            at["MarketRules"],
            at["Accounts"],
            at["MeterReadings"],
            at["WholesaleResidual"],
        ),
    ),
    Step("Replacements", lambda p, at: (at["Authority"], p.calendar.as_tuple(), at["ParticipantRegistry"])),
    Step("Council", lambda _, at: (at["Authority"],)),
    Step(
        "Elections",
        lambda p, at: (at["ParticipantRegistry"], at["Council"], p.government.terms(p.calendar.opening)),
    ),
)
"""Contracts in the order they are deployed in."""
