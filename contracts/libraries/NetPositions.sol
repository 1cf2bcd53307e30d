// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Strips} from "../types/Strips.sol";

/// @title Net positions
/// @notice A member's net energy in the six periods of a strip, in signed lanes, and how far it may go (rule 7.5).
library NetPositions {
    /// @param limit Wh, within 32 bits: the net energy stays within it, both ways.
    /// @return Wh that a member may still buy, or sell, in the period of lane k.
    function room(uint256 net, uint256 k, uint256 limit, bool isBuyer) internal pure returns (uint256) {
        unchecked {
            int256 energy = Strips.signedLane(net, k);
            return uint256(int256(limit) + (isBuyer ? -energy : energy));
        }
    }

    /// @return the lanes after energy was bought or sold in the period of lane k, at most what there is room for.
    function moved(uint256 net, uint256 k, uint256 energy, bool isBuyer) internal pure returns (uint256) {
        unchecked {
            uint256 change = energy << (k * Strips.LANE_BITS);
            return isBuyer ? net + change : net - change;
        }
    }
}
