// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Kind} from "../types/Members.sol";
import {Money} from "../types/Units.sol";

/// Money of one member, units of 10^-8 currency.
struct Account {
    /// Below zero only within the credit limit, and by what was taken back of a day's payment and is not made good yet.
    int128 free;
    /// Collateral of open orders and contracts, of all markets together.
    uint128 locked;
    /// Owed to the fallback supplier; paid first from whatever comes in, and no order is taken until then.
    uint128 arrears;
    /// How far below zero a settlement may take it.
    uint128 creditLimit;
}

/// One line of a settlement: `amount` received (positive) or due (negative), after `release` of collateral.
struct Posting {
    /// Number of the member.
    uint32 id;
    /// Money units.
    int128 amount;
    /// Money units.
    uint128 release;
}

/// What an account's owner signs to take money out.
struct Withdrawal {
    /// Of the owner, who signs.
    address account;
    /// Money units.
    Money amount;
    /// true: paid out in fiat by the treasurer; false: tokens to the owner's own wallet, which nobody can hold up.
    bool toBank;
    /// Higher than that of the withdrawal before.
    uint40 sequence;
}

/// @title Accounts
/// @notice The one contract in which market money lies and moves (rules 3 and 13). Free money, locked money, credit
/// limits, arrears.
interface IAccounts {
    /// Money came in: a fiat deposit, booked by the treasurer, or tokens of the owner's wallet. Arrears are paid from
    /// it first.
    /// @param amount all that came in, money units (10^-8 currency).
    /// @param paymentReference the bank's reference of the payment; zero for tokens.
    event Deposited(uint32 indexed id, Money amount, bytes32 indexed paymentReference);

    /// Free money left the account.
    /// @param amount money units.
    /// @param toBank true: the treasurer pays it out in fiat; false: the owner's wallet received tokens.
    /// @param paymentReference the bank's reference of the payout; zero for tokens.
    event Withdrawn(uint32 indexed id, Money amount, bool toBank, bytes32 indexed paymentReference);

    /// From now on a settlement may take the account this far below zero.
    /// @param limit money units.
    event CreditLimitSet(uint32 indexed id, Money limit);

    /// The market may lock and release collateral.
    /// @param from unix time from which it may.
    event MarketAdmitted(address indexed market, uint64 from);

    /// The market locks no more from a time on. What it holds it still releases.
    /// @param until unix time from which it does not; 2^64 - 1: it goes on.
    event MarketDismissed(address indexed market, uint64 until);

    /// No collateral is locked for the market until the pause lapses or is lifted: no new order is taken, no bilateral
    /// contract concluded, no intraday day funded. Cancelling, clearing, settlement and withdrawals go on.
    /// @param by address that paused it: a node, or the council.
    /// @param until unix time at which the pause lapses by itself.
    event MarketPaused(address indexed market, address by, uint64 until);

    /// The market's pause is lifted before it lapses.
    /// @param by address that lifted it.
    event MarketUnpaused(address indexed market, address by);

    /// One line of a settlement, or of another payment among members, is booked. What the member cannot pay becomes
    /// arrears.
    /// @param amount received (positive) or due (negative), money units.
    /// @param release collateral released before, money units.
    event Posted(uint32 indexed id, int128 amount, uint128 release);

    /// What the member owes the fallback supplier has changed: more was due than it could pay, or some of it is paid.
    /// @param arrears owed from now on, money units; 0: nothing any more.
    event ArrearsChanged(uint32 indexed id, uint128 arrears);

    /// A deposit or a payout has used this reference before; each works once. Zero never does: it stands for tokens.
    /// @param paymentReference the bank's reference.
    error PaymentReferenceUsed(bytes32 paymentReference);

    /// Nothing is to be deposited or taken out.
    error ZeroAmount();
    /// Nobody with this address was ever admitted, so it has no account.
    error UnknownAccountOwner(address account);
    /// The withdrawal is not signed by the owner of the account.
    error NotSignedByOwner(address account, address signer);

    /// The withdrawal was brought already, or a later one was.
    /// @param last sequence of the account's last withdrawal.
    error StaleSequence(uint256 sequence, uint256 last);

    /// The other of the two ways out was signed for: `redeem` pays to the bank, `withdraw` to the owner's wallet.
    /// @param toBank what was signed: true for the bank.
    error WrongPayout(bool toBank);

    /// The member has too little money for what it wants to lock or to take out.
    /// @param needed to be locked or taken out, money units.
    /// @param available free money, money units; to be locked as collateral, the credit limit of participants counts as well.
    error InsufficientFunds(uint32 id, uint256 needed, int256 available);

