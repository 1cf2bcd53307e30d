// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {Multicall} from "@openzeppelin/contracts/utils/Multicall.sol";
import {IAccounts} from "../../interfaces/IAccounts.sol";
import {IBrokeredMarket} from "../../interfaces/IBrokeredMarket.sol";
import {ICallAuction} from "../../interfaces/ICallAuction.sol";
import {IGridLimits} from "../../interfaces/IGridLimits.sol";
import {IMarket, Positions} from "../../interfaces/IMarket.sol";
import {IMarketRules} from "../../interfaces/IMarketRules.sol";
import {ISchedule} from "../../interfaces/ISchedule.sol";
import {ITraders} from "../../interfaces/ITraders.sol";
import {Groups} from "../../libraries/Groups.sol";
import {CalendarParameters} from "../../types/Calendar.sol";
import {Orders} from "../../types/Orders.sol";
import {Ring} from "../../types/Ring.sol";
import {Strips} from "../../types/Strips.sol";
import {AuctionBooking} from "./AuctionBooking.sol";
import {AuctionState} from "./AuctionState.sol";
import {Clearing} from "./Clearing.sol";
import {OrderTaking} from "./OrderTaking.sol";

/// @title Day-ahead call auction
/// @dev Put together from its parts; here is what others ask of it. What only people ask is answered by AuctionReader, from this.
contract CallAuction is OrderTaking, Clearing, Multicall {
    using Address for address;

    address private immutable BOOKING;

    constructor(
        address authority,
        CalendarParameters memory calendar_,
        ITraders registry,
        IMarketRules rules,
        IAccounts accounts,
        ISchedule schedule,
        IGridLimits limits
    ) AuctionState(authority, calendar_, registry, rules, accounts, schedule) OrderTaking(limits) {
        BOOKING = address(new AuctionBooking(authority, calendar_, registry, rules, accounts, schedule));
    }

    /// @inheritdoc IMarket
    function book(uint256, uint32, uint256) external returns (Positions memory) {
        _runBooking();
    }

    /// @inheritdoc IBrokeredMarket
    function takeCommissions(uint256, uint32[] calldata) external returns (uint256[] memory, uint256[] memory) {
        _runBooking();
    }

    /// @inheritdoc IMarket
    function isCleared(uint256 day) external view returns (bool) {
        DayState storage state = _days[Ring.place(day)];
        return state.day == day && _isCleared(state);
    }

    /// @inheritdoc ICallAuction
    function clearedStrips(uint256 day) public view returns (uint256) {
        DayState storage state = _days[Ring.place(day)];
        return state.day == day ? state.cleared : 0;
    }

    /// @inheritdoc ICallAuction
    function outcomesIn(uint256 day, uint256 firstSlot, uint256 count) external view returns (uint256[] memory packed) {
        packed = new uint256[](count);
        uint256 cleared = clearedStrips(day);
        for (uint256 i = 0; i < count; ++i) {
            if (cleared & (1 << ((firstSlot + i) / Strips.LANES)) == 0) continue;
            packed[i] = _outcomes[Ring.dayKey(day, firstSlot + i)];
        }
    }

    /// @inheritdoc ICallAuction
    function bookOf(uint256 day) external view returns (uint256 layers, uint256 highestId) {
        DayState storage state = _days[Ring.place(day)];
        if (state.day == day) return (uint256(state.layers) + state.brokeredLayers, state.highestId);
    }

    /// @inheritdoc ICallAuction
    function layersIn(uint256 day, uint256 group) external view returns (uint256 own, uint256 brokered) {
        while (_activeIn(day, own, group) != 0) ++own;
        while (_activeIn(day, Orders.BROKERED_LAYER + brokered, group) != 0) ++brokered;
    }

    /// @inheritdoc ICallAuction
    function linesIn(uint256 day, uint256 line, uint256 group) external view returns (uint256[] memory words) {
        uint256 n = 0;
        // Numbers of lines and members are small.
        unchecked {
            uint256 active = _activeIn(day, line / STRIPS_PER_DAY, group);
            words = new uint256[](Groups.SIZE);
            for (uint256 key = Ring.lineKey(group * Groups.SIZE, day, line); active != 0; key += Ring.NEXT_MEMBER) {
                uint256 word = active & 1 == 0 ? 0 : _lines[key];
                if (Strips.dayOf(word) == day) words[n++] = word;
                active >>= 1;
            }
        }
        assembly ("memory-safe") {
            mstore(words, n)
        }
    }

    /// @inheritdoc ICallAuction
    function brokeredSheetOf(uint32 id, uint256 day) external view returns (uint256, uint256, uint256) {
        return _readSheet(id, day, Orders.BROKERED_LAYER * STRIPS_PER_DAY);
    }

    /// @inheritdoc IBrokeredMarket
    function brokeredEnergy(uint32 id, uint256 day) external view returns (uint256) {
        uint256 word = _brokered[Ring.lineKey(id, day, 0)];
        return Strips.dayOf(word) == day ? uint64(word) : 0;
    }

    /// Ends the call with what the code for booking answers, which also knows who may call.
    function _runBooking() private {
        bytes memory answer = BOOKING.functionDelegateCall(msg.data);
        assembly ("memory-safe") {
            return(add(answer, 32), mload(answer))
        }
    }
}
