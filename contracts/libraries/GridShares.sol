// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Strips} from "../types/Strips.sol";

/// @title Shares of connections
/// @notice What a zone of the network leaves its members in the six periods of a strip (rule 10): 40 bits a lane as Strips.sol
/// has them, the share of the connection in 1/10,000 that may be drawn in bits 39..20, and what may be fed in in bits 19..0.
library GridShares {
    /// The whole connection.
    uint256 internal constant WHOLE = 10_000;
    uint256 private constant BITS = 20;
    uint256 private constant MASK = (1 << BITS) - 1;
    /// The top bit of each pair of lanes.
    uint256 private constant PAIR_FLAGS = (1 << 79) | (1 << 159) | (1 << 239);
    /// No limit in any of six periods.
    uint256 internal constant ALL = ((WHOLE << BITS) | WHOLE) * Strips.ONES;

    /// @return the same shares in all six periods: of what is drawn, and of what is fed in.
    function inAllLanes(uint256 drawn, uint256 fedIn) internal pure returns (uint256) {
        return Strips.inAllLanes((drawn << BITS) | fedIn);
    }

    /// @return drawn share of a period that may be drawn, and
    /// @return fedIn that may be fed in.
    function pair(uint256 shares, uint256 k) internal pure returns (uint256 drawn, uint256 fedIn) {
        uint256 lane = Strips.lane(shares, k);
        return (lane >> BITS, lane & MASK);
    }

    /// @return shares that may be drawn, each at the bottom of its lane.
    function imports(uint256 shares) internal pure returns (uint256) {
        return (shares >> BITS) & (MASK * Strips.ONES);
    }

    /// @return shares that may be fed in, likewise.
    function exports(uint256 shares) internal pure returns (uint256) {
        return shares & (MASK * Strips.ONES);
    }

    /// @return whether no share of six periods is larger than the one beside it in `most`, and nothing else is in the word.
    function isWithin(uint256 shares, uint256 most) internal pure returns (bool) {
        uint256 flags = Strips.minus(imports(most), imports(shares)) & Strips.minus(exports(most), exports(shares));
        return shares & ~Strips.LANES_MASK == 0 && flags & Strips.ALL_FLAGS == Strips.ALL_FLAGS;
    }

    /// @param capacity of a connection, Wh per period, or of a part of it; 37 bits at most.
    /// @param shares as `imports` or `exports` leave them.
    /// @param energies Wh by lane.
    /// @return whether none is more than its part of the capacity, rounded down.
    function holds(uint256 capacity, uint256 shares, uint256 energies) internal pure returns (bool) {
        // Products of 53 bits at most, with room for 80: of a share of capacity and of energy in ten thousandths.
        unchecked {
            uint256 even =
                (capacity * (shares & Strips.EVEN_LANES) | PAIR_FLAGS) - WHOLE * (energies & Strips.EVEN_LANES);
            uint256 odd = (capacity * ((shares >> Strips.LANE_BITS) & Strips.EVEN_LANES) | PAIR_FLAGS) - WHOLE
                * ((energies >> Strips.LANE_BITS) & Strips.EVEN_LANES);
            return even & odd & PAIR_FLAGS == PAIR_FLAGS;
        }
    }

    /// @param capacity of a connection, Wh per period, or of a part of it; 37 bits at most.
    /// @param shares as `imports` or `exports` leave them.
    /// @return lanes Wh that may flow, rounded down: the network gains, by less than 1 Wh.
    function partsDown(uint256 capacity, uint256 shares) internal pure returns (uint256 lanes) {
        unchecked {
            for (uint256 k = 0; k < Strips.LANES; ++k) {
                uint256 share = Strips.lane(shares, k);
                lanes |= (capacity * share / WHOLE) << (k * Strips.LANE_BITS);
            }
        }
    }
}
