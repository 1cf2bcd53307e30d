// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title Balancing fund
/// @notice What the fund pays for (rules 7 and 11), from the income of days that are final: a premium to members who
/// sold energy back where the area was short, and a reward for energy that was kept as contracted. Day after day, once each; whatever
/// must be divided is rounded down, and the fund keeps the rest. Claims lapse when the records of the day make room for
/// another.
interface IBalancingFund {
    /// Paying a final day begins. What there is for premiums and rewards is fixed now.
    /// @param income what the fund earned from the day, money units (10^-8 currency).
    /// @param claimed what all premiums of the day would be with money enough, money units.
    /// @param premiums what there is for premiums, money units: as claimed, or what the fund has from final days if
    /// that is less.
    /// @param rewards what there is for rewards, money units.
    event DayOpened(uint32 indexed day, int256 income, uint256 claimed, uint256 premiums, uint256 rewards);

    /// A member received a premium, a reward or both; those who receive nothing are left out.
    /// @param premium for energy sold back where the area was short, money units.
    /// @param reward for energy that was kept as contracted, money units.
    event Rewarded(uint32 indexed id, uint32 indexed day, uint256 premium, uint256 reward);

    /// Every member has received what it may claim for the day.
    event DayPaid(uint32 indexed day);

    /// The call is to pay no member at all.
    error NoMembersToPay();

    /// The day is not final: a correction may still change what it brought.
    /// @param lastFinal last day that is final, 0 for none.
    error NotFinal(uint256 day, uint256 lastFinal);

    /// Claims of this day, or of a later one, have been paid already.
    error ClaimsPaid(uint256 day);

    /// Days are paid in their order, as long as their records are there.
    /// @param expected day to be paid next.
    error PaidOutOfOrder(uint256 day, uint256 expected);

    /// The day's records have made room for another day, and its claims are gone with them.
    error ClaimsLapsed(uint256 day);

    /// @notice Pays `count` more members of a final day; the first call opens the day, the last ends it. Anyone may
    /// call.
    function pay(uint32 day, uint256 count) external;

    /// @return the first day whose claims can still be paid; not yet final maybe.
    function nextDay() external view returns (uint32);

    /// @return the member from which paying goes on.
    function nextMember() external view returns (uint32);
}
