// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Residual} from "../market/wholesale/Residual.sol";
import {IExchange} from "./IExchange.sol";
import {IMarket} from "./IMarket.sol";

/// What the wholesale desk offers for a day: one word a strip each, with the day (Strips.sol). Before the gate it signs the
/// hash of this (EIP-712, WholesaleCommitment).
struct WholesaleReport {
    /// Account of the desk.
    address desk;
    uint32 day;
    /// Penalty rate in bits 39..20 of a lane, units/Wh; wholesale price + 2^19 in bits 19..0, units/Wh: it may be
    /// negative.
    bytes32[] prices;
    /// Most that may be imported in a period, Wh.
    bytes32[] imports;
    /// Most that may be exported, Wh.
    bytes32[] exports;
    /// Anything that nobody else knows, so that the hash hides the rest.
    bytes32 salt;
}

/// @title Residual to the wholesale market
/// @notice What the day-ahead auction leaves over is traded with the upper market through the wholesale desk (rule 6).
/// The desk opens the report that it has committed to (IWholesaleDesk) between the gate and a deadline; remaining bids of at least price +
/// margin are imported, remaining asks of at most price - margin exported, the best first. Without a report there is no
/// such trade.
interface IWholesaleResidual is IMarket, IExchange {
    /// The desk's report for the day is taken, and stands.
    /// @param id number of the member that is the desk.
    /// @param prices penalty rate and wholesale price by strip, units/Wh (10^-8 currency per Wh), laid out as in
    /// WholesaleReport.
    /// @param imports most that may be imported in a period, Wh, six lanes a strip.
    /// @param exports most that may be exported in a period, Wh, six lanes a strip.
    /// @param salt of the report: with it anybody can compute the desk's commitment again.
    /// @param margin what the desk earns, units/Wh: of the day's rules.
    event Reported(
        uint32 indexed id,
        uint32 indexed day,
        bytes32[] prices,
        bytes32[] imports,
        bytes32[] exports,
        bytes32 salt,
        uint256 margin
    );

    /// What one slot trades with the upper market.
    /// @param direction whether members buy (import) or sell (export).
    /// @param price paid (import) or received (export) by the members, units/Wh; it may be negative.
    /// @param volume Wh; 0: nothing is traded, and all others are 0 as well.
    /// @param tick limit of the last orders that get anything, ticks from the lowest price on.
    /// @param share what those orders get together, Wh.
    /// @param marginal what those orders asked for and the auction has not filled, Wh.
    event ResidualCleared(
        uint32 indexed day,
        uint16 indexed slot,
        Residual.Direction direction,
        int256 price,
        uint64 volume,
        uint16 tick,
        uint64 share,
        uint64 marginal
    );

    /// A strip's clearing did not fit one transaction. The same call goes on where this one ended.
    /// @param group group of 240 members that is added up next.
    /// @param layer its next layer, counted through the members' own layers and then the brokered ones.
    event ResidualProgress(uint32 indexed day, uint8 indexed strip, uint256 group, uint256 layer);

    /// The gate of the day-ahead auction is open: the desk reports after it.
    /// @param from unix time from which it may.
    error TooEarlyToReport(uint256 day, uint256 from, uint256 time);

    /// The deadline for the report has passed.
    /// @param dueAt unix time of the deadline.
    error TooLateToReport(uint256 day, uint256 dueAt, uint256 time);

    /// A day has one report.
    /// @param desk number of the member that has reported.
    error AlreadyReported(uint256 day, uint32 desk);

    /// The report has one word a strip in each of its lists.
    /// @param given words in a list.
    /// @param expected strips of a day.
    error WrongReportLength(uint256 given, uint256 expected);

    /// A word carries another day than the report.
    /// @param day day in the word, bits 255..240.
    /// @param expected day of the report.
    error WrongReportDay(uint256 strip, uint256 day, uint256 expected);

    /// More is to be exchanged in a period than the market can compute with.
    /// @param energy capacity reported, Wh.
    /// @param limit highest capacity, Wh.
    error ExchangeTooLarge(uint256 slot, uint256 energy, uint256 limit);

    /// The penalty rate is above what the rules of the day allow.
    /// @param rate reported, units/Wh.
    /// @param cap highest rate, units/Wh.
    error PenaltyAboveCap(uint256 slot, uint256 rate, uint256 cap);

    /// The wholesale price is further from zero than the dearest fallback supply.
    /// @param price reported, units/Wh; it may be negative.
    /// @param limit highest tariff of the day's rules, units/Wh.
    error PriceOutOfBounds(uint256 slot, int256 price, int256 limit);

    /// No desk has reported for the day.
    error NotReported(uint256 day);

    /// The day has fewer strips.
    /// @param strips strips of a day.
    error NoSuchResidualStrip(uint256 strip, uint256 strips);

    /// The strip is cleared, or nothing may be exchanged in it.
    error NothingToClear(uint256 day, uint256 strip);
    /// The call is to add up no group at all.
    error NoGroupsGiven();
    /// The day-ahead auction of this strip is not cleared yet.
    error AuctionNotCleared(uint256 day, uint256 strip);

    /// The ticks are not those of the last orders to be served in this slot.
    /// @param importTick limit of the bids given as such, ticks from the lowest price on.
    /// @param exportTick limit of the asks given as such, ticks.
    error WrongTicks(uint256 slot, uint256 importTick, uint256 exportTick);

    /// The day's auction is not cleared, strips of this market are not, or a report may still come.
    error ResidualNotCleared(uint256 day);

    /// @notice Takes the report that the desk of a day has committed to, and locks the most that it may cost the desk;
    /// anyone who knows it may bring it.
    function report(WholesaleReport calldata r) external;

    /// @notice Clears one strip, or goes on clearing it, in at most `maxGroups` steps: a layer of a group of 240 members
    /// each. Anyone may call.
    /// @param importTicks per lane the limit of the bids that are the last to be served, computed from the book;
    /// verified: those above take no more than the capacity, and either this is the lowest limit that pays the price or
    /// those at it take more.
    /// @param exportTicks likewise of the asks.
    function clear(
        uint32 day,
        uint8 strip,
        uint16[6] calldata importTicks,
        uint16[6] calldata exportTicks,
        uint256 maxGroups
    ) external;

    /// @return unix time until which the desk may report for a day.
    function reportDueAt(uint256 day) external view returns (uint256);

    /// @return desk the member that has reported for the day, 0 for none.
    /// @return pending strips to be cleared, one bit each.
    function reportOf(uint256 day) external view returns (uint32 desk, uint256 pending);
}
