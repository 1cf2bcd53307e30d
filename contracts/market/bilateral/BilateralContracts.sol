// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Multicall} from "@openzeppelin/contracts/utils/Multicall.sol";
import {IAccounts} from "../../interfaces/IAccounts.sol";
import {Ending, IBilateralContracts, Proposal, Terms} from "../../interfaces/IBilateralContracts.sol";
import {IMarket, Positions} from "../../interfaces/IMarket.sol";
import {IMarketRules, Rules} from "../../interfaces/IMarketRules.sol";
import {IParticipantRegistry, Member} from "../../interfaces/IParticipantRegistry.sol";
import {ISchedule} from "../../interfaces/ISchedule.sol";
import {DayTerms} from "../../libraries/DayTerms.sol";
import {PositionLists} from "../../libraries/PositionLists.sol";
import {Calendar, CalendarParameters} from "../../types/Calendar.sol";
import {Status} from "../../types/Members.sol";
import {Orders} from "../../types/Orders.sol";
import {Ring} from "../../types/Ring.sol";
import {PriceScale} from "../../types/PriceScale.sol";
import {SigningDomain} from "../../types/SigningDomain.sol";
import {Strips} from "../../types/Strips.sol";
import {Energy, Money, Price, SignedPrice} from "../../types/Units.sol";
import {DeliveryDays} from "./DeliveryDays.sol";

