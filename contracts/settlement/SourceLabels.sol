// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {Hashes} from "@openzeppelin/contracts/utils/cryptography/Hashes.sol";
import {Multicall} from "@openzeppelin/contracts/utils/Multicall.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IAccounts, Posting} from "../interfaces/IAccounts.sol";
import {IExchange} from "../interfaces/IExchange.sol";
import {IMarketRules} from "../interfaces/IMarketRules.sol";
import {IMeterReadings} from "../interfaces/IMeterReadings.sol";
import {IParticipantRegistry, Member} from "../interfaces/IParticipantRegistry.sol";
import {ISourceLabels, SourceList, SourcePremium} from "../interfaces/ISourceLabels.sol";
import {Commitments} from "../libraries/Commitments.sol";
import {EqualRounds} from "../libraries/EqualRounds.sol";
import {Calendar, CalendarParameters} from "../types/Calendar.sol";
import {FIRST_PARTICIPANT, Status} from "../types/Members.sol";
import {Ring} from "../types/Ring.sol";
import {SigningDomain} from "../types/SigningDomain.sol";
import {Strips} from "../types/Strips.sol";

/// @title Labels of sources
/// @dev What a step has left is kept as a hash, and the next step brings it: of a member's day nothing is stored, and six periods are
/// shared out at once. What is brought follows from events, and only what is on record is taken, so it does not matter who brings it.
contract SourceLabels is ISourceLabels, SigningDomain, Calendar, Multicall {
    using SafeCast for uint256;

    bytes32 private constant LIST_TYPEHASH =
        keccak256("SourceList(address account,bytes32[] wishes,uint32 firstDay,uint40 sequence)");
    bytes32 private constant PREMIUM_TYPEHASH =
        keccak256("SourcePremium(address account,uint32 perWh,uint32 firstDay,uint40 sequence)");

    uint256 private constant MAX_SOURCES = 16;
    /// Wishes that a transaction brings, beside a round of all members: so many count on a day, however many lists there are.
    uint256 private constant MAX_WISHES = 8_000;
    // Where a wish has what.
    uint256 private constant NUMBER_BITS = 32;
    uint256 private constant WISH_BITS = 72;

    /// What of a day comes next.
    enum Stage {
        Gathering,
        Arranging,
        Labelling,
        Labelled
    }

    /// What has become of a consumer's premiums of a day.
    enum Payment {
        None,
        Owed,
        Paid
    }

    /// How far a day is.
    struct DayState {
        uint16 day;
        Stage stage;
        uint32 nextToGather;
        /// Wishes gathered.
        uint32 wishes;
        /// The strip that is labelled next, and the place in the list from which that goes on.
        uint8 strip;
        uint32 place;
    }

    /// A list, and the first day it applies to. Its wishes lie three in a word.
    struct ListVersion {
        uint32 firstDay;
        uint72[] wishes;
    }

    /// A premium, and the first day it applies to: one storage word.
    struct PremiumVersion {
        uint32 firstDay;
        uint32 perWh;
    }

    IParticipantRegistry private immutable REGISTRY;
    IMarketRules private immutable RULES;
    IAccounts private immutable ACCOUNTS;
    IMeterReadings private immutable READINGS;
    IExchange private immutable EXCHANGE;

    // Slither does not see what is written by a reference.
    // slither-disable-next-line uninitialized-state
    mapping(uint32 id => ListVersion[]) private _lists;
    // slither-disable-next-line uninitialized-state
    mapping(uint32 id => PremiumVersion[]) private _premiums;
    mapping(uint256 ringPlace => DayState) private _days;
    /// By strip, beside the day: hash of what all members lack or have left.
    mapping(uint256 key => bytes32) private _nets;
    /// Hash of the wishes gathered so far; once they are arranged, of the list and what each wish was given.
    mapping(uint256 day => bytes32) private _labels;
    mapping(uint32 id => mapping(uint256 day => Payment)) private _payments;
    /// @inheritdoc ISourceLabels
    mapping(uint32 id => uint40) public lastListOf;
    /// @inheritdoc ISourceLabels
    mapping(uint32 id => uint40) public lastPremiumOf;
    /// @inheritdoc ISourceLabels
    mapping(uint256 day => bool) public isLabelled;
    /// @inheritdoc ISourceLabels
    mapping(uint32 id => uint32) public owedDaysOf;

    constructor(
        CalendarParameters memory calendar_,
        IParticipantRegistry registry,
        IMarketRules rules,
        IAccounts accounts,
        IMeterReadings readings,
        IExchange exchange
    ) Calendar(calendar_) {
        REGISTRY = registry;
        RULES = rules;
        ACCOUNTS = accounts;
        READINGS = readings;
        EXCHANGE = exchange;
    }

    /// @inheritdoc ISourceLabels
    function choose(SourceList calldata list, bytes calldata signature) external {
        bytes32 wishes = keccak256(abi.encodePacked(list.wishes));
        uint32 id = _signerOf(
            keccak256(abi.encode(LIST_TYPEHASH, list.account, wishes, list.firstDay, list.sequence)),
            list.account,
            signature
        );
        if (list.sequence <= lastListOf[id]) revert StaleMessage(id, list.sequence, lastListOf[id]);
        lastListOf[id] = list.sequence;
        if (list.wishes.length > MAX_SOURCES) revert TooManySources(list.wishes.length, MAX_SOURCES);
        uint256 earliest = _earliest(0, list.firstDay);
        ListVersion[] storage versions = _lists[id];
        while (versions.length > 0 && versions[versions.length - 1].firstDay >= earliest) versions.pop();
        ListVersion storage version = versions.push();
        version.firstDay = list.firstDay;
        for (uint256 n = 0; n < list.wishes.length; ++n) {
            uint256 wish = uint256(list.wishes[n]);
            uint32 source = uint32(wish >> NUMBER_BITS);
            if (wish >> WISH_BITS != 0 || source < FIRST_PARTICIPANT || source == id) revert NoSuchSource(n);
            for (uint256 i = 0; i < n; ++i) {
                uint256 other = uint256(list.wishes[i]);
                if (other >= wish || uint32(other >> NUMBER_BITS) == source) revert NoSuchSource(n);
            }
            version.wishes.push(uint72(wish));
        }
        emit SourcesChosen(id, list.wishes, list.firstDay, uint32(earliest), list.sequence);
    }

    /// @inheritdoc ISourceLabels
    function ask(SourcePremium calldata premium, bytes calldata signature) external {
        uint32 id = _signerOf(
            keccak256(abi.encode(PREMIUM_TYPEHASH, premium.account, premium.perWh, premium.firstDay, premium.sequence)),
            premium.account,
            signature
        );
        if (premium.sequence <= lastPremiumOf[id]) revert StaleMessage(id, premium.sequence, lastPremiumOf[id]);
        lastPremiumOf[id] = premium.sequence;
        // A day later than a list, so that who wants the source can answer.
        uint256 earliest = _earliest(1, premium.firstDay);
        PremiumVersion[] storage versions = _premiums[id];
        while (versions.length > 0 && versions[versions.length - 1].firstDay >= earliest) versions.pop();
        versions.push(PremiumVersion(premium.firstDay, premium.perWh));
        emit PremiumAsked(id, premium.perWh, premium.firstDay, uint32(earliest), premium.sequence);
    }

    /// @inheritdoc ISourceLabels
    function gather(uint32 day, uint256 members) external {
        if (members == 0) revert NoMembersGiven();
        DayState memory state = _open(day, Stage.Gathering);
        uint256 last = READINGS.membersOf(day);
        uint256 count = last >= state.nextToGather ? last + 1 - state.nextToGather : 0;
        bool isLast = members >= count;
        if (!isLast) count = members;
        _gatherReadings(day, state.nextToGather, count);
        bytes32 gathered = state.nextToGather == FIRST_PARTICIPANT ? bytes32(0) : _labels[day];
        for (uint256 i = 0; i < count; ++i) {
            uint32 id = state.nextToGather + uint32(i);
            uint72[] memory named = _listOn(id, day);
            if (named.length == 0) continue;
            uint256[] memory wishes = _countedOf(named, id, day, last);
            gathered = _chained(gathered, wishes);
            state.wishes += uint32(wishes.length);
            emit WishesGathered(id, day, wishes);
        }
        _labels[day] = gathered;
        state.nextToGather += uint32(count);
        if (isLast) {
            emit DayGathered(day, state.wishes);
            state.stage = Stage.Arranging;
            if (state.wishes == 0) _end(state, day, new uint256[](0), new uint256[](0));
        }
        _days[Ring.place(day)] = state;
    }

    /// @inheritdoc ISourceLabels
    function arrange(uint32 day, uint256[] calldata wishes, uint256[] calldata places) external {
        DayState memory state = _open(day, Stage.Arranging);
        if (_chained(0, wishes) != _labels[day]) revert NotLeft(day);
        if (places.length != wishes.length) revert NotInOrder(places.length);
        uint256[] memory sorted = new uint256[](wishes.length);
        uint256 last = 0;
        for (uint256 n = 0; n < places.length; ++n) {
            // As many as there are, all of them different: it is each of them.
            if (places[n] >= wishes.length || wishes[places[n]] <= last) revert NotInOrder(n);
            last = wishes[places[n]];
            sorted[n] = last;
        }
        _labels[day] = _hashOf(sorted, new uint256[](sorted.length));
        state.stage = Stage.Labelling;
        _days[Ring.place(day)] = state;
    }

    /// @inheritdoc ISourceLabels
    function label(
        uint32 day,
        uint256[] calldata net,
        uint256[] calldata wishes,
        uint256[] calldata given,
        uint256[] calldata levels
    ) external {
        DayState memory state = _open(day, Stage.Labelling);
        uint256 key = Ring.dayKey(day, state.strip);
        uint256[] memory left = net;
        uint256[] memory list = wishes;
        uint256[] memory more = given;
        if (_chained(0, left) != _nets[key] || _hashOf(list, more) != _labels[day]) revert NotLeft(day);
        if (levels.length == 0) revert NoSuchGroup(day);
        uint256 place = state.place;
        for (uint256 n = 0; n < levels.length; ++n) {
            if (place == list.length) revert NoSuchGroup(day);
            place = _share(state.strip, left, list, more, place, levels[n]);
        }
        if (place < list.length) {
            state.place = uint32(place);
            _labels[day] = _hashOf(list, more);
            _nets[key] = _chained(0, left);
        } else {
            state.place = 0;
            ++state.strip;
            if (state.strip == STRIPS_PER_DAY) _end(state, day, list, more);
            else _labels[day] = _hashOf(list, more);
        }
        _days[Ring.place(day)] = state;
    }

    /// @inheritdoc ISourceLabels
    function pay(uint32 day, uint32[] calldata ids, uint256[] calldata wishes, uint256[] calldata given) external {
        uint256[] memory list = wishes;
        uint256[] memory labels = given;
        if (!isLabelled[day] || _hashOf(list, labels) != _labels[day]) revert NotLabelled(day);
        uint256 numbers = _numbersIn(list);
        uint256[] memory due = new uint256[](numbers);
        for (uint256 n = 0; n < list.length; ++n) {
            (, uint256 consumer, uint256 premium) = _partsOf(list[n]);
            due[consumer] += labels[n] * premium;
        }
        uint256[] memory paid = _paidOf(day, ids, due);
        uint256[] memory received = new uint256[](numbers);
        for (uint256 n = 0; n < list.length; ++n) {
            (uint256 source, uint256 consumer, uint256 premium) = _partsOf(list[n]);
            if (paid[consumer] > 0) received[source] += labels[n] * premium;
        }
        _post(paid, received);
    }

    /// @inheritdoc ISourceLabels
    function progressOf(uint256 day) external view returns (uint32 nextToGather, uint8 strip, uint32 place) {
        DayState storage state = _days[Ring.place(day)];
        return state.day == day ? (state.nextToGather, state.strip, state.place) : (FIRST_PARTICIPANT, 0, 0);
    }

    function _end(DayState memory state, uint32 day, uint256[] memory wishes, uint256[] memory given) private {
        state.stage = Stage.Labelled;
        isLabelled[day] = true;
        _labels[day] = _hashOf(wishes, given);
        emit DayLabelled(day, wishes, given);
    }

    /// Adds what some more members lack or have left to what is kept of each strip.
    function _gatherReadings(uint256 day, uint32 first, uint256 count) private {
        uint256[][] memory net = READINGS.netOf(day, first, count);
        // What the desk exchanges is no matter of labels, and what it nominates no energy of the area's.
        // slither-disable-next-line unused-return
        (uint256 desk,) = EXCHANGE.exchangeOf(day);
        uint256[] memory lanes = new uint256[](count);
        for (uint256 strip = 0; strip < STRIPS_PER_DAY; ++strip) {
            for (uint256 i = 0; i < count; ++i) {
                lanes[i] = first + i == desk || net[i].length == 0 ? Strips.ZERO_LANES : _read(net[i][strip]);
            }
            uint256 key = Ring.dayKey(day, strip);
            _nets[key] = _chained(first == FIRST_PARTICIPANT ? bytes32(0) : _nets[key], lanes);
        }
    }

    /// Notes who of them pays now, and who owes.
    /// @param due money units by number.
    /// @return paid of those who pay, money units by number.
    function _paidOf(uint256 day, uint32[] calldata ids, uint256[] memory due) private returns (uint256[] memory paid) {
        paid = new uint256[](due.length);
        bool isNew = false;
        for (uint256 n = 0; n < ids.length; ++n) {
            uint32 id = ids[n];
            if (n > 0 && id <= ids[n - 1]) revert NotInOrder(n);
            uint256 units = id < due.length ? due[id] : 0;
            Payment payment = _payments[id][day];
            if (units == 0 || payment == Payment.Paid) continue;
            // The fallback supplier advances no premium, and no credit covers one.
            // slither-disable-next-line unused-return,calls-loop
            (int256 free,) = ACCOUNTS.fundsOf(id);
            if (free >= int256(units)) {
                (paid[id], isNew) = (units, true);
                _payments[id][day] = Payment.Paid;
                if (payment == Payment.Owed) --owedDaysOf[id];
                emit PremiumPaid(id, uint32(day), units);
            } else if (payment == Payment.None) {
                isNew = true;
                _payments[id][day] = Payment.Owed;
                ++owedDaysOf[id];
                emit PremiumOwed(id, uint32(day), units);
            }
        }
        if (!isNew) revert NothingToPay(day);
    }

    /// Moves premiums: whoever pays by number, then sources by number.
    /// @param paid and
    /// @param received money units by number.
    function _post(uint256[] memory paid, uint256[] memory received) private {
        Posting[] memory postings = new Posting[](paid.length + received.length);
        uint256 count = 0;
        for (uint256 id = 0; id < paid.length; ++id) {
            if (paid[id] > 0) postings[count++] = Posting(uint32(id), -int128(uint128(paid[id].toUint96())), 0);
        }
        for (uint256 id = 0; id < received.length; ++id) {
            if (received[id] > 0) postings[count++] = Posting(uint32(id), int128(uint128(received[id].toUint96())), 0);
        }
        if (count == 0) return;
        assembly ("memory-safe") {
            mstore(postings, count)
        }
        ACCOUNTS.post(postings);
    }

    /// Gives one tier of one source what it has left, in equal rounds.
    /// @param place of its first wish.
    /// @return next place after its last one.
    function _share(
        uint256 strip,
        uint256[] memory net,
        uint256[] memory wishes,
        uint256[] memory given,
        uint256 place,
        uint256 level
    ) private pure returns (uint256 next) {
        (uint256 source,,) = _partsOf(wishes[place]);
        uint256 group = wishes[place] >> (2 * NUMBER_BITS);
        uint256 kept = Strips.soldOf(net[source - FIRST_PARTICIPANT]);
        next = place + 1;
        // What members have and lack fits lanes, and so does what they are given; places are within the list.
        unchecked {
            while (next < wishes.length && wishes[next] >> (2 * NUMBER_BITS) == group) ++next;
            if (kept == 0) return next;
            uint256[] memory lacks = new uint256[](next - place);
            for (uint256 n = 0; n < lacks.length; ++n) {
                (, uint256 consumer,) = _partsOf(wishes[place + n]);
                lacks[n] = Strips.boughtOf(net[consumer - FIRST_PARTICIPANT]);
            }
            (bool isRight, uint256 left) = EqualRounds.leftBy(kept, lacks, level);
            if (!isRight) revert WrongLevel(strip, place);
            net[source - FIRST_PARTICIPANT] += kept;
            for (uint256 n = 0; n < lacks.length; ++n) {
                if (lacks[n] == 0) continue;
                (, uint256 consumer,) = _partsOf(wishes[place + n]);
                uint256 part;
                (part, left) = EqualRounds.partOf(lacks[n], level, left);
                net[consumer - FIRST_PARTICIPANT] -= part;
                given[place + n] += Strips.sum(part);
            }
            net[source - FIRST_PARTICIPANT] -= left;
        }
    }

    /// @return id of the admitted participant that has signed.
    function _signerOf(bytes32 message, address account, bytes calldata signature) private view returns (uint32 id) {
        address signer = ECDSA.recover(_hashTypedDataV4(message), signature);
        if (signer != account) revert NotSignedBy(account, signer);
        id = REGISTRY.idOf(account);
        if (id < FIRST_PARTICIPANT) revert NotAMember(account);
        Member memory m = REGISTRY.member(id);
        if (m.status != Status.Admitted) revert NotAMember(account);
    }

    /// @param notice days between the next one to open and the first one that may be named; the market's first day has none before it.
    /// @return earliest first day that may be named.
    function _earliest(uint256 notice, uint256 firstDay) private view returns (uint256 earliest) {
        earliest = block.timestamp < opensAt(1) ? 1 : dayAt(block.timestamp + OPEN_LEAD) + 1 + notice;
        if (firstDay < earliest) revert TooLateToAnnounce(firstDay, earliest);
        if (firstDay > Strips.MAX_DAY) revert NoSuchDay(firstDay);
    }

    /// @return state of a day that is final, and whose readings are there still.
    function _open(uint32 day, Stage stage) private view returns (DayState memory state) {
        uint256 lastFinal = RULES.lastFinalDay();
        if (day == 0 || day > lastFinal) revert DayNotFinal(day, lastFinal);
        // From then on a meter may read for the day that takes its place.
        uint256 until = startOf(uint256(day) + Ring.DAYS);
        if (block.timestamp >= until) revert DayLapsed(day, until);
        state = _days[Ring.place(day)];
        if (state.day != day) state = DayState(uint16(day), Stage.Gathering, FIRST_PARTICIPANT, 0, 0, 0);
        if (state.stage != stage) revert NotTheNextStep(day);
    }

    /// @return wishes that a member has for a day; none before its first list.
    function _listOn(uint32 id, uint256 day) private view returns (uint72[] memory wishes) {
        ListVersion[] storage versions = _lists[id];
        for (uint256 n = versions.length; n > 0; --n) {
            if (versions[n - 1].firstDay <= day) return versions[n - 1].wishes;
        }
    }

    /// @param named what a member wishes.
    /// @param last number of the day's last member.
    /// @return wishes of it that count on a day: none while it owes a premium, none for a source that asks more than it pays, and no
    /// more than all can have.
    function _countedOf(uint72[] memory named, uint32 id, uint256 day, uint256 last)
        private
        view
        returns (uint256[] memory wishes)
    {
        if (owedDaysOf[id] > 0) return wishes;
        wishes = new uint256[](named.length);
        uint256 most = MAX_WISHES / (last + 1 - FIRST_PARTICIPANT);
        uint256 count = 0;
        for (uint256 i = 0; i < named.length && count < most; ++i) {
            uint256 source = uint32(named[i] >> NUMBER_BITS);
            uint256 premium = _premiumOn(uint32(source), day);
            if (source > last || premium > uint32(named[i])) continue;
            uint256 tier = named[i] >> (2 * NUMBER_BITS);
            wishes[count++] =
                (tier << (3 * NUMBER_BITS)) | (source << (2 * NUMBER_BITS)) | (uint256(id) << NUMBER_BITS) | premium;
        }
        assembly ("memory-safe") {
            mstore(wishes, count)
        }
    }

    /// @return perWh what a source asks on a day, units/Wh; nothing before it has ever asked.
    function _premiumOn(uint32 id, uint256 day) private view returns (uint256 perWh) {
        PremiumVersion[] storage versions = _premiums[id];
        for (uint256 n = versions.length; n > 0; --n) {
            if (versions[n - 1].firstDay <= day) return versions[n - 1].perWh;
        }
    }

    /// @return lanes of net energy; zero where it is estimated, because nobody has read it.
    function _read(uint256 word) private pure returns (uint256 lanes) {
        uint256 estimated = Strips.spread(word, Strips.LANE_MASK);
        return (word & ~estimated & Strips.LANES_MASK) | (Strips.ZERO_LANES & estimated);
    }

    /// @return numbers one more than the highest number of a member in some wishes.
    function _numbersIn(uint256[] memory wishes) private pure returns (uint256 numbers) {
        for (uint256 n = 0; n < wishes.length; ++n) {
            (uint256 source, uint256 consumer,) = _partsOf(wishes[n]);
            uint256 highest = source > consumer ? source : consumer;
            if (highest >= numbers) numbers = highest + 1;
        }
    }

    /// @return hash with some more words: the same in whichever parts they come.
    function _chained(bytes32 hash, uint256[] memory words) private pure returns (bytes32) {
        for (uint256 n = 0; n < words.length; ++n) {
            hash = Hashes.efficientKeccak256(hash, bytes32(words[n]));
        }
        return hash;
    }

    /// @return hash of the wishes of a day, and of what each has been given so far.
    function _hashOf(uint256[] memory wishes, uint256[] memory given) private pure returns (bytes32) {
        return Hashes.efficientKeccak256(Commitments.hashOf(wishes), Commitments.hashOf(given));
    }

    /// @return source number,
    /// @return consumer number and
    /// @return premium units/Wh of a wish that counts.
    function _partsOf(uint256 wish) private pure returns (uint256 source, uint256 consumer, uint256 premium) {
        return (uint32(wish >> (2 * NUMBER_BITS)), uint32(wish >> NUMBER_BITS), uint32(wish));
    }
}
