// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IMarketRules, Rules} from "../interfaces/IMarketRules.sol";
import {WorstDay} from "../libraries/WorstDay.sol";
import {Calendar, CalendarParameters} from "../types/Calendar.sol";
import {Orders} from "../types/Orders.sol";
import {Ring} from "../types/Ring.sol";
import {Strips} from "../types/Strips.sol";
import {Energy, Price} from "../types/Units.sol";

/// @title Market rules
contract MarketRules is IMarketRules, AccessManaged, Calendar {
    /// Tariffs travel in 20 bits, rates and fees stay in the same range.
    uint256 private constant MAX_PRICE = (1 << 20) - 1;
    uint256 private constant WHOLE_SHARE = 10_000;

    struct Version {
        uint32 firstDay;
        Rules rules;
    }

    Version[] private _versions;
    uint32 public lastFinalDay;
    uint32 public dayInSettlement;

    constructor(address authority, CalendarParameters memory calendar_, Rules memory rules)
        AccessManaged(authority)
        Calendar(calendar_)
    {
        _add(1, rules);
    }

    /// @inheritdoc IMarketRules
    function announce(uint32 firstDay, Rules calldata rules) external restricted {
        // The next day to open may have its tariffs already, published within the limits of its rules.
        uint256 earliest = dayAt(block.timestamp + OPEN_LEAD) + 2;
        if (firstDay < earliest) revert TooLateToChange(firstDay, earliest);
        if (firstDay > Strips.MAX_DAY) revert NoSuchDay(firstDay);
        while (_versions[_versions.length - 1].firstDay >= firstDay) {
            _versions.pop();
        }
        _add(firstDay, rules);
    }

    /// @inheritdoc IMarketRules
    function markFinal(uint32 day) external restricted {
        if (day != lastFinalDay + 1) revert DayOutOfOrder(day, lastFinalDay + 1);
        lastFinalDay = day;
        emit DayFinal(day);
    }

    /// @inheritdoc IMarketRules
    function markInSettlement(uint32 day) external restricted {
        dayInSettlement = day;
    }

    /// @inheritdoc IMarketRules
    function rulesOf(uint256 day) external view returns (Rules memory) {
        // From the newest back: changes are few and the days asked for are the latest.
        uint256 i = _versions.length - 1;
        while (i > 0 && _versions[i].firstDay > day) --i;
        return _versions[i].rules;
    }

    /// @inheritdoc IMarketRules
    function requireRoom(uint256 day) external view {
        if (day > lastFinalDay + Ring.DAYS) revert DayStillOpen(day - Ring.DAYS, lastFinalDay);
    }

    function _add(uint32 firstDay, Rules memory r) private {
        _requireAtMost("maxBuy", Price.unwrap(r.maxBuy), MAX_PRICE);
        _requireAtMost("standingBuy", Price.unwrap(r.standingBuy), Price.unwrap(r.maxBuy));
        _requireAtMost("standingSell", Price.unwrap(r.standingSell), Price.unwrap(r.standingBuy));
        _requireAtMost("platformFee", Price.unwrap(r.platformFee), MAX_PRICE);
        _requireAtMost("networkFee", Price.unwrap(r.networkFee), MAX_PRICE);
        _requireAtMost("commissionCap", Price.unwrap(r.commissionCap), MAX_PRICE);
        _requireAtMost("deviationRate", Price.unwrap(r.deviationRate), MAX_PRICE);
        _requireAtMost("toleranceFixed", Energy.unwrap(r.toleranceFixed), Strips.BIAS);
        _requireAtMost("toleranceShare", r.toleranceShare, WHOLE_SHARE);
        _requireAtMost("minOrderEnergy", Energy.unwrap(r.minOrderEnergy), Orders.ENERGY_MASK);
        if (Energy.unwrap(r.minOrderEnergy) == 0) revert BadRule("minOrderEnergy", 0, 1);
        if (r.maxLayers == 0) revert BadRule("maxLayers", 0, 1);
        _requireAtMost("maxLayers", r.maxLayers, WorstDay.mostLayers(STRIPS_PER_DAY));
        _requireAtMost("wholesaleMargin", Price.unwrap(r.wholesaleMargin), MAX_PRICE);
        _requireAtMost("penaltyCap", Price.unwrap(r.penaltyCap), MAX_PRICE);
        _requireAtMost("premiumRate", Price.unwrap(r.premiumRate), MAX_PRICE);
        _requireAtMost("rewardShare", r.rewardShare, WHOLE_SHARE);
        _versions.push(Version(firstDay, r));
        emit RulesChanged(firstDay, r);
    }

    function _requireAtMost(string memory parameter, uint256 value, uint256 limit) private pure {
        if (value > limit) revert BadRule(parameter, value, limit);
    }
}
