// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Pair} from "../interfaces/IPairMarket.sol";
import {Orders} from "../types/Orders.sol";

/// @title Meetings
/// @notice How the orders of a period meet two by two (rule 15): from the best on, or by lot. Whoever meets trades what is left of the
/// smaller order if the bid is not below the ask. Orders are words: energy in bits 26..0 and limit in 38..27, as Orders.sol has them,
/// the member's number in 71..40, and above it what orders are sorted by.
/// @dev Arrays are counted by what is given beside them: they have room for more.
library Meetings {
    /// Both sides of a slot in random matching.
    struct Sides {
        uint256[] short;
        uint256 shortCount;
        uint256[] long;
        uint256 longCount;
        bool isBids;
    }

    uint256 private constant ID_SHIFT = 40;
    uint256 private constant RANK_SHIFT = 72;

    /// @param rank lower ones come first.
    /// @param order as Orders.sol has it.
    function packed(uint256 rank, uint256 id, uint256 order) internal pure returns (uint256) {
        return (rank << RANK_SHIFT) | (id << ID_SHIFT) | (order & ~(uint256(1) << Orders.SIDE_SHIFT));
    }

    /// @notice The heads of both sides meet as long as they trade, the lowest ranks first.
    function fromTheBest(uint256[] memory bids, uint256 bidCount, uint256[] memory asks, uint256 askCount)
        internal
        pure
        returns (Pair[] memory pairs)
    {
        _order(bids, bidCount);
        _order(asks, askCount);
        unchecked {
            pairs = new Pair[](bidCount + askCount);
            uint256 n = 0;
            while (bidCount > 0 && askCount > 0) {
                if (!_meet(bids, 0, asks, 0, pairs, n)) break;
                ++n;
                if (Orders.energy(bids[0]) == 0) _drop(bids, bidCount--);
                if (Orders.energy(asks[0]) == 0) _drop(asks, askCount--);
            }
            _cut(pairs, n);
        }
    }

    /// @notice Both sides are shuffled. In round r bid i meets ask i + r, counted around the longer side: every pair meets once.
    function byLot(uint256[] memory bids, uint256 bidCount, uint256[] memory asks, uint256 askCount, bytes32 seed)
        internal
        pure
        returns (Pair[] memory pairs)
    {
        _shuffle(bids, bidCount, keccak256(abi.encode(seed, false)));
        _shuffle(asks, askCount, keccak256(abi.encode(seed, true)));
        pairs = new Pair[](bidCount + askCount);
        uint256 n = bidCount <= askCount
            ? _rounds(Sides(bids, bidCount, asks, askCount, true), pairs)
            : _rounds(Sides(asks, askCount, bids, bidCount, false), pairs);
        _cut(pairs, n);
    }

    /// @return n pairs that trade in all rounds.
    function _rounds(Sides memory s, Pair[] memory pairs) private pure returns (uint256 n) {
        uint256[] memory open = _hopeful(s);
        unchecked {
            for (uint256 r = 0; r < s.longCount && open.length > 0; ++r) {
                uint256 k = 0;
                while (true) {
                    uint256 other;
                    (k, other) = _next(s, open, k, r);
                    if (k == open.length) break;
                    uint256 own = open[k];
                    if (s.isBids) _meet(s.short, own, s.long, other, pairs, n++);
                    else _meet(s.long, other, s.short, own, pairs, n++);
                    if (Orders.energy(s.short[own]) == 0) _remove(open, k);
                    else ++k;
                }
            }
        }
    }

    /// The hot loop of all meetings, of which few trade.
    /// @param k place in `open` to begin at.
    /// @param r round.
    /// @return the first place from there on whose order trades with the one it meets; their number if there is none, and
    /// @return other the place of the order that it meets, on the longer side.
    function _next(Sides memory s, uint256[] memory open, uint256 k, uint256 r)
        private
        pure
        returns (uint256, uint256 other)
    {
        (uint256[] memory short, uint256[] memory long, uint256 around) = (s.short, s.long, s.longCount);
        uint256 shift = s.isBids ? r : around - r;
        uint256 ticks = Orders.TICK_MASK << Orders.TICK_SHIFT;
        // With its limits turned around an ask is compared as a bid is.
        uint256 turned = s.isBids ? 0 : ticks;
        uint256 energies = Orders.ENERGY_MASK;
        // Places are within both sides: so much is known of them that nothing is looked up twice.
        assembly ("memory-safe") {
            let count := mload(open)
            for {} lt(k, count) { k := add(k, 1) } {
                let own := mload(add(add(open, 32), shl(5, k)))
                other := add(own, shift)
                if iszero(lt(other, around)) { other := sub(other, around) }
                let two := mload(add(add(long, 32), shl(5, other)))
                if and(two, energies) {
                    let one := and(xor(mload(add(add(short, 32), shl(5, own))), turned), ticks)
                    if iszero(lt(one, and(xor(two, turned), ticks))) { break }
                }
            }
        }
        return (k, other);
    }

    /// Takes a place out of a list, and keeps the order of the others.
    function _remove(uint256[] memory list, uint256 k) private pure {
        unchecked {
            uint256 last = list.length - 1;
            for (; k < last; ++k) {
                list[k] = list[k + 1];
            }
            assembly ("memory-safe") {
                mstore(list, last)
            }
        }
    }

    /// @return whether a bid and an ask trade; then the pair is written down and what it trades taken off both.
    function _meet(
        uint256[] memory bids,
        uint256 bid,
        uint256[] memory asks,
        uint256 ask,
        Pair[] memory pairs,
        uint256 n
    ) private pure returns (bool) {
        (uint256 b, uint256 a) = (bids[bid], asks[ask]);
        (uint256 energy, uint256 offered) = (Orders.energy(b), Orders.energy(a));
        if (offered < energy) energy = offered;
        if (energy == 0 || Orders.tick(b) < Orders.tick(a)) return false;
        unchecked {
            bids[bid] = b - energy;
            asks[ask] = a - energy;
        }
        pairs[n] = Pair({
            buyer: uint32(b >> ID_SHIFT),
            seller: uint32(a >> ID_SHIFT),
            energy: uint32(energy),
            bid: uint16(Orders.tick(b)),
            ask: uint16(Orders.tick(a))
        });
        return true;
    }

    /// @return open places of those of the shorter side that could trade with the best of the other, in their order.
    function _hopeful(Sides memory s) private pure returns (uint256[] memory open) {
        unchecked {
            uint256 best = s.isBids ? type(uint256).max : 0;
            for (uint256 i = 0; i < s.longCount; ++i) {
                uint256 tick = Orders.tick(s.long[i]);
                if (s.isBids ? tick < best : tick > best) best = tick;
            }
            open = new uint256[](s.shortCount);
            uint256 n = 0;
            for (uint256 i = 0; i < s.shortCount; ++i) {
                uint256 tick = Orders.tick(s.short[i]);
                if (s.isBids ? tick >= best : tick <= best) open[n++] = i;
            }
            assembly ("memory-safe") {
                mstore(open, n)
            }
        }
    }

    /// Fisher-Yates: every order of the list is as likely, but for less than one in 2^240.
    function _shuffle(uint256[] memory list, uint256 count, bytes32 seed) private pure {
        unchecked {
            for (uint256 i = count; i > 1; --i) {
                uint256 j = uint256(keccak256(abi.encode(seed, i))) % i;
                (list[i - 1], list[j]) = (list[j], list[i - 1]);
            }
        }
    }

    /// Makes a heap of a list: its lowest word comes first, and none is above those at twice its place, plus one and two.
    function _order(uint256[] memory list, uint256 count) private pure {
        unchecked {
            for (uint256 i = count / 2; i > 0; --i) {
                _sink(list, count, i - 1);
            }
        }
    }

    /// Takes the first one out of a heap.
    function _drop(uint256[] memory heap, uint256 count) private pure {
        unchecked {
            heap[0] = heap[count - 1];
            _sink(heap, count - 1, 0);
        }
    }

    function _sink(uint256[] memory heap, uint256 count, uint256 i) private pure {
        unchecked {
            uint256 word = heap[i];
            for (uint256 next = 2 * i + 1; next < count; next = 2 * i + 1) {
                if (next + 1 < count && heap[next + 1] < heap[next]) ++next;
                if (word <= heap[next]) break;
                heap[i] = heap[next];
                i = next;
            }
            if (count > 0) heap[i] = word;
        }
    }

    function _cut(Pair[] memory pairs, uint256 n) private pure {
        assembly ("memory-safe") {
            mstore(pairs, n)
        }
    }
}
