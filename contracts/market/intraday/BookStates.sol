// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {DayTerms} from "../../libraries/DayTerms.sol";
import {MAX_TICK} from "../../types/Units.sol";

/// @title Book states
/// @notice What an order must know of a period's book, in one word: the best price each side lists, which groups of 256 prices have
/// any listed, and the terms of the day. A price is listed from its first order until somebody meets it empty. Both sides look
/// alike by *rank*: a bid's is its tick, an ask's MAX_TICK - tick, so that the best order is the one of the highest rank and two
/// orders meet if their ranks add up to MAX_TICK or more.
///     bits 255..240 day; 239..200 paused until, unix time; 138..112 smallest order in Wh; 111..88 ceiling and 87..64 extra in units/Wh;
///     63..48 and 47..32 groups in use of asks and of bids; 31..16 and 15..0 best rank + 1 of asks and of bids, 0: none
/// The word of a day has the same terms in the same bits.
library BookStates {
    uint256 internal constant BID = 0;
    uint256 internal constant ASK = 1;

    uint256 private constant SIDE_BITS = 16;
    uint256 private constant GROUPS_SHIFT = 32;
    uint256 private constant EXTRA_SHIFT = 64;
    uint256 private constant CEILING_SHIFT = 88;
    uint256 private constant SMALLEST_SHIFT = 112;
    uint256 private constant PAUSE_SHIFT = 200;
    uint256 private constant DAY_SHIFT = 240;

    /// @return the terms of a day; prices within 24 bits, the energy within 27.
    function terms(uint256 day, uint256 extra_, uint256 ceiling_, uint256 smallest_) internal pure returns (uint256) {
        return
            (day << DAY_SHIFT) | (extra_ << EXTRA_SHIFT) | (ceiling_ << CEILING_SHIFT) | (smallest_ << SMALLEST_SHIFT);
    }

    function smallest(uint256 state) internal pure returns (uint256) {
        return uint32(state >> SMALLEST_SHIFT);
    }

    function isPaused(uint256 state) internal view returns (bool) {
        return uint40(state >> PAUSE_SHIFT) > block.timestamp;
    }

    function withPause(uint256 state, uint40 until) internal pure returns (uint256) {
        return (state & ~(uint256(type(uint40).max) << PAUSE_SHIFT)) | (uint256(until) << PAUSE_SHIFT);
    }

    /// @return rank of a tick on a side, or tick of a rank.
    function rank(uint256 side, uint256 tick) internal pure returns (uint256) {
        unchecked {
            return side == BID ? tick : MAX_TICK - tick;
        }
    }

    /// @return highest rank that a side lists, plus 1; 0 if it lists none.
    function best(uint256 state, uint256 side) internal pure returns (uint256) {
        unchecked {
            return uint16(state >> (side * SIDE_BITS));
        }
    }

    function withBest(uint256 state, uint256 side, uint256 best_) internal pure returns (uint256) {
        unchecked {
            uint256 shift = side * SIDE_BITS;
            return (state & ~(uint256(type(uint16).max) << shift)) | (best_ << shift);
        }
    }

    /// @return whether an order of a side and tick meets the best that the other side lists.
    function isCrossing(uint256 state, uint256 side, uint256 tick) internal pure returns (bool) {
        unchecked {
            uint256 other = best(state, 1 - side);
            return other != 0 && other + rank(side, tick) > MAX_TICK;
        }
    }

    /// @return groups of 256 ranks of which the side lists any, a bit each.
    function groups(uint256 state, uint256 side) internal pure returns (uint256) {
        unchecked {
            return uint16(state >> (GROUPS_SHIFT + side * SIDE_BITS));
        }
    }

    /// @return the state with one group's bit the other way round.
    function flipGroup(uint256 state, uint256 side, uint256 group) internal pure returns (uint256) {
        unchecked {
            return state ^ (1 << (GROUPS_SHIFT + side * SIDE_BITS + group));
        }
    }

    /// @notice Rule 5.4, as in the call auction.
    /// @param price units/Wh.
    /// @return money units of an order, or of a trade at that price: a buyer's payment and what it costs besides; for a seller what
    /// replacing its energy may cost beyond the price. Energies within 32 bits.
    function collateral(uint256 state, uint256 side, uint256 energy, int256 price) internal pure returns (uint256) {
        if (side == BID) return DayTerms.buyerLocks(energy, price, uint24(state >> EXTRA_SHIFT));
        return DayTerms.sellerLocks(energy, price, uint24(state >> CEILING_SHIFT));
    }
}
