// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Rules} from "../interfaces/IMarketRules.sol";
import {Strips} from "../types/Strips.sol";
import {Tariffs} from "../types/Tariffs.sol";
import {Energy, Price} from "../types/Units.sol";
import {ImbalancePrice} from "./ImbalancePrice.sol";

/// One member's day, money units; the net energy that was contracted and kept, bought and taken or sold and delivered, Wh; and
/// whether any of it is estimated.
struct Bill {
    int256 imbalance;
    uint256 deviation;
    uint256 penalty;
    uint256 kept;
    bool isEstimated;
}

/// Imbalance prices of a strip as factors of Strips.dot, flags of the periods in which taking more, and taking less
/// than contracted is free of the deviation charge because it helps the area, and of those in which the area is short,
/// and long.
struct StripPrices {
    uint256 shortEven;
    uint256 shortOdd;
    uint256 longEven;
    uint256 longOdd;
    uint256 freeMore;
    uint256 freeLess;
    uint256 shortArea;
    uint256 longArea;
    /// Penalty rates as factors of Strips.dot; zero where there are none.
    uint256 penaltyEven;
    uint256 penaltyOdd;
}

/// @title Billing
/// @notice What a member owes for a day that it did not keep as contracted (rule 11), by the day's imbalance prices: the same
/// when the day is settled and when one member's day is settled late.
library Billing {
    /// Of a strip's imbalance prices in one word: lanes as Tariffs packs them, what the short pay and what the long receive,
    /// units/Wh above the market's lowest price; above them the periods in which the area is short, and those in which it is long,
    /// a bit each; then whether the boundary meter counts in the strip.
    uint256 internal constant SHORT_AREA = Strips.DAY_SHIFT;
    uint256 internal constant LONG_AREA = Strips.DAY_SHIFT + Strips.LANES;
    uint256 internal constant AT_BOUNDARY = 1 << (Strips.DAY_SHIFT + 2 * Strips.LANES);
    /// All periods of both kinds.
    uint256 internal constant EITHER_AREA = ((1 << (2 * Strips.LANES)) - 1) << SHORT_AREA;
    uint256 private constant PERIODS = (1 << Strips.LANES) - 1;

    /// @param penalties penalty rates of the strip, six lanes.
    /// @return p the prices of a strip of its word.
    function unpack(uint256 word, uint256 penalties, bool chargeHelpful) internal pure returns (StripPrices memory p) {
        (p.shortEven, p.shortOdd) = Strips.factors(Tariffs.buys(word));
        (p.longEven, p.longOdd) = Strips.factors(Tariffs.sells(word));
        if (penalties != 0) (p.penaltyEven, p.penaltyOdd) = Strips.factors(penalties);
        p.shortArea = Strips.flagsOf((word >> SHORT_AREA) & PERIODS);
        p.longArea = Strips.flagsOf((word >> LONG_AREA) & PERIODS);
        // An imbalance against the area's own brings the area nearer to balance.
        if (!chargeHelpful) (p.freeMore, p.freeLess) = (p.longArea, p.shortArea);
    }

    /// @param lowestPrice from which the prices are counted, units/Wh.
    /// @return bill of one member over the day.
    function billOf(
        uint256[] memory contracted,
        uint256[] memory metered,
        Rules memory rules,
        StripPrices[] memory prices,
        int256 lowestPrice
    ) internal pure returns (Bill memory bill) {
        uint256 toleranceFixed = Energy.unwrap(rules.toleranceFixed);
        uint256 charged = 0;
        uint256 moved = 0;
        for (uint256 strip = 0; strip < prices.length; ++strip) {
            uint256 c = lanesOf(contracted, strip);
            uint256 m = lanesOf(metered, strip);
            (uint256 size, uint256 isBuyer) = _sizeOf(c);
            if (c == m) {
                bill.kept += Strips.sum(size);
                continue;
            }
            // Nothing shows that what was contracted was kept, or helped: all of it is charged.
            uint256 estimated = m & Strips.ALL_FLAGS;
            if (estimated != 0) {
                m ^= estimated;
                bill.isEstimated = true;
            }
            StripPrices memory p = prices[strip];
            // Energies have 39 bits, prices 20, a day 96 periods: nothing overflows.
            unchecked {
                uint256 isMore = Strips.minus(m, c);
                uint256 mask = Strips.spread(isMore, Strips.SIGNED_MASK);
                uint256 more = isMore & mask;
                uint256 less = Strips.minus(c, m) & ~(mask | Strips.ALL_FLAGS);
                bill.imbalance += _payment(more, less, p);
                if (estimated != 0) bill.imbalance += _unpaid(more, estimated, p, lowestPrice);
                moved += Strips.differences(isMore);
                if (p.penaltyEven | p.penaltyOdd != 0) bill.penalty += _penalty(more, less, p);
                uint256 unkept = size;
                if (estimated == 0) unkept = Strips.least(size, (less & isBuyer) | (more & ~isBuyer));
                // No more than was metered, so six of them fit a lane.
                bill.kept += Strips.sum(size - unkept);
                if (unkept == 0) continue;
                uint256 isFree = ((isMore & p.freeMore) | (~isMore & p.freeLess)) & ~estimated;
                uint256 beyond = Strips.minus(unkept, (toleranceFixed + 1) * Strips.ONES) & ~isFree;
                charged += _chargeable(beyond & Strips.ALL_FLAGS, unkept, size, toleranceFixed, rules.toleranceShare);
            }
        }
        bill.deviation = charged * Price.unwrap(rules.deviationRate);
        bill.imbalance += Strips.totalOf(moved) * lowestPrice;
    }

    /// @return six signed lanes, flagged where estimated; zero for a member without an order, or without a meter.
    function lanesOf(uint256[] memory strips, uint256 strip) internal pure returns (uint256) {
        return strips.length == 0 ? Strips.ZERO_LANES : strips[strip];
    }

    /// @return units due for what was taken beyond, less what was not taken of the contracted energy (Wh by lane), money units.
    function _payment(uint256 more, uint256 less, StripPrices memory p) private pure returns (int256 units) {
        unchecked {
            if (more != 0) units += int256(Strips.dot(more, p.shortEven, p.shortOdd));
            if (less != 0) units -= int256(Strips.dot(less, p.longEven, p.longOdd));
        }
    }

    /// @param flags of the lanes that are estimated.
    /// @return units what an estimate of energy taken beyond would be paid at prices below zero (Wh by lane), money units: it is not.
    function _unpaid(uint256 more, uint256 flags, StripPrices memory p, int256 lowestPrice)
        private
        pure
        returns (int256 units)
    {
        unchecked {
            more &= Strips.spread(flags, Strips.SIGNED_MASK);
            uint256 zero = uint256(-lowestPrice) * Strips.ONES & Strips.EVEN_LANES;
            uint256 raised = Strips.dot(more, Strips.most(p.shortEven, zero), Strips.most(p.shortOdd, zero));
            units = int256(raised) - int256(Strips.dot(more, p.shortEven, p.shortOdd));
        }
    }

    /// @return units penalty for what was taken beyond in a short area, and not taken in a long one (Wh by lane), money units.
    function _penalty(uint256 more, uint256 less, StripPrices memory p) private pure returns (uint256 units) {
        uint256 caused = (more & Strips.spread(p.shortArea, Strips.SIGNED_MASK))
            | (less & Strips.spread(p.longArea, Strips.SIGNED_MASK));
        return Strips.dot(caused, p.penaltyEven, p.penaltyOdd);
    }

    /// @param contracted signed lanes.
    /// @return size what was contracted, bought or sold, Wh by lane.
    /// @return isBuyer lanes of ones where it was bought.
    function _sizeOf(uint256 contracted) private pure returns (uint256 size, uint256 isBuyer) {
        uint256 bought = Strips.minus(contracted, Strips.ZERO_LANES);
        isBuyer = Strips.spread(bought, Strips.SIGNED_MASK);
        size = (bought & isBuyer) | Strips.soldOf(contracted);
    }

    /// @param flags of the lanes to be charged.
    /// @return energy beyond the tolerance, Wh.
    function _chargeable(
        uint256 flags,
        uint256 unkept,
        uint256 contracted,
        uint256 toleranceFixed,
        uint256 toleranceShare
    ) private pure returns (uint256 energy) {
        unchecked {
            for (flags >>= Strips.LANE_BITS - 1; flags != 0; flags >>= Strips.LANE_BITS) {
                if (flags & 1 != 0) {
                    energy += ImbalancePrice.chargeableDown(
                        unkept & Strips.LANE_MASK, contracted & Strips.LANE_MASK, toleranceFixed, toleranceShare
                    );
                }
                contracted >>= Strips.LANE_BITS;
                unkept >>= Strips.LANE_BITS;
            }
        }
    }
}
