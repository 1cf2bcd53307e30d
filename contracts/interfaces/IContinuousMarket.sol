// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Money} from "../types/Units.sol";
import {IMarket} from "./IMarket.sol";
import {IPausable} from "./IPausable.sol";
import {IStandingWatcher} from "./IStandingWatcher.sol";

/// An order that a participant signs and anyone may bring (EIP-712).
struct IntradayOrder {
    /// Whose order it is, and who signs.
    address participant;
    uint32 day;
    uint16 slot;
    /// Whether it sells.
    bool isAsk;
    /// Limit in ticks.
    uint16 tick;
    /// Wh.
    uint32 energy;
    /// Orders that it may meet, see `place`.
    uint16 maxFills;
    /// Unix time from which it is not taken any more. What rests by then stays until it is cancelled or the gate closes.
    uint64 expiry;
    /// Higher than that of the participant's message to this market before, of whatever kind.
    uint40 sequence;
}

/// A participant takes back what it has signed and nobody has brought.
struct IntradayRevocation {
    address participant;
    /// As that of an order: its messages up to here are worth nothing.
    uint40 sequence;
}

/// A signed cancellation.
struct IntradayCancellation {
    address participant;
    uint32 day;
    /// Of the order (OrderNumbers.sol).
    uint64 number;
    /// As that of an order.
    uint40 sequence;
}

/// Money that a participant moves, signed: to a day's orders, or back what they do not use.
struct IntradayFunding {
    address participant;
    uint32 day;
    /// Money units.
    Money amount;
    /// true: back to free money; false: from it.
    bool isReturn;
    /// As that of an order.
    uint40 sequence;
}

/// What a member has at stake on one day, money units and Wh.
struct TradingAccount {
    /// Locked in Accounts for this day.
    uint256 funded;
    /// Not in use by an order or a trade.
    uint256 available;
    /// Due for the trades: positive pays, negative receives.
    int256 payment;
    /// Energy bought plus energy sold.
    uint256 traded;
    /// Net energy a member may have bought or sold in one period.
    uint256 limit;
}

/// An order in the book.
struct RestingOrder {
    /// It tells slot, side and price (OrderNumbers.sol).
    uint64 number;
    /// Number of the member whose order it is.
    uint32 id;
    /// What is left of it, Wh.
    uint32 energy;
}

/// @title Intraday market
/// @notice Continuous double auction of every period (rule 7), from the day-ahead gate until `intradayLead` seconds
/// before the period begins: price-time priority, trades at the resting order's price, partial fills. What is not
/// filled rests until it is filled or cancelled, or the gate closes, after which nothing can happen to it. Order
/// numbers are laid out in OrderNumbers.sol.
interface IContinuousMarket is IMarket, IStandingWatcher, IPausable {
    /// Somebody funded a day for the first time, which fixes its terms.
    /// @param extra what a buyer may have to pay for a Wh besides its price, fees included, units/Wh (10^-8 currency per Wh; rule 5.4).
    /// @param ceiling what replacing an energy may cost at most, fees included, units/Wh (rule 5.4).
    /// @param smallest smallest order, Wh.
    event DayOpened(uint32 indexed day, uint24 extra, uint24 ceiling, uint32 smallest);

    /// Money was locked for a member's orders of a day.
    /// @param amount locked in addition, money units (10^-8 currency).
    /// @param limit net energy that it may have bought or sold in one period at most, Wh.
    event Funded(uint32 indexed id, uint32 indexed day, Money amount, uint32 limit);

    /// A member took money back that its orders and trades of the day do not use.
    /// @param amount released, money units.
    event Defunded(uint32 indexed id, uint32 indexed day, Money amount);

    /// An order meets prices that the other side lists; what comes of it follows: trades and cancellations, then
    /// OrderRested or OrderReturned, if anything is left of it.
    /// @param isAsk whether it sells.
    /// @param tick its limit, ticks from the lowest price on.
    /// @param energy Wh.
    /// @param maxFills orders that it may meet, as asked for; 256 in any case.
    event OrderCrossed(
        uint32 indexed id, uint32 indexed day, uint16 slot, bool isAsk, uint16 tick, uint32 energy, uint16 maxFills
    );

