// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IMarketRules, Rules} from "../interfaces/IMarketRules.sol";
import {WorstDay} from "../libraries/WorstDay.sol";
import {Calendar, CalendarParameters} from "../types/Calendar.sol";
import {Orders} from "../types/Orders.sol";
import {Ring} from "../types/Ring.sol";
import {Strips} from "../types/Strips.sol";
import {Energy, MAX_TICK, Price, PriceRange, SignedPrice} from "../types/Units.sol";

/// @title Market rules
contract MarketRules is IMarketRules, AccessManaged, Calendar {
    /// Tariffs travel in 20 bits, counted from the lowest price; rates and fees stay in the same range.
    uint256 private constant MAX_PRICE = (1 << 20) - 1;
    /// Prices of orders and of the wholesale market have 19 bits and a sign.
    int256 private constant PRICE_BOUND = 1 << 19;
    uint256 private constant WHOLE_SHARE = 10_000;

    int32 private immutable LOWEST_PRICE;
    uint32 private immutable TICK;

    struct Version {
        uint32 firstDay;
        Rules rules;
    }

    Version[] private _versions;
    uint32 public lastFinalDay;
    uint32 public dayInSettlement;

    constructor(address authority, CalendarParameters memory calendar_, PriceRange memory range, Rules memory rules)
        AccessManaged(authority)
        Calendar(calendar_)
    {
        (int256 lowest, int256 tick) = (range.lowest, int256(uint256(range.tick)));
        if (tick == 0) revert BadPriceRange("tick", 0, 1);
        if (lowest > 0) revert BadPriceRange("lowest", lowest, 0);
        if (lowest < -PRICE_BOUND) revert BadPriceRange("lowest", lowest, -PRICE_BOUND);
        // Zero is a price that orders can name.
        if (lowest % tick != 0) revert BadPriceRange("lowest", lowest, lowest - (lowest % tick));
        int256 highest = lowest + int256(MAX_TICK) * tick;
        if (highest <= 0) revert BadPriceRange("highest", highest, 1);
        if (highest >= PRICE_BOUND) revert BadPriceRange("highest", highest, PRICE_BOUND - 1);
        (LOWEST_PRICE, TICK) = (range.lowest, range.tick);
        emit PriceRangeSet(range.lowest, range.tick);
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
    function priceRange() external view returns (PriceRange memory) {
        return PriceRange(LOWEST_PRICE, TICK);
    }

    /// @inheritdoc IMarketRules
    function requireRoom(uint256 day) external view {
        if (day > lastFinalDay + Ring.DAYS) revert DayStillOpen(day - Ring.DAYS, lastFinalDay);
    }

    function _add(uint32 firstDay, Rules memory r) private {
        _requireTariffs(r);
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

    /// minSell <= standingSell <= standingBuy <= maxBuy, with zero between the outer two.
    function _requireTariffs(Rules memory r) private view {
        (int256 maxBuy, int256 minSell) = (SignedPrice.unwrap(r.maxBuy), SignedPrice.unwrap(r.minSell));
        (int256 buy, int256 sell) = (SignedPrice.unwrap(r.standingBuy), SignedPrice.unwrap(r.standingSell));
        _requireBetween("maxBuy", maxBuy, 0, int256(MAX_PRICE) + LOWEST_PRICE);
        _requireBetween("minSell", minSell, LOWEST_PRICE, 0);
        _requireBetween("standingBuy", buy, minSell, maxBuy);
        _requireBetween("standingSell", sell, minSell, buy);
    }

    function _requireBetween(string memory parameter, int256 value, int256 least, int256 most) private pure {
        if (value < least) revert BadRule(parameter, value, least);
        if (value > most) revert BadRule(parameter, value, most);
    }

    function _requireAtMost(string memory parameter, uint256 value, uint256 limit) private pure {
        _requireBetween(parameter, int256(value), 0, int256(limit));
    }
}
