// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Strips} from "../types/Strips.sol";

/// @title Registers
/// @notice Import and export registers as a sheet has them (IMeterReadings.sol).
library Registers {
    uint256 internal constant BYTES = 16;

    /// @return importWh n-th import register of a sheet whose length is checked, and
    /// @return exportWh its export register.
    function nth(bytes calldata registers, uint256 n) internal pure returns (uint256 importWh, uint256 exportWh) {
        // Read straight from the message: slicing it costs 300 gas a period.
        uint256 both;
        assembly ("memory-safe") {
            both := shr(128, calldataload(add(registers.offset, shl(4, n))))
        }
        return (both >> 64, uint64(both));
    }

    /// @return importWh what the import register advances by in strip i of the sheet, and
    /// @return exportWh the export register.
    function advance(bytes calldata registers, uint256 i) internal pure returns (int256 importWh, int256 exportWh) {
        (uint256 importBefore, uint256 exportBefore) = nth(registers, i * Strips.LANES);
        (uint256 importAfter, uint256 exportAfter) = nth(registers, (i + 1) * Strips.LANES);
        return (int256(importAfter) - int256(importBefore), int256(exportAfter) - int256(exportBefore));
    }
}
