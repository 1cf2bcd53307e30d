// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IGridLimits, ZoneLimit} from "../interfaces/IGridLimits.sol";
import {IMarketRules} from "../interfaces/IMarketRules.sol";
import {IOrderSheets} from "../interfaces/IOrderSheets.sol";
import {GridShares} from "../libraries/GridShares.sol";
import {Calendar, CalendarParameters} from "../types/Calendar.sol";
import {Orders} from "../types/Orders.sol";
import {Ring} from "../types/Ring.sol";
import {Strips} from "../types/Strips.sol";

/// @title Limits of the network
/// @dev What orders are held to lies in the ring of days. What is charged later is proven by the day's record, one word for good.
contract GridLimits is IGridLimits, AccessManaged, Calendar {
    /// A member's zone from a day on, until the next one.
    struct Zoned {
        uint32 firstDay;
        uint16 zone;
    }

    /// A zone's standing limits from a day on, 1/10,000.
    struct Standing {
        uint32 firstDay;
        uint16 imports;
        uint16 exports;
    }

    struct DayState {
        uint16 day;
        bool isPublished;
        bool isApproved;
        /// In which any zone is limited by a publication, a bit each.
        uint16 strips;
        /// Limits of the day so far, of all its publications.
        uint16 count;
    }

    /// Limits of one day, in all its publications: a charge brings them all, in one transaction of 128 kB at most.
    uint256 private constant MAX_LIMITS = 1_200;
    /// Members, zones and standing limits change so many days ahead at most: whoever is asked for one looks through few.
    uint256 private constant MAX_AHEAD = 31;

    IMarketRules private immutable RULES;
    /// From the last moment at which a period's limits are lowered to its beginning, s.
    uint256 private immutable LEAD;

    /// First day on which anybody has a zone; 0 if nobody ever had: nobody else's orders cost more than this question.
    uint256 private _firstDay;
    /// The newest, which orders ask for; earlier ones are in `_pastZones`.
    mapping(uint32 id => Zoned) private _zones;
    // What is pushed is not seen as written.
    // slither-disable-start uninitialized-state
    mapping(uint32 id => Zoned[]) private _pastZones;
    mapping(uint16 zone => Standing[]) private _standings;
    // slither-disable-end uninitialized-state
    mapping(uint256 ringPlace => DayState) private _days;
    mapping(uint256 key => uint256) private _shares;
    /// @inheritdoc IGridLimits
    mapping(uint256 day => bytes32) public recordOf;

    /// @param lead seconds before a period from which its limits stay as they are.
    constructor(address authority, CalendarParameters memory calendar_, uint256 lead, IMarketRules rules)
        AccessManaged(authority)
        Calendar(calendar_)
    {
        RULES = rules;
        LEAD = lead;
    }

    /// @inheritdoc IGridLimits
    function publishModel(bytes32 model, uint32 firstDay) external restricted {
        _requireAhead(firstDay);
        emit ModelPublished(firstDay, model);
    }

    /// @inheritdoc IGridLimits
    function assign(uint32[] calldata ids, uint16[] calldata zones, uint32 firstDay) external restricted {
        if (ids.length != zones.length) revert ListsDiffer(ids.length, zones.length);
        _requireAhead(firstDay);
        for (uint256 i = 0; i < ids.length; ++i) {
            Zoned memory newest = _zones[ids[i]];
            Zoned[] storage past = _pastZones[ids[i]];
            // What was to come on that day or later is replaced.
            while (newest.firstDay >= firstDay && past.length > 0) {
                newest = past[past.length - 1];
                past.pop();
            }
            if (newest.firstDay != 0 && newest.firstDay < firstDay) past.push(newest);
            _zones[ids[i]] = Zoned(firstDay, zones[i]);
        }
        if (_firstDay == 0 || firstDay < _firstDay) _firstDay = firstDay;
        emit ZonesAssigned(firstDay, ids, zones);
    }

    /// @inheritdoc IGridLimits
    function setStanding(uint16 zone, uint16 imports, uint16 exports, uint32 firstDay) external restricted {
        _requireAhead(firstDay);
        uint256 shares = GridShares.inAllLanes(imports, exports);
        if (zone == 0) revert NoSuchPlace(zone, 0);
        if (!GridShares.isWithin(shares, GridShares.ALL)) revert SharesTooLarge(zone, 0, shares, GridShares.ALL);
        Standing[] storage known = _standings[zone];
        while (known.length > 0 && known[known.length - 1].firstDay >= firstDay) {
            known.pop();
        }
        known.push(Standing(firstDay, imports, exports));
        emit StandingLimitSet(zone, firstDay, imports, exports);
    }

    /// @inheritdoc IGridLimits
    function limit(uint32 day, ZoneLimit[] calldata limits, bytes32 report) external restricted {
        uint256 opens = opensAt(day);
        if (block.timestamp >= opens) revert AuctionHasOpened(day, opens, block.timestamp);
        RULES.requireRoom(day);
        DayState memory state = _stateOf(day);
        state.isPublished = true;
        for (uint256 i = 0; i < limits.length; ++i) {
            ZoneLimit calldata one = limits[i];
            _requirePlace(one);
            if (!GridShares.isWithin(one.shares, GridShares.ALL)) {
                revert SharesTooLarge(one.zone, one.strip, one.shares, GridShares.ALL);
            }
            _keep(day, one, state);
        }
        _days[Ring.place(day)] = state;
        recordOf[day] = keccak256(abi.encode(recordOf[day], false, limits));
        emit LimitsPublished(day, limits, report);
    }

    /// @inheritdoc IGridLimits
    function restrict(uint32 day, ZoneLimit[] calldata limits, string calldata cause, bytes32 report)
        external
        restricted
    {
        if (limits.length == 0) revert NothingPublished();
        _requireGateClosed(day);
        // Of days past nothing changes; their place in the ring may be another day's.
        uint256 end = startOf(day) + DAY_LENGTH;
        if (block.timestamp >= end) revert PeriodTooNear(day, PERIODS_PER_DAY - 1, end, block.timestamp);
        DayState memory state = _stateOf(day);
        for (uint256 i = 0; i < limits.length; ++i) {
            ZoneLimit calldata one = limits[i];
            _requirePlace(one);
            uint256 now_ = _sharesIn(one.zone, day, one.strip, state);
            if (!GridShares.isWithin(one.shares, now_)) revert SharesTooLarge(one.zone, one.strip, one.shares, now_);
            if (one.shares == now_) revert NothingPublished();
            _requireFarEnough(day, one.strip, one.shares ^ now_);
            _keep(day, one, state);
        }
        _days[Ring.place(day)] = state;
        recordOf[day] = keccak256(abi.encode(recordOf[day], true, limits));
        emit LimitsLowered(day, limits, cause, report);
    }

    /// @inheritdoc IGridLimits
    function approve(uint32 day, bytes32 report) external restricted {
        _requireGateClosed(day);
        if (block.timestamp >= startOf(day)) revert PeriodTooNear(day, 0, startOf(day), block.timestamp);
        DayState memory state = _stateOf(day);
        state.isApproved = true;
        _days[Ring.place(day)] = state;
        emit DayApproved(day, report);
    }

    /// @inheritdoc IGridLimits
    function isApproved(uint256 day) external view returns (bool) {
        DayState memory state = _days[Ring.place(day)];
        return (state.day == day && state.isApproved) || block.timestamp >= startOf(day);
    }

    /// @inheritdoc IGridLimits
    function isLimited(uint32 id, uint256 day) external view returns (bool) {
        if (_firstDay == 0 || day < _firstDay) return false;
        DayState memory state = _stateOf(day);
        if (state.isPublished && state.strips == 0) return false;
        return zoneOn(id, day) != 0;
    }

    /// @inheritdoc IGridLimits
    function requireWithin(uint32 id, uint256 day, bool isBrokered, uint256 importCapacity, uint256 exportCapacity)
        external
        view
    {
        DayState memory state = _stateOf(day);
        uint16 zone = zoneOn(id, day);
        if (zone == 0) return;
        IOrderSheets auction = IOrderSheets(msg.sender);
        uint256[] memory lines = auction.linesOf(day, id, 1)[0];
        // Its brokered lines follow its own ones.
        // slither-disable-next-line unused-return
        (, uint256 own,) = auction.sheetOf(id, day);
        own *= STRIPS_PER_DAY;
        (uint256 first, uint256 end) = isBrokered ? (own, lines.length) : (0, own);
        for (uint256 strip = 0; strip < STRIPS_PER_DAY; ++strip) {
            uint256 shares = _sharesIn(zone, day, strip, state);
            if (shares == GridShares.ALL) continue;
            uint256 bids = 0;
            uint256 asks = 0;
            // At most 255 layers of orders of 27 bits each: sums stay within a lane.
            unchecked {
                for (uint256 n = first + strip; n < end; n += STRIPS_PER_DAY) {
                    (uint256 moreBids, uint256 moreAsks) = Orders.sides(lines[n]);
                    bids += moreBids;
                    asks += moreAsks;
                }
            }
            bool isWithin = GridShares.holds(importCapacity, GridShares.imports(shares), bids)
                && GridShares.holds(exportCapacity, GridShares.exports(shares), asks);
            if (isWithin) continue;
            uint256 mostBids = GridShares.partsDown(importCapacity, GridShares.imports(shares));
            uint256 mostAsks = GridShares.partsDown(exportCapacity, GridShares.exports(shares));
            for (uint256 k = 0; k < Strips.LANES; ++k) {
                uint256 slot = strip * Strips.LANES + k;
                _requireLimit(id, slot, Strips.lane(bids, k), Strips.lane(mostBids, k));
                _requireLimit(id, slot, Strips.lane(asks, k), Strips.lane(mostAsks, k));
            }
        }
    }

    /// @inheritdoc IGridLimits
    function sharesOf(uint32 id, uint256 day) external view returns (uint256[] memory shares) {
        shares = new uint256[](STRIPS_PER_DAY);
        uint16 zone = zoneOn(id, day);
        DayState memory state = _stateOf(day);
        for (uint256 strip = 0; strip < shares.length; ++strip) {
            shares[strip] = zone == 0 ? GridShares.ALL : _sharesIn(zone, day, strip, state);
        }
    }

    /// @inheritdoc IGridLimits
    function zoneOn(uint32 id, uint256 day) public view returns (uint16) {
        Zoned memory zoned = _zones[id];
        if (day >= zoned.firstDay) return zoned.zone;
        Zoned[] storage past = _pastZones[id];
        for (uint256 n = past.length; n > 0; --n) {
            zoned = past[n - 1];
            if (day >= zoned.firstDay) return zoned.zone;
        }
        return 0;
    }

    /// @inheritdoc IGridLimits
    function standingOn(uint16 zone, uint256 day) public view returns (uint256 imports, uint256 exports) {
        Standing[] storage known = _standings[zone];
        for (uint256 n = known.length; n > 0; --n) {
            Standing memory standing = known[n - 1];
            if (day >= standing.firstDay) return (standing.imports, standing.exports);
        }
        return (GridShares.WHOLE, GridShares.WHOLE);
    }

    /// @return what holds of a zone in a strip now.
    function _sharesIn(uint16 zone, uint256 day, uint256 strip, DayState memory state) private view returns (uint256) {
        if (state.strips & (1 << strip) != 0) {
            uint256 word = _shares[Ring.lineKey(zone, day, strip)];
            if (Strips.dayOf(word) == day) return word & Strips.LANES_MASK;
        }
        if (state.isPublished) return GridShares.ALL;
        (uint256 imports, uint256 exports) = standingOn(zone, day);
        return GridShares.inAllLanes(imports, exports);
    }

    function _requireLimit(uint32 id, uint256 slot, uint256 energy, uint256 most) private pure {
        if (energy > most) revert ExceedsLimit(id, slot, energy, most);
    }

    function _keep(uint256 day, ZoneLimit calldata one, DayState memory state) private {
        _shares[Ring.lineKey(one.zone, day, one.strip)] = Strips.withDay(one.shares, day);
        state.strips |= uint16(1 << one.strip);
        if (++state.count > MAX_LIMITS) revert TooManyLimits(day, MAX_LIMITS);
    }

    function _stateOf(uint256 day) private view returns (DayState memory state) {
        state = _days[Ring.place(day)];
        if (state.day != day) state = DayState(uint16(day), false, false, 0, 0);
    }

    function _requireAhead(uint256 firstDay) private view {
        uint256 earliest = dayAt(block.timestamp + OPEN_LEAD) + 1;
        if (firstDay < earliest || firstDay > earliest + MAX_AHEAD || firstDay > Strips.MAX_DAY) {
            revert DayNotOpenToChange(firstDay, earliest);
        }
    }

    function _requireGateClosed(uint256 day) private view {
        uint256 gate = gateClosesAt(day);
        if (block.timestamp < gate) revert GateIsOpen(day, gate, block.timestamp);
    }

    function _requirePlace(ZoneLimit calldata one) private view {
        if (one.zone == 0 || one.strip >= STRIPS_PER_DAY) revert NoSuchPlace(one.zone, one.strip);
    }

    /// Of periods that are too near nothing changes.
    function _requireFarEnough(uint256 day, uint256 strip, uint256 changed) private view {
        for (uint256 k = 0; k < Strips.LANES; ++k) {
            if (Strips.lane(changed, k) == 0) continue;
            uint256 slot = strip * Strips.LANES + k;
            uint256 until = startOf(day) + slot * PERIOD_LENGTH - LEAD;
            if (block.timestamp >= until) revert PeriodTooNear(day, slot, until, block.timestamp);
        }
    }
}
