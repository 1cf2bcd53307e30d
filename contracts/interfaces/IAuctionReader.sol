// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {UniformPrice} from "../libraries/UniformPrice.sol";

/// What one order trades, Wh.
struct Fill {
    /// Number of the member.
    uint32 id;
    /// Which of its orders for the slot; from 1,024 on those of its intermediary.
    uint16 layer;
    /// 0 if nothing of it trades.
    uint64 energy;
}

/// @title Reader of a call auction
/// @notice What people and their programs ask of an auction, and nothing on the chain: outcomes, lines, and what every
/// order trades, which the auction itself never writes down.
interface IAuctionReader {
    /// The slot's auction is not cleared yet, or the day's records have made room for another day.
    error SlotNotCleared(uint256 day, uint256 slot);

    /// @return outcomes per slot of a cleared day.
    function outcomes(uint256 day) external view returns (UniformPrice.Outcome[] memory);

    /// @return a line of a member's, own or brokered, as it stands; zero if there is none for that day.
    function lineOf(uint32 id, uint256 day, uint256 line) external view returns (bytes32);

    /// @notice What the orders of one slot of a cleared day trade: those of `count` members from `firstId` on. For
    /// reading off chain, page by page.
    /// @param walked 0 for the first page, then what the page before returned.
    /// @return found one entry per order, by member, then layer.
    /// @return walkedAfter energy of the marginal orders up to here, Wh.
    function fills(uint256 day, uint256 slot, uint32 firstId, uint256 count, uint256 walked)
        external
        view
        returns (Fill[] memory found, uint256 walkedAfter);
}
