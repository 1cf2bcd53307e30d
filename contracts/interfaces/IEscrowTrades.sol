// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Energy, Price} from "../types/Units.sol";
import {IMarket} from "./IMarket.sol";

/// A trade whose money two of three keys release: one message, signed by both sides (EIP-712).
struct EscrowTrade {
    /// Account of the member that buys, and
    address buyer;
    /// of the one that sells.
    address seller;
    /// One-time key of the buyer for this trade.
    address buyerKey;
    /// One-time key of the seller for this trade.
    address sellerKey;
    /// Key of the mediator on whom both have agreed, who need not be a member.
    address mediator;
    uint32 day;
    /// Periods of the day in which the seller is to deliver, a bit each.
    uint96 slots;
    /// In each of these periods, Wh.
    Energy energy;
    /// Units/Wh, above zero.
    Price price;
    /// Unix time from which it is not funded any more.
    uint64 expiry;
    /// Tells equal trades apart.
    bytes32 salt;
}

/// What has become of a trade. Before it is funded it is a message between two, and the chain knows nothing of it.
enum EscrowState {
    None,
    Funded,
    /// All of the escrow went to the seller.
    Released,
    /// The escrow was split as two keys have signed.
    Split,
    /// Nobody released it in time: the readings did.
    Expired
}

/// What a funded trade is about.
struct EscrowTerms {
    /// Periods of the day in which the seller is to deliver, a bit each.
    uint96 slots;
    /// In each of these periods, Wh.
    Energy energy;
    /// Units/Wh.
    Price price;
    /// The three keys of which two release the escrow.
    address buyerKey;
    address sellerKey;
    address mediator;
}

/// @title Escrowed trades
/// @notice The buyer's money waits in escrow until two of three keys say who gets it: the buyer's, the seller's and a mediator's
/// (rule 16). If they do not in time, the meter says it. The energy follows the meter in any case.
interface IEscrowTrades is IMarket {
    /// A trade begins: the buyer's money is in escrow.
    /// @param number of the trade, from 1.
    /// @param buyer number of the member that buys, and
    /// @param seller of the one that sells.
    /// @param message hash of what both sides have signed.
    /// @param terms what it is about.
    /// @param buyerLocks locked for the buyer, the escrow included, money units.
    /// @param sellerLocks locked for the seller, money units.
    event Funded(
        uint32 indexed number,
        uint32 indexed buyer,
        uint32 indexed seller,
        uint32 day,
        bytes32 message,
        EscrowTerms terms,
        uint256 buyerLocks,
        uint256 sellerLocks
    );

    /// Two keys have said who gets the escrow.
    /// @param toSeller money units.
    /// @param toBuyer money units.
    /// @param first key that signed, and
    /// @param second the other one.
    event Released(uint32 indexed number, uint256 toSeller, uint256 toBuyer, address first, address second);

    /// Nobody had said so when the day became final: the readings did.
    /// @param delivered Wh; 0 if the trades of the day do not count.
    /// @param toSeller money units.
    /// @param toBuyer money units.
    event ReleasedByReadings(uint32 indexed number, uint256 delivered, uint256 toSeller, uint256 toBuyer);

    /// An account took back its signature of a trade that is not funded.
    /// @param message hash of the trade.
    event Revoked(bytes32 indexed message, address indexed account);

    /// Signed by a key that is not that account's.
    error NotSignedBy(address account, address signer);
    /// The trade is funded, or this side has taken its signature back.
    error TradeUsed(bytes32 message, address account);
    /// What was signed has expired.
    error TradeExpired(uint256 expiry, uint256 time);
    /// Nobody buys of itself.
    error TradeWithItself(address account);
    /// The three keys are different ones, and none is zero: else one of them moves the money.
    error KeysNotDistinct(address buyerKey, address sellerKey, address mediator);
    /// A trade is funded once the auction of its day has opened.
    /// @param opensAt unix time at which it does.
    error DayNotOpen(uint256 day, uint256 opensAt, uint256 time);
    /// The gate of the day has closed.
    error GateClosed(uint256 day, uint256 closedAt, uint256 time);
    /// A term is outside its bounds.
    /// @param term name of it.
    /// @param limit the lowest or highest value that it breaks.
    error BadTerm(string term, uint256 value, uint256 limit);
    /// The energy is more than the member's connection carries in a period.
    /// @param asked energy of the trade, Wh per period.
    /// @param allowed what the connection carries, Wh per period.
    error ExceedsCapacity(uint32 id, uint256 asked, uint256 allowed);
    /// The member has as many trades on the day as one may have.
    error TooManyTrades(uint32 id, uint256 day, uint256 most);
    /// There is no trade of this number.
    error NoSuchTrade(uint32 number);
    /// The escrow has been paid already.
    error NotFunded(uint32 number, EscrowState state);
    /// Both parts together are not the escrow.
    /// @param escrow money units.
    error NotTheEscrow(uint32 number, uint256 toSeller, uint256 toBuyer, uint256 escrow);
    /// Signed by none of the three keys of the trade.
    error NotAKeyOf(uint32 number, address signer);
    /// One key signed twice.
    error SignedByOne(uint32 number, address signer);
    /// The corrections of the day have closed: from now on the readings say who gets the escrow.
    error TooLateToRelease(uint32 number, uint256 closedAt, uint256 time);
    /// The day is not final: two keys may still release the escrow.
    error DayNotFinal(uint32 number, uint256 day, uint256 lastFinal);
    /// The day is not over for this market: its gate is open.
    error NotCleared(uint256 day);

    /// @notice Begins a trade that both sides have signed: locks the buyer's money, and what either may owe besides. Anyone may bring
    /// it, from the opening of the day's auction until its gate.
    /// @return number of the trade.
    function fund(EscrowTrade calldata t, bytes calldata buyerSignature, bytes calldata sellerSignature)
        external
        returns (uint32 number);

    /// @notice Takes back an account's signature of a trade that is not funded. Anyone may bring it.
    /// @param message hash of the trade.
    /// @param signature of the account on Revocation(message).
    function revoke(bytes32 message, address account, bytes calldata signature) external;

    /// @notice Pays the escrow as two of the three keys have signed. Anyone may bring it, until the corrections of the day close.
    /// @param toSeller and
    /// @param toBuyer together the escrow, money units.
    /// @param first signature of one key on EscrowRelease(number, toSeller, toBuyer), and
    /// @param second that of another one.
    function release(uint32 number, uint128 toSeller, uint128 toBuyer, bytes calldata first, bytes calldata second)
        external;

    /// @notice Pays the escrow of a trade whose day is final by what was delivered. Anyone may call it.
    function expire(uint32 number) external;

    /// @return state what has become of a trade.
    /// @return buyer number of the member that buys, and
    /// @return seller of the one that sells.
    /// @return day of delivery.
    /// @return terms what it is about.
    /// @return delivered Wh that the seller fed in for it by the last settlement of its day.
    function tradeOf(uint32 number)
        external
        view
        returns (EscrowState state, uint32 buyer, uint32 seller, uint32 day, EscrowTerms memory terms, uint64 delivered);

    /// @return numbers of a member's trades of a day.
    function tradesOf(uint32 id, uint256 day) external view returns (uint32[] memory);

    /// @return whether an account's signature of a trade counts no more.
    function isUsed(bytes32 message, address account) external view returns (bool);

    /// @return number of trades so far.
    function tradeCount() external view returns (uint32);
}