/// @title Bilateral contracts
/// @dev A contract is two words, and never written while it delivers: what is locked for it follows from its terms and from which days
/// are booked, which is kept once for all contracts.
contract BilateralContracts is IBilateralContracts, AccessManaged, SigningDomain, Calendar, PriceScale, Multicall {
    using DeliveryDays for DeliveryDays.Delivery;
    using SafeCast for int256;
    using SafeCast for uint256;

    bytes32 private constant PROPOSAL_TYPEHASH = keccak256(
        "Proposal(address proposer,address counterparty,bool isSale,int32 price,uint64 energy,uint32 firstPeriod,uint32 lastPeriod,uint96 slots,uint8 weekdays,uint64 expiry,bytes32 answers,bytes32 salt)"
    );
    bytes32 private constant ACCEPTANCE_TYPEHASH = keccak256("Acceptance(bytes32 proposal,uint64 expiry)");
    bytes32 private constant REVOCATION_TYPEHASH = keccak256("Revocation(bytes32 message)");
    bytes32 private constant ENDING_TYPEHASH = keccak256("Ending(uint32 number,uint32 lastDay,uint64 expiry)");

    /// Contracts of one member, so that the day of whoever has most settles in one transaction, also if all of them end with its
    /// default (WorstDay.sol).
    uint256 private constant MAX_CONTRACTS = 64;
    /// Numbers in a word of a member's list; the first place of the first word holds how many there are.
    uint256 private constant PLACES = 8;
    uint256 private constant PLACE_BITS = 32;
    uint256 private constant PLACE_MASK = (1 << PLACE_BITS) - 1;
    uint256 private constant TAG_BITS = 16;
    uint256 private constant TAG_MASK = (1 << TAG_BITS) - 1;
    /// Times six bits this puts bit k to the bottom of lane k.
    uint256 private constant TO_LANES = 1 | (1 << 39) | (1 << 78) | (1 << 117) | (1 << 156) | (1 << 195);

    /// A contract as it is stored; the members are those of Terms.
    struct Record {
        uint32 buyer;
        uint32 seller;
        int32 price;
        uint32 energy;
        uint24 firstPeriod;
        uint24 endPeriod;
        uint24 extra;
        uint24 ceiling;
        uint8 weekdays;
        uint8 fullest;
        uint96 slots;
    }

    /// Which days are booked, for members up to which number: by place in the ring of days.
    struct Progress {
        /// Days, 16 bits each.
        uint256 tags;
        /// Members' numbers, 32 bits each.
        uint256 through;
        uint256 lastFinal;
    }

    IParticipantRegistry private immutable REGISTRY;
    IMarketRules private immutable RULES;
    IAccounts private immutable ACCOUNTS;
    ISchedule private immutable SCHEDULE;
    uint256 private immutable FIRST_WEEKDAY;
    uint256 private immutable WINDOW;
    /// Seconds of arrears that make a default: time to pay what somebody else could bring about, and no more than lies between the
    /// settlements of two days.
    uint256 private immutable GRACE;

    mapping(uint256 number => Record) private _records;
    mapping(uint256 key => uint256) private _lists;
    mapping(bytes32 message => mapping(address account => bool)) public isUsed;
    uint256 private _tags;
    uint256 private _through;
    uint32 public contractCount;

    /// @param firstWeekday of day 1; 0 is Monday.
    constructor(
        address authority,
        CalendarParameters memory calendar_,
        IParticipantRegistry registry,
        IMarketRules rules,
        IAccounts accounts,
        ISchedule schedule,
        uint8 firstWeekday
    ) AccessManaged(authority) Calendar(calendar_) PriceScale(rules) {
        if (firstWeekday >= DeliveryDays.DAYS_A_WEEK) {
            revert BadCalendar("firstWeekday", firstWeekday, DeliveryDays.DAYS_A_WEEK - 1);
        }
        REGISTRY = registry;
        RULES = rules;
        ACCOUNTS = accounts;
        SCHEDULE = schedule;
        FIRST_WEEKDAY = firstWeekday;
        // From its gate until its readings are due, both included, a day is committed and cannot be paid: so many days at
        // once. One more until the next is settled, which sees that somebody did not pay, and one to forfeit.
        WINDOW = (GATE_LEAD + DAY_LENGTH + METERING_LAG) / DAY_LENGTH + 3;
        GRACE = DAY_LENGTH / 2;
        emit MarketOpened(firstWeekday, uint8(WINDOW));
    }

    /// @inheritdoc IBilateralContracts
    function conclude(
        Proposal calldata p,
        bytes calldata signature,
        address accepter,
        uint64 expiry,
        bytes calldata acceptance
    ) external returns (uint32 number) {
        bytes32 proposal = _hashOf(p);
        _requireSigned(p.proposer, proposal, signature);
        _requireConsent(accepter, keccak256(abi.encode(ACCEPTANCE_TYPEHASH, proposal, expiry)), acceptance);
        if (p.counterparty != address(0) && p.counterparty != accepter) {
            revert NotTheCounterparty(accepter, p.counterparty);
        }
        if (expiry > p.expiry) expiry = p.expiry;
        if (block.timestamp >= expiry) revert Expired(expiry, block.timestamp);
        _useUpAll(p, proposal, accepter);

        DeliveryDays.Delivery memory v = _deliveryOf(p);
        uint256 covered = v.daysFrom(v.firstDay);
        if (covered == 0) revert NothingToDeliver(p.firstPeriod, p.lastPeriod);
        Record memory r = _recordOf(p, v, covered);
        (r.buyer, r.seller) = _sidesOf(p, accepter, v.firstDay);
        number = ++contractCount;
        // Whatever is concluded later does not begin before the gate that is the next to close.
        if (number == 1) SCHEDULE.noteContracts(uint32(_lastCommitted() + 1));
        _records[number] = r;
        _append(r.buyer, number);
        _append(r.seller, number);
        emit Concluded(number, r.buyer, r.seller, proposal, _termsOf(r));

        if (covered > WINDOW) covered = WINDOW;
        (uint256 buyers, uint256 sellers) = _perDay(r);
        // A side that locks nothing still has to be free of arrears.
        ACCOUNTS.lockCollateral(r.buyer, (buyers * covered).toInt256().toInt128());
        ACCOUNTS.lockCollateral(r.seller, (sellers * covered).toInt256().toInt128());
    }

    /// @inheritdoc IBilateralContracts
    function revoke(bytes32 message, address account, bytes calldata signature) external {
        _requireSigned(account, keccak256(abi.encode(REVOCATION_TYPEHASH, message)), signature);
        _useUp(message, account);
        emit Revoked(message, account);
    }

    /// @inheritdoc IBilateralContracts
    function end(Ending calldata e, bytes calldata buyerSignature, bytes calldata sellerSignature) external {
        // As with revocation and termination, nothing new is agreed: all three go on while the market is paused.
        Record memory r = _known(e.number);
        bytes32 message = keccak256(abi.encode(ENDING_TYPEHASH, e));
        _requireConsent(REGISTRY.member(r.buyer).account, message, buyerSignature);
        _requireConsent(REGISTRY.member(r.seller).account, message, sellerSignature);
        if (block.timestamp >= e.expiry) revert Expired(e.expiry, block.timestamp);
        _requireGateOpen(uint256(e.lastDay) + 1);
        _endWithoutDefault(e.number, r, e.lastDay);
    }

    /// @inheritdoc IBilateralContracts
    function terminate(uint32 number) external {
        Record memory r = _known(number);
        uint256 buyers = _lastDayOf(r.buyer);
        uint256 sellers = _lastDayOf(r.seller);
        bool isBuyer = buyers <= sellers;
        uint256 lastDay = isBuyer ? buyers : sellers;
        uint256 ofMarket = _lastDayOfMarket();
        if (ofMarket <= Strips.MAX_DAY && ofMarket <= lastDay) {
            return _endWithoutDefault(number, r, uint32(ofMarket));
        }
        if (lastDay > Strips.MAX_DAY) revert NobodyLeft(number);
        uint32 defaulter = isBuyer ? r.buyer : r.seller;
        uint256[] memory numbers = new uint256[](1);
        numbers[0] = number;
        _breakAll(numbers, defaulter, uint32(lastDay), _progressOfMarket());
    }

    /// @inheritdoc IMarket
    function book(uint256 day, uint32 firstId, uint256 count) external restricted returns (Positions memory p) {
        if (!isCleared(day)) revert NotCleared(day);
        Progress memory progress = _progressFor(day);
        uint256 through = _throughOf(progress, day);
        if (firstId == 0 || firstId > through + 1) revert BookedOutOfOrder(firstId, uint32(through + 1));
        uint256 last = firstId + count - 1;
        // Before any of them is booked: what this ends is the same however a walk is cut into pieces.
        for (uint256 id = through + 1; id <= last; ++id) {
            _breakIfInDefault(uint32(id), progress);
        }
        p = PositionLists.empty(count);
        for (uint256 i = 0; i < count; ++i) {
            _bookMember(day, firstId + uint32(i), i, p, progress);
        }
        if (last > through) {
            uint256 shift = PLACE_BITS * Ring.place(day);
            _tags = progress.tags;
            _through = (progress.through & ~(PLACE_MASK << shift)) | (uint256(last.toUint32()) << shift);
            emit Booked(uint32(day), uint32(last));
        }
    }

    /// @inheritdoc IMarket
    function isCleared(uint256 day) public view returns (bool) {
        return day > 0 && day <= Strips.MAX_DAY && block.timestamp >= gateClosesAt(day);
    }

    /// @inheritdoc IBilateralContracts
    function contractOf(uint32 number) external view returns (uint32, uint32, Terms memory) {
        Record memory r = _known(number);
        return (r.buyer, r.seller, _termsOf(r));
    }

    /// @inheritdoc IBilateralContracts
    function contractsOf(uint32 id) external view returns (uint256[] memory) {
        return _load(id, _lists[_listKey(id, 0)]);
    }

    /// @inheritdoc IBilateralContracts
    function collateralOf(uint32 number) external view returns (uint256 buyer, uint256 seller) {
        Record memory r = _known(number);
        DeliveryDays.Delivery memory v = _deliveryOf(r);
        Progress memory progress = _progressOfMarket();
        (uint256 buyers, uint256 sellers) = _perDay(r);
        (uint256 buyersDays, uint256 sellersDays) = _covered(v, r, progress);
        (buyer, seller) = (buyers * buyersDays, sellers * sellersDays);
    }

    /// @inheritdoc IBilateralContracts
    function window() external view returns (uint256) {
        return WINDOW;
    }

    // ----------------------------------------------------------------------------------------------------- concluding

    function _hashOf(Proposal calldata p) private pure returns (bytes32) {
        return keccak256(abi.encode(PROPOSAL_TYPEHASH, p));
    }

    function _requireSigned(address account, bytes32 message, bytes calldata signature) private view {
        address signer = ECDSA.recover(_hashTypedDataV4(message), signature);
        if (signer != account) revert NotSignedBy(account, signer);
    }

    /// The account has signed an acceptance or an ending and not taken that back.
    function _requireConsent(address account, bytes32 message, bytes calldata signature) private view {
        _requireSigned(account, message, signature);
        if (isUsed[message][account]) revert ConsentRevoked(message, account);
    }

    /// Of a negotiation between two there is one contract at most: a counter-proposal uses up the proposal that it answers,
    /// whichever of the two made that, and is itself worth nothing once that is used up. What others signed is not touched.
    function _useUpAll(Proposal calldata p, bytes32 proposal, address accepter) private {
        _useUp(proposal, p.proposer);
        if (p.answers == bytes32(0)) return;
        if (p.counterparty == address(0)) revert AnswerToNobody(p.answers);
        _useUp(p.answers, p.proposer);
        if (accepter != p.proposer) _useUp(p.answers, accepter);
    }

    function _useUp(bytes32 proposal, address account) private {
        if (isUsed[proposal][account]) revert ProposalUsed(proposal, account);
        isUsed[proposal][account] = true;
    }

    /// Checks range and profile of a proposal.
    function _deliveryOf(Proposal calldata p) private view returns (DeliveryDays.Delivery memory v) {
        if (p.lastPeriod < p.firstPeriod) revert BadTerm("lastPeriod", p.lastPeriod, p.firstPeriod);
        uint256 allSlots = (1 << PERIODS_PER_DAY) - 1;
        if (p.slots > allSlots) revert BadTerm("slots", p.slots, allSlots);
        if (p.weekdays > DeliveryDays.ALL_WEEKDAYS) revert BadTerm("weekdays", p.weekdays, DeliveryDays.ALL_WEEKDAYS);
        v = DeliveryDays.from(
            p.firstPeriod, uint256(p.lastPeriod) + 1, p.slots, p.weekdays, FIRST_WEEKDAY, PERIODS_PER_DAY
        );
        if (v.lastDay > Strips.MAX_DAY) revert NoSuchDay(v.lastDay);
        uint256 endPeriod = _lastDayOfMarket() * PERIODS_PER_DAY;
        if (p.lastPeriod >= endPeriod) revert BadTerm("lastPeriod", p.lastPeriod, endPeriod);
        _requireGateOpen(v.firstDay);
    }

    function _recordOf(Proposal calldata p, DeliveryDays.Delivery memory v, uint256 days_)
        private
        view
        returns (Record memory r)
    {
        Rules memory rules = RULES.rulesOf(v.firstDay);
        uint256 energy = Energy.unwrap(p.energy);
        if (energy < Energy.unwrap(rules.minOrderEnergy)) {
            revert BadTerm("energy", energy, Energy.unwrap(rules.minOrderEnergy));
        }
        if (energy > Orders.ENERGY_MASK) revert BadTerm("energy", energy, Orders.ENERGY_MASK);
        r.price = SignedPrice.unwrap(p.price);
        int256 highest = SignedPrice.unwrap(rules.maxBuy);
        if (r.price > highest || r.price < LOWEST_PRICE) revert PriceOutOfRange(r.price, LOWEST_PRICE, highest);
        r.energy = uint32(energy);
        r.firstPeriod = uint24(p.firstPeriod);
        r.endPeriod = uint24(p.lastPeriod + 1);
        r.extra = uint24(DayTerms.extra(rules));
        r.ceiling = uint24(DayTerms.ceiling(rules));
        r.weekdays = p.weekdays;
        r.fullest = uint8(v.fullest(days_));
        r.slots = p.slots;
    }

    /// Numbers of both sides, each admitted and with a connection that carries the energy.
    function _sidesOf(Proposal calldata p, address accepter, uint256 firstDay)
        private
        view
        returns (uint32 buyer, uint32 seller)
    {
        (address buying, address selling) = p.isSale ? (accepter, p.proposer) : (p.proposer, accepter);
        buyer = _traderOf(buying, firstDay, Energy.unwrap(p.energy), true);
        seller = _traderOf(selling, firstDay, Energy.unwrap(p.energy), false);
        if (buyer == seller) revert ContractWithItself(buyer);
    }

    function _traderOf(address account, uint256 firstDay, uint256 energy, bool isBuyer)
        private
        view
        returns (uint32 id)
    {
        uint256 imports;
        uint256 exports;
        (id, imports, exports) = REGISTRY.requireTrader(account, firstDay);
        uint256 capacity = isBuyer ? imports : exports;
        if (energy > capacity) revert ExceedsCapacity(id, energy, capacity);
    }

    // --------------------------------------------------------------------------------------------------------- ending

    function _requireGateOpen(uint256 day) private view {
        uint256 closesAt = gateClosesAt(day);
        if (block.timestamp >= closesAt) revert GateClosed(day, closesAt, block.timestamp);
    }

    /// @return the last day whose gate has closed; what delivers then is not ended any more.
    function _lastCommitted() private view returns (uint256) {
        return dayAt(block.timestamp + GATE_LEAD);
    }

    /// @return the last day for which the schedule counts this market; beyond all days if it stays.
    function _lastDayOfMarket() private view returns (uint256) {
        return dayAt(ACCOUNTS.lockableUntil(address(this))) - 1;
    }

    /// @return last day on which a member's contracts deliver if they are terminated now; beyond all days if they may not be.
    function _lastDayOf(uint32 id) private view returns (uint256) {
        Member memory m = REGISTRY.member(id);
        if (m.status != Status.Exited) return type(uint256).max;
        uint256 committed = _lastCommitted();
        return m.lastDay > committed ? m.lastDay : committed;
    }

    /// Ends the contracts of a member that is in default, those that go on.
    function _breakIfInDefault(uint32 id, Progress memory progress) private {
        uint256 head = _lists[_listKey(id, 0)];
        if (head & PLACE_MASK == 0) return;
        (uint256 arrears, uint256 since) = ACCOUNTS.arrearsOf(id);
        // Nobody owes less than nothing.
        // slither-disable-next-line incorrect-equality
        if (arrears == 0 || block.timestamp < since + GRACE) return;
        uint32 lastDay = uint32(_lastCommitted());
        uint256[] memory numbers = _load(id, head);
        uint256 count = 0;
        for (uint256 n = 0; n < numbers.length; ++n) {
            if (_records[numbers[n]].endPeriod > lastDay * PERIODS_PER_DAY) numbers[count++] = numbers[n];
        }
        assembly ("memory-safe") {
            mstore(numbers, count)
        }
        if (count > 0) _breakAll(numbers, id, lastDay, progress);
    }

    /// Ends contracts at the cost of one side. What that frees of its collateral pays its arrears, before anything is forfeited.
    function _breakAll(uint256[] memory numbers, uint32 defaulter, uint32 lastDay, Progress memory progress) private {
        uint32[] memory others = new uint32[](numbers.length);
        uint256[] memory forfeits = new uint256[](numbers.length);
        uint256 freed = 0;
        for (uint256 n = 0; n < numbers.length; ++n) {
            Record memory r = _records[numbers[n]];
            // Numbers of members are compared.
            // slither-disable-next-line incorrect-equality
            others[n] = defaulter == r.buyer ? r.seller : r.buyer;
            uint256 rest;
            (rest, forfeits[n]) = _break(uint32(numbers[n]), r, lastDay, defaulter, progress);
            freed += rest;
        }
        _unlock(defaulter, freed);
        uint256[] memory received = ACCOUNTS.forfeitCollateral(defaulter, others, forfeits);
        for (uint256 n = 0; n < numbers.length; ++n) {
            if (forfeits[n] > 0) emit Forfeited(uint32(numbers[n]), received[n]);
        }
    }

    /// Ends a contract at nobody's cost: each side's collateral for what falls away is its own again.
    function _endWithoutDefault(uint32 number, Record memory r, uint32 lastDay) private {
        (uint256 buyer, uint256 seller) = _perDay(r);
        (uint256 buyersDays, uint256 sellersDays) = _shorten(number, r, lastDay, _progressOfMarket());
        emit Ended(number, lastDay, 0, 0);
        _unlock(r.buyer, buyer * buyersDays);
        _unlock(r.seller, seller * sellersDays);
    }

    /// Ends a contract at the cost of one side.
    /// @return freed of that side's collateral, still to be released.
    /// @return forfeited of it, a day's worth, to be given up after that.
    function _break(uint32 number, Record memory r, uint32 lastDay, uint32 defaulter, Progress memory progress)
        private
        returns (uint256 freed, uint256 forfeited)
    {
        (uint256 own, uint256 others) = _perDay(r);
        (uint256 ownDays, uint256 othersDays) = _shorten(number, r, lastDay, progress);
        uint32 other = r.seller;
        // Numbers of members are compared.
        // slither-disable-next-line incorrect-equality
        if (defaulter == r.seller) {
            (own, others, ownDays, othersDays, other) = (others, own, othersDays, ownDays, r.buyer);
        }
        forfeited = ownDays > 0 ? own : 0;
        emit Ended(number, lastDay, defaulter, forfeited);
        _unlock(other, others * othersDays);
        freed = own * ownDays - forfeited;
    }

    /// The gate of the day after the last one is open.
    /// @return buyersDays and
    /// @return sellersDays days for which the side's collateral is not needed any more.
    function _shorten(uint32 number, Record memory r, uint32 lastDay, Progress memory progress)
        private
        returns (uint256 buyersDays, uint256 sellersDays)
    {
        DeliveryDays.Delivery memory v = _deliveryOf(r);
        if (lastDay >= v.lastDay) revert NotEarlier(number, lastDay, v.lastDay);
        (buyersDays, sellersDays) = _covered(v, r, progress);
        r.endPeriod = uint24(lastDay * PERIODS_PER_DAY);
        _records[number].endPeriod = r.endPeriod;
        (uint256 buyers, uint256 sellers) = _covered(_deliveryOf(r), r, progress);
        buyersDays -= buyers;
        sellersDays -= sellers;
    }

    function _unlock(uint32 id, uint256 amount) private {
        if (amount > 0) ACCOUNTS.releaseCollateral(id, Money.wrap(amount.toUint128()));
    }

    // ----------------------------------------------------------------------------------------------------- collateral

    /// @return buyers and
    /// @return sellers what the fullest day costs at worst: a buyer pays the price and what it costs besides, a seller who delivers
    /// nothing buys its energy back from the fallback supplier, less the price it is sure to get. Money units.
    function _perDay(Record memory r) private pure returns (uint256 buyers, uint256 sellers) {
        uint256 energy = uint256(r.energy) * r.fullest;
        buyers = DayTerms.buyerLocks(energy, r.price, r.extra);
        sellers = DayTerms.sellerLocks(energy, r.price, r.ceiling);
    }

    /// @return buyers and
    /// @return sellers days of delivery that the collateral of either side covers now.
    function _covered(DeliveryDays.Delivery memory v, Record memory r, Progress memory progress)
        private
        view
        returns (uint256 buyers, uint256 sellers)
    {
        uint256 last;
        (sellers, last) = _beyondRing(v, progress);
        buyers = sellers;
        // One walk for both sides, as all contracts of a member may end at once.
        for (uint256 day = progress.lastFinal + 1; day <= last; ++day) {
            if (buyers >= WINDOW && sellers >= WINDOW) break;
            // slither-disable-next-line incorrect-equality
            if (v.slotsOn(day) == 0) continue;
            uint256 through = _throughOf(progress, day);
            if (r.buyer > through) ++buyers;
            if (r.seller > through) ++sellers;
        }
        if (buyers > WINDOW) buyers = WINDOW;
        if (sellers > WINDOW) sellers = WINDOW;
    }

    /// @return n days of delivery for which nobody is booked yet, as no place in the ring is theirs; all days up to the last final
    /// one are booked.
    /// @return last of the days between, for which members may be.
    function _beyondRing(DeliveryDays.Delivery memory v, Progress memory progress)
        private
        pure
        returns (uint256 n, uint256 last)
    {
        last = progress.lastFinal + Ring.DAYS;
        n = v.daysFrom(last + 1);
        if (last > v.lastDay) last = v.lastDay;
    }

    /// @return n days of delivery for which a member is not booked yet; if above the window, at least one more than that.
    function _unbooked(DeliveryDays.Delivery memory v, uint256 id, Progress memory progress)
        private
        view
        returns (uint256 n)
    {
        uint256 last;
        (n, last) = _beyondRing(v, progress);
        for (uint256 day = progress.lastFinal + 1; n <= WINDOW && day <= last; ++day) {
            if (v.slotsOn(day) != 0 && id > _throughOf(progress, day)) ++n;
        }
    }

    // -------------------------------------------------------------------------------------------------------- booking

    function _progress() private view returns (Progress memory) {
        return Progress(_tags, _through, RULES.lastFinalDay());
    }

    /// @return progress in which no day is final for which this market does not count: what was locked for such a day is locked
    /// until its contract has ended.
    function _progressOfMarket() private view returns (Progress memory progress) {
        progress = _progress();
        uint256 last = _lastDayOfMarket();
        if (progress.lastFinal > last) progress.lastFinal = last;
    }

    /// @return progress with a place for the day.
    function _progressFor(uint256 day) private view returns (Progress memory progress) {
        progress = _progress();
        uint256 place = Ring.place(day);
        uint256 tag = (progress.tags >> (TAG_BITS * place)) & TAG_MASK;
        if (tag == day) return progress;
        if (tag > day) revert DayIsOver(day);
        RULES.requireRoom(day);
        progress.tags ^= (tag ^ day) << (TAG_BITS * place);
        progress.through &= ~(PLACE_MASK << (PLACE_BITS * place));
    }

    /// @return number up to which members are booked for a day.
    function _throughOf(Progress memory progress, uint256 day) private pure returns (uint256) {
        unchecked {
            uint256 place = Ring.place(day);
            if ((progress.tags >> (TAG_BITS * place)) & TAG_MASK != day) return 0;
            return (progress.through >> (PLACE_BITS * place)) & PLACE_MASK;
        }
    }

    function _bookMember(uint256 day, uint32 id, uint256 i, Positions memory p, Progress memory progress) private {
        uint256 head = _lists[_listKey(id, 0)];
        if (head & PLACE_MASK == 0) return;
        uint256[] memory numbers = _load(id, head);
        if (_dropFinished(numbers, progress.lastFinal)) _store(id, numbers);
        for (uint256 n = 0; n < numbers.length; ++n) {
            Record storage stored = _records[numbers[n]];
            // The first word tells; the second is read for those that deliver.
            if (day * PERIODS_PER_DAY <= stored.firstPeriod || (day - 1) * PERIODS_PER_DAY >= stored.endPeriod) {
                continue;
            }
            _bookContract(day, id, i, stored, p, progress);
        }
    }

    function _bookContract(
        uint256 day,
        uint32 id,
        uint256 i,
        Record memory r,
        Positions memory p,
        Progress memory progress
    ) private view {
        DeliveryDays.Delivery memory v = _deliveryOf(r);
        uint256 slots = v.slotsOn(day);
        // A set of bits that anything may be in.
        // slither-disable-next-line incorrect-equality
        if (slots == 0) return;
        bool isBuyer = id == r.buyer;
        _addLanes(p, i, slots, r.energy, isBuyer);
        uint256 energy = r.energy * DeliveryDays.count(slots);
        p.traded[i] += energy;
        int256 value = int256(energy) * r.price;
        p.payment[i] += isBuyer ? value : -value;
        // While more days than the window are to come, what covered this one covers one of them.
        if (id > _throughOf(progress, day) && _unbooked(v, id, progress) <= WINDOW) {
            (uint256 buyers, uint256 sellers) = _perDay(r);
            p.release[i] += isBuyer ? buyers : sellers;
        }
    }

    /// Adds the energy of the slots to a member's net position, or takes it off.
    function _addLanes(Positions memory p, uint256 i, uint256 slots, uint256 energy, bool isBuyer) private view {
        uint256[] memory net = p.net[i];
        if (net.length == 0) {
            net = new uint256[](STRIPS_PER_DAY);
            for (uint256 strip = 0; strip < net.length; ++strip) {
                net[strip] = Strips.ZERO_LANES;
            }
            p.net[i] = net;
        }
        // 64 contracts of 27 bits stay within a signed lane.
        unchecked {
            for (uint256 strip = 0; slots != 0; ++strip) {
                uint256 lanes = (((slots & 0x3f) * TO_LANES) & Strips.ONES) * energy;
                net[strip] = isBuyer ? net[strip] + lanes : net[strip] - lanes;
                slots >>= Strips.LANES;
            }
        }
    }

    // ---------------------------------------------------------------------------------------------------------- lists

    /// Adds a contract to a member's list; if that is full, those that are over and final make room.
    function _append(uint32 id, uint32 number) private {
        uint256 head = _lists[_listKey(id, 0)];
        if (head & PLACE_MASK == MAX_CONTRACTS) {
            uint256[] memory numbers = _load(id, head);
            if (!_dropFinished(numbers, RULES.lastFinalDay())) revert TooManyContracts(id, MAX_CONTRACTS);
            _store(id, numbers);
            head = _lists[_listKey(id, 0)];
        }
        uint256 at = (head & PLACE_MASK) + 1;
        ++head;
        if (at < PLACES) {
            head |= uint256(number) << (PLACE_BITS * at);
        } else {
            uint256 key = _listKey(id, at / PLACES);
            uint256 shift = PLACE_BITS * (at % PLACES);
            _lists[key] = (_lists[key] & ~(PLACE_MASK << shift)) | (uint256(number) << shift);
        }
        _lists[_listKey(id, 0)] = head;
    }

    /// @return numbers of a member's contracts, whose list begins with the word `head`.
    function _load(uint32 id, uint256 head) private view returns (uint256[] memory numbers) {
        numbers = new uint256[](head & PLACE_MASK);
        uint256 word = head;
        for (uint256 at = 1; at <= numbers.length; ++at) {
            if (at % PLACES == 0) word = _lists[_listKey(id, at / PLACES)];
            numbers[at - 1] = (word >> (PLACE_BITS * (at % PLACES))) & PLACE_MASK;
        }
    }

    /// Writes the list anew; what is left in places beyond its end is never read.
    function _store(uint32 id, uint256[] memory numbers) private {
        uint256 word = numbers.length;
        for (uint256 at = 1; at <= numbers.length; ++at) {
            if (at % PLACES == 0) {
                _lists[_listKey(id, at / PLACES - 1)] = word;
                word = 0;
            }
            word |= numbers[at - 1] << (PLACE_BITS * (at % PLACES));
        }
        _lists[_listKey(id, numbers.length / PLACES)] = word;
    }

    /// Shortens the list by the contracts whose last day is final: no day that may be settled again needs them.
    function _dropFinished(uint256[] memory numbers, uint256 lastFinal) private view returns (bool hasDropped) {
        uint256 kept = 0;
        for (uint256 n = 0; n < numbers.length; ++n) {
            if (_records[numbers[n]].endPeriod > lastFinal * PERIODS_PER_DAY) numbers[kept++] = numbers[n];
        }
        hasDropped = kept < numbers.length;
        assembly ("memory-safe") {
            mstore(numbers, kept)
        }
    }

    function _listKey(uint32 id, uint256 word) private pure returns (uint256) {
        return (uint256(id) << PLACE_BITS) | word;
    }

    // -------------------------------------------------------------------------------------------------------- records

    function _known(uint32 number) private view returns (Record memory) {
        if (number == 0 || number > contractCount) revert NoSuchContract(number);
        return _records[number];
    }

    function _deliveryOf(Record memory r) private view returns (DeliveryDays.Delivery memory) {
        return DeliveryDays.from(r.firstPeriod, r.endPeriod, r.slots, r.weekdays, FIRST_WEEKDAY, PERIODS_PER_DAY);
    }

    function _termsOf(Record memory r) private pure returns (Terms memory) {
        return Terms({
            price: SignedPrice.wrap(r.price),
            energy: Energy.wrap(r.energy),
            firstPeriod: r.firstPeriod,
            endPeriod: r.endPeriod,
            slots: r.slots,
            weekdays: r.weekdays,
            extra: Price.wrap(r.extra),
            ceiling: Price.wrap(r.ceiling),
            fullest: r.fullest
        });
    }
}
