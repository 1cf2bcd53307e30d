// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Multicall} from "@openzeppelin/contracts/utils/Multicall.sol";
import {IMarket, Positions} from "../../interfaces/IMarket.sol";
import {IPairMarket, Pair} from "../../interfaces/IPairMarket.sol";
import {Groups} from "../../libraries/Groups.sol";
import {Meetings} from "../../libraries/Meetings.sol";
import {NetPositions} from "../../libraries/NetPositions.sol";
import {PositionLists} from "../../libraries/PositionLists.sol";
import {Orders} from "../../types/Orders.sol";
import {Ring} from "../../types/Ring.sol";
import {Strips} from "../../types/Strips.sol";
import {OrderTaking} from "../auction/OrderTaking.sol";
import {Sheet, Sheets} from "../auction/Sheets.sol";

/// @title Day-ahead market of pairs
/// @dev Orders are taken by the code of the call auction, over the same state. Which pairs a slot has follows from its book alone. So
/// what does not fit one transaction is worked out anew in the next, and only what is booked is kept.
abstract contract PairMarket is IPairMarket, OrderTaking, Multicall {
    /// What a member has of a day, in one word.
    struct Account {
        uint16 day;
        /// Place of its last sheet with a new order among all such sheets of the day, from 1.
        uint48 arrival;
        /// Wh bought and sold.
        uint64 traded;
        /// Units: positive pays.
        int128 payment;
    }

    struct DayPairs {
        uint16 day;
        /// Lines of all members in use.
        uint32 lines;
        /// Sheets with a new order so far.
        uint48 arrivals;
        /// One bit per slot.
        uint96 paired;
    }

    /// Both sides of a slot's book, as Meetings packs orders.
    struct Book {
        uint256[] bids;
        uint256 bidCount;
        uint256[] asks;
        uint256 askCount;
    }

    /// A slot of so many lines is paired in one transaction, whatever the orders are (tests/differential/test_random_pairs.py).
    uint256 public constant MAX_LINES = 300;

    mapping(uint256 ringPlace => DayPairs) private _dayPairs;
    mapping(uint256 key => Account) private _accounts;
    /// By member and strip: net energy in six signed lanes, beside the day.
    mapping(uint256 key => uint256) private _positions;
    /// Pairs of a slot that are booked, beside the day, of slots that took several transactions.
    mapping(uint256 key => uint256) private _booked;

    /// @inheritdoc IPairMarket
    function pair(uint32 day, uint16 slot, uint256 most) external {
        uint256 gate = gateClosesAt(day);
        if (block.timestamp < gate) revert GateNotClosed(day, gate, block.timestamp);
        if (slot >= PERIODS_PER_DAY) revert NoSuchSlot(slot, PERIODS_PER_DAY);
        if (most == 0) revert NoPairs();
        DayState storage state = _stateOf(day);
        DayPairs storage own = _pairsOf(day);
        if (own.paired & (1 << slot) != 0) revert AlreadyPaired(day, slot);
        Pair[] memory pairs = _meet(day, slot, _bookOf(day, slot, state, own.lines));
        uint256 key = Ring.dayKey(day, slot);
        uint256 first = Strips.dayOf(_booked[key]) == day ? _booked[key] & Strips.LANES_MASK : 0;
        bool isLast = pairs.length - first <= most;
        pairs = _part(pairs, first, isLast ? pairs.length : first + most);
        for (uint256 i = 0; i < pairs.length; ++i) {
            _bookPair(day, slot, pairs[i]);
        }
        if (isLast) own.paired |= uint96(1 << slot);
        else _booked[key] = Strips.withDay(first + pairs.length, day);
        emit Paired(day, slot, first, pairs, isLast);
    }

    /// @inheritdoc IMarket
    function book(uint256 day, uint32 firstId, uint256 count) external restricted returns (Positions memory p) {
        if (!isCleared(day)) revert NotPaired(day);
        p = PositionLists.empty(count);
        for (uint256 i = 0; i < count; ++i) {
            uint32 id = firstId + uint32(i);
            Sheet memory sheet = Sheets.unpack(_sheets[Ring.lineKey(id, day, 0)]);
            if (sheet.day != day) continue;
            if (sheet.locked > 0) {
                p.release[i] = sheet.locked;
                sheet.locked = 0;
                _sheets[Ring.lineKey(id, day, 0)] = Sheets.pack(sheet);
            }
            Account storage account = _accounts[Ring.memberKey(id, day)];
            if (account.traded == 0) continue;
            (p.payment[i], p.traded[i]) = (account.payment, account.traded);
            p.net[i] = new uint256[](STRIPS_PER_DAY);
            for (uint256 strip = 0; strip < STRIPS_PER_DAY; ++strip) {
                p.net[i][strip] = Strips.signedLanes(_positions[Ring.lineKey(id, day, strip)], day);
            }
        }
    }

    /// @inheritdoc IMarket
    function isCleared(uint256 day) public view returns (bool) {
        return pairedSlots(day) == (1 << PERIODS_PER_DAY) - 1;
    }

    /// @inheritdoc IPairMarket
    function pairedSlots(uint256 day) public view returns (uint256) {
        DayPairs storage own = _dayPairs[Ring.place(day)];
        return own.day == day ? own.paired : 0;
    }

    /// @return pairs of a slot in the order in which they meet.
    function _meet(uint256 day, uint256 slot, Book memory b) internal view virtual returns (Pair[] memory pairs);

    /// @return what orders of a slot are sorted by, the lowest first; counted from the first layer on.
    function _rankOf(uint256 day, uint32 id, uint256 layer, uint256 order) internal view virtual returns (uint256);

    /// @return place of the member's last sheet with a new order among all of the day.
    function _arrivalOf(uint256 day, uint32 id) internal view returns (uint256) {
        return _accounts[Ring.memberKey(id, day)].arrival;
    }

    /// @inheritdoc OrderTaking
    function _noteSheet(uint32 id, uint256 day, uint256 base, bool hasNew) internal override {
        if (base != 0) revert OwnOrdersOnly(id);
        if (!hasNew) return;
        Account storage account = _accountOf(id, day);
        account.arrival = ++_pairsOf(day).arrivals;
    }

    /// @inheritdoc OrderTaking
    function _markActive(uint32 id, uint256 day, uint256 base, uint256 from, uint256 to) internal override {
        super._markActive(id, day, base, from, to);
        DayPairs storage own = _pairsOf(day);
        uint256 lines = own.lines + to - from;
        if (lines > MAX_LINES) revert BookIsFull(day, MAX_LINES);
        own.lines = uint32(lines);
    }

    /// Books what a pair trades for both: what the buyer pays the seller receives.
    function _bookPair(uint256 day, uint256 slot, Pair memory p) private {
        unchecked {
            // Halfway between the limits; of an odd number of units half of one less, which the buyer gains.
            uint256 above = uint256(p.energy) * (uint256(p.bid) + p.ask) * UNITS_PER_TICK / 2;
            int256 amount = int256(above) + int256(uint256(p.energy)) * LOWEST_PRICE;
            _bookSide(day, slot, p.buyer, p.energy, amount, true);
            _bookSide(day, slot, p.seller, p.energy, -amount, false);
        }
    }

    function _bookSide(uint256 day, uint256 slot, uint32 id, uint256 energy, int256 amount, bool isBuyer) private {
        Account storage account = _accountOf(id, day);
        // A day's trades of a member are within its connection: far from these bounds.
        unchecked {
            account.traded += uint64(energy);
            account.payment += int128(amount);
        }
        uint256 key = Ring.lineKey(id, day, slot / Strips.LANES);
        uint256 net = Strips.signedLanes(_positions[key], day);
        _positions[key] = Strips.withDay(NetPositions.moved(net, slot % Strips.LANES, energy, isBuyer), day);
    }

    /// @return b the orders of a slot: layer by layer, in each of them by member.
    function _bookOf(uint256 day, uint256 slot, DayState storage state, uint256 lines)
        private
        view
        returns (Book memory b)
    {
        b = Book(new uint256[](lines), 0, new uint256[](lines), 0);
        (uint256 layers, uint256 groups) = (state.layers, Groups.numberOf(state.highestId) + 1);
        for (uint256 layer = 0; layer < layers; ++layer) {
            for (uint256 group = 0; group < groups; ++group) {
                _addGroup(day, slot, layer, group, b);
            }
        }
    }

    function _addGroup(uint256 day, uint256 slot, uint256 layer, uint256 group, Book memory b) private view {
        uint256 active = _activeIn(day, layer, group);
        uint256 id = group * Groups.SIZE;
        uint256 line = layer * STRIPS_PER_DAY + slot / Strips.LANES;
        for (; active != 0; active >>= 1) {
            if (active & 1 != 0) {
                uint256 word = _lines[Ring.lineKey(id, day, line)];
                uint256 order = Strips.dayOf(word) == day ? Strips.lane(word, slot % Strips.LANES) : 0;
                if (order != 0) {
                    uint256 packed = Meetings.packed(_rankOf(day, uint32(id), layer, order), id, order);
                    if (Orders.isAsk(order)) b.asks[b.askCount++] = packed;
                    else b.bids[b.bidCount++] = packed;
                }
            }
            ++id;
        }
    }

    /// @return part the pairs from `from` up to `to`.
    function _part(Pair[] memory pairs, uint256 from, uint256 to) private pure returns (Pair[] memory part) {
        part = new Pair[](to - from);
        for (uint256 i = 0; i < part.length; ++i) {
            part[i] = pairs[from + i];
        }
    }

    function _pairsOf(uint256 day) private returns (DayPairs storage own) {
        own = _dayPairs[Ring.place(day)];
        if (own.day != day) _dayPairs[Ring.place(day)] = DayPairs(uint16(day), 0, 0, 0);
    }

    function _accountOf(uint32 id, uint256 day) private returns (Account storage account) {
        account = _accounts[Ring.memberKey(id, day)];
        if (account.day != day) _accounts[Ring.memberKey(id, day)] = Account(uint16(day), 0, 0, 0);
    }
}
