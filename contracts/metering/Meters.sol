// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {Multicall} from "@openzeppelin/contracts/utils/Multicall.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {ReadingSheet} from "../interfaces/IMeterReadings.sol";
import {IMeters, Life, Source, Taken, Unbilled} from "../interfaces/IMeters.sol";
import {IParticipantRegistry} from "../interfaces/IParticipantRegistry.sol";
import {Calendar, CalendarParameters} from "../types/Calendar.sol";
import {Ring} from "../types/Ring.sol";
import {Strips} from "../types/Strips.sol";
import {Coverages} from "./Coverages.sol";
import {Registers} from "./Registers.sol";

/// @title Meters
contract Meters is IMeters, AccessManaged, Calendar, Multicall {
    using SafeCast for int256;
    using SafeCast for uint256;

    /// So many estimated days in a row, and a member orders no more until its meter reads again.
    uint256 private constant SILENT_DAYS = 3;
    uint256 private constant MAX_METERS = 8;
    uint40 private constant NO_END = type(uint40).max;

    IParticipantRegistry private immutable REGISTRY;

    mapping(address meter => Life) private _lives;
    mapping(address meter => Source) private _sources;
    mapping(uint32 id => address[]) private _metersOf;
    mapping(uint32 id => Unbilled) private _unbilled;
    /// What a meter has read of a strip: six signed lanes and the day.
    mapping(uint256 key => uint256) private _parts;
    /// Sequences of its sheets (Coverages.sol).
    mapping(uint256 key => uint256) private _coverage;

    constructor(address authority, CalendarParameters memory calendar_, IParticipantRegistry registry)
        AccessManaged(authority)
        Calendar(calendar_)
    {
        REGISTRY = registry;
    }

    /// @inheritdoc IMeters
    // Only the registry is called, which calls nobody.
    // slither-disable-next-line reentrancy-no-eth,reentrancy-benign,reentrancy-events
    function install(uint32 id, address meter, uint32 day, uint16 slot, uint64 importWh, uint64 exportWh)
        external
        restricted
    {
        uint40 first = _momentOf(day, slot);
        address main = REGISTRY.addMeter(id, meter);
        address[] storage all = _metersOf[id];
        if (all.length == 0) {
            _lives[main] = Life(id, 0, NO_END, 0, false, false, false, 0, 0, 0, 0);
            _metersOf[id].push(main);
        }
        _dropOver(all);
        if (all.length == MAX_METERS) revert TooManyMeters(MAX_METERS);
        _metersOf[id].push(meter);
        _lives[meter] = Life(id, first, NO_END, first, true, false, false, importWh, exportWh, 0, 0);
        emit MeterInstalled(id, meter, day, slot, importWh, exportWh);
    }

    /// @inheritdoc IMeters
    // Only the registry is called, which calls nobody.
    // slither-disable-next-line reentrancy-events
    function remove(uint32 id, address meter, uint32 day, uint16 slot, uint64 importWh, uint64 exportWh)
        external
        restricted
    {
        uint40 last = _momentOf(day, slot);
        Life storage life = _lives[meter];
        address other = _otherAt(id, meter, last);
        if (life.id != id || life.isRemoved || other == address(0)) revert MeterNotRemovable(meter);
        if (last <= life.first) revert MomentUnusable(day, slot);
        (life.last, life.isRemoved, life.isEnding) = (last, true, true);
        (life.closingImport, life.closingExport) = (importWh, exportWh);
        emit MeterRemoved(id, meter, day, slot, importWh, exportWh);
        if (REGISTRY.member(id).meter == meter) REGISTRY.setMainMeter(id, other);
    }

    /// @inheritdoc IMeters
    function noteSource(uint32 id, address meter, Source source) external restricted {
        if (REGISTRY.member(id).meter != meter && _lives[meter].id != id) revert NotItsMeter(id, meter);
        _sources[meter] = source;
        emit SourceNoted(id, meter, source, uint32(dayAt(block.timestamp)));
    }

    /// @inheritdoc IMeters
    function take(
        ReadingSheet calldata sheet,
        uint256[] calldata lanes,
        uint256[] calldata before,
        uint256 coverage,
        uint256 since
    ) external restricted returns (Taken memory taken) {
        Life memory life = _lives[sheet.meter];
        _requireAsNoted(life, sheet, lanes.length);
        // One that is not accounted for yet begins where its registers are noted, if the member's account has begun.
        if (life.isInstalled && since == type(uint256).max && _unbilled[life.id].since != 0) since = 0;
        uint256 key = _partKey(sheet.meter, sheet.day, 0);
        uint256 own = _coverage[key];
        // What the member's first meter has brought while it was the only one is not brought again.
        if (Strips.dayOf(own) != sheet.day) own = life.isInstalled ? Strips.withDay(0, sheet.day) : coverage;
        // Whether any is a correction, the member's own coverage tells.
        // slither-disable-next-line unused-return
        (_coverage[key],,) = Coverages.entered(own, life.id, sheet.firstStrip, lanes, sheet.sequence);
        taken.totals = new uint256[](lanes.length);
        address[] memory all = _metersOf[life.id];
        for (uint256 i = 0; i < lanes.length; ++i) {
            uint256 startsAt = _timeOf(sheet.day, sheet.firstStrip + i);
            if (lanes[i] == 0 || !_livesIn(life, startsAt)) continue;
            (uint256 total, int256 importWh, int256 exportWh) =
                _takePart(sheet, i, lanes[i], before[i], startsAt >= since, all);
            taken.totals[i] = total;
            taken.importWh += importWh;
            taken.exportWh += exportWh;
        }
        uint256 endsAt = _timeOf(sheet.day, sheet.firstStrip + lanes.length);
        if (endsAt > life.readAt) _lives[sheet.meter].readAt = uint40(endsAt);
        taken.ended = _ending(all);
        emit PartRead(life.id, sheet.meter);
    }

    /// @inheritdoc IMeters
    function beginAccount(uint32 id, uint256 since, bool isOneOfSeveral) external restricted {
        Unbilled storage unbilled = _unbilled[id];
        if (!isOneOfSeveral) (unbilled.importWh, unbilled.exportWh) = (0, 0);
        if (unbilled.isAhead) (unbilled.isAhead, unbilled.importAhead, unbilled.exportAhead) = (false, 0, 0);
        (unbilled.strips, unbilled.since) = (0, uint40(since));
    }

    /// @inheritdoc IMeters
    function addUnbilled(uint32 id, int256 importWh, int256 exportWh, uint256 day, uint256 replaced, bool isAfterGap)
        external
        restricted
    {
        Unbilled storage unbilled = _unbilled[id];
        if (unbilled.since == 0) return;
        // A sheet takes no more than is there.
        (int256 importLeft, int256 exportLeft) = (unbilled.importWh + importWh, unbilled.exportWh + exportWh);
        if ((importLeft < 0 && importWh < 0) || (exportLeft < 0 && exportWh < 0)) {
            revert MoreThanRegistersShow(id, importLeft, exportLeft);
        }
        // What was stated before the register showed it is billed: it comes off the gap that ends now.
        if (isAfterGap && unbilled.isAhead) {
            importWh -= unbilled.importAhead;
            exportWh -= unbilled.exportAhead;
            (unbilled.isAhead, unbilled.importAhead, unbilled.exportAhead) = (false, 0, 0);
        }
        uint256 counted = _countSince(unbilled.since, day, replaced);
        if (importWh != 0 || exportWh != 0 || counted != 0) _addUnbilled(id, importWh, exportWh, counted);
    }

    /// @inheritdoc IMeters
    function noteEstimated(uint32 id, uint256 day, uint256 strips, bool isRead)
        external
        restricted
        returns (bool isSilent)
    {
        Unbilled storage unbilled = _unbilled[id];
        bool hasAccount = unbilled.since != 0 && (isRead || _metersOf[id].length != 0);
        if (hasAccount) unbilled.strips += _countSince(unbilled.since, day, strips).toUint32();
        uint256 inRow = unbilled.lastEstimated + 1 == day ? uint256(unbilled.inRow) + 1 : 1;
        isSilent = inRow >= SILENT_DAYS;
        (unbilled.lastEstimated, unbilled.inRow) = (uint32(day), isSilent ? uint8(SILENT_DAYS) : uint8(inRow));
    }

    /// @inheritdoc IMeters
    function noteStated(uint32 id, uint256 strips, uint256 importWh, uint256 exportWh, bool isAhead)
        external
        restricted
    {
        if (isAhead) {
            Unbilled storage unbilled = _unbilled[id];
            unbilled.isAhead = true;
            unbilled.importAhead += importWh.toInt256().toInt64();
            unbilled.exportAhead += exportWh.toInt256().toInt64();
            _addUnbilled(id, 0, 0, strips);
        } else {
            _addUnbilled(id, -importWh.toInt256(), -exportWh.toInt256(), strips);
        }
    }

    /// @inheritdoc IMeters
    function takeUnbilled(uint32 id, uint256 strips) external restricted returns (int256 importWh, int256 exportWh) {
        Unbilled memory unbilled = _unbilled[id];
        if (unbilled.strips != strips) revert GapNotEnded(id, unbilled.strips, strips);
        (importWh, exportWh) = (unbilled.importWh, unbilled.exportWh);
        _addUnbilled(id, -importWh, -exportWh, strips);
    }

    /// @inheritdoc IMeters
    function notedOf(address meter, bool isRemoval)
        external
        view
        returns (uint40 time, uint64 importWh, uint64 exportWh)
    {
        Life memory life = _lives[meter];
        uint256 stripLength = Strips.LANES * PERIOD_LENGTH;
        if (isRemoval && life.isRemoved) {
            // To the end of the strip: nothing here is left to chance.
            // slither-disable-next-line weak-prng
            uint256 left = (stripLength - ((life.last - OPENING) % stripLength)) % stripLength;
            return (uint40(life.last + left), life.closingImport, life.closingExport);
        }
        // Before the member's account begins there is none that they could continue.
        if (!isRemoval && life.isInstalled && _unbilled[life.id].since != 0) {
            // slither-disable-next-line weak-prng
            uint256 begun = (life.first - OPENING) % stripLength;
            return (uint40(life.first - begun), life.openingImport, life.openingExport);
        }
    }

    /// @inheritdoc IMeters
    function lifeOf(address meter) external view returns (Life memory) {
        return _lives[meter];
    }

    /// @inheritdoc IMeters
    function sourceOf(address meter) external view returns (Source) {
        return _sources[meter];
    }

    /// @inheritdoc IMeters
    function metersOf(uint32 id) external view returns (address[] memory) {
        return _metersOf[id];
    }

    /// @inheritdoc IMeters
    function accountOf(uint32 id, uint256 readAtOfOne)
        external
        view
        returns (uint256 since, uint256 readAt, uint256 lastAt)
    {
        address[] storage all = _metersOf[id];
        if (all.length == 0 && readAtOfOne == 0) return (0, 0, 0);
        (readAt, lastAt) = all.length == 0 ? (readAtOfOne, readAtOfOne) : (uint256(NO_END), uint256(0));
        for (uint256 i = 0; i < all.length; ++i) {
            Life storage life = _lives[all[i]];
            bool isOver = life.isRemoved && !life.isEnding;
            if (!isOver && life.readAt < readAt) readAt = life.readAt;
            if (life.readAt > lastAt) lastAt = life.readAt;
        }
        since = _unbilled[id].since;
    }

    /// @inheritdoc IMeters
    function unbilledOf(uint32 id) external view returns (Unbilled memory) {
        return _unbilled[id];
    }

    function _addUnbilled(uint32 id, int256 importWh, int256 exportWh, uint256 replaced) private {
        Unbilled storage unbilled = _unbilled[id];
        importWh += unbilled.importWh;
        exportWh += unbilled.exportWh;
        (unbilled.importWh, unbilled.exportWh) = (importWh.toInt64(), exportWh.toInt64());
        unbilled.strips -= replaced.toUint32();
        emit UnbilledChanged(id, importWh, exportWh, unbilled.strips);
    }

    /// @return count of those strips of a day, a bit each, that begin at a time or later.
    function _countSince(uint256 since, uint256 day, uint256 strips) private view returns (uint256 count) {
        for (uint256 strip = 0; strips >> strip != 0; ++strip) {
            if ((strips >> strip) & 1 != 0 && _timeOf(day, strip) >= since) ++count;
        }
    }

    /// @return unix time at which a period begins, if readings of its day can still be corrected.
    function _momentOf(uint256 day, uint256 slot) private view returns (uint40) {
        bool isOver = block.timestamp >= correctionsCloseAt(day);
        if (isOver || slot >= PERIODS_PER_DAY) revert MomentUnusable(day, slot);
        return uint40(startOf(day) + slot * PERIOD_LENGTH);
    }

    /// Whoever has ended and can be read no more makes room.
    function _dropOver(address[] storage all) private {
        for (uint256 i = all.length; i > 0; --i) {
            Life storage life = _lives[all[i - 1]];
            if (!life.isRemoved || life.isEnding || block.timestamp < correctionsCloseAt(dayAt(life.last))) continue;
            all[i - 1] = all[all.length - 1];
            all.pop();
        }
    }

    /// @return another meter of the member that lives on from a time on; zero if there is none.
    function _otherAt(uint32 id, address meter, uint256 time) private view returns (address) {
        address[] storage all = _metersOf[id];
        for (uint256 i = 0; i < all.length; ++i) {
            Life storage life = _lives[all[i]];
            if (all[i] != meter && !life.isRemoved && life.first <= time) return all[i];
        }
        return address(0);
    }

    /// @return whether a meter lives in a strip.
    function _livesIn(Life memory life, uint256 startsAt) private view returns (bool) {
        return life.first < startsAt + Strips.LANES * PERIOD_LENGTH && life.last > startsAt;
    }

    /// Registers stand still where their meter does not live.
    function _requireAsNoted(Life memory life, ReadingSheet calldata sheet, uint256 strips) private view {
        uint256 startsAt = _timeOf(sheet.day, sheet.firstStrip);
        uint256 endsAt = startsAt + strips * Strips.LANES * PERIOD_LENGTH;
        if (life.first >= endsAt || life.last <= startsAt) revert OutsideItsLife(sheet.meter, life.first, life.last);
        if (life.isInstalled && life.first >= startsAt) {
            uint256 n = (life.first - startsAt) / PERIOD_LENGTH;
            _requireRegister(sheet, 0, life.openingImport, life.openingExport);
            _requireRegister(sheet, n, life.openingImport, life.openingExport);
        }
        if (life.isRemoved && life.last <= endsAt) {
            uint256 n = (life.last - startsAt) / PERIOD_LENGTH;
            _requireRegister(sheet, n, life.closingImport, life.closingExport);
            _requireRegister(sheet, strips * Strips.LANES, life.closingImport, life.closingExport);
        }
    }

    function _requireRegister(ReadingSheet calldata sheet, uint256 n, uint256 noted, uint256 notedExport) private pure {
        (uint256 importWh, uint256 exportWh) = Registers.nth(sheet.registers, n);
        if (importWh != noted || exportWh != notedExport) revert NotAsNoted(sheet.meter, importWh, exportWh);
    }

    /// A strip counts when all meters that live in it are read. What one has read until then is unbilled: its part is flagged.
    /// @param counts whether the meter's registers are accounted for in the strip.
    /// @return total of all of them; 0 as long as one is not read.
    /// @return importWh what is billed more than before, and
    /// @return exportWh the same of the export.
    function _takePart(
        ReadingSheet calldata sheet,
        uint256 i,
        uint256 lanes,
        uint256 before,
        bool counts,
        address[] memory all
    ) private returns (uint256 total, int256 importWh, int256 exportWh) {
        (uint256 day, uint256 strip) = (sheet.day, sheet.firstStrip + i);
        uint256 known = _partOf(sheet.meter, day, strip, before);
        total = lanes;
        for (uint256 k = 0; k < all.length && total != 0; ++k) {
            if (!_isOther(all[k], sheet.meter, day, strip)) continue;
            uint256 other = _partOf(all[k], day, strip, before);
            total = other == 0 ? 0 : Strips.addSigned(total, other & ~Strips.ALL_FLAGS);
        }
        bool isUnbilled = total == 0 && (known == 0 ? counts : known & Strips.FLAG != 0);
        _parts[_partKey(sheet.meter, day, strip)] = Strips.withDay(isUnbilled ? lanes | Strips.FLAG : lanes, day);
        if (known == 0 && counts) (importWh, exportWh) = Registers.advance(sheet.registers, i);
        if (total == 0) {
            if (known == 0 && counts) (importWh, exportWh) = _plus(importWh, exportWh, lanes, -1);
            return (0, importWh, exportWh);
        }
        if (known != 0 && (counts || known & Strips.FLAG != 0)) (importWh, exportWh) = _plus(0, 0, lanes, 1);
        if (known != 0 && counts && known & Strips.FLAG == 0) {
            (importWh, exportWh) = _plus(importWh, exportWh, known, -1);
        }
        for (uint256 k = 0; k < all.length; ++k) {
            if (!_isOther(all[k], sheet.meter, day, strip)) continue;
            uint256 key = _partKey(all[k], day, strip);
            uint256 other = _parts[key];
            if (other & Strips.FLAG == 0) continue;
            _parts[key] = other & ~Strips.FLAG;
            (importWh, exportWh) = _plus(importWh, exportWh, other & Strips.LANES_MASK, 1);
        }
    }

    /// @return with what net energies take in and feed in added, or taken off.
    function _plus(int256 importWh, int256 exportWh, uint256 lanes, int256 sign) private pure returns (int256, int256) {
        (int256 bought, int256 sold) = Strips.sides(lanes);
        return (importWh + sign * bought, exportWh + sign * sold);
    }

    function _isOther(address meter, address own, uint256 day, uint256 strip) private view returns (bool) {
        return meter != own && _livesIn(_lives[meter], _timeOf(day, strip));
    }

    /// @return lanes what a meter has read of a strip, 0 for nothing. What counted before the member had several meters is what its
    /// first one read.
    function _partOf(address meter, uint256 day, uint256 strip, uint256 before) private returns (uint256 lanes) {
        uint256 key = _partKey(meter, day, strip);
        uint256 word = _parts[key];
        if (Strips.dayOf(word) == day) return word & Strips.LANES_MASK;
        if (before == 0 || _lives[meter].isInstalled) return 0;
        _parts[key] = before;
        return before & Strips.LANES_MASK;
    }

    function _partKey(address meter, uint256 day, uint256 strip) private pure returns (uint256) {
        return Ring.lineKey(uint160(meter), day, strip);
    }

    /// @return meter one whose closing registers are not accounted for yet; zero for none.
    function _ending(address[] memory all) private returns (address meter) {
        for (uint256 i = 0; i < all.length; ++i) {
            Life storage life = _lives[all[i]];
            if (!life.isEnding) continue;
            life.isEnding = false;
            return all[i];
        }
    }

    /// @return unix time at which a strip of a day begins.
    function _timeOf(uint256 day, uint256 strip) private view returns (uint256) {
        return startOf(day) + strip * Strips.LANES * PERIOD_LENGTH;
    }
}
