// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {MAX_TICK, UNITS_PER_TICK} from "../types/Units.sol";

/// @title Residual to the wholesale market
/// @notice Rule 6: which limits pay the price, which orders are the last to be served, and how they share the capacity.
/// At most one direction trades in a period: a bid that pays price + margin and an ask that takes price - margin would have
/// met in the auction before.
library Residual {
    enum Direction {
        None,
        Import,
        Export
    }

    /// What one period trades.
    struct Outcome {
        Direction direction;
        /// Of the marginal orders.
        uint16 tick;
        /// Paid by importing members, received by exporting ones, units/Wh; below zero a buyer is paid.
        int24 price;
        /// Wh; of the orders at `tick` what they share and what they asked for.
        uint64 volume;
        uint64 share;
        uint64 marginal;
    }

    /// @return lowest limit of a bid that pays the price, in ticks, rounded up so that nobody pays more than its limit;
    /// MAX_TICK + 1 if there is none.
    function importTickUp(int256 price) internal pure returns (uint256) {
        if (price <= 0) return 0;
        uint256 tick = (uint256(price) + UNITS_PER_TICK - 1) / UNITS_PER_TICK;
        return tick > MAX_TICK ? MAX_TICK + 1 : tick;
    }

    /// @return highest limit of an ask that takes the price, in ticks, rounded down so that nobody receives less than its
    /// limit; meaningless below a price of zero, which no ask takes.
    function exportTickDown(int256 price) internal pure returns (uint256) {
        if (price < 0) return 0;
        uint256 tick = uint256(price) / UNITS_PER_TICK;
        return tick > MAX_TICK ? MAX_TICK : tick;
    }

    /// @param isLast no worse limit takes the price.
    /// @param better Wh of the orders with better limits.
    /// @param at Wh of the orders at the limit in question.
    /// @return whether the orders at this limit are the last to be served.
    function isMarginal(bool isLast, uint256 better, uint256 at, uint256 capacity) internal pure returns (bool) {
        return better <= capacity && (isLast || better + at > capacity);
    }

    /// @return what is left of the capacity for the orders at the margin, Wh, at most what they ask for.
    function shareOf(uint256 better, uint256 at, uint256 capacity) internal pure returns (uint256) {
        uint256 left = capacity - better;
        return left < at ? left : at;
    }

    /// @return an outcome in one word, 0 if nothing is traded: direction in bits 7..0, tick in 23..8, price in 47..24, volume
    /// in 111..48, share in 175..112, marginal in 239..176.
    function pack(Outcome memory o) internal pure returns (uint256) {
        return uint256(o.direction) | (uint256(o.tick) << 8) | (uint256(uint24(o.price)) << 24)
            | (uint256(o.volume) << 48) | (uint256(o.share) << 112) | (uint256(o.marginal) << 176);
    }

    function unpack(uint256 packed) internal pure returns (Outcome memory) {
        return Outcome({
            direction: Direction(uint8(packed)),
            tick: uint16(packed >> 8),
            price: int24(uint24(packed >> 24)),
            volume: uint64(packed >> 48),
            share: uint64(packed >> 112),
            marginal: uint64(packed >> 176)
        });
    }
}
