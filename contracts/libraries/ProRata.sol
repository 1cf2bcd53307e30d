// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title Exact rationing
/// @notice Orders at the margin are walked in a fixed order; `before` is the energy of those already walked. The fills
/// telescope: they sum to the share to the Wh, and each is within 1 Wh of its exact part. Who gains a Wh by rounding follows
/// from the order of the participants' numbers; nothing is lost. What a day's payments are short of is shared likewise.
library ProRata {
    /// @param before Wh of the marginal orders walked before this one.
    /// @param energy Wh of this order.
    /// @param share Wh to divide among all marginal orders, at most `marginal`.
    /// @param marginal Wh of all marginal orders together, above zero.
    /// @return Wh for this order, at most its energy.
    function fillDown(uint256 before, uint256 energy, uint256 share, uint256 marginal) internal pure returns (uint256) {
        // Energies of at most 80 bits and a share of at most 64; money of at most 96 each.
        unchecked {
            return ((before + energy) * share) / marginal - (before * share) / marginal;
        }
    }
}
