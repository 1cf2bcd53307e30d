// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Kind} from "../types/Members.sol";
import {Money} from "../types/Units.sol";

/// Money of one member, units of 10^-8 currency.
struct Account {
    /// Below zero only within the credit limit.
    int128 free;
    /// Collateral of open orders and contracts.
    uint128 locked;
    /// Owed to the fallback supplier; paid first from whatever comes in, and no order is taken until then.
    uint128 arrears;
    uint128 creditLimit;
}

/// One line of a settlement: `amount` received (positive) or due (negative), after `release` of collateral.
struct Posting {
    uint32 id;
    int128 amount;
    uint128 release;
}

/// What an account's owner signs to take money out.
struct Withdrawal {
    address account;
    Money amount;
    /// true: paid out in fiat by the treasurer; false: tokens to the owner's own wallet, which nobody can hold up.
    bool toBank;
    /// Higher than that of the withdrawal before.
    uint40 sequence;
}

/// @title Accounts
/// @notice The one contract in which market money lies and moves (rules 3 and 13). Free money, locked money, credit limits, arrears.
interface IAccounts {
    event Deposited(uint32 indexed id, Money amount, bytes32 indexed paymentReference);
    event Withdrawn(uint32 indexed id, Money amount, bool toBank, bytes32 indexed paymentReference);
    event CreditLimitSet(uint32 indexed id, Money limit);
    /// The market may lock collateral from that unix time on.
    event MarketAdmitted(address indexed market, uint64 from);
    event MarketPaused(address indexed market, address by);
    event MarketUnpaused(address indexed market, address by);
    event Posted(uint32 indexed id, int128 amount, uint128 release);
    /// What the member owes the fallback supplier from now on.
    event ArrearsChanged(uint32 indexed id, uint128 arrears);

    error PaymentReferenceUsed(bytes32 paymentReference);
    error ZeroAmount();
    error UnknownAccountOwner(address account);
    error NotSignedByOwner(address account, address signer);
    error StaleSequence(uint256 sequence, uint256 last);
    /// The other of the two ways out was signed for.
    error WrongPayout(bool toBank);
    error InsufficientFunds(uint32 id, uint256 needed, int256 available);
    /// Only markets of the schedule lock and release collateral, each from a time on (0: never).
    error NotAMarket(address caller, uint256 from);
    /// The market takes, changes and cancels no orders until the council lifts the pause.
    error MarketIsPaused(address market);
    error MarketIsNotPaused(address market);
    error InArrears(uint32 id, uint256 arrears);
    /// Only the fallback supplier, the grid operator and a wholesale desk settle on credit.
    error NoCreditFor(uint32 id, Kind kind);
    error CreditLimitExceeded(uint32 id, int256 balance, uint256 limit);
    /// More collateral was to be released than is locked.
    error ReleaseExceedsLock(uint32 id, uint256 release, uint256 locked);
    /// The postings of a settlement must sum to zero.
    error Unbalanced(int256 sum);

    /// @notice Books a fiat deposit and mints as many tokens; arrears are paid first.
    function deposit(address account, Money amount, bytes32 paymentReference) external;

    /// @notice Puts tokens of the caller's wallet (approved before) back on its account; arrears are paid first.
    function depositTokens(Money amount) external;

    /// @notice Burns free money that the treasurer pays out in fiat.
    function redeem(Withdrawal calldata w, bytes calldata signature, bytes32 paymentReference) external;

    /// @notice Pays free money out to the owner's own wallet; anyone may bring the signed message, nobody can stop it.
    function withdraw(Withdrawal calldata w, bytes calldata signature) external;

    /// @notice Allows an account to go below zero by so much; enough for what it owes already.
    function setCreditLimit(uint32 id, Money limit) external;

    /// @notice Lets a market that is plugged into the schedule lock and release collateral from a unix time on, for good: asked once,
    /// not with every order.
    function admitMarket(address market, uint64 from) external;

    /// @notice Stops a market's orders: collateral is neither locked nor released for them. What was agreed is cleared and settled,
    /// and money leaves, as ever.
    function pause(address market) external;

    /// @notice Stops the orders of all markets.
    function pauseAll() external;

    function unpause(address market) external;

    /// @notice Reverts while the market is paused.
    function requireUnpaused(address market) external view;

    /// @notice Changes the collateral that the calling market holds for a member's orders, a new one among them: refused to
    /// members in arrears or without enough free money. The market tells of it, with the order: there is no event here.
    /// @param change locked more (positive) or less (negative).
    function lockCollateral(uint32 id, int128 change) external;

    /// @notice Releases collateral for orders that are only given up, which a member in arrears may as well: it pays them.
    function releaseCollateral(uint32 id, Money amount) external;

    /// @notice Books a settlement whose amounts sum to zero, in the order given. What a member cannot pay, its credit included,
    /// becomes arrears, and the fallback supplier, who carries that risk, receives less. Reverts only if that takes the
    /// supplier beyond its own credit limit.
    function post(Posting[] calldata postings) external;

    /// @return whether a deposit or a payout has used the reference.
    function isPaymentUsed(bytes32 paymentReference) external view returns (bool);

    /// @return unix time from which the market may lock and release collateral; 0 if it may not.
    function lockableFrom(address market) external view returns (uint64);

    /// @return whether the market's orders are stopped.
    function isPaused(address market) external view returns (bool);

    /// @return the account as it stands.
    function accountOf(uint32 id) external view returns (Account memory);
}
