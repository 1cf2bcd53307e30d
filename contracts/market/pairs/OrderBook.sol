// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IAccounts} from "../../interfaces/IAccounts.sol";
import {IGridLimits} from "../../interfaces/IGridLimits.sol";
import {IMarketRules} from "../../interfaces/IMarketRules.sol";
import {Pair} from "../../interfaces/IPairMarket.sol";
import {ISchedule} from "../../interfaces/ISchedule.sol";
import {ITraders} from "../../interfaces/ITraders.sol";
import {Meetings} from "../../libraries/Meetings.sol";
import {CalendarParameters} from "../../types/Calendar.sol";
import {Orders} from "../../types/Orders.sol";
import {MAX_TICK} from "../../types/Units.sol";
import {AuctionState} from "../auction/AuctionState.sol";
import {OrderTaking} from "../auction/OrderTaking.sol";
import {PairMarket} from "./PairMarket.sol";

/// @title Day-ahead order book
/// @notice Public until the gate, then the best orders meet first; of equal limits those of who came earlier (rule 15.2).
contract OrderBook is PairMarket {
    uint256 private constant ARRIVAL_SHIFT = 16;
    uint256 private constant TICK_SHIFT = 64;

    constructor(
        address authority,
        CalendarParameters memory calendar_,
        ITraders registry,
        IMarketRules rules,
        IAccounts accounts,
        ISchedule schedule,
        IGridLimits limits
    ) AuctionState(authority, calendar_, registry, rules, accounts, schedule) OrderTaking(limits) {}

    /// @inheritdoc PairMarket
    function _meet(uint256, uint256, Book memory b) internal pure override returns (Pair[] memory) {
        return Meetings.fromTheBest(b.bids, b.bidCount, b.asks, b.askCount);
    }

    /// @inheritdoc PairMarket
    function _rankOf(uint256 day, uint32 id, uint256 layer, uint256 order) internal view override returns (uint256) {
        uint256 tick = Orders.isAsk(order) ? Orders.tick(order) : MAX_TICK - Orders.tick(order);
        return (tick << TICK_SHIFT) | (_arrivalOf(day, id) << ARRIVAL_SHIFT) | layer;
    }
}
