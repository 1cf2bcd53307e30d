// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Orders} from "../../contracts/types/Orders.sol";
import {Strips} from "../../contracts/types/Strips.sol";
import {Tariffs} from "../../contracts/types/Tariffs.sol";
import {MAX_TICK} from "../../contracts/types/Units.sol";

/// Arithmetic on six lanes at once against the same lane by lane.
contract LanesTest {
    uint256 private constant LOW = Strips.SIGNED_MASK;

    /// A random word whose lanes keep `mask`; every other lane is drawn from few values, so that equal ones meet.
    function _lanes(uint256 seed, uint256 mask) private pure returns (uint256 word) {
        for (uint256 k = 0; k < Strips.LANES; ++k) {
            uint256 random = uint256(keccak256(abi.encode(seed, k)));
            uint256 value = random & 1 == 0 ? random >> 8 : [0, 1, mask, mask - 1][(random >> 1) % 4];
            word |= (value & mask) << (k * Strips.LANE_BITS);
        }
    }

    function _isSet(uint256 flags, uint256 k) private pure returns (bool) {
        return Strips.lane(flags, k) & Strips.FLAG != 0;
    }

    function test_minus(uint256 a, uint256 b) external pure {
        a = _lanes(a, LOW);
        b = _lanes(b, LOW);
        uint256 result = Strips.minus(a, b);
        for (uint256 k = 0; k < Strips.LANES; ++k) {
            (uint256 x, uint256 y) = (Strips.lane(a, k), Strips.lane(b, k));
            require(_isSet(result, k) == (x >= y), "comparison");
            unchecked {
                require(Strips.lane(result, k) & LOW == (x - y) & LOW, "difference");
            }
        }
        require(result >> Strips.DAY_SHIFT == 0, "beyond the lanes");
    }

    function test_spread(uint256 flags, uint256 mask) external pure {
        mask &= Strips.LANE_MASK;
        uint256 result = Strips.spread(flags, mask);
        for (uint256 k = 0; k < Strips.LANES; ++k) {
            require(Strips.lane(result, k) == (_isSet(flags, k) ? mask : 0), "lane");
        }
        require(result >> Strips.DAY_SHIFT == 0, "beyond the lanes");
    }

    function test_used(uint256 seed) external pure {
        uint256 word = _lanes(seed, Strips.LANE_MASK);
        uint256 flags = Strips.used(word);
        for (uint256 k = 0; k < Strips.LANES; ++k) {
            require(_isSet(flags, k) == (Strips.lane(word, k) != 0), "lane");
        }
        require(flags & ~Strips.ALL_FLAGS == 0, "more than flags");
    }

    function test_sides(uint256 word) external pure {
        (uint256 bids, uint256 asks) = Orders.sides(word);
        for (uint256 k = 0; k < Strips.LANES; ++k) {
            uint256 order = Strips.lane(word, k);
            bool isAsk = Orders.isAsk(order);
            require(Strips.lane(bids, k) == (isAsk ? 0 : Orders.energy(order)), "bid");
            require(Strips.lane(asks, k) == (isAsk ? Orders.energy(order) : 0), "ask");
        }
        require((bids | asks) >> Strips.DAY_SHIFT == 0, "beyond the lanes");
    }

    function test_sum(uint256 seed) external pure {
        uint256 word = _lanes(seed, (1 << 37) - 1);
        uint256 total = 0;
        for (uint256 k = 0; k < Strips.LANES; ++k) {
            total += Strips.lane(word, k);
        }
        require(Strips.sum(word) == total, "sum");
    }

    function test_dot(uint256 seed, uint256 factors) external pure {
        // The largest in use: an imbalance of a signed lane and a price of 20 bits.
        uint256 word = _lanes(seed, LOW);
        factors = _lanes(factors, (1 << 20) - 1);
        uint256 total = 0;
        for (uint256 k = 0; k < Strips.LANES; ++k) {
            total += Strips.lane(word, k) * Strips.lane(factors, k);
        }
        (uint256 even, uint256 odd) = Strips.factors(factors);
        require(Strips.dot(word, even, odd) == total, "dot");
    }

    function test_compare(uint256 seed, uint256 pivots) external pure {
        uint256 word = _lanes(seed, Strips.LANE_MASK);
        pivots = _lanes(pivots, MAX_TICK);
        (uint256 above, uint256 at, uint256 below) = Orders.compare(word, pivots << Orders.TICK_SHIFT);
        require((above | at | below) & ~Strips.ALL_FLAGS == 0, "more than flags");
        for (uint256 k = 0; k < Strips.LANES; ++k) {
            uint256 tick = Orders.tick(Strips.lane(word, k));
            uint256 pivot = Strips.lane(pivots, k);
            require(_isSet(above, k) == (tick > pivot), "above");
            require(_isSet(at, k) == (tick == pivot), "at");
            require(_isSet(below, k) == (tick < pivot), "below");
        }
    }

    function test_energies(uint256 seed, uint256 flags) external pure {
        uint256 word = Strips.withDay(_lanes(seed, Strips.LANE_MASK), 0xffff);
        uint256 result = Orders.energies(word, flags);
        for (uint256 k = 0; k < Strips.LANES; ++k) {
            uint256 energy = Orders.energy(Strips.lane(word, k));
            require(Strips.lane(result, k) == (_isSet(flags, k) ? energy : 0), "energy");
        }
        require(result >> Strips.DAY_SHIFT == 0, "beyond the lanes");
    }

    function test_tariffs_of_a_strip(uint256 seed) external pure {
        uint256 word = Strips.withDay(_lanes(seed, Strips.LANE_MASK), 0xffff);
        for (uint256 k = 0; k < Strips.LANES; ++k) {
            (uint256 buy, uint256 sell) = Tariffs.unpack(Strips.lane(word, k));
            require(Strips.lane(Tariffs.buys(word), k) == buy, "buy");
            require(Strips.lane(Tariffs.sells(word), k) == sell, "sell");
        }
    }
}
