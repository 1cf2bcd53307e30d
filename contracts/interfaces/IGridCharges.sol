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

    /// The grid operator makes good what it took from a member by lowering limits after the gate.
    /// @param energy contracted within the limits known at the gate and beyond the lowered ones, Wh.
    /// @param units to the member, money units.
    event MadeGood(uint32 indexed id, uint32 indexed day, uint256 energy, uint256 units);

    /// Nothing of the member's day is beyond its limits, or charged already as it is.
    error NothingToCharge(uint32 id, uint256 day);
    /// No limit was lowered below what the member had contracted, or that is made good.
    error NothingToMakeGood(uint32 id, uint256 day);
    /// The prices of the day's auction are not kept any more.
    /// @param until unix time until which they are for certain.
    error TooLateToMakeGood(uint256 day, uint256 until);
    /// Not what was published for the day.
    error NotPublished(uint256 day);

    /// @notice Charges what a member's meter showed beyond its limits on a final day: it counts as if it had not flowed, and costs
    /// the deviation rate beyond the tolerance. Anyone may bring it, once more after each late reconciliation.
    /// @param publications all limits of the day, in their order.
    /// @param record what the day has left of the member.
    function charge(uint32 id, uint32 day, Publication[] calldata publications, LateRecord calldata record) external;

    /// @notice Makes good what a member contracted before the gate and could not keep within limits lowered later: the deviation
    /// charge, penalties, and an imbalance price that is worse than the auction's. Once; anyone may bring it.
    /// @param publications all limits of the day, in their order.
    /// @param record what the day has left of the member.
    function makeGood(uint32 id, uint32 day, Publication[] calldata publications, LateRecord calldata record) external;

    /// @return money units that a member's day has been charged.
    function chargedOf(uint32 id, uint256 day) external view returns (uint256);

    /// @return whether what limits took from a member's day is made good.
    function isMadeGood(uint32 id, uint256 day) external view returns (bool);
}