    /// Only markets of the schedule lock and release collateral, or are paused. Each may from a time on.
    /// @param caller address that called; when a market is to be paused, the one that was named.
    /// @param from unix time from which it may; 0: never.
    error NotAMarket(address caller, uint256 from);

    /// The market is paused: what has happened is in MarketPaused. Also the answer to a second pause.
    error MarketIsPaused(address market);
    /// The market was retired: it locks no more.
    /// @param until unix time from which it does not.
    error MarketIsRetired(address market, uint64 until);

    /// Every market is paused, or the caller paused it not long ago.
    error NothingToPause();

    /// The market is not paused: there is nothing to lift.
    error MarketIsNotPaused(address market);

    /// The member owes money to the fallback supplier; until it is paid, no collateral is locked for the member.
    /// @param arrears owed, money units.
    error InArrears(uint32 id, uint256 arrears);

    /// Only the fallback supplier, the grid operator and a wholesale desk settle on credit.
    /// @param kind what the member is (Members.sol).
    error NoCreditFor(uint32 id, Kind kind);

    /// The account is below zero by more than its credit limit: the fallback supplier's after postings that are of no
    /// settlement, or one whose new, lower limit is not enough for what it owes.
    /// @param balance free money, money units; negative.
    /// @param limit credit limit, money units.
    error CreditLimitExceeded(uint32 id, int256 balance, uint256 limit);

    /// A day is being settled, and what it pays may have to be shared: nobody takes money out for now, and the fallback
    /// supplier's is for the day alone. Anybody can finish it (Settlement.settle), and then money leaves again.
    /// @param until unix time from which members may take money out in any case; 2^64 - 1: not before the day is
    /// settled, as ever while the fallback supplier is below its credit limit.
    error MoneyHeld(uint256 until);

    /// The settlement under way has paid the member or released its collateral, and may have to take that back: until it ends
    /// the member locks no more and takes nothing out, and nothing else is paid from its free money. What it gives up is released as ever. Anybody can
    /// finish the settlement (Settlement.settle).
    error PaidNow(uint32 id);

    /// Members wait for what the fallback supplier could not advance: its money is for them first. Anybody may have it
    /// set aside (Shortfalls.setAside).
    /// @param units what they wait for, money units.
    error ClaimsOpen(uint256 units);

    /// A market is to release more collateral of a member than it holds itself.
    /// @param release to be released, money units.
    /// @param locked what it holds, money units.
    error ReleaseExceedsLock(uint32 id, uint256 release, uint256 locked);

    /// The postings of a settlement must sum to zero.
    /// @param sum what they sum to, money units.
    error Unbalanced(int256 sum);

    /// @notice Books a fiat deposit and mints as many tokens; arrears are paid first.
    function deposit(address account, Money amount, bytes32 paymentReference) external;

    /// @notice Puts tokens of the caller's wallet (approved before) back on its account; arrears are paid first.
    function depositTokens(Money amount) external;

    /// @notice Burns free money that the treasurer pays out in fiat.
    function redeem(Withdrawal calldata w, bytes calldata signature, bytes32 paymentReference) external;

    /// @notice Pays free money out to the owner's own wallet; anyone may bring the signed message, nobody can stop it.
    function withdraw(Withdrawal calldata w, bytes calldata signature) external;

    /// @notice Allows an account to go below zero by so much; a lower limit is enough for what it owes already. The
    /// fallback supplier's is not lowered while a day is being settled or members wait for its money.
    function setCreditLimit(uint32 id, Money limit) external;

    /// @notice Lets a market that is plugged into the schedule lock and release collateral from a unix time on: asked
    /// once, not with every order. No market touches what others hold.
    /// @return isHome whether it is the home market, the first of all: postings release what that one holds.
    function admitMarket(address market, uint64 from) external returns (bool isHome);

    /// @notice Lets a market that is retired lock no more collateral from a unix time on. It releases what it holds for good.
    function dismissMarket(address market, uint64 until) external;

    /// @notice Stops a market's new orders: no collateral is locked for them. Orders are cancelled, what was agreed is
    /// cleared and settled, and money leaves, as ever. A node's pause lapses before the next gate comes near, and the
    /// node may pause the market again 30 days later (Pauses.sol).
    function pause(address market) external;

    /// @notice Stops the new orders of all markets that are not paused and that the caller may pause, each as `pause` does.
    function pauseAll() external;

    /// @notice Stops a market's new orders until a unix time, whether it is paused or not; only by a decision of the
    /// council, which is known a delay before. It may reach beyond a gate.
    function keepPaused(address market, uint64 until) external;

