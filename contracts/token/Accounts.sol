// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {Multicall} from "@openzeppelin/contracts/utils/Multicall.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Pauses} from "../governance/Pauses.sol";
import {Account, IAccounts, Posting, Withdrawal} from "../interfaces/IAccounts.sol";
import {IParticipantRegistry} from "../interfaces/IParticipantRegistry.sol";
import {IPausable} from "../interfaces/IPausable.sol";
import {ISettlementToken} from "../interfaces/ISettlementToken.sol";
import {ProRata} from "../libraries/ProRata.sol";
import {Calendar, CalendarParameters} from "../types/Calendar.sol";
import {CLEARING_HOUSE, FALLBACK_SUPPLIER, FIRST_PARTICIPANT, Kind} from "../types/Members.sol";
import {SigningDomain} from "../types/SigningDomain.sol";
import {Money} from "../types/Units.sol";
import {SettlementToken} from "./SettlementToken.sol";

/// @title Accounts
contract Accounts is IAccounts, Pauses, SigningDomain, Multicall {
    using SafeCast for int256;
    using SafeCast for uint256;
    using SafeERC20 for ISettlementToken;

    bytes32 private constant WITHDRAWAL_TYPEHASH =
        keccak256("Withdrawal(address account,uint128 amount,bool toBank,uint40 sequence)");
    /// A market that is told of a pause may use so much: every book of a ring of days is written (IPausable.sol).
    uint256 private constant FOLLOW_GAS = 6_000_000;

    /// One storage word. A word holds more money than all currencies have; what does not fit reverts.
    struct Purse {
        int96 free;
        /// What the home market holds, and what others have released to the posting that comes next.
        uint80 locked;
        uint72 arrears;
        /// The settlement that has paid it last; of those that are over it says nothing.
        uint8 paidIn;
    }

    /// What a market may do, in the one word that is read with every order.
    struct Admission {
        uint64 from;
        uint64 pausedUntil;
        /// From then on it locks no more.
        uint64 until;
        /// Whether it was the first, in which most is traded: what it holds is in the purses, which are written anyway.
        bool isHome;
    }

    /// Why money stays.
    struct Hold {
        /// Unix time until which nobody takes any out; 0 while no day is being settled.
        uint64 until;
        /// What members wait for and the fallback supplier has not set aside, money units.
        uint128 claims;
        /// The settlement under way, or the last one: counted from 1 to 255, over and over. Each settlement writes the purse of
        /// every member of its day, so no purse keeps a number until it comes again.
        uint8 settlement;
    }

    IParticipantRegistry private immutable REGISTRY;
    ISettlementToken public immutable TOKEN;

    mapping(uint32 id => Purse) private _purses;
    mapping(uint32 id => uint128) private _creditLimits;
    mapping(address market => Admission) private _admissions;
    address[] private _markets;
    /// Collateral that each market but the home market holds.
    mapping(address market => mapping(uint32 id => uint256)) private _held;
    mapping(bytes32 paymentReference => bool) public isPaymentUsed;
    mapping(uint32 id => uint256) private _lastSequence;
    Hold private _hold;
    /// Of whoever is in arrears, unix time from which it has been without a break; of others it says nothing.
    mapping(uint32 id => uint256) private _arrearsSince;

    constructor(address authority, CalendarParameters memory calendar_, IParticipantRegistry registry)
        AccessManaged(authority)
        Calendar(calendar_)
    {
        REGISTRY = registry;
        TOKEN = new SettlementToken(registry);
        // Deposits from a wallet carry no reference; none of the bank's may look like them.
        isPaymentUsed[bytes32(0)] = true;
    }

    /// @inheritdoc IAccounts
    function deposit(address account, Money amount, bytes32 paymentReference) external restricted {
        uint32 id = _ownerId(account);
        _use(paymentReference);
        _creditDeposit(id, amount, paymentReference);
        TOKEN.mint(Money.unwrap(amount));
    }

    /// @inheritdoc IAccounts
    function depositTokens(Money amount) external {
        _creditDeposit(_ownerId(msg.sender), amount, bytes32(0));
        TOKEN.safeTransferFrom(msg.sender, address(this), Money.unwrap(amount));
    }

    /// @inheritdoc IAccounts
    function redeem(Withdrawal calldata w, bytes calldata signature, bytes32 paymentReference) external restricted {
        _use(paymentReference);
        _takeOut(w, signature, true, paymentReference);
        TOKEN.burn(Money.unwrap(w.amount));
    }

    /// @inheritdoc IAccounts
    function withdraw(Withdrawal calldata w, bytes calldata signature) external {
        _takeOut(w, signature, false, bytes32(0));
        TOKEN.safeTransfer(w.account, Money.unwrap(w.amount));
    }

    /// @inheritdoc IAccounts
    function setCreditLimit(uint32 id, Money limit) external restricted {
        Kind kind = REGISTRY.member(id).kind;
        if (kind != Kind.FallbackSupplier && kind != Kind.GridOperator && kind != Kind.WholesaleDesk) {
            revert NoCreditFor(id, kind);
        }
        bool isLower = Money.unwrap(limit) < _creditLimits[id];
        if (isLower && id == FALLBACK_SUPPLIER) _requireNothingWaits();
        _creditLimits[id] = Money.unwrap(limit);
        if (isLower) _requireWithinCredit(id);
        emit CreditLimitSet(id, limit);
    }

    /// @inheritdoc IAccounts
    function admitMarket(address market, uint64 from) external restricted returns (bool isHome) {
        Admission storage admission = _admissions[market];
        if (admission.from == 0) {
            admission.isHome = _markets.length == 0;
            _markets.push(market);
        }
        (admission.from, admission.until) = (from, type(uint64).max);
        emit MarketAdmitted(market, from);
        return admission.isHome;
    }

    /// @inheritdoc IAccounts
    function dismissMarket(address market, uint64 until) external restricted {
        _requireMarket(market);
        _admissions[market].until = until;
        emit MarketDismissed(market, until);
    }

    /// @inheritdoc IAccounts
    function pause(address market) external restricted {
        _requireMarket(market);
        if (isPaused(market)) revert MarketIsPaused(market);
        _pause(market, _pauseOfNode(market));
    }

    /// @inheritdoc IAccounts
    function pauseAll() external restricted {
        bool isAny = false;
        for (uint256 m = 0; m < _markets.length; ++m) {
            address market = _markets[m];
            if (isPaused(market) || block.timestamp < _mayPauseFrom(market)) continue;
            _pause(market, _pauseOfNode(market));
            isAny = true;
        }
        if (!isAny) revert NothingToPause();
    }

    /// @inheritdoc IAccounts
    function keepPaused(address market, uint64 until) external restricted {
        _requireMarket(market);
        _pause(market, _pauseOfCouncil(until));
    }

    /// @inheritdoc IAccounts
    function unpause(address market) external restricted {
        if (!isPaused(market)) revert MarketIsNotPaused(market);
        emit MarketUnpaused(market, msg.sender);
        _setPause(market, 0);
    }

    /// @inheritdoc IAccounts
    function lockCollateral(uint32 id, int128 change) external {
        (bool isHome, bool isStopped) = _askMarket();
        if (isStopped) _refuseToLock();
        if (id == FALLBACK_SUPPLIER && change > 0) _requireNothingWaits();
        Purse memory p = _purses[id];
        if (p.arrears > 0) revert InArrears(id, p.arrears);
        if (change > 0) {
            _requireNotPaidNow(id, p);
            // That settlement is over: the next order has nothing to ask.
            p.paidIn = 0;
        }
        // Sums of numbers of 128 bits at most.
        unchecked {
            int256 left = int256(p.free) - change;
            // Who is below its floor, because money of a day was shared, may still give up collateral. Nobody orders for the fund and
            // the clearing house, and the credit of offices is for settling alone.
            bool isOwned = id > CLEARING_HOUSE;
            if (change > 0 && (!isOwned || (left < 0 && (id < FIRST_PARTICIPANT || left < _floor(id))))) {
                int256 free = isOwned ? int256(p.free) : int256(0);
                revert InsufficientFunds(id, uint128(change), id < FIRST_PARTICIPANT ? free : free - _floor(id));
            }
            if (change < 0) _take(id, p, msg.sender, isHome, uint256(-int256(change)));
            else if (isHome) p.locked = (uint256(p.locked) + uint128(change)).toUint80();
            else if (change > 0) _held[msg.sender][id] += uint128(change);
            p.free = left.toInt96();
            _purses[id] = p;
        }
    }

    /// @inheritdoc IAccounts
    function releaseCollateral(uint32 id, Money amount) external {
        // Neither a pause nor its end keeps money back.
        (bool isHome,) = _askMarket();
        _releaseFrom(msg.sender, isHome, id, amount);
    }

    /// @inheritdoc IAccounts
    function releaseHeld(address market, uint32 id, Money amount) external restricted {
        _releaseFrom(market, _admissions[market].isHome, id, amount);
    }

    /// @inheritdoc IAccounts
    function prepareRelease(address market, uint32 firstId, uint256[] calldata amounts) external restricted {
        // What the home market holds is where a posting releases from.
        if (_admissions[market].isHome) return;
        for (uint256 i = 0; i < amounts.length; ++i) {
            if (amounts[i] == 0) continue;
            uint32 id = firstId + uint32(i);
            Purse memory p = _purses[id];
            _take(id, p, market, false, amounts[i]);
            p.locked = (uint256(p.locked) + amounts[i]).toUint80();
            _purses[id] = p;
        }
    }

    /// @inheritdoc IAccounts
    function forfeitCollateral(uint32 id, uint32[] calldata to, uint256[] calldata amounts)
        external
        returns (uint256[] memory received)
    {
        (bool isHome,) = _askMarket();
        Purse memory p = _purses[id];
        uint256 total = 0;
        for (uint256 i = 0; i < to.length; ++i) {
            total += amounts[i];
        }
        _take(id, p, msg.sender, isHome, total);
        // What it owes comes first, and what was taken back of money that it has spent: nobody gives that away. All bear it in
        // proportion; the parts come to the whole, and none is a unit from its exact part.
        uint256 paid = Math.min(total, p.arrears + _missing(id, p));
        received = new uint256[](to.length);
        uint256 before = 0;
        for (uint256 i = 0; i < to.length; ++i) {
            if (amounts[i] == 0) continue;
            received[i] = amounts[i] - ProRata.fillDown(before, amounts[i], paid, total);
            before += amounts[i];
        }
        _credit(id, p, paid);
        _purses[id] = p;
        for (uint256 i = 0; i < to.length; ++i) {
            if (received[i] == 0) continue;
            Purse memory receiving = _purses[to[i]];
            _credit(to[i], receiving, received[i]);
            _purses[to[i]] = receiving;
        }
    }

    /// @inheritdoc IAccounts
    function post(Posting[] calldata postings) external restricted {
        int256 before = _purses[FALLBACK_SUPPLIER].free;
        for (uint256 i = 0; i < postings.length; ++i) {
            Posting calldata posting = postings[i];
            if (posting.amount + int256(uint256(posting.release)) < 0) {
                _requireNotPaidNow(posting.id, _purses[posting.id]);
            }
        }
        _post(postings, 0);
        if (_purses[FALLBACK_SUPPLIER].free >= before) return;
        _requireNothingWaits();
        _requireWithinCredit(FALLBACK_SUPPLIER);
    }

    /// @inheritdoc IAccounts
    function postDay(Posting[] calldata postings) external restricted {
        _post(postings, _hold.settlement);
    }

    /// @inheritdoc IAccounts
    function share(Posting[] calldata postings, int256 claims, bool isPaidNow) external restricted {
        int256 sum = 0;
        uint8 settlement = _hold.settlement;
        for (uint256 i = 0; i < postings.length; ++i) {
            Posting calldata posting = postings[i];
            int256 amount = posting.amount;
            Purse memory p = _purses[posting.id];
            // What was taken back comes before arrears that are a debt of its own.
            int256 first = _missing(posting.id, p).toInt256();
            if (first > amount) first = amount;
            p.free = (int256(p.free) + first).toInt96();
            if (isPaidNow && amount > 0) p.paidIn = settlement;
            _credit(posting.id, p, uint256(amount - first));
            _purses[posting.id] = p;
            sum += amount;
        }
        if (sum != 0) revert Unbalanced(sum);
        _hold.claims = (int256(uint256(_hold.claims)) + claims).toUint256().toUint128();
    }

    /// @inheritdoc IAccounts
    function hold(uint64 until) external restricted {
        if (_hold.until == 0) _hold.settlement = _hold.settlement % type(uint8).max + 1;
        _hold.until = until;
    }

    /// @inheritdoc IAccounts
    function lockableFrom(address market) external view returns (uint64) {
        return _admissions[market].from;
    }

    /// @inheritdoc IAccounts
    function lockableUntil(address market) external view returns (uint64) {
        return _admissions[market].until;
    }

    /// @inheritdoc IAccounts
    function isPaused(address market) public view returns (bool) {
        return block.timestamp < _admissions[market].pausedUntil;
    }

    /// @inheritdoc IAccounts
    function pausedUntil(address market) external view returns (uint64) {
        return _admissions[market].pausedUntil;
    }

    /// @inheritdoc IAccounts
    function arrearsOf(uint32 id) external view returns (uint256 arrears, uint256 since) {
        arrears = _purses[id].arrears;
        if (arrears > 0) since = _arrearsSince[id];
    }

    /// @inheritdoc IAccounts
    function accountOf(uint32 id) external view returns (Account memory) {
        Purse memory p = _purses[id];
        uint256 locked = p.locked;
        for (uint256 m = 0; m < _markets.length; ++m) {
            locked += _held[_markets[m]][id];
        }
        return Account(p.free, locked.toUint128(), p.arrears, _creditLimits[id]);
    }

    /// @inheritdoc IAccounts
    function fundsOf(uint32 id) external view returns (int256 free, uint256 creditLimit) {
        return (_purses[id].free, _creditLimits[id]);
    }

    /// @inheritdoc IAccounts
    function heldBy(address market, uint32 id) external view returns (uint256) {
        return _admissions[market].isHome ? _purses[id].locked : _held[market][id];
    }

    /// @inheritdoc IAccounts
    function heldUntil() external view returns (uint64) {
        return _hold.until;
    }

    /// @inheritdoc IAccounts
    function openClaims() external view returns (uint128) {
        return _hold.claims;
    }

    function _requireMarket(address market) private view {
        if (_admissions[market].from == 0) revert NotAMarket(market, 0);
    }

    function _pause(address market, uint64 until) private {
        emit MarketPaused(market, msg.sender, until);
        _setPause(market, until);
    }

    /// Keeps a pause, and tells the market: some orders draw on money that was locked before. One that does not listen hinders
    /// nobody, and one that had too little gas may be told again by anybody.
    function _setPause(address market, uint64 until) private {
        _admissions[market].pausedUntil = until;
        bytes memory told = abi.encodeCall(IPausable.followPause, ());
        // By hand, as nothing of what it answers is to be copied.
        assembly ("memory-safe") {
            pop(call(FOLLOW_GAS, market, 0, add(told, 0x20), mload(told), 0, 0))
        }
    }

    /// @param settlement that pays; 0 if none does.
    function _post(Posting[] calldata postings, uint8 settlement) private {
        int256 sum = 0;
        for (uint256 i = 0; i < postings.length; ++i) {
            Posting calldata posting = postings[i];
            int256 amount = posting.amount;
            Purse memory p = _purses[posting.id];
            sum += amount;
            if (settlement != 0) {
                // What is released stays as well: a walk that begins anew may ask for more.
                if (amount > 0 || posting.release > 0) p.paidIn = settlement;
                else if (p.paidIn != settlement) p.paidIn = 0;
            }
            if (posting.release > 0) amount += _release(posting.id, p, posting.release, amount);
            if (amount >= 0) _credit(posting.id, p, uint256(amount));
            else _debit(posting.id, p, uint256(-amount));
            _purses[posting.id] = p;
            emit Posted(posting.id, posting.amount, posting.release);
        }
        if (sum != 0) revert Unbalanced(sum);
    }

    function _use(bytes32 paymentReference) private {
        if (isPaymentUsed[paymentReference]) revert PaymentReferenceUsed(paymentReference);
        isPaymentUsed[paymentReference] = true;
    }

    function _creditDeposit(uint32 id, Money amount, bytes32 paymentReference) private {
        if (Money.unwrap(amount) == 0) revert ZeroAmount();
        Purse memory p = _purses[id];
        // No single deposit fills a purse: what a settlement pays in always fits beside it.
        _credit(id, p, uint256(Money.unwrap(amount)).toUint80());
        _purses[id] = p;
        emit Deposited(id, amount, paymentReference);
    }

    function _takeOut(Withdrawal calldata w, bytes calldata signature, bool toBank, bytes32 paymentReference) private {
        uint32 id = _ownerId(w.account);
        if (Money.unwrap(w.amount) == 0) revert ZeroAmount();
        if (w.toBank != toBank) revert WrongPayout(w.toBank);
        if (w.sequence <= _lastSequence[id]) revert StaleSequence(w.sequence, _lastSequence[id]);
        bytes32 digest =
            _hashTypedDataV4(keccak256(abi.encode(WITHDRAWAL_TYPEHASH, w.account, w.amount, w.toBank, w.sequence)));
        address signer = ECDSA.recover(digest, signature);
        if (signer != w.account) revert NotSignedByOwner(w.account, signer);
        _requireNotHeld();
        if (id == FALLBACK_SUPPLIER) _requireNothingWaits();
        Purse storage p = _purses[id];
        int128 units = _signed(w.amount);
        // Credit is for settling, not for taking out: only money that is there leaves.
        if (units > p.free) revert InsufficientFunds(id, Money.unwrap(w.amount), p.free);
        _requireNotPaidNow(id, p);
        _lastSequence[id] = w.sequence;
        p.free = (int256(p.free) - units).toInt96();
        emit Withdrawn(id, w.amount, toBank, paymentReference);
    }

    /// @return isHome whether the caller, which has to be a market, is the home market, and
    /// @return isStopped whether it is paused or retired.
    function _askMarket() private view returns (bool isHome, bool isStopped) {
        Admission storage admission = _admissions[msg.sender];
        uint256 from = admission.from;
        if (from == 0 || block.timestamp < from) revert NotAMarket(msg.sender, from);
        return (admission.isHome, block.timestamp < admission.pausedUntil || block.timestamp >= admission.until);
    }

    /// Says why the calling market locks no more.
    function _refuseToLock() private view {
        uint64 until = _admissions[msg.sender].until;
        if (block.timestamp >= until) revert MarketIsRetired(msg.sender, until);
        revert MarketIsPaused(msg.sender);
    }

    function _releaseFrom(address market, bool isHome, uint32 id, Money amount) private {
        Purse memory p = _purses[id];
        _take(id, p, market, isHome, Money.unwrap(amount));
        _credit(id, p, Money.unwrap(amount));
        _purses[id] = p;
    }

    /// Takes from what one market holds of a member: no market touches what others hold.
    function _take(uint32 id, Purse memory p, address market, bool isHome, uint256 amount) private {
        uint256 held = isHome ? p.locked : _held[market][id];
        if (amount > held) revert ReleaseExceedsLock(id, amount, held);
        if (isHome) p.locked = uint80(held - amount);
        else _held[market][id] = held - amount;
    }

    function _release(uint32 id, Purse memory p, uint256 amount) private {
        if (amount > p.locked) revert ReleaseExceedsLock(id, amount, p.locked);
        p.locked -= uint80(amount);
        _credit(id, p, amount);
    }

    /// Collateral that is released with a payment. Of whoever waits for money that was shared it covers that payment first: what is
    /// covered never becomes arrears because others do not pay.
    /// @param payment below zero if the member pays.
    /// @return covered what the collateral has paid of it.
    function _release(uint32 id, Purse memory p, uint256 amount, int256 payment) private returns (int256 covered) {
        if (payment < 0 && _missing(id, p) > 0) {
            if (amount > p.locked) revert ReleaseExceedsLock(id, amount, p.locked);
            covered = -payment < amount.toInt256() ? -payment : amount.toInt256();
            p.locked -= uint80(uint256(covered));
            amount -= uint256(covered);
        }
        _release(id, p, amount);
    }

    /// Arrears are paid first.
    function _credit(uint32 id, Purse memory p, uint256 amount) private {
        uint256 arrears = p.arrears;
        if (arrears > 0) {
            uint256 paid = amount < arrears ? amount : arrears;
            p.arrears = uint72(arrears - paid);
            amount -= paid;
            _advance(-paid.toInt256());
            emit ArrearsChanged(id, p.arrears);
        }
        p.free = (int256(p.free) + amount.toInt256()).toInt96();
    }

    /// What an account cannot pay, its credit included, the fallback supplier advances: nobody's empty account stops a
    /// settlement. The clearing house goes below zero while a day is half settled.
    function _debit(uint32 id, Purse memory p, uint256 due) private {
        int256 left = int256(p.free) - due.toInt256();
        if (left >= 0 || id == CLEARING_HOUSE || id == FALLBACK_SUPPLIER || left >= _floor(id)) {
            p.free = left.toInt96();
            return;
        }
        int256 floor = _floor(id);
        uint256 missing = due;
        // Below its floor is who waits for money that was shared: nothing of that is a debt of its own.
        if (p.free > floor) {
            missing = uint256(floor - left);
            p.free = floor.toInt96();
        }
        if (p.arrears == 0) _arrearsSince[id] = block.timestamp;
        uint256 arrears = p.arrears + missing;
        p.arrears = arrears.toUint72();
        _advance(missing.toInt256());
        emit ArrearsChanged(id, p.arrears);
    }

    /// The fallback supplier has no arrears of its own, so its account is never the one a posting is at work on.
    function _advance(int256 amount) private {
        Purse storage supplier = _purses[FALLBACK_SUPPLIER];
        supplier.free = (int256(supplier.free) - amount).toInt96();
    }

    /// @return how far down the account may go, money units: zero or below.
    function _floor(uint32 id) private view returns (int256) {
        return -int256(uint256(_creditLimits[id]));
    }

    /// @return units by which the account is below its floor: what was taken back of money that it had not any more.
    function _missing(uint32 id, Purse memory p) private view returns (uint256 units) {
        if (p.free < 0 && p.free < _floor(id)) units = uint256(_floor(id) - p.free);
    }

    /// What the settlement under way has paid may have to be shared, so it stays where it is.
    function _requireNotPaidNow(uint32 id, Purse memory p) private view {
        if (p.paidIn == 0) return;
        Hold memory h = _hold;
        if (h.until != 0 && p.paidIn == h.settlement) revert PaidNow(id);
    }

    function _requireWithinCredit(uint32 id) private view {
        int256 free = _purses[id].free;
        if (free < _floor(id)) revert CreditLimitExceeded(id, free, _creditLimits[id]);
    }

    /// While a day is being settled nobody runs away with money that may have to be shared.
    function _requireNotHeld() private view {
        uint64 until = _hold.until;
        if (block.timestamp < until || _purses[FALLBACK_SUPPLIER].free < _floor(FALLBACK_SUPPLIER)) {
            revert MoneyHeld(until);
        }
    }

    /// The fallback supplier's money is for the day that is being settled, then for those who wait.
    function _requireNothingWaits() private view {
        Hold memory h = _hold;
        if (h.until != 0) revert MoneyHeld(h.until);
        if (h.claims != 0) revert ClaimsOpen(h.claims);
    }

    function _ownerId(address account) private view returns (uint32 id) {
        id = REGISTRY.idOf(account);
        if (id == 0) revert UnknownAccountOwner(account);
    }

    function _signed(Money amount) private pure returns (int128) {
        return uint256(Money.unwrap(amount)).toInt256().toInt128();
    }
}
