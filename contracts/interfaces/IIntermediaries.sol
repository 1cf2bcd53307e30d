// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Energy, Money, Price} from "../types/Units.sol";
import {IBrokeredMarket} from "./IBrokeredMarket.sol";

/// What a member signs to choose an intermediary, change it or do without one.
struct Mandate {
    /// The member who signs.
    address client;
    /// Zero: from the first day on the member trades for itself alone.
    address intermediary;
    /// Part of its connection that the intermediary trades, 1/10,000; the member trades the rest itself. 0 without one.
    uint16 share;
    /// A day whose auction has not opened.
    uint32 firstDay;
    /// Higher than that of the member's message before.
    uint40 sequence;
}

/// What an intermediary signs to publish its commission.
struct Commission {
    /// Who signs.
    address intermediary;
    /// Per Wh that a client buys or sells through the intermediary's share.
    Price perWh;
    /// Late enough for a client to choose otherwise: the day after the next to open at the earliest.
    uint32 firstDay;
    /// Higher than that of the intermediary's message before.
    uint40 sequence;
}

/// @title Intermediaries
/// @notice Rule 9: who has chosen whom for which part and from which day on, what the intermediaries ask for, and the
/// payment of it. It holds nobody's money: a commission goes from the client's account to the intermediary's.
interface IIntermediaries {
    /// A member has chosen an intermediary, another one or none. Mandates of the member that had not begun are
    /// replaced.
    /// @param client number of the member.
    /// @param intermediary number of the intermediary; 0 for none.
    /// @param share part of the connection that the intermediary trades, 1/10,000; 0 for none.
    /// @param firstDay day from which it holds.
    /// @param replacedFrom mandates with this first day or a later one are replaced.
    event MandateGiven(
        uint32 indexed client,
        uint32 indexed intermediary,
        uint16 share,
        uint32 firstDay,
        uint32 replacedFrom,
        uint40 sequence
    );

    /// An intermediary says what it asks for. Commissions that clients could still leave for are replaced.
    /// @param intermediary number of the intermediary.
    /// @param perWh commission, units/Wh (10^-8 currency per Wh).
    /// @param firstDay day from which it holds.
    /// @param replacedFrom commissions with this first day or a later one are replaced.
    event CommissionPublished(
        uint32 indexed intermediary, Price perWh, uint32 firstDay, uint32 replacedFrom, uint40 sequence
    );

    /// A client pays its intermediary for a day and market, out of what was kept locked for it: the cap of the day's rules
    /// times the energy. The rest is released. The two postings, the client's first, follow in the same order once all
    /// payments of the call are worked out.
    /// @param client number of the member that pays.
    /// @param intermediary number of the member that is paid.
    /// @param energy bought and sold through the intermediary's share, Wh.
    /// @param amount commission, money units (10^-8 currency).
    event CommissionPaid(
        uint32 indexed client,
        uint32 indexed intermediary,
        uint32 indexed day,
        IBrokeredMarket market,
        Energy energy,
        Money amount
    );

    /// The message is not signed by the member it names.
    error NotSignedBy(address account, address signer);
    /// Only members admitted to the market give mandates, and intermediaries give none.
    error NotAClient(address account);
    /// The address is not that of an admitted intermediary.
    error NotAnIntermediary(address account);

    /// The message was brought already, or a later one was.
    /// @param last sequence of the member's last message.
    error StaleMessage(uint32 id, uint256 sequence, uint256 last);

    /// With an intermediary the share is 1 to 10,000, without one 0.
    /// @param share part of the connection, 1/10,000.
    error BadShare(uint256 share);

    /// A mandate begins with a day whose auction has not opened.
    /// @param firstDay day from which it was to hold.
    /// @param earliest first day whose auction has not opened.
    error TooLateToChoose(uint256 firstDay, uint256 earliest);

    /// A commission is published early enough for a client to choose otherwise.
    /// @param firstDay day from which it was to hold.
    /// @param earliest first day it may hold from: the one after the next to open.
    error TooLateToPublish(uint256 firstDay, uint256 earliest);

    /// The rules of its first day allow less.
    /// @param perWh commission, units/Wh.
    /// @param cap highest commission, units/Wh.
    error CommissionTooHigh(uint256 perWh, uint256 cap);

    /// The schedule does not count this market's trades.
    error NotOfTheSchedule(address market);
    /// The market is void for the day: its trades do not count, so there is no commission on them.
    error MarketIsVoid(address market, uint256 day);
    /// The day may still be settled again, and a market become void for it.
    error NotFinal(uint256 day, uint256 lastFinal);

    /// @notice Takes a mandate; anyone may bring the signed message. It takes the place of one whose first day has not
    /// opened.
    function choose(Mandate calldata mandate, bytes calldata signature) external;

    /// @notice Takes a commission; anyone may bring the signed message. It takes the place of one that a client could
    /// still leave for.
    function publish(Commission calldata commission, bytes calldata signature) external;

    /// @notice Pays what clients owe their intermediaries for what a market has booked for a final day, out of the
    /// collateral that is kept locked for it, and releases the rest. Anyone may call, the client too; each client, day and
    /// market counts once, and who owes nothing is passed over.
    function collect(uint32 day, uint32[] calldata clients, IBrokeredMarket market) external;

    /// @return intermediary its number, 0 for none, and
    /// @return share its part of the member's connection on a day, 1/10,000.
    function mandateOf(uint32 client, uint256 day) external view returns (uint32 intermediary, uint256 share);

    /// @return what the intermediary asks for on a day, units/Wh: as published, at most the cap of the day's rules.
    function commissionOf(uint32 intermediary, uint256 day) external view returns (uint256);

    /// @return sequence of the member's last message.
    function lastSequence(uint32 id) external view returns (uint40);
}
