// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IAccounts} from "../../interfaces/IAccounts.sol";
import {IMarket} from "../../interfaces/IMarket.sol";
import {IMarketRules, Rules} from "../../interfaces/IMarketRules.sol";
import {ISchedule} from "../../interfaces/ISchedule.sol";
import {ITraders} from "../../interfaces/ITraders.sol";
import {DayTerms} from "../../libraries/DayTerms.sol";
import {Groups} from "../../libraries/Groups.sol";
import {Calendar, CalendarParameters} from "../../types/Calendar.sol";
import {Orders} from "../../types/Orders.sol";
import {PriceScale} from "../../types/PriceScale.sol";
import {Ring} from "../../types/Ring.sol";
import {Energy, MAX_TICK, Price, SignedPrice} from "../../types/Units.sol";
import {Sheet, Sheets} from "./Sheets.sol";

/// @title State of the call auction
/// @dev The book is the signed lines themselves, six orders a storage word, in a ring of days. Nothing is aggregated when an order
/// comes in, so its cost does not depend on the book and no sum can drift from the orders. Orders, clearing and booking are a
/// contract each over this one state. It comes first in the storage of all of them.
abstract contract AuctionState is AccessManaged, Calendar, PriceScale {
    struct DayState {
        uint16 day;
        /// Orders per period of whoever has most.
        uint8 layers;
        uint32 highestId;
        /// One bit per strip.
        uint16 cleared;
        /// Next member to be booked.
        uint32 nextId;
        /// Of the day's rules, which are fixed before it opens, as Sheets packs them.
        uint104 terms;
        /// Brokered orders per period of whoever has most, the commission they may cost, units/Wh, and their highest limit.
        uint8 brokeredLayers;
        uint24 commissionCap;
        uint16 highestTick;
    }

    /// A clearing that did not fit one transaction: sums per lane so far, and where to go on.
    struct Progress {
        /// Bids above and at the pivot, asks below and at it, as Quads packs them.
        uint256[6] sums;
        /// 16 bits a lane.
        uint96 nextTicks;
        uint32 layer;
        uint32 group;
    }

    ITraders internal immutable REGISTRY;
    IMarketRules internal immutable RULES;
    IAccounts internal immutable ACCOUNTS;
    ISchedule internal immutable SCHEDULE;

    // Of each contract over this state one part writes what another reads.
    // slither-disable-start uninitialized-state
    mapping(uint256 key => uint256) internal _lines;
    /// As Sheets packs them.
    mapping(uint256 key => uint256) internal _sheets;
    /// Members with orders, a bit each, per ring place, layer and group.
    mapping(uint256 key => uint256) internal _active;
    mapping(uint256 ringPlace => DayState) internal _days;
    /// As UniformPrice packs them.
    mapping(uint256 key => uint256) internal _outcomes;
    mapping(bytes32 attempt => Progress) internal _progress;
    /// Energy of the marginal orders booked so far, four slots a word.
    mapping(uint256 key => uint256) internal _marginal;
    /// Wh of the day that a member traded through its intermediary, and what secures the commission on it, beside the day.
    mapping(uint256 key => uint256) internal _brokered;
    // slither-disable-end uninitialized-state

    constructor(
        address authority,
        CalendarParameters memory calendar_,
        ITraders registry,
        IMarketRules rules,
        IAccounts accounts,
        ISchedule schedule
    ) AccessManaged(authority) Calendar(calendar_) PriceScale(rules) {
        REGISTRY = registry;
        RULES = rules;
        ACCOUNTS = accounts;
        SCHEDULE = schedule;
    }

    /// State of the day, taken over from the day that used its ring place before.
    function _stateOf(uint256 day) internal returns (DayState storage state) {
        state = _days[Ring.place(day)];
        if (state.day == day) return state;
        if (state.day > day) revert IMarket.DayIsOver(day);
        RULES.requireRoom(day);
        Rules memory rules = RULES.rulesOf(day);
        (uint256 extra, uint256 ceiling) = (DayTerms.extra(rules), DayTerms.ceiling(rules));
        uint256 terms = Sheets.packTerms(extra, ceiling, Energy.unwrap(rules.minOrderEnergy), rules.maxLayers);
        delete _days[Ring.place(day)];
        (state.day, state.nextId, state.terms) = (uint16(day), 1, uint104(terms));
        state.commissionCap = uint24(Price.unwrap(rules.commissionCap));
        // Rounded up: the dearest tariff can be named, and a client loses less than a tick.
        uint256 highestTick = Math.ceilDiv(_aboveLowest(SignedPrice.unwrap(rules.maxBuy)), UNITS_PER_TICK);
        state.highestTick = uint16(Math.min(highestTick, MAX_TICK));
    }

    function _isCleared(DayState storage state) internal view returns (bool) {
        return state.cleared == (1 << STRIPS_PER_DAY) - 1;
    }

    /// @return members of a group, a bit each, who have orders in a layer.
    function _activeIn(uint256 day, uint256 layer, uint256 group) internal view returns (uint256) {
        return Groups.membersOf(_active[Ring.lineKey(group, day, layer)], day);
    }

    function _loadOutcomes(uint256 day) internal view returns (uint256[] memory packed) {
        packed = new uint256[](PERIODS_PER_DAY);
        for (uint256 slot = 0; slot < packed.length; ++slot) {
            packed[slot] = _outcomes[Ring.dayKey(day, slot)];
        }
    }

    function _readSheet(uint32 id, uint256 day, uint256 base) internal view returns (uint256, uint256, uint256) {
        Sheet memory s = Sheets.unpack(_sheets[Ring.lineKey(id, day, base)]);
        return s.day == day ? (s.sequence, s.layers, s.locked) : (0, 0, 0);
    }

    /// @return the n-th layer of those in use: the members' own, then the brokered ones.
    function _layerAt(uint256 n, uint256 own) internal pure returns (uint256) {
        return n < own ? n : Orders.BROKERED_LAYER + n - own;
    }
}
