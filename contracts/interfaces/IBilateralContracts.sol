// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Energy, Price} from "../types/Units.sol";
import {IMarket} from "./IMarket.sol";

/// What a proposer signs (EIP-712): to buy or to sell the same energy in every period of a profile.
struct Proposal {
    address proposer;
    /// Who may accept; zero: anyone.
    address counterparty;
    /// Whether the proposer sells.
    bool isSale;
    /// Any price, not only whole ticks.
    Price price;
    /// Wh per period delivered.
    Energy energy;
    /// Delivery periods, counted from the market's opening: (day - 1) * periodsPerDay + slot.
    uint32 firstPeriod;
    uint32 lastPeriod;
    /// Profile: one bit per period of a day, and one per weekday, bit 0 being Monday.
    uint96 slots;
    uint8 weekdays;
    /// Unix time from which it is not accepted any more.
    uint64 expiry;
    /// Hash (EIP-712 struct hash) of the proposal that opened the negotiation, if this is a counter-proposal; else zero.
    bytes32 answers;
    /// Tells apart proposals that are otherwise the same.
    bytes32 salt;
}

/// What both sides sign (EIP-712) to end a contract together.
struct Ending {
    uint32 number;
    /// The last day on which it delivers; one before its first day if it shall not begin.
    uint32 lastDay;
    /// Unix time from which it is not carried out any more.
    uint64 expiry;
}

/// What a contract says, and the terms its collateral is reckoned with.
struct Terms {
    Price price;
    /// Wh per period.
    Energy energy;
    uint32 firstPeriod;
    /// The one after its last period.
    uint32 endPeriod;
    uint96 slots;
    uint8 weekdays;
    /// Fees and highest cost of replacing energy, units/Wh, by the rules of the first day.
    Price fees;
    Price ceiling;
    /// Periods of its fullest day.
    uint8 fullest;
}

/// @title Bilateral contracts
/// @notice Two members agree on a price, an energy and a profile (rule 8). Signed off chain by both, brought by anyone in one
/// transaction; what it costs, and what settling a day of it costs, does not depend on how long it runs.
/// @dev Collateral of a side is what a day costs at worst times the smaller of `window()` and the days of delivery that are not booked
/// yet. Nothing moves while days pass; the last days release it, each one day's worth.
interface IBilateralContracts is IMarket {
    /// Once, at deployment: weekday of day 1 (0 is Monday), and days that collateral covers at most.
    event MarketOpened(uint8 firstWeekday, uint8 window);
    /// `proposal` is the proposal's hash.
    event Concluded(uint32 indexed number, uint32 indexed buyer, uint32 indexed seller, bytes32 proposal, Terms terms);
    /// The contract delivers up to this day and no longer; `defaulter` is the member for whose default, 0 if both agreed.
    event Ended(uint32 indexed number, uint32 lastDay, uint32 defaulter);
    event Revoked(bytes32 indexed proposal, address indexed proposer);
    /// Members up to this number have been booked for the day; what that releases is released.
    event Booked(uint32 indexed day, uint32 through);

    error NotSignedBy(address account, address signer);
    error NotTheCounterparty(address accepter, address counterparty);
    /// The proposal, or the negotiation it belongs to, has led to a contract or was revoked.
    error ProposalUsed(bytes32 proposal, address account);
    error Expired(uint256 expiry, uint256 time);
    /// A counter-proposal names its counterparty.
    error AnswerToNobody(bytes32 answers);
    /// A term that cannot be; `limit` is the bound it breaks.
    error BadTerm(string term, uint256 value, uint256 limit);
    error GateClosed(uint256 day, uint256 closedAt, uint256 time);
    /// No period of the profile falls into the range.
    error NothingToDeliver(uint256 firstPeriod, uint256 lastPeriod);
    error ContractWithItself(uint32 id);
    /// More than the side's grid connection carries, Wh per period.
    error ExceedsCapacity(uint32 id, uint256 asked, uint256 allowed);
    /// The member has as many contracts as a day's settlement can walk through.
    error TooManyContracts(uint32 id, uint256 limit);
    error NoSuchContract(uint256 number);
    /// It ends on that day, or before, already.
    error NotEarlier(uint256 number, uint256 lastDay, uint256 present);
    error NotInDefault(uint256 number);
    error NotCleared(uint256 day);

    /// @notice Makes a contract of a proposal and its acceptance. Anyone may bring them, before the day-ahead gate of the contract's
    /// first day. It uses up the proposal, and with it the negotiation: the proposal that it answers, and whatever else
    /// answers that one between the two.
    /// @param signature the proposer's, of the Proposal.
    /// @param acceptance the accepter's, of Acceptance(bytes32 proposal), the proposal's hash.
    function conclude(Proposal calldata proposal, bytes calldata signature, address accepter, bytes calldata acceptance)
        external
        returns (uint32 number);

    /// @notice Takes a proposal back, and whatever answers it.
    /// @param signature the proposer's, of Revocation(bytes32 proposal), the proposal's hash.
    function revoke(Proposal calldata proposal, bytes calldata signature) external;

    /// @notice Ends a contract by the will of both sides, for days whose day-ahead gate has not closed.
    function end(Ending calldata ending, bytes calldata buyerSignature, bytes calldata sellerSignature) external;

    /// @notice Ends a contract from the first day whose gate has not closed, because a side is in arrears; or has left the market, then
    /// after its last day. Anyone may call.
    function terminate(uint32 number) external;

    /// @return number of contracts ever concluded, which is also the highest number.
    function contractCount() external view returns (uint32);

    /// @notice Both sides' numbers, and the terms as they stand.
    function contractOf(uint32 number) external view returns (uint32 buyer, uint32 seller, Terms memory terms);

    /// @return numbers of a member's contracts; those that are over stay among them for a while.
    function contractsOf(uint32 id) external view returns (uint256[] memory numbers);

    /// @notice Collateral locked for a contract now, of either side, money units.
    function collateralOf(uint32 number) external view returns (uint256 buyer, uint256 seller);

    /// @return whether the account's proposal with this hash can lead to no contract any more.
    function isUsed(bytes32 proposal, address account) external view returns (bool);

    /// @return days of delivery that collateral covers at most: those that can be committed and unpaid at once, and one to react.
    function window() external view returns (uint256);
}
