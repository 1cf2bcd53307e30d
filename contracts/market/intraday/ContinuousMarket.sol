// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Multicall} from "@openzeppelin/contracts/utils/Multicall.sol";
import {IAccounts} from "../../interfaces/IAccounts.sol";
import {
    IContinuousMarket,
    IntradayCancellation,
    IntradayFunding,
    IntradayOrder,
    IntradayRevocation,
    RestingOrder,
    TradingAccount
} from "../../interfaces/IContinuousMarket.sol";
import {IMarket, Positions} from "../../interfaces/IMarket.sol";
import {IMarketRules, Rules} from "../../interfaces/IMarketRules.sol";
import {IParticipantRegistry} from "../../interfaces/IParticipantRegistry.sol";
import {IPausable} from "../../interfaces/IPausable.sol";
import {ISchedule} from "../../interfaces/ISchedule.sol";
import {IStandingWatcher} from "../../interfaces/IStandingWatcher.sol";
import {DayTerms} from "../../libraries/DayTerms.sol";
import {Groups} from "../../libraries/Groups.sol";
import {NetPositions} from "../../libraries/NetPositions.sol";
import {PositionLists} from "../../libraries/PositionLists.sol";
import {Calendar, CalendarParameters} from "../../types/Calendar.sol";
import {Orders} from "../../types/Orders.sol";
import {PriceScale} from "../../types/PriceScale.sol";
import {Ring} from "../../types/Ring.sol";
import {SigningDomain} from "../../types/SigningDomain.sol";
import {Strips} from "../../types/Strips.sol";
import {Energy, MAX_TICK, Money} from "../../types/Units.sol";
import {BookStates} from "./BookStates.sol";
import {Levels} from "./Levels.sol";
import {OrderNumbers} from "./OrderNumbers.sol";
import {TradingAccounts} from "./TradingAccounts.sol";

