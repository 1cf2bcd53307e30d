// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// What members contracted in one market for one day; index i is member firstId + i. A market in which none of them has
/// anything may leave all entries out.
struct Positions {
    /// Net contracted energy per strip, Wh, consumption positive: six signed lanes (Strips.sol) without a day; no
    /// strips at all for a member that placed no order.
    uint256[][] net;
    /// Payment due for the trades, money units: positive pays, negative receives.
    int256[] payment;
    /// Energy bought plus energy sold, Wh: what fees are paid on.
    uint256[] traded;
    /// Collateral that is no longer needed, money units; non-zero only the first time.
    uint256[] release;
    /// Energy sold back that may earn the premium: six unsigned lanes per strip, Wh; no strips at all where there is
    /// none, and no entries at all where no member has any.
    uint256[][] flexible;
}

/// @title A market that fills the schedule
/// @notice What it locks in the accounts and releases must follow from its own events (rule 14.9): the accounts tell
/// what is paid, the market what is held ready for it.
interface IMarket {
    /// Members are booked in the order of their numbers, from 1.
    /// @param firstId number of the member from which it was asked.
    /// @param expected number of the member to go on from.
    error BookedOutOfOrder(uint32 firstId, uint32 expected);

    /// The day is final and its records have made room for another.
    error DayIsOver(uint256 day);

    /// @return whether all trades of the day are known.
    function isCleared(uint256 day) external view returns (bool);

    /// @notice Works out the positions of `count` members from `firstId` on; starting at 1 begins a new walk.
    function book(uint256 day, uint32 firstId, uint256 count) external returns (Positions memory);
}
