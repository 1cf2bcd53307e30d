// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IMarket} from "./IMarket.sol";

/// @title A market in which intermediaries trade for their clients
interface IBrokeredMarket is IMarket {
    /// @notice Marks what secures the commissions of some members' day as taken; of a day that counts, which is for the
    /// caller to ask. It stays locked until then, or until the day that takes this day's place is booked for the member.
    /// @return energies Wh each bought and sold through its intermediary's share, once the day is booked for it.
    /// @return secured money units that are locked for the commission on it; 0 if they are taken already.
    function takeCommissions(uint256 day, uint32[] calldata ids)
        external
        returns (uint256[] memory energies, uint256[] memory secured);

    /// @return Wh a member bought and sold through its intermediary's share on a day, known once the day is booked for
    /// it; 0 before, and once another day has taken its place.
    function brokeredEnergy(uint32 id, uint256 day) external view returns (uint256);
}
