// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Money} from "../types/Units.sol";
import {IMarket, Positions} from "./IMarket.sol";

/// A market, and the days whose trades it brings.
struct Plugged {
    IMarket market;
    uint32 firstDay;
    /// 2^32 - 1 for a market that stays.
    uint32 lastDay;
}

/// @title Schedule
/// @notice The narrow waist: energy contracted per member and period, summed over all markets. Settlement knows no
/// market and no order, only this; a new market is plugged in above it.
interface ISchedule {
    /// A market is plugged in.
    /// @param firstDay first delivery day whose trades it brings.
    event MarketAdded(address indexed market, uint32 firstDay);

    /// A market is to be retired.
    /// @param lastDay last delivery day whose trades it brings; 2^32 - 1: it stays after all.
    event MarketRetired(address indexed market, uint32 lastDay);

    /// All days of a retired market are final: it has left the schedule.
    event MarketRemoved(address indexed market);

    /// A market does not answer, or not in time: its trades of the day do not count.
    event MarketVoided(address indexed market, uint32 indexed day);

    /// Collateral that a market does not release any more is the member's own again, by a decision of the council.
    /// @param amount money units.
    event HeldReleased(address indexed market, uint32 indexed id, Money amount);

    /// What a member has contracted for a day in all markets; only for members that have any.
    /// @param net net energy, six signed lanes a strip (Strips.sol), Wh, consumption positive; without a day.
    event Scheduled(uint32 indexed id, uint32 indexed day, uint256[] net);

    /// The market is plugged in already, or was; one that was removed is not added again.
    error MarketKnown(address market);
    /// The market is not in the schedule.
    error MarketUnknown(address market);
    /// Every place is taken: a market has to be retired and removed first.
    /// @param most markets that are plugged in at once, at most.
    error TooManyMarkets(uint256 most);

    /// A market is added only for days whose day-ahead auction has not opened.
    /// @param firstDay day from which it was to count.
    /// @param earliest first day from which it may.
    error TooLateToAdd(uint256 firstDay, uint256 earliest);

    /// A market may have orders for every day whose day-ahead auction has opened, so it counts for that day.
    /// @param lastDay last day for which it was to count, or counts by an earlier decision.
    /// @param earliest first day that may be its last.
    error TooLateToRetire(uint256 lastDay, uint256 earliest);

    /// The market is removed when its last day is final.
    /// @param lastDay last day for which it counts.
    /// @param lastFinalDay the last day that is final.
    error MarketStillCounts(address market, uint256 lastDay, uint256 lastFinalDay);

    /// A market failed that had too little gas: that says nothing. Give the transaction more, the most there is if need be.
    /// @param given gas that there was for it.
    /// @param needed gas with which a failure is the market's own.
    error TooLittleGas(address market, uint256 given, uint256 needed);

    /// Of one member: the market reverts, runs out of gas or answers what cannot be.
    error MarketFails(address market);
    /// What a market says of a member contradicts itself, or is more than any market moves.
    error UnsoundPositions();
    /// The market has never failed and still counts: it releases what it holds itself.
    error MarketInOrder(address market);
    /// Only the schedule itself calls this, to bound what a market may do.
    error NotTheSchedule(address caller);

    /// The day is none for which the schedule counts this market, its readings are due, or it has not opened yet.
    error DayDoesNotCount(address market, uint256 day);

    /// @notice Adds a market whose positions count from a day on, and that may lock collateral once that day is open
    /// and the gates before it are closed. What a market says is paid: the council answers for its code.
    function addMarket(IMarket market, uint32 firstDay) external;

    /// @notice Lets a market count up to a day and no longer, which may be decided anew until the next day has opened.
    /// When that day is over it locks no more collateral; what it holds it still releases.
    /// @param lastDay 2^32 - 1: it stays.
    function retireMarket(IMarket market, uint32 lastDay) external;

    /// @notice Takes out a market whose last day is final. Anybody may.
    function removeMarket(IMarket market) external;

    /// @notice Releases collateral that a market holds which has failed, or whose last day is final. What was locked for the
    /// days that are void is known from the market's own events; no more than it holds is released.
    /// @param ids numbers of the members.
    /// @param amounts of each.
    function releaseHeld(IMarket market, uint32[] calldata ids, Money[] calldata amounts) external;

    /// @notice The calling market has orders for a day that has opened: only then is it asked about that day.
    function noteOrders(uint256 day) external;

    /// @notice The calling market has contracts that deliver without a new order: it is asked about every day from one on.
    function noteContracts(uint32 firstDay) external;

    /// @return all markets that have not left the schedule.
    function markets() external view returns (Plugged[] memory);

    /// @return whether the day's gate is closed, and every market with orders or contracts for the day knows its trades; when
    /// corrections are closed none is waited for any more.
    function isComplete(uint256 day) external view returns (bool);

    /// @return whether the market's trades of a day do not count, because it has failed.
    function isVoid(IMarket market, uint256 day) external view returns (bool);

    /// @notice Leaves markets out that do not know their trades of the day though its corrections are closed.
    function voidLate(uint256 day) external;

    /// @notice Collects the positions of `count` members from `firstId` on, in the order of their numbers. A market that fails
    /// for one member alone, though it has gas, is void for the day.
    /// @return sum of all markets.
    /// @return isVoided whether one is void from now on: then nothing is collected, and the walk begins again.
    function collect(uint256 day, uint32 firstId, uint256 count) external returns (Positions memory sum, bool isVoided);

    /// @notice Of the schedule itself: books one member in all markets, or in none.
    function bookOne(uint256 day, uint32 id) external returns (Positions memory);

    /// @notice Of the schedule itself: books one member in one market, and checks what it answers. What it releases it has to hold.
    /// @param isHome whether it is the home market of the accounts.
    function ask(IMarket market, uint256 day, uint32 id, bool isHome) external returns (Positions memory);
}
