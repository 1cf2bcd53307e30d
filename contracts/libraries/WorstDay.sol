// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title The worst day of a member
/// @notice A member's day is settled in one transaction, whatever it ordered (rule 5.5). What that costs at most follows from the
/// layers that the rules allow: the numbers below are measured (tests/forge/WorstDay.t.sol) on storage that nothing has touched
/// before, and rounded up by a tenth or so. They count the auction with both hands of a connection, all of it left to the residual in
/// part, a pool, 64 bilateral contracts that end with the member's default, and trades in every period of the intraday market.
library WorstDay {
    /// Gas that the settlement of one member may take, of the 16,777,216 of a transaction (EIP-7825).
    uint256 internal constant MAX_GAS = 12_000_000;
    /// A sheet's word has room for no more.
    uint256 internal constant MAX_LAYERS = 255;

    /// Markets that are plugged in at once.
    uint256 internal constant MAX_MARKETS = 16;
    /// Gas that a market has for the day of one member who is settled alone, and more than any needs (tests/forge/WorstDay.t.sol). A
    /// market that burns it fits a transaction beside the day of any member.
    uint256 internal constant GAS_OF_MARKET = 4_500_000;

    /// Gas of the transaction itself, of what the settlement, the schedule and five markets need for anybody, and of 64 contracts
    /// that end, each with another member who is in arrears.
    uint256 internal constant GAS_FIXED = 4_200_000;
    /// Of a strip's prices and sums in all markets, the reading, and what the contracts deliver in it.
    uint256 internal constant GAS_PER_STRIP = 262_000;
    /// Of one layer in one strip: a line of the member's own orders and one of its intermediary's in the auction, both once more
    /// in the residual, and one in the pool.
    uint256 internal constant GAS_PER_LINE = 44_600;

    /// @return gas of settling one member at most.
    function gasOf(uint256 strips, uint256 layers) internal pure returns (uint256) {
        unchecked {
            return GAS_FIXED + strips * (GAS_PER_STRIP + layers * GAS_PER_LINE);
        }
    }

    /// @return orders that a member may have for one period at most.
    function mostLayers(uint256 strips) internal pure returns (uint256) {
        unchecked {
            uint256 layers = (MAX_GAS - GAS_FIXED - strips * GAS_PER_STRIP) / (strips * GAS_PER_LINE);
            return layers < MAX_LAYERS ? layers : MAX_LAYERS;
        }
    }
}
