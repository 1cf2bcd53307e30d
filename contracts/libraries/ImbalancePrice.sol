// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ImbalancePricing} from "../interfaces/IMarketRules.sol";

/// @title Imbalance price and deviation charge
/// @notice Rule 11. Single price: EU target model (Electricity Balancing Guideline, art. 55) and GB; two-price: the classic Nordic
/// scheme; tariff: what everybody has without a market. All are prices that exist already, so nothing is rounded
/// but the middle of the tariffs (down, by less than 1 unit/Wh: short members gain, long ones lose). Prices are counted from the
/// market's lowest one, as tariffs are packed.
library ImbalancePrice {
    /// @param buy the fallback supplier sells at this price, units/Wh.
    /// @param sell the fallback supplier buys at this price, units/Wh.
    /// @param price of the day-ahead auction, units/Wh, if it had one.
    /// @return the day-ahead price held within the tariffs, or their middle if nothing was traded.
    function mid(uint256 buy, uint256 sell, uint256 price, bool hasPrice) internal pure returns (uint256) {
        if (!hasPrice) return (buy + sell) / 2;
        if (price > buy) return buy;
        return price < sell ? sell : price;
    }

    /// @param area sum of all imbalances, Wh: above zero if the area is short.
    /// @return short what a member pays who took more than contracted, units/Wh.
    /// @return long what a member receives who took less, units/Wh.
    function prices(ImbalancePricing pricing, int256 area, uint256 buy, uint256 sell, uint256 middle)
        internal
        pure
        returns (uint256 short, uint256 long)
    {
        if (pricing == ImbalancePricing.Tariff) return (buy, sell);
        if (pricing == ImbalancePricing.TwoPrice) return (area > 0 ? buy : middle, area < 0 ? sell : middle);
        uint256 single = area > 0 ? buy : area < 0 ? sell : middle;
        return (single, single);
    }

    /// @param unkept contracted energy that was not taken, or not delivered, Wh.
    /// @param contracted magnitude of the contracted energy, Wh.
    /// @return Wh of it that are charged: those beyond the tolerance, which is the larger of `toleranceFixed`
    /// and the share of the contracted energy rounded down (the balancing fund gains, by less than 1 Wh).
    function chargeableDown(uint256 unkept, uint256 contracted, uint256 toleranceFixed, uint256 toleranceShare)
        internal
        pure
        returns (uint256)
    {
        // Energies of a signed lane: far from any overflow.
        unchecked {
            uint256 tolerance = (contracted * toleranceShare) / 10_000;
            if (tolerance < toleranceFixed) tolerance = toleranceFixed;
            return unkept > tolerance ? unkept - tolerance : 0;
        }
    }
}
