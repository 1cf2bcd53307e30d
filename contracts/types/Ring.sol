// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title Ring of days
/// @notice A day's records lie in one of eight places, which later days use again. Every record carries its day: a word of
/// another day means "nothing here". What a mapping's key looks like is said here and nowhere else.
library Ring {
    /// Days whose records are kept side by side: from orders for tomorrow back to corrections of days past.
    uint256 internal constant DAYS = 8;
    /// From the key of a member's line to that of the next member's.
    uint256 internal constant NEXT_MEMBER = 1 << 32;

    /// @return where a day lies in the ring.
    function place(uint256 day) internal pure returns (uint256) {
        return day % DAYS;
    }

    /// @return key of a record of the whole day: of its n-th strip, slot or word.
    function dayKey(uint256 day, uint256 n) internal pure returns (uint256) {
        return (place(day) << 16) | n;
    }

    /// @return key of the one word that a member, an account or a group of members has for a day.
    function memberKey(uint256 id, uint256 day) internal pure returns (uint256) {
        return (id << 8) | place(day);
    }

    /// @return key of the n-th line, strip or layer that a member, or a group of members, has for a day; the lines follow.
    function lineKey(uint256 id, uint256 day, uint256 n) internal pure returns (uint256) {
        return (id << 32) | (place(day) << 16) | n;
    }

    /// @return key of a record of a day's continuous books, which number theirs in 64 bits.
    function bookKey(uint256 day, uint256 n) internal pure returns (uint256) {
        return (place(day) << 64) | n;
    }
}
