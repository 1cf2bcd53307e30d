// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {IExchange} from "../interfaces/IExchange.sol";
import {IMarketRules} from "../interfaces/IMarketRules.sol";
import {IMeterReadings, Meter, ReadingSheet, SignedReadings} from "../interfaces/IMeterReadings.sol";
import {IMeters, Taken} from "../interfaces/IMeters.sol";
import {IParticipantRegistry, Metered} from "../interfaces/IParticipantRegistry.sol";
import {Calendar, CalendarParameters} from "../types/Calendar.sol";
import {GRID_OPERATOR} from "../types/Members.sol";
import {Ring} from "../types/Ring.sol";
import {SigningDomain} from "../types/SigningDomain.sol";
import {Strips} from "../types/Strips.sol";
import {Energy} from "../types/Units.sol";
import {Coverages} from "./Coverages.sol";
import {Registers} from "./Registers.sol";

/// @title Meter readings
contract MeterReadings is IMeterReadings, AccessManaged, SigningDomain, Calendar {
    bytes32 private constant SHEET_TYPEHASH = keccak256(
        "ReadingSheet(address meter,uint32 day,uint8 firstStrip,uint40 sequence,bytes registers,uint96 substituted)"
    );

    /// What a connection carries for a while, in times of its capacity: more than that in a period no meter has counted.
    uint256 private constant PLAUSIBLE = 2;

    /// What bounds the readings of a sheet.
    struct Connection {
        uint32 id;
        uint32 day;
        uint256 importCapacity;
        uint256 exportCapacity;
        /// Most that is plausible in a period, either way, Wh.
        uint256 most;
        /// First day since which the member has taken part without a break.
        uint256 since;
        /// Whether the member has, or had, several meters; then what the sheet comes to with the others.
        bool isOneOfSeveral;
        Taken taken;
    }

    /// What a sheet adds to what its meter shows and no period was billed for, Wh.
    struct Change {
        int256 importWh;
        int256 exportWh;
        /// Strips whose estimates it replaces, a bit each.
        uint256 replaced;
    }

    struct DayState {
        uint16 day;
        bool isClosed;
        /// Next member to be looked at by close.
        uint32 nextId;
        uint32 members;
        uint32 version;
        /// Strips in which somebody is estimated, a bit each.
        uint16 estimated;
    }

    IParticipantRegistry private immutable REGISTRY;
    IMeters private immutable METERS;
    IMarketRules private immutable RULES;
    IExchange private immutable EXCHANGE;

    /// By member and meter: one stays when its member moves out, and counts for the next one then.
    mapping(uint256 key => Meter) private _meters;
    /// Most losses that the boundary meter has shown in a period, + 1; 0 until it has read, Wh.
    uint256 private _mostLosses;
    /// See Coverages.sol.
    mapping(uint256 key => uint256) private _coverage;
    mapping(uint256 key => uint256) private _words;
    /// Sum over all meters but the boundary's, per ring place and strip, six signed lanes.
    mapping(uint256 key => uint256) private _totals;
    mapping(uint256 ringPlace => DayState) private _days;
    /// How many are estimated in a strip of a day, with the day.
    mapping(uint256 key => uint256) private _estimates;

    constructor(
        address authority,
        CalendarParameters memory calendar_,
        IParticipantRegistry registry,
        IMeters meters,
        IMarketRules rules,
        IExchange exchange
    ) AccessManaged(authority) Calendar(calendar_) {
        REGISTRY = registry;
        METERS = meters;
        RULES = rules;
        EXCHANGE = exchange;
    }

    /// @inheritdoc IMeterReadings
    function submit(SignedReadings[] calldata sheets) external {
        for (uint256 i = 0; i < sheets.length; ++i) {
            try this.enter(sheets[i]) {}
            catch (bytes memory reason) {
                bool isOutOfGas = reason.length == 0 || bytes4(reason) == IParticipantRegistry.TooLittleGas.selector;
                if (isOutOfGas) revert ReadingBatchOutOfGas(i);
                ReadingSheet calldata s = sheets[i].sheet;
                // A settlement is no reason that stays: the batch is brought again, and no sheet is on record as rejected for it.
                if (bytes4(reason) == DayBeingSettled.selector) revert DayBeingSettled(s.day);
                emit ReadingsRejected(s.meter, s.day, s.sequence, reason);
            }
        }
    }

    /// @inheritdoc IMeterReadings
    // Only the registry and the meters are called, which call nobody else.
    // slither-disable-next-line reentrancy-no-eth
    function enter(SignedReadings calldata signed) external {
        ReadingSheet calldata s = signed.sheet;
        // First of all: a rejection for any other reason then proves who signed.
        _requireSigned(s, signed.r, signed.vs);
        uint256 strips = _stripsOf(s);
        _requireInTime(s, strips);
        Connection memory c = _connectionOf(s);
        uint32 id = c.id;
        DayState storage state = _stateOf(s.day);
        // A walk under way ends on the readings that it began with.
        if (state.isClosed && RULES.dayInSettlement() == s.day) revert DayBeingSettled(s.day);
        uint256[] memory lanes = _decodeAll(c, s, strips);
        uint256 leftOut = 0;
        for (uint256 i = 0; i < strips; ++i) {
            if (lanes[i] == 0) leftOut |= 1 << i;
        }
        bool isCorrection = _cover(c, s, lanes, state.isClosed);

        bool hasChanged = false;
        for (uint256 i = 0; i < strips; ++i) {
            if (lanes[i] == 0) continue;
            uint256 strip = s.firstStrip + i;
            if (_record(id, s.day, strip, lanes[i])) hasChanged = true;
            // What it shows of an open day is not comparable: not all others are read.
            if (id == GRID_OPERATOR && state.isClosed) _noteLosses(s.day, strip);
        }
        if (state.isClosed && hasChanged) ++state.version;
        emit ReadingsAccepted(id, s.day, s.firstStrip, s.sequence, isCorrection, s.registers, leftOut, s.substituted);
    }

    /// @inheritdoc IMeterReadings
    // Only the registry is called, which calls nobody.
    // slither-disable-next-line reentrancy-no-eth
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
    function meterOf(uint32 id, address meter) external view returns (Meter memory) {
        return _meters[_meterKey(id, meter)];
    }

    /// @inheritdoc IMeterReadings
    function requireRead(uint32 id, uint256 since, uint256 until) external view {
        for (uint256 day = RULES.lastFinalDay() + 1; day <= Strips.MAX_DAY && startOf(day) < until; ++day) {
            uint256 coverage = _coverageOf(id, day);
            for (uint256 strip = 0; strip < STRIPS_PER_DAY && _timeOf(day, strip) < until; ++strip) {
                if (Coverages.has(coverage, strip) || _timeOf(day, strip) < since) continue;
                revert StripStillOpen(id, day, strip);
            }
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
            uint256 lanes = _boundaryLanes(day, strip, atBoundary);
            if (desk != 0) lanes = Strips.addSigned(lanes, exchange[strip]);
            for (uint256 k = 0; k < Strips.LANES; ++k) {
                net[strip * Strips.LANES + k] = Strips.signedLane(lanes, k);
            }
        }
    }

    /// @inheritdoc IMeterReadings
    function boundaryOf(uint256 day) external view returns (uint256 strips, uint256 estimated) {
        uint256 coverage = _coverageOf(GRID_OPERATOR, day);
        for (uint256 strip = 0; strip < STRIPS_PER_DAY; ++strip) {
            if (Coverages.sequenceOf(coverage, strip) != 0) strips |= 1 << strip;
        }
        DayState storage state = _days[Ring.place(day)];
        if (state.day == day) estimated = state.estimated & ~strips;
    }

    // ------------------------------------------------------------------------------------------------ taking readings

    function _stripsOf(ReadingSheet calldata s) private view returns (uint256 strips) {
        uint256 stripBytes = Registers.BYTES * Strips.LANES;
        uint256 given = s.registers.length;
        if (given < Registers.BYTES + stripBytes || (given - Registers.BYTES) % stripBytes != 0) {
            revert BadRegisters(given);
        }
        strips = (given - Registers.BYTES) / stripBytes;
        if (s.firstStrip + strips > STRIPS_PER_DAY) revert StripOutOfRange(s.firstStrip, strips, STRIPS_PER_DAY);
    }

    function _connectionOf(ReadingSheet calldata s) private view returns (Connection memory c) {
        Metered memory m = REGISTRY.metered(s.meter, s.day);
        (c.id, c.importCapacity, c.exportCapacity) = (m.id, m.importCapacity, m.exportCapacity);
        (c.since, c.isOneOfSeveral) = (m.since, m.isOneOfSeveral);
        c.day = s.day;
        // The boundary's is beyond what all connections carry.
        c.most = c.importCapacity;
        if (c.id == GRID_OPERATOR) return c;
        if (c.exportCapacity > c.most) c.most = c.exportCapacity;
        c.most *= PLAUSIBLE;
    }

    /// Notes what the sheet covers, if it is the latest for each of its strips.
    /// @param lanes of its strips, 0 for one that is left out; of one of several meters what all of them come to afterwards.
    /// @return isCorrection whether any of them had a value before.
    // The meters and the registry are called, which call nobody.
    // slither-disable-next-line reentrancy-no-eth
    function _cover(Connection memory c, ReadingSheet calldata s, uint256[] memory lanes, bool isClosed_)
        private
        returns (bool isCorrection)
    {
        uint256 coverage = _coverageOf(c.id, s.day);
        bool isWholeSheet = false;
        uint256 later = coverage;
        if (c.isOneOfSeveral) {
            isCorrection = Coverages.isAnyOf(coverage, Coverages.onesOf(s.firstStrip, lanes.length));
            Meter memory last = _meters[_meterKey(c.id, s.meter)];
            uint256 since = last.since;
            if (!_isAccounted(c, last)) since = isClosed_ || _hasEstimate(coverage) ? type(uint256).max : 0;
            c.taken = METERS.take(s, lanes, _readBefore(c.id, s, coverage, lanes.length), coverage, since);
            for (uint256 i = 0; i < lanes.length; ++i) {
                lanes[i] = c.taken.totals[i];
                if (lanes[i] == 0) continue;
                // Each of them counts its own sheets; what the first one has brought alone stays brought.
                uint256 sequence = Coverages.sequenceOf(coverage, s.firstStrip + i);
                if (sequence == 0) sequence = 1;
                later = Coverages.covered(later, Coverages.onesOf(s.firstStrip + i, 1), sequence);
            }
        } else {
            (later, isCorrection, isWholeSheet) = Coverages.entered(coverage, c.id, s.firstStrip, lanes, s.sequence);
        }
        _coverage[Ring.lineKey(c.id, s.day, 0)] = later;
        _continueRegisters(c, s, lanes, coverage, isClosed_, !isCorrection && isWholeSheet);
        if (c.taken.ended != address(0)) _end(c.id, c.taken.ended);
    }

    /// @return words of the sheet's strips that count as read, 0 for others.
    function _readBefore(uint32 id, ReadingSheet calldata s, uint256 coverage, uint256 strips)
        private
        view
        returns (uint256[] memory words)
    {
        words = new uint256[](strips);
        for (uint256 i = 0; i < strips; ++i) {
            uint256 strip = s.firstStrip + i;
            if (Coverages.sequenceOf(coverage, strip) != 0) words[i] = _words[Ring.lineKey(id, s.day, strip)];
        }
    }

    /// What a meter showed when it was removed is accounted for like a reading.
    // The meters and the registry are called, which call nobody.
    // slither-disable-next-line reentrancy-no-eth
    function _end(uint32 id, address meter) private {
        (uint40 time, uint64 importWh, uint64 exportWh) = METERS.notedOf(meter, true);
        Meter storage last = _meters[_meterKey(id, meter)];
        if (last.id != id || time <= last.readAt) return;
        // What it has signed counts more than what was noted.
        if (importWh < last.importWh || exportWh < last.exportWh) return;
        METERS.addUnbilled(
            id, int256(uint256(importWh - last.importWh)), int256(uint256(exportWh - last.exportWh)), 0, 0, false
        );
        (last.importWh, last.exportWh, last.readAt) = (importWh, exportWh, time);
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
            keccak256(
                abi.encode(
                    SHEET_TYPEHASH, s.meter, s.day, s.firstStrip, s.sequence, keccak256(s.registers), s.substituted
                )
            )
        );
        address signer = ECDSA.recover(digest, r, vs);
        if (signer != s.meter) revert NotSignedByMeter(s.meter, signer);
    }

    /// A sheet that goes on in time must continue the registers where they stood (or later, after a gap). Whatever they advance by
    /// and no period is billed for is kept; a late sheet or a correction takes from that, and from nothing else.
    /// @param coverage of the day before this sheet.
    /// @param isPlain whether it has no value but new ones, and leaves none out.
    // The meters and the registry are called, which call nobody.
    // slither-disable-next-line reentrancy-no-eth
    function _continueRegisters(
        Connection memory c,
        ReadingSheet calldata s,
        uint256[] memory lanes,
        uint256 coverage,
        bool isClosed_,
        bool isPlain
    ) private {
        Meter memory last = _meters[_meterKey(c.id, s.meter)];
        uint256 startsAt = _timeOf(s.day, s.firstStrip);
        uint256 endsAt = startsAt + lanes.length * Strips.LANES * PERIOD_LENGTH;
        if (!_isAccounted(c, last)) {
            // What was noted of one that reads anew after a break is not where it stands.
            bool isNoted = c.isOneOfSeveral && last.id == 0;
            (uint40 time, uint64 importNoted, uint64 exportNoted) = isNoted ? METERS.notedOf(s.meter, false) : (0, 0, 0);
            // An account begins before anything of the day is estimated, so that each of its estimates is counted, or none.
            if (time == 0) {
                if (isClosed_ || _hasEstimate(coverage)) {
                    if (c.isOneOfSeveral) _billOthers(c, s, lanes, coverage);
                    return;
                }
                METERS.beginAccount(c.id, startsAt, c.isOneOfSeveral);
                _endFormer(c, s, startsAt);
            }
            last = time == 0 ? _begun(c.id, s, startsAt) : Meter(importNoted, exportNoted, time, time, c.id, false);
        }
        bool goesOn = startsAt >= last.readAt;
        Change memory change = Change(0, 0, 0);
        if (goesOn) change = _gapBefore(c, s, last, startsAt);
        if (!goesOn || !isPlain) change = _beyondBilled(c, s, lanes, coverage, last, endsAt);
        bool isAny = change.importWh != 0 || change.exportWh != 0 || change.replaced != 0;
        if (isAny) {
            uint256 from = goesOn ? last.readAt : startsAt;
            _requirePlausible(c, change.importWh, change.exportWh, (endsAt - from) / PERIOD_LENGTH);
        }
        // A gap in which the register stood still ends as any other.
        bool isAfterGap = startsAt > last.readAt;
        if (c.id != GRID_OPERATOR && (isAny || isAfterGap)) {
            METERS.addUnbilled(c.id, change.importWh, change.exportWh, s.day, change.replaced, isAfterGap);
        }
        if (endsAt < last.readAt) return;
        (uint256 importWh, uint256 exportWh) = Registers.nth(s.registers, lanes.length * Strips.LANES);
        _meters[_meterKey(c.id, s.meter)] =
            Meter(uint64(importWh), uint64(exportWh), uint40(endsAt), last.since, c.id, false);
        if (last.isSilent || (c.isOneOfSeveral && REGISTRY.isSilent(c.id))) REGISTRY.setSilent(c.id, false);
    }

    /// @return whether the meter's registers are accounted for, since the member takes part.
    function _isAccounted(Connection memory c, Meter memory last) private view returns (bool) {
        return last.id == c.id && last.readAt > startOf(c.since);
    }

    /// What a meter shows when the next member takes it over is where it ended for the last one.
    // The meters and the registry are called, which call nobody.
    // slither-disable-next-line reentrancy-no-eth
    function _endFormer(Connection memory c, ReadingSheet calldata s, uint256 startsAt) private {
        (uint32 id, uint256 firstDay) = REGISTRY.formerOf(s.meter);
        if (id == 0 || startsAt != startOf(firstDay)) return;
        Meter storage last = _meters[_meterKey(id, s.meter)];
        (uint256 importWh, uint256 exportWh) = Registers.nth(s.registers, 0);
        if (last.id != id || last.readAt >= startsAt) return;
        // It is the same connection. What cannot be hinders not the next one: it stays as it is for the last.
        uint256 most = (c.most * (startsAt - last.readAt)) / PERIOD_LENGTH;
        (int256 imported, int256 exported) = (0, 0);
        unchecked {
            (uint256 imports, uint256 exports) = (importWh - last.importWh, exportWh - last.exportWh);
            if (imports > most || exports > most) return;
            (imported, exported) = (int256(imports), int256(exports));
        }
        METERS.addUnbilled(id, imported, exported, 0, 0, true);
        (last.importWh, last.exportWh, last.readAt) = (uint64(importWh), uint64(exportWh), uint40(startsAt));
    }

    /// What the others had read of strips that count now is billed by that, even if this one is not accounted for yet.
    function _billOthers(Connection memory c, ReadingSheet calldata s, uint256[] memory lanes, uint256 coverage)
        private
    {
        uint256 replaced = 0;
        for (uint256 i = 0; i < lanes.length; ++i) {
            uint256 strip = s.firstStrip + i;
            if (lanes[i] != 0 && _isEstimate(coverage, strip)) replaced |= 1 << strip;
        }
        METERS.addUnbilled(c.id, -c.taken.importWh, -c.taken.exportWh, s.day, replaced, false);
    }

    function _isEstimate(uint256 coverage, uint256 strip) private pure returns (bool) {
        return Coverages.has(coverage, strip) && Coverages.sequenceOf(coverage, strip) == 0;
    }

    function _hasEstimate(uint256 coverage) private view returns (bool) {
        for (uint256 strip = 0; strip < STRIPS_PER_DAY; ++strip) {
            if (_isEstimate(coverage, strip)) return true;
        }
        return false;
    }

    /// @return a meter before its first reading for a member.
    function _begun(uint32 id, ReadingSheet calldata s, uint256 startsAt) private view returns (Meter memory) {
        (uint256 importWh, uint256 exportWh) = Registers.nth(s.registers, 0);
        return Meter(uint64(importWh), uint64(exportWh), uint40(startsAt), uint40(startsAt), id, REGISTRY.isSilent(id));
    }

    /// @return change what the registers advanced by between the last reading and the sheet, of which nothing is billed.
    function _gapBefore(Connection memory c, ReadingSheet calldata s, Meter memory last, uint256 startsAt)
        private
        pure
        returns (Change memory change)
    {
        (uint256 importWh, uint256 exportWh) = Registers.nth(s.registers, 0);
        bool isGap = startsAt > last.readAt;
        if (importWh < last.importWh || (importWh != last.importWh && !isGap)) {
            revert RegisterGap(c.id, importWh, last.importWh);
        }
        if (exportWh < last.exportWh || (exportWh != last.exportWh && !isGap)) {
            revert RegisterGap(c.id, exportWh, last.exportWh);
        }
        change.importWh = int256(importWh - last.importWh);
        change.exportWh = int256(exportWh - last.exportWh);
    }

    /// @return change what the meter's last reading moves by, less what the sheet's strips are billed for more than before. Of a
    /// strip that was read before the net energy is on record: what flows both ways in one period is taken to be unchanged.
    function _beyondBilled(
        Connection memory c,
        ReadingSheet calldata s,
        uint256[] memory lanes,
        uint256 coverage,
        Meter memory last,
        uint256 endsAt
    ) private view returns (Change memory change) {
        (uint256 importAtEnd, uint256 exportAtEnd) = Registers.nth(s.registers, lanes.length * Strips.LANES);
        if (endsAt >= last.readAt) {
            change.importWh = int256(importAtEnd) - int256(uint256(last.importWh));
            change.exportWh = int256(exportAtEnd) - int256(uint256(last.exportWh));
        } else if (c.id != GRID_OPERATOR) {
            if (importAtEnd > last.importWh) revert RegisterGap(c.id, importAtEnd, last.importWh);
            if (exportAtEnd > last.exportWh) revert RegisterGap(c.id, exportAtEnd, last.exportWh);
        }
        change.importWh -= c.taken.importWh;
        change.exportWh -= c.taken.exportWh;
        for (uint256 i = 0; i < lanes.length; ++i) {
            uint256 strip = s.firstStrip + i;
            if (_timeOf(s.day, strip) < last.since || lanes[i] == 0) continue;
            if (_isEstimate(coverage, strip)) change.replaced |= 1 << strip;
            if (c.isOneOfSeveral) continue;
            (int256 imported, int256 exported) = (0, 0);
            if (Coverages.sequenceOf(coverage, strip) != 0) {
                uint256 before = _words[Ring.lineKey(c.id, s.day, strip)];
                (imported, exported) = Strips.sides(lanes[i]);
                (int256 importedBefore, int256 exportedBefore) = Strips.sides(before & Strips.LANES_MASK);
                (imported, exported) = (imported - importedBefore, exported - exportedBefore);
            } else {
                (imported, exported) = Registers.advance(s.registers, i);
            }
            change.importWh -= imported;
            change.exportWh -= exported;
        }
    }

    /// An error code in place of a register would otherwise be what the next sheets have to continue.
    function _requirePlausible(Connection memory c, int256 importWh, int256 exportWh, uint256 periods) private pure {
        int256 most = int256(c.most * periods);
        if (importWh > most || importWh < -most) revert ImplausibleAdvance(c.id, importWh, uint256(most));
        if (exportWh > most || exportWh < -most) revert ImplausibleAdvance(c.id, exportWh, uint256(most));
    }

    /// @return lanes net energy of the sheet's strips; 0 for one that cannot be, which is left out.
    function _decodeAll(Connection memory c, ReadingSheet calldata s, uint256 strips)
        private
        returns (uint256[] memory lanes)
    {
        lanes = new uint256[](strips);
        for (uint256 i = 0; i < strips; ++i) {
            lanes[i] = _decode(c, s.registers, s.firstStrip, i);
        }
    }

    /// @return lanes net energy of the sheet's strip i.
    function _decode(Connection memory c, bytes calldata registers, uint256 firstStrip, uint256 i)
        private
        returns (uint256 lanes)
    {
        // A register that runs backwards wraps to an advance beyond any capacity, and capacities stay within a signed lane.
        unchecked {
            (uint256 importCapacity, uint256 exportCapacity) = (c.importCapacity, c.exportCapacity);
            uint256 n = i * Strips.LANES;
            (uint256 importBefore, uint256 exportBefore) = Registers.nth(registers, n);
            for (uint256 shift = 0; shift < Strips.DAY_SHIFT; shift += Strips.LANE_BITS) {
                (uint256 importWh, uint256 exportWh) = Registers.nth(registers, ++n);
                uint256 imported = importWh - importBefore;
                uint256 exported = exportWh - exportBefore;
                if (imported > importCapacity || exported > exportCapacity) {
                    if (imported > c.most || exported > c.most) return 0;
                    emit BeyondConnection(c.id, c.day, uint16(firstStrip * Strips.LANES + n - 1), imported, exported);
                }
                lanes |= (Strips.BIAS + imported - exported) << shift;
                (importBefore, exportBefore) = (importWh, exportWh);
            }
        }
    }

    // ------------------------------------------------------------------------------------------------ one writer per word

    /// Writes a strip's values and keeps the sum of all meters in step.
    /// @return hasChanged whether any of them is not what counted before.
    function _record(uint32 id, uint256 day, uint256 strip, uint256 lanes) private returns (bool hasChanged) {
        uint256 key = Ring.lineKey(id, day, strip);
        uint256 word = _words[key];
        uint256 replaced = Strips.signedLanes(word, day);
        _words[key] = Strips.withDay(lanes, day);
        // Neither not yet read nor estimated is the same as read, whatever the energy.
        hasChanged = word != Strips.withDay(lanes, day);
        bool wasEstimated = Strips.dayOf(word) == day && word & Strips.FLAG != 0;
        bool isEstimated = lanes & Strips.FLAG != 0;
        if (wasEstimated != isEstimated) _countEstimate(day, strip, isEstimated);
        if (id == GRID_OPERATOR) return hasChanged;
        uint256 totalKey = Ring.lineKey(0, day, strip);
        uint256 total = Strips.signedLanes(_totals[totalKey], day);
        total = Strips.addSigned(_subtract(total, replaced), lanes & ~Strips.ALL_FLAGS);
        _totals[totalKey] = Strips.withDay(total, day);
    }

    function _countEstimate(uint256 day, uint256 strip, bool isMore) private {
        uint256 key = Ring.dayKey(day, strip);
        uint256 word = _estimates[key];
        uint256 counted = Strips.dayOf(word) == day ? word & Strips.LANES_MASK : 0;
        counted = isMore ? counted + 1 : counted - 1;
        _estimates[key] = Strips.withDay(counted, day);
        DayState storage state = _days[Ring.place(day)];
        uint16 bit = uint16(1 << strip);
        if (counted == 0) state.estimated &= ~bit;
        else state.estimated |= bit;
    }

    /// Substitute values, flagged: all that the connection takes in, and no generation. They are given back as soon as the register
    /// shows less (rule 12.3); any lower value would be a price at which energy is had for silence.
    function _estimateMissing(uint32 id, uint32 day) private {
        uint256 coverage = _coverageOf(id, day);
        // Nearly always everything is there: then the registry need not be asked.
        if (Coverages.isWhole(coverage, STRIPS_PER_DAY)) return;
        // What it feeds in is not estimated.
        // slither-disable-next-line unused-return
        (address key, uint256 importCapacity,) = REGISTRY.meterOn(id, day);
        if (key == address(0)) return;
        if (id == GRID_OPERATOR) {
            // A boundary that nobody has read yet is not metered.
            if (_mostLosses != 0) _estimate(id, day, coverage, _mostLosses - 1);
            return;
        }
        uint256 estimated = _estimate(id, day, coverage, importCapacity);
        Meter storage meter = _meters[_meterKey(id, key)];
        if (!METERS.noteEstimated(id, day, estimated, meter.id == id) || REGISTRY.isSilent(id)) return;
        meter.isSilent = true;
        REGISTRY.setSilent(id, true);
    }

    /// @param energy in each period, Wh.
    /// @return estimated strips that are estimated now, a bit each.
    function _estimate(uint32 id, uint32 day, uint256 coverage, uint256 energy) private returns (uint256 estimated) {
        uint256 lanes = Strips.inAllLanes(Strips.BIAS + energy) | Strips.ALL_FLAGS;
        for (uint256 strip = 0; strip < STRIPS_PER_DAY; ++strip) {
            if (Coverages.has(coverage, strip)) continue;
            _record(id, day, strip, lanes);
            coverage = Coverages.covered(coverage, Coverages.onesOf(strip, 1), 0);
            estimated |= 1 << strip;
            emit Estimated(id, day, uint8(strip), lanes);
        }
        _coverage[Ring.lineKey(id, day, 0)] = coverage;
    }

    /// The most that was ever lost in a period is what is estimated where the boundary meter is silent.
    function _noteLosses(uint256 day, uint256 strip) private {
        uint256 lanes = _words[Ring.lineKey(GRID_OPERATOR, day, strip)];
        uint256 sums = Strips.signedLanes(_totals[Ring.lineKey(0, day, strip)], day);
        for (uint256 k = 0; k < Strips.LANES; ++k) {
            _noteLoss(Strips.signedLane(lanes, k) - Strips.signedLane(sums, k));
        }
    }

    function _noteLoss(int256 loss) private {
        uint256 known = _mostLosses;
        uint256 shown = loss > 0 ? uint256(loss) + 1 : 1;
        if (shown > known) _mostLosses = shown;
    }

    /// @return lanes net energy of the area in a strip: what the boundary meter has; else the sum of all meters, and the losses that
    /// are estimated.
    function _boundaryLanes(uint256 day, uint256 strip, uint256 atBoundary) private view returns (uint256 lanes) {
        uint256 own = Coverages.has(atBoundary, strip)
            ? Strips.signedLanes(_words[Ring.lineKey(GRID_OPERATOR, day, strip)], day)
            : Strips.ZERO_LANES;
        if (Coverages.sequenceOf(atBoundary, strip) != 0) return own;
        return Strips.addSigned(own, Strips.signedLanes(_totals[Ring.lineKey(0, day, strip)], day));
    }

    /// @return net by strip, six signed lanes; the grid operator's is the losses, what its boundary meter has beyond all others.
    function _netOfMember(uint32 id, uint256 day) private view returns (uint256[] memory net) {
        net = new uint256[](STRIPS_PER_DAY);
        uint256 key = Ring.lineKey(id, day, 0);
        for (uint256 strip = 0; strip < net.length; ++strip) {
            uint256 word = _words[key | strip];
            uint256 lanes = Strips.dayOf(word) == day ? word & Strips.LANES_MASK : Strips.ZERO_LANES;
            // Estimated are the losses themselves.
            if (id == GRID_OPERATOR && Strips.dayOf(word) == day && lanes & Strips.ALL_FLAGS == 0) {
                lanes = _subtract(lanes, Strips.signedLanes(_totals[Ring.lineKey(0, day, strip)], day));
            }
            net[strip] = lanes;
        }
    }

    /// What the desk nominated comes on top of what its meter, if it has one, has read.
    function _addExchange(uint256[] memory net, uint256[] memory exchange) private pure returns (uint256[] memory) {
        for (uint256 strip = 0; strip < net.length; ++strip) {
            uint256 flags = net[strip] & Strips.ALL_FLAGS;
            exchange[strip] = Strips.addSigned(net[strip] & ~Strips.ALL_FLAGS, exchange[strip]) | flags;
        }
        return exchange;
    }

    function _compareBoundary(uint32 day) private {
        uint256 atBoundary = _coverageOf(GRID_OPERATOR, day);
        bool boundaryIsRead = false;
        int256 mostLosses = 0;
        int256 margin = int256(uint256(Energy.unwrap(RULES.rulesOf(day).boundaryMargin)));
        for (uint256 strip = 0; strip < STRIPS_PER_DAY; ++strip) {
            if (Coverages.sequenceOf(atBoundary, strip) == 0) continue;
            boundaryIsRead = true;
            uint256 boundaryLanes = _words[Ring.lineKey(GRID_OPERATOR, day, strip)];
            uint256 sumLanes = Strips.signedLanes(_totals[Ring.lineKey(0, day, strip)], day);
            for (uint256 k = 0; k < Strips.LANES; ++k) {
                int256 boundary = Strips.signedLane(boundaryLanes, k);
                int256 sum = Strips.signedLane(sumLanes, k);
                if (boundary - sum > mostLosses) mostLosses = boundary - sum;
                if (boundary - sum > margin || sum - boundary > margin) {
                    emit BoundaryMismatch(day, uint16(strip * Strips.LANES + k), boundary, sum);
                }
            }
        }
        if (boundaryIsRead) _noteLoss(mostLosses);
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
            _days[Ring.place(day)] = DayState(uint16(day), false, 1, 0, 0, 0);
        }
    }

    function _meterKey(uint32 id, address meter) private pure returns (uint256) {
        return (uint256(id) << 160) | uint160(meter);
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
