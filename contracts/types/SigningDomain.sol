// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

/// @title Domain of signed messages
/// @notice EIP-712: every message of this market is signed for the contract that checks it, under one name and version.
abstract contract SigningDomain is EIP712 {
    string private constant NAME = "DEM";
    string private constant VERSION = "1";

    constructor() EIP712(NAME, VERSION) {}

    /// @notice The domain as wallets ask for it (EIP-5267).
    /// @dev Answered from constants: the parent's own answer can also read long names from storage, some 500 bytes of code.
    function eip712Domain()
        public
        view
        override
        returns (
            bytes1 fields,
            string memory name,
            string memory version,
            uint256 chainId,
            address verifyingContract,
            bytes32 salt,
            uint256[] memory extensions
        )
    {
        return (hex"0f", NAME, VERSION, block.chainid, address(this), bytes32(0), new uint256[](0));
    }
}
