// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IAccounts, Posting} from "../interfaces/IAccounts.sol";
import {ILateReconciliation, LateReading, LateRecord} from "../interfaces/ILateReconciliation.sol";
import {IMarketRules, Rules} from "../interfaces/IMarketRules.sol";
import {IMeterReadings} from "../interfaces/IMeterReadings.sol";
import {IMeters} from "../interfaces/IMeters.sol";
import {IParticipantRegistry, Metered} from "../interfaces/IParticipantRegistry.sol";
import {ISettlement} from "../interfaces/ISettlement.sol";
import {Bill, Billing, StripPrices} from "../libraries/Billing.sol";
import {Commitments} from "../libraries/Commitments.sol";
import {Calendar, CalendarParameters} from "../types/Calendar.sol";
import {FALLBACK_SUPPLIER, FIRST_PARTICIPANT, GRID_OPERATOR, Kind} from "../types/Members.sol";
import {PriceScale} from "../types/PriceScale.sol";
import {SigningDomain} from "../types/SigningDomain.sol";
import {Strips} from "../types/Strips.sol";
import {Tariffs} from "../types/Tariffs.sol";

/// @title Late reconciliation
contract LateReconciliation is ILateReconciliation, AccessManaged, SigningDomain, Calendar, PriceScale {
    using SafeCast for int256;

    bytes32 private constant READING_TYPEHASH = keccak256("LateReading(uint32 id,uint32 day,uint8 run,bytes32[] net)");
    /// As often as the trade settles a day late: R1, R2, R3, RF and DF.
    uint256 private constant MAX_RUNS = 5;
    /// 28 months.
    uint256 private constant MAX_AGE = 852;
    /// What a connection carries for a while, in times of its capacity (MeterReadings.sol).
    uint256 private constant PLAUSIBLE = 2;

    /// Of a member's day that was settled late.
    struct Latest {
        /// Hash of what counts as metered, without its last byte: one storage word.
        bytes31 metered;
        uint8 runs;
    }

    /// Unix times from which on a member's registers are accounted for, 0 if they are not, and until which all of its meters have
    /// been read.
    struct Account {
        uint256 since;
        uint256 readAt;
        /// Until which any of them has.
        uint256 lastAt;
    }

    /// What a difference is worked out from: the day's rules, and of each strip that changed its prices and six signed lanes.
    /// late: prices of what takes the place of an estimate.
    struct Terms {
        Rules rules;
        StripPrices[] prices;
        StripPrices[] late;
        uint256[] contracted;
        uint256[] before;
        uint256[] net;
    }

    /// A true-up that is under way.
    struct TrueUp {
        uint32 lastDay;
        /// Estimated strips so far, and those of them in which the boundary meter counted.
        uint32 strips;
        uint32 atBoundary;
        /// Prices, units/Wh.
        int32 dearest;
        int32 lowest;
        /// What taking the estimates back comes to, money units.
        int128 toGrid;
        int128 toSupplier;
    }

    IParticipantRegistry private immutable REGISTRY;
    IMarketRules private immutable RULES;
    IAccounts private immutable ACCOUNTS;
    IMeterReadings private immutable READINGS;
    IMeters private immutable METERS;
    ISettlement private immutable SETTLEMENT;

    mapping(uint32 id => mapping(uint256 day => Latest)) private _latest;
    /// By when the member's account begins.
    mapping(uint32 id => mapping(uint256 since => TrueUp)) private _trueUps;
    /// Strips that a true-up has settled, a bit each.
    mapping(uint32 id => mapping(uint256 day => uint256)) private _truedUp;
    /// Statements of the grid operator that the council has allowed.
    mapping(bytes32 statement => bool) private _isAllowed;

    constructor(
        address authority,
        CalendarParameters memory calendar_,
        IParticipantRegistry registry,
        IMarketRules rules,
        IAccounts accounts,
        IMeters meters,
        IMeterReadings readings,
        ISettlement settlement
    ) AccessManaged(authority) Calendar(calendar_) PriceScale(rules) {
        REGISTRY = registry;
        RULES = rules;
        ACCOUNTS = accounts;
        METERS = meters;
        READINGS = readings;
        SETTLEMENT = settlement;
    }

    /// @inheritdoc ILateReconciliation
    function reconcile(LateReading calldata reading, LateRecord calldata record, bytes calldata meterSignature)
        external
    {
        address signer = ECDSA.recover(statementOf(reading), meterSignature);
        Metered memory m = REGISTRY.metered(signer, reading.day);
        // One of several does not know what the others have read.
        if (m.id != reading.id || m.isOneOfSeveral) revert NotSignedByItsMeter(reading.id, signer);
        // Its losses are what others have not metered: no meter shows them alone.
        if (m.id == GRID_OPERATOR) revert NotReconciled(m.id, reading.day);
        _settle(reading, record, true);
    }

    /// @inheritdoc ILateReconciliation
    function reconcileStated(
        LateReading calldata reading,
        LateRecord calldata record,
        bytes calldata operatorSignature,
        bytes calldata memberSignature
    ) external {
        bytes32 statement = statementOf(reading);
        bool isAllowed = _isAllowed[statement];
        if (!isAllowed) {
            _requireSigned(GRID_OPERATOR, statement, operatorSignature);
            if (memberSignature.length == 0) revert NotAgreed(statement);
            _requireSigned(reading.id, statement, memberSignature);
        }
        (uint256 owed, uint256 gridOwed) = (_arrearsOf(reading.id), _arrearsOf(GRID_OPERATOR));
        int256 toSupplier = _settle(reading, record, false);
        // Two who agree do so at their own expense: the supplier neither pays nor advances what they do not have.
        bool isAtTheirs = toSupplier == 0 && _arrearsOf(reading.id) <= owed && _arrearsOf(GRID_OPERATOR) <= gridOwed;
        if (!isAllowed && !isAtTheirs) revert NotAgreed(statement);
    }

    /// @inheritdoc ILateReconciliation
    function trueUp(uint32 id, uint32[] calldata days_, LateRecord[] calldata records) external {
        if (days_.length != records.length) revert RecordMissing(days_.length, records.length);
        Account memory meter = _accountOf(id);
        TrueUp memory t = _trueUps[id][meter.since];
        for (uint256 i = 0; i < days_.length; ++i) {
            _takeBack(id, days_[i], records[i], meter, t);
        }
        uint256 strips = METERS.unbilledOf(id).strips;
        if (strips == 0) revert NothingEstimated(id, 0);
        if (t.strips < strips) {
            _trueUps[id][meter.since] = t;
            return;
        }
        delete _trueUps[id][meter.since];
        // A strip of an open day may still be read: what the registers advanced in it is in the account until then.
        READINGS.requireRead(id, meter.since, meter.lastAt);
        (int256 importWh, int256 exportWh) = METERS.takeUnbilled(id, t.strips);
        // Each price is the worse one for the member, whichever way the energy goes.
        int256 due = importWh * (importWh > 0 ? t.dearest : t.lowest) - exportWh * (exportWh > 0 ? t.lowest : t.dearest);
        // As much to the grid operator as strips are at its expense, rounded towards zero: the supplier has the rest.
        int256 ofGrid = (due * int256(uint256(t.atBoundary))) / int256(uint256(t.strips));
        (int256 toGrid, int256 toSupplier) = (t.toGrid + ofGrid, t.toSupplier + due - ofGrid);
        emit TruedUp(id, t.lastDay, importWh, exportWh, t.dearest, t.lowest, toGrid, toSupplier);
        _post(id, toGrid, toSupplier);
    }

    /// @inheritdoc ILateReconciliation
    function allow(bytes32 statement) external restricted {
        _isAllowed[statement] = true;
        emit StatementAllowed(statement);
    }

    /// @inheritdoc ILateReconciliation
    function runsOf(uint32 id, uint256 day) external view returns (uint8) {
        return _latest[id][day].runs;
    }

    /// @inheritdoc ILateReconciliation
    function truedUpOf(uint32 id, uint256 day) external view returns (uint256) {
        return _truedUp[id][day];
    }

    /// @inheritdoc ILateReconciliation
    function requireOnRecord(uint32 id, uint256 day, LateRecord calldata record) external view {
        _requireDay(day);
        _requireReconciled(id, day);
        _provenRecord(id, day, record);
    }

    /// @inheritdoc ILateReconciliation
    function statementOf(LateReading calldata r) public view returns (bytes32) {
        return _hashTypedDataV4(
            keccak256(abi.encode(READING_TYPEHASH, r.id, r.day, r.run, keccak256(abi.encodePacked(r.net))))
        );
    }

    /// @return toSupplier what the fallback supplier receives, money units; negative if it pays.
    function _settle(LateReading calldata reading, LateRecord calldata record, bool byMeter)
        private
        returns (int256 toSupplier)
    {
        (uint32 id, uint32 day) = (reading.id, reading.day);
        _requireDay(day);
        uint256[] memory before = _proven(reading, record);
        uint256[] memory net = abi.decode(abi.encode(reading.net), (uint256[]));
        _requireWithinConnection(id, day, net);
        _latest[id][day] = Latest(bytes31(Commitments.hashOf(net)), reading.run);
        if (id != GRID_OPERATOR) _noteStated(id, day, before, net);
        int256 toGrid;
        (toGrid, toSupplier) = _differences(day, record, before, net);
        // Where its meter counted the losses follow from it.
        if (id == GRID_OPERATOR && toGrid != 0) revert NotReconciled(id, day);
        emit Reconciled(id, day, reading.run, byMeter, toGrid, toSupplier, reading.net);
        _post(id, toGrid, toSupplier);
    }

    function _arrearsOf(uint32 id) private view returns (uint256 arrears) {
        // Since when does not count here.
        // slither-disable-next-line unused-return
        (arrears,) = ACCOUNTS.arrearsOf(id);
    }

    function _post(uint32 id, int256 toGrid, int256 toSupplier) private {
        Posting[] memory postings = new Posting[](3);
        postings[0] = Posting(id, (-toGrid - toSupplier).toInt128(), 0);
        postings[1] = Posting(GRID_OPERATOR, toGrid.toInt128(), 0);
        postings[2] = Posting(FALLBACK_SUPPLIER, toSupplier.toInt128(), 0);
        ACCOUNTS.post(postings);
    }

    function _requireDay(uint256 day) private view {
        uint256 lastFinal = RULES.lastFinalDay();
        if (day == 0 || day > lastFinal) revert NotFinal(day, lastFinal);
        uint256 today = dayAt(block.timestamp);
        if (day + MAX_AGE < today) revert TooLongAgo(day, today - MAX_AGE);
    }

    /// @return before what counts as metered until now, if all that is brought is what the day has left.
    function _proven(LateReading calldata reading, LateRecord calldata record)
        private
        view
        returns (uint256[] memory before)
    {
        (uint32 id, uint256 day) = (reading.id, reading.day);
        Latest storage latest = _latest[id][day];
        uint256 next = uint256(latest.runs) + 1;
        if (reading.run != next || next > MAX_RUNS) revert WrongRun(id, day, reading.run, next);
        _requireLength(reading.net.length);
        before = _provenRecord(id, day, record);
        if (Commitments.hashOf(before) == keccak256(abi.encodePacked(reading.net))) revert NothingChanges(id, day);
    }

    function _provenRecord(uint32 id, uint256 day, LateRecord calldata record)
        private
        view
        returns (uint256[] memory before)
    {
        bytes31 latest = _latest[id][day].metered;
        before = record.metered;
        bytes32 metered = Commitments.hashOf(before);
        bytes32 leaf = Commitments.leafOf(id, Commitments.hashOf(record.contracted), record.settled);
        bytes32 commitment = Commitments.commitmentTo(
            day, Commitments.hashOf(record.prices), MerkleProof.processProofCalldata(record.proof, leaf)
        );
        bool isLatest = latest == 0 ? metered == record.settled : bytes31(metered) == latest;
        if (!isLatest || commitment != SETTLEMENT.commitmentOf(day)) revert NotOnRecord(id, day);
    }

    /// Of a day of a true-up: what was estimated counts as nothing from now on, and what that changes is posted with the rest.
    function _takeBack(uint32 id, uint32 day, LateRecord calldata record, Account memory meter, TrueUp memory t)
        private
    {
        _requireDay(day);
        if (id < FIRST_PARTICIPANT) revert NotReconciled(id, day);
        _requireReconciled(id, day);
        uint256[] memory before = _provenRecord(id, day, record);
        uint256[] memory net = new uint256[](before.length);
        for (uint256 strip = 0; strip < before.length; ++strip) {
            net[strip] = before[strip];
        }
        uint256 estimated = _estimatedOf(day, before, meter);
        if (estimated == 0) revert NothingEstimated(id, day);
        uint32 strips = 0;
        for (uint256 strip = 0; strip < net.length; ++strip) {
            if (estimated & (1 << strip) == 0) continue;
            if (meter.readAt <= _endOf(day, strip)) revert NotReadSince(id, day);
            net[strip] = Strips.ZERO_LANES;
            ++strips;
            if (record.prices[strip] & Billing.AT_BOUNDARY != 0) ++t.atBoundary;
            _extend(t, record.prices, strip, t.strips == 0 && strips == 1);
        }
        _latest[id][day].metered = bytes31(Commitments.hashOf(net));
        _truedUp[id][day] |= estimated;
        (int256 toGrid, int256 toSupplier) = _differences(day, record, before, net);
        t.strips += strips;
        if (day > t.lastDay) t.lastDay = day;
        t.toGrid += toGrid.toInt128();
        t.toSupplier += toSupplier.toInt128();
        emit EstimatesTakenBack(id, day, strips, toGrid, toSupplier);
    }

    /// Takes a strip's prices into account.
    function _extend(TrueUp memory t, uint256[] calldata prices, uint256 strip, bool isFirst) private view {
        uint256 penalties = prices.length > STRIPS_PER_DAY ? prices[STRIPS_PER_DAY + strip] : 0;
        for (uint256 k = 0; k < Strips.LANES; ++k) {
            (uint256 short, uint256 long) = Tariffs.unpack(Strips.lane(prices[strip] & Strips.LANES_MASK, k));
            // Prices and rates have 20 bits.
            int32 penalty = int32(uint32(Strips.lane(penalties, k)));
            int32 dearest = int32(int256(short) + LOWEST_PRICE) + penalty;
            int32 lowest = int32(int256(long) + LOWEST_PRICE) - penalty;
            if ((isFirst && k == 0) || dearest > t.dearest) t.dearest = dearest;
            if ((isFirst && k == 0) || lowest < t.lowest) t.lowest = lowest;
        }
    }

    function _accountOf(uint32 id) private view returns (Account memory account) {
        uint256 readAt = READINGS.meterOf(id, REGISTRY.member(id).meter).readAt;
        (account.since, account.readAt, account.lastAt) = METERS.accountOf(id, readAt);
    }

    /// @return strips that are estimated, and that the meter's registers have shown or will show, a bit each.
    function _estimatedOf(uint256 day, uint256[] memory metered, Account memory meter)
        private
        view
        returns (uint256 strips)
    {
        if (meter.since == 0) return 0;
        for (uint256 strip = 0; strip < metered.length; ++strip) {
            bool isShown = _endOf(day, strip) > meter.since;
            if (isShown && metered[strip] & Strips.ALL_FLAGS != 0) strips |= 1 << strip;
        }
    }

    /// What is stated of an estimated strip is billed by that: a true-up does not bill it once more. What a true-up has settled
    /// stays.
    function _noteStated(uint32 id, uint256 day, uint256[] memory before, uint256[] memory net) private {
        uint256 truedUp = _truedUp[id][day];
        uint256 flags = 0;
        for (uint256 strip = 0; strip < net.length; ++strip) {
            flags |= before[strip];
            bool isTruedUp = truedUp & (1 << strip) != 0;
            if (isTruedUp && before[strip] != net[strip]) revert AlreadyTruedUp(id, day, strip);
        }
        if (flags & Strips.ALL_FLAGS == 0) return;
        Account memory meter = _accountOf(id);
        uint256 estimated = _estimatedOf(day, before, meter);
        uint256 ahead = 0;
        for (uint256 strip = 0; strip < net.length; ++strip) {
            if (_endOf(day, strip) >= meter.readAt) ahead |= 1 << strip;
        }
        _noteStrips(id, net, estimated & ~ahead, false);
        _noteStrips(id, net, estimated & ahead, true);
    }

    /// @param chosen strips that count, a bit each.
    function _noteStrips(uint32 id, uint256[] memory net, uint256 chosen, bool isAhead) private {
        if (chosen == 0) return;
        uint256 strips = 0;
        uint256 importWh = 0;
        uint256 exportWh = 0;
        for (uint256 strip = 0; strip < net.length; ++strip) {
            if (chosen & (1 << strip) == 0) continue;
            (int256 bought, int256 sold) = Strips.sides(net[strip]);
            ++strips;
            importWh += uint256(bought);
            exportWh += uint256(sold);
        }
        METERS.noteStated(id, strips, importWh, exportWh, isAhead);
    }

    /// @return unix time at which a strip of a day ends.
    function _endOf(uint256 day, uint256 strip) private view returns (uint256) {
        return startOf(day) + (strip + 1) * Strips.LANES * PERIOD_LENGTH;
    }

    /// @return imports and
    /// @return exports what the member's connection carries on the day, Wh per period.
    function _requireReconciled(uint32 id, uint256 day) private view returns (uint256 imports, uint256 exports) {
        bool isOther = id >= FIRST_PARTICIPANT || id == GRID_OPERATOR;
        address meter = address(0);
        if (isOther) (meter, imports, exports) = REGISTRY.meterOn(id, day);
        if (meter == address(0) || REGISTRY.member(id).kind == Kind.WholesaleDesk) revert NotReconciled(id, day);
    }

    /// The connection bounds the energy of a late reading as that of any other.
    function _requireWithinConnection(uint32 id, uint256 day, uint256[] memory net) private view {
        (uint256 importCapacity, uint256 exportCapacity) = _requireReconciled(id, day);
        // Twice the connection of who has a meter has 37 bits.
        uint256 plausible = PLAUSIBLE * (importCapacity > exportCapacity ? importCapacity : exportCapacity);
        uint256 least = Strips.inAllLanes(Strips.BIAS - plausible);
        uint256 most = Strips.inAllLanes(Strips.BIAS + plausible);
        for (uint256 strip = 0; strip < net.length; ++strip) {
            uint256 lanes = net[strip];
            bool isSigned = lanes & (Strips.LANES_MASK & ~Strips.ALL_FLAGS) == lanes;
            uint256 within = Strips.minus(lanes, least) & Strips.minus(most, lanes) & Strips.ALL_FLAGS;
            if (!isSigned || within != Strips.ALL_FLAGS) revert NotWithinConnection(id, strip);
        }
    }

    /// What the member owes more, at the prices on record: to the grid operator, whose losses the energy was, where the boundary
    /// meter counts; else to the fallback supplier.
    function _differences(uint256 day, LateRecord calldata record, uint256[] memory before, uint256[] memory net)
        private
        view
        returns (int256 toGrid, int256 toSupplier)
    {
        Rules memory rules = RULES.rulesOf(day);
        toGrid = _difference(_termsOf(rules, record, before, net, true));
        toSupplier = _difference(_termsOf(rules, record, before, net, false));
    }

    /// @return t of the strips that changed: of those in which the boundary meter counts, or of the others.
    function _termsOf(
        Rules memory rules,
        LateRecord calldata record,
        uint256[] memory before,
        uint256[] memory net,
        bool atBoundary
    ) private pure returns (Terms memory t) {
        uint256 chosen = 0;
        uint256 size = 0;
        uint256 flags = 0;
        for (uint256 strip = 0; strip < net.length; ++strip) {
            bool isAtBoundary = record.prices[strip] & Billing.AT_BOUNDARY != 0;
            if (before[strip] == net[strip] || isAtBoundary != atBoundary) continue;
            chosen |= 1 << strip;
            flags |= before[strip];
            ++size;
        }
        bool anyUnknown = flags & Strips.ALL_FLAGS != 0 && !atBoundary;
        StripPrices[] memory prices = new StripPrices[](size);
        t = Terms({
            rules: rules,
            prices: prices,
            late: anyUnknown ? new StripPrices[](size) : prices,
            contracted: new uint256[](size),
            before: new uint256[](size),
            net: new uint256[](size)
        });
        uint256[] memory contracted = record.contracted;
        uint256 i = 0;
        for (uint256 strip = 0; i < size; ++strip) {
            if (chosen & (1 << strip) == 0) continue;
            t.contracted[i] = Billing.lanesOf(contracted, strip);
            (t.before[i], t.net[i]) = (before[strip], net[strip]);
            uint256 penalties = record.prices.length > net.length ? record.prices[net.length + strip] : 0;
            // By an estimate the sign of N may have become another one: what takes its place is not free of the charge either.
            bool isEstimated = before[strip] & Strips.ALL_FLAGS != 0;
            bool isUnknown = isEstimated && !atBoundary;
            // Where nobody knows N the penalty that an estimate has cost stays: the desk was owed by it.
            uint256 word = record.prices[strip];
            t.prices[i] = Billing.unpack(word, isUnknown ? 0 : penalties, rules.chargeHelpful || isEstimated);
            // For the same reason it costs the penalty whichever way it deviates, unless the boundary meter tells the sign.
            if (anyUnknown) {
                t.late[i] = isUnknown ? Billing.unpack(word | Billing.EITHER_AREA, penalties, true) : t.prices[i];
            }
            ++i;
        }
    }

    /// @return units due more than before, money units.
    function _difference(Terms memory t) private view returns (int256 units) {
        return _due(t.contracted, t.net, t.rules, t.late) - _due(t.contracted, t.before, t.rules, t.prices);
    }

    /// @return units due for a day besides its trades and fees, money units.
    function _due(
        uint256[] memory contracted,
        uint256[] memory metered,
        Rules memory rules,
        StripPrices[] memory prices
    ) private view returns (int256 units) {
        Bill memory bill = Billing.billOf(contracted, metered, rules, prices, LOWEST_PRICE);
        return bill.imbalance + int256(bill.deviation + bill.penalty);
    }

    function _requireSigned(uint32 id, bytes32 statement, bytes calldata signature) private view {
        address account = REGISTRY.member(id).account;
        address signer = ECDSA.recover(statement, signature);
        if (signer != account) revert NotSignedBy(account, signer);
    }

    function _requireLength(uint256 strips) private view {
        if (strips != STRIPS_PER_DAY) revert WrongLength(strips, STRIPS_PER_DAY);
    }
}
