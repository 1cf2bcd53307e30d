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
    /// Wh that one market may contract for a member in a period: twice what sixteen markets say fits a signed lane.
    uint256 internal constant MAX_POSITION = (1 << 33) - 1;

    /// Six signed lanes that are all zero.
    uint256 internal constant ZERO_LANES =
        BIAS | (BIAS << 40) | (BIAS << 80) | (BIAS << 120) | (BIAS << 160) | (BIAS << 200);
    /// The flags of all six lanes.
    uint256 internal constant ALL_FLAGS =
        FLAG | (FLAG << 40) | (FLAG << 80) | (FLAG << 120) | (FLAG << 160) | (FLAG << 200);

    /// The lowest bit of all six lanes: times a number it puts the number into every lane.
    uint256 internal constant ONES = 1 | (1 << 40) | (1 << 80) | (1 << 120) | (1 << 160) | (1 << 200);
    /// Lanes 0, 2 and 4 with room for products between them.
    uint256 internal constant EVEN_LANES = LANE_MASK | (LANE_MASK << 80) | (LANE_MASK << 160);
    // Numbers of six bits 39 apart: the k-th has its bit k as the lowest bit of lane k.
    uint256 private constant COPIES = 1 | (1 << 39) | (1 << 78) | (1 << 117) | (1 << 156) | (1 << 195);
    uint256 private constant PAIR_BITS = 80;
    uint256 private constant PAIR_MASK = (1 << PAIR_BITS) - 1;
    // Two flags for every pair of lanes.
    uint256 private constant FLAG_PAIRS = (FLAG << 1) | (FLAG << 81) | (FLAG << 161);

    function dayOf(uint256 word) internal pure returns (uint256) {
        return word >> DAY_SHIFT;
    }

    function lane(uint256 word, uint256 k) internal pure returns (uint256) {
        unchecked {
            return (word >> (k * LANE_BITS)) & LANE_MASK;
        }
    }

    /// @return Wh of a signed lane, whatever its flag.
    function signedLane(uint256 word, uint256 k) internal pure returns (int256) {
        unchecked {
            return int256((word >> (k * LANE_BITS)) & SIGNED_MASK) - int256(BIAS);
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

    /// @return whether all six signed lanes are between -2^33 and MAX_POSITION, with neither flags nor a day.
    function isWithinBound(uint256 word) internal pure returns (bool) {
        // With 2^33 added such a lane has the bias and 34 bits below it, and nothing else. One that carries into the next has lost
        // the bias.
        unchecked {
            uint256 shifted = word + (MAX_POSITION + 1) * ONES;
            return shifted & ~((2 * MAX_POSITION + 1) * ONES) == ZERO_LANES;
        }
    }

    /// @notice Compares six pairs of 39-bit lanes at once.
    /// @return flags in the top bits of the lanes where a >= b; below them a - b, modulo 2^39.
    function minus(uint256 a, uint256 b) internal pure returns (uint256 flags) {
        // With its flag set every lane of a is the larger: nothing is borrowed from the next lane.
        unchecked {
            return (a | ALL_FLAGS) - b;
        }
    }

    /// @return lanes `mask` in every lane whose flag is set, zero in the others.
    function spread(uint256 flags, uint256 mask) internal pure returns (uint256 lanes) {
        unchecked {
            return ((flags & ALL_FLAGS) >> (LANE_BITS - 1)) * mask;
        }
    }

    /// @param bits six bits, the lowest for lane 0.
    /// @return flags in the top bits of the lanes whose bit is set.
    function flagsOf(uint256 bits) internal pure returns (uint256 flags) {
        unchecked {
            return ((bits * COPIES) & ONES) << (LANE_BITS - 1);
        }
    }

    /// @return flags in the top bits of the lanes that are not zero, of a word without a day.
    function used(uint256 lanes) internal pure returns (uint256 flags) {
        unchecked {
            return (((lanes & ~ALL_FLAGS) + SIGNED_MASK * ONES) | lanes) & ALL_FLAGS;
        }
    }

    /// @return sold Wh by lane, zero where nothing is or more is bought; neither word has flags or a day.
    function soldOf(uint256 net) internal pure returns (uint256 sold) {
        uint256 flags = minus(ZERO_LANES, net);
        return flags & spread(flags, SIGNED_MASK);
    }

    /// @return bought Wh by lane, zero where nothing is or more is sold; neither word has flags or a day.
    function boughtOf(uint256 net) internal pure returns (uint256 bought) {
        uint256 flags = minus(net, ZERO_LANES);
        return flags & spread(flags, SIGNED_MASK);
    }

    /// @return bought what the lanes above zero have together, Wh, and
    /// @return sold what those below zero have. Whatever their flags; without a day.
    function sides(uint256 net) internal pure returns (int256 bought, int256 sold) {
        net &= ~ALL_FLAGS;
        return (int256(sum(boughtOf(net))), int256(sum(soldOf(net))));
    }

    /// @return lanes the smaller one of each pair of 39-bit lanes.
    function least(uint256 a, uint256 b) internal pure returns (uint256 lanes) {
        uint256 isMore = spread(minus(a, b), SIGNED_MASK);
        return (b & isMore) | (a & ~isMore);
    }

    /// @return lanes the larger one of each pair of 39-bit lanes.
    function most(uint256 a, uint256 b) internal pure returns (uint256 lanes) {
        uint256 isMore = spread(minus(a, b), SIGNED_MASK);
        return (a & isMore) | (b & ~isMore);
    }

    /// @return total of six lanes that together fit a lane.
    function sum(uint256 lanes) internal pure returns (uint256 total) {
        unchecked {
            return ((lanes * ONES) >> (5 * LANE_BITS)) & LANE_MASK;
        }
    }

    /// @return total of six products: of the lanes with the factors of two words made by `factors`. Each product within 78 bits.
    function dot(uint256 lanes, uint256 even, uint256 odd) internal pure returns (uint256 total) {
        // The middle term of a product of polynomials: lane k meets factor k at 2^160, every other pair elsewhere.
        unchecked {
            total = (((lanes & EVEN_LANES) * even) >> (2 * PAIR_BITS)) & PAIR_MASK;
            total += ((((lanes >> LANE_BITS) & EVEN_LANES) * odd) >> (2 * PAIR_BITS)) & PAIR_MASK;
        }
    }

    /// @param flags what `minus` makes of two words.
    /// @return their differences, two lanes together, modulo 2^256: what `totalOf` adds up, of several words added to each other.
    function differences(uint256 flags) internal pure returns (uint256) {
        unchecked {
            return (flags & EVEN_LANES) + ((flags >> LANE_BITS) & EVEN_LANES) - FLAG_PAIRS;
        }
    }

    /// @param sums what `differences` makes, each sum within 79 bits and a sign.
    function totalOf(uint256 sums) internal pure returns (int256 total) {
        // With half of its room added none of the sums is below zero.
        unchecked {
            uint256 half = 1 << (PAIR_BITS - 1);
            sums += half | (half << PAIR_BITS) | (half << (2 * PAIR_BITS));
            uint256 raised = (sums & PAIR_MASK) + ((sums >> PAIR_BITS) & PAIR_MASK) + (sums >> (2 * PAIR_BITS));
            total = int256(raised) - int256(3 * half);
        }
    }

    /// @return even factors of lanes 4, 2, 0 and
    /// @return odd of lanes 5, 3, 1, in reverse, as `dot` takes them.
    function factors(uint256 lanes) internal pure returns (uint256 even, uint256 odd) {
        even = _reversed(lanes & EVEN_LANES);
        odd = _reversed((lanes >> LANE_BITS) & EVEN_LANES);
    }

    /// @return a number of 39 bits at most in every lane.
    function inAllLanes(uint256 number) internal pure returns (uint256) {
        unchecked {
            return number * ONES;
        }
    }

    /// @return three lanes with room between them, in reverse.
    function _reversed(uint256 lanes) private pure returns (uint256) {
        uint256 middle = lanes & (PAIR_MASK << PAIR_BITS);
        return (lanes << (2 * PAIR_BITS)) | middle | (lanes >> (2 * PAIR_BITS));
    }

    function withDay(uint256 lanes, uint256 day) internal pure returns (uint256) {
        return lanes | (day << DAY_SHIFT);
    }
}
