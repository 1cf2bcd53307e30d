// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// Orders of one participant for many periods of a day: one message, one signature (EIP-712).
struct OrderSheet {
    /// Whose orders they are.
    address participant;
    uint32 day;
    /// The lines follow each other from this one: line = layer * stripsPerDay + strip. Layers from 1,024 on
    /// (Orders.BROKERED_LAYER) are brokered: those of the participant's intermediary, who signs the sheet (rule 9). The
    /// participant may sign one that cancels there.
    uint16 firstLine;
    /// Higher than that of the sheet before of the same hand for this day: the participant's own sheets have one
    /// sequence, those that its intermediary signs another.
    uint40 sequence;
    /// Six orders each, laid out as in Orders.sol and Strips.sol. They replace what stood in these lines: zero lanes
    /// cancel.
    bytes32[] lines;
}

/// An order sheet as it is brought: signed by the participant, or by its intermediary.
struct SignedSheet {
    OrderSheet sheet;
    /// The signature in 64 bytes (EIP-2098): s in the lower 255 bits of vs, the parity of the point in its highest one.
    bytes32 r;
    bytes32 vs;
}

/// @title Order sheets of a day-ahead market
/// @notice How orders come in until the gate (rule 5): the same for every market that takes a day's orders before it.
interface IOrderSheets {
    /// An order sheet was taken. Its lines replace what stood in these lines before.
    /// @param sequence of the sheet; those of a member and of its intermediary are counted apart.
    /// @param firstLine number of its first line, layer * stripsPerDay + strip; the others follow.
    /// @param lines six orders each, laid out as in Orders.sol and Strips.sol.
    event SheetAccepted(uint32 indexed id, uint32 indexed day, uint40 sequence, uint16 firstLine, bytes32[] lines);

    /// A sheet brought in a batch was refused as a whole; earlier orders stay as they are.
    /// @param participant whom the sheet names; whether it signed, the reason tells.
    /// @param sequence of the sheet.
    /// @param reason the error, ABI encoded.
    event SheetRejected(address indexed participant, uint32 indexed day, uint40 sequence, bytes reason);

    /// The day's auction has not opened.
    /// @param opensAt unix time at which it does.
    error NotOpenYet(uint256 day, uint256 opensAt, uint256 time);

    /// The day's gate has closed: no order is taken or changed any more.
    /// @param closedAt unix time at which it did.
    error GateClosed(uint256 day, uint256 closedAt, uint256 time);

    /// The day's gate is open: there may be more orders, so nothing is cleared.
    /// @param closesAt unix time at which it closes.
    error GateNotClosed(uint256 day, uint256 closesAt, uint256 time);

    /// The sheet is not signed by the participant it names.
    error NotSignedByParticipant(address participant, address signer);

    /// The sheet was brought already, or a later one was.
    /// @param last sequence of the last sheet of the same hand taken for the day.
    error StaleSheet(uint32 id, uint256 sequence, uint256 last);

    /// The sheet has no lines.
    error EmptySheet();

    /// The sheet has lines beyond the layers that the rules of the day allow.
    /// @param line last line of the sheet.
    /// @param lines first line that is not allowed. Brokered lines count from 1,024 * stripsPerDay on.
    error LineOutOfRange(uint256 line, uint256 lines);

    /// A line carries another day than its sheet.
    /// @param line number of the line.
    /// @param day day in the line, bits 255..240.
    /// @param expected day of the sheet.
    error WrongDay(uint256 line, uint256 day, uint256 expected);

    /// The order is smaller than the market allows, or bits are set in a lane without energy.
    /// @param line number of the line.
    /// @param lane place of the order in the line, 0 to 5: the period inside the strip.
    /// @param energy of the order, Wh.
    /// @param minimum smallest order, Wh.
    error OrderTooSmall(uint256 line, uint256 lane, uint256 energy, uint256 minimum);

    /// The order is brokered, and its limit above the dearest fallback supply: nobody has to pay more for its energy.
    /// @param line number of the line.
    /// @param lane place of the order in the line, 0 to 5: the period inside the strip.
    /// @param tick limit of the order.
    /// @param highest tick that the day's rules allow.
    error LimitTooHigh(uint256 line, uint256 lane, uint256 tick, uint256 highest);

    /// An order, or all bids or all asks of a period together, exceed the grid connection, or the part of it that the
    /// sheet is for.
    /// @param asked energy of the order or the orders, Wh.
    /// @param allowed import (bids) or export (asks) capacity, Wh per period.
    error ExceedsCapacity(uint32 id, uint256 slot, uint256 asked, uint256 allowed);

    /// The orders that the sheet leaves would let the member trade with itself in a period, its intermediary's included.
    /// @param bid highest limit of its bids, ticks from the lowest price on.
    /// @param ask lowest limit of its asks, ticks.
    error TradesWithItself(uint32 id, uint256 slot, uint256 bid, uint256 ask);

    /// A batch ran out of gas; nothing of it counts.
    /// @param index place in the batch of the sheet at which it did, from 0.
    error BatchOutOfGas(uint256 index);

    /// @notice Takes a batch of sheets; each is accepted, or rejected with its reason on record, for itself.
    function submit(SignedSheet[] calldata sheets) external;

    /// @notice Takes one sheet, whoever brings it, or reverts with the reason.
    function enter(SignedSheet calldata signed) external;

    /// @notice Takes a sheet of the caller's own, unsigned: the transaction says who it is from. As `enter` otherwise.
    function enterOwn(uint32 day, uint16 firstLine, uint40 sequence, bytes32[] calldata lines) external;

    /// @return all lines of `count` members from `firstId` on, the brokered ones after their own, zero where there is
    /// none for that day; no lines at all for a member without orders.
    function linesOf(uint256 day, uint32 firstId, uint256 count) external view returns (uint256[][] memory);

    /// @return sequence of the member's own last sheet, orders per period in use and collateral locked for the day,
    /// money units. A client's own sheets in a pool count for the sequence, though they stand in brokered layers.
    function sheetOf(uint32 id, uint256 day) external view returns (uint256 sequence, uint256 layers, uint256 locked);
}
