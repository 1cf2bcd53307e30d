// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Ring} from "./Ring.sol";
import {Strips} from "./Strips.sol";

/// When a market's days begin and its gates close. Offsets in seconds, relative to a delivery day's start or end.
struct CalendarParameters {
    /// Unix time at which period 0, the first of day 1, begins.
    uint64 opening;
    uint32 periodLength;
    /// A multiple of six, at most 96.
    uint16 periodsPerDay;
    /// The day-ahead auction opens this long before the day's start ...
    uint32 openLead;
    /// ... and its gate closes this long before it.
    uint32 gateLead;
    /// Readings are due this long after the day's end ...
    uint32 meteringLag;
    /// ... and may be corrected until this long after it.
    uint32 correctionLag;
}

/// @title Calendar
/// @notice The phases of a delivery day, computed from the clock alone: no status flag to keep in step (rule 4).
/// open day-ahead -> gate -> delivery -> metering deadline -> corrections close -> final.
abstract contract Calendar {
    uint256 internal immutable OPENING;
    uint256 internal immutable PERIOD_LENGTH;
    uint256 internal immutable PERIODS_PER_DAY;
    uint256 internal immutable STRIPS_PER_DAY;
    uint256 internal immutable DAY_LENGTH;
    uint256 internal immutable OPEN_LEAD;
    uint256 internal immutable GATE_LEAD;
    uint256 internal immutable METERING_LAG;
    uint256 internal immutable CORRECTION_LAG;

    /// The calendar contradicts itself.
    /// @param parameter name of the first value found wrong.
    /// @param value its value, in seconds where it is a time; for a correctionLag that leaves no room, openLead +
    /// correctionLag.
    /// @param limit the lowest or highest value it breaks.
    error BadCalendar(string parameter, uint256 value, uint256 limit);

    /// The day does not exist: days count from 1 to 65,535.
    error NoSuchDay(uint256 day);

    constructor(CalendarParameters memory p) {
        if (p.periodLength == 0) revert BadCalendar("periodLength", 0, 1);
        if (p.periodsPerDay == 0 || p.periodsPerDay > 96 || p.periodsPerDay % Strips.LANES != 0) {
            revert BadCalendar("periodsPerDay", p.periodsPerDay, 96);
        }
        if (p.gateLead >= p.openLead) revert BadCalendar("gateLead", p.gateLead, p.openLead);
        if (p.correctionLag <= p.meteringLag) revert BadCalendar("correctionLag", p.correctionLag, p.meteringLag);
        if (p.opening <= p.openLead) revert BadCalendar("opening", p.opening, p.openLead);
        uint256 dayLength = uint256(p.periodLength) * p.periodsPerDay;
        // A day must be final before its storage is taken by the orders of the day that follows a ring later; and a day
        // before by its readings, because the day after is estimated from it.
        uint256 room = (Ring.DAYS - 2) * dayLength;
        if (uint256(p.openLead) + p.correctionLag > room) {
            revert BadCalendar("correctionLag", uint256(p.openLead) + p.correctionLag, room);
        }
        OPENING = p.opening;
        PERIOD_LENGTH = p.periodLength;
        PERIODS_PER_DAY = p.periodsPerDay;
        STRIPS_PER_DAY = p.periodsPerDay / Strips.LANES;
        DAY_LENGTH = dayLength;
        OPEN_LEAD = p.openLead;
        GATE_LEAD = p.gateLead;
        METERING_LAG = p.meteringLag;
        CORRECTION_LAG = p.correctionLag;
    }

    /// @return the parameters this market was deployed with.
    function calendar() public view returns (CalendarParameters memory) {
        return CalendarParameters({
            opening: uint64(OPENING),
            periodLength: uint32(PERIOD_LENGTH),
            periodsPerDay: uint16(PERIODS_PER_DAY),
            openLead: uint32(OPEN_LEAD),
            gateLead: uint32(GATE_LEAD),
            meteringLag: uint32(METERING_LAG),
            correctionLag: uint32(CORRECTION_LAG)
        });
    }

    /// @return the day in delivery at a time, 0 before the market's opening.
    function dayAt(uint256 time) public view returns (uint256) {
        return time < OPENING ? 0 : (time - OPENING) / DAY_LENGTH + 1;
    }

    /// @return unix time at which the day-ahead auction of a day opens.
    function opensAt(uint256 day) public view returns (uint256) {
        return startOf(day) - OPEN_LEAD;
    }

    /// @return unix time from which no order for the day is taken or changed.
    function gateClosesAt(uint256 day) public view returns (uint256) {
        return startOf(day) - GATE_LEAD;
    }

    /// @return unix time of the day's first second.
    function startOf(uint256 day) public view returns (uint256) {
        // slither-disable-next-line incorrect-equality
        if (day == 0 || day > Strips.MAX_DAY) revert NoSuchDay(day);
        // Parameters of 64 bits at most: nothing overflows before the last day there is.
        unchecked {
            return OPENING + (day - 1) * DAY_LENGTH;
        }
    }

    /// @return unix time by which the day's readings are due.
    function meteringDeadline(uint256 day) public view returns (uint256) {
        return startOf(day) + DAY_LENGTH + METERING_LAG;
    }

    /// @return unix time from which no reading of the day can be corrected.
    function correctionsCloseAt(uint256 day) public view returns (uint256) {
        return startOf(day) + DAY_LENGTH + CORRECTION_LAG;
    }
}
