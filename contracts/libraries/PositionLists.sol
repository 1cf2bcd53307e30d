// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Positions} from "../interfaces/IMarket.sol";

/// @title Lists of positions
library PositionLists {
    /// @return p room for what `count` members trade; nothing of it yet.
    function empty(uint256 count) internal pure returns (Positions memory p) {
        p.net = new uint256[][](count);
        p.payment = new int256[](count);
        p.traded = new uint256[](count);
        p.release = new uint256[](count);
    }
}
