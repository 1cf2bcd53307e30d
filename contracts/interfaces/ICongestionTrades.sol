// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IMarket} from "./IMarket.sol";
import {Pair} from "./IPairMarket.sol";

/// What the grid operator wants moved and pays for, in one period (EIP-712).
struct CongestionRequest {
    uint32 day;
    uint16 slot;
    /// Whether too much is fed in inside of the area: then its members bid for more load or less generation, and others ask. If
    /// not, too much is drawn: then its members ask, and others bid.
    bool isFedIn;
    /// The area: zones of GridLimits.
    uint16[] zones;
    /// Zones outside of it that must not take part, because they would be overloaded themselves; 0 for who has no zone.
    uint16[] barred;
    /// Wh that are moved at most.
    uint32 energy;
    /// Ticks that an ask may be above the bid that it meets. At most what two accounts lose that trade on paper (rule 21.1).
    uint16 spread;
    /// Money units that the grid operator pays at most.
    uint64 budget;
    /// Unix time from which no order is taken or changed any more, and orders may meet.
    uint64 closesAt;
    /// Hash of what says why.
    bytes32 report;
    /// A later request has a higher one.
    uint40 sequence;
}

/// A member's order for a request (EIP-712). Where its connection is says whether it is a bid or an ask.
struct CongestionOrder {
    address account;
    /// Number of the request.
    uint32 number;
    /// Limit, in ticks from the lowest price.
    uint16 tick;
    /// Wh; 0 takes back what the member has ordered.
    uint32 energy;
    /// A later order of the member for the same request has a higher one, and replaces what came before.
    uint40 sequence;
}

/// @title Trades for the network
/// @notice The grid operator has energy moved out of, or into, an area whose lines are too full (rule 21). The best bid on one side of
/// the area's border meets the best ask on the other; each trades at its limit, and the grid operator pays the difference.
interface ICongestionTrades is IMarket {
    /// The grid operator asks for something.
    /// @param number of the request, from 1.
    /// @param request what it has signed.
    event Requested(uint32 indexed number, uint32 indexed day, CongestionRequest request);

    /// A member's order stands, or none of it any more.
    /// @param number of the request.
    /// @param isBid whether it buys: its connection is on that side of the area's border.
    /// @param tick limit, in ticks from the lowest price.
    /// @param energy Wh; 0 if it was taken back.
    event Ordered(
        uint32 indexed number,
        uint32 indexed id,
        uint32 indexed day,
        bool isBid,
        uint16 tick,
        uint32 energy,
        uint40 sequence
    );

    /// The orders of a request met.
    /// @param number of the request.
    /// @param pairs in the order in which they met; none if nothing is traded.
    /// @param paid what the grid operator pays, money units.
    event Met(uint32 indexed number, uint32 indexed day, Pair[] pairs, uint256 paid);

    /// Signed by a key that is not that account's.
    error NotSignedBy(address account, address signer);
    /// What is signed must have a higher sequence than what came before.
    error StaleMessage(uint32 id, uint256 sequence, uint256 last);
    /// There is no request of this number.
    error NoSuchRequest(uint32 number);
    /// A term is outside its bounds.
    /// @param term name of it.
    /// @param limit the lowest or highest value that it breaks.
    error BadTerm(string term, uint256 value, uint256 limit);
    /// A zone is named twice, or is none.
    error ZoneUnusable(uint16 zone);
    /// Before the gate of the day nobody knows what is contracted.
    /// @param gate unix time at which it closes.
    error GateIsOpen(uint256 day, uint256 gate, uint256 time);
    /// There is a period for ordering, and one for bringing what meets, before the period's intraday gate.
    /// @param closesAt unix time asked for.
    /// @param earliest unix time that is possible, and
    /// @param latest one.
    error NoTimeToOrder(uint256 closesAt, uint256 earliest, uint256 latest);
    /// As many requests for the period as there may be.
    error TooManyRequests(uint256 day, uint256 slot, uint256 most);
    /// No order of the request is taken or changed any more.
    error RequestClosed(uint32 number, uint256 closedAt, uint256 time);
    /// Until then orders are taken.
    error RequestOpen(uint32 number, uint256 closesAt, uint256 time);
    /// No member with this account orders here.
    error NotAMember(address account);
    /// The member's zone must not take part.
    error ZoneBarred(uint32 number, uint32 id, uint16 zone);
    /// As many orders of the side as fit one transaction with those that they meet.
    error SideIsFull(uint32 number, bool isBid, uint256 most);
    /// The orders of the request have met.
    error HaveMet(uint32 number);
    /// The intraday gate of the period has closed: what meets now nobody could deliver.
    error TooLateToMeet(uint32 number, uint256 gate, uint256 time);
    /// All orders of a side are brought.
    /// @param given so many.
    /// @param standing so many there are.
    error OrdersMissing(uint32 number, bool isBid, uint256 given, uint256 standing);
    /// The member has no order on this side, or one that comes before the last one brought.
    error OutOfOrder(uint32 number, bool isBid, uint32 id);
    /// The day is not over.
    error NotCleared(uint256 day);

    /// @notice Asks for energy to be moved: locks the budget from the grid operator's own money. The dispatcher brings what the grid
    /// operator has signed.
    /// @return number of the request.
    function request(CongestionRequest calldata r, bytes calldata signature) external returns (uint32 number);

    /// @notice Places, replaces or takes back a member's order. Anyone may bring it, until the request closes.
    function order(CongestionOrder calldata o, bytes calldata signature) external;

    /// @notice Lets the orders of a closed request meet. Anyone may call, until the intraday gate of the period.
    /// @param bidders numbers of all members with a bid: the highest limit first, of equal limits who came first; and
    /// @param askers of all with an ask, the lowest limit first.
    function meet(uint32 number, uint32[] calldata bidders, uint32[] calldata askers) external;

    /// @return sequence of a member's last order for a request; 0 for none.
    function lastSequence(uint32 number, uint32 id) external view returns (uint40 sequence);

    /// @return sequence of the last request; 0 for none.
    function lastRequest() external view returns (uint40 sequence);

    /// @return requests so far.
    function requestCount() external view returns (uint32);
}
