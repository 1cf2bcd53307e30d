// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Money} from "../types/Units.sol";
import {IMarket} from "./IMarket.sol";
import {IStandingWatcher} from "./IStandingWatcher.sol";

/// An order that a participant signs and anyone may bring (EIP-712).
struct IntradayOrder {
    address participant;
    uint32 day;
    uint16 slot;
    bool isAsk;
    /// Limit in ticks.
    uint16 tick;
    /// Wh.
    uint32 energy;
    /// Orders that it may meet, see `place`.
    uint16 maxFills;
    /// Higher than that of the participant's message to this market before, of whatever kind.
    uint40 sequence;
}

/// A signed cancellation.
struct IntradayCancellation {
    address participant;
    uint32 day;
    uint64 number;
    uint40 sequence;
}

/// Money that a participant moves, signed: to a day's orders, or back what they do not use.
struct IntradayFunding {
    address participant;
    uint32 day;
    Money amount;
    bool isReturn;
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
    uint64 number;
    uint32 id;
    /// What is left of it, Wh.
    uint32 energy;
}

/// @title Intraday market
/// @notice Continuous double auction of every period (rule 7), from the day-ahead gate until `intradayLead` seconds before the period
/// begins: price-time priority, trades at the resting order's price, partial fills. What is not filled rests until it is filled or
/// cancelled, or the gate closes, after which nothing can happen to it. Order numbers are laid out in OrderNumbers.sol.
interface IContinuousMarket is IMarket, IStandingWatcher {
    /// Somebody funded a day for the first time. Its terms: fees and ceiling in units/Wh (rule 5.4), smallest order in Wh.
    event DayOpened(uint32 indexed day, uint24 fees, uint24 ceiling, uint32 smallest);
    /// Money units locked for a day's orders, and the limit of the member's net position in a period, Wh.
    event Funded(uint32 indexed id, uint32 indexed day, Money amount, uint32 limit);
    event Defunded(uint32 indexed id, uint32 indexed day, Money amount);
    /// An order meets prices that the other side lists; what comes of it follows: trades and cancellations, then OrderRested or
    /// OrderReturned, if anything is left of it.
    event OrderCrossed(
        uint32 indexed id, uint32 indexed day, uint16 slot, bool isAsk, uint16 tick, uint32 energy, uint16 maxFills
    );
    /// `maker`'s resting order `number` trades at its own limit, Wh.
    event Traded(uint32 indexed maker, uint32 indexed taker, uint32 indexed day, uint64 number, uint32 energy);
    /// An order rests with so much energy, Wh.
    event OrderRested(uint32 indexed id, uint32 indexed day, uint64 number, uint32 energy);
    /// An order is gone with so much energy left, Wh: cancelled by its owner, met by the owner's own order, or up to its owner's limit.
    event OrderCancelled(uint32 indexed id, uint32 indexed day, uint64 number, uint32 energy);
    /// The order reached a bound while the book still crosses: this energy neither traded nor rests, Wh.
    event OrderReturned(uint32 indexed id, uint32 indexed day, uint32 energy);
    event Paused(address by);
    event Unpaused(address by);

    error NotOpenYet(uint256 day, uint256 opensAt, uint256 time);
    error GateClosed(uint256 day, uint256 slot, uint256 closedAt, uint256 time);
    error NoSuchSlot(uint256 slot, uint256 slots);
    error NoSuchTick(uint256 tick, uint256 highest);
    /// The market was plugged into the schedule for later days, from this time on.
    error DayDoesNotCount(uint256 day, uint256 from);
    /// The account has funded nothing for this day.
    error NotFunded(address account, uint256 day);
    /// The member is suspended or has left: it places no order.
    error MemberBarred(uint256 id);
    error InsufficientCollateral(uint256 id, uint256 needed, uint256 available);
    error OrderTooSmall(uint256 energy, uint256 smallest);
    /// A single order exceeds the grid connection, or what an order may be, Wh.
    error ExceedsCapacity(uint256 id, uint256 slot, uint256 asked, uint256 allowed);
    /// The trades take the member beyond its highest net position in the period, Wh.
    error ExceedsPosition(uint256 id, uint256 slot, uint256 asked, uint256 allowed);
    /// So many orders have rested at this price that no more fits until the next day.
    error LevelFull(uint256 slot, bool isAsk, uint256 tick);
    /// The order was never there, or is filled or cancelled.
    error NoSuchOrder(uint256 day, uint256 number);
    error NotOwner(uint256 id, uint256 owner);
    error NotSignedByParticipant(address participant, address signer);
    error StaleSequence(uint256 sequence, uint256 last);
    error OrderEntryPaused();
    error NotCleared(uint256 day);

    /// @notice Locks the caller's free money for its orders of a day; refused to members in arrears. Until the day's last gate.
    function fund(uint32 day, Money amount) external;

    /// @notice Gives back to the caller what its orders and trades of the day do not use. Until the day's last gate.
    function defund(uint32 day, Money amount) external;

    /// @notice Places an order of the caller. It trades with the orders it meets, best price first, then first come, first served, at
    /// their prices; what is left rests. An order of its own that it meets is cancelled.
    /// Empty prices, and three places in a row that are empty, it skips; they stay skipped.
    /// @param maxFills Orders to meet at most, 256 in any case. If the book still crosses then, or after 256 skips, the rest is
    /// returned. 0: the order does not trade.
    function place(uint32 day, uint16 slot, bool isAsk, uint16 tick, uint32 energy, uint16 maxFills) external;

    /// @notice Cancels an order of the caller, suspended or not. Also one that has expired, as long as another period of the day
    /// trades: its collateral serves again.
    function cancel(uint32 day, uint64 number) external;

    /// @notice As `fund` or `defund`, signed.
    function fundSigned(IntradayFunding calldata funding, bytes calldata signature) external;

    /// @notice As `place`, signed.
    function placeSigned(IntradayOrder calldata order, bytes calldata signature) external;

    /// @notice As `cancel`, signed.
    function cancelSigned(IntradayCancellation calldata cancellation, bytes calldata signature) external;

    /// @notice Stops the taking of orders; cancelling and settlement go on.
    function pause() external;

    function unpause() external;

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
