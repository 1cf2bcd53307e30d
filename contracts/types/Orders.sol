// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Strips} from "./Strips.sol";

/// @title Orders
/// @notice One order in the 40 bits of a strip's lane: bit 39 side (0 bid, 1 ask), bits 38..27 limit in ticks, bits 26..0
/// energy in Wh. A lane without energy is no order and must be zero as a whole.
library Orders {
    uint256 internal constant ENERGY_MASK = (1 << 27) - 1;
    uint256 internal constant TICK_SHIFT = 27;
    uint256 internal constant TICK_MASK = 0xfff;
    uint256 internal constant SIDE_SHIFT = 39;

    /// Layers from this one on hold what an intermediary orders for a member (rule 9).
    uint256 internal constant BROKERED_LAYER = 1024;

    /// Energies and limits of the six orders of a strip.
    uint256 internal constant ENERGIES = ENERGY_MASK * Strips.ONES;
    uint256 internal constant TICKS = (TICK_MASK << TICK_SHIFT) * Strips.ONES;

    function energy(uint256 order) internal pure returns (uint256) {
        return order & ENERGY_MASK;
    }

    function tick(uint256 order) internal pure returns (uint256) {
        return (order >> TICK_SHIFT) & TICK_MASK;
    }

    /// @return the most energy that one order may name within a capacity, Wh.
    function mostWithin(uint256 capacity) internal pure returns (uint256) {
        return capacity < ENERGY_MASK ? capacity : ENERGY_MASK;
    }

    /// @return bids energies of the bids of a word in their lanes, and of the
    /// @return asks in theirs.
    function sides(uint256 word) internal pure returns (uint256 bids, uint256 asks) {
        uint256 all = word & ENERGIES;
        asks = energies(all, word);
        bids = all ^ asks;
    }

    /// @notice Compares the limits of six orders with six prices in the place of limits, at most MAX_TICK.
    /// @return above flags (Strips.spread) of the orders that name a higher tick.
    /// @return at of those that name the same.
    /// @return below of those that name a lower one; lanes without an order are among them, unless the price is tick 0.
    function compare(uint256 word, uint256 prices) internal pure returns (uint256 above, uint256 at, uint256 below) {
        unchecked {
            uint256 limits = word & TICKS;
            uint256 notBelow = Strips.minus(limits, prices);
            above = Strips.minus(limits, prices + (Strips.ONES << TICK_SHIFT)) & Strips.ALL_FLAGS;
            at = notBelow & Strips.ALL_FLAGS & ~above;
            below = ~notBelow & Strips.ALL_FLAGS;
        }
    }

    /// @return energies of the orders whose flags are set, in their lanes.
    function energies(uint256 word, uint256 flags) internal pure returns (uint256) {
        return word & Strips.spread(flags, ENERGY_MASK);
    }

    function isAsk(uint256 order) internal pure returns (bool) {
        return order >> SIDE_SHIFT == 1;
    }
}
