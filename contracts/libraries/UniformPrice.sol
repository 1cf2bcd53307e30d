// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ProRata} from "./ProRata.sol";

/// @title Uniform price of a call auction
/// @notice With D the bids and A the asks, the equilibrium prices are lo = min{t : A(<=t) >= D(>t)} to
/// hi = max{t : D(>=t) >= A(<t)}, the price is floor((lo + hi) / 2): the k-double auction with k = 1/2 (Chatterjee and
/// Samuelson 1983; rule 5). Given lo as a pivot, five numbers of the book verify it and give price, volume and rationing.
library UniformPrice {
    /// Which side of the book gets less than it wants at the price.
    enum Rationed {
        None,
        Bids,
        Asks
    }

    uint256 private constant RATIONED_SHIFT = 16;
    uint256 private constant SHARE_SHIFT = 88;
    uint256 private constant MARGINAL_SHIFT = 152;

    /// What one pass over a book adds up around a pivot tick, Wh.
    struct Sums {
        uint256 bidsAbove;
        uint256 bidsAt;
        uint256 asksBelow;
        uint256 asksAt;
        /// Lowest tick above the pivot that any order names; MAX_TICK if there is none.
        uint256 nextTick;
    }

    /// Outcome of one period's auction. Volume 0: no price.
    struct Outcome {
        /// Ticks.
        uint16 price;
        Rationed rationed;
        /// Wh.
        uint64 volume;
        /// Of the rationed side: what its orders at the price share, and what they asked for, Wh.
        uint64 share;
        uint64 marginal;
    }

    /// @return whether the pivot is lo, the lowest equilibrium price.
    function isPivot(uint256 pivot, Sums memory s) internal pure returns (bool) {
        bool isEnough = s.asksBelow + s.asksAt >= s.bidsAbove;
        bool isLowest = pivot == 0 || s.asksBelow < s.bidsAbove + s.bidsAt;
        return isEnough && isLowest;
    }

    /// @param pivot lo in ticks, verified.
    function outcome(uint256 pivot, Sums memory s) internal pure returns (Outcome memory o) {
        uint256 hi = s.asksBelow + s.asksAt == s.bidsAbove ? s.nextTick : pivot;
        uint256 price = (pivot + hi) / 2;
        if (price > pivot) {
            // Nothing is named between pivot and hi: all bids above meet all asks up to the pivot, nobody is at the margin.
            o.volume = uint64(s.bidsAbove);
        } else {
            uint256 demand = s.bidsAbove + s.bidsAt;
            uint256 supply = s.asksBelow + s.asksAt;
            if (demand > supply) {
                o.volume = uint64(supply);
                o.rationed = Rationed.Bids;
                o.share = uint64(supply - s.bidsAbove);
                o.marginal = uint64(s.bidsAt);
            } else {
                o.volume = uint64(demand);
                if (supply > demand) {
                    o.rationed = Rationed.Asks;
                    o.share = uint64(demand - s.asksBelow);
                    o.marginal = uint64(s.asksAt);
                }
            }
        }
        if (o.volume == 0) return Outcome(0, Rationed.None, 0, 0, 0);
        o.price = uint16(price);
    }

    /// @return an outcome in one word, 0 if nothing is traded: price in bits 15..0, rationed side in 23..16, volume in 87..24,
    /// share in 151..88, marginal in 215..152.
    function pack(Outcome memory o) internal pure returns (uint256) {
        return uint256(o.price) | (uint256(o.rationed) << RATIONED_SHIFT) | (uint256(o.volume) << 24)
            | (uint256(o.share) << SHARE_SHIFT) | (uint256(o.marginal) << MARGINAL_SHIFT);
    }

    function unpack(uint256 packed) internal pure returns (Outcome memory) {
        return Outcome({
            price: uint16(packed),
            rationed: Rationed(uint8(packed >> RATIONED_SHIFT)),
            volume: uint64(packed >> 24),
            share: uint64(packed >> SHARE_SHIFT),
            marginal: uint64(packed >> MARGINAL_SHIFT)
        });
    }

    /// @return ticks.
    function priceOf(uint256 packed) internal pure returns (uint256) {
        return uint16(packed);
    }

    /// @return what the orders at the price share of the rationed side, Wh.
    function shareOf(uint256 packed) internal pure returns (uint256) {
        return uint64(packed >> SHARE_SHIFT);
    }

    /// @return what they asked for, Wh.
    function marginalOf(uint256 packed) internal pure returns (uint256) {
        return uint64(packed >> MARGINAL_SHIFT);
    }

    /// @return whether the side of an order at the price gets less than it wants.
    function isRationed(uint256 packed, bool isAsk) internal pure returns (bool) {
        return uint8(packed >> RATIONED_SHIFT) == uint8(isAsk ? Rationed.Asks : Rationed.Bids);
    }

    /// @param before Wh of the rationed orders walked before this one.
    /// @return what energy of the rationed side at the price trades, Wh.
    function fillDown(uint256 packed, uint256 before, uint256 energy) internal pure returns (uint256) {
        return ProRata.fillDown(before, energy, shareOf(packed), marginalOf(packed));
    }
}
