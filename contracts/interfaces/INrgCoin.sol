// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {LateRecord} from "./ILateReconciliation.sol";

/// What coins are minted and charged at, for good.
struct CoinTerms {
    /// For a Wh fed in where feed-in and draw are equal, 10^-6 coins.
    uint32 perExport;
    /// For a Wh drawn where nothing is fed in, 10^-6 coins.
    uint32 perImport;
    /// How fast it falls where they are not equal, Wh squared.
    uint128 width;
}

/// Coins from one member to another.
struct CoinTransfer {
    address from;
    address to;
    /// 10^-6 coins.
    uint128 amount;
    /// Of the account's transfers, ascending.
    uint40 sequence;
}

/// @title NRGcoin
/// @notice Coins for feeding in where others draw (rule 17). They are minted and charged by a final day's readings, and are worth
/// nothing in any settlement.
interface INrgCoin {
    /// All that a final day's meters fed in and drew is added up.
    /// @param exported Wh fed in by slot, six lanes a strip, and
    /// @param imported Wh drawn.
    event DayCounted(uint32 indexed day, uint256[] exported, uint256[] imported);

    /// A member's coins of a day.
    /// @param minted 10^-6 coins.
    /// @param charged 10^-6 coins.
    event Credited(uint32 indexed id, uint32 indexed day, uint256 minted, uint256 charged);

    /// Everybody has the day's coins.
    event DayCredited(uint32 indexed day);

    /// A member's meter is known better: this is what it has of the day instead.
    /// @param minted 10^-6 coins.
    /// @param charged 10^-6 coins.
    event CoinsCorrected(uint32 indexed id, uint32 indexed day, uint256 minted, uint256 charged);

    /// Coins have moved between two members.
    /// @param from number of the member that gave them.
    /// @param to number of the member that has them.
    /// @param amount 10^-6 coins.
    /// @param sequence of the transfer.
    event CoinsMoved(uint32 indexed from, uint32 indexed to, uint128 amount, uint40 sequence);

    /// Without a width there is no curve.
    error NoWidth();
    /// No members are to be counted or credited.
    error NoMembersGiven();
    /// The day is not final yet.
    error DayNotFinal(uint256 day, uint256 lastFinal);
    /// Readings of the day make room for others: nobody has coins of it any more.
    /// @param until unix time from which it is too late.
    error DayLapsed(uint256 day, uint256 until);
    /// All members are counted.
    error AlreadyCounted(uint256 day);
    /// Not all members are counted yet.
    error NotCounted(uint256 day);
    /// Everybody has the day's coins.
    error AlreadyCredited(uint256 day);
    /// Not everybody has the day's coins yet, or nobody ever had.
    error NotCredited(uint256 day);
    /// Not what the day has left: its sums, or what the member has coins for.
    error NotOnRecord(uint32 id, uint256 day);
    /// The member has its coins by what counts as metered.
    error NothingToCorrect(uint32 id, uint256 day);
    /// The transfer is not signed by its account.
    error NotSignedBy(address account, address signer);
    /// The account is no member's.
    error NotAMember(address account);
    /// A newer transfer of the member is known.
    error StaleMessage(uint32 id, uint256 sequence, uint256 last);
    /// The member has fewer coins than it gives.
    /// @param balance 10^-6 coins; below zero where it was charged more than it had.
    error TooFewCoins(uint32 id, uint256 amount, int256 balance);

    /// @notice Adds up what some more members' meters have fed in and drawn on a final day. Anyone may call it.
    function countDay(uint32 day, uint256 members) external;

    /// @notice Mints and charges the coins of some more members for a day that is counted. Anyone may call it.
    function creditDay(uint32 day, uint256 members) external;

    /// @notice Mints and charges the difference that a late reconciliation makes. Anyone may call it.
    /// @param exported sums of the day, as DayCounted has them, and
    /// @param imported likewise.
    /// @param before strips for which the member has its coins: as settled, or as corrected last.
    /// @param record what the day has left of the member.
    function correct(
        uint32 id,
        uint32 day,
        uint256[] calldata exported,
        uint256[] calldata imported,
        uint256[] calldata before,
        LateRecord calldata record
    ) external;

    /// @notice Moves coins as their owner has signed. Anyone may bring it.
    function transfer(CoinTransfer calldata t, bytes calldata signature) external;

    /// @return coins of a member, 10^-6; below zero where it was charged more than it had.
    function balanceOf(uint32 id) external view returns (int256);

    /// @return sequence of a member's newest transfer.
    function lastSequence(uint32 id) external view returns (uint40);

    /// @return counted number of the member from which counting goes on, and
    /// @return credited from which crediting does.
    function nextMembers(uint256 day) external view returns (uint32 counted, uint32 credited);

    /// @return whether everybody has the day's coins.
    function isCredited(uint256 day) external view returns (bool);
}
