// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Strips} from "../../contracts/types/Strips.sol";
import {boundSigned} from "./Vm.sol";

contract StripsTest {
    int256 private constant LEAST = -int256(Strips.BIAS);
    int256 private constant MOST = int256(Strips.BIAS) - 1;

    function _pack(int256[6] memory energies) private pure returns (uint256 word) {
        for (uint256 k = 0; k < 6; ++k) {
            word |= uint256(energies[k] + int256(Strips.BIAS)) << (k * Strips.LANE_BITS);
        }
    }

    /// forge-config: default.fuzz.runs = 1000
    function test_signed_lanes_come_back(int256[6] memory energies, uint16 day, uint16 otherDay, uint8 flags)
        external
        pure
    {
        uint256 word = 0;
        for (uint256 k = 0; k < 6; ++k) {
            energies[k] = boundSigned(energies[k], Strips.BIAS - 1);
            if ((flags >> k) & 1 == 1) word |= Strips.FLAG << (k * Strips.LANE_BITS);
        }
        energies[flags % 6] = LEAST;
        uint256 plain = _pack(energies);
        word = Strips.withDay(word | plain, day);
        require(Strips.dayOf(word) == day, "day");
        for (uint256 k = 0; k < 6; ++k) {
            require(Strips.signedLane(word, k) == energies[k], "lane");
            require(Strips.lane(word, k) >> 39 == (flags >> k) & 1, "flag");
        }
        require(Strips.signedLanes(word, day) == plain, "flags and day removed");
        if (otherDay == day) return;
        require(Strips.signedLanes(word, otherDay) == Strips.ZERO_LANES, "another day's word is zero");
    }

    /// forge-config: default.fuzz.runs = 1000
    function test_lanes_are_cut_out(uint40[6] memory lanes, uint16 day) external pure {
        uint256 word = Strips.withDay(0, day);
        for (uint256 k = 0; k < 6; ++k) {
            word |= uint256(lanes[k]) << (40 * k);
        }
        for (uint256 k = 0; k < 6; ++k) {
            require(Strips.lane(word, k) == lanes[k], "lane");
        }
        require(Strips.dayOf(word) == day, "day");
    }

    /// Sums within a lane's range, up to its very ends in every lane at once.
    /// forge-config: default.fuzz.runs = 2000
    function test_adding_is_lane_by_lane(int256[6] memory a, int256[6] memory sums, uint256 ends) external pure {
        int256[6] memory b;
        for (uint256 k = 0; k < 6; ++k) {
            a[k] = boundSigned(a[k], Strips.BIAS - 1);
            sums[k] = boundSigned(sums[k], Strips.BIAS - 1);
            uint256 end = (ends >> (2 * k)) & 3;
            if (end == 1) sums[k] = MOST;
            if (end == 2) sums[k] = LEAST;
            b[k] = sums[k] - a[k];
            if (b[k] < LEAST) b[k] = LEAST;
            if (b[k] > MOST) b[k] = MOST;
        }
        uint256 word = Strips.addSigned(_pack(a), _pack(b));
        require(word >> Strips.DAY_SHIFT == 0, "carried into the day");
        for (uint256 k = 0; k < 6; ++k) {
            require(Strips.lane(word, k) >> 39 == 0, "carried into the flag");
            require(Strips.signedLane(word, k) == a[k] + b[k], "sum");
        }
    }

    function test_adding_at_the_ends() external pure {
        int256[6] memory most = [MOST, MOST, MOST, MOST, MOST, MOST];
        int256[6] memory least = [LEAST, LEAST, LEAST, LEAST, LEAST, LEAST];
        int256[6] memory minusOne = [int256(-1), -1, -1, -1, -1, -1];
        require(Strips.addSigned(_pack(most), _pack(least)) == _pack(minusOne), "most and least");
        require(Strips.addSigned(_pack(least), _pack(most)) == _pack(minusOne), "least and most");
        require(Strips.addSigned(_pack(least), Strips.ZERO_LANES) == _pack(least), "least and zero");
        require(Strips.addSigned(Strips.ZERO_LANES, _pack(most)) == _pack(most), "zero and most");
    }

    /// Of a day of 16 strips, up to the very ends in every lane at once.
    /// forge-config: default.fuzz.runs = 1000
    function test_differences_add_up(uint256[16] memory a, uint256[16] memory b, uint32 ends) external pure {
        uint256 sums = 0;
        int256 total = 0;
        for (uint256 strip = 0; strip < 16; ++strip) {
            uint256 end = (ends >> (2 * strip)) & 3;
            uint256 more = end == 0 ? a[strip] : end == 1 ? type(uint256).max : 0;
            uint256 less = end == 0 ? b[strip] : end == 2 ? type(uint256).max : 0;
            (more, less) = (more & Strips.LANES_MASK & ~Strips.ALL_FLAGS, less & Strips.LANES_MASK & ~Strips.ALL_FLAGS);
            unchecked {
                sums += Strips.differences(Strips.minus(more, less));
            }
            for (uint256 k = 0; k < 6; ++k) {
                total += int256(Strips.lane(more, k)) - int256(Strips.lane(less, k));
            }
        }
        require(Strips.totalOf(sums) == total, "total");
    }

    function test_constants() external pure {
        require(Strips.ZERO_LANES == _pack([int256(0), 0, 0, 0, 0, 0]), "zero lanes");
        require(Strips.signedLanes(0, 1) == Strips.ZERO_LANES, "untouched storage is nobody's day");
        require(Strips.ALL_FLAGS & Strips.ZERO_LANES == 0, "flags beside the lanes");
    }
}
