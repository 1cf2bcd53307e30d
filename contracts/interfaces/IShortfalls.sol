// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// What the payments of a day were short of, money units.
struct Shortfall {
    /// Taken back from those who were paid in the settlement.
    uint128 units;
    /// Of that, set aside for them since.
    uint128 setAside;
    /// Of that, paid to them.
    uint128 paid;
}

/// @title Shortfalls
/// @notice What neither the defaulters of a day nor the fallback supplier's credit could pay, those bear who were paid in
/// that day's settlement, in proportion to what they were paid (rule 13.2). Each keeps a claim, which is made good when the
/// supplier has money again: the oldest day first, in proportion, to the unit.
interface IShortfalls {
    /// All members of a day are settled, and the fallback supplier is beyond its credit limit: the walk that follows takes
    /// back as much.
    /// @param units to be taken back, money units.
    /// @param received what was paid in this settlement, to everybody but the fallback supplier, money units.
    event ShortfallShared(uint32 indexed day, uint256 units, uint256 received);

    /// A member's part in a shortfall was taken back. It has a claim to as much.
    /// @param units money units.
    event TakenBack(uint32 indexed id, uint32 indexed day, uint256 units);

    /// Money of the fallback supplier was set aside, with the clearing house, for the claims of a day.
    /// @param units money units.
    event SetAside(uint32 indexed day, uint256 units);

    /// A part of a member's claim, or what was left of it, was paid from what is set aside; or what was set aside is paid because
    /// the day is settled again. Where free money is below its
    /// floor it is filled up first, then arrears are paid.
    /// @param units money units.
    event MadeGood(uint32 indexed id, uint32 indexed day, uint256 units);

    /// The day is settled again: its claims end, and what is short then is shared anew.
    /// @param claims what was not set aside for them, money units.
    /// @param returned what was set aside and is not paid, money units: the fallback supplier has it back, and each member is paid
    /// its part of it in what follows. What rounding leaves is the supplier's.
    event Reopened(uint32 indexed day, uint256 claims, uint256 returned);

    /// What nothing was set aside for of a member's claim was paid to it, because the day is settled again. It may be shared
    /// anew.
    /// @param units money units.
    event Restored(uint32 indexed id, uint32 indexed day, uint256 units);

    /// A day is being settled: the fallback supplier's money is for that first. Anybody can finish it.
    error DayInSettlement();

    /// The fallback supplier has no money within its credit limit to set aside, or nobody waits for any.
    error NothingToSetAside();

    /// Nothing is set aside for the day that is not paid.
    error NothingToPay(uint256 day);

    /// @notice Sets the fallback supplier's money, down to its credit limit, aside for members who wait for it, the oldest
    /// day first, up to 16 days at a time. Anyone may call; each settlement begins with it.
    function setAside() external;

    /// @notice Pays `count` members from `firstId` on what is set aside for their claims of a day. Anyone may call.
    function pay(uint32 day, uint32 firstId, uint256 count) external;

    /// @notice As setAside, for the settlement: does nothing where there is nothing to do.
    function setAsideFirst() external;

    /// @notice Begins to share what a day's payments are short of.
    function begin(uint32 day, uint256 units, uint256 received) external;

    /// @notice Takes back the parts of the next members.
    /// @param received by member from `firstId` on, in this settlement, money units.
    function take(uint32 day, uint32 firstId, uint256[] calldata received) external;

    /// @notice The day is settled again: its claims are to be restored, member by member.
    function reopen(uint32 day) external;

    /// @notice Pays members what is left of their claims, at the expense of the fallback supplier, which has back what was set
    /// aside for them.
    /// @return units what nothing was set aside for, by member, money units; none at all for a day without claims.
    /// @return least of that, what only fills an account up to its floor: the member has nothing of it to pay with.
    function restore(uint32 day, uint32 firstId, uint256 count)
        external
        returns (uint256[] memory units, uint256[] memory least);

    /// @return what the payments of a day were short of; zeros for a day that lacked nothing.
    function shortfallOf(uint32 day) external view returns (Shortfall memory);

    /// @return units what was taken back from the member for a day, money units; 0 again once all is paid.
    /// @return paid what it has been paid of that.
    function claimOf(uint32 id, uint32 day) external view returns (uint128 units, uint128 paid);

    /// @return days with claims that nothing, or not all, is set aside for, the oldest first.
    function waitingDays() external view returns (uint32[] memory);
}
