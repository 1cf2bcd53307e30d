// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// What one order trades, Wh.
struct Fill {
    uint32 id;
    uint16 layer;
    uint64 energy;
}

/// @title Reader of a call auction
/// @notice What every order trades, for people and their programs: the auction itself never writes it down, and nothing on
/// the chain asks.
interface IAuctionReader {
    error SlotNotCleared(uint256 day, uint256 slot);

    /// @notice What the orders of one slot of a cleared day trade: those of `count` members from `firstId` on. For reading off
    /// chain, page by page.
    /// @param walked 0 for the first page, then what the page before returned.
    /// @return found one entry per order, by member, then layer.
    /// @return walkedAfter energy of the marginal orders up to here, Wh.
    function fills(uint256 day, uint256 slot, uint32 firstId, uint256 count, uint256 walked)
        external
        view
        returns (Fill[] memory found, uint256 walkedAfter);
}
