// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {Multicall} from "@openzeppelin/contracts/utils/Multicall.sol";
import {IExchange} from "../interfaces/IExchange.sol";
import {ILateReconciliation, LateRecord} from "../interfaces/ILateReconciliation.sol";
import {IMarketRules} from "../interfaces/IMarketRules.sol";
import {IMeterReadings} from "../interfaces/IMeterReadings.sol";
import {CoinTerms, CoinTransfer, INrgCoin} from "../interfaces/INrgCoin.sol";
import {IParticipantRegistry} from "../interfaces/IParticipantRegistry.sol";
import {BellCurve} from "../libraries/BellCurve.sol";
import {Commitments} from "../libraries/Commitments.sol";
import {Calendar, CalendarParameters} from "../types/Calendar.sol";
import {FIRST_PARTICIPANT} from "../types/Members.sol";
import {Ring} from "../types/Ring.sol";
import {SigningDomain} from "../types/SigningDomain.sol";
import {Strips} from "../types/Strips.sol";

/// @title NRGcoin
/// @dev The readings of a final day are where the settlement had them until the day eight later begins, so nothing is proven but what is
/// corrected later. Two walks through the members: what all fed in and drew has to be known before anybody's part of it.
contract NrgCoin is INrgCoin, SigningDomain, Calendar, Multicall {
    bytes32 private constant TRANSFER_TYPEHASH =
        keccak256("CoinTransfer(address from,address to,uint128 amount,uint40 sequence)");

    /// How far a day is.
    struct DayState {
        uint16 day;
        /// Members from which counting and crediting go on.
        uint32 nextToCount;
        uint32 nextToCredit;
    }

    /// What a Wh of each slot is worth, and what the area fed in and drew, Wh.
    struct Slots {
        uint256[] weights;
        uint256[] exported;
        uint256[] imported;
    }

    IParticipantRegistry private immutable REGISTRY;
    IMarketRules private immutable RULES;
    IMeterReadings private immutable READINGS;
    IExchange private immutable EXCHANGE;
    ILateReconciliation private immutable LATE;
    uint256 private immutable PER_EXPORT;
    uint256 private immutable PER_IMPORT;
    uint256 private immutable WIDTH;

    mapping(uint256 ringPlace => DayState) private _days;
    /// By strip, beside the day: what the members counted so far fed in and drew, Wh by lane.
    mapping(uint256 key => uint256) private _exported;
    mapping(uint256 key => uint256) private _imported;
    /// Hash of the sums of a day that is counted, for good.
    mapping(uint256 day => bytes32) private _sums;
    /// Hash of the strips that a member has its coins for, where they are not those that the day was settled on.
    mapping(uint32 id => mapping(uint256 day => bytes32)) private _corrected;
    /// @inheritdoc INrgCoin
    mapping(uint256 day => bool) public isCredited;
    /// @inheritdoc INrgCoin
    mapping(uint32 id => int256) public balanceOf;
    /// @inheritdoc INrgCoin
    mapping(uint32 id => uint40) public lastSequence;

    constructor(
        CalendarParameters memory calendar_,
        IParticipantRegistry registry,
        IMarketRules rules,
        IMeterReadings readings,
        IExchange exchange,
        ILateReconciliation late,
        CoinTerms memory terms
    ) Calendar(calendar_) {
        if (terms.width == 0) revert NoWidth();
        REGISTRY = registry;
        RULES = rules;
        READINGS = readings;
        EXCHANGE = exchange;
        LATE = late;
        PER_EXPORT = terms.perExport;
        PER_IMPORT = terms.perImport;
        WIDTH = terms.width;
    }

    /// @inheritdoc INrgCoin
    function countDay(uint32 day, uint256 members) external {
        DayState memory state = _open(day, members);
        if (_sums[day] != 0) revert AlreadyCounted(day);
        (uint256 count, bool isLast) = _part(day, state.nextToCount, members);
        uint256[][] memory net = READINGS.netOf(day, state.nextToCount, count);
        uint256 desk = _deskOf(day);
        uint256[] memory exported = new uint256[](STRIPS_PER_DAY);
        uint256[] memory imported = new uint256[](STRIPS_PER_DAY);
        for (uint256 strip = 0; strip < STRIPS_PER_DAY; ++strip) {
            uint256 key = Ring.dayKey(day, strip);
            bool isKnown = Strips.dayOf(_exported[key]) == day;
            uint256 fedIn = isKnown ? _exported[key] & Strips.LANES_MASK : 0;
            uint256 drawn = isKnown ? _imported[key] & Strips.LANES_MASK : 0;
            for (uint256 i = 0; i < count; ++i) {
                if (!_counts(state.nextToCount + i, desk) || net[i].length == 0) continue;
                uint256 lanes = _read(net[i][strip]);
                // All that the meters of an area can show fits a lane.
                unchecked {
                    fedIn += Strips.soldOf(lanes);
                    drawn += Strips.boughtOf(lanes);
                }
            }
            _exported[key] = Strips.withDay(fedIn, day);
            _imported[key] = Strips.withDay(drawn, day);
            (exported[strip], imported[strip]) = (fedIn, drawn);
        }
        state.nextToCount += uint32(count);
        _days[Ring.place(day)] = state;
        if (!isLast) return;
        _sums[day] = keccak256(abi.encode(exported, imported));
        emit DayCounted(day, exported, imported);
    }

    /// @inheritdoc INrgCoin
    function creditDay(uint32 day, uint256 members) external {
        DayState memory state = _open(day, members);
        if (_sums[day] == 0) revert NotCounted(day);
        if (isCredited[day]) revert AlreadyCredited(day);
        (uint256 count, bool isLast) = _part(day, state.nextToCredit, members);
        uint256[][] memory net = READINGS.netOf(day, state.nextToCredit, count);
        uint256 desk = _deskOf(day);
        Slots memory slots = _slotsOf(day);
        for (uint256 i = 0; i < count; ++i) {
            uint32 id = state.nextToCredit + uint32(i);
            if (!_counts(id, desk) || net[i].length == 0) continue;
            (uint256 minted, uint256 charged) = _coinsDown(net[i], slots);
            if (minted == 0 && charged == 0) continue;
            balanceOf[id] += int256(minted) - int256(charged);
            emit Credited(id, day, minted, charged);
        }
        state.nextToCredit += uint32(count);
        _days[Ring.place(day)] = state;
        if (!isLast) return;
        isCredited[day] = true;
        emit DayCredited(day);
    }

    /// @inheritdoc INrgCoin
    function correct(
        uint32 id,
        uint32 day,
        uint256[] calldata exported,
        uint256[] calldata imported,
        uint256[] calldata before,
        LateRecord calldata record
    ) external {
        if (!isCredited[day]) revert NotCredited(day);
        LATE.requireOnRecord(id, day, record);
        bytes32 had = _corrected[id][day];
        if (had == 0) had = record.settled;
        bool isKnown = keccak256(abi.encode(exported, imported)) == _sums[day];
        if (id < FIRST_PARTICIPANT || !isKnown || Commitments.hashOf(before) != had) revert NotOnRecord(id, day);
        bytes32 has = Commitments.hashOf(record.metered);
        if (has == had) revert NothingToCorrect(id, day);
        _corrected[id][day] = has;
        Slots memory slots = _slotsFrom(exported, imported);
        (uint256 mintedBefore, uint256 chargedBefore) = _coinsDown(before, slots);
        (uint256 minted, uint256 charged) = _coinsDown(record.metered, slots);
        balanceOf[id] += int256(minted) - int256(charged) - int256(mintedBefore) + int256(chargedBefore);
        emit CoinsCorrected(id, day, minted, charged);
    }

    /// @inheritdoc INrgCoin
    function transfer(CoinTransfer calldata t, bytes calldata signature) external {
        bytes32 message = keccak256(abi.encode(TRANSFER_TYPEHASH, t));
        address signer = ECDSA.recover(_hashTypedDataV4(message), signature);
        if (signer != t.from) revert NotSignedBy(t.from, signer);
        (uint32 from, uint32 to) = (_memberOf(t.from), _memberOf(t.to));
        if (t.sequence <= lastSequence[from]) revert StaleMessage(from, t.sequence, lastSequence[from]);
        lastSequence[from] = t.sequence;
        int256 amount = int256(uint256(t.amount));
        if (amount > balanceOf[from]) revert TooFewCoins(from, t.amount, balanceOf[from]);
        balanceOf[from] -= amount;
        balanceOf[to] += amount;
        emit CoinsMoved(from, to, t.amount, t.sequence);
    }

    /// @inheritdoc INrgCoin
    function nextMembers(uint256 day) external view returns (uint32 counted, uint32 credited) {
        DayState storage state = _days[Ring.place(day)];
        return state.day == day ? (state.nextToCount, state.nextToCredit) : (FIRST_PARTICIPANT, FIRST_PARTICIPANT);
    }

    /// @return state of a day that is final and whose readings are there still.
    function _open(uint32 day, uint256 members) private view returns (DayState memory state) {
        if (members == 0) revert NoMembersGiven();
        uint256 lastFinal = RULES.lastFinalDay();
        if (day == 0 || day > lastFinal) revert DayNotFinal(day, lastFinal);
        // From then on a meter may read for the day that takes its place.
        uint256 until = startOf(uint256(day) + Ring.DAYS);
        if (block.timestamp >= until) revert DayLapsed(day, until);
        state = _days[Ring.place(day)];
        if (state.day != day) state = DayState(uint16(day), FIRST_PARTICIPANT, FIRST_PARTICIPANT);
    }

    /// @return count of the members of a day from one on, as many as are asked for or as there are.
    /// @return isLast whether there are no more.
    function _part(uint256 day, uint256 first, uint256 members) private view returns (uint256 count, bool isLast) {
        uint256 last = READINGS.membersOf(day);
        count = last >= first ? last + 1 - first : 0;
        isLast = members >= count;
        if (!isLast) count = members;
    }

    /// @return desk whose nominations count as its readings; 0 if there is none.
    function _deskOf(uint256 day) private view returns (uint256 desk) {
        // What it exchanges is no matter of coins.
        // slither-disable-next-line unused-return
        (desk,) = EXCHANGE.exchangeOf(day);
    }

    /// @return whether a member has a part in the day: what the wholesale desk nominates is no energy of the area's.
    function _counts(uint256 id, uint256 desk) private pure returns (bool) {
        return id >= FIRST_PARTICIPANT && id != desk;
    }

    /// @return lanes of net energy; zero where it is estimated, because nobody has read it.
    function _read(uint256 word) private pure returns (uint256 lanes) {
        uint256 estimated = Strips.spread(word, Strips.LANE_MASK);
        return (word & ~estimated & Strips.LANES_MASK) | (Strips.ZERO_LANES & estimated);
    }

    function _slotsOf(uint256 day) private view returns (Slots memory) {
        uint256[] memory exported = new uint256[](STRIPS_PER_DAY);
        uint256[] memory imported = new uint256[](STRIPS_PER_DAY);
        for (uint256 strip = 0; strip < STRIPS_PER_DAY; ++strip) {
            exported[strip] = _exported[Ring.dayKey(day, strip)];
            imported[strip] = _imported[Ring.dayKey(day, strip)];
        }
        return _slotsFrom(exported, imported);
    }

    function _slotsFrom(uint256[] memory exported, uint256[] memory imported)
        private
        view
        returns (Slots memory slots)
    {
        slots = Slots(new uint256[](PERIODS_PER_DAY), new uint256[](PERIODS_PER_DAY), new uint256[](PERIODS_PER_DAY));
        for (uint256 slot = 0; slot < PERIODS_PER_DAY; ++slot) {
            uint256 fedIn = Strips.lane(exported[slot / Strips.LANES], slot % Strips.LANES);
            uint256 drawn = Strips.lane(imported[slot / Strips.LANES], slot % Strips.LANES);
            (slots.exported[slot], slots.imported[slot]) = (fedIn, drawn);
            slots.weights[slot] = BellCurve.weightDown(fedIn > drawn ? fedIn - drawn : drawn - fedIn, WIDTH);
        }
    }

    /// @return minted and
    /// @return charged coins of a member's day, 10^-6. Each slot is rounded down: of what is minted the member loses less than one, of
    /// what is charged it gains less than one.
    function _coinsDown(uint256[] memory net, Slots memory slots)
        private
        view
        returns (uint256 minted, uint256 charged)
    {
        for (uint256 strip = 0; strip < net.length; ++strip) {
            uint256 lanes = _read(net[strip]);
            // slither-disable-next-line incorrect-equality
            if (lanes == Strips.ZERO_LANES) continue;
            for (uint256 k = 0; k < Strips.LANES; ++k) {
                int256 energy = Strips.signedLane(lanes, k);
                uint256 slot = strip * Strips.LANES + k;
                if (energy < 0) {
                    minted += (uint256(-energy) * PER_EXPORT * slots.weights[slot]) / BellCurve.WHOLE;
                } else if (energy > 0) {
                    uint256 drawn = slots.imported[slot];
                    // A reading that came late may be all that is known of a slot.
                    uint256 all = drawn + slots.exported[slot];
                    charged += all == 0 ? 0 : (uint256(energy) * PER_IMPORT * drawn) / all;
                }
            }
        }
    }

    function _memberOf(address account) private view returns (uint32 id) {
        id = REGISTRY.idOf(account);
        if (id < FIRST_PARTICIPANT) revert NotAMember(account);
    }
}
