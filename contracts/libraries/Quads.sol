// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title Quads
/// @notice Four sums of energy in one storage word, 64 bits each: the orders of a period together fit (Wh).
library Quads {
    uint256 private constant BITS = 64;

    function pack(uint256 a, uint256 b, uint256 c, uint256 d) internal pure returns (uint256) {
        return a | (b << BITS) | (c << (2 * BITS)) | (d << (3 * BITS));
    }

    /// @return the word with a number put before its first three.
    function push(uint256 word, uint256 number) internal pure returns (uint256) {
        return (word << BITS) | number;
    }

    /// @return number n of the word, 0 to 3.
    function at(uint256 word, uint256 n) internal pure returns (uint256) {
        unchecked {
            return uint64(word >> (n * BITS));
        }
    }
}
