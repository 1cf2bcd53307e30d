// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IAccounts} from "../interfaces/IAccounts.sol";
import {IMarket, Positions} from "../interfaces/IMarket.sol";
import {ISchedule, Plugged} from "../interfaces/ISchedule.sol";
import {Calendar, CalendarParameters} from "../types/Calendar.sol";
import {Strips} from "../types/Strips.sol";

/// @title Schedule
contract Schedule is ISchedule, AccessManaged, Calendar {
    IAccounts private immutable ACCOUNTS;

    Plugged[] private _markets;

    constructor(address authority, CalendarParameters memory calendar_, IAccounts accounts)
        AccessManaged(authority)
        Calendar(calendar_)
    {
        ACCOUNTS = accounts;
    }

    /// @inheritdoc ISchedule
    function addMarket(IMarket market, uint32 firstDay) external restricted {
        uint256 earliest = dayAt(block.timestamp + OPEN_LEAD) + 1;
        if (firstDay < earliest) revert TooLateToAdd(firstDay, earliest);
        for (uint256 m = 0; m < _markets.length; ++m) {
            if (address(_markets[m].market) == address(market)) revert MarketKnown(address(market));
        }
        _markets.push(Plugged(market, firstDay));
        // Before, it could only take orders for days it does not count for yet, whose collateral nothing would release.
        uint256 from = opensAt(firstDay);
        if (firstDay > 1 && gateClosesAt(firstDay - 1) > from) from = gateClosesAt(firstDay - 1);
        ACCOUNTS.admitMarket(address(market), uint64(from));
        emit MarketAdded(address(market), firstDay);
    }

    /// @inheritdoc ISchedule
    function markets() external view returns (Plugged[] memory) {
        return _markets;
    }

    /// @inheritdoc ISchedule
    function isComplete(uint256 day) external view returns (bool) {
        bool hasMarket = false;
        for (uint256 m = 0; m < _markets.length; ++m) {
            if (day < _markets[m].firstDay) continue;
            if (!_markets[m].market.isCleared(day)) return false;
            hasMarket = true;
        }
        return hasMarket;
    }

    /// @inheritdoc ISchedule
    function collect(uint256 day, uint32 firstId, uint256 count) external restricted returns (Positions memory sum) {
        sum.net = new uint256[][](count);
        sum.payment = new int256[](count);
        sum.traded = new uint256[](count);
        sum.release = new uint256[](count);
        for (uint256 m = 0; m < _markets.length; ++m) {
            if (day >= _markets[m].firstDay) _add(sum, _markets[m].market.book(day, firstId, count));
        }
        for (uint256 i = 0; i < count; ++i) {
            if (_hasAny(sum.net[i])) emit Scheduled(firstId + uint32(i), uint32(day), sum.net[i]);
        }
    }

    function _add(Positions memory sum, Positions memory more) private pure {
        for (uint256 i = 0; i < more.net.length; ++i) {
            sum.net[i] = _addStrips(sum.net[i], more.net[i]);
            sum.payment[i] += more.payment[i];
            sum.traded[i] += more.traded[i];
            sum.release[i] += more.release[i];
        }
        if (more.flexible.length == 0) return;
        if (sum.flexible.length == 0) sum.flexible = new uint256[][](sum.net.length);
        for (uint256 i = 0; i < more.flexible.length; ++i) {
            sum.flexible[i] = _addUnsigned(sum.flexible[i], more.flexible[i]);
        }
    }

    function _addStrips(uint256[] memory a, uint256[] memory b) private pure returns (uint256[] memory) {
        if (a.length == 0) return b;
        for (uint256 s = 0; s < b.length; ++s) {
            a[s] = Strips.addSigned(a[s], b[s]);
        }
        return a;
    }

    /// A member's energies of all markets together fit a lane.
    function _addUnsigned(uint256[] memory a, uint256[] memory b) private pure returns (uint256[] memory) {
        if (a.length == 0) return b;
        for (uint256 s = 0; s < b.length; ++s) {
            a[s] += b[s];
        }
        return a;
    }

    function _hasAny(uint256[] memory strips) private pure returns (bool) {
        for (uint256 s = 0; s < strips.length; ++s) {
            if (strips[s] != Strips.ZERO_LANES) return true;
        }
        return false;
    }
}
