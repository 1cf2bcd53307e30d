// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// A day as far as it is settled, for the balancing fund.
struct SettledDay {
    /// Members 1 to this number are settled; 0 unless all are.
    uint32 members;
    /// Posted to the balancing fund until now, money units.
    int256 fund;
    /// Claims of all members, Wh.
    uint64 flexible;
    uint64 accurate;
}

/// @title Settlement
/// @notice Turns schedule and readings of a day into money (rules 11 and 13): trades, imbalance, fees, deviation charges, netted
/// over the day into one posting per member. A corrected reading settles the day again by the same walk; only the difference
/// to what was posted moves.
interface ISettlement {
    /// A walk over the members begins, on the readings as they are now; the fallback supplier is posted first.
    event SettlementBegun(uint32 indexed day, uint256 readingsVersion);
    /// Payments due of a member for the day, money units: positive pays, negative receives.
    event Settled(
        uint32 indexed id, uint32 indexed day, int256 trade, int256 imbalance, uint256 fees, uint256 deviation
    );
    /// What a member pays besides, for its part in the area's deviation from what the wholesale desk nominated, money units.
    event PenaltyCharged(uint32 indexed id, uint32 indexed day, uint256 penalty);
    /// What the wholesale desk is paid for it, money units; announced when the walk begins.
    event PenaltyDue(uint32 indexed day, uint32 indexed desk, uint256 penalty);
    /// The day as a whole: received by the fallback supplier (negative: paid), the fund, the operator and the grid operator.
    event DaySettled(
        uint32 indexed day, uint256 readingsVersion, int256 fallbackSupply, int256 fund, uint256 operator, uint256 grid
    );

    error NotReadyToSettle(uint256 day, bool isCleared, bool isMetered);
    error AlreadySettled(uint256 day);
    error NotSettled(uint256 day);
    error CorrectionsOpen(uint256 day, uint256 closesAt, uint256 time);
    error NoMembersGiven();

    /// @notice Settles `count` more members; the last ones close the day. Anyone may call. After a correction, anyone may settle again.
    function settle(uint32 day, uint256 count) external;

    /// @notice Ends a settled day whose correction window is over. Anyone may call, day after day.
    function finalize(uint32 day) external;

    /// @return whether all members are settled on the latest readings.
    function isSettled(uint256 day) external view returns (bool);

    /// @return the day as far as it is settled; zeros for a day whose records are not, or no longer, there.
    function dayOf(uint256 day) external view returns (SettledDay memory);

    /// @notice What `count` members from `firstId` on may claim from the balancing fund for a settled day, Wh.
    /// @return flexible energy sold back in periods in which the area was short, by members who had bought it and took no more
    /// than contracted.
    /// @return accurate energy traded beyond what was charged as deviation.
    function claimsOf(uint256 day, uint32 firstId, uint256 count)
        external
        view
        returns (uint256[] memory flexible, uint256[] memory accurate);

    /// @return the member from which settling goes on.
    function nextMember(uint256 day) external view returns (uint32);
}
