// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IAccounts, Posting} from "../interfaces/IAccounts.sol";
import {ILateReconciliation, LateReading, LateRecord} from "../interfaces/ILateReconciliation.sol";
import {IMarketRules, Rules} from "../interfaces/IMarketRules.sol";
import {IParticipantRegistry, Member} from "../interfaces/IParticipantRegistry.sol";
import {ISettlement} from "../interfaces/ISettlement.sol";
import {Bill, Billing, StripPrices} from "../libraries/Billing.sol";
import {Commitments} from "../libraries/Commitments.sol";
import {Calendar, CalendarParameters} from "../types/Calendar.sol";
import {FALLBACK_SUPPLIER, FIRST_PARTICIPANT, GRID_OPERATOR, Kind} from "../types/Members.sol";
import {SigningDomain} from "../types/SigningDomain.sol";
import {Strips} from "../types/Strips.sol";

/// @title Late reconciliation
contract LateReconciliation is ILateReconciliation, AccessManaged, SigningDomain, Calendar {
    using SafeCast for int256;

    bytes32 private constant READING_TYPEHASH = keccak256("LateReading(uint32 id,uint32 day,uint8 run,bytes32[] net)");
    /// As often as the trade settles a day late: R1, R2, R3, RF and DF.
    uint256 private constant MAX_RUNS = 5;
    /// 28 months.
    uint256 private constant MAX_AGE = 852;

    /// Of a member's day that was settled late.
    struct Latest {
        /// Hash of what counts as metered, without its last byte: one storage word.
        bytes31 metered;
        uint8 runs;
    }

    /// What a difference is worked out from: rules and prices of the day, six signed lanes a strip.
    struct Terms {
        Rules rules;
        StripPrices[] prices;
        uint256[] contracted;
        uint256[] before;
        uint256[] net;
    }

    IParticipantRegistry private immutable REGISTRY;
    IMarketRules private immutable RULES;
    IAccounts private immutable ACCOUNTS;
    ISettlement private immutable SETTLEMENT;

    mapping(uint32 id => mapping(uint256 day => Latest)) private _latest;
    /// Statements of the grid operator that the council has allowed.
    mapping(bytes32 statement => bool) private _isAllowed;

    constructor(
        address authority,
        CalendarParameters memory calendar_,
        IParticipantRegistry registry,
        IMarketRules rules,
        IAccounts accounts,
        ISettlement settlement
    ) AccessManaged(authority) Calendar(calendar_) {
        REGISTRY = registry;
        RULES = rules;
        ACCOUNTS = accounts;
        SETTLEMENT = settlement;
    }

    /// @inheritdoc ILateReconciliation
    function reconcile(LateReading calldata reading, LateRecord calldata record, bytes calldata meterSignature)
        external
    {
        address signer = ECDSA.recover(statementOf(reading), meterSignature);
        // What the connection carries is asked of every statement, signed by whomever.
        // slither-disable-next-line unused-return
        (uint32 id,,) = REGISTRY.metered(signer, reading.day);
        if (id != reading.id) revert NotSignedByItsMeter(reading.id, signer);
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
        _requireSigned(GRID_OPERATOR, statement, operatorSignature);
        bool isAllowed = _isAllowed[statement];
        if (!isAllowed) {
            if (memberSignature.length == 0) revert NotAgreed(statement);
            _requireSigned(reading.id, statement, memberSignature);
        }
        int256 toSupplier = _settle(reading, record, false);
        // Two who agree do so at their own expense.
        if (toSupplier != 0 && !isAllowed) revert NotAgreed(statement);
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
        int256 toGrid;
        (toGrid, toSupplier) = _differences(day, record, before, net);
        emit Reconciled(id, day, reading.run, byMeter, toGrid, toSupplier, reading.net);
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
        before = record.metered;
        bytes32 metered = Commitments.hashOf(before);
        bytes32 leaf = Commitments.leafOf(id, Commitments.hashOf(record.contracted), record.settled);
        bytes32 commitment = Commitments.commitmentTo(
            day, Commitments.hashOf(record.prices), MerkleProof.processProofCalldata(record.proof, leaf)
        );
        bool isLatest = next == 1 ? metered == record.settled : bytes31(metered) == latest.metered;
        if (!isLatest || commitment != SETTLEMENT.commitmentOf(day)) revert NotOnRecord(id, day);
        if (metered == keccak256(abi.encodePacked(reading.net))) revert NothingChanges(id, day);
    }

    /// The connection bounds the energy of a late reading as that of any other.
    function _requireWithinConnection(uint32 id, uint256 day, uint256[] memory net) private view {
        Member memory m = REGISTRY.member(id);
        bool isReconciled = id >= FIRST_PARTICIPANT && m.kind != Kind.WholesaleDesk && REGISTRY.isMetered(id, day);
        if (!isReconciled) revert NotReconciled(id, day);
        // The connection of who has a meter has 37 bits.
        uint256 least = Strips.inAllLanes(Strips.BIAS - m.exportCapacity);
        uint256 most = Strips.inAllLanes(Strips.BIAS + m.importCapacity);
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
        uint256 strips = STRIPS_PER_DAY;
        Terms memory t = Terms(RULES.rulesOf(day), new StripPrices[](strips), record.contracted, before, net);
        bool hasPenalties = record.prices.length > strips;
        uint256 ofGrid = 0;
        uint256 ofSupplier = 0;
        for (uint256 strip = 0; strip < strips; ++strip) {
            if (before[strip] == net[strip]) continue;
            uint256 word = record.prices[strip];
            uint256 penalties = hasPenalties ? record.prices[strips + strip] : 0;
            t.prices[strip] = Billing.unpack(word, penalties, t.rules.chargeHelpful);
            if (word & Billing.AT_BOUNDARY == 0) ofSupplier |= 1 << strip;
            else ofGrid |= 1 << strip;
        }
        (toGrid, toSupplier) = (_difference(t, ofGrid), _difference(t, ofSupplier));
    }

    /// @param chosen strips that count, a bit each; in all others nothing is due.
    /// @return units due more than before, money units.
    function _difference(Terms memory t, uint256 chosen) private pure returns (int256 units) {
        if (chosen == 0) return 0;
        uint256 strips = t.prices.length;
        uint256[] memory before = new uint256[](strips);
        uint256[] memory net = new uint256[](strips);
        for (uint256 strip = 0; strip < strips; ++strip) {
            (before[strip], net[strip]) = chosen & (1 << strip) == 0
                ? (t.contracted[strip], t.contracted[strip])
                : (t.before[strip], t.net[strip]);
        }
        return _due(t.contracted, net, t.rules, t.prices) - _due(t.contracted, before, t.rules, t.prices);
    }

    /// @return units due for a day besides its trades and fees, money units.
    function _due(
        uint256[] memory contracted,
        uint256[] memory metered,
        Rules memory rules,
        StripPrices[] memory prices
    ) private pure returns (int256 units) {
        Bill memory bill = Billing.billOf(contracted, metered, rules, prices);
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
