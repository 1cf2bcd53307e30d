// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IMarket, Positions} from "./IMarket.sol";

/// A market, and the first day whose trades it brings.
struct Plugged {
    IMarket market;
    uint32 firstDay;
}

/// @title Schedule
/// @notice The narrow waist: energy contracted per member and period, summed over all markets. Settlement knows no market and no
/// order, only this; a new market is plugged in above it.
interface ISchedule {
    event MarketAdded(address indexed market, uint32 firstDay);
    /// Net contracted energy of a day, six signed lanes a strip (Strips.sol); only for members that have any.
    event Scheduled(uint32 indexed id, uint32 indexed day, uint256[] net);

    error MarketKnown(address market);
    /// Only for days whose day-ahead auction has not opened.
    error TooLateToAdd(uint256 firstDay, uint256 earliest);

    /// @notice Adds a market whose positions count from a day on, and that may lock collateral once that day is open and the gates
    /// before it are closed; there is no way to take one out. What a market says is paid: the
    /// council answers for its code.
    function addMarket(IMarket market, uint32 firstDay) external;

    /// @return all markets whose positions count.
    function markets() external view returns (Plugged[] memory);

    /// @return whether every market knows its trades of the day.
    function isComplete(uint256 day) external view returns (bool);

    /// @notice Collects the positions of `count` members from `firstId` on, in the order of their numbers.
    function collect(uint256 day, uint32 firstId, uint256 count) external returns (Positions memory);
}