    /// An order meets a resting one, and they trade at the limit of the resting one.
    /// @param maker number of the member whose order rested.
    /// @param taker number of the member whose order met it.
    /// @param number of the resting order; it tells slot, side and price (OrderNumbers.sol).
    /// @param energy traded, Wh.
    event Traded(uint32 indexed maker, uint32 indexed taker, uint32 indexed day, uint64 number, uint32 energy);

    /// An order, or what is left of it, rests in the book.
    /// @param number of the order; it tells slot, side and price (OrderNumbers.sol).
    /// @param energy that rests, Wh.
    event OrderRested(uint32 indexed id, uint32 indexed day, uint64 number, uint32 energy);

    /// A resting order is gone: cancelled by its owner, met by the owner's own order, or up to its owner's limit.
    /// @param number of the order; it tells slot, side and price (OrderNumbers.sol).
    /// @param energy that was left of it, Wh.
    event OrderCancelled(uint32 indexed id, uint32 indexed day, uint64 number, uint32 energy);

    /// The order has met or skipped as much as it may, and the book still crosses. The rest neither trades nor rests.
    /// @param energy that is left of it, Wh.
    event OrderReturned(uint32 indexed id, uint32 indexed day, uint32 energy);

    /// A participant took back what it had signed: its messages up to this sequence are not taken any more.
    event MessagesRevoked(address indexed participant, uint40 sequence);

    /// The market takes note of a pause, as the accounts have it: no order is placed until it lapses or is lifted. Cancelling
    /// and settlement go on.
    /// @param until unix time at which the pause lapses by itself; 0 if it is lifted.
    event PauseFollowed(uint64 until);

    /// The day is not traded yet: intraday trading begins at its day-ahead gate.
    /// @param opensAt unix time of that gate.
    error NotOpenYet(uint256 day, uint256 opensAt, uint256 time);

    /// The intraday gate of the slot has closed. For funding and cancelling that of the day's last slot counts.
    /// @param closedAt unix time at which it did.
    error GateClosed(uint256 day, uint256 slot, uint256 closedAt, uint256 time);

    /// The day has fewer slots.
    /// @param slots slots of a day.
    error NoSuchSlot(uint256 slot, uint256 slots);

    /// No order names so high a price.
    /// @param tick limit of the order, ticks from the lowest price on.
    /// @param highest highest limit, in ticks.
    error NoSuchTick(uint256 tick, uint256 highest);

    /// The account has funded nothing for this day.
    error NotFunded(address account, uint256 day);
    /// The member is suspended or has left: it places no order.
    error MemberBarred(uint256 id);

    /// What the member has funded does not do for the order, or less of it is unused than is to be taken back.
    /// @param needed for the order and its trades, or to be taken back, money units.
    /// @param available not in use by an order or a trade, money units.
    error InsufficientCollateral(uint256 id, uint256 needed, uint256 available);

    /// The order is smaller than the market allows.
    /// @param energy of the order, Wh.
    /// @param smallest smallest order, Wh.
    error OrderTooSmall(uint256 energy, uint256 smallest);

    /// A single order is larger than it may be.
    /// @param asked energy of the order, Wh.
    /// @param allowed import plus export capacity, at most 2^27 - 1 Wh.
    error ExceedsCapacity(uint256 id, uint256 slot, uint256 asked, uint256 allowed);

    /// The order's trades take the member beyond its highest net position in the period.
    /// @param asked energy of these trades, Wh.
    /// @param allowed what the member may still buy, or sell, in the period, Wh.
    error ExceedsPosition(uint256 id, uint256 slot, uint256 asked, uint256 allowed);

