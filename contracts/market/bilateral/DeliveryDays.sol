// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title Delivery days
/// @notice On which days and in which of their periods a contract delivers: from a period of its first day to a period of its last,
/// on the weekdays and in the periods of its profile. No function walks through the days: a year costs what a day costs.
library DeliveryDays {
    struct Delivery {
        uint256 firstDay;
        /// Below the first day if nothing is delivered at all.
        uint256 lastDay;
        /// One bit per period of a day: of the profile, of the range on its first day, and on its last.
        uint256 slots;
        uint256 slotsOfFirst;
        uint256 slotsOfLast;
        /// Bit k stands for the days d with d % 7 = k; none of them for a profile without periods.
        uint256 weekdays;
    }

    uint256 internal constant DAYS_A_WEEK = 7;
    uint256 internal constant ALL_WEEKDAYS = (1 << DAYS_A_WEEK) - 1;

    /// The bits of a number, counted side by side in ever wider fields; of 128 bits.
    uint256 private constant PAIRS = 0x55555555555555555555555555555555;
    uint256 private constant QUADS = 0x33333333333333333333333333333333;
    uint256 private constant BYTES = 0x0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f;
    uint256 private constant EVERY_BYTE = 0x01010101010101010101010101010101;

    /// @param firstPeriod of the range, and
    /// @param endPeriod the one after its last, both counted from the market's opening.
    /// @param weekdays bit 0 is Monday.
    /// @param firstWeekday of day 1, 0 is Monday.
    function from(
        uint256 firstPeriod,
        uint256 endPeriod,
        uint256 slots,
        uint256 weekdays,
        uint256 firstWeekday,
        uint256 periodsPerDay
    ) internal pure returns (Delivery memory v) {
        // Periods, days and places of bits are small numbers, in all of these functions.
        unchecked {
            v.firstDay = firstPeriod / periodsPerDay + 1;
            v.lastDay = (endPeriod + periodsPerDay - 1) / periodsPerDay;
            v.slots = slots;
            v.slotsOfFirst = type(uint256).max << (firstPeriod % periodsPerDay);
            if (v.lastDay > 0) v.slotsOfLast = (1 << (endPeriod - (v.lastDay - 1) * periodsPerDay)) - 1;
            // Day d has weekday firstWeekday + d - 1: bit w moves to the place of the days whose weekday w is.
            if (slots != 0) v.weekdays = _rotate(weekdays, firstWeekday + DAYS_A_WEEK - 1);
        }
    }

    /// @return slots one bit per period in which something is delivered on a day.
    function slotsOn(Delivery memory v, uint256 day) internal pure returns (uint256 slots) {
        if (day < v.firstDay || day > v.lastDay || (v.weekdays >> (day % DAYS_A_WEEK)) & 1 == 0) return 0;
        slots = v.slots;
        if (day == v.firstDay) slots &= v.slotsOfFirst;
        if (day == v.lastDay) slots &= v.slotsOfLast;
    }

    /// @return number of days with a delivery, from a day on.
    function daysFrom(Delivery memory v, uint256 day) internal pure returns (uint256 number) {
        unchecked {
            if (day <= v.firstDay) {
                day = v.firstDay + 1;
                if (slotsOn(v, v.firstDay) != 0) ++number;
            }
            if (day > v.lastDay) return number;
            if (slotsOn(v, v.lastDay) != 0) ++number;
            uint256 between = v.lastDay - day;
            // Whole weeks, then what is left of one.
            // slither-disable-next-line divide-before-multiply
            number += (between / DAYS_A_WEEK) * count(v.weekdays);
            number += count(_rotate(v.weekdays, day) & ((1 << (between % DAYS_A_WEEK)) - 1));
        }
    }

    /// @param days_ days with a delivery, all of them.
    /// @return periods of the fullest day.
    function fullest(Delivery memory v, uint256 days_) internal pure returns (uint256 periods) {
        // On a day between the ends the whole profile is delivered.
        if (days_ > 2) return count(v.slots);
        uint256 ofFirst = count(slotsOn(v, v.firstDay));
        uint256 ofLast = count(slotsOn(v, v.lastDay));
        uint256 atTheEnds = (ofFirst > 0 ? 1 : 0) + (ofLast > 0 && v.lastDay > v.firstDay ? 1 : 0);
        if (days_ > atTheEnds) return count(v.slots);
        return ofFirst > ofLast ? ofFirst : ofLast;
    }

    /// @return number of bits that are set among the lowest 128.
    function count(uint256 bits) internal pure returns (uint256) {
        unchecked {
            bits -= (bits >> 1) & PAIRS;
            bits = (bits & QUADS) + ((bits >> 2) & QUADS);
            bits = (bits + (bits >> 4)) & BYTES;
            return ((bits * EVERY_BYTE) >> 120) & 0xff;
        }
    }

    /// @return the seven bits with bit k where bit (k + by) % 7 was.
    function _rotate(uint256 weekdays, uint256 by) private pure returns (uint256) {
        unchecked {
            return ((weekdays | (weekdays << DAYS_A_WEEK)) >> (by % DAYS_A_WEEK)) & ALL_WEEKDAYS;
        }
    }
}
