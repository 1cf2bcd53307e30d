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

    IParticipantRegistry private immutable REGISTRY;
    ISettlementToken public immutable TOKEN;

    mapping(uint32 id => Account) private _accounts;
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
        Account storage a = _accounts[id];
        a.creditLimit = Money.unwrap(limit);
        _requireWithinCredit(id, a);
        emit CreditLimitSet(id, limit);
    }

    /// @inheritdoc IAccounts
    function lock(uint32 id, Money amount) external restricted {
        Account storage a = _accounts[id];
        if (a.arrears > 0) revert InArrears(id, a.arrears);
        int128 units = _signed(amount);
        int256 available = int256(a.free) + int256(uint256(a.creditLimit));
        if (units > available) revert InsufficientFunds(id, Money.unwrap(amount), available);
        a.free -= units;
        a.locked += Money.unwrap(amount);
        emit Locked(id, units);
    }

    /// @inheritdoc IAccounts
    function unlock(uint32 id, Money amount) external restricted {
        _release(id, _accounts[id], Money.unwrap(amount));
        emit Locked(id, -_signed(amount));
    }

    /// @inheritdoc IAccounts
    function post(Posting[] calldata postings) external restricted {
        int256 sum = 0;
        for (uint256 i = 0; i < postings.length; ++i) {
            Posting calldata p = postings[i];
            Account storage a = _accounts[p.id];
            if (p.release > 0) _release(p.id, a, p.release);
            if (p.amount >= 0) _credit(p.id, a, uint128(p.amount));
            else _debit(p.id, a, uint128(-p.amount));
            sum += p.amount;
            emit Posted(p.id, p.amount, p.release);
        }
        if (sum != 0) revert Unbalanced(sum);
        _requireWithinCredit(FALLBACK_SUPPLIER, _accounts[FALLBACK_SUPPLIER]);
    }

    /// @inheritdoc IAccounts
    function accountOf(uint32 id) external view returns (Account memory) {
        return _accounts[id];
    }

    function _use(bytes32 paymentReference) private {
        if (isPaymentUsed[paymentReference]) revert PaymentReferenceUsed(paymentReference);
        isPaymentUsed[paymentReference] = true;
    }

    function _creditDeposit(uint32 id, Money amount, bytes32 paymentReference) private {
        if (Money.unwrap(amount) == 0) revert ZeroAmount();
        _credit(id, _accounts[id], Money.unwrap(amount));
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
        Account storage a = _accounts[id];
        int128 units = _signed(w.amount);
        // Credit is for settling, not for taking out: only money that is there leaves.
        if (units > a.free) revert InsufficientFunds(id, Money.unwrap(w.amount), a.free);
        _lastSequence[id] = w.sequence;
        a.free -= units;
        emit Withdrawn(id, w.amount, toBank, paymentReference);
    }

    function _release(uint32 id, Account storage a, uint128 amount) private {
        if (amount > a.locked) revert ReleaseExceedsLock(id, amount, a.locked);
        a.locked -= amount;
        _credit(id, a, amount);
    }

    /// Arrears are paid first.
    function _credit(uint32 id, Account storage a, uint128 amount) private {
        uint128 arrears = a.arrears;
        if (arrears > 0) {
            uint128 paid = amount < arrears ? amount : arrears;
            a.arrears = arrears - paid;
            amount -= paid;
            _accounts[FALLBACK_SUPPLIER].free += int128(paid);
            emit ArrearsChanged(id, a.arrears);
        }
        a.free += uint256(amount).toInt256().toInt128();
    }

    /// What an account cannot pay, its credit included, the fallback supplier advances: nobody's empty account stops a
    /// settlement. The clearing house goes below zero while a day is half settled.
    function _debit(uint32 id, Account storage a, uint128 due) private {
        int256 left = int256(a.free) - int256(uint256(due));
        int256 floor = -int256(uint256(a.creditLimit));
        if (left >= floor || id == CLEARING_HOUSE || id == FALLBACK_SUPPLIER) {
            a.free = left.toInt128();
            return;
        }
        uint128 missing = uint256(floor - left).toUint128();
        a.free = floor.toInt128();
        a.arrears += missing;
        _accounts[FALLBACK_SUPPLIER].free -= int128(missing);
        emit ArrearsChanged(id, a.arrears);
    }

    function _requireWithinCredit(uint32 id, Account storage a) private view {
        if (int256(a.free) < -int256(uint256(a.creditLimit))) revert CreditLimitExceeded(id, a.free, a.creditLimit);
    }

    function _ownerId(address account) private view returns (uint32 id) {
        id = REGISTRY.idOf(account);
        if (id == 0) revert UnknownAccountOwner(account);
    }

    function _signed(Money amount) private pure returns (int128) {
        return uint256(Money.unwrap(amount)).toInt256().toInt128();
    }
}
