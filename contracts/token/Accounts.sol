// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Multicall} from "@openzeppelin/contracts/utils/Multicall.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Account, IAccounts, Posting, Withdrawal} from "../interfaces/IAccounts.sol";
import {IParticipantRegistry} from "../interfaces/IParticipantRegistry.sol";
import {ISettlementToken} from "../interfaces/ISettlementToken.sol";
import {CLEARING_HOUSE, FALLBACK_SUPPLIER, Kind} from "../types/Members.sol";
import {Money} from "../types/Units.sol";
import {SettlementToken} from "./SettlementToken.sol";

/// @title Accounts
contract Accounts is IAccounts, AccessManaged, EIP712, Multicall {
    using SafeCast for int256;
    using SafeCast for uint256;
    using SafeERC20 for ISettlementToken;

    bytes32 private constant WITHDRAWAL_TYPEHASH =
        keccak256("Withdrawal(address account,uint128 amount,bool toBank,uint40 sequence)");

    /// One storage word. A word holds more money than all currencies have; what does not fit reverts.
    struct Purse {
        int96 free;
        uint80 locked;
        uint80 arrears;
    }

    /// What a market may do, in the one word that is read with every order.
    struct Admission {
        uint64 from;
        bool isPaused;
    }

    IParticipantRegistry private immutable REGISTRY;
    ISettlementToken public immutable TOKEN;

    mapping(uint32 id => Purse) private _purses;
    mapping(uint32 id => uint128) private _creditLimits;
    mapping(address market => Admission) private _admissions;
    address[] private _markets;
    mapping(bytes32 paymentReference => bool) public isPaymentUsed;
    mapping(uint32 id => uint256) private _lastSequence;

    constructor(address authority, IParticipantRegistry registry) AccessManaged(authority) EIP712("DEM", "1") {
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
        _creditLimits[id] = Money.unwrap(limit);
        _requireWithinCredit(id);
        emit CreditLimitSet(id, limit);
    }

    /// @inheritdoc IAccounts
    function admitMarket(address market, uint64 from) external restricted {
        if (_admissions[market].from == 0) _markets.push(market);
        _admissions[market].from = from;
        emit MarketAdmitted(market, from);
    }

    /// @inheritdoc IAccounts
    function pause(address market) external restricted {
        Admission storage admission = _admissions[market];
        if (admission.from == 0) revert NotAMarket(market, 0);
        if (admission.isPaused) revert MarketIsPaused(market);
        _pause(market);
    }

    /// @inheritdoc IAccounts
    function pauseAll() external restricted {
        for (uint256 m = 0; m < _markets.length; ++m) {
            if (!_admissions[_markets[m]].isPaused) _pause(_markets[m]);
        }
    }

    /// @inheritdoc IAccounts
    function unpause(address market) external restricted {
        if (!_admissions[market].isPaused) revert MarketIsNotPaused(market);
        _admissions[market].isPaused = false;
        emit MarketUnpaused(market, msg.sender);
    }

    /// @inheritdoc IAccounts
    function lockCollateral(uint32 id, int128 change) external {
        if (_askMarket()) revert MarketIsPaused(msg.sender);
        Purse memory p = _purses[id];
        if (p.arrears > 0) revert InArrears(id, p.arrears);
        // Sums of numbers of 128 bits at most.
        unchecked {
            int256 left = int256(p.free) - change;
            if (left < 0 && left < _floor(id)) revert InsufficientFunds(id, uint128(change), p.free - _floor(id));
            int256 locked = int256(uint256(p.locked)) + change;
            if (locked < 0) revert ReleaseExceedsLock(id, uint256(-int256(change)), p.locked);
            _purses[id] = Purse(left.toInt96(), uint256(locked).toUint80(), 0);
        }
    }

    /// @inheritdoc IAccounts
    function releaseCollateral(uint32 id, Money amount) external {
        // A pause keeps no money back.
        _askMarket();
        Purse memory p = _purses[id];
        _release(id, p, Money.unwrap(amount));
        _purses[id] = p;
    }

    /// @inheritdoc IAccounts
    function post(Posting[] calldata postings) external restricted {
        int256 sum = 0;
        for (uint256 i = 0; i < postings.length; ++i) {
            Posting calldata posting = postings[i];
            int256 amount = posting.amount;
            Purse memory p = _purses[posting.id];
            if (posting.release > 0) _release(posting.id, p, posting.release);
            if (amount >= 0) _credit(posting.id, p, uint256(amount));
            else _debit(posting.id, p, uint256(-amount));
            _purses[posting.id] = p;
            sum += amount;
            emit Posted(posting.id, posting.amount, posting.release);
        }
        if (sum != 0) revert Unbalanced(sum);
        _requireWithinCredit(FALLBACK_SUPPLIER);
    }

    /// @inheritdoc IAccounts
    function lockableFrom(address market) external view returns (uint64) {
        return _admissions[market].from;
    }

    /// @inheritdoc IAccounts
    function isPaused(address market) external view returns (bool) {
        return _admissions[market].isPaused;
    }

    /// @inheritdoc IAccounts
    function requireUnpaused(address market) external view {
        if (_admissions[market].isPaused) revert MarketIsPaused(market);
    }

    /// @inheritdoc IAccounts
    function accountOf(uint32 id) external view returns (Account memory) {
        Purse memory p = _purses[id];
        return Account(p.free, p.locked, p.arrears, _creditLimits[id]);
    }

    function _pause(address market) private {
        _admissions[market].isPaused = true;
        emit MarketPaused(market, msg.sender);
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
        Purse storage p = _purses[id];
        int128 units = _signed(w.amount);
        // Credit is for settling, not for taking out: only money that is there leaves.
        if (units > p.free) revert InsufficientFunds(id, Money.unwrap(w.amount), p.free);
        _lastSequence[id] = w.sequence;
        p.free = (int256(p.free) - units).toInt96();
        emit Withdrawn(id, w.amount, toBank, paymentReference);
    }

    /// @return isStopped whether the caller, which has to be a market, is paused.
    function _askMarket() private view returns (bool isStopped) {
        Admission storage admission = _admissions[msg.sender];
        uint256 from = admission.from;
        if (from == 0 || block.timestamp < from) revert NotAMarket(msg.sender, from);
        return admission.isPaused;
    }

    function _release(uint32 id, Purse memory p, uint256 amount) private {
        if (amount > p.locked) revert ReleaseExceedsLock(id, amount, p.locked);
        p.locked -= uint80(amount);
        _credit(id, p, amount);
    }

    /// Arrears are paid first.
    function _credit(uint32 id, Purse memory p, uint256 amount) private {
        uint256 arrears = p.arrears;
        if (arrears > 0) {
            uint256 paid = amount < arrears ? amount : arrears;
            p.arrears = uint80(arrears - paid);
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
        uint256 missing = uint256(floor - left);
        p.free = floor.toInt96();
        uint256 arrears = p.arrears + missing;
        p.arrears = arrears.toUint80();
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

    function _requireWithinCredit(uint32 id) private view {
        int256 free = _purses[id].free;
        if (free < _floor(id)) revert CreditLimitExceeded(id, free, _creditLimits[id]);
    }

    function _ownerId(address account) private view returns (uint32 id) {
        id = REGISTRY.idOf(account);
        if (id == 0) revert UnknownAccountOwner(account);
    }

    function _signed(Money amount) private pure returns (int128) {
        return uint256(Money.unwrap(amount)).toInt256().toInt128();
    }
}
