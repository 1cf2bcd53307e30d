// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title Exchange with the upper grid
/// @notice What the area's wholesale desk has nominated to the upper market (rule 6): physical at the area's boundary, so the desk
/// delivers it by definition, and what the area draws otherwise is the area's imbalance.
interface IExchange {
    /// @return desk the member whose exchange it is; 0 if nothing is exchanged that day, or not yet known.
    /// @return net its energy per strip, Wh, consumption positive: six signed lanes (Strips.sol) without a day; no strips at all
    /// if there is no desk. What the area imports is negative, because the desk sells it.
    function exchangeOf(uint256 day) external view returns (uint32 desk, uint256[] memory net);

    /// @return desk the member that answers to the upper market; 0 if no deviation costs a penalty.
    /// @return rates penalty per strip, units/Wh of the area's imbalance, six lanes without a day; zero where nothing is
    /// exchanged; no strips at all if there is no desk.
    function penaltiesOf(uint256 day) external view returns (uint32 desk, uint256[] memory rates);
}
