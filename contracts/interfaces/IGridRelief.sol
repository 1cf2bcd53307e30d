// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {LateRecord} from "./ILateReconciliation.sol";

/// What a member would do without, and at which price; or, from the grid operator, what it pays at most.
struct ReliefOffer {
    address account;
    /// Part of its connection, 1/10,000, by which it would draw less than expected. Of the grid operator: anything but 0 if it buys.
    uint16 drawn;
    /// For each Wh of that, money units.
    uint32 drawnPrice;
    /// Part of its connection by which it would feed in less, and
    uint16 fedIn;
    /// for each Wh of that, money units.
    uint32 fedInPrice;
    /// From which it holds, until the next one of its account.
    uint32 firstDay;
    /// Of the account's offers, ascending.
    uint40 sequence;
}

/// What is bought of a member in the six periods of a strip of a day.
struct Relief {
    /// Of the day, from 0 on.
    uint8 strip;
    /// Whether it is to feed in less; else to draw less.
    bool isFedIn;
    /// What is bought, Wh by lane (Strips.sol).
    uint256 energies;
    /// What the meter may still show in that direction, Wh by lane.
    uint256 mosts;
    /// For each Wh, money units by lane.
    uint256 prices;
}

/// @title Relief of the network
/// @notice Before limits are set the grid operator buys relief of those who offer it (rule 10.9): they draw or feed in less than
/// expected, for a price. What is bought is delivered where the meter stays below what was left to it.
interface IGridRelief {
    /// From a day on a member offers this, or the grid operator pays so much at most.
    /// @param drawn part of the connection by which it would draw less, 1/10,000.
    /// @param drawnPrice units/Wh.
    /// @param fedIn part by which it would feed in less.
    /// @param fedInPrice units/Wh.
    /// @param earliest first day that an offer could be for.
    event ReliefOffered(
        uint32 indexed id,
        uint16 drawn,
        uint32 drawnPrice,
        uint16 fedIn,
        uint32 fedInPrice,
        uint32 firstDay,
        uint32 earliest,
        uint40 sequence
    );

    /// The dispatcher has bought relief of a member for a day, before its auction opens.
    /// @param reliefs see Relief.
    /// @param report hash of what it was worked out from (keccak-256).
    event ReliefBought(uint32 indexed id, uint32 indexed day, Relief[] reliefs, bytes32 report);

    /// Relief of a final day is paid, or paid anew because the meter is known better.
    /// @param delivered Wh.
    /// @param missing Wh that were bought and not delivered.
    /// @param units for what was delivered, money units, from the grid operator. What was paid before is part of it.
    /// @param charge for what is missing, at the deviation rate, to the balancing fund; likewise.
    event ReliefPaid(
        uint32 indexed id, uint32 indexed day, uint256 delivered, uint256 missing, uint256 units, uint256 charge
    );

    /// The offer is not signed by its account.
    error NotSignedBy(address account, address signer);
    /// The account is no admitted member with a connection, and not the grid operator.
    error NotAMember(address account);
    /// A newer offer of the member is known.
    error StaleMessage(uint32 id, uint256 sequence, uint256 last);
    /// More than the whole connection, 1/10,000.
    error ShareTooLarge(uint256 share);
    /// Offers are for days that are known in time: the auction of the day before them has not opened either.
    error TooLateToOffer(uint256 firstDay, uint256 earliest);
    /// Relief is bought before the day's auction opens.
    /// @param opensAt unix time at which it does.
    error AuctionHasOpened(uint256 day, uint256 opensAt, uint256 time);
    /// Of a member relief of a day is bought once.
    error BoughtAlready(uint32 id, uint256 day);
    /// Nothing is bought, of no strip of the day, or of one that is not after the one before.
    error NoRelief(uint256 strip);
    /// More than the member offers, or than its connection carries.
    /// @param energy bought in a period, Wh, and
    /// @param most what is left beside it, Wh.
    error NotOffered(uint32 id, uint256 slot, uint256 energy, uint256 most);
    /// Less than the member asks for, or more than the grid operator pays, units/Wh.
    error PriceOutOfRange(uint32 id, uint256 slot, uint256 price, uint256 asked, uint256 ceiling);
    /// Not what was bought of the member for the day.
    error NotBought(uint32 id, uint256 day);
    /// Nothing is due, or it is paid as it is known.
    error NothingToPay(uint32 id, uint256 day);

    /// @notice Takes a member's offer, or the grid operator's highest prices, in the place of what it offered before.
    /// @param signature of the account (EIP-712).
    function offer(ReliefOffer calldata o, bytes calldata signature) external;

    /// @notice Buys relief of a member for a day. Only the dispatcher.
    /// @param reliefs ascending by strip, of a strip what is drawn first.
    function buy(uint32 id, uint32 day, Relief[] calldata reliefs, bytes32 report) external;

    /// @notice Pays what was delivered on a final day, and charges what was not. Anyone may bring it, once more after each late
    /// reconciliation and true-up.
    /// @param reliefs as they were bought.
    /// @param record what the day has left of the member.
    function pay(uint32 id, uint32 day, Relief[] calldata reliefs, LateRecord calldata record) external;

    /// @return sequence of a member's newest offer.
    function lastSequence(uint32 id) external view returns (uint40 sequence);

    /// @return hash of what was bought of a member for a day (`abi.encode(reliefs)`); 0 for nothing.
    function boughtOf(uint32 id, uint256 day) external view returns (bytes32);
}
