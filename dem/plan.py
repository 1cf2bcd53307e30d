"""The deployment as data: which contracts, in which order, with which arguments, and who may call what."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dem.scenario import Scenario
from dem.settlement import MarketRules


@dataclass(frozen=True, slots=True)
class CalendarParameters:
    """When days begin and gates close on the chain; seconds, see Calendar.sol."""

    opening: int
    period_length: int
    periods_per_day: int
    open_lead: int
    gate_lead: int
    metering_lag: int
    correction_lag: int

    def as_tuple(self) -> tuple[int, ...]:
        """The members in the order of the Solidity struct."""
        return (
            self.opening,
            self.period_length,
            self.periods_per_day,
            self.open_lead,
            self.gate_lead,
            self.metering_lag,
            self.correction_lag,
        )

    @property
    def day_length(self) -> int:
        """Seconds of a delivery day."""
        return self.period_length * self.periods_per_day

    @property
    def desk_lead(self) -> int:
        """Seconds after the gate until which the wholesale desk may report: half the time to delivery."""
        return self.gate_lead // 2

    def start_of(self, day: int) -> int:
        """Unix time of a day's first second."""
        return self.opening + (day - 1) * self.day_length

    def opens_at(self, day: int) -> int:
        """Unix time at which a day's auction opens."""
        return self.start_of(day) - self.open_lead

    def gate_closes_at(self, day: int) -> int:
        """Unix time from which no order for the day is taken."""
        return self.start_of(day) - self.gate_lead

    def metering_deadline(self, day: int) -> int:
        """Unix time by which a day's readings are due."""
        return self.start_of(day + 1) + self.metering_lag

    def corrections_close_at(self, day: int) -> int:
        """Unix time from which no reading of the day can be corrected."""
        return self.start_of(day + 1) + self.correction_lag


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a scenario passes on a chain.

    period_length: seconds of a delivery period, with which every lead and lag shrinks; None for the scenario's own.
    setup_seconds: for deploying and registering, before the first auction opens.
    """

    period_length: int | None = None
    setup_seconds: int = 300

    def calendar(self, scenario: Scenario, now: int) -> CalendarParameters:
        """The scenario's calendar on a chain whose time is `now`."""
        calendar = scenario.calendar
        length = self.period_length or calendar.period_seconds
        open_lead = max(1, self._scaled(scenario, calendar.open_lead_seconds))
        return CalendarParameters(
            opening=-(-(now + self.setup_seconds + open_lead) // length) * length,
            period_length=length,
            periods_per_day=calendar.periods_per_day,
            open_lead=open_lead,
            gate_lead=max(1, self._scaled(scenario, calendar.gate_lead_seconds)),
            metering_lag=max(1, self._scaled(scenario, calendar.metering_lag_seconds)),
            correction_lag=max(1, self._scaled(scenario, calendar.correction_lag_seconds)),
        )

    def intraday_lead(self, scenario: Scenario) -> int:
        """Seconds on the chain from a period's intraday gate to its start."""
        return self._scaled(scenario, scenario.config.intraday.gate_lead_seconds) if scenario.config.intraday else 0

    def _scaled(self, scenario: Scenario, seconds: int) -> int:
        own = scenario.calendar.period_seconds
        return seconds * (self.period_length or own) // own


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
    roles, until it takes them away. representatives: how many the participants elect, from the market's opening on.
    """

    institutions: tuple[str, ...] = ()
    threshold: int = 1
    delay: int = 0
    has_clerks: bool = True
    representatives: int = 3
    term_days: int = 365
    nomination_days: int = 14
    voting_days: int = 14

    def terms(self, opening: int) -> tuple[int, ...]:
        """Of the elections, in the order of the Solidity struct `Terms`."""
        days = (self.term_days, self.nomination_days, self.voting_days)
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
    markets: tuple[str, ...] = ("CallAuction",)
    government: Government = Government()


Addresses = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Step:
    """One contract and its constructor's arguments, given the addresses of those before it."""

    contract: str
    arguments: Callable[[Parameters, Addresses], tuple[Any, ...]]


def rules_tuple(rules: MarketRules) -> tuple[Any, ...]:
    """A version of the rules in the order of the Solidity struct `Rules`."""
    return (
        rules.platform_fee,
        rules.network_fee,
        rules.deviation_rate,
        rules.standing_buy,
        rules.standing_sell,
        rules.max_buy,
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
    Step("Accounts", lambda _, at: (at["Authority"], at["ParticipantRegistry"])),
    Step("MarketRules", lambda p, at: (at["Authority"], p.calendar.as_tuple(), rules_tuple(p.rules))),
    Step(
        "CallAuction",
        lambda p, at: (
            at["Authority"],
            p.calendar.as_tuple(),
            at["ParticipantRegistry"],
            at["MarketRules"],
            at["Accounts"],
        ),
    ),
    Step(
        "ContinuousMarket",
        lambda p, at: (
            at["Authority"],
            p.calendar.as_tuple(),
            p.intraday_lead,
            at["ParticipantRegistry"],
            at["MarketRules"],
            at["Accounts"],
        ),
    ),
    Step(
        "Intermediaries",
        lambda p, at: (p.calendar.as_tuple(), at["ParticipantRegistry"], at["MarketRules"], at["Accounts"]),
    ),
    Step("AuctionReader", lambda p, at: (at["CallAuction"], p.calendar.periods_per_day)),
    Step("Schedule", lambda p, at: (at["Authority"], p.calendar.as_tuple(), at["Accounts"])),
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
        ),
    ),
    Step(
        "MeterReadings",
        lambda p, at: (
            p.calendar.as_tuple(),
            at["ParticipantRegistry"],
            at["MarketRules"],
            at["WholesaleResidual"],
        ),
    ),
    Step("FallbackSupply", lambda p, at: (at["Authority"], p.calendar.as_tuple(), at["MarketRules"])),
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
        ),
    ),
    Step("BalancingFund", lambda _, at: (at["MarketRules"], at["Accounts"], at["Settlement"])),
    Step(
        "BilateralContracts",
        lambda p, at: (
            at["Authority"],
            p.calendar.as_tuple(),
            at["ParticipantRegistry"],
            at["MarketRules"],
            at["Accounts"],
            p.first_weekday,
        ),
    ),
    Step("Council", lambda _, at: (at["Authority"],)),
    Step(
        "Elections",
        lambda p, at: (at["ParticipantRegistry"], at["Council"], p.government.terms(p.calendar.opening)),
    ),
)
"""Contracts in the order they are deployed in."""