/// @title Intraday market
/// @dev An order reads its book's state and rewrites its owner's account and the top of its price level, no more, however deep the
/// book is; a price that was not listed and a new best price cost a word each. A cancellation leaves the lists alone: who meets an
/// empty price delists it. Everything lies in a ring of days and carries its day: what is left at the gate expires by itself.
contract ContinuousMarket is IContinuousMarket, AccessManaged, SigningDomain, Calendar, PriceScale, Multicall {
    using SafeCast for uint256;

    bytes32 private constant ORDER_TYPEHASH = keccak256(
        "IntradayOrder(address participant,uint32 day,uint16 slot,bool isAsk,uint16 tick,uint32 energy,uint16 maxFills,uint64 expiry,uint40 sequence)"
    );
    bytes32 private constant REVOCATION_TYPEHASH = keccak256("IntradayRevocation(address participant,uint40 sequence)");
    bytes32 private constant CANCELLATION_TYPEHASH =
        keccak256("IntradayCancellation(address participant,uint32 day,uint64 number,uint40 sequence)");
    bytes32 private constant FUNDING_TYPEHASH =
        keccak256("IntradayFunding(address participant,uint32 day,uint128 amount,bool isReturn,uint40 sequence)");
    /// Orders that one order meets at most, whatever it asks for, and empty words that it skips besides: together they fit a
    /// transaction even on storage never used before.
    uint256 private constant MAX_FILLS = 256;
    uint256 private constant MAX_SKIPS = 256;
    /// Prices in one word of a side's bitmap.
    uint256 private constant RANK_BITS = 8;
    uint256 private constant RANKS = 1 << RANK_BITS;

    /// An order on its way through the book.
    struct Taker {
        uint256 id;
        uint256 day;
        uint256 slot;
        uint256 side;
        uint256 tick;
        /// Wh not traded yet; orders it may still meet, and empty words it may still skip.
        uint256 left;
        uint256 fills;
        uint256 skips;
        /// Words of the period and of the owner's account, written at the end.
        uint256 state;
        uint256 account;
        /// Of what it traded: collateral at the prices of the trades, and what it costs or brings, money units.
        uint256 spent;
        int256 value;
    }

    IParticipantRegistry private immutable REGISTRY;
    IMarketRules private immutable RULES;
    IAccounts private immutable ACCOUNTS;
    ISchedule private immutable SCHEDULE;
    uint256 private immutable INTRADAY_LEAD;

    uint40 private _pausedUntil;
    /// @inheritdoc IContinuousMarket
    mapping(address participant => uint40) public sequenceOf;
    /// Accounts of members who ever funded a day.
    mapping(uint256 id => address) private _members;
    /// Terms of a day, see BookStates.sol.
    mapping(uint256 ringPlace => uint256) private _days;
    /// State of a period's book, see BookStates.sol.
    mapping(uint256 key => uint256) private _books;
    /// Prices listed, by rank, 256 a word. A word means nothing unless its group's bit in the book's state is set.
    mapping(uint256 key => uint256) private _ranks;
    /// See Levels.sol: tops and the words they left. A level's word w is w + 1 keys behind its top.
    mapping(uint256 key => uint256) private _levels;
    /// See TradingAccounts.sol; by account, so that an order reads nothing else of its owner.
    mapping(uint256 key => uint256) private _accounts;
    /// Money units locked for the member's day below, the day in bits 255..240.
    mapping(uint256 key => uint256) private _funds;
    /// Net energy in six signed lanes with the day.
    mapping(uint256 key => uint256) private _nets;
    /// Members with an account, a bit each, per ring place and group.
    mapping(uint256 key => uint256) private _active;

    /// @param intradayLead_ a period's intraday gate closes so many seconds before it begins.
    constructor(
        address authority,
        CalendarParameters memory calendar_,
        uint32 intradayLead_,
        IParticipantRegistry registry,
        IMarketRules rules,
        IAccounts accounts,
        ISchedule schedule
    ) AccessManaged(authority) Calendar(calendar_) PriceScale(rules) {
        if (intradayLead_ > OPEN_LEAD) revert BadCalendar("intradayLead", intradayLead_, OPEN_LEAD);
        INTRADAY_LEAD = intradayLead_;
        REGISTRY = registry;
        RULES = rules;
        ACCOUNTS = accounts;
        SCHEDULE = schedule;
    }

    /// @inheritdoc IContinuousMarket
    function fund(uint32 day, Money amount) external {
        _fund(msg.sender, day, amount);
    }

    /// @inheritdoc IContinuousMarket
    function defund(uint32 day, Money amount) external {
        _defund(msg.sender, day, amount);
    }

    /// @inheritdoc IContinuousMarket
    function place(uint32 day, uint16 slot, bool isAsk, uint16 tick, uint32 energy, uint16 maxFills) external {
        _placeOrder(msg.sender, day, slot, isAsk, tick, energy, maxFills);
    }

    /// @inheritdoc IContinuousMarket
    function cancel(uint32 day, uint64 number) external {
        _cancel(msg.sender, day, number);
    }

    /// @inheritdoc IContinuousMarket
    function fundSigned(IntradayFunding calldata f, bytes calldata signature) external {
        _requireSigned(f.participant, f.sequence, keccak256(abi.encode(FUNDING_TYPEHASH, f)), signature);
        if (f.isReturn) _defund(f.participant, f.day, f.amount);
        else _fund(f.participant, f.day, f.amount);
    }

    /// @inheritdoc IContinuousMarket
    function placeSigned(IntradayOrder calldata o, bytes calldata signature) external {
        _requireSigned(o.participant, o.sequence, keccak256(abi.encode(ORDER_TYPEHASH, o)), signature);
        if (block.timestamp >= o.expiry) revert Expired(o.expiry, block.timestamp);
        _placeOrder(o.participant, o.day, o.slot, o.isAsk, o.tick, o.energy, o.maxFills);
    }

    /// @inheritdoc IContinuousMarket
    function cancelSigned(IntradayCancellation calldata c, bytes calldata signature) external {
        _requireSigned(c.participant, c.sequence, keccak256(abi.encode(CANCELLATION_TYPEHASH, c)), signature);
        _cancel(c.participant, c.day, c.number);
    }

    /// @inheritdoc IContinuousMarket
    function revoke(uint40 sequence) external {
        _takeSequence(msg.sender, sequence);
        emit MessagesRevoked(msg.sender, sequence);
    }

    /// @inheritdoc IContinuousMarket
    function revokeSigned(IntradayRevocation calldata r, bytes calldata signature) external {
        _requireSigned(r.participant, r.sequence, keccak256(abi.encode(REVOCATION_TYPEHASH, r)), signature);
        emit MessagesRevoked(r.participant, r.sequence);
    }

    /// @inheritdoc IPausable
    /// @dev Orders read their book's state and nothing above it: it is written into all books of the ring.
    function followPause() external {
        // No pause ends later than 40 bits of time (Pauses.sol).
        uint40 until = uint40(ACCOUNTS.pausedUntil(address(this)));
        if (until == _pausedUntil) return;
        _pausedUntil = until;
        for (uint256 day = 0; day < Ring.DAYS; ++day) {
            for (uint256 slot = 0; slot < PERIODS_PER_DAY; ++slot) {
                uint256 at = Ring.bookKey(day, slot);
                uint256 state = _books[at];
                if (state != 0) _books[at] = BookStates.withPause(state, until);
            }
        }
        emit PauseFollowed(until);
    }

    /// @inheritdoc IStandingWatcher
    function move(address replaced, address account) external restricted {
        for (uint256 day = 0; day < Ring.DAYS; ++day) {
            uint256 from = _accountKey(replaced, day);
            uint256 word = _accounts[from];
            if (word == 0) continue;
            _accounts[_accountKey(account, day)] = word;
            delete _accounts[from];
            _members[TradingAccounts.id(word)] = account;
        }
    }

    /// @inheritdoc IStandingWatcher
    /// @dev Orders read their owner's account of the day and nothing above it: it is written into all of the ring.
    function bar(address account, bool isBarred) external restricted {
        for (uint256 day = 0; day < Ring.DAYS; ++day) {
            uint256 at = _accountKey(account, day);
            uint256 word = _accounts[at];
            if (word != 0) _accounts[at] = TradingAccounts.withBarred(word, isBarred);
        }
    }

    /// @inheritdoc IMarket
    function book(uint256 day, uint32 firstId, uint256 count) external restricted returns (Positions memory p) {
        if (!isCleared(day)) revert NotCleared(day);
        p = PositionLists.empty(count);
        uint256 known = Strips.dayOf(_days[Ring.place(day)]);
        if (known > day) revert DayIsOver(day);
        // Nobody funded anything: the place still holds the day before.
        if (known < day) return p;
        uint256 group = type(uint256).max;
        uint256 active = 0;
        for (uint256 i = 0; i < count; ++i) {
            uint256 id = firstId + i;
            if (Groups.numberOf(id) != group) {
                group = Groups.numberOf(id);
                active = Groups.membersOf(_active[Ring.memberKey(group, day)], day);
            }
            if (Groups.has(active, id)) _bookMember(id, day, i, p);
        }
    }

    /// @inheritdoc IMarket
    function isCleared(uint256 day) public view returns (bool) {
        return block.timestamp >= intradayGateAt(day, PERIODS_PER_DAY - 1);
    }

    /// @inheritdoc IContinuousMarket
    function intradayGateAt(uint256 day, uint256 slot) public view returns (uint256) {
        return startOf(day) + slot * PERIOD_LENGTH - INTRADAY_LEAD;
    }

    /// @inheritdoc IContinuousMarket
    function intradayLead() external view returns (uint256) {
        return INTRADAY_LEAD;
    }

    /// @inheritdoc IContinuousMarket
    function accountOf(uint32 id, uint256 day) external view returns (TradingAccount memory) {
        uint256 a = _accounts[_accountKey(_members[id], day)];
        if (Strips.dayOf(a) != day) return TradingAccount(0, 0, 0, 0, 0);
        return TradingAccount({
            funded: _funds[Ring.memberKey(id, day)] & Strips.LANES_MASK,
            available: TradingAccounts.available(a),
            payment: TradingAccounts.payment(a),
            traded: TradingAccounts.traded(a),
            limit: TradingAccounts.limit(a)
        });
    }

    /// @inheritdoc IContinuousMarket
    function netOf(uint32 id, uint256 day, uint256 strip) external view returns (uint256) {
        return Strips.signedLanes(_nets[Ring.lineKey(id, day, strip)], day);
    }

    /// @inheritdoc IContinuousMarket
    function prices(uint256 day, uint256 slot, bool isAsk) external view returns (uint16[] memory found) {
        uint256 side = _sideOf(isAsk);
        uint256 state = _books[Ring.bookKey(day, slot)];
        if (Strips.dayOf(state) != day) return found;
        found = new uint16[](MAX_TICK + 1);
        uint256 n = 0;
        for (uint256 k = 0; k <= MAX_TICK; ++k) {
            uint256 r = MAX_TICK - k;
            if (BookStates.groups(state, side) & (1 << (r / RANKS)) == 0) continue;
            uint256 word = _ranks[_ranksKey(day, slot, side, r / RANKS)];
            if (word & (1 << (r % RANKS)) == 0) continue;
            uint256 tick = BookStates.rank(side, r);
            if (_hasOrders(day, OrderNumbers.firstOf(slot, side, tick))) found[n++] = uint16(tick);
        }
        assembly ("memory-safe") {
            mstore(found, n)
        }
    }

    /// @inheritdoc IContinuousMarket
    function ordersAt(uint256 day, uint256 slot, bool isAsk, uint256 tick)
        external
        view
        returns (RestingOrder[] memory found)
    {
        uint256 level = OrderNumbers.firstOf(slot, _sideOf(isAsk), tick);
        uint256 at = Ring.bookKey(day, level);
        uint256 top = _levels[at];
        if (Strips.dayOf(top) != day) return found;
        uint256 first = Levels.first(top);
        uint256 index = Levels.index(top);
        found = new RestingOrder[]((index + 1 - first) * Levels.PLACES);
        uint256 n = 0;
        for (uint256 w = first; w <= index; ++w) {
            uint256 word = w == index ? top : _levels[at + w + 1];
            if (Strips.dayOf(word) != day) continue;
            for (uint256 k = 0; k < Levels.PLACES; ++k) {
                uint256 energy = Levels.energyAt(word, k);
                if (energy == 0) continue;
                uint256 number = level + w * Levels.PLACES + k;
                found[n++] = RestingOrder(uint64(number), uint32(Levels.memberAt(word, k)), uint32(energy));
            }
        }
        assembly ("memory-safe") {
            mstore(found, n)
        }
    }

    // ---------------------------------------------------------------------------------------------------- identity

    function _requireSigned(address participant, uint40 sequence, bytes32 message, bytes calldata signature) private {
        address signer = ECDSA.recover(_hashTypedDataV4(message), signature);
        if (signer != participant) revert NotSignedByParticipant(participant, signer);
        _takeSequence(participant, sequence);
    }

    function _takeSequence(address participant, uint40 sequence) private {
        uint40 last = sequenceOf[participant];
        if (sequence <= last) revert StaleSequence(sequence, last);
        sequenceOf[participant] = sequence;
    }

    // ------------------------------------------------------------------------------------------------------- money

    function _fund(address participant, uint32 day, Money amount) private {
        _requireOpen(day, PERIODS_PER_DAY - 1);
        (uint32 id, uint256 imports, uint256 exports) = REGISTRY.requireTrader(participant, day);
        _openDay(day);
        uint256 at = _accountKey(participant, day);
        uint256 account = _accounts[at];
        uint256 fundsAt = Ring.memberKey(id, day);
        uint256 funds = _funds[fundsAt];
        if (Strips.dayOf(account) != day) {
            account = TradingAccounts.open(day, id, Math.min(imports + exports, TradingAccounts.MAX_LIMIT));
            funds = Strips.withDay(0, day);
            _markActive(id, day);
            if (_members[id] == address(0)) _members[id] = participant;
        }
        uint256 units = Money.unwrap(amount);
        // Whatever of it becomes available again fits as well, and what is locked fits its signed form.
        _funds[fundsAt] = Strips.withDay(((funds & Strips.LANES_MASK) + units).toUint56(), day);
        _accounts[at] = TradingAccounts.free(account, units);
        emit Funded(id, day, amount, uint32(TradingAccounts.limit(account)));
        ACCOUNTS.lockCollateral(id, int128(Money.unwrap(amount)));
    }

    function _defund(address participant, uint32 day, Money amount) private {
        _requireOpen(day, PERIODS_PER_DAY - 1);
        uint256 at = _accountKey(participant, day);
        uint256 account = _accountAt(at, participant, day);
        uint32 id = uint32(TradingAccounts.id(account));
        uint256 units = Money.unwrap(amount);
        if (units > TradingAccounts.available(account)) {
            revert InsufficientCollateral(id, units, TradingAccounts.available(account));
        }
        _funds[Ring.memberKey(id, day)] -= units;
        _accounts[at] = TradingAccounts.spend(account, units);
        emit Defunded(id, day, amount);
        ACCOUNTS.releaseCollateral(id, amount);
    }

    function _accountAt(uint256 at, address participant, uint256 day) private view returns (uint256 account) {
        account = _accounts[at];
        if (Strips.dayOf(account) != day) revert NotFunded(participant, day);
    }

    function _markActive(uint256 id, uint256 day) private {
        uint256 key = Ring.memberKey(Groups.numberOf(id), day);
        _active[key] = Groups.mark(_active[key], day, id);
    }

    // ------------------------------------------------------------------------------------------------ taking orders

    function _requireOpen(uint256 day, uint256 slot) private view {
        if (slot >= PERIODS_PER_DAY) revert NoSuchSlot(slot, PERIODS_PER_DAY);
        if (day == 0 || day > Strips.MAX_DAY) revert NoSuchDay(day);
        // As the calendar computes it, which the constructor has checked; here every gas counts.
        unchecked {
            uint256 start = OPENING + (day - 1) * DAY_LENGTH;
            uint256 gate = start + slot * PERIOD_LENGTH - INTRADAY_LEAD;
            if (block.timestamp < start - GATE_LEAD) revert NotOpenYet(day, start - GATE_LEAD, block.timestamp);
            if (block.timestamp >= gate) revert GateClosed(day, slot, gate, block.timestamp);
        }
    }

    function _placeOrder(
        address participant,
        uint32 day,
        uint256 slot,
        bool isAsk,
        uint256 tick,
        uint256 energy,
        uint256 maxFills
    ) private {
        _requireOpen(day, slot);
        if (tick > MAX_TICK) revert NoSuchTick(tick, MAX_TICK);
        uint256 at = _accountKey(participant, day);
        uint256 account = _accountAt(at, participant, day);
        uint256 state = _accept(account, day, slot, energy);
        uint256 id = TradingAccounts.id(account);
        uint256 side = _sideOf(isAsk);
        uint256 before = state;
        uint256 spent = 0;
        if (BookStates.isCrossing(state, side, tick)) {
            emit OrderCrossed(uint32(id), day, uint16(slot), isAsk, uint16(tick), uint32(energy), uint16(maxFills));
            Taker memory t = Taker({
                id: id,
                day: day,
                slot: slot,
                side: side,
                tick: tick,
                left: energy,
                fills: Math.min(maxFills, MAX_FILLS),
                skips: MAX_SKIPS,
                state: state,
                account: account,
                spent: 0,
                value: 0
            });
            _match(t);
            if (t.left > 0 && BookStates.isCrossing(t.state, side, tick)) {
                emit OrderReturned(uint32(id), day, uint32(t.left));
                t.left = 0;
            }
            (energy, state, account, spent) = (t.left, t.state, t.account, t.spent);
        }
        if (energy > 0) {
            state = _rest(id, day, slot, side, tick, energy, state);
            spent += _collateral(state, side, energy, tick);
        }
        if (spent > TradingAccounts.available(account)) {
            revert InsufficientCollateral(id, spent, TradingAccounts.available(account));
        }
        _accounts[at] = TradingAccounts.spend(account, spent);
        if (state != before) _books[Ring.bookKey(day, slot)] = state;
    }

    /// Checks all of an order but what the book says to it.
    /// @return state of the book.
    function _accept(uint256 account, uint256 day, uint256 slot, uint256 energy) private view returns (uint256 state) {
        if (TradingAccounts.isBarred(account)) revert MemberBarred(TradingAccounts.id(account));
        // Either way: a consumer sells back what it bought, a producer buys back what it sold.
        uint256 most = Orders.mostWithin(TradingAccounts.limit(account));
        if (energy > most) revert ExceedsCapacity(TradingAccounts.id(account), slot, energy, most);
        state = _bookOf(day, slot);
        if (BookStates.isPaused(state)) revert OrderEntryPaused();
        if (energy < BookStates.smallest(state)) revert OrderTooSmall(energy, BookStates.smallest(state));
    }

    /// Puts an order behind all others of its price.
    /// @return the state of the book with it.
    function _rest(uint256 id, uint256 day, uint256 slot, uint256 side, uint256 tick, uint256 energy, uint256 state)
        private
        returns (uint256)
    {
        // Places and positions of 32 bits.
        unchecked {
            uint256 number = OrderNumbers.firstOf(slot, side, tick);
            uint256 at = Ring.bookKey(day, number);
            uint256 top = _levels[at];
            if (Strips.dayOf(top) != day) top = Levels.emptyTop(day, 0, 0);
            if (!Levels.isListed(top)) state = _addPrice(state, slot, side, tick);
            uint256 k = Levels.used(top);
            if (k == Levels.PLACES) {
                if (Levels.index(top) == Levels.MAX_WORDS) revert LevelFull(slot, side == BookStates.ASK, tick);
                top = _turn(at, top);
                k = 0;
            }
            number += Levels.index(top) * Levels.PLACES + k;
            _levels[at] = Levels.withListed(Levels.put(top, k, id, energy), true);
            emit OrderRested(uint32(id), uint32(day), uint64(number), uint32(energy));
            return state;
        }
    }

    /// Moves the orders of a full top to a word of their own, if any is open.
    /// @return the new top.
    function _turn(uint256 at, uint256 top) private returns (uint256) {
        uint256 index = Levels.index(top);
        uint256 first = Levels.first(top);
        if (Levels.isOpen(top)) _levels[at + index + 1] = Levels.lanes(top);
        else if (first == index) ++first;
        return Levels.emptyTop(Strips.dayOf(top), index + 1, first);
    }

    function _cancel(address participant, uint32 day, uint64 number) private {
        _requireOpen(day, PERIODS_PER_DAY - 1);
        uint256 at = _accountKey(participant, day);
        uint256 account = _accountAt(at, participant, day);
        uint256 id = TradingAccounts.id(account);
        uint256 energy = _withdraw(id, day, number);
        uint256 terms = _days[Ring.place(day)];
        uint256 units = _collateral(terms, OrderNumbers.sideOf(number), energy, OrderNumbers.tickOf(number));
        _accounts[at] = TradingAccounts.free(account, units);
        emit OrderCancelled(uint32(id), day, number, uint32(energy));
    }

    /// Takes an order out of its word, and leaves the lists of prices alone: who meets an empty price delists it.
    /// @return energy that was left of it, Wh.
    function _withdraw(uint256 id, uint256 day, uint256 number) private returns (uint256 energy) {
        // Places and positions of 32 bits.
        unchecked {
            uint256 at = Ring.bookKey(day, OrderNumbers.levelOf(number));
            uint256 word = _levels[at];
            uint256 index = OrderNumbers.positionOf(number) / Levels.PLACES;
            uint256 k = OrderNumbers.positionOf(number) % Levels.PLACES;
            uint256 newest = Levels.index(word);
            // Words before the first are left as they were when their last order was filled.
            if (Strips.dayOf(word) != day || index > newest || index < Levels.first(word)) {
                revert NoSuchOrder(day, number);
            }
            if (index < newest) {
                at += index + 1;
                word = _levels[at];
            }
            energy = Levels.energyAt(word, k);
            if (energy == 0 || Strips.dayOf(word) != day) revert NoSuchOrder(day, number);
            uint256 owner = Levels.memberAt(word, k);
            if (owner != id) revert NotOwner(id, owner);
            _levels[at] = Levels.reduce(word, k, energy);
        }
    }

    // ---------------------------------------------------------------------------------------------------- matching

    /// Trades with the other side until nothing crosses, nothing is left, or a bound is reached.
    function _match(Taker memory t) private {
        uint256 wanted = t.left;
        bool goesOn = true;
        while (goesOn && t.left > 0 && BookStates.isCrossing(t.state, t.side, t.tick)) {
            goesOn = _matchLevel(t);
        }
        uint256 energy = wanted - t.left;
        if (energy == 0) return;
        uint256 at = Ring.lineKey(t.id, t.day, t.slot / Strips.LANES);
        uint256 net = _netAt(at, t.day);
        uint256 room = _room(t.account, net, t.slot, t.side);
        if (energy > room) revert ExceedsPosition(t.id, t.slot, energy, room);
        _nets[at] = NetPositions.moved(net, t.slot % Strips.LANES, energy, t.side == BookStates.BID);
        t.account = TradingAccounts.trade(t.account, t.slot / Strips.LANES, energy, _due(t.side, t.value));
    }

    /// Trades with the orders at the best price that the other side lists, word by word. Once none is left the price leaves the list.
    /// @return isOver whether none is left.
    function _matchLevel(Taker memory t) private returns (bool isOver) {
        uint256 side = 1 - t.side;
        uint256 level = OrderNumbers.firstOf(t.slot, side, BookStates.rank(side, BookStates.best(t.state, side) - 1));
        uint256 at = Ring.bookKey(t.day, level);
        uint256 top = _levels[at];
        uint256 index = Levels.index(top);
        uint256 first = Levels.first(top);
        // Places and positions of 32 bits.
        unchecked {
            while (t.left > 0 && !isOver) {
                uint256 word = first == index ? top : _levels[at + first + 1];
                if (Strips.dayOf(word) == t.day && Levels.isOpen(word)) {
                    word = _matchWord(t, word, level + first * Levels.PLACES);
                    if (first == index) top = word;
                    if (Levels.isOpen(word)) {
                        if (first < index) _levels[at + first + 1] = word;
                        break;
                    }
                    // Not written otherwise: it lies before the first from now on.
                } else {
                    if (t.skips == 0) break;
                    --t.skips;
                }
                if (first == index) isOver = true;
                else ++first;
            }
        }
        if (isOver) {
            top = Levels.withListed(top, false);
            t.state = _removeBest(t.state, t.slot, side);
        }
        _levels[at] = Levels.withFirst(top, first);
    }

    /// Trades with up to three orders in their turn.
    /// @param number of the first of them.
    /// @return the word without the energy that has left it.
    function _matchWord(Taker memory t, uint256 word, uint256 number) private returns (uint256) {
        for (uint256 k = 0; k < Levels.PLACES && t.left > 0 && t.fills > 0; ++k) {
            uint256 energy = Levels.energyAt(word, k);
            if (energy == 0) continue;
            --t.fills;
            uint256 maker = Levels.memberAt(word, k);
            uint256 leaving = maker == t.id ? _meetOwn(t, energy, number + k) : _trade(t, maker, energy, number + k);
            word = Levels.reduce(word, k, leaving);
        }
        return word;
    }

    /// Nobody trades with itself: the resting order gives way.
    function _meetOwn(Taker memory t, uint256 energy, uint256 number) private returns (uint256) {
        t.account = TradingAccounts.free(t.account, _resting(t, energy, number));
        emit OrderCancelled(uint32(t.id), uint32(t.day), uint64(number), uint32(energy));
        return energy;
    }

    /// Trades with a resting order of somebody else. What its owner's limit does not allow is cancelled.
    /// @return leaving energy that leaves the resting order, Wh.
    function _trade(Taker memory t, uint256 maker, uint256 energy, uint256 number) private returns (uint256 leaving) {
        uint256 at = _accountKey(_members[maker], t.day);
        uint256 netAt = Ring.lineKey(maker, t.day, t.slot / Strips.LANES);
        uint256 account = _accounts[at];
        uint256 net = _netAt(netAt, t.day);
        uint256 room = _room(account, net, t.slot, 1 - t.side);
        uint256 amount = Math.min(energy, t.left);
        leaving = amount;
        if (room < amount) {
            amount = room;
            leaving = energy;
            account = TradingAccounts.free(account, _resting(t, energy - room, number));
        }
        if (amount > 0) {
            _nets[netAt] = NetPositions.moved(net, t.slot % Strips.LANES, amount, t.side == BookStates.ASK);
            account = _book(t, account, amount, number);
            emit Traded(uint32(maker), uint32(t.id), uint32(t.day), uint64(number), uint32(amount));
        }
        _accounts[at] = account;
        if (leaving > amount) {
            emit OrderCancelled(uint32(maker), uint32(t.day), uint64(number), uint32(leaving - amount));
        }
    }

    /// Books a trade at the price of the resting order: what the taker pays and needs adds up.
    /// @return the maker's account after it.
    function _book(Taker memory t, uint256 account, uint256 amount, uint256 number) private view returns (uint256) {
        uint256 tick = OrderNumbers.tickOf(number);
        int256 value = int256(amount) * _priceOf(tick);
        t.left -= amount;
        t.value += value;
        t.spent += _collateral(t.state, t.side, amount, tick);
        return TradingAccounts.trade(account, t.slot / Strips.LANES, amount, _due(1 - t.side, value));
    }

    /// @return units collateral of a part of a resting order that the taker has met, money units.
    function _resting(Taker memory t, uint256 energy, uint256 number) private view returns (uint256 units) {
        return _collateral(t.state, 1 - t.side, energy, OrderNumbers.tickOf(number));
    }

    function _collateral(uint256 state, uint256 side, uint256 energy, uint256 tick) private view returns (uint256) {
        return BookStates.collateral(state, side, energy, _priceOf(tick));
    }

    /// @return Wh that a member may still buy (side bid) or sell in a period.
    function _room(uint256 account, uint256 net, uint256 slot, uint256 side) private pure returns (uint256) {
        uint256 limit = TradingAccounts.limit(account);
        uint256 room = NetPositions.room(net, slot % Strips.LANES, limit, side == BookStates.BID);
        unchecked {
            return Math.min(room, TradingAccounts.MAX_TRADED - TradingAccounts.traded(account));
        }
    }

    /// @param value energy times price, money units.
    /// @return money units that are due for it, bought (side bid) or sold.
    function _due(uint256 side, int256 value) private pure returns (int256) {
        return side == BookStates.BID ? value : -value;
    }

    function _netAt(uint256 at, uint256 day) private view returns (uint256 net) {
        net = _nets[at];
        if (Strips.dayOf(net) != day) net = Strips.withDay(Strips.ZERO_LANES, day);
    }

    // ------------------------------------------------------------------------------------------------------ prices

    /// @return the book's state with one more price listed.
    function _addPrice(uint256 state, uint256 slot, uint256 side, uint256 tick) private returns (uint256) {
        uint256 rank = BookStates.rank(side, tick);
        uint256 group = rank / RANKS;
        uint256 at = _ranksKey(Strips.dayOf(state), slot, side, group);
        uint256 word = 0;
        if (BookStates.groups(state, side) & (1 << group) == 0) state = BookStates.flipGroup(state, side, group);
        else word = _ranks[at];
        _ranks[at] = word | (1 << (rank % RANKS));
        return rank < BookStates.best(state, side) ? state : BookStates.withBest(state, side, rank + 1);
    }

    /// @return the book's state without its best price.
    function _removeBest(uint256 state, uint256 slot, uint256 side) private returns (uint256) {
        uint256 rank = BookStates.best(state, side) - 1;
        uint256 group = rank / RANKS;
        uint256 at = _ranksKey(Strips.dayOf(state), slot, side, group);
        uint256 word = _ranks[at] ^ (1 << (rank % RANKS));
        if (word != 0) {
            _ranks[at] = word;
        } else {
            state = BookStates.flipGroup(state, side, group);
            uint256 groups = BookStates.groups(state, side);
            if (groups == 0) return BookStates.withBest(state, side, 0);
            group = Math.log2(groups);
            word = _ranks[_ranksKey(Strips.dayOf(state), slot, side, group)];
        }
        return BookStates.withBest(state, side, ((group << RANK_BITS) | Math.log2(word)) + 1);
    }

    /// @return whether any order of a level is open.
    function _hasOrders(uint256 day, uint256 level) private view returns (bool) {
        uint256 at = Ring.bookKey(day, level);
        uint256 top = _levels[at];
        for (uint256 w = Levels.first(top); w < Levels.index(top); ++w) {
            uint256 word = _levels[at + w + 1];
            if (Strips.dayOf(word) == day && Levels.isOpen(word)) return true;
        }
        return Levels.isOpen(top);
    }

    // ------------------------------------------------------------------------------------------------------- states

    /// Takes over the terms of a day, which are fixed before it opens.
    // The schedule only takes a note: it calls nobody.
    // slither-disable-next-line reentrancy-no-eth
    function _openDay(uint256 day) private {
        uint256 known = Strips.dayOf(_days[Ring.place(day)]);
        if (known == day) return;
        if (known > day) revert DayIsOver(day);
        // Refused for a day that this market does not count for: nothing would release what is locked for it.
        SCHEDULE.noteOrders(day);
        RULES.requireRoom(day);
        Rules memory r = RULES.rulesOf(day);
        (uint256 extra, uint256 ceiling) = (DayTerms.extra(r), DayTerms.ceiling(r));
        uint256 smallest = Energy.unwrap(r.minOrderEnergy);
        _days[Ring.place(day)] = BookStates.terms(day, extra, ceiling, smallest);
        // Whoever has an account may be barred later: the registry must tell.
        if (!REGISTRY.isWatcher(address(this))) revert NotTold();
        emit DayOpened(uint32(day), uint24(extra), uint24(ceiling), uint32(smallest));
    }

    /// @return state of a period's book, or of an empty one; somebody has funded the day.
    function _bookOf(uint256 day, uint256 slot) private view returns (uint256 state) {
        state = _books[Ring.bookKey(day, slot)];
        if (Strips.dayOf(state) != day) state = BookStates.withPause(_days[Ring.place(day)], _pausedUntil);
    }

    // ------------------------------------------------------------------------------------------------------- booking

    function _bookMember(uint256 id, uint256 day, uint256 i, Positions memory p) private {
        uint256 at = Ring.memberKey(id, day);
        uint256 account = _accounts[_accountKey(_members[id], day)];
        uint256 release = _funds[at] & Strips.LANES_MASK;
        if (release > 0) {
            p.release[i] = release;
            _funds[at] = Strips.withDay(0, day);
        }
        uint256 traded = TradingAccounts.strips(account);
        if (traded == 0) return;
        uint256[] memory net = new uint256[](STRIPS_PER_DAY);
        uint256[] memory flexible = new uint256[](STRIPS_PER_DAY);
        bool hasSold = false;
        for (uint256 strip = 0; strip < net.length; ++strip) {
            net[strip] = Strips.ZERO_LANES;
            if (traded & (1 << strip) == 0) continue;
            net[strip] = Strips.signedLanes(_nets[Ring.lineKey(id, day, strip)], day);
            flexible[strip] = Strips.soldOf(net[strip]);
            if (flexible[strip] != 0) hasSold = true;
        }
        p.net[i] = net;
        if (hasSold) {
            if (p.flexible.length == 0) p.flexible = new uint256[][](p.net.length);
            p.flexible[i] = flexible;
        }
        p.payment[i] = TradingAccounts.payment(account);
        p.traded[i] = TradingAccounts.traded(account);
    }

    // ---------------------------------------------------------------------------------------------------------- keys

    function _sideOf(bool isAsk) private pure returns (uint256) {
        return isAsk ? BookStates.ASK : BookStates.BID;
    }

    function _accountKey(address account, uint256 day) private pure returns (uint256) {
        return Ring.memberKey(uint160(account), day);
    }

    function _ranksKey(uint256 day, uint256 slot, uint256 side, uint256 group) private pure returns (uint256) {
        return Ring.bookKey(day, (slot << 8) | (side << 4) | group);
    }
}
