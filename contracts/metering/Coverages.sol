// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IMeterReadings} from "../interfaces/IMeterReadings.sol";
import {Strips} from "../types/Strips.sol";

/// @title Coverages
/// @notice What a member's readings of a day cover, in one word, so that a sheet costs the same whatever it restates: the day in
/// bits 255..240, strip s in the 15 bits from 15s. The highest of them stays free; below it 0: no value, 1: an estimate, else the
/// sequence of the last sheet that covers the strip + 1.
library Coverages {
    /// Sheets of a strip count up to this.
    uint256 internal constant MAX_SEQUENCE = (1 << 14) - 2;

    uint256 private constant BITS = 15;
    uint256 private constant MASK = (1 << BITS) - 1;
    /// The lowest bit of all sixteen strips.
    uint256 private constant ONES = ((1 << (16 * BITS)) - 1) / MASK;
    uint256 private constant FLAG_SHIFT = BITS - 1;

    /// @return the lowest bit of so many strips from the first one on.
    function onesOf(uint256 firstStrip, uint256 strips) internal pure returns (uint256) {
        unchecked {
            return (ONES & ((1 << (BITS * strips)) - 1)) << (BITS * firstStrip);
        }
    }

    function has(uint256 coverage, uint256 strip) internal pure returns (bool) {
        return coverage & (MASK << (BITS * strip)) != 0;
    }

    /// @return whether any of the strips with these ones has a value.
    function isAnyOf(uint256 coverage, uint256 ones) internal pure returns (bool) {
        unchecked {
            return coverage & (ones * MASK) != 0;
        }
    }

    /// @return whether any strip has a value.
    function hasAny(uint256 coverage) internal pure returns (bool) {
        return coverage & Strips.LANES_MASK != 0;
    }

    /// @return whether the first so many strips all have a value.
    function isWhole(uint256 coverage, uint256 strips) internal pure returns (bool) {
        uint256 ones = onesOf(0, strips);
        // The free bit of a strip stays as it is if 1 can be taken off what is below it.
        unchecked {
            uint256 flags = ones << FLAG_SHIFT;
            return (((coverage & (ones * MASK)) | flags) - ones) & flags == flags;
        }
    }

    /// @return flags of the strips, of those with these ones, that a sheet of this sequence, at least 1, comes too late for.
    function stale(uint256 coverage, uint256 ones, uint256 sequence) internal pure returns (uint256) {
        unchecked {
            uint256 flags = ones << FLAG_SHIFT;
            return (((coverage & (ones * MASK)) | flags) - ones * (sequence + 1)) & flags;
        }
    }

    /// @return strip the first of those flagged.
    function firstOf(uint256 flags) internal pure returns (uint256 strip) {
        unchecked {
            while (!has(flags, strip)) ++strip;
        }
    }

    /// @return of the last sheet that covers the strip; 0: none does.
    function sequenceOf(uint256 coverage, uint256 strip) internal pure returns (uint256) {
        uint256 value = (coverage >> (BITS * strip)) & MASK;
        return value == 0 ? 0 : value - 1;
    }

    /// @return the coverage with a sheet of this sequence for the strips with these ones; with 0 an estimate.
    function covered(uint256 coverage, uint256 ones, uint256 sequence) internal pure returns (uint256) {
        unchecked {
            return (coverage & ~(ones * MASK)) | (ones * (sequence + 1));
        }
    }

    /// @notice Enters a sheet, if it is the latest for each of its strips: sheets for different strips come in any order.
    /// @param lanes of its strips, 0 for one that is left out.
    /// @return later the coverage with it.
    /// @return isCorrection whether any of its strips had a value before.
    /// @return isWholeSheet whether none is left out.
    function entered(uint256 coverage, uint32 id, uint256 firstStrip, uint256[] memory lanes, uint256 sequence)
        internal
        pure
        returns (uint256 later, bool isCorrection, bool isWholeSheet)
    {
        uint256 ones = onesOf(firstStrip, lanes.length);
        if (sequence > MAX_SEQUENCE) revert IMeterReadings.SequenceTooHigh(sequence, MAX_SEQUENCE);
        uint256 staleOnes = sequence == 0 ? ones : stale(coverage, ones, sequence);
        if (staleOnes != 0) {
            uint256 strip = firstOf(staleOnes);
            revert IMeterReadings.StaleReading(id, strip, sequence, sequenceOf(coverage, strip));
        }
        isCorrection = isAnyOf(coverage, ones);
        uint256 all = ones;
        for (uint256 i = 0; i < lanes.length; ++i) {
            if (lanes[i] == 0) ones &= ~onesOf(firstStrip + i, 1);
        }
        if (ones == 0) revert IMeterReadings.NothingPlausible(id, firstStrip);
        return (covered(coverage, ones, sequence), isCorrection, ones == all);
    }
}
