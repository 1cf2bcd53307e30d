// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IMarket} from "./IMarket.sol";

/// @title A market in which intermediaries trade for their clients
interface IBrokeredMarket is IMarket {
    /// @return Wh a member bought and sold through its intermediary's share on a day, known once the day is booked for it; 0
    /// before, and once another day has taken its place.
    function brokeredEnergy(uint32 id, uint256 day) external view returns (uint256);
}
