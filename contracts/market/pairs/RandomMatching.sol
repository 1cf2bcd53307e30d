// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IAccounts} from "../../interfaces/IAccounts.sol";
import {IGridLimits} from "../../interfaces/IGridLimits.sol";
import {ILots} from "../../interfaces/ILots.sol";
import {IMarketRules} from "../../interfaces/IMarketRules.sol";
import {Pair} from "../../interfaces/IPairMarket.sol";
import {ISchedule} from "../../interfaces/ISchedule.sol";
import {ITraders} from "../../interfaces/ITraders.sol";
import {Meetings} from "../../libraries/Meetings.sol";
import {CalendarParameters} from "../../types/Calendar.sol";
import {AuctionState} from "../auction/AuctionState.sol";
import {OrderTaking} from "../auction/OrderTaking.sol";
import {PairMarket} from "./PairMarket.sol";

/// @title Day-ahead matching by lot
/// @notice After the gate orders meet by lot, each bid with each ask once (rule 15.3).
contract RandomMatching is PairMarket {
    ILots private immutable LOTS;

    constructor(
        address authority,
        CalendarParameters memory calendar_,
        ITraders registry,
        IMarketRules rules,
        IAccounts accounts,
        ISchedule schedule,
        IGridLimits limits,
        ILots lots
    ) AuctionState(authority, calendar_, registry, rules, accounts, schedule) OrderTaking(limits) {
        LOTS = lots;
    }

    /// @inheritdoc PairMarket
    function _meet(uint256 day, uint256 slot, Book memory b) internal view override returns (Pair[] memory) {
        bytes32 seed = keccak256(abi.encode(LOTS.lotOf(day), slot));
        return Meetings.byLot(b.bids, b.bidCount, b.asks, b.askCount, seed);
    }

    /// @inheritdoc PairMarket
    function _rankOf(uint256, uint32, uint256, uint256) internal pure override returns (uint256) {
        return 0;
    }
}
