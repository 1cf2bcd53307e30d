// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IMarketRules} from "../interfaces/IMarketRules.sol";
import {PriceRange} from "./Units.sol";

/// @title Price scale
/// @notice Where prices are packed, they are counted from the lowest price that the market knows, so that none has a sign: tick 0
/// is the lowest price, and a tariff of 0 in a lane is as well. Whoever works out money adds the lowest price again.
abstract contract PriceScale {
    /// Units/Wh, at most 0.
    int256 internal immutable LOWEST_PRICE;
    uint256 internal immutable UNITS_PER_TICK;

    constructor(IMarketRules rules) {
        PriceRange memory range = rules.priceRange();
        LOWEST_PRICE = range.lowest;
        UNITS_PER_TICK = range.tick;
    }

    /// @return units/Wh.
    function _priceOf(uint256 tick) internal view returns (int256) {
        unchecked {
            return LOWEST_PRICE + int256(tick * UNITS_PER_TICK);
        }
    }

    /// @param price units/Wh, not below the lowest one.
    /// @return what it is above the lowest price, units/Wh.
    function _aboveLowest(int256 price) internal view returns (uint256) {
        return uint256(price - LOWEST_PRICE);
    }
}
