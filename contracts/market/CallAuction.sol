// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Multicall} from "@openzeppelin/contracts/utils/Multicall.sol";
import {IAccounts} from "../interfaces/IAccounts.sol";
import {ICallAuction, OrderSheet, SignedSheet} from "../interfaces/ICallAuction.sol";
import {IBrokeredMarket} from "../interfaces/IBrokeredMarket.sol";
import {IMarket, Positions} from "../interfaces/IMarket.sol";
import {IMarketRules, Rules} from "../interfaces/IMarketRules.sol";
import {ITraders} from "../interfaces/ITraders.sol";
import {ProRata} from "../libraries/ProRata.sol";
import {UniformPrice} from "../libraries/UniformPrice.sol";
import {Calendar, CalendarParameters} from "../types/Calendar.sol";
import {Orders} from "../types/Orders.sol";
import {Sheet, Sheets} from "../types/Sheets.sol";
import {Strips} from "../types/Strips.sol";
import {Energy, MAX_TICK, Money, Price, UNITS_PER_TICK} from "../types/Units.sol";

/// @title Day-ahead call auction
/// @dev The book is the signed lines themselves, six orders a storage word, in a ring of days. Nothing is aggregated when an order
/// comes in, so its cost does not depend on the book and no sum can drift from the orders.
contract CallAuction is ICallAuction, AccessManaged, EIP712, Calendar, Multicall {
    using SafeCast for uint256;

    bytes32 private constant SHEET_TYPEHASH =
        keccak256("OrderSheet(address participant,uint32 day,uint16 firstLine,uint40 sequence,bytes32[] lines)");
    /// Members whose activity on a day fits one word beside the day.
    uint256 private constant GROUP = 240;
    /// From the place of a member to that of the next.
    uint256 private constant MEMBER_STEP = 1 << 32;

    struct DayState {
        uint16 day;
        /// Orders per period of whoever has most.
        uint16 layers;
        uint32 highestId;
        /// One bit per strip.
        uint16 cleared;
        /// Next member to be booked.
        uint32 nextId;
        /// Of the day's rules, which are fixed before it opens, as Sheets packs them.
        uint104 terms;
        /// Brokered orders per period of whoever has most, and the commission they may cost, units/Wh.
        uint16 brokeredLayers;
        uint24 commissionCap;
    }

    /// A clearing that did not fit one transaction: sums per lane so far, and where to go on.
    struct Progress {
        Partial[6] lanes;
        uint32 layer;
        uint32 group;
    }

    struct Partial {
        uint64 bidsAbove;
        uint64 bidsAt;
        uint64 asksBelow;
        uint64 asksAt;
        uint16 nextTick;
    }

    /// UniformPrice.Sums of six periods, a lane each; the tick in the place of limits.
    struct Totals {
        uint256 bidsAbove;
        uint256 bidsAt;
        uint256 asksBelow;
        uint256 asksAt;
        uint256 nextTicks;
    }

    /// What one member trades: energy of the strip at work on in six signed lanes; Wh, and Wh times ticks, of the day.
    struct Trades {
        uint256 net;
        uint256 energy;
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
        bool isBrokered;
    }

    /// What an order must pay or post at most, units/Wh.
    struct Terms {
        /// First line of the layers it stands in.
        uint256 hand;
        uint256 fees;
        uint256 ceiling;
        uint256 minEnergy;
        uint256 importCapacity;
        uint256 exportCapacity;
        /// The least and the most energy of an order in all six lanes.
        uint256 least;
        uint256 mostBought;
        uint256 mostSold;
        /// The limit at which an ask costs no collateral any more, in the place of limits of all six lanes.
        uint256 freeLimits;
    }

    ITraders private immutable REGISTRY;
    IMarketRules private immutable RULES;
    IAccounts private immutable ACCOUNTS;

    mapping(uint256 place => uint256) private _lines;
    /// As Sheets packs them.
    mapping(uint256 place => uint256) private _sheets;
    /// Members with orders, a bit each, per ring place, layer and group.
    mapping(uint256 place => uint256) private _active;
    mapping(uint256 ringPlace => DayState) private _days;
    /// As UniformPrice packs them.
    mapping(uint256 place => uint256) private _outcomes;
    mapping(bytes32 attempt => Progress) private _progress;
    /// Energy of the marginal orders booked so far, four slots a word.
    mapping(uint256 place => uint256) private _marginal;
    /// Wh of the day that a member traded through its intermediary, beside the day.
    mapping(uint256 place => uint256) private _brokered;

    constructor(
        address authority,
        CalendarParameters memory calendar_,
        ITraders registry,
        IMarketRules rules,
        IAccounts accounts
    ) AccessManaged(authority) EIP712("DEM", "1") Calendar(calendar_) {
        REGISTRY = registry;
        RULES = rules;
        ACCOUNTS = accounts;
    }

    /// @inheritdoc ICallAuction
    function submit(SignedSheet[] calldata sheets) external {
        // A pause would refuse every sheet: none of them is on record as rejected for it.
        ACCOUNTS.requireUnpaused(address(this));
        for (uint256 i = 0; i < sheets.length; ++i) {
            try this.enter(sheets[i]) {}
            catch (bytes memory reason) {
                // Every refusal names its reason; none is left only when the gas ran out.
                if (reason.length == 0) revert BatchOutOfGas(i);
                OrderSheet calldata s = sheets[i].sheet;
                emit SheetRejected(s.participant, s.day, s.sequence, reason);
            }
        }
    }

    /// @inheritdoc ICallAuction
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
        if (_handOf(firstLine) == 0 && signer != participant) revert NotSignedByParticipant(participant, signer);
        _take(participant, signer, day, firstLine, sequence, lines);
    }

    /// @inheritdoc ICallAuction
    function enterOwn(uint32 day, uint16 firstLine, uint40 sequence, bytes32[] calldata lines) external {
        _take(msg.sender, msg.sender, day, firstLine, sequence, lines);
    }

    /// @inheritdoc ICallAuction
    function clear(uint32 day, uint8 strip, uint16[6] calldata pivots, uint256 maxGroups) external {
        if (block.timestamp < gateClosesAt(day)) revert GateNotClosed(day, gateClosesAt(day), block.timestamp);
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
        uint256 groups = uint256(state.highestId) / GROUP + 1;
        uint256 limits = _toLimits(pivots, strip);
        for (uint256 n = 0; layer < layers && n < maxGroups; ++n) {
            uint256 next = _layerAt(layer, own);
            _addGroup(day, next * STRIPS_PER_DAY + strip, _activeIn(day, next, group), group, limits, sums);
            if (++group == groups) (layer, group) = (layer + 1, 0);
        }
        if (layer < layers) {
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

    /// @inheritdoc IMarket
    function book(uint256 day, uint32 firstId, uint256 count) external restricted returns (Positions memory p) {
        DayState storage state = _stateOf(day);
        if (!_isCleared(state)) revert NotCleared(day);
        if (firstId != 1 && firstId != state.nextId) revert BookedOutOfOrder(firstId, state.nextId);
        Walk memory walk = _loadWalk(day, firstId == 1);
        walk.isBrokered = state.brokeredLayers != 0;
        p.net = new uint256[][](count);
        p.payment = new int256[](count);
        p.traded = new uint256[](count);
        p.release = new uint256[](count);
        for (uint256 i = 0; i < count; ++i) {
            _bookMember(day, firstId + uint32(i), i, p, walk);
        }
        _storeMarginal(day, walk.marginal);
        state.nextId = firstId + uint32(count);
    }

    /// @inheritdoc IMarket
    function isCleared(uint256 day) external view returns (bool) {
        DayState storage state = _days[day % Strips.RING];
        return state.day == day && _isCleared(state);
    }

    /// @inheritdoc ICallAuction
    function clearedStrips(uint256 day) public view returns (uint256) {
        DayState storage state = _days[day % Strips.RING];
        return state.day == day ? state.cleared : 0;
    }

    /// @inheritdoc ICallAuction
    function outcomes(uint256 day) external view returns (UniformPrice.Outcome[] memory results) {
        DayState storage state = _days[day % Strips.RING];
        if (state.day != day || !_isCleared(state)) revert NotCleared(day);
        uint256[] memory packed = _loadOutcomes(day);
        results = new UniformPrice.Outcome[](packed.length);
        for (uint256 slot = 0; slot < packed.length; ++slot) {
            results[slot] = UniformPrice.unpack(packed[slot]);
        }
    }

    /// @inheritdoc ICallAuction
    function outcomesIn(uint256 day, uint256 firstSlot, uint256 count) external view returns (uint256[] memory packed) {
        packed = new uint256[](count);
        uint256 cleared = clearedStrips(day);
        for (uint256 i = 0; i < count; ++i) {
            if (cleared & (1 << ((firstSlot + i) / Strips.LANES)) == 0) continue;
            packed[i] = _outcomes[_outcomePlace(day, firstSlot + i)];
        }
    }

    /// @inheritdoc ICallAuction
    function bookOf(uint256 day) external view returns (uint256 layers, uint256 highestId) {
        DayState storage state = _days[day % Strips.RING];
        if (state.day == day) return (uint256(state.layers) + state.brokeredLayers, state.highestId);
    }

    /// @inheritdoc ICallAuction
    function linesIn(uint256 day, uint256 line, uint256 group) external view returns (uint256[] memory words) {
        uint256 layer = _layerAt(line / STRIPS_PER_DAY, _days[day % Strips.RING].layers);
        uint256 active = _activeIn(day, layer, group);
        words = new uint256[](GROUP);
        uint256 n = 0;
        line = layer * STRIPS_PER_DAY + line % STRIPS_PER_DAY;
        for (uint256 place = _place(group * GROUP, day, line); active != 0; place += MEMBER_STEP) {
            if (active & 1 != 0) {
                uint256 word = _lines[place];
                if (Strips.dayOf(word) == day) words[n++] = word;
            }
            active >>= 1;
        }
        assembly ("memory-safe") {
            mstore(words, n)
        }
    }

    /// @inheritdoc ICallAuction
    function linesOf(uint256 day, uint32 firstId, uint256 count) external view returns (uint256[][] memory lines) {
        lines = new uint256[][](count);
        for (uint256 i = 0; i < count; ++i) {
            (uint256 own, uint256 layers) = _layersInUse(firstId + uint32(i), day);
            uint256[] memory words = new uint256[](layers * STRIPS_PER_DAY);
            for (uint256 layer = 0; layer < layers; ++layer) {
                uint256 place = _place(firstId + i, day, _layerAt(layer, own) * STRIPS_PER_DAY);
                for (uint256 strip = 0; strip < STRIPS_PER_DAY; ++strip) {
                    uint256 word = _lines[place + strip];
                    if (Strips.dayOf(word) == day) words[layer * STRIPS_PER_DAY + strip] = word;
                }
            }
            lines[i] = words;
        }
    }

    /// @inheritdoc ICallAuction
    function lineOf(uint32 id, uint256 day, uint256 line) external view returns (bytes32) {
        uint256 word = _lines[_place(id, day, line)];
        return Strips.dayOf(word) == day ? bytes32(word) : bytes32(0);
    }

    /// @inheritdoc ICallAuction
    function sheetOf(uint32 id, uint256 day) external view returns (uint256, uint256, uint256) {
        return _readSheet(id, day, 0);
    }

    /// @inheritdoc ICallAuction
    function brokeredSheetOf(uint32 id, uint256 day) external view returns (uint256, uint256, uint256) {
        return _readSheet(id, day, Orders.BROKERED_LAYER * STRIPS_PER_DAY);
    }

    /// @inheritdoc IBrokeredMarket
    function brokeredEnergy(uint32 id, uint256 day) external view returns (uint256) {
        uint256 word = _brokered[_place(id, day, 0)];
        return Strips.dayOf(word) == day ? word & Strips.LANES_MASK : 0;
    }

    // ------------------------------------------------------------------------------------------------ taking orders

    /// Takes the sheet of whoever is known to have sent it.
    function _take(
        address participant,
        address signer,
        uint32 day,
        uint256 firstLine,
        uint256 sequence,
        bytes32[] calldata lines
    ) private {
        uint256 hand = _handOf(firstLine);
        (uint32 id, uint256 importCapacity, uint256 exportCapacity) = _traderOf(participant, signer, hand, day);
        Sheet memory sheet = _sheetOf(id, day, hand);
        if (sequence <= sheet.sequence) revert StaleSheet(id, sequence, sheet.sequence);
        sheet.sequence = sequence;
        uint256 layers = _layersOf(hand, firstLine, lines.length, Sheets.maxLayers(sheet.terms));
        uint256 ceiling = Sheets.ceiling(sheet.terms);
        uint256 minEnergy = Sheets.minEnergy(sheet.terms);
        Terms memory terms = Terms({
            hand: hand,
            fees: Sheets.fees(sheet.terms),
            ceiling: ceiling,
            minEnergy: minEnergy,
            importCapacity: importCapacity,
            exportCapacity: exportCapacity,
            least: Strips.inAllLanes(minEnergy),
            mostBought: Strips.inAllLanes(_atMostEnergy(importCapacity)),
            mostSold: Strips.inAllLanes(_atMostEnergy(exportCapacity)),
            freeLimits: Strips.inAllLanes(_freeLimit(ceiling))
        });

        (uint256 added, uint256 removed, bool hasNew) = _writeLines(id, day, firstLine, lines, terms);
        if (layers < sheet.layers) layers = sheet.layers;
        if (layers > 1) _requireWithinConnection(id, day, firstLine, lines.length, layers, terms);
        if (layers > sheet.layers) {
            _markActive(id, day, hand, sheet.layers, layers);
            sheet.layers = layers;
        }
        // Some 62 bits at most.
        unchecked {
            sheet.locked = sheet.locked + added - removed;
        }
        _sheets[_place(id, day, hand)] = Sheets.pack(sheet);
        emit SheetAccepted(id, day, uint40(sequence), uint16(firstLine), lines);
        _secure(id, added, removed, hasNew);
    }

    /// @return the first line of the layers a sheet is for: 0, or that of the brokered ones. Whose lines are whose follows from it:
    /// no sheet reaches from the one's into the other's.
    function _handOf(uint256 firstLine) private view returns (uint256) {
        uint256 brokered = Orders.BROKERED_LAYER * STRIPS_PER_DAY;
        return firstLine < brokered ? 0 : brokered;
    }

    /// @return id and capacities (Wh per period) of whoever may send the sheet, for the part of its connection that it is for.
    function _traderOf(address participant, address signer, uint256 hand, uint256 day)
        private
        view
        returns (uint32 id, uint256 importCapacity, uint256 exportCapacity)
    {
        if (hand != 0) {
            // Whether the signer may sign for the member belongs to the signature.
            (id, importCapacity, exportCapacity) = REGISTRY.client(participant, signer, day);
            _requireOpen(day);
        } else {
            _requireOpen(day);
            (id, importCapacity, exportCapacity) = REGISTRY.requireTrader(participant, day);
        }
    }

    /// A new order, even one that locks nothing more, has to come from somebody without arrears; cancelling need not. Asked
    /// with every sheet, whatever it changes: a paused market takes none.
    function _secure(uint32 id, uint256 added, uint256 removed, bool hasNew) private {
        // A day's collateral of one member has 62 bits.
        unchecked {
            if (hasNew) return ACCOUNTS.lockCollateral(id, int128(int256(added - removed)));
            ACCOUNTS.requireUnpaused(address(this));
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
    function _layersOf(uint256 hand, uint256 firstLine, uint256 lines, uint256 maxLayers)
        private
        view
        returns (uint256)
    {
        if (lines == 0) revert EmptySheet();
        unchecked {
            uint256 last = firstLine + lines - 1;
            uint256 end = hand + maxLayers * STRIPS_PER_DAY;
            if (last >= end) revert LineOutOfRange(last, end);
            return (last - hand) / STRIPS_PER_DAY + 1;
        }
    }

    /// @return added collateral of the orders that the lines add, money units.
    /// @return removed that of the orders that they remove.
    /// @return hasNew whether they add any.
    function _writeLines(uint32 id, uint256 day, uint256 firstLine, bytes32[] calldata lines, Terms memory terms)
        private
        returns (uint256 added, uint256 removed, bool hasNew)
    {
        uint256 first = _place(id, day, firstLine);
        // At most 1,024 lines of six orders: neither their places nor their collateral overflow.
        unchecked {
            for (uint256 i = 0; i < lines.length; ++i) {
                uint256 word = uint256(lines[i]);
                if (Strips.dayOf(word) != day) revert WrongDay(firstLine + i, Strips.dayOf(word), day);
                _requireValid(id, firstLine + i, word, terms);
                uint256 replaced = _lines[first + i];
                _lines[first + i] = word;
                uint256 come = word & Strips.LANES_MASK;
                if (Strips.dayOf(replaced) == day) {
                    // Orders that stay as they were are neither removed nor added.
                    uint256 changed =
                        Strips.spread(Strips.used(come ^ (replaced & Strips.LANES_MASK)), Strips.LANE_MASK);
                    removed += _collateral(replaced & changed, terms);
                    come &= changed;
                }
                if (come == 0) continue;
                added += _collateral(come, terms);
                hasNew = true;
            }
        }
    }

    /// @return the lowest limit, in its place in a lane, at which an ask costs no collateral any more.
    function _freeLimit(uint256 ceiling) private pure returns (uint256) {
        unchecked {
            uint256 tick = (ceiling + UNITS_PER_TICK - 1) / UNITS_PER_TICK;
            return (tick > MAX_TICK ? MAX_TICK + 1 : tick) << Orders.TICK_SHIFT;
        }
    }

    function _atMostEnergy(uint256 capacity) private pure returns (uint256) {
        return capacity < Orders.ENERGY_MASK ? capacity : Orders.ENERGY_MASK;
    }

    /// Checks the six orders of a word.
    function _requireValid(uint32 id, uint256 line, uint256 word, Terms memory terms) private view {
        (uint256 bids, uint256 asks) = Orders.sides(word);
        uint256 energies = bids | asks;
        uint256 any = Strips.minus(energies, Strips.ONES);
        uint256 fine = Strips.minus(energies, terms.least) & Strips.minus(terms.mostBought, bids)
            & Strips.minus(terms.mostSold, asks);
        // Lanes without energy are to be empty.
        bool isClean = word & Strips.LANES_MASK & ~Strips.spread(any, Strips.LANE_MASK) == 0;
        if (!isClean || any & ~fine & Strips.ALL_FLAGS != 0) _refuse(id, line, word, terms);
    }

    /// @return units collateral of six orders, money units: a buyer's highest payment; for a seller what replacing its
    /// energy may cost beyond its own limit (rule 5).
    function _collateral(uint256 word, Terms memory terms) private pure returns (uint256 units) {
        (uint256 bids, uint256 asks) = Orders.sides(word);
        uint256 limits = word & Orders.TICKS;
        (uint256 even, uint256 odd) = Strips.factors(limits >> Orders.TICK_SHIFT);
        // 27 bits of energy times 24 bits of price: six of them are far from overflow.
        unchecked {
            if (bids != 0) units = Strips.sum(bids) * terms.fees + Strips.dot(bids, even, odd) * UNITS_PER_TICK;
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
        }
    }

    /// Several orders for one period may exceed the connection only together.
    function _requireWithinConnection(
        uint32 id,
        uint256 day,
        uint256 firstLine,
        uint256 lines,
        uint256 layers,
        Terms memory terms
    ) private view {
        uint256 most = layers * Orders.ENERGY_MASK;
        if (terms.importCapacity >= most && terms.exportCapacity >= most) return;
        uint256 strips = lines < STRIPS_PER_DAY ? lines : STRIPS_PER_DAY;
        for (uint256 i = 0; i < strips; ++i) {
            uint256 strip = (firstLine + i) % STRIPS_PER_DAY;
            for (uint256 k = 0; k < Strips.LANES; ++k) {
                uint256 bids = 0;
                uint256 asks = 0;
                for (uint256 layer = 0; layer < layers; ++layer) {
                    uint256 word = _lines[_place(id, day, terms.hand + layer * STRIPS_PER_DAY + strip)];
                    if (Strips.dayOf(word) != day) continue;
                    uint256 order = Strips.lane(word, k);
                    if (Orders.isAsk(order)) asks += Orders.energy(order);
                    else bids += Orders.energy(order);
                }
                uint256 slot = strip * Strips.LANES + k;
                if (bids > terms.importCapacity) revert ExceedsCapacity(id, slot, bids, terms.importCapacity);
                if (asks > terms.exportCapacity) revert ExceedsCapacity(id, slot, asks, terms.exportCapacity);
            }
        }
    }

    function _markActive(uint32 id, uint256 day, uint256 hand, uint256 from, uint256 to) private {
        DayState storage state = _stateOf(day);
        if (hand != 0) {
            if (to > state.brokeredLayers) state.brokeredLayers = uint16(to);
        } else if (to > state.layers) {
            state.layers = uint16(to);
        }
        if (id > state.highestId) state.highestId = id;
        uint256 first = hand / STRIPS_PER_DAY;
        for (uint256 layer = from; layer < to; ++layer) {
            uint256 place = _activePlace(day, first + layer, id / GROUP);
            uint256 word = _active[place];
            if (Strips.dayOf(word) != day) word = Strips.withDay(0, day);
            _active[place] = word | (1 << (id % GROUP));
        }
    }

    // ------------------------------------------------------------------------------------------------------ clearing

    /// @return limits the pivots in the place of limits, a lane each.
    function _toLimits(uint16[6] calldata pivots, uint256 strip) private pure returns (uint256 limits) {
        for (uint256 k = 0; k < Strips.LANES; ++k) {
            if (pivots[k] > MAX_TICK) revert WrongPivot(strip * Strips.LANES + k, pivots[k]);
            limits |= uint256(pivots[k]) << (k * Strips.LANE_BITS + Orders.TICK_SHIFT);
        }
    }

    /// @return members of a group, a bit each, who have orders in a layer.
    function _activeIn(uint256 day, uint256 layer, uint256 group) private view returns (uint256) {
        uint256 active = _active[_activePlace(day, layer, group)];
        return Strips.dayOf(active) == day ? active & Strips.LANES_MASK : 0;
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
            for (uint256 place = _place(group * GROUP, day, line); active != 0; place += MEMBER_STEP) {
                if (active & 1 != 0) {
                    uint256 word = _lines[place];
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
        _outcomes[_outcomePlace(day, slot)] = UniformPrice.pack(o);
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
            if (isFresh) {
                sums[k].nextTick = MAX_TICK;
            } else {
                Partial memory p = progress.lanes[k];
                sums[k] = UniformPrice.Sums(p.bidsAbove, p.bidsAt, p.asksBelow, p.asksAt, p.nextTick);
            }
        }
    }

    function _suspend(bytes32 attempt, UniformPrice.Sums[6] memory sums, uint256 layer, uint256 group) private {
        Progress storage progress = _progress[attempt];
        for (uint256 k = 0; k < Strips.LANES; ++k) {
            UniformPrice.Sums memory s = sums[k];
            progress.lanes[k] = Partial({
                bidsAbove: s.bidsAbove.toUint64(),
                bidsAt: s.bidsAt.toUint64(),
                asksBelow: s.asksBelow.toUint64(),
                asksAt: s.asksAt.toUint64(),
                nextTick: uint16(s.nextTick)
            });
        }
        progress.layer = uint32(layer);
        progress.group = uint32(group);
    }

    // ------------------------------------------------------------------------------------------------------- booking

    /// Books the member's own orders, then those of its intermediary, and keeps what the latter trade.
    function _bookMember(uint256 day, uint32 id, uint256 i, Positions memory p, Walk memory walk) private {
        _bookHand(day, _place(id, day, 0), i, p, walk);
        if (!walk.isBrokered) return;
        uint256 own = p.traded[i];
        _bookHand(day, _place(id, day, Orders.BROKERED_LAYER * STRIPS_PER_DAY), i, p, walk);
        if (p.traded[i] > own) _brokered[_place(id, day, 0)] = Strips.withDay(p.traded[i] - own, day);
    }

    /// @param first place of the first line of the hand whose orders are booked, own or brokered.
    function _bookHand(uint256 day, uint256 first, uint256 i, Positions memory p, Walk memory walk) private {
        Sheet memory sheet = Sheets.unpack(_sheets[first]);
        if (sheet.day != day) return;
        if (sheet.locked > 0) {
            p.release[i] += sheet.locked;
            sheet.locked = 0;
            _sheets[first] = Sheets.pack(sheet);
        }
        if (p.net[i].length == 0) p.net[i] = new uint256[](STRIPS_PER_DAY);
        Trades memory trades = Trades(0, 0, 0);
        uint256[] memory net = p.net[i];
        uint256 layers = sheet.layers;
        // Twice 1,024 lines of orders of 27 bits stay within a signed lane.
        unchecked {
            for (uint256 strip = 0; strip < net.length; ++strip) {
                trades.net = net[strip] == 0 ? Strips.ZERO_LANES : net[strip];
                uint256 place = first + strip;
                for (uint256 layer = 0; layer < layers; ++layer) {
                    uint256 word = _lines[place];
                    if (Strips.dayOf(word) == day) _bookWord(word, strip, trades, walk);
                    place += net.length;
                }
                net[strip] = trades.net;
            }
            p.payment[i] += trades.value * int256(UNITS_PER_TICK);
        }
        p.traded[i] += trades.energy;
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
            trades.energy += Strips.sum(bids + asks);
            if (bids != 0) trades.value += int256(Strips.dot(bids, o.even, o.odd));
            if (asks != 0) trades.value -= int256(Strips.dot(asks, o.even, o.odd));
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
        UniformPrice.Outcome memory o = UniformPrice.unpack(outcome);
        uint256 energy = Orders.energy(order);
        bool isAsk = Orders.isAsk(order);
        if (o.rationed != (isAsk ? UniformPrice.Rationed.Asks : UniformPrice.Rationed.Bids)) return energy;
        uint256 before = walked[slot];
        walked[slot] = before + energy;
        return ProRata.fillDown(before, energy, o.share, o.marginal);
    }

    function _loadOutcomes(uint256 day) private view returns (uint256[] memory packed) {
        packed = new uint256[](PERIODS_PER_DAY);
        for (uint256 slot = 0; slot < packed.length; ++slot) {
            packed[slot] = _outcomes[_outcomePlace(day, slot)];
        }
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
                prices |= uint256(uint16(outcome)) << (k * Strips.LANE_BITS);
                traded |= Strips.FLAG << (k * Strips.LANE_BITS);
            }
            (uint256 even, uint256 odd) = Strips.factors(prices);
            walk.strips[strip] = StripOutcome(traded, prices << Orders.TICK_SHIFT, even, odd);
        }
        walk.marginal = new uint256[](PERIODS_PER_DAY);
        if (isFresh) return walk;
        for (uint256 slot = 0; slot < walk.marginal.length; ++slot) {
            walk.marginal[slot] = uint64(_marginal[_outcomePlace(day, slot / 4)] >> (64 * (slot % 4)));
        }
    }

    function _storeMarginal(uint256 day, uint256[] memory marginal) private {
        uint256 word = 0;
        for (uint256 slot = 0; slot < marginal.length; ++slot) {
            word |= marginal[slot] << (64 * (slot % 4));
            if (slot % 4 == 3 || slot + 1 == marginal.length) {
                _marginal[_outcomePlace(day, slot / 4)] = word;
                word = 0;
            }
        }
    }

    // -------------------------------------------------------------------------------------------------------- reading

    function _readSheet(uint32 id, uint256 day, uint256 hand) private view returns (uint256, uint256, uint256) {
        Sheet memory s = Sheets.unpack(_sheets[_place(id, day, hand)]);
        return s.day == day ? (s.sequence, s.layers, s.locked) : (0, 0, 0);
    }

    /// @return own number of a member's own layers, and
    /// @return all of those and the brokered ones.
    function _layersInUse(uint32 id, uint256 day) private view returns (uint256 own, uint256 all) {
        (, own,) = _readSheet(id, day, 0);
        (, all,) = _readSheet(id, day, Orders.BROKERED_LAYER * STRIPS_PER_DAY);
        all += own;
    }

    // -------------------------------------------------------------------------------------------------------- places

    /// Sheet of a member, an empty one before the first that it sends for the day.
    function _sheetOf(uint32 id, uint256 day, uint256 hand) private returns (Sheet memory sheet) {
        sheet = Sheets.unpack(_sheets[_place(id, day, hand)]);
        if (sheet.day == day) return sheet;
        DayState storage state = _stateOf(day);
        uint256 terms = state.terms;
        if (hand != 0) terms = Sheets.withCommission(terms, state.commissionCap);
        sheet = Sheet(day, 0, 0, terms, 0);
    }

    /// State of the day, taken over from the day that used its ring place before.
    function _stateOf(uint256 day) private returns (DayState storage state) {
        state = _days[day % Strips.RING];
        if (state.day == day) return state;
        if (state.day > day) revert DayIsOver(day);
        RULES.requireRoom(day);
        Rules memory rules = RULES.rulesOf(day);
        uint256 fees = Price.unwrap(rules.platformFee + rules.networkFee);
        uint256 ceiling = Price.unwrap(rules.maxBuy + rules.deviationRate) + fees;
        uint256 terms = Sheets.packTerms(fees, ceiling, Energy.unwrap(rules.minOrderEnergy), rules.maxLayers);
        _days[day % Strips.RING] = DayState({
            day: uint16(day),
            layers: 0,
            highestId: 0,
            cleared: 0,
            nextId: 1,
            terms: uint104(terms),
            brokeredLayers: 0,
            commissionCap: uint24(Price.unwrap(rules.commissionCap))
        });
    }

    function _isCleared(DayState storage state) private view returns (bool) {
        return state.cleared == (1 << STRIPS_PER_DAY) - 1;
    }

    function _place(uint256 id, uint256 day, uint256 line) private pure returns (uint256) {
        return (id << 32) | ((day % Strips.RING) << 16) | line;
    }

    function _activePlace(uint256 day, uint256 layer, uint256 group) private pure returns (uint256) {
        return (group << 32) | ((day % Strips.RING) << 16) | layer;
    }

    function _outcomePlace(uint256 day, uint256 slot) private pure returns (uint256) {
        return ((day % Strips.RING) << 16) | slot;
    }

    /// @return the n-th layer of those in use: the members' own, then the brokered ones.
    function _layerAt(uint256 n, uint256 own) private pure returns (uint256) {
        return n < own ? n : Orders.BROKERED_LAYER + n - own;
    }

    function _slotOf(uint256 line, uint256 k) private view returns (uint256) {
        return (line % STRIPS_PER_DAY) * Strips.LANES + k;
    }
}
