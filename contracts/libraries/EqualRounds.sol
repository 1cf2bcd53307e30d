// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Strips} from "../types/Strips.sol";

/// @title Equal rounds
/// @notice Energy for several who lack some, in six periods at once: in a round each gets what is left divided by those who still lack,
/// rounded down, or what it lacks; when that is nothing, the first of them get 1 Wh each. What the rounds come to is a level: everybody
/// has so much, or what it lacks. Whoever brings the level spares the rounds, and one pass tells the right one.
library EqualRounds {
    /// @param whole Wh by lane.
    /// @param lacks of each, Wh by lane. They and the whole fit 39 bits in sum.
    /// @param level Wh by lane.
    /// @return isRight whether the level is within 39 bits a lane, and leaves less than 1 Wh for each who lacks more, and nobody short.
    /// @return left what it leaves, Wh by lane.
    function leftBy(uint256 whole, uint256[] memory lacks, uint256 level)
        internal
        pure
        returns (bool isRight, uint256 left)
    {
        if (level & ~(Strips.SIGNED_MASK * Strips.ONES) != 0) return (false, 0);
        uint256 parts = 0;
        uint256 lacking = 0;
        // What lacks add up to fits a lane, and so does their number.
        unchecked {
            for (uint256 n = 0; n < lacks.length; ++n) {
                parts += Strips.least(level, lacks[n]);
                lacking += _ones(_isAbove(lacks[n], level));
            }
        }
        uint256 flags = Strips.minus(whole, parts);
        left = flags & ~Strips.ALL_FLAGS;
        bool isEnough = flags & Strips.ALL_FLAGS == Strips.ALL_FLAGS;
        isRight = isEnough && Strips.minus(left, lacking) & Strips.used(lacking) == 0;
    }

    /// @param left what the level leaves for this one and those after it, Wh by lane.
    /// @return part of one who lacks so much, and
    /// @return rest what is left for those after it.
    function partOf(uint256 lack, uint256 level, uint256 left) internal pure returns (uint256 part, uint256 rest) {
        // One more where something is left.
        unchecked {
            uint256 more = _ones(_isAbove(lack, level) & Strips.used(left));
            return (Strips.least(level, lack) + more, left - more);
        }
    }

    /// @return flags of the lanes where a is above b.
    function _isAbove(uint256 a, uint256 b) private pure returns (uint256 flags) {
        return ~Strips.minus(b, a) & Strips.ALL_FLAGS;
    }

    /// @return lanes 1 in every lane whose flag is set.
    function _ones(uint256 flags) private pure returns (uint256 lanes) {
        return Strips.spread(flags, 1);
    }
}
