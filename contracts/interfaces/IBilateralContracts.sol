// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Energy, Price, SignedPrice} from "../types/Units.sol";
import {IMarket} from "./IMarket.sol";

/// What a proposer signs (EIP-712): to buy or to sell the same energy in every period of a profile.
struct Proposal {
    /// Who signs it.
    address proposer;
    /// Who may accept; zero: anyone.
    address counterparty;
    /// Whether the proposer sells.
    bool isSale;
    /// From the market's lowest price to the highest fallback price by the rules of the first day; any price, not only whole ticks.
    /// Below zero the seller pays.
    SignedPrice price;
    /// Wh per period delivered.
    Energy energy;
    /// Delivery periods, counted from the market's opening: (day - 1) * periodsPerDay + slot.
    uint32 firstPeriod;
    /// Counted likewise; it delivers.
    uint32 lastPeriod;
    /// Profile: one bit per period of a day, and one per weekday, bit 0 being Monday.
    uint96 slots;
    uint8 weekdays;
    /// Unix time from which it is not accepted any more.
    uint64 expiry;
    /// Hash (EIP-712 struct hash) of the proposal that opened the negotiation, if this is a counter-proposal; else
    /// zero.
    bytes32 answers;
    /// Tells apart proposals that are otherwise the same.
    bytes32 salt;
}

/// What both sides sign (EIP-712) to end a contract together.
struct Ending {
    /// Of the contract.
    uint32 number;
    /// The last day on which it delivers; one before its first day if it shall not begin.
    uint32 lastDay;
    /// Unix time from which it is not carried out any more.
    uint64 expiry;
}

/// What a contract says, and the terms its collateral is reckoned with.
struct Terms {
    /// Units/Wh; below zero the seller pays.
    SignedPrice price;
    /// Wh per period.
    Energy energy;
    /// Counted from the market's opening.
    uint32 firstPeriod;
    /// The one after its last period.
    uint32 endPeriod;
    /// Profile, as in Proposal.
    uint96 slots;
    uint8 weekdays;
    /// What a buyer may have to pay besides the price, and the highest cost of replacing energy, units/Wh, by the rules of the first
    /// day.
    Price extra;
    Price ceiling;
    /// Periods of its fullest day.
    uint8 fullest;
}

/// @title Bilateral contracts
/// @notice Two members agree on a price, an energy and a profile (rule 8). Signed off chain by both, brought by anyone
/// in one transaction; what it costs, and what settling a day of it costs, does not depend on how long it runs.
/// @dev Collateral of a side is what a day costs at worst times the smaller of `window()` and the days of delivery that
/// are not booked yet. Nothing moves while days pass; the last days release it, each one day's worth. Booking also ends the
/// contracts of members in default: of those that have been in arrears for half a day when their turn comes.
interface IBilateralContracts is IMarket {
    /// Once, at deployment: what is the same for all contracts.
    /// @param firstWeekday weekday of day 1; 0 is Monday.
    /// @param window days of delivery that collateral covers at most.
    event MarketOpened(uint8 firstWeekday, uint8 window);

    /// Two members have a contract.
    /// @param number of the contract, counted from 1.
    /// @param buyer number of the member that buys.
    /// @param seller number of the member that sells.
    /// @param proposal hash of the accepted proposal (EIP-712 struct hash).
    /// @param terms price, energy and profile, and what its collateral is reckoned with.
    event Concluded(uint32 indexed number, uint32 indexed buyer, uint32 indexed seller, bytes32 proposal, Terms terms);

    /// A contract ends before its time.
    /// @param number of the contract.
    /// @param lastDay last day on which it delivers.
    /// @param defaulter number of the member that is in default or has left the market; 0 if both sides agreed.
    /// @param forfeited collateral that the defaulter loses, money units.
    event Ended(uint32 indexed number, uint32 lastDay, uint32 defaulter, uint256 forfeited);

    /// What a defaulter loses with a contract that has ended is given to the other side, after it has paid what the defaulter
    /// owes.
    /// @param number of the contract.
    /// @param received by the other side, money units.
    event Forfeited(uint32 indexed number, uint256 received);

    /// Somebody took back what it had signed: its proposal and the answers to it, its acceptance of a proposal, or its
    /// consent to an ending. It does not bind the account any more.
    /// @param message hash of the proposal, the acceptance or the ending (EIP-712 struct hash).
    event Revoked(bytes32 indexed message, address indexed account);

    /// Contracts of more members have been booked for a day; what that frees of their collateral is released.
    /// @param through highest number of a member booked for the day so far.
    event Booked(uint32 indexed day, uint32 through);

    /// A proposal, an acceptance, a revocation or an ending is not signed by whom it binds.
    error NotSignedBy(address account, address signer);

    /// The proposal was made to somebody else.
    /// @param accepter address that would accept it.
    /// @param counterparty address it was made to.
    error NotTheCounterparty(address accepter, address counterparty);

    /// The proposal, or the negotiation it belongs to, has led to a contract, or the account has revoked it.
    /// @param proposal hash of the proposal, or of the one that it answers.
    /// @param account side for which it is used up.
    error ProposalUsed(bytes32 proposal, address account);

