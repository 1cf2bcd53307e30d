// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {IExchange} from "../interfaces/IExchange.sol";
import {IMarketRules} from "../interfaces/IMarketRules.sol";
import {IMeterReadings, ReadingSheet, SignedReadings} from "../interfaces/IMeterReadings.sol";
import {IParticipantRegistry} from "../interfaces/IParticipantRegistry.sol";
import {Calendar, CalendarParameters} from "../types/Calendar.sol";
import {GRID_OPERATOR} from "../types/Members.sol";
import {Ring} from "../types/Ring.sol";
import {SigningDomain} from "../types/SigningDomain.sol";
import {Strips} from "../types/Strips.sol";
import {Energy} from "../types/Units.sol";
import {Coverages} from "./Coverages.sol";

/// @title Meter readings
contract MeterReadings is IMeterReadings, SigningDomain, Calendar {
    bytes32 private constant SHEET_TYPEHASH =
        keccak256("ReadingSheet(address meter,uint32 day,uint8 firstStrip,uint40 sequence,bytes registers)");
    uint256 private constant REGISTER_BYTES = 16;

    /// The latest reading of a meter in time.
    struct Meter {
        uint64 importWh;
        uint64 exportWh;
        /// Unix time of that reading.
        uint64 readAt;
    }

    struct DayState {
        uint16 day;
        bool isClosed;
        /// Next member to be looked at by close.
        uint32 nextId;
        uint32 members;
        uint32 version;
    }

    IParticipantRegistry private immutable REGISTRY;
    IMarketRules private immutable RULES;
    IExchange private immutable EXCHANGE;

    mapping(address meter => Meter) private _meters;
    /// See Coverages.sol.
    mapping(uint256 key => uint256) private _coverage;
    mapping(uint256 key => uint256) private _words;
    /// Sum over all meters but the boundary's, per ring place and strip, six signed lanes.
    mapping(uint256 key => uint256) private _totals;
    mapping(uint256 ringPlace => DayState) private _days;

    constructor(
        CalendarParameters memory calendar_,
        IParticipantRegistry registry,
        IMarketRules rules,
        IExchange exchange
    ) Calendar(calendar_) {
        REGISTRY = registry;
        RULES = rules;
        EXCHANGE = exchange;
    }

    /// @inheritdoc IMeterReadings
    function submit(SignedReadings[] calldata sheets) external {
        for (uint256 i = 0; i < sheets.length; ++i) {
            try this.enter(sheets[i]) {}
            catch (bytes memory reason) {
                if (reason.length == 0) revert ReadingBatchOutOfGas(i);
                ReadingSheet calldata s = sheets[i].sheet;
                // A settlement is no reason that stays: the batch is brought again, and no sheet is on record as rejected for it.
                if (bytes4(reason) == DayBeingSettled.selector) revert DayBeingSettled(s.day);
                emit ReadingsRejected(s.meter, s.day, s.sequence, reason);
            }
        }
    }

    /// @inheritdoc IMeterReadings
    function enter(SignedReadings calldata signed) external {
        ReadingSheet calldata s = signed.sheet;
        // First of all: a rejection for any other reason then proves who signed.
        _requireSigned(s, signed.r, signed.vs);
        uint256 strips = _stripsOf(s);
        _requireInTime(s, strips);
        (uint32 id, uint256 importCapacity, uint256 exportCapacity) = REGISTRY.metered(s.meter, s.day);
        DayState storage state = _stateOf(s.day);
        // A walk under way ends on the readings that it began with.
        if (state.isClosed && RULES.dayInSettlement() == s.day) revert DayBeingSettled(s.day);
        bool isCorrection = _cover(id, s, strips);
        _continueRegisters(id, s, strips);

        bool hasChanged = false;
        bytes calldata registers = s.registers;
        for (uint256 i = 0; i < strips; ++i) {
            uint256 lanes = _decode(id, registers, s.firstStrip, i, importCapacity, exportCapacity);
            if (_record(id, s.day, s.firstStrip + i, lanes)) hasChanged = true;
        }
        if (state.isClosed && hasChanged) ++state.version;
        emit ReadingsAccepted(id, s.day, s.firstStrip, s.sequence, isCorrection, s.registers);
    }

    /// @inheritdoc IMeterReadings
    function close(uint32 day, uint256 count) external {
        if (block.timestamp < meteringDeadline(day)) {
            revert DeadlineNotReached(day, meteringDeadline(day), block.timestamp);
        }
        if (count == 0) revert NoMembersAsked();
        // In the order of days, because a missing reading is estimated from the day before.
        if (day > 1 && RULES.lastFinalDay() < day - 1 && !isClosed(day - 1)) revert ReadingsNotClosed(day - 1);
        DayState storage state = _stateOf(day);
        if (state.isClosed) revert AlreadyClosed(day);
        uint32 firstId = state.nextId;
        uint256 left = uint256(REGISTRY.memberCount()) + 1 - firstId;
        if (count > left) count = left;
        for (uint256 i = 0; i < count; ++i) {
            _estimateMissing(firstId + uint32(i), day);
        }
        state.nextId = firstId + uint32(count);
        if (count == left) {
            state.isClosed = true;
            state.members = state.nextId - 1;
            _compareBoundary(day);
            emit MeteringClosed(day, state.members);
        }
    }

    /// @inheritdoc IMeterReadings
    function isClosed(uint256 day) public view returns (bool) {
        DayState storage state = _days[Ring.place(day)];
        return state.day == day && state.isClosed;
    }

    /// @inheritdoc IMeterReadings
    function membersOf(uint256 day) external view returns (uint32) {
        return _closedState(day).members;
    }

    /// @inheritdoc IMeterReadings
    function versionOf(uint256 day) external view returns (uint256) {
        return _closedState(day).version;
    }

    /// @inheritdoc IMeterReadings
    function netOf(uint256 day, uint32 firstId, uint256 count) external view returns (uint256[][] memory net) {
        net = new uint256[][](count);
        for (uint256 i = 0; i < count; ++i) {
            uint32 id = firstId + uint32(i);
            if (Coverages.hasAny(_coverageOf(id, day))) net[i] = _netOfMember(id, day);
        }
        (uint32 desk, uint256[] memory exchange) = EXCHANGE.exchangeOf(day);
        if (desk >= firstId && desk - firstId < count) {
            net[desk - firstId] = _addExchange(net[desk - firstId], exchange);
        }
    }

    /// @inheritdoc IMeterReadings
    function areaNet(uint256 day) external view returns (int256[] memory net) {
        net = new int256[](PERIODS_PER_DAY);
        (uint32 desk, uint256[] memory exchange) = EXCHANGE.exchangeOf(day);
        uint256 atBoundary = _coverageOf(GRID_OPERATOR, day);
        for (uint256 strip = 0; strip < STRIPS_PER_DAY; ++strip) {
            uint256 word = Coverages.has(atBoundary, strip)
                ? _words[Ring.lineKey(GRID_OPERATOR, day, strip)]
                : _totals[Ring.lineKey(0, day, strip)];
            uint256 lanes = Strips.signedLanes(word, day);
            if (desk != 0) lanes = Strips.addSigned(lanes, exchange[strip]);
            for (uint256 k = 0; k < Strips.LANES; ++k) {
                net[strip * Strips.LANES + k] = Strips.signedLane(lanes, k);
            }
        }
    }

    /// @inheritdoc IMeterReadings
    function boundaryOf(uint256 day) external view returns (uint256 strips) {
        uint256 coverage = _coverageOf(GRID_OPERATOR, day);
        for (uint256 strip = 0; strip < STRIPS_PER_DAY; ++strip) {
            if (Coverages.has(coverage, strip)) strips |= 1 << strip;
        }
    }

    // ------------------------------------------------------------------------------------------------ taking readings

    function _stripsOf(ReadingSheet calldata s) private view returns (uint256 strips) {
        uint256 stripBytes = REGISTER_BYTES * Strips.LANES;
        uint256 given = s.registers.length;
        if (given < REGISTER_BYTES + stripBytes || (given - REGISTER_BYTES) % stripBytes != 0) {
            revert BadRegisters(given);
        }
        strips = (given - REGISTER_BYTES) / stripBytes;
        if (s.firstStrip + strips > STRIPS_PER_DAY) revert StripOutOfRange(s.firstStrip, strips, STRIPS_PER_DAY);
    }

    /// Notes what the sheet covers, if it is the latest for each of its strips: sheets for different strips come in any order.
    /// @return isCorrection whether any of them had a value before.
    function _cover(uint32 id, ReadingSheet calldata s, uint256 strips) private returns (bool isCorrection) {
        uint256 coverage = _coverageOf(id, s.day);
        uint256 ones = Coverages.onesOf(s.firstStrip, strips);
        uint256 sequence = s.sequence;
        if (sequence > Coverages.MAX_SEQUENCE) revert SequenceTooHigh(sequence, Coverages.MAX_SEQUENCE);
        uint256 stale = sequence == 0 ? ones : Coverages.stale(coverage, ones, sequence);
        if (stale != 0) {
            uint256 strip = Coverages.firstOf(stale);
            revert StaleReading(id, strip, sequence, Coverages.sequenceOf(coverage, strip));
        }
        uint256 covered = Coverages.covered(coverage, ones, sequence);
        _coverage[Ring.lineKey(id, s.day, 0)] = covered;
        isCorrection = Coverages.isAnyOf(coverage, ones);
    }

    function _requireInTime(ReadingSheet calldata s, uint256 strips) private view {
        uint256 endsAt = _timeOf(s.day, s.firstStrip + strips);
        if (endsAt > block.timestamp) revert ReadingFromFuture(endsAt, block.timestamp);
        if (block.timestamp >= correctionsCloseAt(s.day)) {
            revert CorrectionWindowClosed(s.day, correctionsCloseAt(s.day), block.timestamp);
        }
    }

    function _requireSigned(ReadingSheet calldata s, bytes32 r, bytes32 vs) private view {
        bytes32 digest = _hashTypedDataV4(
            keccak256(abi.encode(SHEET_TYPEHASH, s.meter, s.day, s.firstStrip, s.sequence, keccak256(s.registers)))
        );
        address signer = ECDSA.recover(digest, r, vs);
        if (signer != s.meter) revert NotSignedByMeter(s.meter, signer);
    }

    /// A sheet that goes on in time must continue the registers where they stood (or later, after a gap); one for periods
    /// already passed is late or a correction, which capacity and monotony bound.
    function _continueRegisters(uint32 id, ReadingSheet calldata s, uint256 strips) private {
        Meter memory last = _meters[s.meter];
        uint256 startsAt = _timeOf(s.day, s.firstStrip);
        uint256 endsAt = _timeOf(s.day, s.firstStrip + strips);
        if (last.readAt != 0 && startsAt >= last.readAt) {
            (uint256 importWh, uint256 exportWh) = _registerAt(s.registers, 0);
            bool isGap = startsAt > last.readAt;
            if (importWh < last.importWh || (importWh != last.importWh && !isGap)) {
                revert RegisterGap(id, importWh, last.importWh);
            }
            if (exportWh < last.exportWh || (exportWh != last.exportWh && !isGap)) {
                revert RegisterGap(id, exportWh, last.exportWh);
            }
        }
        if (endsAt >= last.readAt) {
            (uint256 importWh, uint256 exportWh) = _registerAt(s.registers, strips * Strips.LANES);
            _meters[s.meter] = Meter(uint64(importWh), uint64(exportWh), uint64(endsAt));
        }
    }

    /// @return lanes net energy of the sheet's strip i.
    function _decode(
        uint32 id,
        bytes calldata registers,
        uint256 firstStrip,
        uint256 i,
        uint256 importCapacity,
        uint256 exportCapacity
    ) private pure returns (uint256 lanes) {
        // A register that runs backwards wraps to an advance beyond any capacity, and capacities stay within a signed lane.
        unchecked {
            uint256 n = i * Strips.LANES;
            (uint256 importBefore, uint256 exportBefore) = _registerAt(registers, n);
            for (uint256 shift = 0; shift < Strips.DAY_SHIFT; shift += Strips.LANE_BITS) {
                (uint256 importWh, uint256 exportWh) = _registerAt(registers, ++n);
                uint256 imported = importWh - importBefore;
                uint256 exported = exportWh - exportBefore;
                if (imported > importCapacity || exported > exportCapacity) {
                    uint256 slot = firstStrip * Strips.LANES + n - 1;
                    _requireAdvance(id, slot, importWh, importBefore, importCapacity);
                    _requireAdvance(id, slot, exportWh, exportBefore, exportCapacity);
                }
                lanes |= (Strips.BIAS + imported - exported) << shift;
                (importBefore, exportBefore) = (importWh, exportWh);
            }
        }
    }

    function _requireAdvance(uint32 id, uint256 slot, uint256 register, uint256 before, uint256 capacity) private pure {
        if (register < before) revert NotMonotone(slot, register, before);
        if (register - before > capacity) revert ReadingExceedsCapacity(id, slot, register - before, capacity);
    }

    function _registerAt(bytes calldata registers, uint256 n)
        private
        pure
        returns (uint256 importWh, uint256 exportWh)
    {
        // Read straight from the message: slicing it costs 300 gas a period. _stripsOf has checked the length.
        uint256 both;
        assembly ("memory-safe") {
            both := shr(128, calldataload(add(registers.offset, shl(4, n))))
        }
        return (both >> 64, uint64(both));
    }

    // ------------------------------------------------------------------------------------------------ one writer per word

    /// Writes a strip's values and keeps the sum of all meters in step.
    /// @return hasChanged whether any of them is not what counted before.
    function _record(uint32 id, uint256 day, uint256 strip, uint256 lanes) private returns (bool hasChanged) {
        uint256 key = Ring.lineKey(id, day, strip);
        uint256 word = _words[key];
        uint256 replaced = Strips.signedLanes(word, day);
        _words[key] = Strips.withDay(lanes, day);
        // Not yet read is not zero: what the grid operator's boundary meter shows counts from when it is there.
        hasChanged = replaced != lanes & ~Strips.ALL_FLAGS || (id == GRID_OPERATOR && Strips.dayOf(word) != day);
        if (id == GRID_OPERATOR) return hasChanged;
        uint256 totalKey = Ring.lineKey(0, day, strip);
        uint256 total = Strips.signedLanes(_totals[totalKey], day);
        total = Strips.addSigned(_subtract(total, replaced), lanes & ~Strips.ALL_FLAGS);
        _totals[totalKey] = Strips.withDay(total, day);
    }

    /// Substitute values: the member's own of the same slots the day before, else zero; flagged, to be corrected later.
    function _estimateMissing(uint32 id, uint32 day) private {
        uint256 coverage = _coverageOf(id, day);
        // Nearly always everything is there: then the registry need not be asked.
        if (Coverages.isWhole(coverage, STRIPS_PER_DAY) || id == GRID_OPERATOR || !REGISTRY.isMetered(id, day)) return;
        for (uint256 strip = 0; strip < STRIPS_PER_DAY; ++strip) {
            if (Coverages.has(coverage, strip)) continue;
            uint256 lanes = Strips.ZERO_LANES;
            if (day > 1) lanes = Strips.signedLanes(_words[Ring.lineKey(id, day - 1, strip)], day - 1);
            lanes |= Strips.ALL_FLAGS;
            _record(id, day, strip, lanes);
            coverage = Coverages.covered(coverage, Coverages.onesOf(strip, 1), 0);
            emit Estimated(id, day, uint8(strip), lanes);
        }
        _coverage[Ring.lineKey(id, day, 0)] = coverage;
    }

    /// @return net by strip, six signed lanes; the grid operator's is the losses, what its boundary meter has beyond all others.
    function _netOfMember(uint32 id, uint256 day) private view returns (uint256[] memory net) {
        net = new uint256[](STRIPS_PER_DAY);
        uint256 key = Ring.lineKey(id, day, 0);
        for (uint256 strip = 0; strip < net.length; ++strip) {
            uint256 word = _words[key | strip];
            uint256 lanes = Strips.signedLanes(word, day);
            if (id == GRID_OPERATOR && Strips.dayOf(word) == day) {
                lanes = _subtract(lanes, Strips.signedLanes(_totals[Ring.lineKey(0, day, strip)], day));
            }
            net[strip] = lanes;
        }
    }

    /// What the desk nominated comes on top of what its meter, if it has one, has read.
    function _addExchange(uint256[] memory net, uint256[] memory exchange) private pure returns (uint256[] memory) {
        for (uint256 strip = 0; strip < net.length; ++strip) {
            exchange[strip] = Strips.addSigned(net[strip], exchange[strip]);
        }
        return exchange;
    }

    function _compareBoundary(uint32 day) private {
        uint256 atBoundary = _coverageOf(GRID_OPERATOR, day);
        int256 margin = int256(uint256(Energy.unwrap(RULES.rulesOf(day).boundaryMargin)));
        for (uint256 strip = 0; strip < STRIPS_PER_DAY; ++strip) {
            if (!Coverages.has(atBoundary, strip)) continue;
            uint256 boundaryLanes = _words[Ring.lineKey(GRID_OPERATOR, day, strip)];
            uint256 sumLanes = Strips.signedLanes(_totals[Ring.lineKey(0, day, strip)], day);
            for (uint256 k = 0; k < Strips.LANES; ++k) {
                int256 boundary = Strips.signedLane(boundaryLanes, k);
                int256 sum = Strips.signedLane(sumLanes, k);
                if (boundary - sum > margin || sum - boundary > margin) {
                    emit BoundaryMismatch(day, uint16(strip * Strips.LANES + k), boundary, sum);
                }
            }
        }
    }

    /// a - b in every signed lane. Sums of a whole area stay far inside a lane's +-274 GWh.
    function _subtract(uint256 a, uint256 b) private pure returns (uint256) {
        unchecked {
            return a + Strips.ZERO_LANES - b;
        }
    }

    function _closedState(uint256 day) private view returns (DayState storage state) {
        if (!isClosed(day)) revert ReadingsNotClosed(day);
        state = _days[Ring.place(day)];
    }

    function _stateOf(uint256 day) private returns (DayState storage state) {
        state = _days[Ring.place(day)];
        if (state.day > day) revert ReadingDayIsOver(day);
        if (state.day < day) {
            // The day that makes room here is what the one after it is estimated from, which has to be final too.
            RULES.requireRoom(day + 1);
            _days[Ring.place(day)] = DayState(uint16(day), false, 1, 0, 0);
        }
    }

    function _coverageOf(uint32 id, uint256 day) private view returns (uint256 coverage) {
        coverage = _coverage[Ring.lineKey(id, day, 0)];
        if (Strips.dayOf(coverage) != day) return Strips.withDay(0, day);
    }

    /// @return unix time at which a strip of a day begins.
    function _timeOf(uint256 day, uint256 strip) private view returns (uint256) {
        return startOf(day) + strip * Strips.LANES * PERIOD_LENGTH;
    }
}
