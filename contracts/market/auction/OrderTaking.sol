// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IAccounts} from "../../interfaces/IAccounts.sol";
import {IGridLimits} from "../../interfaces/IGridLimits.sol";
import {IOrderSheets, OrderSheet, SignedSheet} from "../../interfaces/IOrderSheets.sol";
import {Groups} from "../../libraries/Groups.sol";
import {Orders} from "../../types/Orders.sol";
import {Ring} from "../../types/Ring.sol";
import {SigningDomain} from "../../types/SigningDomain.sol";
import {Strips} from "../../types/Strips.sol";
import {MAX_TICK, Money} from "../../types/Units.sol";
import {AuctionState} from "./AuctionState.sol";
import {Sheet, Sheets} from "./Sheets.sol";

/// @title Orders of the call auction
/// @notice Order sheets come in: who may send them, whether they are valid, what they lock (rule 5).
abstract contract OrderTaking is IOrderSheets, AuctionState, SigningDomain {
    bytes32 private constant SHEET_TYPEHASH =
        keccak256("OrderSheet(address participant,uint32 day,uint16 firstLine,uint40 sequence,bytes32[] lines)");

    /// What a member has ordered in the six periods of a strip, by lane: energies of its bids and asks, Wh; the highest limit of
    /// the bids and the lowest of the asks, in the place of limits.
    struct Standing {
        uint256 bids;
        uint256 asks;
        uint256 highestBids;
        uint256 lowestAsks;
    }

    /// What an order must pay or post at most, units/Wh.
    struct Terms {
        /// First line of the part of the book it stands in.
        uint256 base;
        /// Of a buyer, besides its limit counted from the lowest price: may be below zero, modulo 2^256.
        uint256 extra;
        /// Counted from the lowest price.
        uint256 ceiling;
        /// The highest that an intermediary may ask for; 0 for the member's own orders.
        uint256 commission;
        uint256 minEnergy;
        uint256 importCapacity;
        uint256 exportCapacity;
        /// The least and the most energy of an order in all six lanes.
        uint256 least;
        uint256 mostBought;
        uint256 mostSold;
        /// The limit from which on a bid costs collateral, and the one at which an ask costs none any more, in the place of limits
        /// of all six lanes.
        uint256 paidLimits;
        uint256 freeLimits;
        /// The highest limit of an order, likewise.
        uint256 highestLimits;
    }

    IGridLimits private immutable LIMITS;

    constructor(IGridLimits limits) {
        LIMITS = limits;
    }

    /// @inheritdoc IOrderSheets
    function submit(SignedSheet[] calldata sheets) external {
        for (uint256 i = 0; i < sheets.length; ++i) {
            try this.enter(sheets[i]) {}
            catch (bytes memory reason) {
                // Every refusal names its reason; none is left only when the gas ran out.
                if (reason.length == 0) revert BatchOutOfGas(i);
                // A pause is no reason that stays: the batch is brought again, and no sheet is on record as rejected for it.
                if (bytes4(reason) == IAccounts.MarketIsPaused.selector) {
                    revert IAccounts.MarketIsPaused(address(this));
                }
                OrderSheet calldata s = sheets[i].sheet;
                emit SheetRejected(s.participant, s.day, s.sequence, reason);
            }
        }
    }

    /// @inheritdoc IOrderSheets
    function enter(SignedSheet calldata signed) external {
        OrderSheet calldata s = signed.sheet;
        (address participant, uint32 day, uint16 firstLine, uint40 sequence) =
            (s.participant, s.day, s.firstLine, s.sequence);
        bytes32[] calldata lines = s.lines;
        bytes32 hash = keccak256(
            abi.encode(SHEET_TYPEHASH, participant, day, firstLine, sequence, keccak256(abi.encodePacked(lines)))
        );
        // First of all: a rejection for any other reason then proves who signed.
        address signer = ECDSA.recover(_hashTypedDataV4(hash), signed.r, signed.vs);
        if (_baseOf(firstLine) == 0 && signer != participant) revert NotSignedByParticipant(participant, signer);
        _takeSheet(participant, signer, day, firstLine, sequence, lines);
    }

    /// @inheritdoc IOrderSheets
    function enterOwn(uint32 day, uint16 firstLine, uint40 sequence, bytes32[] calldata lines) external {
        _takeSheet(msg.sender, msg.sender, day, firstLine, sequence, lines);
    }

    /// @inheritdoc IOrderSheets
    function linesOf(uint256 day, uint32 firstId, uint256 count) external view returns (uint256[][] memory lines) {
        lines = new uint256[][](count);
        for (uint256 i = 0; i < count; ++i) {
            (uint256 own, uint256 layers) = _layersInUse(firstId + uint32(i), day);
            // At most twice 255 layers.
            unchecked {
                uint256[] memory words = new uint256[](layers * STRIPS_PER_DAY);
                uint256 key = Ring.lineKey(firstId + i, day, 0);
                own *= STRIPS_PER_DAY;
                for (uint256 n = 0; n < words.length; ++n) {
                    // Brokered lines follow the members' own ones without a gap.
                    if (n == own) key += Orders.BROKERED_LAYER * STRIPS_PER_DAY - own;
                    uint256 word = _lines[key + n];
                    if (Strips.dayOf(word) == day) words[n] = word;
                }
                lines[i] = words;
            }
        }
    }

    /// @inheritdoc IOrderSheets
    function sheetOf(uint32 id, uint256 day) external view returns (uint256, uint256, uint256) {
        return _readSheet(id, day, 0);
    }

    /// Takes the sheet of whoever is known to have sent it.
    // The schedule only takes a note: it calls nobody.
    // slither-disable-next-line reentrancy-no-eth
    function _takeSheet(
        address participant,
        address signer,
        uint32 day,
        uint256 firstLine,
        uint256 sequence,
        bytes32[] calldata lines
    ) private {
        uint256 base = _baseOf(firstLine);
        (uint32 id, uint256 importCapacity, uint256 exportCapacity) = _traderOf(participant, signer, base, day);
        Sheet memory sheet = _sheetOf(id, day, base);
        Sheet memory own = base == 0 ? sheet : _sheetOf(id, day, 0);
        // In a pool a client orders in the same layers as its intermediary: each hand counts its own sheets.
        _takeSequence(id, sequence, signer == participant ? own : sheet);
        uint256 layers = _layersOf(base, firstLine, lines.length, Sheets.maxLayers(sheet.terms));
        Terms memory terms = _termsOf(sheet, base, importCapacity, exportCapacity);

        (uint256 added, uint256 removed, bool hasNew) = _writeLines(id, day, firstLine, lines, terms);
        if (layers < sheet.layers) layers = sheet.layers;
        uint256 others = base == 0 ? own.brokered : own.layers;
        if (layers + others > 1) _requireSound(id, day, firstLine, lines.length, layers, others, terms);
        bool isNew = layers > sheet.layers;
        if (isNew) {
            _markActive(id, day, base, sheet.layers, layers);
            sheet.layers = layers;
        }
        if (base != 0 && (isNew || signer == participant)) {
            own.brokered = layers;
            _sheets[Ring.lineKey(id, day, 0)] = Sheets.pack(own);
        }
        // Some 62 bits at most.
        unchecked {
            sheet.locked = sheet.locked + added - removed;
        }
        _sheets[Ring.lineKey(id, day, base)] = Sheets.pack(sheet);
        // Whoever only cancels is within what it was.
        if (hasNew && Sheets.isLimited(sheet.terms)) {
            LIMITS.requireWithin(id, day, base != 0, importCapacity, exportCapacity);
        }
        emit SheetAccepted(id, day, uint40(sequence), uint16(firstLine), lines);
        _noteSheet(id, day, base, hasNew);
        _secure(id, added, removed, hasNew);
    }

    /// What a market keeps of a sheet that it takes, besides its orders.
    function _noteSheet(uint32 id, uint256 day, uint256 base, bool hasNew) internal virtual {}

    function _termsOf(Sheet memory sheet, uint256 base, uint256 importCapacity, uint256 exportCapacity)
        private
        view
        returns (Terms memory)
    {
        uint256 ceiling = _aboveLowest(int256(Sheets.ceiling(sheet.terms)));
        int256 extra = int256(Sheets.extra(sheet.terms)) + LOWEST_PRICE;
        uint256 minEnergy = Sheets.minEnergy(sheet.terms);
        uint256 highestTick = base == 0 ? MAX_TICK : _days[Ring.place(sheet.day)].highestTick;
        return Terms({
            base: base,
            extra: uint256(extra),
            ceiling: ceiling,
            commission: Sheets.commission(sheet.terms),
            minEnergy: minEnergy,
            importCapacity: importCapacity,
            exportCapacity: exportCapacity,
            least: Strips.inAllLanes(minEnergy),
            mostBought: Strips.inAllLanes(Orders.mostWithin(importCapacity)),
            mostSold: Strips.inAllLanes(Orders.mostWithin(exportCapacity)),
            paidLimits: Strips.inAllLanes(extra < 0 ? _limitUp(uint256(-extra)) : 0),
            freeLimits: Strips.inAllLanes(_limitUp(ceiling)),
            highestLimits: Strips.inAllLanes(highestTick << Orders.TICK_SHIFT)
        });
    }

    function _takeSequence(uint32 id, uint256 sequence, Sheet memory last) private pure {
        if (sequence <= last.sequence) revert StaleSheet(id, sequence, last.sequence);
        last.sequence = sequence;
    }

    /// @return the first line of the part of the book that a sheet is for: 0 for the member's own layers, else that of the brokered
    /// ones. No sheet reaches from one part into the other.
    function _baseOf(uint256 firstLine) private view returns (uint256) {
        uint256 brokered = Orders.BROKERED_LAYER * STRIPS_PER_DAY;
        return firstLine < brokered ? 0 : brokered;
    }

    /// @return id and capacities (Wh per period) of whoever may send the sheet, for the part of its connection that it is for.
    function _traderOf(address participant, address signer, uint256 base, uint256 day)
        private
        view
        returns (uint32 id, uint256 importCapacity, uint256 exportCapacity)
    {
        if (base != 0) {
            // Whether the signer may sign for the member belongs to the signature.
            (id, importCapacity, exportCapacity) = REGISTRY.client(participant, signer, day);
            _requireOpen(day);
        } else {
            _requireOpen(day);
            (id, importCapacity, exportCapacity) = REGISTRY.requireTrader(participant, day);
        }
    }

    /// A new order, even one that locks nothing more, has to come from somebody without arrears and not during a pause;
    /// cancelling need not.
    function _secure(uint32 id, uint256 added, uint256 removed, bool hasNew) private {
        // A day's collateral of one member has 62 bits.
        unchecked {
            if (hasNew) return ACCOUNTS.lockCollateral(id, int128(int256(added - removed)));
            ACCOUNTS.releaseCollateral(id, Money.wrap(uint128(removed)));
        }
    }

    function _requireOpen(uint256 day) private view {
        uint256 start = startOf(day);
        unchecked {
            if (block.timestamp + OPEN_LEAD < start) revert NotOpenYet(day, start - OPEN_LEAD, block.timestamp);
            if (block.timestamp + GATE_LEAD >= start) revert GateClosed(day, start - GATE_LEAD, block.timestamp);
        }
    }

    /// @return orders per period that the sheet reaches up to.
    function _layersOf(uint256 base, uint256 firstLine, uint256 lines, uint256 maxLayers)
        private
        view
        returns (uint256)
    {
        if (lines == 0) revert EmptySheet();
        unchecked {
            uint256 last = firstLine + lines - 1;
            uint256 end = base + maxLayers * STRIPS_PER_DAY;
            if (last >= end) revert LineOutOfRange(last, end);
            return (last - base) / STRIPS_PER_DAY + 1;
        }
    }

    /// @return added collateral of the orders that the lines add, money units.
    /// @return removed that of the orders that they remove.
    /// @return hasNew whether they add any.
    function _writeLines(uint32 id, uint256 day, uint256 firstLine, bytes32[] calldata lines, Terms memory terms)
        private
        returns (uint256 added, uint256 removed, bool hasNew)
    {
        uint256 first = Ring.lineKey(id, day, firstLine);
        // At most 255 layers of six orders a strip: neither their keys nor their collateral overflow.
        unchecked {
            for (uint256 i = 0; i < lines.length; ++i) {
                uint256 word = uint256(lines[i]);
                if (Strips.dayOf(word) != day) revert WrongDay(firstLine + i, Strips.dayOf(word), day);
                _requireValid(id, firstLine + i, word, terms);
                uint256 replaced = _lines[first + i];
                _lines[first + i] = word;
                uint256 incoming = word & Strips.LANES_MASK;
                if (Strips.dayOf(replaced) == day) {
                    // Orders that stay as they were are neither removed nor added.
                    uint256 changed =
                        Strips.spread(Strips.used(incoming ^ (replaced & Strips.LANES_MASK)), Strips.LANE_MASK);
                    removed += _collateral(replaced & changed, terms);
                    incoming &= changed;
                }
                if (incoming == 0) continue;
                added += _collateral(incoming, terms);
                hasNew = true;
            }
        }
    }

    /// @param price counted from the lowest price, units/Wh.
    /// @return the lowest limit, in its place in a lane, that is not below a price; a higher one than any if there is none.
    function _limitUp(uint256 price) private view returns (uint256) {
        unchecked {
            uint256 tick = (price + UNITS_PER_TICK - 1) / UNITS_PER_TICK;
            return (tick > MAX_TICK ? MAX_TICK + 1 : tick) << Orders.TICK_SHIFT;
        }
    }

    /// Checks the six orders of a word.
    function _requireValid(uint32 id, uint256 line, uint256 word, Terms memory terms) private view {
        (uint256 bids, uint256 asks) = Orders.sides(word);
        uint256 energies = bids | asks;
        uint256 any = Strips.minus(energies, Strips.ONES);
        uint256 valid = Strips.minus(energies, terms.least) & Strips.minus(terms.mostBought, bids)
            & Strips.minus(terms.mostSold, asks) & Strips.minus(terms.highestLimits, word & Orders.TICKS);
        // Lanes without energy are to be empty.
        bool isClean = word & Strips.LANES_MASK & ~Strips.spread(any, Strips.LANE_MASK) == 0;
        if (!isClean || any & ~valid & Strips.ALL_FLAGS != 0) _refuse(id, line, word, terms);
    }

    /// @return units collateral of six orders, money units: a buyer's highest payment; for a seller what replacing its
    /// energy may cost beyond its own limit (rule 5); and what either may owe an intermediary (rule 9).
    function _collateral(uint256 word, Terms memory terms) private view returns (uint256 units) {
        (uint256 bids, uint256 asks) = Orders.sides(word);
        uint256 limits = word & Orders.TICKS;
        (uint256 even, uint256 odd) = Strips.factors(limits >> Orders.TICK_SHIFT);
        // 27 bits of energy times 24 bits of price: six of them are far from overflow.
        unchecked {
            if (terms.commission != 0) units = Strips.sum(bids | asks) * terms.commission;
            if (bids != 0) {
                bids = Orders.energies(bids, Strips.minus(limits, terms.paidLimits));
                units += Strips.sum(bids) * terms.extra + Strips.dot(bids, even, odd) * UNITS_PER_TICK;
            }
            if (asks == 0) return units;
            asks = Orders.energies(asks, ~Strips.minus(limits, terms.freeLimits));
            return units + Strips.sum(asks) * terms.ceiling - Strips.dot(asks, even, odd) * UNITS_PER_TICK;
        }
    }

    /// Says what is wrong with the first bad order of a word.
    function _refuse(uint32 id, uint256 line, uint256 word, Terms memory terms) private view {
        for (uint256 k = 0; k < Strips.LANES; ++k) {
            uint256 order = Strips.lane(word, k);
            if (order == 0) continue;
            uint256 energy = Orders.energy(order);
            if (energy < terms.minEnergy) revert OrderTooSmall(line, k, energy, terms.minEnergy);
            uint256 capacity = Orders.isAsk(order) ? terms.exportCapacity : terms.importCapacity;
            if (energy > capacity) revert ExceedsCapacity(id, _slotOf(line, k), energy, capacity);
            uint256 highest = Orders.tick(terms.highestLimits);
            if (Orders.tick(order) > highest) revert LimitTooHigh(line, k, Orders.tick(order), highest);
        }
    }

    /// Several orders for one period may exceed the connection together, or meet each other: checked in the strips of the sheet. Of a
    /// member with one order a period there is nothing to compare.
    /// @param layers of the part of the book that the sheet is for.
    /// @param others layers of the member's other part, which is somebody else's to keep within the connection.
    function _requireSound(
        uint32 id,
        uint256 day,
        uint256 firstLine,
        uint256 lines,
        uint256 layers,
        uint256 others,
        Terms memory terms
    ) private view {
        uint256 brokered = Orders.BROKERED_LAYER * STRIPS_PER_DAY;
        // At most 255 layers of orders of 27 bits each: sums stay within a lane.
        unchecked {
            uint256 most = layers * Orders.ENERGY_MASK;
            uint256 mostBids = Strips.inAllLanes(Math.min(terms.importCapacity, most));
            uint256 mostAsks = Strips.inAllLanes(Math.min(terms.exportCapacity, most));
            uint256 strips = Math.min(lines, STRIPS_PER_DAY);
            for (uint256 i = 0; i < strips; ++i) {
                uint256 strip = (firstLine + i) % STRIPS_PER_DAY;
                Standing memory s = Standing(0, 0, 0, Orders.TICKS);
                _addStanding(s, Ring.lineKey(id, day, terms.base + strip), layers, day);
                uint256 within = Strips.minus(mostBids, s.bids) & Strips.minus(mostAsks, s.asks);
                if (~within & Strips.ALL_FLAGS != 0) _refuseTogether(id, strip, s, terms);
                _addStanding(s, Ring.lineKey(id, day, brokered - terms.base + strip), others, day);
                uint256 crossing = Strips.minus(s.highestBids, s.lowestAsks) & Strips.minus(s.bids, Strips.ONES)
                    & Strips.minus(s.asks, Strips.ONES);
                if (crossing & Strips.ALL_FLAGS != 0) _refuseCrossing(id, strip, crossing, s);
            }
        }
    }

    /// Adds the orders of some layers of a strip.
    /// @param key of the strip's line in the first of them.
    function _addStanding(Standing memory s, uint256 key, uint256 layers, uint256 day) private view {
        unchecked {
            for (uint256 layer = 0; layer < layers; ++layer) {
                uint256 word = _lines[key];
                key += STRIPS_PER_DAY;
                if (Strips.dayOf(word) != day) continue;
                (uint256 bids, uint256 asks) = Orders.sides(word);
                s.bids += bids;
                s.asks += asks;
                uint256 limits = word & Orders.TICKS;
                uint256 isBetter = Strips.minus(bids, Strips.ONES) & Strips.minus(limits, s.highestBids);
                uint256 replaced = Strips.spread(isBetter, Orders.TICK_MASK << Orders.TICK_SHIFT);
                s.highestBids = (s.highestBids & ~replaced) | (limits & replaced);
                isBetter = Strips.minus(asks, Strips.ONES) & Strips.minus(s.lowestAsks, limits);
                replaced = Strips.spread(isBetter, Orders.TICK_MASK << Orders.TICK_SHIFT);
                s.lowestAsks = (s.lowestAsks & ~replaced) | (limits & replaced);
            }
        }
    }

    /// Says in which period the orders exceed the connection together.
    function _refuseTogether(uint32 id, uint256 strip, Standing memory s, Terms memory terms) private pure {
        for (uint256 k = 0; k < Strips.LANES; ++k) {
            uint256 slot = strip * Strips.LANES + k;
            (uint256 bids, uint256 asks) = (Strips.lane(s.bids, k), Strips.lane(s.asks, k));
            if (bids > terms.importCapacity) revert ExceedsCapacity(id, slot, bids, terms.importCapacity);
            if (asks > terms.exportCapacity) revert ExceedsCapacity(id, slot, asks, terms.exportCapacity);
        }
    }

    /// Says in which period the member would trade with itself.
    /// @param crossing flags of these periods.
    function _refuseCrossing(uint32 id, uint256 strip, uint256 crossing, Standing memory s) private pure {
        uint256 k = 0;
        while (Strips.lane(crossing, k) & Strips.FLAG == 0) ++k;
        revert TradesWithItself(
            id,
            strip * Strips.LANES + k,
            Orders.tick(Strips.lane(s.highestBids, k)),
            Orders.tick(Strips.lane(s.lowestAsks, k))
        );
    }

    /// Marks the layers from `from` up to `to` as in use by a member.
    function _markActive(uint32 id, uint256 day, uint256 base, uint256 from, uint256 to) internal virtual {
        DayState storage state = _stateOf(day);
        if (state.highestId == 0) SCHEDULE.noteOrders(day);
        if (base != 0) {
            if (to > state.brokeredLayers) state.brokeredLayers = uint8(to);
        } else if (to > state.layers) {
            state.layers = uint8(to);
        }
        if (id > state.highestId) state.highestId = id;
        uint256 first = base / STRIPS_PER_DAY;
        for (uint256 layer = from; layer < to; ++layer) {
            uint256 key = Ring.lineKey(Groups.numberOf(id), day, first + layer);
            _active[key] = Groups.mark(_active[key], day, id);
        }
    }

    /// Sheet of a member, an empty one before the first that it sends for the day.
    function _sheetOf(uint32 id, uint256 day, uint256 base) private returns (Sheet memory sheet) {
        sheet = Sheets.unpack(_sheets[Ring.lineKey(id, day, base)]);
        if (sheet.day == day) return sheet;
        DayState storage state = _stateOf(day);
        uint256 terms = state.terms;
        if (base != 0) terms = Sheets.withCommission(terms, state.commissionCap);
        // Once the day is open neither zones nor limits for its orders change.
        if (LIMITS.isLimited(id, day)) terms = Sheets.withLimits(terms);
        sheet = Sheet(day, 0, 0, 0, terms, 0);
    }

    /// @return own number of a member's own layers, and
    /// @return all of those and the brokered ones.
    function _layersInUse(uint32 id, uint256 day) private view returns (uint256 own, uint256 all) {
        Sheet memory s = Sheets.unpack(_sheets[Ring.lineKey(id, day, 0)]);
        return s.day == day ? (s.layers, s.layers + s.brokered) : (0, 0);
    }

    function _slotOf(uint256 line, uint256 k) private view returns (uint256) {
        return (line % STRIPS_PER_DAY) * Strips.LANES + k;
    }
}
