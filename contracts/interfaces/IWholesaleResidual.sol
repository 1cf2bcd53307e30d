// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Residual} from "../libraries/Residual.sol";
import {IExchange} from "./IExchange.sol";
import {IMarket} from "./IMarket.sol";

/// What the wholesale desk signs for a day (EIP-712): one word a strip each, with the day (Strips.sol).
struct WholesaleReport {
    /// Account of the desk.
    address desk;
    uint32 day;
    /// Penalty rate in bits 39..20 of a lane, units/Wh; wholesale price + 2^19 in bits 19..0, units/Wh: it may be negative.
    bytes32[] prices;
    /// Most that may be imported in a period, Wh.
    bytes32[] imports;
    /// Most that may be exported, Wh.
    bytes32[] exports;
}

/// @title Residual to the wholesale market
/// @notice What the day-ahead auction leaves over is traded with the upper market through the wholesale desk (rule 6). The desk
/// reports its prices and capacities between the gate and a deadline; remaining bids of at least price + margin are imported,
/// remaining asks of at most price - margin exported, the best first. Without a report there is no such trade.
interface IWholesaleResidual is IMarket, IExchange {
    event Reported(
        uint32 indexed id, uint32 indexed day, bytes32[] prices, bytes32[] imports, bytes32[] exports, uint256 margin
    );
    /// What one slot trades: `price` paid or received by the members, units/Wh; `tick` of the marginal orders, which share
    /// `share` of their `marginal` Wh. `volume` 0: nothing, and all others are 0 as well.
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
    event ResidualProgress(uint32 indexed day, uint8 indexed strip, uint256 group, uint256 layer);

    error TooEarlyToReport(uint256 day, uint256 from, uint256 time);
    error TooLateToReport(uint256 day, uint256 dueAt, uint256 time);
    error NotSignedByDesk(address desk, address signer);
    /// Only a wholesale desk reports.
    error NotADesk(uint32 id);
    /// One report a day.
    error AlreadyReported(uint256 day, uint32 desk);
    /// The schedule does not count this market for the day.
    error NotInSchedule(uint256 day);
    error WrongReportLength(uint256 given, uint256 expected);
    error WrongReportDay(uint256 strip, uint256 day, uint256 expected);
    error ExchangeTooLarge(uint256 slot, uint256 energy, uint256 limit);
    error PenaltyAboveCap(uint256 slot, uint256 rate, uint256 cap);
    error NotReported(uint256 day);
    error NoSuchResidualStrip(uint256 strip, uint256 strips);
    /// The strip is cleared, or nothing may be exchanged in it.
    error NothingToClear(uint256 day, uint256 strip);
    error NoGroupsGiven();
    /// The day-ahead auction of this strip is not cleared yet.
    error AuctionNotCleared(uint256 day, uint256 strip);
    /// The ticks are not those of the marginal orders of this slot.
    error WrongTicks(uint256 slot, uint256 importTick, uint256 exportTick);
    error ResidualNotCleared(uint256 day);

    /// @notice Takes the signed report of a desk for a day; anyone may bring it.
    function report(WholesaleReport calldata r, bytes calldata signature) external;

    /// @notice Clears one strip, or goes on clearing it, for at most `maxGroups` groups of 240 members. Anyone may call.
    /// @param importTicks per lane the limit of the bids that are the last to be served, computed from the book; verified:
    /// those above take no more than the capacity, and either this is the lowest limit that pays the price or those at it
    /// take more.
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
