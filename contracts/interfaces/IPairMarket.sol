// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IMarket} from "./IMarket.sol";
import {IOrderSheets} from "./IOrderSheets.sol";

/// What two members trade with each other in a period.
struct Pair {
    uint32 buyer;
    uint32 seller;
    /// Wh.
    uint32 energy;
    /// Limits of the two orders, ticks. The price lies halfway between them.
    uint16 bid;
    uint16 ask;
}

/// @title Day-ahead market of pairs
/// @notice Orders come in as in the call auction, and after the gate they meet two by two, each pair at a price of its own (rule
/// 16). In which order they meet is what such markets differ in.
interface IPairMarket is IMarket, IOrderSheets {
    /// Orders of a slot met.
    /// @param first place of the first of these pairs among all of the slot, from 0.
    /// @param pairs in the order in which they met; none if nothing is traded.
    /// @param isLast whether all pairs of the slot are known now.
    event Paired(uint32 indexed day, uint16 indexed slot, uint256 first, Pair[] pairs, bool isLast);

    /// The day's book has room for no further line: one of a member, or one more of orders for the same periods.
    /// @param most lines that it has room for.
    error BookIsFull(uint256 day, uint256 most);

    /// Here nobody orders for others: an intermediary's clients trade in its pool.
    error OwnOrdersOnly(uint32 id);

    /// The day has fewer slots.
    /// @param slots slots of a day.
    error NoSuchSlot(uint256 slot, uint256 slots);

    /// All pairs of the slot are known.
    error AlreadyPaired(uint256 day, uint256 slot);

    /// Not all slots of the day are paired, or the day's records have made room for another day.
    error NotPaired(uint256 day);

    /// The call is to book no pair at all.
    error NoPairs();

    /// @notice Lets the orders of a slot meet, or goes on, and books at most `most` pairs. Anyone may call.
    function pair(uint32 day, uint16 slot, uint256 most) external;

    /// @return one bit per slot of the day that is paired.
    function pairedSlots(uint256 day) external view returns (uint256);
}
