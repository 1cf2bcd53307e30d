// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ICallAuction} from "../../interfaces/ICallAuction.sol";
import {Groups} from "../../libraries/Groups.sol";
import {Quads} from "../../libraries/Quads.sol";
import {UniformPrice} from "../../libraries/UniformPrice.sol";
import {Orders} from "../../types/Orders.sol";
import {Ring} from "../../types/Ring.sol";
import {Strips} from "../../types/Strips.sol";
import {MAX_TICK} from "../../types/Units.sol";
import {AuctionState} from "./AuctionState.sol";

/// @title Clearing of the call auction
/// @notice Verifies the price of every period against the book (rule 5).
abstract contract Clearing is ICallAuction, AuctionState {
    uint256 private constant TICK_BITS = 16;

    /// UniformPrice.Sums of six periods, a lane each; the tick in the place of limits.
    struct Totals {
        uint256 bidsAbove;
        uint256 bidsAt;
        uint256 asksBelow;
        uint256 asksAt;
        uint256 nextTicks;
    }

    /// @inheritdoc ICallAuction
    function clear(uint32 day, uint8 strip, uint16[6] calldata pivots, uint256 maxGroups) external {
        uint256 gate = gateClosesAt(day);
        if (block.timestamp < gate) revert GateNotClosed(day, gate, block.timestamp);
        if (strip >= STRIPS_PER_DAY) revert NoSuchStrip(strip, STRIPS_PER_DAY);
        if (maxGroups == 0) revert NothingToDo();
        DayState storage state = _stateOf(day);
        if (state.cleared & (1 << strip) != 0) revert AlreadyCleared(day, strip);

        // Attempts with other pivots do not get in each other's way; anyone may carry on a right one.
        bytes32 attempt = keccak256(abi.encode(day, strip, pivots));
        // Memory begins as zeros, which is what a sum begins with.
        // slither-disable-next-line uninitialized-local
        UniformPrice.Sums[6] memory sums;
        (uint256 layer, uint256 group) = _resume(attempt, sums);
        bool isResumed = layer != 0 || group != 0;
        uint256 own = state.layers;
        uint256 layers = own + state.brokeredLayers;
        uint256 groups = Groups.numberOf(state.highestId) + 1;
        uint256 limits = _toLimits(pivots, strip);
        for (uint256 n = 0; group < groups && n < maxGroups; ++n) {
            uint256 next = _layerAt(layer, own);
            uint256 active = _activeIn(day, next, group);
            if (active != 0) {
                _addGroup(day, next * STRIPS_PER_DAY + strip, active, group, limits, sums);
                ++layer;
            } else {
                // Whoever has a layer has all before it: the group has none of the others either.
                layer = layer < own ? own : layers;
            }
            if (layer == layers) (group, layer) = (group + 1, 0);
        }
        if (group < groups) {
            _suspend(attempt, sums, layer, group);
            emit ClearingProgress(day, strip, group, layer);
            return;
        }
        if (isResumed) delete _progress[attempt];
        for (uint256 k = 0; k < Strips.LANES; ++k) {
            _conclude(day, strip * Strips.LANES + k, pivots[k], sums[k]);
        }
        state.cleared |= uint16(1 << strip);
    }

    /// @return limits the pivots in the place of limits, a lane each.
    function _toLimits(uint16[6] calldata pivots, uint256 strip) private pure returns (uint256 limits) {
        for (uint256 k = 0; k < Strips.LANES; ++k) {
            if (pivots[k] > MAX_TICK) revert WrongPivot(strip * Strips.LANES + k, pivots[k]);
            limits |= uint256(pivots[k]) << (k * Strips.LANE_BITS + Orders.TICK_SHIFT);
        }
    }

    /// Adds a line of all members of a group to the sums: the hot loop of the market, six orders at once.
    function _addGroup(
        uint256 day,
        uint256 line,
        uint256 active,
        uint256 group,
        uint256 limits,
        UniformPrice.Sums[6] memory sums
    ) private view {
        Totals memory t = Totals(0, 0, 0, 0, Orders.TICKS);
        // An energy has 27 bits, a group 240 members: no lane overflows.
        unchecked {
            for (uint256 key = Ring.lineKey(group * Groups.SIZE, day, line); active != 0; key += Ring.NEXT_MEMBER) {
                if (active & 1 != 0) {
                    uint256 word = _lines[key];
                    if (Strips.dayOf(word) == day) _addWord(word, limits, t);
                }
                active >>= 1;
            }
            for (uint256 k = 0; k < Strips.LANES; ++k) {
                UniformPrice.Sums memory s = sums[k];
                s.bidsAbove += Strips.lane(t.bidsAbove, k);
                s.bidsAt += Strips.lane(t.bidsAt, k);
                s.asksBelow += Strips.lane(t.asksBelow, k);
                s.asksAt += Strips.lane(t.asksAt, k);
                uint256 nextTick = Orders.tick(Strips.lane(t.nextTicks, k));
                if (nextTick < s.nextTick) s.nextTick = nextTick;
            }
        }
    }

    function _addWord(uint256 word, uint256 limits, Totals memory t) private pure {
        (uint256 above, uint256 at, uint256 below) = Orders.compare(word, limits);
        unchecked {
            t.bidsAbove += Orders.energies(word, above & ~word);
            t.bidsAt += Orders.energies(word, at & ~word);
            t.asksBelow += Orders.energies(word, below & word);
            t.asksAt += Orders.energies(word, at & word);
        }
        uint256 isLower = above & Strips.minus(t.nextTicks, word & Orders.TICKS);
        uint256 replaced = Strips.spread(isLower, Orders.TICK_MASK << Orders.TICK_SHIFT);
        t.nextTicks = (t.nextTicks & ~replaced) | (word & replaced);
    }

    function _conclude(uint32 day, uint256 slot, uint256 pivot, UniformPrice.Sums memory sums) private {
        if (!UniformPrice.isPivot(pivot, sums)) revert WrongPivot(slot, pivot);
        UniformPrice.Outcome memory o = UniformPrice.outcome(pivot, sums);
        _outcomes[Ring.dayKey(day, slot)] = UniformPrice.pack(o);
        emit Cleared(day, uint16(slot), o.price, o.volume, o.rationed, o.share, o.marginal);
    }

    function _resume(bytes32 attempt, UniformPrice.Sums[6] memory sums)
        private
        view
        returns (uint256 layer, uint256 group)
    {
        Progress storage progress = _progress[attempt];
        (layer, group) = (progress.layer, progress.group);
        bool isFresh = layer == 0 && group == 0;
        for (uint256 k = 0; k < Strips.LANES; ++k) {
            UniformPrice.Sums memory s = sums[k];
            s.nextTick = MAX_TICK;
            if (isFresh) continue;
            uint256 word = progress.sums[k];
            (s.bidsAbove, s.bidsAt) = (Quads.at(word, 0), Quads.at(word, 1));
            (s.asksBelow, s.asksAt) = (Quads.at(word, 2), Quads.at(word, 3));
            s.nextTick = uint16(progress.nextTicks >> (TICK_BITS * k));
        }
    }

    function _suspend(bytes32 attempt, UniformPrice.Sums[6] memory sums, uint256 layer, uint256 group) private {
        Progress storage progress = _progress[attempt];
        uint256 nextTicks = 0;
        for (uint256 k = 0; k < Strips.LANES; ++k) {
            UniformPrice.Sums memory s = sums[k];
            progress.sums[k] = Quads.pack(s.bidsAbove, s.bidsAt, s.asksBelow, s.asksAt);
            nextTicks |= s.nextTick << (TICK_BITS * k);
        }
        progress.nextTicks = uint96(nextTicks);
        progress.layer = uint32(layer);
        progress.group = uint32(group);
    }
}
