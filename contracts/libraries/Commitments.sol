// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Hashes} from "@openzeppelin/contracts/utils/cryptography/Hashes.sol";

/// @title Commitments
/// @notice What a settled day leaves in one word (rule 12.7): a Merkle tree over what every member contracted and what its meter
/// counted, in the order of their numbers, hashed with the day's imbalance prices. Pairs are sorted, as MerkleProof has them.
/// @dev Members are added from left to right. What is kept between transactions are the peaks: the roots of the complete trees of
/// 2^level members, one for each bit of their number. The tree is that of the peaks, the smallest ones joined first.
library Commitments {
    /// @param contracted six signed lanes for each strip, as is
    /// @param metered what its meter counted.
    /// @return leaf of a member. It has three words, an inner node two: none passes for the other.
    function leafOf(uint256 id, bytes32 contracted, bytes32 metered) internal pure returns (bytes32 leaf) {
        // As abi.encode has them, but beyond what is allocated: the settlement makes one for every member.
        assembly ("memory-safe") {
            let words := mload(0x40)
            mstore(words, id)
            mstore(add(words, 0x20), contracted)
            mstore(add(words, 0x40), metered)
            leaf := keccak256(words, 0x60)
        }
    }

    function hashOf(uint256[] memory words) internal pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            hash := keccak256(add(words, 0x20), shl(5, mload(words)))
        }
    }

    /// @param prices hash of the prices of all strips, then of their penalty rates if the day has any.
    /// @param root of the members' tree.
    function commitmentTo(uint256 day, bytes32 prices, bytes32 root) internal pure returns (bytes32) {
        return keccak256(abi.encode(day, prices, root));
    }

    /// @notice Adds members to a tree that has `size`.
    function append(mapping(uint256 level => bytes32) storage peaks, uint256 size, bytes32[] memory leaves) internal {
        // Each level is written before it is read.
        // slither-disable-next-line uninitialized-local
        bytes32[32] memory own;
        uint256 changed = 0;
        uint256 end = size + leaves.length;
        for (uint256 i = 0; i < leaves.length; ++i) {
            bytes32 node = leaves[i];
            uint256 level = 0;
            for (uint256 n = size + i; n & 1 == 1; n >>= 1) {
                // What this call has not made yet is where the last one left it.
                bytes32 left = changed & (1 << level) == 0 ? peaks[level] : own[level];
                node = Hashes.commutativeKeccak256(left, node);
                ++level;
            }
            own[level] = node;
            changed |= 1 << level;
        }
        for (uint256 level = 0; end >> level != 0; ++level) {
            if (end & changed & (1 << level) != 0) peaks[level] = own[level];
        }
    }

    /// @return root of a tree that has `size` members, one at least.
    function rootOf(mapping(uint256 level => bytes32) storage peaks, uint256 size)
        internal
        view
        returns (bytes32 root)
    {
        bool isFirst = true;
        for (uint256 level = 0; size >> level != 0; ++level) {
            if (size & (1 << level) == 0) continue;
            root = isFirst ? peaks[level] : Hashes.commutativeKeccak256(peaks[level], root);
            isFirst = false;
        }
    }
}
