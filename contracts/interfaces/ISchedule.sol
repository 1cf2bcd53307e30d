// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IMarket, Positions} from "./IMarket.sol";

/// @title Schedule
/// @notice The narrow waist: energy contracted per member and period, summed over all markets. Settlement knows no market and no
/// order, only this; a new market is plugged in above it.
interface ISchedule {
    event MarketAdded(address indexed market);
    /// Net contracted energy of a day, six signed lanes a strip (Strips.sol); only for members that have any.
    event Scheduled(uint32 indexed id, uint32 indexed day, uint256[] net);

    error MarketKnown(address market);

    /// @notice Adds a market whose positions count from now on; there is no way to take one out.
    function addMarket(IMarket market) external;

    /// @return all markets whose positions count.
    function markets() external view returns (IMarket[] memory);

    /// @return whether every market knows its trades of the day.
    function isComplete(uint256 day) external view returns (bool);

    /// @notice Collects the positions of `count` members from `firstId` on, in the order of their numbers.
    function collect(uint256 day, uint32 firstId, uint256 count) external returns (Positions memory);
}