    /// @notice Lifts the pause of one market.
    function unpause(address market) external;

    /// @notice Changes the collateral that the calling market holds for a member's orders, a new one among them:
    /// refused to members in arrears, without enough free money, or whom the settlement under way has paid, and of the fund
    /// and the clearing house. The market tells of it, with the order: there is no event here.
    /// @param change locked more (positive) or less (negative).
    function lockCollateral(uint32 id, int128 change) external;

    /// @notice Releases collateral for orders that are only given up, which a member in arrears may as well: it pays
    /// them.
    function releaseCollateral(uint32 id, Money amount) external;

    /// @notice Releases collateral that a market holds and does not release any more. The schedule tells of it: there is no
    /// event here.
    function releaseHeld(address market, uint32 id, Money amount) external;

    /// @notice Takes what a market releases of members from what it holds, into what the posting that comes next releases. To
    /// be called in the transaction of that posting alone.
    /// @param firstId number of the member that the first amount is of.
    /// @param amounts of this member and those after it, money units.
    function prepareRelease(address market, uint32 firstId, uint256[] calldata amounts) external;

    /// @notice Takes collateral that the calling market holds for a member. It pays what the member owes, its arrears and what
    /// was taken back below its floor, from all amounts in proportion, so that who is named first gains nothing by it. The rest
    /// is given to other members, whose arrears it pays first. The market tells of it: there is no event here.
    /// @param id number of the member that loses it.
    /// @param to numbers of the members that receive the rest.
    /// @param amounts taken for each of these, in order, money units.
    /// @return received the rest of each, money units.
    function forfeitCollateral(uint32 id, uint32[] calldata to, uint256[] calldata amounts)
        external
        returns (uint256[] memory received);

    /// @notice Books payments among members whose amounts sum to zero, in the order given. What a member cannot pay, its
    /// credit included, becomes arrears, and the fallback supplier, who carries that risk, receives less. Reverts if that
    /// takes the supplier beyond its own credit limit, while a day is being settled, or while members wait for its money;
    /// or if it is to be paid from free money of a member whom the settlement under way has paid.
    function post(Posting[] calldata postings) external;

    /// @notice Books a part of a day's settlement likewise; it may take the supplier beyond its credit limit, until the
    /// day's money is shared. The free money of whoever is paid, or whose collateral is released, stays until the settlement
    /// ends.
    function postDay(Posting[] calldata postings) external;

    /// @notice Moves money between the fallback supplier, members who wait for it and what is set aside with the
    /// clearing house. Amounts sum to zero; what is taken back may leave less than nothing and never becomes arrears, and
    /// is filled up again before arrears are paid.
    /// @param claims change of what members wait for and the supplier has not set aside, money units.
    /// @param isPaidNow whether the settlement under way pays it, and may have to take it back.
    function share(Posting[] calldata postings, int256 claims, bool isPaidNow) external;

    /// @notice Nobody takes money out until a unix time; 0: no day is being settled any more. The first that is not 0 begins a
    /// settlement.
    function hold(uint64 until) external;

    /// @return whether a deposit or a payout has used the reference.
    function isPaymentUsed(bytes32 paymentReference) external view returns (bool);

    /// @return unix time from which the market may lock and release collateral; 0 if it may not.
    function lockableFrom(address market) external view returns (uint64);

    /// @return unix time from which the market locks no more collateral; 2^64 - 1 if it stays, 0 if it never was one.
    function lockableUntil(address market) external view returns (uint64);

    /// @return whether the market's new orders are stopped.
    function isPaused(address market) external view returns (bool);

    /// @return unix time until which nobody takes money out; 0 while no day is being settled.
    function heldUntil() external view returns (uint64);

    /// @return what members wait for and the fallback supplier has not set aside, money units.
    function openClaims() external view returns (uint128);

    /// @return unix time at which the market's last pause lapses or has lapsed; 0 if it never had one or it was lifted.
    function pausedUntil(address market) external view returns (uint64);

    /// @return arrears owed to the fallback supplier, money units.
    /// @return since unix time from which there have been arrears, without a break; 0 if there are none.
    function arrearsOf(uint32 id) external view returns (uint256 arrears, uint256 since);

    /// @return the account as it stands: for people, as what is locked is added up over all markets there ever were.
    function accountOf(uint32 id) external view returns (Account memory);

    /// @return free money of the account, money units, and
    /// @return creditLimit how far below zero a settlement may take it: what other contracts ask for.
    function fundsOf(uint32 id) external view returns (int256 free, uint256 creditLimit);

    /// @return collateral of a member that one market holds, money units.
    function heldBy(address market, uint32 id) external view returns (uint256);
}
