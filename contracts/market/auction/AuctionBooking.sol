// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IAccounts} from "../../interfaces/IAccounts.sol";
import {ICallAuction} from "../../interfaces/ICallAuction.sol";
import {IMarket, Positions} from "../../interfaces/IMarket.sol";
import {IMarketRules} from "../../interfaces/IMarketRules.sol";
import {ISchedule} from "../../interfaces/ISchedule.sol";
import {ITraders} from "../../interfaces/ITraders.sol";
import {PositionLists} from "../../libraries/PositionLists.sol";
import {Quads} from "../../libraries/Quads.sol";
import {UniformPrice} from "../../libraries/UniformPrice.sol";
import {CalendarParameters} from "../../types/Calendar.sol";
import {Orders} from "../../types/Orders.sol";
import {Ring} from "../../types/Ring.sol";
import {Strips} from "../../types/Strips.sol";
import {AuctionState} from "./AuctionState.sol";
import {Sheet, Sheets} from "./Sheets.sol";

/// @title Booking of the call auction
/// @notice What every member trades, worked out from its orders and the outcomes when the day is settled.
/// @dev The auction deploys it and runs its code on its own storage (delegatecall): one contract has no room for all of it. By itself
/// it has no state, and nobody has a role in it.
contract AuctionBooking is AuctionState {
    /// What one member trades: energy of the strip at work on in six signed lanes; of the day Wh bought, Wh sold, and Wh
    /// bought less sold times ticks.
    struct Trades {
        uint256 net;
        uint256 bought;
        uint256 sold;
        int256 value;
    }

    /// Outcomes of the six periods of a strip, for what trades in full.
    struct StripOutcome {
        /// Flags of the periods with a price, and the prices in the place of limits.
        uint256 traded;
        uint256 limits;
        /// The prices in ticks as factors of Strips.dot.
        uint256 even;
        uint256 odd;
    }

    /// What a walk through the members needs: outcomes by strip and by slot, and by slot the marginal energy so far, Wh.
    struct Walk {
        StripOutcome[] strips;
        uint256[] outcomes;
        uint256[] marginal;
        uint256 commissionCap;
    }

    /// Above the number of the next member to be booked: none before it has a sheet, so the walk has nothing on record.
    uint256 private constant NOTHING_BOOKED = 1 << 31;
    /// Of what a member traded through its intermediary: money that secures the commission, above the energy.
    uint256 private constant SECURED_SHIFT = 64;

    constructor(
        address authority,
        CalendarParameters memory calendar_,
        ITraders registry,
        IMarketRules rules,
        IAccounts accounts,
        ISchedule schedule
    ) AuctionState(authority, calendar_, registry, rules, accounts, schedule) {}

    /// @notice As IMarket says.
    function book(uint256 day, uint32 firstId, uint256 count) external restricted returns (Positions memory p) {
        DayState storage state = _stateOf(day);
        if (!_isCleared(state)) revert ICallAuction.NotCleared(day);
        uint256 nextId = state.nextId;
        bool isFresh = firstId == 1 || nextId & NOTHING_BOOKED != 0;
        nextId &= ~NOTHING_BOOKED;
        if (firstId != 1 && firstId != nextId) revert IMarket.BookedOutOfOrder(firstId, uint32(nextId));
        state.nextId = firstId + uint32(count);
        if (!_hasSheets(day, firstId, count)) {
            // There are pools in which next to nobody orders.
            if (isFresh) state.nextId |= uint32(NOTHING_BOOKED);
            return p;
        }
        Walk memory walk = _loadWalk(day, isFresh);
        walk.commissionCap = state.commissionCap;
        p = PositionLists.empty(count);
        for (uint256 i = 0; i < count; ++i) {
            _bookMember(day, firstId + uint32(i), i, p, walk);
        }
        _storeMarginal(day, walk.marginal);
    }

    /// @notice As IBrokeredMarket says.
    function takeCommissions(uint256 day, uint32[] calldata ids)
        external
        restricted
        returns (uint256[] memory energies, uint256[] memory secured)
    {
        energies = new uint256[](ids.length);
        secured = new uint256[](ids.length);
        for (uint256 i = 0; i < ids.length; ++i) {
            uint256 key = Ring.lineKey(ids[i], day, 0);
            uint256 word = _brokered[key];
            if (Strips.dayOf(word) != day) continue;
            energies[i] = uint64(word);
            secured[i] = uint80(word >> SECURED_SHIFT);
            if (secured[i] > 0) _brokered[key] = Strips.withDay(energies[i], day);
        }
    }

    /// @return whether any of these members, or an intermediary for it, has sent a sheet for the day.
    function _hasSheets(uint256 day, uint32 firstId, uint256 count) private view returns (bool) {
        for (uint256 i = 0; i < count; ++i) {
            if (Strips.dayOf(_sheets[Ring.lineKey(firstId + i, day, 0)]) == day) return true;
        }
        return false;
    }

    /// Books the member's own orders, then those of its intermediary, and keeps what the latter trade.
    function _bookMember(uint256 day, uint32 id, uint256 i, Positions memory p, Walk memory walk) private {
        uint256 first = Ring.lineKey(id, day, 0);
        _bookPart(day, first, i, p, walk);
        // The word of the member's own orders knows of its intermediary's.
        if (Sheets.brokeredOn(_sheets[first], day) == 0) return;
        uint256 own = p.traded[i];
        _bookPart(day, Ring.lineKey(id, day, Orders.BROKERED_LAYER * STRIPS_PER_DAY), i, p, walk);
        if (p.traded[i] > own) _secureCommission(day, id, p.traded[i] - own, i, p, walk);
    }

    /// Keeps locked what the commission on a member's brokered energy may be, the first time that the day is booked. What
    /// nobody collected of the day that had this place before is released.
    function _secureCommission(uint256 day, uint32 id, uint256 energy, uint256 i, Positions memory p, Walk memory walk)
        private
    {
        uint256 key = Ring.lineKey(id, day, 0);
        uint256 word = _brokered[key];
        if (Strips.dayOf(word) == day) return;
        // Brokered orders have locked the highest commission besides all else: no more is kept than was released.
        uint256 secured = energy * walk.commissionCap;
        uint256 old = uint80(word >> SECURED_SHIFT);
        // What a void day holds is the council's to release.
        if (old > 0 && SCHEDULE.isVoid(IMarket(address(this)), Strips.dayOf(word))) old = 0;
        p.release[i] = p.release[i] + old - secured;
        _brokered[key] = Strips.withDay((secured << SECURED_SHIFT) | energy, day);
    }

    /// @param first key of the first line of the part of the book whose orders are booked: own or brokered.
    function _bookPart(uint256 day, uint256 first, uint256 i, Positions memory p, Walk memory walk) private {
        Sheet memory sheet = Sheets.unpack(_sheets[first]);
        if (sheet.day != day) return;
        if (sheet.locked > 0) {
            p.release[i] += sheet.locked;
            sheet.locked = 0;
            _sheets[first] = Sheets.pack(sheet);
        }
        if (p.net[i].length == 0) p.net[i] = new uint256[](STRIPS_PER_DAY);
        Trades memory trades = Trades(0, 0, 0, 0);
        _bookLines(day, first, first + sheet.layers * STRIPS_PER_DAY, p.net[i], trades, walk);
        // Twice 255 layers of orders of 27 bits stay within a signed lane.
        unchecked {
            int256 bought = int256(trades.bought) - int256(trades.sold);
            p.payment[i] += trades.value * int256(UNITS_PER_TICK) + bought * LOWEST_PRICE;
            p.traded[i] += trades.bought + trades.sold;
        }
    }

    /// Adds what the orders in the lines from the key `first` up to `end` trade to `net`, strip by strip, and to `trades`.
    function _bookLines(
        uint256 day,
        uint256 first,
        uint256 end,
        uint256[] memory net,
        Trades memory trades,
        Walk memory walk
    ) private view {
        unchecked {
            for (uint256 strip = 0; strip < net.length; ++strip) {
                trades.net = net[strip] == 0 ? Strips.ZERO_LANES : net[strip];
                for (uint256 key = first + strip; key < end; key += net.length) {
                    uint256 word = _lines[key];
                    if (Strips.dayOf(word) == day) _bookWord(word, strip, trades, walk);
                }
                net[strip] = trades.net;
            }
        }
    }

    /// Adds what the six orders of a word trade.
    function _bookWord(uint256 word, uint256 strip, Trades memory trades, Walk memory walk) private pure {
        StripOutcome memory o = walk.strips[strip];
        (uint256 above, uint256 at, uint256 below) = Orders.compare(word, o.limits);
        uint256 asks = Orders.energies(word, below & word & o.traded);
        uint256 bids = Orders.energies(word, above & ~word & o.traded);
        at &= o.traded;
        if (at != 0) {
            uint256 atPrice = _fillsAtPrice(word, at, strip * Strips.LANES, walk);
            asks |= Orders.energies(atPrice, word);
            bids |= Orders.energies(atPrice, ~word);
        }
        // Lanes that are net sold borrow from the next until the bias is added.
        unchecked {
            trades.net += bids - asks;
            if (bids != 0) {
                trades.bought += Strips.sum(bids);
                trades.value += int256(Strips.dot(bids, o.even, o.odd));
            }
            if (asks != 0) {
                trades.sold += Strips.sum(asks);
                trades.value -= int256(Strips.dot(asks, o.even, o.odd));
            }
        }
    }

    /// @return energies what the flagged orders of a word trade at their limit, in their lanes.
    function _fillsAtPrice(uint256 word, uint256 flags, uint256 slot, Walk memory walk)
        private
        pure
        returns (uint256 energies)
    {
        unchecked {
            flags >>= Strips.LANE_BITS - 1;
            for (uint256 shift = 0; flags != 0; shift += Strips.LANE_BITS) {
                if (flags & 1 != 0) {
                    uint256 order = (word >> shift) & Strips.LANE_MASK;
                    energies |= _fillAtPrice(order, walk.outcomes[slot], walk.marginal, slot) << shift;
                }
                flags >>= Strips.LANE_BITS;
                ++slot;
            }
        }
    }

    function _fillAtPrice(uint256 order, uint256 outcome, uint256[] memory walked, uint256 slot)
        private
        pure
        returns (uint256)
    {
        uint256 energy = Orders.energy(order);
        if (!UniformPrice.isRationed(outcome, Orders.isAsk(order))) return energy;
        uint256 before = walked[slot];
        walked[slot] = before + energy;
        return UniformPrice.fillDown(outcome, before, energy);
    }

    function _loadWalk(uint256 day, bool isFresh) private view returns (Walk memory walk) {
        walk.outcomes = _loadOutcomes(day);
        walk.strips = new StripOutcome[](STRIPS_PER_DAY);
        for (uint256 strip = 0; strip < walk.strips.length; ++strip) {
            uint256 prices = 0;
            uint256 traded = 0;
            for (uint256 k = 0; k < Strips.LANES; ++k) {
                uint256 outcome = walk.outcomes[strip * Strips.LANES + k];
                if (outcome == 0) continue;
                prices |= UniformPrice.priceOf(outcome) << (k * Strips.LANE_BITS);
                traded |= Strips.FLAG << (k * Strips.LANE_BITS);
            }
            (uint256 even, uint256 odd) = Strips.factors(prices);
            walk.strips[strip] = StripOutcome(traded, prices << Orders.TICK_SHIFT, even, odd);
        }
        walk.marginal = new uint256[](PERIODS_PER_DAY);
        if (isFresh) return walk;
        for (uint256 slot = 0; slot < walk.marginal.length; ++slot) {
            walk.marginal[slot] = Quads.at(_marginal[Ring.dayKey(day, slot / 4)], slot % 4);
        }
    }

    function _storeMarginal(uint256 day, uint256[] memory marginal) private {
        uint256 word = 0;
        for (uint256 slot = marginal.length; slot > 0;) {
            word = Quads.push(word, marginal[--slot]);
            if (slot % 4 != 0) continue;
            _marginal[Ring.dayKey(day, slot / 4)] = word;
            word = 0;
        }
    }
}
