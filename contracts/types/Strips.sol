// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title Strips
/// @notice Six consecutive delivery periods in one storage word: the day in bits 255..240, the period of lane k (0 to 5) in
/// the 40 bits from 40k. A word whose day is not the day asked for means "nothing here", so storage is reused day after day
/// without clearing it; days count from 1, so untouched storage is nobody's day.
library Strips {
    /// Delivery periods in one strip.
    uint256 internal constant LANES = 6;
    uint256 internal constant LANE_BITS = 40;
    uint256 internal constant LANE_MASK = (1 << LANE_BITS) - 1;
    uint256 internal constant DAY_SHIFT = 240;
    uint256 internal constant MAX_DAY = type(uint16).max;
    uint256 internal constant LANES_MASK = (1 << DAY_SHIFT) - 1;

    /// Signed lanes hold energy + BIAS in their lower 39 bits; the top bit is free for a flag.
    uint256 internal constant BIAS = 1 << 38;
    uint256 internal constant SIGNED_MASK = (1 << 39) - 1;
    uint256 internal constant FLAG = 1 << 39;

    /// Six signed lanes that are all zero.
    uint256 internal constant ZERO_LANES =
        BIAS | (BIAS << 40) | (BIAS << 80) | (BIAS << 120) | (BIAS << 160) | (BIAS << 200);
    /// The flags of all six lanes.
    uint256 internal constant ALL_FLAGS =
        FLAG | (FLAG << 40) | (FLAG << 80) | (FLAG << 120) | (FLAG << 160) | (FLAG << 200);

    /// Days whose records are kept side by side: from orders for tomorrow back to corrections of days past.
    uint256 internal constant RING = 8;

    error EnergyOutOfRange(int256 energy);

    function dayOf(uint256 word) internal pure returns (uint256) {
        return word >> DAY_SHIFT;
    }

    function lane(uint256 word, uint256 k) internal pure returns (uint256) {
        return (word >> (k * LANE_BITS)) & LANE_MASK;
    }

    /// @return Wh of a signed lane, whatever its flag.
    function signedLane(uint256 word, uint256 k) internal pure returns (int256) {
        unchecked {
            return int256((word >> (k * LANE_BITS)) & SIGNED_MASK) - int256(BIAS);
        }
    }

    /// @return a word with `energy` Wh in lane k and nothing else; or several together into a whole word.
    function toSignedLane(int256 energy, uint256 k) internal pure returns (uint256) {
        if (energy < -int256(BIAS) || energy >= int256(BIAS)) revert EnergyOutOfRange(energy);
        unchecked {
            return uint256(energy + int256(BIAS)) << (k * LANE_BITS);
        }
    }

    /// @notice Adds six signed lanes at once; neither word may carry flags or a day.
    /// @dev No lane can carry into its neighbour: two biased 39-bit values fit 40 bits.
    function addSigned(uint256 a, uint256 b) internal pure returns (uint256) {
        unchecked {
            return a + b - ZERO_LANES;
        }
    }

    /// @return the six signed lanes of a word, or zeros if it belongs to another day; flags removed.
    function signedLanes(uint256 word, uint256 day) internal pure returns (uint256) {
        return dayOf(word) == day ? word & LANES_MASK & ~ALL_FLAGS : ZERO_LANES;
    }

    function withDay(uint256 lanes, uint256 day) internal pure returns (uint256) {
        return lanes | (day << DAY_SHIFT);
    }
}