TOKEN = "SettlementToken"
"""Deployed by Accounts itself."""


@dataclass(frozen=True, slots=True)
class Role:
    """A role of the authority: what it may call, and the contract that holds it, if it is for one, or the contracts.

    granted_by: the role that gives and takes it, if not the admin. Numbers from 10 on are contracts' (Roles.sol).
    """

    name: str
    id: int
    functions: Mapping[str, tuple[str, ...]]
    holder: str | None = None
    shared_with: tuple[str, ...] = ()
    granted_by: str | None = None

    @property
    def contracts(self) -> tuple[str, ...]:
        """The contracts that hold it; none for a role of people."""
        return (self.holder, *self.shared_with) if self.holder else ()


ROLES = (
    Role("registrar", 1, {"ParticipantRegistry": ("admit", "reject", "suspend", "reinstate", "exit", "replaceMeter")}),
    Role("treasurer", 2, {"Accounts": ("deposit", "redeem")}),
    Role(
        "council",
        3,
        {
            "Accounts": ("setCreditLimit", "unpause"),
            "MarketRules": ("announce",),
            "ContinuousMarket": ("unpause",),
            "Schedule": ("addMarket",),
        },
    ),
    Role("supplier", 4, {"FallbackSupply": ("publish",)}),
    Role(
        "node",
        5,
        {"Accounts": ("pause", "pauseAll"), "ContinuousMarket": ("pause",)},
        granted_by="seats",
    ),
    Role("watcher", 6, {"ParticipantRegistry": ("watch",)}, holder="ContinuousMarket"),
    Role(
        "schedule",
        10,
        {
            "CallAuction": ("book",),
            "WholesaleResidual": ("book",),
            "ContinuousMarket": ("book",),
            "BilateralContracts": ("book",),
            "Accounts": ("admitMarket",),
        },
        holder="Schedule",
    ),
    Role(
        "settlement",
        11,
        {"Schedule": ("collect",), "MarketRules": ("markFinal",)},
        holder="Settlement",
    ),
    Role("cashier", 12, {"Accounts": ("post",)}, holder="Settlement", shared_with=("BalancingFund", "Intermediaries")),
    Role("mandates", 13, {"ParticipantRegistry": ("divide",)}, holder="Intermediaries"),
    Role("standing", 14, {"ContinuousMarket": ("bar",)}, holder="ParticipantRegistry"),
    Role("seats", 20, {}, holder="Council"),
    Role("elections", 21, {"Council": ("seatRepresentatives", "vacate")}, holder="Elections"),
)
"""Who may call what; the authority denies everything else that is restricted."""

GOVERNED = ("registrar", "council")
"""Roles that the council holds, with its delay."""

ADMINS = {"Council": ("seat", "unseat", "setThreshold")}
"""Functions of the authority's admin: of the council itself, once it is in power."""

SEATED = {"Council": ("propose", "approve", "withdrawApproval", "announceSealer")}
"""Functions of those who hold a seat, and with it the role `node`; the council looks itself."""

OPEN = {
    "ParticipantRegistry": ("applyFor", "multicall"),
    "Accounts": ("depositTokens", "withdraw", "multicall"),
    "CallAuction": ("submit", "enter", "enterOwn", "clear", "multicall"),
    "WholesaleResidual": ("report", "clear"),
    "ContinuousMarket": (
        "fund",
        "defund",
        "place",
        "cancel",
        "fundSigned",
        "placeSigned",
        "cancelSigned",
        "multicall",
    ),
    "Intermediaries": ("choose", "publish", "collect", "multicall"),
    "MeterReadings": ("submit", "enter", "close"),
    "Settlement": ("settle", "finalize"),
    "BalancingFund": ("pay",),
    "BilateralContracts": ("conclude", "revoke", "end", "terminate", "multicall"),
    "Council": ("execute",),
    "Elections": ("nominate", "nominateSigned", "vote", "voteSigned", "conclude", "vacate"),
    TOKEN: ("transfer", "transferFrom", "approve"),
}
"""Functions anyone may call: they carry a signature, only compute, or move the caller's own money."""

INTERNAL = {TOKEN: ("mint", "burn"), "Accounts": ("lockCollateral", "releaseCollateral")}
"""Functions that contracts keep to themselves: the token's are for the accounts, those on collateral for the markets of
the schedule."""
