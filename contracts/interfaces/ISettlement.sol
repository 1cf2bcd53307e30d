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
    uint64 kept;
}

/// @title Settlement
/// @notice Turns schedule and readings of a day into money (rules 11 and 13): trades, imbalance, fees, deviation
/// charges, netted over the day into one posting per member. If readings were corrected since, the day is settled once
/// more by the same walk when corrections are closed; only the difference to what was posted moves.
interface ISettlement {
    /// A walk over the members begins, on the readings as they are now, which do not change until the day is settled; the
    /// fallback supplier is posted first.
    /// @param readingsVersion of the readings: 0 when they were closed, one more with every correction that changes a
    /// value.
    event SettlementBegun(uint32 indexed day, uint256 readingsVersion);

    /// Payments due of a member for the day, money units (10^-8 currency): positive pays, negative receives. A later
    /// walk's replace them; only the difference is posted.
    /// @param trade for its trades in all markets.
    /// @param imbalance for energy taken beyond what it contracted, less for energy not taken.
    /// @param fees platform and network fee.
    /// @param deviation charge for contracted energy that it did not keep.
    event Settled(
        uint32 indexed id, uint32 indexed day, int256 trade, int256 imbalance, uint256 fees, uint256 deviation
    );

    /// What a member pays besides, for its part in the area's deviation from what the wholesale desk nominated.
    /// @param penalty money units.
    event PenaltyCharged(uint32 indexed id, uint32 indexed day, uint256 penalty);

    /// What the wholesale desk is paid for the area's deviation; announced when the walk begins.
    /// @param desk number of the member that is the desk.
    /// @param penalty money units.
    event PenaltyDue(uint32 indexed day, uint32 indexed desk, uint256 penalty);

    /// All members are settled, and what was short is shared. The day as a whole, money units received; what was taken
    /// back is not deducted.
    /// @param readingsVersion of the readings it was settled on.
    /// @param fallbackSupply by the fallback supplier, for imbalance; negative if it pays.
    /// @param fund by the balancing fund: deviation charges, and what members pay beyond fallback supply and penalty.
    /// @param operator by the operator: platform fees.
    /// @param grid by the grid operator: network fees.
    event DaySettled(
        uint32 indexed day, uint256 readingsVersion, int256 fallbackSupply, int256 fund, uint256 operator, uint256 grid
    );

    /// All members are settled: what the day leaves for late reconciliation (Commitments.sol). The last one of a day counts.
    /// @param commitment the hash that stands for the day.
    event DayCommitted(uint32 indexed day, bytes32 commitment);

    /// A market has not cleared the day, or its metering is not closed.
    /// @param isCleared whether all markets of the schedule have.
    /// @param isMetered whether the metering is closed.
    error NotReadyToSettle(uint256 day, bool isCleared, bool isMetered);

    /// All members are settled on the latest readings.
    error AlreadySettled(uint256 day);
    /// Not all members are settled on the latest readings.
    error NotSettled(uint256 day);

    /// Another day is being settled. One is settled at a time: anybody can finish it first.
    /// @param other day that is being settled.
    error OtherDayInSettlement(uint256 day, uint256 other);

    /// Readings may still be corrected: the day cannot be final, nor be settled again.
    /// @param closesAt unix time from which they cannot.
    error CorrectionsOpen(uint256 day, uint256 closesAt, uint256 time);

    /// The call is to settle no member at all.
    error NoMembersGiven();

    /// @notice Settles `count` more members; the last ones close the day, unless the fallback supplier is beyond its
    /// credit limit then: the same calls go on with a walk that shares what is short. Anyone may call. After a correction,
    /// anyone may settle again, once corrections are closed.
    function settle(uint32 day, uint256 count) external;

    /// @notice Ends a settled day whose correction window is over. Anyone may call, day after day.
    function finalize(uint32 day) external;

    /// @return whether all members are settled on the latest readings.
    function isSettled(uint256 day) external view returns (bool);

    /// @return the day as far as it is settled; zeros for a day whose records are not, or no longer, there.
    function dayOf(uint256 day) external view returns (SettledDay memory);

    /// @notice What `count` members from `firstId` on may claim from the balancing fund for a settled day, Wh.
    /// @return flexible energy sold back in periods in which the area was short, by members who had bought it and took
    /// no more than contracted.
    /// @return kept net energy delivered as contracted.
    function claimsOf(uint256 day, uint32 firstId, uint256 count)
        external
        view
        returns (uint256[] memory flexible, uint256[] memory kept);

    /// @return what the last walk through the day's members has left of it, for good (Commitments.sol); zero before.
    function commitmentOf(uint256 day) external view returns (bytes32);

    /// @return the member from which settling, or sharing, goes on.
    function nextMember(uint256 day) external view returns (uint32);
}
