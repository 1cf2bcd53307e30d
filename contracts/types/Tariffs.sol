// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Strips} from "./Strips.sol";

/// @title Tariffs
/// @notice One period's fallback tariffs in the 40 bits of a strip's lane: buy in bits 39..20, sell in bits 19..0, units/Wh above
/// the market's lowest price (PriceScale.sol).
library Tariffs {
    uint256 private constant BITS = 20;
    uint256 private constant MASK = (1 << BITS) - 1;

    function unpack(uint256 lane) internal pure returns (uint256 buy, uint256 sell) {
        return (lane >> BITS, lane & MASK);
    }

    /// @return the higher prices of six lanes, each at the bottom of its lane; above them nothing.
    function buys(uint256 word) internal pure returns (uint256) {
        return (word >> BITS) & (MASK * Strips.ONES);
    }

    /// @return the lower ones.
    function sells(uint256 word) internal pure returns (uint256) {
        return word & (MASK * Strips.ONES);
    }

    function pack(uint256 buy, uint256 sell) internal pure returns (uint256) {
        return (buy << BITS) | sell;
    }
}