    /// The account has taken its acceptance, or its consent to an ending, back.
    /// @param message hash of the acceptance or the ending.
    error ConsentRevoked(bytes32 message, address account);

    /// A proposal, an acceptance or an ending came too late.
    /// @param expiry unix time from which it does not count any more.
    error Expired(uint256 expiry, uint256 time);

    /// A counter-proposal must name its counterparty.
    /// @param answers hash of the proposal that it answers.
    error AnswerToNobody(bytes32 answers);

    /// The price is below the market's lowest one, or above the highest fallback price.
    /// @param price units/Wh, as the bounds are.
    error PriceOutOfRange(int256 price, int256 lowest, int256 highest);

    /// A term of the proposal cannot be.
    /// @param term its name in Proposal.
    /// @param value what was proposed.
    /// @param limit the lowest or highest value it breaks.
    error BadTerm(string term, uint256 value, uint256 limit);

    /// The day-ahead gate of a day has closed; contracts do not change for that day any more.
    /// @param day first day that would change.
    /// @param closedAt unix time at which its gate closed.
    error GateClosed(uint256 day, uint256 closedAt, uint256 time);

    /// No period of the profile falls into the range of periods.
    /// @param firstPeriod first period of the range, counted from the market's opening.
    /// @param lastPeriod last period of the range.
    error NothingToDeliver(uint256 firstPeriod, uint256 lastPeriod);

    /// Buyer and seller are the same member.
    error ContractWithItself(uint32 id);

    /// The energy is more than the side's part of its grid connection carries.
    /// @param asked energy of the contract, Wh per period.
    /// @param allowed what the connection carries, Wh per period.
    error ExceedsCapacity(uint32 id, uint256 asked, uint256 allowed);

    /// The member has as many contracts as a day's settlement can walk through.
    /// @param limit contracts a member may have.
    error TooManyContracts(uint32 id, uint256 limit);

    /// No contract has this number.
    /// @param number asked for.
    error NoSuchContract(uint256 number);

    /// The contract ends on that day, or before, already.
    /// @param number of the contract.
    /// @param lastDay day on which it would end.
    /// @param present last day on which it delivers as it stands.
    error NotEarlier(uint256 number, uint256 lastDay, uint256 present);

    /// Neither side has left the market, which goes on itself, so nobody can end the contract for them.
    /// @param number of the contract.
    error NobodyLeft(uint256 number);

    /// The day's gate has not closed: there may be more contracts for it.
    error NotCleared(uint256 day);

    /// @notice Makes a contract of a proposal and its acceptance. Anyone may bring them, before the day-ahead gate of
    /// the contract's first day. It uses up the proposal, and with it the negotiation: the proposal that it answers,
    /// and whatever else answers that one between the two.
    /// @param signature the proposer's, of the Proposal.
    /// @param expiry unix time from which the acceptance does not count any more.
    /// @param acceptance the accepter's signature, of Acceptance(bytes32 proposal,uint64 expiry), with the proposal's hash.
    function conclude(
        Proposal calldata proposal,
        bytes calldata signature,
        address accepter,
        uint64 expiry,
        bytes calldata acceptance
    ) external returns (uint32 number);

    /// @notice Takes back what an account signed here: a proposal, and whatever answers it; the acceptance of a proposal; or
    /// the consent to an ending. It binds nobody else, so it is taken whether or not anything was signed.
    /// @param message hash of the proposal, the acceptance or the ending.
    /// @param signature the account's, of Revocation(bytes32 message).
    function revoke(bytes32 message, address account, bytes calldata signature) external;

    /// @notice Ends a contract by the will of both sides, for days whose day-ahead gate has not closed.
    function end(Ending calldata ending, bytes calldata buyerSignature, bytes calldata sellerSignature) external;

    /// @notice Ends a contract of a member that has left the market: after its last day, and for days whose gate has not
    /// closed. That member loses a day's collateral, to the other side unless it owes anything. A contract that goes beyond
    /// the last day of the market ends with that day, and nobody forfeits anything. Anyone may call. Defaults need no call.
    function terminate(uint32 number) external;

    /// @return number of contracts ever concluded, which is also the highest number.
    function contractCount() external view returns (uint32);

    /// @notice Both sides' numbers, and the terms as they stand.
    function contractOf(uint32 number) external view returns (uint32 buyer, uint32 seller, Terms memory terms);

    /// @return numbers of a member's contracts; those that are over stay among them for a while.
    function contractsOf(uint32 id) external view returns (uint256[] memory numbers);

    /// @notice Collateral locked for a contract now, of either side, money units.
    function collateralOf(uint32 number) external view returns (uint256 buyer, uint256 seller);

    /// @return whether the account is no longer bound by what it signed with this hash: a proposal of its own that led to a
    /// contract, or anything that it has revoked.
    function isUsed(bytes32 message, address account) external view returns (bool);

    /// @return days of delivery that collateral covers at most: those that can be committed and unpaid at once, one to see
    /// that somebody does not pay, and one that a defaulter forfeits.
    function window() external view returns (uint256);
}
