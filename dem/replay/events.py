"""What the replay needs of an event, and the events that it passes over."""

from collections.abc import Mapping
from typing import Any, Protocol, TypeAlias

Args: TypeAlias = Mapping[str, Any]
"""Of an event, by name."""


class EventLike(Protocol):
    """What the replay needs of an event; args by name."""

    @property
    def contract(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def args(self) -> Args: ...


OFFICE = frozenset({"AuthorityUpdated", "EIP712DomainChanged"})
"""Events of OpenZeppelin's bases, which every contract may have: they move neither energy nor money."""

IGNORED: Mapping[str, frozenset[str]] = {
    # Seats, decisions and votes: what they come to is an event of the contract that is changed.
    "Authority": frozenset(
        {
            "OperationCanceled",
            "OperationExecuted",
            "OperationScheduled",
            "RoleAdminChanged",
            "RoleGrantDelayChanged",
            "RoleGranted",
            "RoleGuardianChanged",
            "RoleLabel",
            "RoleRevoked",
            "TargetAdminDelayUpdated",
            "TargetClosed",
            "TargetFunctionRoleUpdated",
        }
    ),
    "Council": frozenset(
        {
            "ApprovalWithdrawn",
            "Approved",
            "Decided",
            "Executed",
            "PauseTaken",
            "Proposed",
            "Reopened",
            "SealerAnnounced",
            "SeatLost",
            "SeatTaken",
            "ThresholdSet",
        }
    ),
    "Elections": frozenset({"Concluded", "Nominated", "Opened", "Voted"}),
    # The ledger's own events tell of all money inside; the token's follow from deposits and withdrawals.
    "SettlementToken": frozenset({"Approval", "Transfer"}),
    # Arrears follow from postings. A market's admission, its end and a pause move nothing.
    "Accounts": frozenset({"ArrearsChanged", "MarketAdmitted", "MarketDismissed", "MarketPaused", "MarketUnpaused"}),
    # What was refused; warnings about the boundary meter and about a connection, which change no bill.
    "MeterReadings": frozenset({"BeyondConnection", "BoundaryMismatch", "ReadingsRejected"}),
    # What is told of standings: contracts ask the registry, sums do not.
    "ParticipantRegistry": frozenset({"Rejected", "WatcherAdded", "WatcherFailed", "WatcherRemoved"}),
    "Schedule": frozenset({"MarketAdded", "MarketRemoved"}),
    # What is carried out the registry tells.
    "Replacements": frozenset({"ReplacementAllowed", "ReplacementAnnounced", "ReplacementVetoed"}),
    # What was allowed counts once somebody brings it.
    "LateReconciliation": frozenset({"StatementAllowed"}),
    # That trades were checked: limits are events of their own.
    # Who else holds a secret: which of them count, the contract knows, and opens no other.
    "Lots": frozenset({"Vouched"}),
    "GridLimits": frozenset({"DayApproved"}),
    # Who may report, and that the report was fixed before the gate: what it comes to is the report.
    "WholesaleDesk": frozenset({"Committed", "DeskAppointed"}),
}
"""Events by contract that the replay passes over, and why; those of markets are with their replays."""
