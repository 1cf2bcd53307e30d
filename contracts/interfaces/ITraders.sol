// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title Who may order how much
/// @notice What a call auction asks of its members: the registry answers for the market, PoolMembers.sol for an
/// intermediary's pool. A member's connection may have two hands (rule 9): its own, and that of the intermediary it has
/// given a share to.
interface ITraders {
    /// On that day the signer may not order for the member through an intermediary's share.
    /// @param participant address of the member.
    error NotTheIntermediary(address participant, address signer, uint256 day);

    /// Until its auction opens a member may choose otherwise for the day.
    /// @param fixedAt unix time at which it opens.
    error MandateNotFixed(uint256 day, uint256 fixedAt);

    /// @notice Number of a member that may trade for a day and what it may trade itself, Wh per period: its connection
    /// without the share of its intermediary; reverts for all others.
    function requireTrader(address account, uint256 day)
        external
        view
        returns (uint32 id, uint256 importCapacity, uint256 exportCapacity);

    /// @notice Number of a member and what may be traded for it through its intermediary, Wh per period: the share of
    /// its connection, rounded down (the member's own part gains by less than 1 Wh). The member itself may trade none of
    /// it, in the market: it can only cancel. Reverts unless the signer may do that.
    function client(address participant, address signer, uint256 day)
        external
        view
        returns (uint32 id, uint256 importCapacity, uint256 exportCapacity);
}
