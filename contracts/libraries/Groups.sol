// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Strips} from "../types/Strips.sol";

/// @title Groups of members
/// @notice Members in groups of 240, a bit each in one word beside the day: who has anything on a day is found without asking
/// every member.
library Groups {
    /// Members of a group, as many as bits beside the day.
    uint256 internal constant SIZE = 240;

    /// @return number of the group that a member is in.
    function numberOf(uint256 id) internal pure returns (uint256) {
        return id / SIZE;
    }

    /// @return the members that a group's word marks for a day, a bit each; none if it is another day's.
    function membersOf(uint256 word, uint256 day) internal pure returns (uint256) {
        return Strips.dayOf(word) == day ? word & Strips.LANES_MASK : 0;
    }

    /// @return whether a member of the group is among those marked.
    function has(uint256 members, uint256 id) internal pure returns (bool) {
        return members & (1 << (id % SIZE)) != 0;
    }

    /// @return the group's word of a day with one more member marked; a word of another day counts as empty.
    function mark(uint256 word, uint256 day, uint256 id) internal pure returns (uint256) {
        if (Strips.dayOf(word) != day) word = Strips.withDay(0, day);
        return word | (1 << (id % SIZE));
    }
}
