// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// Energies of one member and period as rule 11 says it, in plain numbers, Wh.

function magnitude(int256 x) pure returns (uint256) {
    return uint256(x < 0 ? -x : x);
}

/// @param contracted net consumption.
/// @param imbalance metered less contracted.
/// @return what was bought and not taken, or sold and not delivered.
function unkept(int256 contracted, int256 imbalance) pure returns (uint256) {
    if ((contracted < 0) == (imbalance < 0)) return 0;
    uint256 missed = magnitude(imbalance);
    return missed < magnitude(contracted) ? missed : magnitude(contracted);
}
