// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title Levels
/// @notice The orders at one price, in words of three. Position p of a level is lane p % 3 of its word p / 3; positions are given
/// out in the order of arrival and never again on the same day. The level's *top* holds the newest word and where the others
/// are: a new order rewrites the top alone, and a full top is moved to a word of its own by the order after.
///     word: bits 255..240 day; lane k in the 64 bits from 64k: member in the upper 32, open energy in Wh in the lower 32
///     top:  besides, bits 239..224 its number, 223..208 the first word that may hold an open order, 192 whether the book lists
///           the price
/// A lane without a member was never used; one with a member and without energy is an order that is filled or cancelled. A word
/// that would have been moved without an open order is left out: its place holds another day's.
library Levels {
    uint256 internal constant PLACES = 3;
    /// Words a level may fill on one day.
    uint256 internal constant MAX_WORDS = type(uint16).max;

    uint256 private constant LANE_BITS = 64;
    uint256 private constant MEMBER_SHIFT = 32;
    uint256 private constant ENERGY_MASK = type(uint32).max;
    uint256 private constant ENERGIES = ENERGY_MASK | (ENERGY_MASK << 64) | (ENERGY_MASK << 128);
    uint256 private constant LANES_MASK = (1 << 192) - 1;
    uint256 private constant DAY_SHIFT = 240;
    uint256 private constant INDEX_SHIFT = 224;
    uint256 private constant FIRST_SHIFT = 208;
    uint256 private constant LISTED = 1 << 192;

    function memberAt(uint256 word, uint256 k) internal pure returns (uint256) {
        unchecked {
            return (word >> (k * LANE_BITS + MEMBER_SHIFT)) & ENERGY_MASK;
        }
    }

    function energyAt(uint256 word, uint256 k) internal pure returns (uint256) {
        unchecked {
            return (word >> (k * LANE_BITS)) & ENERGY_MASK;
        }
    }

    /// @return the word with an order in a lane that was never used.
    function put(uint256 word, uint256 k, uint256 member, uint256 energy) internal pure returns (uint256) {
        unchecked {
            return word | (((member << MEMBER_SHIFT) | energy) << (k * LANE_BITS));
        }
    }

    /// @return the word with so much less energy in a lane, at most what is there.
    function reduce(uint256 word, uint256 k, uint256 energy) internal pure returns (uint256) {
        unchecked {
            return word - (energy << (k * LANE_BITS));
        }
    }

    /// @return whether any order of the word is open.
    function isOpen(uint256 word) internal pure returns (bool) {
        return word & ENERGIES != 0;
    }

    /// @return lanes that were used, which are the lowest.
    function used(uint256 word) internal pure returns (uint256) {
        unchecked {
            return word & (ENERGY_MASK << 160) != 0
                ? 3
                : word & (ENERGY_MASK << 96) != 0 ? 2 : word & (ENERGY_MASK << MEMBER_SHIFT) != 0 ? 1 : 0;
        }
    }

    /// @return the orders of a top as a word of their own.
    function lanes(uint256 top) internal pure returns (uint256) {
        return (top & LANES_MASK) | ((top >> DAY_SHIFT) << DAY_SHIFT);
    }

    /// @return number of the word that the top holds.
    function index(uint256 top) internal pure returns (uint256) {
        return uint16(top >> INDEX_SHIFT);
    }

    /// @return number of the first word that may hold an open order.
    function first(uint256 top) internal pure returns (uint256) {
        return uint16(top >> FIRST_SHIFT);
    }

    function withFirst(uint256 top, uint256 first_) internal pure returns (uint256) {
        return (top & ~(uint256(type(uint16).max) << FIRST_SHIFT)) | (first_ << FIRST_SHIFT);
    }

    function isListed(uint256 top) internal pure returns (bool) {
        return top & LISTED != 0;
    }

    function withListed(uint256 top, bool isListed_) internal pure returns (uint256) {
        return isListed_ ? top | LISTED : top & ~LISTED;
    }

    /// @return a top without orders, of a price that is not listed.
    function emptyTop(uint256 day, uint256 index_, uint256 first_) internal pure returns (uint256) {
        return (day << DAY_SHIFT) | (index_ << INDEX_SHIFT) | (first_ << FIRST_SHIFT);
    }
}
