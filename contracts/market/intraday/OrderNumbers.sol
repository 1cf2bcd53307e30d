// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title Order numbers
/// @notice An intraday order's number says where it rests, and no other order of the day has it: slot in bits 52..45, side in bit 44
/// (0 bid, 1 ask), limit in ticks in bits 43..32, position among all orders ever rested at that price in bits 31..0.
library OrderNumbers {
    uint256 private constant POSITION_BITS = 32;
    uint256 private constant TICK_SHIFT = 32;
    uint256 private constant SIDE_SHIFT = 44;
    uint256 private constant SLOT_SHIFT = 45;

    /// @return number of the first order of a level; the others follow.
    function firstOf(uint256 slot, uint256 side, uint256 tick) internal pure returns (uint256) {
        return (slot << SLOT_SHIFT) | (side << SIDE_SHIFT) | (tick << TICK_SHIFT);
    }

    function positionOf(uint256 number) internal pure returns (uint256) {
        return uint32(number);
    }

    function tickOf(uint256 number) internal pure returns (uint256) {
        return (number >> TICK_SHIFT) & 0xfff;
    }

    function sideOf(uint256 number) internal pure returns (uint256) {
        return (number >> SIDE_SHIFT) & 1;
    }

    function slotOf(uint256 number) internal pure returns (uint256) {
        return number >> SLOT_SHIFT;
    }

    /// @return number of the first order of the level this one is at.
    function levelOf(uint256 number) internal pure returns (uint256) {
        return (number >> POSITION_BITS) << POSITION_BITS;
    }
}
