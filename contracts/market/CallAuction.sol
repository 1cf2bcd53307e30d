// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Multicall} from "@openzeppelin/contracts/utils/Multicall.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {IAccounts} from "../interfaces/IAccounts.sol";
import {Fill, ICallAuction, OrderSheet, SignedSheet} from "../interfaces/ICallAuction.sol";
import {IMarket, Positions} from "../interfaces/IMarket.sol";
import {IMarketRules, Rules} from "../interfaces/IMarketRules.sol";
import {IParticipantRegistry} from "../interfaces/IParticipantRegistry.sol";
import {ProRata} from "../libraries/ProRata.sol";
import {UniformPrice} from "../libraries/UniformPrice.sol";
import {Calendar, CalendarParameters} from "../types/Calendar.sol";
import {Orders} from "../types/Orders.sol";
import {Strips} from "../types/Strips.sol";
import {Energy, MAX_TICK, Money, Price, UNITS_PER_TICK} from "../types/Units.sol";

/// @title Day-ahead call auction
/// @dev The book is the signed lines themselves, six orders a storage word, in a ring of days. Nothing is aggregated when an order
/// comes in, so its cost does not depend on the book and no sum can drift from the orders.
contract CallAuction is ICallAuction, AccessManaged, EIP712, Calendar, Pausable, Multicall {
    using SafeCast for uint256;
    using SafeCast for int256;

    bytes32 private constant SHEET_TYPEHASH =
        keccak256("OrderSheet(address participant,uint32 day,uint16 firstLine,uint40 sequence,bytes32[] lines)");
    /// Members whose activity on a day fits one word beside the day.
    uint256 private constant GROUP = 240;

    /// A participant's sheet of one day.
    struct Sheet {
        uint16 day;
        uint40 sequence;
        uint16 layers;
        uint128 locked;
    }

    struct DayState {
        uint16 day;
        /// Orders per period of whoever has most.
        uint16 layers;
        uint32 highestId;
        /// One bit per strip.
        uint16 cleared;
        /// Next member to be booked.
        uint32 nextId;
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

    /// What an order must pay or post at most, units/Wh.
    struct Terms {
        uint256 fees;
        uint256 ceiling;
        uint256 minEnergy;
        uint256 importCapacity;
        uint256 exportCapacity;
    }

    IParticipantRegistry private immutable REGISTRY;
    IMarketRules private immutable RULES;
    IAccounts private immutable ACCOUNTS;

    mapping(uint256 place => uint256) private _lines;
    mapping(uint256 place => Sheet) private _sheets;
    /// Members with orders, a bit each, per ring place, layer and group.
    mapping(uint256 place => uint256) private _active;
    mapping(uint256 ringPlace => DayState) private _days;
    mapping(uint256 place => UniformPrice.Outcome) private _outcomes;
    mapping(bytes32 attempt => Progress) private _progress;
    /// Energy of the marginal orders booked so far, three slots a word: 80 bits hold more than can ever be ordered.
    mapping(uint256 place => uint256) private _walked;

    constructor(
        address authority,
        CalendarParameters memory calendar_,
        IParticipantRegistry registry,
        IMarketRules rules,
        IAccounts accounts
    ) AccessManaged(authority) EIP712("DEM", "1") Calendar(calendar_) {
        REGISTRY = registry;
        RULES = rules;
        ACCOUNTS = accounts;
    }

    /// @inheritdoc ICallAuction
    function submit(SignedSheet[] calldata sheets) external whenNotPaused {
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
    function enter(SignedSheet calldata signed) external whenNotPaused {
        OrderSheet calldata s = signed.sheet;
        // First of all: a rejection for any other reason then proves who signed.
        _requireSigned(s, signed.signature);
        _requireOpen(s.day);
        (uint32 id, uint256 importCapacity, uint256 exportCapacity) = REGISTRY.trader(s.participant, s.day);
        RULES.requireRoom(s.day);
        Rules memory rules = RULES.rulesOf(s.day);

        Sheet memory old = _sheets[_place(id, s.day, 0)];
        if (old.day != s.day) old = Sheet(uint16(s.day), 0, 0, 0);
        if (s.sequence <= old.sequence) revert StaleSheet(id, s.sequence, old.sequence);
        uint256 layers = _layersOf(s, rules.maxLayers);
        if (layers < old.layers) layers = old.layers;

        uint256 fees = Price.unwrap(rules.platformFee + rules.networkFee);
        Terms memory terms = Terms({
            fees: fees,
            ceiling: Price.unwrap(rules.maxBuy + rules.deviationRate) + fees,
            minEnergy: Energy.unwrap(rules.minOrderEnergy),
            importCapacity: importCapacity,
            exportCapacity: exportCapacity
        });
        (uint256 added, uint256 removed, bool hasNew) = _writeLines(id, s, terms);
        if (layers > 1) _requireWithinConnection(id, s, layers, terms);
        if (layers > old.layers) _markActive(id, s.day, old.layers, layers);

        uint256 locked = old.locked + added - removed;
        _sheets[_place(id, s.day, 0)] = Sheet(uint16(s.day), s.sequence, uint16(layers), locked.toUint128());
        emit SheetAccepted(id, s.day, s.sequence, s.firstLine, s.lines);
        // A new order, even one that locks nothing more, has to come from somebody without arrears; cancelling need not.
        if (hasNew) ACCOUNTS.lock(id, Money.wrap(added > removed ? (added - removed).toUint128() : 0));
        if (removed > added) ACCOUNTS.unlock(id, Money.wrap((removed - added).toUint128()));
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
        uint256 layers = state.layers;
        uint256 groups = uint256(state.highestId) / GROUP + 1;
        uint256[] memory words = new uint256[](GROUP);
        for (uint256 n = 0; layer < layers && n < maxGroups; ++n) {
            uint256 found = _gather(day, strip, layer, group, words);
            for (uint256 k = 0; k < Strips.LANES && found > 0; ++k) {
                _accumulate(words, found, k, pivots[k], sums[k]);
            }
            if (++group == groups) (layer, group) = (layer + 1, 0);
        }
        if (layer < layers) {
            _suspend(attempt, sums, layer, group);
            emit ClearingProgress(day, strip, group, layer);
            return;
        }
        delete _progress[attempt];
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
        uint256[] memory walked = _loadWalked(day, firstId == 1);
        UniformPrice.Outcome[] memory results = _loadOutcomes(day);
        p.net = new uint256[][](count);
        p.payment = new int256[](count);
        p.traded = new uint256[](count);
        p.release = new uint256[](count);
        for (uint256 i = 0; i < count; ++i) {
            _bookMember(day, firstId + uint32(i), i, p, walked, results);
        }
        _storeWalked(day, walked);
        state.nextId = firstId + uint32(count);
    }

    /// @inheritdoc ICallAuction
    function pause() external restricted {
        _pause();
    }

    /// @inheritdoc ICallAuction
    function unpause() external restricted {
        _unpause();
    }

    /// @inheritdoc IMarket
    function isCleared(uint256 day) external view returns (bool) {
        DayState storage state = _days[day % Strips.RING];
        return state.day == day && _isCleared(state);
    }

    /// @inheritdoc ICallAuction
    function clearedStrips(uint256 day) external view returns (uint256) {
        DayState storage state = _days[day % Strips.RING];
        return state.day == day ? state.cleared : 0;
    }

    /// @inheritdoc ICallAuction
    function outcomes(uint256 day) external view returns (UniformPrice.Outcome[] memory) {
        DayState storage state = _days[day % Strips.RING];
        if (state.day != day || !_isCleared(state)) revert NotCleared(day);
        return _loadOutcomes(day);
    }

    /// @inheritdoc ICallAuction
    function fills(uint256 day, uint256 slot, uint32 firstId, uint256 count, uint256 walked)
        external
        view
        returns (Fill[] memory found, uint256 walkedAfter)
    {
        UniformPrice.Outcome[] memory result = new UniformPrice.Outcome[](1);
        result[0] = _outcomes[_outcomePlace(day, slot)];
        uint256[] memory sum = new uint256[](1);
        sum[0] = walked;
        found = new Fill[](_countOrders(day, slot, firstId, count));
        uint256 n = 0;
        for (uint32 id = firstId; id < firstId + count; ++id) {
            uint256 layers = _layersInUse(id, day);
            for (uint256 layer = 0; layer < layers; ++layer) {
                uint256 order = _orderOf(id, day, layer, slot);
                if (order != 0) found[n++] = Fill(id, uint16(layer), uint64(_fill(order, result[0], sum, 0)));
            }
        }
        return (found, sum[0]);
    }

    /// @inheritdoc ICallAuction
    function lineOf(uint32 id, uint256 day, uint256 line) external view returns (bytes32) {
        uint256 word = _lines[_place(id, day, line)];
        return Strips.dayOf(word) == day ? bytes32(word) : bytes32(0);
    }

    /// @inheritdoc ICallAuction
    function sheetOf(uint32 id, uint256 day) external view returns (uint256, uint256, uint256) {
        Sheet memory s = _sheets[_place(id, day, 0)];
        return s.day == day ? (s.sequence, s.layers, s.locked) : (0, 0, 0);
    }

    // ------------------------------------------------------------------------------------------------ taking orders

    function _requireOpen(uint256 day) private view {
        if (block.timestamp < opensAt(day)) revert NotOpenYet(day, opensAt(day), block.timestamp);
        if (block.timestamp >= gateClosesAt(day)) revert GateClosed(day, gateClosesAt(day), block.timestamp);
    }

    function _requireSigned(OrderSheet calldata s, bytes calldata signature) private view {
        bytes32 digest = _hashTypedDataV4(
            keccak256(
                abi.encode(
                    SHEET_TYPEHASH, s.participant, s.day, s.firstLine, s.sequence, keccak256(abi.encodePacked(s.lines))
                )
            )
        );
        address signer = ECDSA.recover(digest, signature);
        if (signer != s.participant) revert NotSignedByParticipant(s.participant, signer);
    }

    /// @return orders per period that the sheet reaches up to.
    function _layersOf(OrderSheet calldata s, uint256 maxLayers) private view returns (uint256) {
        if (s.lines.length == 0) revert EmptySheet();
        uint256 last = uint256(s.firstLine) + s.lines.length - 1;
        if (last >= maxLayers * STRIPS_PER_DAY) revert LineOutOfRange(last, maxLayers * STRIPS_PER_DAY);
        return last / STRIPS_PER_DAY + 1;
    }

    /// @return added collateral of the new lines, money units.
    /// @return removed collateral of the lines they replace.
    /// @return hasNew whether any order is not just the one that stood there.
    function _writeLines(uint32 id, OrderSheet calldata s, Terms memory terms)
        private
        returns (uint256 added, uint256 removed, bool hasNew)
    {
        for (uint256 i = 0; i < s.lines.length; ++i) {
            uint256 line = s.firstLine + i;
            uint256 word = uint256(s.lines[i]);
            if (Strips.dayOf(word) != s.day) revert WrongDay(line, Strips.dayOf(word), s.day);
            uint256 place = _place(id, s.day, line);
            uint256 replaced = _lines[place];
            if (Strips.dayOf(replaced) != s.day) replaced = 0;
            if (_checkOrders(id, line, word, replaced, terms)) hasNew = true;
            if (replaced != 0) removed += _collateral(replaced, terms);
            added += _collateral(word, terms);
            _lines[place] = word;
        }
    }

    /// @return hasNew whether any order differs from the one it replaces.
    function _checkOrders(uint32 id, uint256 line, uint256 word, uint256 replaced, Terms memory terms)
        private
        view
        returns (bool hasNew)
    {
        unchecked {
            for (uint256 k = 0; k < Strips.LANES; ++k) {
                uint256 order = Strips.lane(word, k);
                if (order == 0) continue;
                if (!hasNew && order != Strips.lane(replaced, k)) hasNew = true;
                uint256 energy = Orders.energy(order);
                if (energy < terms.minEnergy) revert OrderTooSmall(line, k, energy, terms.minEnergy);
                uint256 capacity = Orders.isAsk(order) ? terms.exportCapacity : terms.importCapacity;
                if (energy > capacity) revert ExceedsCapacity(id, _slotOf(line, k), energy, capacity);
            }
        }
    }

    /// @return units collateral of the six orders of a word, money units: a buyer's highest payment; for a seller what
    /// replacing its energy may cost beyond its own limit (rule 5).
    function _collateral(uint256 word, Terms memory terms) private pure returns (uint256 units) {
        unchecked {
            for (uint256 k = 0; k < Strips.LANES; ++k) {
                uint256 order = Strips.lane(word, k);
                uint256 limit = Orders.tick(order) * UNITS_PER_TICK;
                // 27 bits of energy times 23 bits of price: six of them are far from overflow.
                if (!Orders.isAsk(order)) units += Orders.energy(order) * (limit + terms.fees);
                else if (terms.ceiling > limit) units += Orders.energy(order) * (terms.ceiling - limit);
            }
        }
    }

    /// Several orders for one period may exceed the connection only together.
    function _requireWithinConnection(uint32 id, OrderSheet calldata s, uint256 layers, Terms memory terms)
        private
        view
    {
        uint256 most = layers * Orders.ENERGY_MASK;
        if (terms.importCapacity >= most && terms.exportCapacity >= most) return;
        uint256 strips = s.lines.length < STRIPS_PER_DAY ? s.lines.length : STRIPS_PER_DAY;
        for (uint256 i = 0; i < strips; ++i) {
            uint256 strip = (s.firstLine + i) % STRIPS_PER_DAY;
            for (uint256 k = 0; k < Strips.LANES; ++k) {
                uint256 bids = 0;
                uint256 asks = 0;
                for (uint256 layer = 0; layer < layers; ++layer) {
                    uint256 word = _lines[_place(id, s.day, layer * STRIPS_PER_DAY + strip)];
                    if (Strips.dayOf(word) != s.day) continue;
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

    function _markActive(uint32 id, uint256 day, uint256 from, uint256 to) private {
        DayState storage state = _stateOf(day);
        if (to > state.layers) state.layers = uint16(to);
        if (id > state.highestId) state.highestId = id;
        for (uint256 layer = from; layer < to; ++layer) {
            uint256 place = _activePlace(day, layer, id / GROUP);
            uint256 word = _active[place];
            if (Strips.dayOf(word) != day) word = Strips.withDay(0, day);
            _active[place] = word | (1 << (id % GROUP));
        }
    }

    // ------------------------------------------------------------------------------------------------------ clearing

    /// Collects the day's lines of one group of members into `words`.
    /// @return found how many.
    function _gather(uint256 day, uint256 strip, uint256 layer, uint256 group, uint256[] memory words)
        private
        view
        returns (uint256 found)
    {
        uint256 active = _active[_activePlace(day, layer, group)];
        if (Strips.dayOf(active) != day) return 0;
        active &= Strips.LANES_MASK;
        uint256 line = layer * STRIPS_PER_DAY + strip;
        for (uint256 id = group * GROUP; active != 0; ++id) {
            if (active & 1 != 0) {
                uint256 word = _lines[_place(id, day, line)];
                if (Strips.dayOf(word) == day) words[found++] = word;
            }
            active >>= 1;
        }
    }

    /// Adds one lane of all words to its sums: the hot loop of the market.
    function _accumulate(uint256[] memory words, uint256 found, uint256 k, uint256 pivot, UniformPrice.Sums memory sums)
        private
        pure
    {
        // An energy has 27 bits: more orders than there can ever be do not overflow.
        unchecked {
            uint256 bidsAbove = sums.bidsAbove;
            uint256 bidsAt = sums.bidsAt;
            uint256 asksBelow = sums.asksBelow;
            uint256 asksAt = sums.asksAt;
            uint256 nextTick = sums.nextTick;
            for (uint256 i = 0; i < found; ++i) {
                uint256 order = Strips.lane(words[i], k);
                if (order == 0) continue;
                uint256 tick = Orders.tick(order);
                uint256 energy = Orders.energy(order);
                if (tick > pivot) {
                    if (!Orders.isAsk(order)) bidsAbove += energy;
                    if (tick < nextTick) nextTick = tick;
                } else if (tick == pivot) {
                    if (Orders.isAsk(order)) asksAt += energy;
                    else bidsAt += energy;
                } else if (Orders.isAsk(order)) {
                    asksBelow += energy;
                }
            }
            sums.bidsAbove = bidsAbove;
            sums.bidsAt = bidsAt;
            sums.asksBelow = asksBelow;
            sums.asksAt = asksAt;
            sums.nextTick = nextTick;
        }
    }

    function _conclude(uint32 day, uint256 slot, uint256 pivot, UniformPrice.Sums memory sums) private {
        if (!UniformPrice.isPivot(pivot, sums)) revert WrongPivot(slot, pivot);
        UniformPrice.Outcome memory o = UniformPrice.outcome(pivot, sums);
        _outcomes[_outcomePlace(day, slot)] = o;
        emit Cleared(day, uint16(slot), o.price, o.volume, o.rationed, o.share, o.marginal);
    }

    function _resume(bytes32 attempt, UniformPrice.Sums[6] memory sums) private view returns (uint256, uint256) {
        Progress storage progress = _progress[attempt];
        bool isFresh = progress.layer == 0 && progress.group == 0;
        for (uint256 k = 0; k < Strips.LANES; ++k) {
            Partial memory p = progress.lanes[k];
            uint256 nextTick = isFresh ? MAX_TICK : p.nextTick;
            sums[k] = UniformPrice.Sums(p.bidsAbove, p.bidsAt, p.asksBelow, p.asksAt, nextTick);
        }
        return (progress.layer, progress.group);
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

    function _bookMember(
        uint256 day,
        uint32 id,
        uint256 i,
        Positions memory p,
        uint256[] memory walked,
        UniformPrice.Outcome[] memory results
    ) private {
        Sheet storage sheet = _sheets[_place(id, day, 0)];
        if (sheet.day != day) return;
        if (sheet.locked > 0) {
            p.release[i] = sheet.locked;
            sheet.locked = 0;
        }
        uint256 layers = sheet.layers;
        uint256[] memory net = new uint256[](STRIPS_PER_DAY);
        for (uint256 strip = 0; strip < STRIPS_PER_DAY; ++strip) {
            uint256 lanes = Strips.ZERO_LANES;
            for (uint256 layer = 0; layer < layers; ++layer) {
                uint256 word = _lines[_place(id, day, layer * STRIPS_PER_DAY + strip)];
                if (Strips.dayOf(word) != day) continue;
                uint256 traded;
                int256 payment;
                (lanes, traded, payment) = _bookWord(word, strip * Strips.LANES, lanes, walked, results);
                p.traded[i] += traded;
                p.payment[i] += payment;
            }
            net[strip] = lanes;
        }
        p.net[i] = net;
    }

    /// @param slot of the word's first lane.
    /// @param lanes net energy of the member's other orders in this strip, six signed lanes.
    /// @return sum that, with what the orders of the word trade.
    /// @return traded energy they buy and sell, Wh.
    /// @return payment due for it, money units.
    function _bookWord(
        uint256 word,
        uint256 slot,
        uint256 lanes,
        uint256[] memory walked,
        UniformPrice.Outcome[] memory results
    ) private pure returns (uint256 sum, uint256 traded, int256 payment) {
        sum = lanes;
        // An energy has 27 bits, a price 19, and a member's 1,024 lines of 27 bits stay within a signed lane.
        unchecked {
            for (uint256 shift = 0; shift < Strips.DAY_SHIFT; shift += Strips.LANE_BITS) {
                uint256 order = (word >> shift) & Strips.LANE_MASK;
                if (order != 0) {
                    uint256 filled = _fill(order, results[slot], walked, slot);
                    int256 value = int256(filled * results[slot].price * UNITS_PER_TICK);
                    traded += filled;
                    if (Orders.isAsk(order)) {
                        sum -= filled << shift;
                        payment -= value;
                    } else {
                        sum += filled << shift;
                        payment += value;
                    }
                }
                ++slot;
            }
        }
    }

    /// @return Wh of the order that trade.
    function _fill(uint256 order, UniformPrice.Outcome memory o, uint256[] memory walked, uint256 slot)
        private
        pure
        returns (uint256)
    {
        if (o.volume == 0) return 0;
        uint256 energy = Orders.energy(order);
        uint256 tick = Orders.tick(order);
        bool isAsk = Orders.isAsk(order);
        if (tick != o.price) return (tick < o.price) == isAsk ? energy : 0;
        if (o.rationed != (isAsk ? UniformPrice.Rationed.Asks : UniformPrice.Rationed.Bids)) return energy;
        uint256 before = walked[slot];
        walked[slot] = before + energy;
        return ProRata.fillDown(before, energy, o.share, o.marginal);
    }

    function _loadOutcomes(uint256 day) private view returns (UniformPrice.Outcome[] memory results) {
        results = new UniformPrice.Outcome[](PERIODS_PER_DAY);
        for (uint256 slot = 0; slot < PERIODS_PER_DAY; ++slot) {
            results[slot] = _outcomes[_outcomePlace(day, slot)];
        }
    }

    function _loadWalked(uint256 day, bool isFresh) private view returns (uint256[] memory walked) {
        walked = new uint256[](PERIODS_PER_DAY);
        if (isFresh) return walked;
        for (uint256 slot = 0; slot < PERIODS_PER_DAY; slot += 3) {
            uint256 word = _walked[_outcomePlace(day, slot)];
            walked[slot] = uint80(word);
            walked[slot + 1] = uint80(word >> 80);
            walked[slot + 2] = uint80(word >> 160);
        }
    }

    function _storeWalked(uint256 day, uint256[] memory walked) private {
        for (uint256 slot = 0; slot < PERIODS_PER_DAY; slot += 3) {
            _walked[_outcomePlace(day, slot)] = walked[slot] | (walked[slot + 1] << 80) | (walked[slot + 2] << 160);
        }
    }

    // -------------------------------------------------------------------------------------------------------- reading

    function _countOrders(uint256 day, uint256 slot, uint32 firstId, uint256 count) private view returns (uint256 n) {
        DayState storage state = _days[day % Strips.RING];
        if (state.day != day || state.cleared & (1 << (slot / Strips.LANES)) == 0) revert NotCleared(day);
        for (uint32 id = firstId; id < firstId + count; ++id) {
            uint256 layers = _layersInUse(id, day);
            for (uint256 layer = 0; layer < layers; ++layer) {
                if (_orderOf(id, day, layer, slot) != 0) ++n;
            }
        }
    }

    function _layersInUse(uint32 id, uint256 day) private view returns (uint256) {
        Sheet storage sheet = _sheets[_place(id, day, 0)];
        return sheet.day == day ? sheet.layers : 0;
    }

    function _orderOf(uint32 id, uint256 day, uint256 layer, uint256 slot) private view returns (uint256) {
        uint256 word = _lines[_place(id, day, layer * STRIPS_PER_DAY + slot / Strips.LANES)];
        return Strips.dayOf(word) == day ? Strips.lane(word, slot % Strips.LANES) : 0;
    }

    // -------------------------------------------------------------------------------------------------------- places

    /// State of the day, taken over from the day that used its ring place before.
    function _stateOf(uint256 day) private returns (DayState storage state) {
        state = _days[day % Strips.RING];
        if (state.day > day) revert DayIsOver(day);
        if (state.day < day) {
            RULES.requireRoom(day);
            _days[day % Strips.RING] = DayState(uint16(day), 0, 0, 0, 1);
        }
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

    function _slotOf(uint256 line, uint256 k) private view returns (uint256) {
        return (line % STRIPS_PER_DAY) * Strips.LANES + k;
    }
}
