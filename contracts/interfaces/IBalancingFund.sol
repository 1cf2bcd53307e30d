// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title Balancing fund
/// @notice What the fund pays for (rules 7 and 11), from the income of days that are final: a premium to members who sold energy
/// back where the area was short, and a reward for accurate forecasts. Day after day, once each; whatever must be divided is rounded
/// down, and the fund keeps the rest. Claims lapse when the records of the day make room for another.
interface IBalancingFund {
    /// Paying a day begins: what it earned, and what premiums and rewards have at most, money units. `claimed` is what the
    /// premiums would be with money enough.
    event DayOpened(uint32 indexed day, int256 income, uint256 claimed, uint256 premiums, uint256 rewards);
    /// Only to members who receive anything, money units.
    event Rewarded(uint32 indexed id, uint32 indexed day, uint256 premium, uint256 reward);
    event DayPaid(uint32 indexed day);

    error NoMembersToPay();
    error NotFinal(uint256 day, uint256 lastFinal);
    error ClaimsPaid(uint256 day);
    /// Days are paid in their order, as long as their records are there.
    error PaidOutOfOrder(uint256 day, uint256 expected);
    /// The day's records have made room for another day.
    error ClaimsLapsed(uint256 day);

    /// @notice Pays `count` more members of a final day; the first call opens the day, the last ends it. Anyone may call.
    function pay(uint32 day, uint256 count) external;

    /// @return the first day whose claims can still be paid; not yet final maybe.
    function nextDay() external view returns (uint32);

    /// @return the member from which paying goes on.
    function nextMember() external view returns (uint32);
}
