// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Publication} from "./IGridLimits.sol";
import {LateRecord} from "./ILateReconciliation.sol";

/// @title Charges of the network's limits
/// @notice What energy beyond a limit costs, and what the grid operator makes good where it lowered a limit after the gate
/// (rule 10). Both go by what a final day has left, so a day is settled without them, and anyone may bring them.
interface IGridCharges {
    /// A member's energy of a final day that was beyond its limits is charged, or charged anew because its meter is known better.
    /// @param energy beyond the limits in all periods, Wh.
    /// @param units what it costs in all, money units, to the balancing fund. What was charged before is part of it.
    event ExcessCharged(uint32 indexed id, uint32 indexed day, uint256 energy, uint256 units);

    /// The grid operator makes good what a member was charged because limits were lowered after the gate.
    /// @param energy contracted within the limits known at the gate and beyond the lowered ones, Wh.
    /// @param units deviation charge and penalty on it, to the member, money units.
    event MadeGood(uint32 indexed id, uint32 indexed day, uint256 energy, uint256 units);

    /// The member has no zone on that day, or is the market's own: it has no limits.
    error NotLimited(uint32 id, uint256 day);
    /// Nothing of the member's day is beyond its limits, or charged already as it is.
    error NothingToCharge(uint32 id, uint256 day);
    /// The member was charged nothing because limits were lowered, or that is made good; or its day is an estimate still.
    error NothingToMakeGood(uint32 id, uint256 day);
    /// Not what was published for the day.
    error NotPublished(uint256 day);

    /// @notice Charges what a member's meter showed beyond its limits on a final day: each period of it counts as if it had not
    /// flowed, and costs the deviation rate beyond the tolerance. Anyone may bring it, once more after each late reconciliation and
    /// true-up.
    /// @param publications all limits of the day, in their order.
    /// @param record what the day has left of the member.
    function charge(uint32 id, uint32 day, Publication[] calldata publications, LateRecord calldata record) external;

    /// @notice Makes good the deviation charge and the penalty on what a member contracted within the limits known at the gate and
    /// beyond lowered ones. Once; anyone may bring it.
    /// @param publications all limits of the day, in their order.
    /// @param record what the day has left of the member.
    function makeGood(uint32 id, uint32 day, Publication[] calldata publications, LateRecord calldata record) external;

    /// @return money units that a member's day has been charged.
    function chargedOf(uint32 id, uint256 day) external view returns (uint256);

    /// @return whether what lowered limits cost a member's day is made good.
    function isMadeGood(uint32 id, uint256 day) external view returns (bool);
}
