// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title Exchange with the upper grid
/// @notice What the area's wholesale desk has nominated to the upper market (rule 6): physical at the area's boundary,
/// so the desk delivers it by definition, and what the area draws otherwise is the area's imbalance.
interface IExchange {
    /// @return desk the member whose exchange it is; 0 if nothing is exchanged that day, or not yet known.
    /// @return net its energy per strip, Wh, consumption positive: six signed lanes (Strips.sol) without a day; no
    /// strips at all if there is no desk. What the area imports is negative, because the desk sells it.
    function exchangeOf(uint256 day) external view returns (uint32 desk, uint256[] memory net);

    /// @param area the area's imbalance by slot, Wh.
    /// @param unknown strips in which that is not known, because somebody is estimated and no boundary meter counts, a bit each.
    /// @return desk the member that answers to the upper market; 0 if nothing is exchanged.
    /// @return due what the area's imbalance costs it, of no more energy in a slot than it exchanges there, money units.
    /// @return rates per strip what each Wh of an imbalance in the area's direction pays for that, units/Wh, six lanes
    /// without a day: together no less than is due. Where the area's imbalance is not known the whole penalty, so that nobody pays
    /// less by making it larger. No strips at all if no deviation costs a penalty.
    function penaltiesOf(uint256 day, int256[] calldata area, uint256 unknown)
        external
        view
        returns (uint32 desk, uint256 due, uint256[] memory rates);
}
