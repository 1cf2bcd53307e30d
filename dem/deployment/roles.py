"""Who may call what: every role of the authority, and every function that is open to anyone."""

from collections.abc import Mapping
from dataclasses import dataclass

from dem.model.mechanisms import MECHANISMS

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
    Role(
        "registrar",
        1,
        {
            "ParticipantRegistry": (
                "admit",
                "reject",
                "suspend",
                "reinstate",
                "exit",
                "replaceMeter",
                "changeConnection",
            ),
            "Meters": ("install", "remove", "noteSource"),
            "Replacements": ("announce",),
        },
    ),
    Role("treasurer", 2, {"Accounts": ("deposit", "redeem")}),
    Role(
        "council",
        3,
        {
            "Accounts": ("setCreditLimit", "keepPaused"),
            "MarketRules": ("announce",),
            "ParticipantRegistry": ("addWatcher", "removeWatcher"),
            "LateReconciliation": ("allow",),
            "Replacements": ("allow",),
            "Schedule": ("addMarket", "retireMarket", "releaseHeld"),
            "WholesaleDesk": ("appoint",),
        },
    ),
    Role("supplier", 4, {"FallbackSupply": ("publish",)}),
    Role(
        "dispatcher",
        6,
        {
            "GridLimits": ("publishModel", "assign", "setStanding", "limit", "restrict", "approve"),
            "GridRelief": ("buy",),
            "CongestionTrades": ("request",),
        },
    ),
    Role("node", 5, {"Accounts": ("pause", "pauseAll"), "Lots": ("pledge", "vouch")}, granted_by="seats"),
    Role(
        "schedule",
        10,
        {
            **{market.contract: ("book",) for market in MECHANISMS.values() if not market.is_many},
            "Accounts": ("admitMarket", "dismissMarket", "releaseHeld"),
        },
        holder="Schedule",
    ),
    Role(
        "settlement",
        11,
        {
            "Accounts": ("postDay", "hold"),
            "MarketRules": ("markInSettlement", "markFinal"),
            "Schedule": ("voidLate", "collect"),
            "Shortfalls": ("setAsideFirst", "begin", "take", "reopen", "restore"),
        },
        holder="Settlement",
    ),
    Role(
        "cashier",
        12,
        {"Accounts": ("post",)},
        holder="BalancingFund",
        shared_with=(
            "Intermediaries",
            "LateReconciliation",
            "GridCharges",
            "GridRelief",
            "EscrowTrades",
            "SourceLabels",
        ),
    ),
    Role(
        "mandates",
        13,
        {"ParticipantRegistry": ("divide",), "CallAuction": ("takeCommissions",)},
        holder="Intermediaries",
    ),
    Role("standing", 14, {"ContinuousMarket": ("bar", "move")}, holder="ParticipantRegistry"),
    Role("sharing", 15, {"Accounts": ("share",)}, holder="Shortfalls"),
    Role(
        "releases",
        17,
        {"Accounts": ("prepareRelease",)},
        holder="Schedule",
        shared_with=("Intermediaries", "EscrowTrades"),
    ),
    Role("replacements", 16, {"ParticipantRegistry": ("replaceAccount",)}, holder="Replacements"),
    Role(
        "metering",
        18,
        {"ParticipantRegistry": ("setSilent",), "Meters": ("take", "beginAccount", "addUnbilled", "noteEstimated")},
        holder="MeterReadings",
    ),
    Role("meters", 23, {"ParticipantRegistry": ("addMeter", "setMainMeter")}, holder="Meters"),
    Role("late", 19, {"Meters": ("noteStated", "takeUnbilled")}, holder="LateReconciliation"),
    Role("seats", 20, {}, holder="Council"),
    Role("elections", 21, {"Council": ("seatRepresentatives", "vacate", "moveSeat")}, holder="Elections"),
    Role("reopening", 22, {"Accounts": ("unpause",), "Council": ("takePause",)}, holder="Council"),
)
"""Who may call what; the authority denies everything else that is restricted."""

GOVERNED = ("registrar", "council")
"""Roles that the council holds, with its delay."""

AT_ONCE = "reopening"
"""The role that the council holds without a delay: what it decides by it lets a paused market go on."""

WATCHERS = ("ContinuousMarket",)
"""Markets that the registry tells of suspensions."""

ADMINS = {"Council": ("seat", "unseat", "setThreshold")}
"""Functions of the authority's admin: of the council itself, once it is in power."""

SEATED = {"Council": ("propose", "approve", "withdrawApproval", "announceSealer")}
"""Functions of those who hold a seat, and with it the role `node`; the council looks itself."""

OPEN = {
    "ParticipantRegistry": ("applyFor", "disconnect", "multicall"),
    "Accounts": ("depositTokens", "withdraw", "multicall"),
    "CallAuction": ("submit", "enter", "enterOwn", "clear", "multicall"),
    "OrderBook": ("submit", "enter", "enterOwn", "pair", "multicall"),
    "RandomMatching": ("submit", "enter", "enterOwn", "pair", "multicall"),
    "Lots": ("open",),
    "WholesaleDesk": ("commit",),
    "WholesaleResidual": ("report", "clear"),
    "ContinuousMarket": (
        "fund",
        "defund",
        "place",
        "cancel",
        "fundSigned",
        "placeSigned",
        "cancelSigned",
        "revoke",
        "revokeSigned",
        "followPause",
        "multicall",
    ),
    "Intermediaries": ("choose", "publish", "collect", "multicall"),
    "Schedule": ("removeMarket",),
    "Meters": ("multicall",),
    "MeterReadings": ("submit", "enter", "close"),
    "Settlement": ("settle", "finalize"),
    "Shortfalls": ("setAside", "pay"),
    "LateReconciliation": ("reconcile", "reconcileStated", "trueUp"),
    "GridCharges": ("charge", "makeGood"),
    "GridRelief": ("offer", "pay", "multicall"),
    "BalancingFund": ("pay",),
    "BilateralContracts": ("conclude", "revoke", "end", "terminate", "multicall"),
    "NrgCoin": ("countDay", "creditDay", "correct", "transfer", "multicall"),
    "SourceLabels": ("choose", "ask", "gather", "arrange", "label", "pay", "multicall"),
    "EscrowTrades": ("fund", "revoke", "release", "expire", "multicall"),
    "CongestionTrades": ("order", "meet", "multicall"),
    "Council": ("execute",),
    "Elections": ("nominate", "nominateSigned", "vote", "voteSigned", "open", "conclude", "vacate", "moveSeat"),
    "Replacements": ("veto", "vetoSigned", "carryOut"),
    TOKEN: ("transfer", "transferFrom", "approve"),
}
"""Functions anyone may call: they carry a signature, only compute, or move the caller's own money."""

INTERNAL = {
    TOKEN: ("mint", "burn"),
    "Accounts": ("lockCollateral", "releaseCollateral", "forfeitCollateral"),
    "Schedule": ("noteOrders", "noteContracts", "bookOne", "ask"),
}
"""Functions that contracts keep to themselves: the token's are for the accounts, those on collateral and orders for the
markets of the schedule."""
