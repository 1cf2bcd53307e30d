// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SignedMath} from "@openzeppelin/contracts/utils/math/SignedMath.sol";
import {ProRata} from "../../libraries/ProRata.sol";
import {MAX_TICK} from "../../types/Units.sol";

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

    uint256 private constant TICK_SHIFT = 8;
    uint256 private constant SHARE_SHIFT = 112;
    uint256 private constant MARGINAL_SHIFT = 176;

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

    /// @param price counted from the lowest price that orders can name, units/Wh.
    /// @param unitsPerTick units/Wh.
    /// @return lowest limit of a bid that pays the price, in ticks, rounded up so that nobody pays more than its limit;
    /// MAX_TICK + 1 if there is none.
    function importTickUp(int256 price, uint256 unitsPerTick) internal pure returns (uint256) {
        if (price <= 0) return 0;
        uint256 tick = (uint256(price) + unitsPerTick - 1) / unitsPerTick;
        return tick > MAX_TICK ? MAX_TICK + 1 : tick;
    }

    /// @param price counted from the lowest price that orders can name, units/Wh.
    /// @param unitsPerTick units/Wh.
    /// @return highest limit of an ask that takes the price, in ticks, rounded down so that nobody receives less than its
    /// limit; meaningless below the lowest price, which no ask takes.
    function exportTickDown(int256 price, uint256 unitsPerTick) internal pure returns (uint256) {
        if (price < 0) return 0;
        uint256 tick = uint256(price) / unitsPerTick;
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
    function leftFor(uint256 better, uint256 at, uint256 capacity) internal pure returns (uint256) {
        uint256 left = capacity - better;
        return left < at ? left : at;
    }

    /// @param rate of the upper market's penalty, units/Wh.
    /// @param exchanged what the desk nominated, Wh, either way.
    /// @param area the area's imbalance, Wh.
    /// @return due of the penalty for an imbalance of no more than was nominated, money units.
    /// @return passedOn what each Wh of the imbalance pays of it, units/Wh, rounded up: the balancing fund gains, by less than
    /// 1 unit/Wh.
    function penaltyUp(uint256 rate, int256 exchanged, int256 area)
        internal
        pure
        returns (uint256 due, uint256 passedOn)
    {
        uint256 imbalance = SignedMath.abs(area);
        due = rate * Math.min(imbalance, SignedMath.abs(exchanged));
        if (due > 0) passedOn = Math.ceilDiv(due, imbalance);
    }

    /// @return an outcome in one word, 0 if nothing is traded: direction in bits 7..0, tick in 23..8, price in 47..24, volume
    /// in 111..48, share in 175..112, marginal in 239..176.
    function pack(Outcome memory o) internal pure returns (uint256) {
        return uint256(o.direction) | (uint256(o.tick) << TICK_SHIFT) | (uint256(uint24(o.price)) << 24)
            | (uint256(o.volume) << 48) | (uint256(o.share) << SHARE_SHIFT) | (uint256(o.marginal) << MARGINAL_SHIFT);
    }

    function unpack(uint256 packed) internal pure returns (Outcome memory) {
        return Outcome({
            direction: Direction(uint8(packed)),
            tick: uint16(packed >> TICK_SHIFT),
            price: int24(uint24(packed >> 24)),
            volume: uint64(packed >> 48),
            share: uint64(packed >> SHARE_SHIFT),
            marginal: uint64(packed >> MARGINAL_SHIFT)
        });
    }

    /// @return of the orders at the margin, in ticks.
    function tickOf(uint256 packed) internal pure returns (uint256) {
        return uint16(packed >> TICK_SHIFT);
    }

    /// @return what the orders at the margin share, Wh.
    function shareOf(uint256 packed) internal pure returns (uint256) {
        return uint64(packed >> SHARE_SHIFT);
    }

    /// @return what they asked for, Wh.
    function marginalOf(uint256 packed) internal pure returns (uint256) {
        return uint64(packed >> MARGINAL_SHIFT);
    }

    /// @param before Wh of the orders at the margin walked before this one.
    /// @return what energy at the margin trades, Wh.
    function fillDown(uint256 packed, uint256 before, uint256 energy) internal pure returns (uint256) {
        return ProRata.fillDown(before, energy, shareOf(packed), marginalOf(packed));
    }
}
