// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Calendar, CalendarParameters} from "../../contracts/types/Calendar.sol";
import {Ring} from "../../contracts/types/Ring.sol";
import {Strips} from "../../contracts/types/Strips.sol";
import {bound} from "./Vm.sol";

contract BareCalendar is Calendar {
    constructor(CalendarParameters memory p) Calendar(p) {}
}

/// Rule 4: the phases of a day follow each other whatever the parameters, or the market cannot be deployed.
contract CalendarTest {
    /// Quarter-hours; opens two days ahead, gate at noon the day before, readings within a day, corrections for two.
    function _usual() private pure returns (CalendarParameters memory) {
        return CalendarParameters({
            opening: 1_800_000_000,
            periodLength: 900,
            periodsPerDay: 96,
            openLead: 2 days,
            gateLead: 12 hours,
            meteringLag: 1 days,
            correctionLag: 2 days
        });
    }

    /// Any calendar that is allowed.
    function _any(uint256 seed) private pure returns (CalendarParameters memory p) {
        p.periodLength = uint32(bound(seed, 1, 86_400));
        p.periodsPerDay = uint16(6 * bound(seed >> 32, 1, 16));
        uint256 room = (Ring.DAYS - 2) * uint256(p.periodLength) * p.periodsPerDay;
        p.openLead = uint32(bound(seed >> 64, 1, room - 1));
        p.gateLead = uint32(bound(seed >> 96, 0, p.openLead - 1));
        p.correctionLag = uint32(bound(seed >> 128, 1, room - p.openLead));
        p.meteringLag = uint32(bound(seed >> 160, 0, p.correctionLag - 1));
        p.opening = uint64(bound(seed >> 192, p.openLead + 1, type(uint64).max));
    }

    function _days(uint256 seed) private pure returns (uint256) {
        return bound(seed, 1, Strips.MAX_DAY);
    }

    function test_phases_only_move_forward(uint256 seed, uint256 day) external {
        CalendarParameters memory p = _any(seed);
        Calendar c = new BareCalendar(p);
        day = _days(day);
        uint256 end = c.startOf(day) + uint256(p.periodLength) * p.periodsPerDay;
        require(c.opensAt(day) < c.gateClosesAt(day), "opens before the gate");
        require(c.gateClosesAt(day) <= c.startOf(day), "gate before delivery");
        require(c.startOf(day) < end, "delivery takes time");
        require(end <= c.meteringDeadline(day), "delivery before the deadline");
        require(c.meteringDeadline(day) < c.correctionsCloseAt(day), "deadline before corrections end");
        if (day < Strips.MAX_DAY) {
            require(c.startOf(day + 1) == end, "days follow each other");
            require(c.opensAt(day + 1) > c.opensAt(day), "openings follow each other");
        }
        if (day + Ring.DAYS <= Strips.MAX_DAY) {
            // The day after is estimated from this one, so it has to be final too.
            require(c.correctionsCloseAt(day + 1) <= c.opensAt(day + Ring.DAYS), "storage is free again in time");
        }
        require(keccak256(abi.encode(c.calendar())) == keccak256(abi.encode(p)), "the parameters it was given");
    }

    function test_the_day_at_a_time(uint256 seed, uint256 day, uint256 time) external {
        CalendarParameters memory p = _any(seed);
        Calendar c = new BareCalendar(p);
        day = _days(day);
        uint256 length = uint256(p.periodLength) * p.periodsPerDay;
        time = bound(time, 0, length - 1);
        require(c.dayAt(c.startOf(day) + time) == day, "in delivery");
        require(c.dayAt(c.startOf(day) - 1) == day - 1, "the second before");
        require(c.dayAt(p.opening - 1) == 0, "before the opening");
    }

    function test_a_calendar_that_contradicts_itself_is_refused() external {
        CalendarParameters memory p = _usual();
        p.periodLength = 0;
        _refused(p, "periodLength", 0, 1);

        p = _usual();
        p.periodsPerDay = 0;
        _refused(p, "periodsPerDay", 0, 96);
        p.periodsPerDay = 95;
        _refused(p, "periodsPerDay", 95, 96);
        p.periodsPerDay = 102;
        _refused(p, "periodsPerDay", 102, 96);

        p = _usual();
        p.gateLead = p.openLead;
        _refused(p, "gateLead", 2 days, 2 days);

        p = _usual();
        p.correctionLag = p.meteringLag;
        _refused(p, "correctionLag", 1 days, 1 days);
        p.correctionLag = 4 days + 1;
        _refused(p, "correctionLag", 6 days + 1, 6 days);

        p = _usual();
        p.opening = p.openLead;
        _refused(p, "opening", 2 days, 2 days);
    }

    function test_the_last_calendars_that_are_allowed() external {
        CalendarParameters memory p = _usual();
        p.gateLead = p.openLead - 1;
        p.correctionLag = 4 days;
        p.meteringLag = p.correctionLag - 1;
        p.opening = p.openLead + 1;
        new BareCalendar(p);
    }

    function test_days_count_from_one_to_the_last_a_word_holds(uint256 day) external {
        Calendar c = new BareCalendar(_usual());
        require(c.startOf(1) == 1_800_000_000, "first");
        require(c.startOf(Strips.MAX_DAY) == 1_800_000_000 + 65_534 days, "last");
        if (day > 0 && day <= Strips.MAX_DAY) day = 0;
        bytes32 expected = keccak256(abi.encodeWithSelector(Calendar.NoSuchDay.selector, day));
        bytes[5] memory calls = [
            abi.encodeCall(c.startOf, (day)),
            abi.encodeCall(c.opensAt, (day)),
            abi.encodeCall(c.gateClosesAt, (day)),
            abi.encodeCall(c.meteringDeadline, (day)),
            abi.encodeCall(c.correctionsCloseAt, (day))
        ];
        for (uint256 i = 0; i < calls.length; ++i) {
            (bool ok, bytes memory reason) = address(c).staticcall(calls[i]);
            require(!ok && keccak256(reason) == expected, "a day that does not exist");
        }
    }

    function _refused(CalendarParameters memory p, string memory parameter, uint256 value, uint256 limit) private {
        try new BareCalendar(p) {
            revert("accepted");
        } catch (bytes memory reason) {
            bytes memory expected = abi.encodeWithSelector(Calendar.BadCalendar.selector, parameter, value, limit);
            require(keccak256(reason) == keccak256(expected), parameter);
        }
    }
}
