// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title Orders
/// @notice One order in the 40 bits of a strip's lane: bit 39 side (0 bid, 1 ask), bits 38..27 limit in ticks, bits 26..0
/// energy in Wh. A lane without energy is no order and must be zero as a whole.
library Orders {
    uint256 internal constant ENERGY_MASK = (1 << 27) - 1;
    uint256 internal constant TICK_SHIFT = 27;
    uint256 internal constant TICK_MASK = 0xfff;
    uint256 internal constant SIDE_SHIFT = 39;

    function energy(uint256 order) internal pure returns (uint256) {
        return order & ENERGY_MASK;
    }

    function tick(uint256 order) internal pure returns (uint256) {
        return (order >> TICK_SHIFT) & TICK_MASK;
    }

    function isAsk(uint256 order) internal pure returns (bool) {
        return order >> SIDE_SHIFT == 1;
    }
}