    /// So many orders have rested at this price that no more fits until the next day.
    /// @param isAsk whether the order sells.
    /// @param tick its limit, ticks from the lowest price on.
    error LevelFull(uint256 slot, bool isAsk, uint256 tick);

    /// The order was never there, or is filled or cancelled.
    /// @param number of the order.
    error NoSuchOrder(uint256 day, uint256 number);

    /// The order is another member's.
    /// @param id number of the member that would cancel it.
    /// @param owner number of the member whose order it is.
    error NotOwner(uint256 id, uint256 owner);

    /// The message is not signed by the participant it names.
    error NotSignedByParticipant(address participant, address signer);

    /// The message was brought already, or a later one was, of whatever kind.
    /// @param last sequence of the participant's last message to this market.
    error StaleSequence(uint256 sequence, uint256 last);

    /// The order is not to be taken any more.
    /// @param expiry unix time from which it is not.
    error Expired(uint256 expiry, uint256 time);

    /// The registry does not tell this market whose standing changes (`addWatcher`): no day is funded.
    error NotTold();

    /// The market is paused: no order is placed.
    error OrderEntryPaused();
    /// The intraday gate of the day's last slot has not closed: there may be more trades.
    error NotCleared(uint256 day);

    /// @notice Locks the caller's free money for its orders of a day; refused to members in arrears. Until the day's
    /// last gate.
    function fund(uint32 day, Money amount) external;

    /// @notice Gives back to the caller what its orders and trades of the day do not use. Until the day's last gate.
    function defund(uint32 day, Money amount) external;

    /// @notice Places an order of the caller. It trades with the orders it meets, best price first, then first come,
    /// first served, at their prices; what is left rests. An order of its own that it meets is cancelled. Empty prices,
    /// and three places in a row that are empty, it skips; they stay skipped.
    /// @param maxFills Orders to meet at most, 256 in any case. If the book still crosses then, or after 256 skips, the
    /// rest is returned. 0: the order does not trade.
    function place(uint32 day, uint16 slot, bool isAsk, uint16 tick, uint32 energy, uint16 maxFills) external;

    /// @notice Cancels an order of the caller, suspended or not. Also one that has expired, as long as another period
    /// of the day trades: its collateral serves again.
    function cancel(uint32 day, uint64 number) external;

    /// @notice As `fund` or `defund`, signed.
    function fundSigned(IntradayFunding calldata funding, bytes calldata signature) external;

    /// @notice As `place`, signed.
    function placeSigned(IntradayOrder calldata order, bytes calldata signature) external;

    /// @notice Takes back all messages of the caller up to a sequence that nobody has brought. It moves nothing else: what
    /// rests stays. Also while the market is paused.
    function revoke(uint40 sequence) external;

    /// @notice As `revoke`, signed.
    function revokeSigned(IntradayRevocation calldata revocation, bytes calldata signature) external;

    /// @notice As `cancel`, signed.
    function cancelSigned(IntradayCancellation calldata cancellation, bytes calldata signature) external;

    /// @return unix time from which nothing is traded in a period.
    function intradayGateAt(uint256 day, uint256 slot) external view returns (uint256);

    /// @return seconds from a period's intraday gate to its start.
    function intradayLead() external view returns (uint256);

    /// @return the member's account of the day.
    function accountOf(uint32 id, uint256 day) external view returns (TradingAccount memory);

    /// @return net energy of a member in each period of a strip, Wh, as Positions has it.
    function netOf(uint32 id, uint256 day, uint256 strip) external view returns (uint256);

    /// @return sequence of the participant's last signed message.
    function sequenceOf(address participant) external view returns (uint40);

    /// @return prices of a side that have orders in the book, best first, in ticks.
    function prices(uint256 day, uint256 slot, bool isAsk) external view returns (uint16[] memory);

    /// @return open orders at a price, in the order in which they trade.
    function ordersAt(uint256 day, uint256 slot, bool isAsk, uint256 tick) external view returns (RestingOrder[] memory);
}
